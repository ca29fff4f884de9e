//! The time that is measured: between two marks that a step sets while all are at work
//! (`mark` in `dom0/lib.sh`).

use anyhow::{Context, Result, ensure};

use crate::counts::Counts;

/// Marks of the two ends of a window, and of the time when all jobs are done; behind them dom0's
/// uptime, and what the backend has counted so far for each disk.
pub(super) const MARKS: [&str; 3] = ["window begins", "window ends", "jobs are done"];

/// Marks of the two ends of the time in which operations on grants are counted; behind each disk's
/// count those of maps and of unmaps, and then each disk's again: it takes a while to read these
/// two.
const GRANT_MARKS: [&str; 2] = ["grants from", "grants to"];
/// Seconds between these. Counting takes instructions, so that it is no part of the window.
const GRANTS_S: f64 = 0.25;

/// Returns shell commands that let jobs get going for `before_s` seconds, and measure the next
/// `runtime_s`.
pub(super) fn commands(before_s: u32, runtime_s: u32) -> String {
    let [begins, ends, _] = MARKS;
    format!("nap {before_s}\nmark '{begins}'\nnap {runtime_s}\nmark '{ends}'")
}

/// Returns shell commands that then count operations on grants for a short time.
pub(super) fn grant_commands() -> String {
    let [from, to] = GRANT_MARKS;
    format!(
        "grants_count && grants_mark '{from}' && nap {GRANTS_S}\ngrants_mark '{to}'\ngrants_end"
    )
}

/// State at a mark.
#[derive(Debug, PartialEq)]
pub(super) struct Edge {
    pub(super) uptime_s: f64,
    /// Counts of the backend so far, for each disk.
    pub(super) counted: Vec<u64>,
    /// Executed instructions, if they are counted.
    pub(super) instructions: Option<Counts>,
}

impl Edge {
    /// Returns what came to the counts until a later mark.
    fn until(&self, later: &Self) -> Result<Vec<u64>> {
        ensure!(self.counted.len() == later.counted.len(), "a disk went in the window");
        let pairs = self.counted.iter().zip(&later.counted);
        let came = pairs.map(|(earlier, later)| {
            later
                .checked_sub(*earlier)
                .with_context(|| format!("a count went back from {earlier} to {later}"))
        });
        came.collect()
    }
}

/// The time that is measured.
#[derive(Debug, Default)]
pub(super) struct Window {
    edges: [Option<Edge>; MARKS.len()],
    grants: [Option<Edge>; GRANT_MARKS.len()],
}

impl Window {
    /// Takes note of a line of a step, with the instructions so far if it is a mark.
    pub(super) fn see(&mut self, line: &str, instructions: impl FnOnce() -> Option<Counts>) {
        let edges = self.edges.iter_mut().zip(MARKS);
        let found =
            edges.chain(self.grants.iter_mut().zip(GRANT_MARKS)).find_map(|(edge, mark)| {
                let rest = line.strip_prefix(mark)?;
                Some((edge, rest.split_whitespace()))
            });
        let Some((edge, mut words)) = found else { return };
        let uptime_s = words.next().and_then(|word| word.parse().ok());
        let counted: Option<Vec<u64>> = words.map(|word| word.parse().ok()).collect();
        *edge = uptime_s.zip(counted).map(|(uptime_s, counted)| Edge {
            uptime_s,
            counted,
            instructions: instructions(),
        });
    }

    /// Returns its two ends.
    ///
    /// # Errors
    /// When one is missing.
    pub(super) fn edges(&self) -> Result<(&Edge, &Edge)> {
        let [begin, end, _] = &self.edges;
        begin.as_ref().zip(end.as_ref()).context("there was no window")
    }

    /// Returns what the backend had counted for each disk when all jobs were done.
    ///
    /// # Errors
    /// When that was not marked.
    pub(super) fn last(&self) -> Result<&[u64]> {
        let edge = self.edges[2].as_ref().context("the jobs' end was not marked")?;
        Ok(&edge.counted)
    }

    /// Returns dom0's maps and unmaps of grants for each unit that the backend has counted, in the
    /// time in which these were counted: units are the mean of those between the looks at the disks
    /// before and behind the look at maps and unmaps.
    ///
    /// # Errors
    /// When there was no such time, or the backend counted nothing in it.
    pub(super) fn grant_ops(&self) -> Result<[f64; 2]> {
        let [from, to] = &self.grants;
        let (from, to) = from.as_ref().zip(to.as_ref()).context("grants were not counted")?;
        let counted = from.until(to)?;
        let disks = counted.len().saturating_sub(2) / 2;
        let (before, rest) = counted.split_at(disks);
        let (&ops, behind) = rest.split_first_chunk::<2>().context("no maps and unmaps")?;
        ensure!(behind.len() == disks, "not each disk was counted before and behind maps");
        let twice: u64 = before.iter().chain(behind).sum();
        ensure!(twice > 0, "the backend counted nothing while grants were counted");
        Ok(ops.map(|count| count as f64 * 2.0 / twice as f64))
    }

    /// Returns what the backend has counted in it, for each disk.
    ///
    /// # Errors
    /// When that is nothing for one of them.
    pub(super) fn moved(&self) -> Result<Vec<u64>> {
        let (begin, end) = self.edges()?;
        let moved = begin.until(end)?;
        let idle = moved.iter().position(|&count| count == 0);
        ensure!(!moved.is_empty(), "the backend had no disk in the window");
        ensure!(idle.is_none(), "the backend counted nothing in the window for disk {idle:?}");
        Ok(moved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_between_its_marks() {
        let mut window = Window::default();
        let at = |dom0| move || Some(Counts { dom0, ..Counts::default() });
        window.see("[xl 1.0] create a", || unreachable!());
        assert!(window.edges().is_err());
        window.see("window begins 10.50 4096 7\r", at(7));
        window.see("window ends 12.50 8192 9", at(9));
        let edge = |uptime_s, counted, dom0| Edge { uptime_s, counted, instructions: at(dom0)() };
        let (begin, end) = window.edges().unwrap();
        assert_eq!(*begin, edge(10.5, vec![4096, 7], 7));
        assert_eq!(*end, edge(12.5, vec![8192, 9], 9));
        assert_eq!(window.moved().unwrap(), [4096, 2]);
        assert!(window.last().is_err());
        window.see("jobs are done 13.50 8193 10", || None);
        assert_eq!(window.last().unwrap(), [8193, 10]);
    }

    #[test]
    fn maps_and_unmaps_are_those_of_each_unit() {
        let ops = |from: &str, to: &str| {
            let mut window = Window::default();
            window.see(&format!("grants from 1.0 {from}"), || None);
            window.see(&format!("grants to 1.5 {to}"), || None);
            window.grant_ops()
        };
        assert_eq!(ops("10 20 5 0 11 21", "12 22 9 2 13 23").unwrap(), [1.0, 0.5]);
        // 4 units from the looks before, 8 from those behind.
        assert_eq!(ops("10 5 0 10", "14 11 3 18").unwrap(), [1.0, 0.5]);
        assert_eq!(ops("10 0 0 10", "20 0 0 20").unwrap(), [0.0, 0.0]);
        for (from, to) in [
            ("10 0 0 10", "10 1 1 10"),
            ("10 0 0 10", "20 0 0"),
            ("10 0 0", "20 0 0"),
            ("10 4 0 10", "20 3 0 20"),
            ("1", "2"),
            ("1 x 0 1", "2 0 0 2"),
        ] {
            assert!(ops(from, to).is_err(), "{from}, {to}");
        }
        assert!(Window::default().grant_ops().is_err());
    }

    #[test]
    fn a_disk_that_does_nothing_goes_or_begins_anew_is_no_figure() {
        for end in ["12.50 8 7", "12.50 8 6", "12.50 8", "12.50 8 gone", ""] {
            let mut window = Window::default();
            window.see("window begins 10.50 4 7", || None);
            window.see(&format!("window ends {end}"), || None);
            assert!(window.moved().is_err(), "{end}");
        }
    }
}
