//! Counts at both ends of a guest's job.

use crate::counts::Counts;
use crate::scenario::side::Side;

/// The two ends of a job's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edge {
    /// First I/O, or what a Linux guest says before fio begins.
    Begin,
    /// Result.
    End,
}

impl Edge {
    /// Returns what a line of a side's guest tells of its job's time.
    pub(super) fn of(side: Side, line: &str) -> Option<Self> {
        let [begin, end] = side.edges().map(|edge| line.starts_with(edge));
        if begin { Some(Self::Begin) } else { end.then_some(Self::End) }
    }
}

/// The counts at both ends of a job's time.
#[derive(Default)]
pub(super) struct Window {
    begin: Option<Counts>,
    end: Option<Counts>,
}

impl Window {
    /// Takes note of the counts at an edge, unless it was met before.
    pub(super) fn meet(&mut self, edge: Edge, counts: Counts) {
        let place = match edge {
            Edge::Begin => &mut self.begin,
            Edge::End => &mut self.end,
        };
        place.get_or_insert(counts);
    }

    /// Returns what was counted between the edges, if both were met.
    pub(super) fn counts(self) -> Option<Counts> {
        self.begin.zip(self.end).map(|(begin, end)| end - begin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_from_its_first_edges() {
        let edge = |line| Edge::of(Side::Ours, line);
        assert_eq!(edge("ringmark: first I/O completed"), Some(Edge::Begin));
        assert_eq!(edge("ringmark-result-begin 1"), Some(Edge::End));
        assert_eq!(edge("anything else"), None);
        let at = |xen| Counts { xen, ..Counts::default() };
        let mut window = Window::default();
        window.meet(Edge::Begin, at(5));
        window.meet(Edge::Begin, at(7));
        window.meet(Edge::End, at(11));
        assert_eq!(window.counts(), Some(at(6)));
        assert_eq!(Window::default().counts(), None);
    }
}
