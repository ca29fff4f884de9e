//! Pages that blkback maps and unmaps, counted in dom0's kernel: each of them once where grants are
//! persistent, with every request where they are not.

use anyhow::{Context, Result, ensure};

use super::check::{Check, good_result, guest};
use crate::steps::Outcome;

/// Reads of a job, of a page each.
const READS: u64 = 4096;
const IODEPTH: u64 = 8;
/// Most pages that others map or unmap meanwhile: the daemons of console and xenstore those of the
/// guest.
const OTHERS_MAX: u64 = 4;
/// Marks before the guest is made, and while it holds its disk behind its job.
const MARKS: [&str; 2] = ["grants before", "grants after"];

pub(super) fn checks() -> Vec<Check> {
    ["persistent", "persistent-copy", "per-request"].map(counted).into()
}

/// A guest whose pages are counted until its job has ended, before its disk is closed.
fn counted(mode: &'static str) -> Check {
    let name = format!("maps-{mode}");
    let extra = format!(
        "hold --name=job --filename=/dev/xvda --rw=randread --bs=4k --iodepth={IODEPTH} \
         --size=16m --grants={mode}"
    );
    let [before, after] = MARKS;
    let command = format!(
        "files=\ngrants_count && grants_mark '{before}' && guest_create {name} && \
         guest_until 'ringmark-result-end*' 60 && statistics rd_req && grants_mark '{after}'\n\
         xl shutdown {name}\nguest_end 60\ngrants_end"
    );
    Check::new(format!("maps and unmaps, {mode}"), 150, command)
        .with(guest(&name, &[0], 'r', &extra))
        .judged(format!("{mode}: pages that blkback maps and unmaps"), move |outcome| {
            judge(outcome, &name, mode)
        })
}

fn judge(outcome: &Outcome, name: &str, mode: &str) -> Result<String> {
    let result = good_result(outcome, name)?;
    let job = result.job("job")?;
    let [maps_before, unmaps_before] = numbers(outcome, MARKS[0])?;
    // The backend's count is read before the two others and after them.
    let [served, maps, unmaps, served_after] = numbers(outcome, MARKS[1])?;
    let reads = job["read"]["total_ios"].as_u64().context("the job tells no reads")?;
    let served = [served, served_after];
    ensure!([reads; 2] == served && reads == READS, "{reads} reads, {served:?} by blkback's count");
    let more = |after: u64, before| after.checked_sub(before).context("a count went back");
    let counted = [more(maps, maps_before)?, more(unmaps, unmaps_before)?];
    let expected = if mode == "per-request" { [READS; 2] } else { [IODEPTH, 0] };
    for (what, (counted, least)) in ["maps", "unmaps"].iter().zip(counted.into_iter().zip(expected))
    {
        let right = (least..=least + OTHERS_MAX).contains(&counted);
        ensure!(right, "{counted} {what}, not {least}, with up to {OTHERS_MAX} of others");
    }
    let [maps, unmaps] = counted;
    let extra = &job["ringmark"];
    let (sends, sleeps) = (&extra["notifications"], &extra["sleeps"]);
    Ok(format!(
        "{maps} maps and {unmaps} unmaps for {READS} reads, {IODEPTH} in flight; the guest sent \
         {sends} events and slept {sleeps} times"
    ))
}

/// Returns the numbers behind a mark and its uptime.
pub(super) fn numbers<const N: usize>(outcome: &Outcome, mark: &str) -> Result<[u64; N]> {
    let mut lines = outcome.lines.iter();
    let rest = lines.find_map(|line| line.strip_prefix(mark));
    let words = rest.with_context(|| format!("no mark {mark:?}"))?.split_whitespace().skip(1);
    let numbers: Result<Vec<u64>, _> = words.map(str::parse).collect();
    let numbers = numbers.ok().and_then(|numbers| numbers.try_into().ok());
    numbers.with_context(|| format!("there are not {N} numbers behind {mark:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::framed;

    /// Returns the verdict on a job with these numbers behind the second mark.
    fn judged(mode: &str, after: &str) -> Result<String> {
        let read = format!(r#"{{"total_ios": {READS}}}"#);
        let job = format!(r#"{{"jobname": "job", "error": 0, "read": {read}, "ringmark": {{}}}}"#);
        let mut lines = vec!["[xl 1.0] create a".to_owned(), "grants before 1.0 7 5".to_owned()];
        lines.extend(framed("a", &format!(r#"{{"ringmark": {{"ok": true}}, "jobs": [{job}]}}"#)));
        lines.push(format!("grants after 3.0 {after}"));
        lines.push("[xl 4.0] Domain 1 has shut down, reason code 0 0x0".to_owned());
        judge(&Outcome::printed(lines), "a", mode)
    }

    #[test]
    fn each_mode_has_its_numbers() {
        for (mode, after, right) in [
            ("persistent", "4096 15 5 4096", true),
            ("persistent", "4096 19 9 4096", true),
            ("persistent", "4096 14 5 4096", false),
            ("persistent", "4096 20 5 4096", false),
            ("persistent", "4096 15 10 4096", false),
            ("persistent", "4096 15 4 4096", false),
            ("persistent", "4095 15 5 4095", false),
            ("persistent", "15 5", false),
            ("persistent-copy", "4096 15 5 4096", true),
            ("per-request", "4096 4103 4101 4096", true),
            ("per-request", "4096 4103 4100 4096", false),
            ("per-request", "4096 15 5 4096", false),
        ] {
            let found = judged(mode, after);
            assert_eq!(found.is_ok(), right, "{mode}, {after}: {found:?}");
        }
    }
}
