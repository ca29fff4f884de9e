//! Disks with several queues, against blkback with leave to serve so many.

use anyhow::ensure;

use super::check::{Check, good_result, guest, number};
use crate::blkback::with_queues;

/// Queues that blkback is given leave to serve.
const QUEUES: u32 = 4;
const BLOCKS: u64 = 2048;
/// Queues and iodepths of jobs in turn: each takes the rings in another form.
const STAGES: [(u32, u32); 5] = [(4, 128), (1, 64), (2, 200), (1, 1), (3, 3)];

pub(super) fn checks() -> Vec<Check> {
    vec![four(), up_and_down(), too_many()]
}

fn four() -> Check {
    let extra = format!(
        "hold --name=job --rw=randwrite --bs=4k --iodepth=32 --size=8m --filename=/dev/xvda \
         --verify=crc32c --verify_fatal=1 --ringmark_queues={QUEUES}"
    );
    let command = with_queues(
        QUEUES,
        "guest_create queues-four\nguest_until 'ringmark-result-end*' 60\n\
         echo rd_req=$(cat $vbds*/statistics/rd_req)\necho wr_req=$(cat $vbds*/statistics/wr_req)\n\
         echo threads=$(cat /proc/[0-9]*/comm 2>/dev/null | grep -c '\\.xvda-[0-9]')\n\
         xl shutdown queues-four\nguest_end 60",
    );
    Check::new("four queues", 120, command).with(guest("queues-four", &[0], 'w', &extra)).judged(
        "four queues: every block is written and read back right",
        |outcome| {
            good_result(outcome, "queues-four")?;
            let threads = number(outcome, "threads")?;
            ensure!(threads == u64::from(QUEUES), "blkback runs {threads} threads, not {QUEUES}");
            let (reads, writes) = (number(outcome, "rd_req")?, number(outcome, "wr_req")?);
            ensure!((reads, writes) == (BLOCKS, BLOCKS), "blkback counts {reads} and {writes}");
            Ok(format!("{BLOCKS} blocks; blkback counts as many, in {threads} threads"))
        },
    )
}

/// Each form of the handshake in the way of the next.
fn up_and_down() -> Check {
    let names = STAGES.map(|(queues, iodepth)| format!("q{queues}-{iodepth}"));
    let stages = STAGES.into_iter().zip(&names).map(|((queues, iodepth), name)| {
        format!(
            "--name={name} --stonewall --rw=randread --bs=4k --size=2m --filename=/dev/xvda \
             --iodepth={iodepth} --ringmark_queues={queues}"
        )
    });
    let extra = stages.collect::<Vec<_>>().join(" ");
    Check::new("queues up and down", 120, with_queues(QUEUES, "guest queues-up-down 60"))
        .with(guest("queues-up-down", &[0], 'w', &extra))
        .judged("as many queues and as large rings as each job asks for", move |outcome| {
            let result = good_result(outcome, "queues-up-down")?;
            for name in &names {
                let ios = result.job(name)?["read"]["total_ios"].as_u64();
                ensure!(ios == Some(512), "{name}: {ios:?} reads, not 512");
            }
            Ok(format!("512 reads each: {}", names.join(", ")))
        })
}

fn too_many() -> Check {
    let asked = QUEUES + 1;
    let extra = format!(
        "--name=job --rw=randread --size=1m --filename=/dev/xvda --iodepth=8 \
         --ringmark_queues={asked}"
    );
    let command = with_queues(QUEUES, "guest queues-too-many 60");
    Check::new("more queues than there are", 120, command)
        .with(guest("queues-too-many", &[0], 'w', &extra))
        .judged("of more queues than blkback has, as many as it has are used", |outcome| {
            let result = good_result(outcome, "queues-too-many")?;
            let queues = &result.job("job")?["ringmark"]["queues"];
            ensure!(*queues == QUEUES, "{queues} queues, not {QUEUES}");
            Ok(format!("{queues} queues"))
        })
}
