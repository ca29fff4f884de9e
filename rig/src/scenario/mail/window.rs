//! The time that is measured: between two marks that a step sets while all are at work
//! (`mark` in `dom0/lib.sh`).

use anyhow::{Context, Result, ensure};

use crate::counts::Counts;

/// Marks of the two ends of a window, and of the time when all jobs are done; behind them dom0's
/// uptime, and what the backend has counted so far for each disk.
pub(super) const MARKS: [&str; 3] = ["window begins", "window ends", "jobs are done"];

/// Returns shell commands that let jobs get going for `before_s` seconds, and measure the next
/// `runtime_s`.
pub(super) fn commands(before_s: u32, runtime_s: u32) -> String {
    let [begins, ends, _] = MARKS;
    format!("nap {before_s}\nmark '{begins}'\nnap {runtime_s}\nmark '{ends}'")
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

/// The time that is measured.
#[derive(Debug, Default)]
pub(super) struct Window {
    edges: [Option<Edge>; MARKS.len()],
}

impl Window {
    /// Takes note of a line of a step, with the instructions so far if it is a mark.
    pub(super) fn see(&mut self, line: &str, instructions: impl FnOnce() -> Option<Counts>) {
        let found = self.edges.iter_mut().zip(MARKS).find_map(|(edge, mark)| {
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

    /// Returns what the backend has counted in it, for each disk.
    ///
    /// # Errors
    /// When that is nothing for one of them.
    pub(super) fn moved(&self) -> Result<Vec<u64>> {
        let (begin, end) = self.edges()?;
        ensure!(begin.counted.len() == end.counted.len(), "a disk went in the window");
        let pairs = begin.counted.iter().zip(&end.counted);
        let moved: Vec<u64> = pairs.map(|(begin, end)| end.saturating_sub(*begin)).collect();
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
    fn a_disk_that_does_nothing_or_goes_is_no_figure() {
        for end in ["12.50 8 7", "12.50 8", "12.50 8 x", ""] {
            let mut window = Window::default();
            window.see("window begins 10.50 4 7", || None);
            window.see(&format!("window ends {end}"), || None);
            assert!(window.moved().is_err(), "{end}");
        }
    }
}
