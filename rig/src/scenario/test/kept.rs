//! Pages that blkback keeps mapped: the guest's count against blkback's own, and what is mapped for
//! each request because they are not, against the guest's warning.

use anyhow::{Context, Result, ensure};
use results::Report;

use super::check::{Check, good_result, guest, value};
use super::grants::numbers;
use crate::blkback::PARAMETERS;
use crate::guest::ConsoleLine;
use crate::steps::Outcome;

/// Pages that blkback keeps for a queue by default.
const USUAL: u32 = 1056;
/// Pages of the large job: 64 requests of 32 pages, and one each for their segments.
const LARGE: u64 = 64 * 33;

/// Most pages that others map meanwhile, and I/Os before the jobs.
const OTHERS_MAX: u64 = 64;
/// Least maps for each large read that the limit brings about: half of its pages are not kept.
const MAPS_MIN: u64 = 8;
/// Marks before the guest is made and when it is gone.
const MARKS: [&str; 2] = ["mapped before", "mapped after"];

pub(super) fn checks() -> Vec<Check> {
    vec![kept(USUAL), kept(8192)]
}

/// A job that uses more pages than blkback keeps at a limit of [`USUAL`], and beside it a small one
/// that outlasts it, in which blkback makes the room that it has been lacking: then what it keeps
/// stays as it is until the disk is closed, when it tells.
fn kept(limit: u32) -> Check {
    let name = format!("kept-{limit}");
    let extra = "--filename=/dev/xvda --rw=randread --time_based --name=large --bs=128k \
                 --iodepth=64 --runtime=2 --name=small --bs=4k --iodepth=1 --runtime=5 \
                 --name=anew --stonewall --grants=per-request --bs=4k --iodepth=4 --runtime=1";
    let [before, after] = MARKS;
    let command = format!(
        "echo {limit} >{PARAMETERS}/max_persistent_grants\necho 1 >{PARAMETERS}/log_stats\n\
         files=\ngrants_count && grants_mark '{before}'\ndmesg -c >/tmp/before\n\
         guest {name} 90\ngrants_mark '{after}'\ngrants_end\n\
         echo pg=$(dmesg | sed -n 's/.* pg: *\\([0-9]*\\)\\/.*/\\1/p')\n\
         echo 0 >{PARAMETERS}/log_stats\necho {USUAL} >{PARAMETERS}/max_persistent_grants"
    );
    Check::new(format!("pages that blkback keeps, max_persistent_grants={limit}"), 150, command)
        .with(guest(&name, &[0], 'w', extra))
        .judged(format!("(X1) pages that are kept of {limit} at most"), move |outcome| {
            judge(outcome, &name, limit.into())
        })
}

fn judge(outcome: &Outcome, name: &str, limit: u64) -> Result<String> {
    let result = good_result(outcome, name)?;
    let report: Report = serde_json::from_value(result.json)?;
    let extra = |job: &str| {
        let job = report.jobs.iter().find(|one| one.jobname == job);
        job.and_then(|job| job.ringmark.as_ref()).with_context(|| format!("no job {job:?}"))
    };
    let (large, anew) = (extra("large")?, extra("anew")?);
    let counted = large.backend_pages_kept.zip(large.pages_used);
    let (kept, used) = counted.context("the guest did not count its pages")?;
    // blkback tells when a queue begins, every 10 s, and when it ends; of the last job's queue that
    // is 0.
    let told: Vec<u64> = value(outcome, "pg")?
        .split(' ')
        .map(|number| number.parse().context("blkback's figure is not a number"))
        .collect::<Result<_>>()?;
    let blkback = told.iter().rev().find(|&&pages| pages != 0).context("blkback kept nothing")?;
    ensure!(kept == *blkback, "the guest counts {kept} pages, blkback {blkback} of {told:?}");
    ensure!((LARGE..=LARGE + 33).contains(&used), "{used} pages used, not {LARGE} and a few");
    let all_kept = limit > used;
    ensure!(all_kept == (kept == used), "{kept} of {used} pages are kept");
    ensure!(large.backend_persistent == all_kept, "backend_persistent does not say so");
    ensure!(kept <= limit && kept > limit.min(used) * 9 / 10, "{kept} of {used} pages are kept");

    let reads = |job: &str| {
        let job = report.jobs.iter().find(|one| one.jobname == job);
        job.map_or(0, |job| job.read.total_ios)
    };
    let [[maps_before, _], [maps_after, _]] =
        [numbers(outcome, MARKS[0])?, numbers(outcome, MARKS[1])?];
    let maps = maps_after.saturating_sub(maps_before);
    let once = used + reads("anew") + OTHERS_MAX;
    let expected = if all_kept { used..=once } else { MAPS_MIN * reads("large")..=u64::MAX };
    ensure!(expected.contains(&maps), "blkback maps {maps} pages, not {expected:?}");

    let lines = ConsoleLine::of(outcome, name);
    let says = |text: &str| lines.iter().any(|line| line.text.contains(text));
    ensure!(
        says("grants persistent (backend offers to keep pages mapped)"),
        "the backend's offer is not reported"
    );
    let warning = "of which Linux's backend keeps 1056 mapped by default";
    ensure!(says(warning), "no warning before the job");
    let mark = format!("* large persistent: the backend keeps {kept} of {used} pages mapped");
    ensure!(says(&mark) != all_kept, "the table is marked wrongly");
    let anew_line = lines.iter().find(|line| line.text.contains("grants per-request"));
    let quiet = anew_line.is_some_and(|line| line.text.ends_with("grants per-request"));
    ensure!(quiet && anew.pages_used.is_none(), "a job with per-request grants reports pages kept");
    Ok(format!(
        "{kept} of {used}, as blkback counts; {maps} maps for {} large reads and {} of the others",
        reads("large"),
        reads("small") + reads("anew")
    ))
}
