//! Jobs on several vCPUs of one guest, each with queues of its own, and the vCPUs to which Xen
//! sends the events of these.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::check::{Check, good_result, guest, number, values};
use crate::blkback::with_queues;
use crate::guest::{ConsoleLine, Guest};
use crate::result::GuestResult;
use crate::steps::Outcome;

/// Blocks that each job writes and reads back.
const BLOCKS: u64 = 512;

pub(super) fn checks() -> Vec<Check> {
    let on_one = "--name=job --numjobs=4 --filename=/dev/xvda --offset_increment=2m";
    let unbound = format!("{on_one} --ringmark_bind=0");
    let one_queue = format!("{on_one} --ringmark_queues=1");
    let group = format!("{on_one} --group_reporting");
    let allowed = format!("{on_one} --cpus_allowed=2-3");
    let apart = "--name=a --filename=/dev/xvda --name=b --filename=/dev/xvdb";
    let (each, pairs): (Vcpus, Vcpus) = (&[&[0], &[1], &[2], &[3]], &[&[2], &[3], &[2], &[3]]);
    let rows: [(_, _, &[u32], _, Vcpus, &[u64]); _] = [
        // Name, vCPUs, disks, jobs; for each job its vCPUs, and for each queue that of its events.
        ("loops-disks", 2, &[0, 1], apart, &[&[0], &[1]], &[0, 1]),
        ("loops-queues", 4, &[0], on_one, each, &[0, 1, 2, 3]),
        ("loops-unbound", 4, &[0], &unbound, each, &[0, 0, 0, 0]),
        ("loops-one-queue", 4, &[0], &one_queue, &[&[0], &[0], &[0], &[0]], &[0]),
        ("loops-group", 2, &[0], &group, &[&[0, 1]], &[0, 1]),
        ("loops-allowed", 4, &[0], &allowed, pairs, &[2, 3]),
    ];
    let check = |(name, vcpus, disks, jobs, of_jobs, of_events)| {
        verified(Loops { name, vcpus, of_jobs, of_events }, disks, jobs)
    };
    rows.map(check).into()
}

/// vCPUs of each job.
type Vcpus = &'static [&'static [u64]];

/// Loops that are to be.
#[derive(Clone, Copy)]
struct Loops {
    /// The guest's name.
    name: &'static str,
    /// Number of its vCPUs.
    vcpus: u32,
    /// vCPUs that are to have run each job of the result.
    of_jobs: Vcpus,
    /// vCPUs to which the events of the queues are to go, from the lowest on.
    of_events: &'static [u64],
}

/// A guest whose jobs write, read back and check their blocks.
fn verified(loops: Loops, disks: &[u32], jobs: &str) -> Check {
    let Loops { name, vcpus, .. } = loops;
    let globals = "hold --rw=randwrite --bs=4k --iodepth=8 --size=2m --verify=crc32c \
                   --verify_fatal=1";
    let extra = format!("{globals} {jobs}");
    let command = format!(
        "guest_create {name}\nguest_until 'ringmark-result-end*' 90\n\
         echo rd_req=$(($(cat $vbds*/statistics/rd_req | tr '\\n' +)0))\n\
         echo wr_req=$(($(cat $vbds*/statistics/wr_req | tr '\\n' +)0))\n\
         {EVENTS}\n\
         xl shutdown {name}\nguest_end 60"
    );
    Check::new(format!("loops: {name}"), 180, with_queues(vcpus, &command))
        .with(Guest { vcpus, ..guest(name, disks, 'w', &extra) })
        .judged(format!("{name}: each job on its vCPU, every block right"), move |outcome| {
            judge(&good_result(outcome, name)?, outcome, loops)
        })
        .judged(format!("{name}: events of each queue to their vCPU"), move |outcome| {
            let found = event_vcpus(outcome)?;
            ensure!(found == loops.of_events, "Xen sends events to vCPUs {found:?}");
            Ok(format!("Xen sends those of the queues to vCPUs {found:?}"))
        })
}

fn judge(result: &GuestResult, outcome: &Outcome, loops: Loops) -> Result<String> {
    let Loops { name, vcpus, of_jobs, .. } = loops;
    let jobs = result.json["jobs"].as_array().context("no jobs")?;
    let ran_on = |job: &Value| -> Option<Vec<u64>> {
        job["ringmark"]["vcpus"].as_array()?.iter().map(Value::as_u64).collect()
    };
    let found: Vec<Vec<u64>> =
        jobs.iter().map(ran_on).collect::<Option<_>>().context("no vCPUs")?;
    ensure!(found == of_jobs, "jobs ran on {found:?}, not {of_jobs:?}");
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

/// Command that prints the ports of the queues of domain `$id`, and what Xen knows of its ports.
const EVENTS: &str = r#"xenstore-ls -f /local/domain/$id/device/vbd |
sed -n 's/.*event-channel = "\(.*\)"/port=\1/p'
xl dmesg -c >/tmp/before
xl debug-keys e
xl dmesg | sed -n "/channel information for domain $id:/,/channel information for/s/^(XEN) */xen=/p""#;

/// Returns the vCPUs to which the events of the queues go, from the lowest on.
///
/// Of each port Xen prints `PORT [P/M/S]: s=STATE n=VCPU ..` (`domain_dump_evtchn_info`), with a
/// state of 3 if it is connected to another domain's.
fn event_vcpus(outcome: &Outcome) -> Result<Vec<u64>> {
    let known: Vec<&str> = values(outcome, "xen").collect();
    let vcpu = |port: &str| -> Option<u64> {
        let of_port = |line: &&str| line.split_once(' ').is_some_and(|(first, _)| first == port);
        let mut facts = known.iter().copied().find(of_port)?.split_once(": ")?.1.split(' ');
        facts.next().filter(|state| *state == "s=3")?;
        facts.next()?.strip_prefix("n=")?.parse().ok()
    };
    let mut vcpus = values(outcome, "port")
        .map(|port| vcpu(port).with_context(|| format!("Xen tells no vCPU of port {port}")))
        .collect::<Result<Vec<u64>>>()?;
    ensure!(!vcpus.is_empty(), "no queue has a port in xenstore");
    vcpus.sort_unstable();
    Ok(vcpus)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xen_tells_the_vcpus_of_ports() {
        let xen = [
            "xen=Event channel information for domain 3:",
            "xen=Polling vCPUs: {}",
            "xen=port [p/m/s]",
            "xen=1 [0/0/ - ]: s=3 n=0 x=0 d=0 p=28",
            "xen=5 [0/0/ - ]: s=3 n=2 x=0 d=0 p=31",
            "xen=6 [0/1/ - ]: s=3 n=1 x=0 d=0 p=32",
            "xen=7 [0/0/ - ]: s=5 n=1 x=0 v=0",
            "xen=Event channel information for domain 4:",
        ];
        let vcpus = |ports: &[&str]| event_vcpus(&Outcome::printed([ports, &xen].concat()));
        assert_eq!(vcpus(&["port=5", "port=6"]).unwrap(), [1, 2]);
        for ports in [&[][..], &["port=7"], &["port=8"], &["port=[p/m/s]"], &["port=5", "port="]] {
            assert!(vcpus(ports).is_err(), "{ports:?}");
        }
    }
}
