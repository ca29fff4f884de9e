//! Forecast, given before jobs run, of whether a backend keeps their pages mapped. The pages that
//! it did keep are counted after them ([`JobResult::pages_kept`](results::JobResult::pages_kept)).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use drivers::ring::ENTRIES_MAX;
use xen_abi::PAGE_SIZE;
use xen_abi::blkif::MAX_SEGMENTS;

use fio_job::{Job, QUEUES_MAX};

use super::deal::Dealing;

/// Pages of a queue that Linux's backend keeps mapped unless its `max_persistent_grants` says
/// otherwise. It does not report that limit to frontends.
const LINUX_KEEPS: u64 = 1056;

/// Pages that Linux's backend takes in one request.
const LINUX_TAKES: u64 = 256;

/// Returns a warning to the user of a disk whose backend offers to keep pages mapped, if jobs that
/// run together, dealt to vCPUs like this, and leave their pages granted use more pages of one of
/// its `queues` queues than Linux's backend keeps.
pub fn persistent_warning(
    disk: &str,
    jobs: &[Job],
    dealing: &Dealing,
    queues: u32,
) -> Option<String> {
    let uses = |number: &usize| jobs[*number].disks.iter().any(|name| name == disk);
    let loops: Vec<Vec<&Job>> = dealing
        .by_vcpu()
        .into_iter()
        .map(|(_, numbers)| numbers.into_iter().filter(uses).map(|n| &jobs[n]).collect())
        .filter(|here: &Vec<&Job>| !here.is_empty())
        .collect();
    let pages_of_each = |queues: u32| {
        let own = |place| Dealing::own_queues(place, queues, loops.len());
        loops.iter().enumerate().map(|(place, here)| pages_used(here, own(place))).max()
    };
    let pages = pages_of_each(queues)?;
    if pages <= LINUX_KEEPS || loops.iter().flatten().any(|job| !job.grants.is_persistent()) {
        return None;
    }
    let queue = if queues > 1 { " of a queue" } else { "" };
    let enough = (queues + 1..=QUEUES_MAX).find(|&more| pages_of_each(more) <= Some(LINUX_KEEPS));
    let advice = enough.map_or_else(String::new, |enough| {
        format!(", take ringmark_queues={enough} if the backend has as many")
    });
    Some(format!(
        "{disk}: iodepth and bs use {pages} pages{queue}, of which Linux's backend keeps \
         {LINUX_KEEPS} mapped by default, and maps the others for each request; lower iodepth or \
         bs{advice}, or raise max_persistent_grants of xen-blkback"
    ))
}

/// Counts the pages of each of its `queues` queues that a loop with these jobs uses in the long
/// run, if those with the largest requests are the first to fill the rings. A job puts its next
/// request where its last one ended, so its largest have been in all of its slots in time.
fn pages_used(jobs: &[&Job], queues: u32) -> u64 {
    let queues = u64::from(queues);
    let depth = |job: &Job| u64::from(job.iodepth);
    let mut sizes: Vec<(u64, u64)> = jobs
        .iter()
        .map(|job| (Io::of(job), depth(job)))
        .map(|(io, depth)| (io.pages_of_each, io.requests * depth))
        .collect();
    sizes.sort_unstable_by(|one, other| other.cmp(one));
    let mut room = u64::from(ENTRIES_MAX) * queues;
    let mut pages = 0;
    for (pages_of_each, requests) in sizes {
        let slots = requests.min(room);
        room -= slots;
        pages += slots * pages_of_each;
    }
    // I/Os are spread over the queues, and one is on one of them.
    let ios: u64 = jobs.iter().map(|job| depth(job)).sum();
    pages * ios.div_ceil(queues) / ios.max(1)
}

/// Returns how many I/Os of the job can be in flight on a queue whose pages Linux's backend all
/// keeps mapped.
pub(super) fn ios_kept(job: &Job) -> u32 {
    let Io { requests, pages_of_each } = Io::of(job);
    let kept = LINUX_KEEPS.checked_div(requests * pages_of_each);
    u32::try_from(kept.unwrap_or(u64::MAX)).unwrap_or(u32::MAX)
}

/// Needs of a job's largest I/O at Linux's backend.
struct Io {
    /// Requests, at least one.
    requests: u64,
    /// Pages of the largest request, that of its segments included; none without data.
    pages_of_each: u64,
}

impl Io {
    fn of(job: &Job) -> Self {
        if !job.rw.reads() && !job.rw.writes() {
            return Self { requests: 1, pages_of_each: 0 };
        }
        let data = u64::from(job.bs_bytes).div_ceil(PAGE_SIZE as u64);
        let takes = job.indirect.map_or(LINUX_TAKES, |most| LINUX_TAKES.min(most.into()));
        let takes = takes.max(MAX_SEGMENTS as u64);
        let largest = data.min(takes);
        // Segments that do not fit into a request are in a page of their own.
        let segments = u64::from(largest > MAX_SEGMENTS as u64);
        Self { requests: data.div_ceil(takes), pages_of_each: largest + segments }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fio_job::parse;

    /// Returns the warning for a disk with so many queues, in a guest with so many vCPUs.
    fn warning(line: &str, queues: u32, vcpus: u32) -> Option<String> {
        let jobs = parse(line).expect(line);
        let vcpus: Vec<u32> = (0..vcpus).collect();
        let dealing = Dealing::new(&jobs, &vcpus, |_| queues).expect(line);
        persistent_warning("xvda", &jobs, &dealing, queues)
    }

    #[test]
    fn only_jobs_that_use_too_many_pages_get_a_warning() {
        for (line, pages) in [
            ("bs=4k iodepth=512", None),
            ("bs=128k iodepth=32", None),
            ("bs=128k iodepth=33", Some("1089 pages,")),
            // The last page that is kept, and the first that is not.
            ("bs=12k iodepth=352", None),
            ("bs=28k iodepth=151", Some("1057 pages,")),
            ("bs=44k iodepth=96", None),
            ("bs=44k iodepth=97", Some("1067 pages,")),
            ("bs=1m iodepth=4", None),
            ("bs=1m iodepth=5", Some("1285 pages,")),
            // Two requests of 256 pages, and one for the segments of each.
            ("bs=2m iodepth=2", None),
            ("bs=2m iodepth=3", Some("1542 pages,")),
            // Each of three slots has the large requests at times.
            ("bs=2100k iodepth=1", None),
            ("bs=2100k iodepth=2", Some("1542 pages,")),
            ("bs=128k iodepth=32 ringmark_indirect=0", None),
            ("bs=128k iodepth=33 ringmark_indirect=0", Some("1089 pages,")),
            ("bs=128k iodepth=34 ringmark_indirect=16", Some("1156 pages,")),
            ("bs=128k iodepth=33 ringmark_indirect=4096", Some("1089 pages,")),
            // What the ring has room for.
            ("bs=4k iodepth=60000", None),
            ("bs=8k iodepth=60000", None),
            ("bs=12k iodepth=60000", Some("1536 pages,")),
            ("bs=4k iodepth=512 numjobs=8", None),
            ("bs=128k iodepth=64 grants=persistent-copy", Some("2112 pages,")),
            ("bs=128k iodepth=64 grants=per-request", None),
            ("bs=128k iodepth=64 rw=randtrim", None),
            ("bs=128k iodepth=16 numjobs=2", None),
            ("bs=128k iodepth=32 numjobs=2", Some("2112 pages,")),
            ("bssplit=4k/50:128k/50 norandommap rw=randread iodepth=64", Some("2112 pages,")),
            ("iodepth=31 --name=a --bs=4k --name=b --bs=128k", None),
            ("iodepth=32 --name=a --bs=4k --name=b --bs=128k", Some("1088 pages,")),
            ("iodepth=512 --name=a --bs=4k --name=b --bs=8k", None),
            ("iodepth=500 --name=a --bs=4k --name=b --bs=12k", Some("1512 pages,")),
        ] {
            let warning = warning(&format!("filename=xvda:xvdb {line}"), 1, 1);
            assert_eq!(warning.is_some(), pages.is_some(), "{line}: {warning:?}");
            let text = warning.unwrap_or_default();
            assert!(text.contains(pages.unwrap_or_default()), "{line}: {text}");
        }
        let jobs = parse("bs=1m iodepth=9 filename=xvda").expect("a line");
        assert_eq!(persistent_warning("xvdb", &jobs, &Dealing::on_one(1), 1), None);
    }

    #[test]
    fn each_queue_counts_for_the_jobs_of_its_vcpu() {
        let apart = "--name=a --bs=128k --iodepth=33 --name=b --bs=4k --iodepth=1";
        let alike = "bs=128k iodepth=32 numjobs=4";
        for (line, queues, vcpus, pages) in [
            ("bs=128k iodepth=64", 2, 1, None),
            ("bs=128k iodepth=65", 2, 1, Some("1089 pages of a queue,")),
            ("bs=2m iodepth=4", 2, 1, None),
            ("bs=2m iodepth=5", 2, 1, Some("1542 pages of a queue,")),
            (alike, 4, 4, None),
            (alike, 4, 1, None),
            (alike, 3, 3, Some("2112 pages of a queue,")),
            (alike, 8, 2, None),
            ("bs=128k iodepth=33 numjobs=4", 4, 4, Some("1089 pages of a queue,")),
            // The light job's queue has room that the other's has no use of.
            (apart, 2, 2, Some("1089 pages of a queue,")),
            (apart, 3, 2, None),
            (apart, 2, 1, None),
            ("bs=708k iodepth=11", 2, 1, Some("1068 pages of a queue,")),
            ("bs=704k iodepth=10", 2, 1, None),
        ] {
            let line = line.replace("--name=a", "--filename=xvda --name=a");
            let named = format!("filename=xvda {line}");
            let line = if line.starts_with("--") { &line } else { &named };
            let warning = warning(line, queues, vcpus);
            assert_eq!(warning.is_some(), pages.is_some(), "{line}, {queues}: {warning:?}");
            let text = warning.unwrap_or_default();
            assert!(text.contains(pages.unwrap_or_default()), "{line}, {queues}: {text}");
        }
    }

    #[test]
    fn a_warning_says_what_to_do() {
        for (line, queues, enough) in [
            ("bs=128k iodepth=64", 1, Some(2)),
            ("bs=128k iodepth=65", 2, Some(3)),
            ("bs=1m iodepth=32", 1, Some(8)),
            ("bs=1m iodepth=128", 1, Some(32)),
            ("bs=1m iodepth=132", 1, None),
            ("bs=2m iodepth=4", 1, Some(2)),
            ("bs=5m iodepth=1", 1, None),
        ] {
            let text = warning(&format!("{line} filename=xvda"), queues, 1).expect(line);
            let advice = enough.map(|enough| {
                format!(", take ringmark_queues={enough} if the backend has as many")
            });
            let end = format!(
                "; lower iodepth or bs{}, or raise max_persistent_grants of xen-blkback",
                advice.unwrap_or_default()
            );
            assert!(text.ends_with(&end), "{line}: {text}");
        }
    }

    #[test]
    fn the_default_jobs_use_no_more_pages_than_are_kept() {
        let one = Dealing::on_one(1);
        for job in Job::defaults_for("xvda") {
            assert_eq!(persistent_warning("xvda", &[job], &one, 1), None);
        }
    }
}
