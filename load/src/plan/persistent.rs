//! Forecast, given before jobs run, of whether a backend keeps their pages mapped. The pages that
//! it did keep are counted after them ([`JobResult::pages_kept`](results::JobResult::pages_kept)).

use alloc::format;
use alloc::string::String;

use drivers::ring::ENTRIES_MAX;
use xen_abi::PAGE_SIZE;
use xen_abi::blkif::MAX_SEGMENTS;

use fio_job::{Job, QUEUES_MAX};

/// Pages of a queue that Linux's backend keeps mapped unless its `max_persistent_grants` says
/// otherwise. It does not report that limit to frontends.
const LINUX_KEEPS: u64 = 1056;

/// Pages that Linux's backend takes in one request.
const LINUX_TAKES: u64 = 256;

/// Returns a warning to the user of a disk whose backend offers to keep pages mapped, if jobs that
/// run together and leave their pages granted use more on its `queues` queues than Linux's backend
/// keeps.
pub fn persistent_warning(jobs: &[Job], disk: &str, queues: u32) -> Option<String> {
    let here = || jobs.iter().filter(|job| job.disks.iter().any(|name| name == disk));
    let pages_of_each = |queues: u32| {
        here().map(|job| pages_in_flight(job, queues)).sum::<u64>().div_ceil(queues.into())
    };
    let pages = pages_of_each(queues);
    if pages <= LINUX_KEEPS || here().any(|job| !job.grants.is_persistent()) {
        return None;
    }
    let queue = if queues > 1 { " of each queue" } else { "" };
    let enough = (queues + 1..=QUEUES_MAX).find(|&more| pages_of_each(more) <= LINUX_KEEPS);
    let advice = enough.map_or_else(String::new, |enough| {
        format!("; with ringmark_queues={enough} all are kept, if the backend has as many")
    });
    Some(format!(
        "{disk}: iodepth and bs use {pages} pages{queue}, of which Linux's backend keeps \
         {LINUX_KEEPS} mapped unless max_persistent_grants of xen-blkback says otherwise; it maps \
         the others for each request{advice}"
    ))
}

/// Counts the pages that are granted to a backend while a job has its whole iodepth in flight.
fn pages_in_flight(job: &Job, queues: u32) -> u64 {
    let Io { requests, pages } = Io::of(job);
    let room = u64::from(ENTRIES_MAX * queues) / requests;
    u64::from(job.iodepth).min(room) * pages
}

/// Returns how many I/Os of the job can be in flight on a queue whose pages Linux's backend all
/// keeps mapped.
pub(super) fn ios_kept(job: &Job) -> u32 {
    u32::try_from(LINUX_KEEPS.checked_div(Io::of(job).pages).unwrap_or(u64::MAX))
        .unwrap_or(u32::MAX)
}

/// Needs of a job's largest I/O at Linux's backend.
struct Io {
    /// Requests, at least one.
    requests: u64,
    /// Pages of data and of segments; none without data.
    pages: u64,
}

impl Io {
    fn of(job: &Job) -> Self {
        if !job.rw.reads() && !job.rw.writes() {
            return Self { requests: 1, pages: 0 };
        }
        let data = u64::from(job.bs_bytes).div_ceil(PAGE_SIZE as u64);
        let takes = job.indirect.map_or(LINUX_TAKES, |most| LINUX_TAKES.min(most.into()));
        let takes = takes.max(MAX_SEGMENTS as u64);
        let (requests, last) = (data.div_ceil(takes), (data - 1) % takes + 1);
        // Segments that do not fit into a request are in a page of their own.
        let indirect = |segments: u64| u64::from(segments > MAX_SEGMENTS as u64);
        let segments = (requests - 1) * indirect(takes) + indirect(last);
        Self { requests, pages: data + segments }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fio_job::parse;

    #[test]
    fn only_jobs_that_use_too_many_pages_get_a_warning() {
        for (line, pages) in [
            ("bs=4k iodepth=512", None),
            ("bs=128k iodepth=32", None),
            ("bs=128k iodepth=64", Some("2112 pages,")),
            ("bs=128k iodepth=64 ringmark_queues=2", None),
            ("bs=128k iodepth=65 ringmark_queues=2", Some("1073 pages of each queue,")),
            ("bs=1m iodepth=4", None),
            ("bs=1m iodepth=5", Some("1285 pages,")),
            ("bs=2m iodepth=2", None),
            ("bs=2m iodepth=3", Some("1542 pages,")),
            ("bs=2100k iodepth=2", None),
            ("bs=2104k iodepth=2", Some("1058 pages,")),
            ("bs=1068k iodepth=4", Some("1072 pages,")),
            ("bs=1072k iodepth=4", Some("1080 pages,")),
            ("bs=128k iodepth=33 ringmark_indirect=0", None),
            ("bs=128k iodepth=34 ringmark_indirect=0", Some("1088 pages,")),
            ("bs=128k iodepth=34 ringmark_indirect=16", Some("1156 pages,")),
            ("bs=128k iodepth=33 ringmark_indirect=4096", Some("1089 pages,")),
            ("bs=4k iodepth=60000", None),
            ("bs=8k iodepth=60000", None),
            ("bs=12k iodepth=60000", Some("1536 pages,")),
            ("bs=44k iodepth=96", None),
            ("bs=44k iodepth=97", Some("1067 pages,")),
            ("bs=128k iodepth=64 grants=persistent-copy", Some("2112 pages,")),
            ("bs=128k iodepth=64 grants=per-request", None),
            ("bs=128k iodepth=64 rw=randtrim", None),
            ("bs=128k iodepth=32 numjobs=2", Some("2112 pages,")),
            ("bssplit=4k/50:128k/50 norandommap rw=randread iodepth=64", Some("2112 pages,")),
        ] {
            let jobs = parse(&format!("{line} filename=xvda:xvdb")).expect(line);
            let queues = jobs[0].queues.unwrap_or(1);
            let warning = persistent_warning(&jobs, "xvda", queues);
            assert_eq!(warning.is_some(), pages.is_some(), "{line}: {warning:?}");
            let text = warning.unwrap_or_default();
            assert!(text.contains(pages.unwrap_or_default()), "{line}: {text}");
        }
        for (line, queues, enough) in [
            ("bs=128k iodepth=64", 1, Some(2)),
            ("bs=128k iodepth=65 ringmark_queues=2", 2, Some(3)),
            ("bs=1m iodepth=32", 1, Some(8)),
            ("bs=1m iodepth=128", 1, Some(32)),
            ("bs=1m iodepth=132", 1, None),
        ] {
            let jobs = parse(&format!("{line} filename=xvda")).expect(line);
            let text = persistent_warning(&jobs, "xvda", queues).expect(line);
            let advice = enough.map(|enough| format!("with ringmark_queues={enough} all are kept"));
            assert_eq!(text.contains("with ringmark_queues"), advice.is_some(), "{line}: {text}");
            assert!(text.contains(&advice.unwrap_or_default()), "{line}: {text}");
        }
        let jobs = parse("bs=1m iodepth=9 filename=xvda").expect("a line");
        assert_eq!(persistent_warning(&jobs, "xvdb", 1), None);
    }

    #[test]
    fn the_default_jobs_use_no_more_pages_than_are_kept() {
        let jobs = Job::defaults_for("xvda");
        assert_eq!(
            jobs.iter().find_map(|job| persistent_warning(core::slice::from_ref(job), "xvda", 1)),
            None
        );
    }
}
