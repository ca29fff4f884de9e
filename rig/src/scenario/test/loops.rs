//! Jobs on several vCPUs of one guest, each with queues of its own.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::check::{Check, good_result, guest, number};
use super::queues::with_queues;
use super::vcpus::with_vcpus;
use crate::guest::ConsoleLine;
use crate::result::GuestResult;
use crate::steps::Outcome;

/// Blocks that each job writes and reads back.
const BLOCKS: u64 = 512;

pub(super) fn checks() -> Vec<Check> {
    let on_one = "--name=job --numjobs=4 --filename=/dev/xvda --offset_increment=2m";
    let apart = "--name=a --filename=/dev/xvda --name=b --filename=/dev/xvdb";
    vec![
        // Name, vCPUs, disks, jobs, and for each job its vCPUs.
        verified("loops-disks", 2, &[0, 1], apart, &[&[0], &[1]]),
        verified("loops-queues", 4, &[0], on_one, &[&[0], &[1], &[2], &[3]]),
        verified(
            "loops-unbound",
            4,
            &[0],
            &format!("{on_one} --ringmark_bind=0"),
            &[&[0], &[1], &[2], &[3]],
        ),
        verified(
            "loops-one-queue",
            4,
            &[0],
            &format!("{on_one} --ringmark_queues=1"),
            &[&[0], &[0], &[0], &[0]],
        ),
        verified("loops-group", 2, &[0], &format!("{on_one} --group_reporting"), &[&[0, 1]]),
        verified(
            "loops-allowed",
            4,
            &[0],
            &format!("{on_one} --cpus_allowed=2-3"),
            &[&[2], &[3], &[2], &[3]],
        ),
    ]
}

/// A guest whose jobs write, read back and check their blocks; `vcpus_of` are the vCPUs that are to
/// have run each job of the result.
fn verified(
    name: &'static str,
    vcpus: u32,
    disks: &[u32],
    jobs: &str,
    vcpus_of: &'static [&'static [u64]],
) -> Check {
    let globals = "hold --rw=randwrite --bs=4k --iodepth=8 --size=2m --verify=crc32c \
                   --verify_fatal=1";
    let extra = format!("{globals} {jobs}");
    let command = format!(
        "{}\nguest_create {name}\nguest_until 'ringmark-result-end*' 90\n\
         echo rd_req=$(($(cat $vbds*/statistics/rd_req | tr '\\n' +)0))\n\
         echo wr_req=$(($(cat $vbds*/statistics/wr_req | tr '\\n' +)0))\n\
         xl shutdown {name}\nguest_end 60",
        with_vcpus(name, vcpus),
    );
    Check::new(format!("loops: {name}"), 180, with_queues(&command))
        .with(guest(name, disks, 'w', &extra))
        .judged(format!("{name}: each job on its vCPU, every block right"), move |outcome| {
            let result = good_result(outcome, name)?;
            judge(&result, outcome, name, vcpus, vcpus_of)
        })
}

fn judge(
    result: &GuestResult,
    outcome: &Outcome,
    name: &str,
    vcpus: u32,
    vcpus_of: &[&[u64]],
) -> Result<String> {
    let jobs = result.json["jobs"].as_array().context("no jobs")?;
    let ran_on = |job: &Value| -> Option<Vec<u64>> {
        job["ringmark"]["vcpus"].as_array()?.iter().map(Value::as_u64).collect()
    };
    let found: Vec<Vec<u64>> =
        jobs.iter().map(ran_on).collect::<Option<_>>().context("no vCPUs")?;
    ensure!(found == vcpus_of, "jobs ran on {found:?}, not {vcpus_of:?}");
    let total: u64 = jobs.iter().filter_map(|job| job["ringmark"]["members"].as_u64()).sum();
    let (reads, writes) = (number(outcome, "rd_req")?, number(outcome, "wr_req")?);
    let blocks = total * BLOCKS;
    ensure!((reads, writes) == (blocks, blocks), "blkback counts {reads}, {writes}; not {blocks}");
    let mut busy: Vec<u64> = found.concat();
    busy.sort_unstable();
    busy.dedup();
    let told = &result.json["ringmark"]["vcpus"];
    let idle = u64::from(vcpus) - busy.len() as u64;
    ensure!(told["count"] == vcpus && told["idle"] == idle, "the result says {told}");
    let lines = ConsoleLine::of(outcome, name);
    let line = lines
        .iter()
        .find(|line| line.text.contains("with work") || line.text.contains("have work"))
        .context("not said")?;
    Ok(format!("{blocks} blocks; \"{}\"", line.text))
}
