//! Times in which guests measured, on the one clock that all guests of a host share.

use results::JobReport;

/// A time, in nanoseconds of Xen's system time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its begin.
    pub begin_ns: u64,
    /// Its end.
    pub end_ns: u64,
}

/// Relation of the times of several guests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Overlap {
    /// Time in which all measured, if there is any.
    pub common: Option<Window>,
    /// Share of it in the time from the first begin to the last end, in per cent, as far as that is
    /// sure.
    pub percent: f64,
    /// Time from the first begin to the last.
    pub start_spread_ns: u64,
}

impl Window {
    /// Returns when a job was measured, if it says so and can be right.
    pub fn of(job: &JobReport) -> Option<Self> {
        let extra = job.ringmark.as_ref()?;
        let window = Self { begin_ns: extra.begin_ns?, end_ns: extra.end_ns? };
        (window.begin_ns < window.end_ns).then_some(window)
    }

    /// Returns its length in nanoseconds.
    pub fn ns(self) -> u64 {
        self.end_ns.saturating_sub(self.begin_ns)
    }

    /// Returns the time that is in both, if there is any.
    pub fn common(self, other: Self) -> Option<Self> {
        let begin_ns = self.begin_ns.max(other.begin_ns);
        let end_ns = self.end_ns.min(other.end_ns);
        (begin_ns < end_ns).then_some(Self { begin_ns, end_ns })
    }

    /// Returns the time from the first begin to the last end.
    fn span(self, other: Self) -> Self {
        Self { begin_ns: self.begin_ns.min(other.begin_ns), end_ns: self.end_ns.max(other.end_ns) }
    }
}

impl Overlap {
    /// Returns how these times lie to each other; `None` if there are none. Two of them may be
    /// `unsure_ns` further apart than they seem.
    pub fn of(windows: &[Window], unsure_ns: u64) -> Option<Self> {
        let (first, others) = windows.split_first()?;
        let common = others.iter().try_fold(*first, |all, one| all.common(*one));
        let common = common.filter(|all| all.ns() > unsure_ns);
        let span = others.iter().fold(*first, |all, one| all.span(*one));
        let last_begin = windows.iter().map(|window| window.begin_ns).max()?;
        Some(Self {
            common,
            percent: common
                .map_or(0.0, |all| (all.ns() - unsure_ns) as f64 / span.ns().max(1) as f64 * 100.0),
            start_spread_ns: last_begin.saturating_sub(span.begin_ns),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window((begin_ns, end_ns): (u64, u64)) -> Window {
        Window { begin_ns, end_ns }
    }

    #[test]
    fn what_all_measured_together_is_found() {
        for (windows, common, percent, start_spread_ns) in [
            (&[(10, 20)][..], Some((10, 20)), 100.0, 0),
            (&[(10, 20), (10, 20)], Some((10, 20)), 100.0, 0),
            (&[(12, 20), (10, 18)], Some((12, 18)), 60.0, 2),
            (&[(10, 20), (12, 14), (11, 30)], Some((12, 14)), 10.0, 2),
            (&[(10, 20), (20, 30)], None, 0.0, 10),
            (&[(10, 12), (14, 16), (10, 20)], None, 0.0, 4),
            (&[(0, u64::MAX), (1, 2)], Some((1, 2)), 100.0 / u64::MAX as f64, 1),
        ] {
            let windows: Vec<Window> = windows.iter().copied().map(window).collect();
            let common = common.map(window);
            let expected = Overlap { common, percent, start_spread_ns };
            assert_eq!(Overlap::of(&windows, 0), Some(expected));
        }
        assert_eq!(Overlap::of(&[], 0), None);
    }

    #[test]
    fn what_is_not_sure_is_not_common() {
        let windows = [(10, 20), (10, 20)].map(window);
        let found = [0, 1, 9, 10, u64::MAX].map(|unsure_ns| {
            let overlap = Overlap::of(&windows, unsure_ns).unwrap();
            (overlap.percent, overlap.common.is_some())
        });
        let expected = [(100.0, true), (90.0, true), (10.0, true), (0.0, false), (0.0, false)];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_time_that_cannot_be_is_none() {
        let of = |begin_ns, end_ns| {
            let extra = results::Extra { begin_ns, end_ns, ..results::Extra::default() };
            Window::of(&JobReport { ringmark: Some(extra), ..JobReport::default() })
        };
        assert_eq!(of(Some(1), Some(2)), Some(window((1, 2))));
        for (begin, end) in
            [(None, Some(2)), (Some(1), None), (Some(2), Some(2)), (Some(3), Some(2))]
        {
            assert_eq!(of(begin, end), None);
        }
        assert_eq!(Window::of(&JobReport::default()), None);
    }
}
