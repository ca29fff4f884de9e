//! Flags: reasons to doubt a job's figures, each with its size, to read before these are trusted or
//! compared.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use fio_job::number::NS_PER_SECOND;
use serde::Serialize;
use statistics::noise::{Modes, Outliers, Series};

use crate::arrivals::Totals;
use crate::over_time::OverTime;
use crate::steadiness::Steadiness;

/// Share of stolen time above which a job is flagged, in per cent.
pub const STOLEN_PERCENT_MAX: f64 = 1.0;

/// CPU time that other guests may take, in per cent of the time of one CPU: about what some idle
/// ones do.
pub const OTHERS_PERCENT_MAX: f64 = 5.0;

/// Share of the IOPS within the job's time by which those of its whole runtime may differ, in per
/// cent.
const DRAIN_PERCENT_MAX: f64 = 1.0;

/// Share of the arrivals above which a backlog is flagged, in per cent, and the least that is: less
/// may wait for a moment.
const BACKLOG_PERCENT_MAX: f64 = 1.0;
const BACKLOG_MIN: u64 = 4;

/// Share of the latency from due times above which the guest's own lateness is flagged, in per
/// cent.
const LATE_PERCENT_MAX: f64 = 10.0;

/// Fewest windows of a run that are searched for modes and outliers: 2 s of 100 ms.
const WINDOWS_MIN: usize = 20;

/// Reason to doubt figures, with its size.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "flag", rename_all = "snake_case")]
pub enum Flag {
    /// The backend maps pages for each request that could have stayed mapped.
    PagesNotKept {
        /// Pages that it keeps mapped.
        kept: u64,
        /// Pages that the I/Os used.
        used: u64,
    },
    /// The vCPU wanted to run and did not, for more than [`STOLEN_PERCENT_MAX`].
    StolenTime {
        /// Share of the measured time, in per cent.
        percent: f64,
        /// Same time in nanoseconds.
        ns: u64,
    },
    /// The job waited for I/Os in flight when its time was over, which changes its IOPS by more
    /// than 1 %.
    Drain {
        /// IOPS of the whole runtime.
        iops: f64,
        /// IOPS within its time.
        iops_in_window: f64,
    },
    /// I/Os that the rate made due were never put, more than 1 %, and 4 at least.
    Backlog {
        /// Number of I/Os that were due.
        due: u64,
        /// Number of those that were never put.
        backlog: u64,
    },
    /// The guest itself put I/Os late that were due, and had room.
    LateGuest {
        /// Mean time by which it was late, in nanoseconds.
        ns: f64,
        /// Share of the latency from due times, in per cent.
        percent: f64,
    },
    /// Guests besides this one and dom0 took more than [`OTHERS_PERCENT_MAX`] meanwhile.
    OtherGuests {
        /// Number of guests that took CPU time.
        guests: u64,
        /// CPU time of all of them, in per cent of the time of one CPU.
        cpu_percent: f64,
    },
    /// The Xen is QEMU's own, under KVM (`ringmark run --kvm`).
    QemuXen,
    /// The rate has two modes.
    TwoModes {
        /// Kind of rates.
        of: Rates,
        /// Mean of the lower mode, in I/Os per second.
        low: f64,
        /// Mean of the upper mode, in I/Os per second.
        high: f64,
        /// Share of the rates in the lower mode, in per cent.
        percent_low: f64,
    },
    /// Some rates are far from the others.
    Outliers {
        /// Kind of rates.
        of: Rates,
        /// Number of outliers.
        outliers: u64,
        /// Number of all rates.
        count: u64,
        /// Rate that is farthest from the median, in I/Os per second.
        worst: f64,
        /// Median of all, in I/Os per second.
        median: f64,
    },
}

/// Kind of rates in which noise was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rates {
    /// Rates in the windows of one run.
    Windows,
    /// Rates of several runs.
    Runs,
}

/// Figures from which flags follow.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Facts {
    /// Pages that the backends keep mapped, and pages that the I/Os used.
    pub(crate) pages: Option<(u64, u64)>,
    /// Stolen time, in nanoseconds and in per cent.
    pub(crate) stolen: Option<(u64, f64)>,
    /// I/Os per second of each direction, in the whole runtime and within the job's time.
    pub(crate) iops: [(f64, f64); 3],
    /// I/Os by the times at which they were due.
    pub(crate) arrivals: Totals,
}

impl Facts {
    /// Returns the flags that follow.
    pub(crate) fn flags(self) -> Vec<Flag> {
        let stolen = self.stolen.and_then(Flag::of_stolen);
        let [backlog, late] = Flag::of_arrivals(self.arrivals);
        // A vCPU that was kept from running is late, too, and the reason is told.
        let late = late.filter(|_| stolen.is_none());
        let [pages, drain] = [self.pages.and_then(Flag::of_pages), Flag::of_drain(self.iops)];
        [pages, stolen, drain, backlog, late].into_iter().flatten().collect()
    }
}

impl Flag {
    /// Most flags of a job.
    pub(crate) const MOST: usize = 16;

    /// Returns the flag of these pages, if not all were kept.
    fn of_pages((kept, used): (u64, u64)) -> Option<Self> {
        (kept < used).then_some(Self::PagesNotKept { kept, used })
    }

    /// Returns the flag of stolen time, in nanoseconds and in per cent.
    fn of_stolen((ns, percent): (u64, f64)) -> Option<Self> {
        (percent > STOLEN_PERCENT_MAX).then_some(Self::StolenTime { percent, ns })
    }

    /// Returns the flag of the first direction whose IOPS in the whole runtime and within the job's
    /// time differ.
    fn of_drain(all: [(f64, f64); 3]) -> Option<Self> {
        let differ = |&(whole, within): &(f64, f64)| {
            (whole - within).abs() * 100.0 > within * DRAIN_PERCENT_MAX
        };
        let (iops, iops_in_window) = all.into_iter().find(differ)?;
        Some(Self::Drain { iops, iops_in_window })
    }

    /// Returns the flags of I/Os by the times at which they were due.
    fn of_arrivals(of: Totals) -> [Option<Self>; 2] {
        let Totals { due, backlog, late_ns, timed, latency_ns } = of;
        let is_behind = backlog as f64 * 100.0 > due as f64 * BACKLOG_PERCENT_MAX;
        let put = due.saturating_sub(backlog) as f64;
        let ns = late_ns / put.max(1.0);
        let percent = 100.0 * ns * timed / latency_ns.max(1.0);
        let is_late = timed > 0.0 && put > 0.0 && percent > LATE_PERCENT_MAX;
        [
            (backlog >= BACKLOG_MIN && is_behind).then_some(Self::Backlog { due, backlog }),
            is_late.then_some(Self::LateGuest { ns, percent }),
        ]
    }

    /// Returns the flag of other guests that took this CPU time in a time, both in seconds.
    pub fn of_others(guests: u64, cpu_seconds: f64, seconds: f64) -> Option<Self> {
        let cpu_percent = 100.0 * cpu_seconds / seconds;
        let is_much = cpu_percent.is_finite() && cpu_percent > OTHERS_PERCENT_MAX;
        is_much.then_some(Self::OtherGuests { guests, cpu_percent })
    }

    /// Returns the flags of the rates of several runs, in I/Os per second.
    pub fn of_runs(iops: &[f64]) -> Vec<Self> {
        Series::of_runs(iops).map_or(Vec::new(), |series| Self::of_series(Rates::Runs, &series))
    }

    /// Returns the flags of a run, without the windows in which its rate settles.
    pub(crate) fn of_windows(over_time: &OverTime) -> Vec<Self> {
        let steadiness = Steadiness::of(over_time);
        let start = usize::try_from(steadiness.windows_left_out).unwrap_or(usize::MAX);
        let iops = over_time.iops();
        let rest = iops.get(start..).unwrap_or_default();
        let step = NS_PER_SECOND as f64 / over_time.window_ns.max(1) as f64;
        let series = Series::of_windows(rest, steadiness.effective_samples, step);
        let series = series.filter(|_| rest.len() >= WINDOWS_MIN);
        series.map_or(Vec::new(), |series| Self::of_series(Rates::Windows, &series))
    }

    fn of_series(of: Rates, series: &Series<'_>) -> Vec<Self> {
        let modes = series.modes().map(|Modes { low, high, share_low }| Self::TwoModes {
            of,
            low,
            high,
            percent_low: 100.0 * share_low,
        });
        let outliers = series.outliers().map(|found: Outliers| Self::Outliers {
            of,
            outliers: found.count as u64,
            count: found.of as u64,
            worst: found.worst,
            median: found.median,
        });
        modes.into_iter().chain(outliers).collect()
    }

    /// Returns how much there is to doubt, to compare flags of one kind.
    pub fn size(&self) -> f64 {
        match *self {
            Self::PagesNotKept { kept, used } => 1.0 - kept as f64 / used.max(1) as f64,
            Self::StolenTime { percent, .. } => percent,
            Self::Drain { iops, iops_in_window } => (iops / iops_in_window - 1.0).abs(),
            Self::Backlog { due, backlog } => backlog as f64 / due.max(1) as f64,
            Self::LateGuest { percent, .. } => percent,
            Self::OtherGuests { cpu_percent, .. } => cpu_percent,
            Self::QemuXen => 0.0,
            Self::TwoModes { low, high, .. } => high - low,
            Self::Outliers { worst, median, .. } => (worst - median).abs(),
        }
    }

    /// Returns whether both are of one kind.
    pub fn is_like(&self, other: &Self) -> bool {
        let of = |flag: &Self| match flag {
            Self::TwoModes { of, .. } | Self::Outliers { of, .. } => Some(*of),
            _ => None,
        };
        core::mem::discriminant(self) == core::mem::discriminant(other) && of(self) == of(other)
    }

    /// Returns its numbers, which may be anything if they were read.
    pub fn numbers(&self) -> [f64; 3] {
        match *self {
            Self::PagesNotKept { .. } | Self::Backlog { .. } | Self::QemuXen => [0.0; 3],
            Self::LateGuest { ns, percent } => [ns, percent, 0.0],
            Self::StolenTime { percent, .. } => [percent, 0.0, 0.0],
            Self::Drain { iops, iops_in_window } => [iops, iops_in_window, 0.0],
            Self::OtherGuests { cpu_percent, .. } => [cpu_percent, 0.0, 0.0],
            Self::TwoModes { low, high, percent_low, .. } => [low, high, percent_low],
            Self::Outliers { worst, median, .. } => [worst, median, 0.0],
        }
    }

    /// Returns what it means, and what to do, in one line.
    pub fn text(&self) -> String {
        match *self {
            Self::PagesNotKept { kept: 0, .. } => {
                "the backend keeps nothing mapped between requests; xen-blkback does if its \
                 feature_persistent and max_persistent_grants allow it"
                    .into()
            }
            Self::PagesNotKept { kept, used } => format!(
                "the backend keeps {kept} of {used} pages mapped and maps the others for each \
                 request; lower iodepth or bs, take more ringmark_queues, or raise \
                 max_persistent_grants of xen-blkback"
            ),
            Self::StolenTime { percent, ns } => format!(
                "{percent:.1} % of its time ({:.2} s) was stolen from the vCPU; give the guest a \
                 processor of its own (cpus=) and do not pause it",
                ns as f64 / NS_PER_SECOND as f64
            ),
            Self::Drain { iops, iops_in_window } => format!(
                "when its time was over it waited for I/Os in flight, as fio does: {iops:.0} IOPS \
                 in all, {iops_in_window:.0} within its time (iops_in_window)"
            ),
            Self::Backlog { due, backlog } => format!(
                "{backlog} of {due} I/Os that were due had not been put at the end: the disk does \
                 not keep up with the rate, and latencies from due times grow with the runtime; \
                 lower the rate, or raise iodepth="
            ),
            Self::LateGuest { ns, percent } => format!(
                "the guest itself was late by {:.1} us on average, {percent:.0} % of the latency \
                 from due times; give it a processor of its own, or ringmark_poll_us=1000000",
                ns / 1e3
            ),
            Self::OtherGuests { guests, cpu_percent } => format!(
                "other guests ({guests}) used {cpu_percent:.1} % of a CPU meanwhile; stop them, or \
                 give this one a processor of its own (cpus=)"
            ),
            Self::QemuXen => "measured under QEMU's own Xen, by KVM, whose disk copies all data \
                 within QEMU: no figure of a Xen host (docs/kvm.md)"
                .into(),
            Self::TwoModes { of, low, high, percent_low } => format!(
                "its rate has two modes: {low:.0} IOPS in {percent_low:.0} % of the {}, {high:.0} \
                 in the others; a mean of both is neither",
                of.name()
            ),
            Self::Outliers { of, outliers, count, worst, median } => format!(
                "{outliers} of {count} {} are far from the others: {worst:.0} IOPS where the \
                 median is {median:.0}",
                of.name()
            ),
        }
    }
}

impl Rates {
    fn name(self) -> &'static str {
        match self {
            Self::Windows => "windows",
            Self::Runs => "runs",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Series of 100 ms with these I/Os in each window, and a result that has it.
    fn flags_of(ios: &[u32]) -> Vec<Flag> {
        Flag::of_windows(&OverTime {
            window_ns: NS_PER_SECOND / 10,
            ios: ios.iter().copied().map(u64::from).collect(),
        })
    }

    #[test]
    fn windows_that_are_far_from_the_others_are_flagged_with_their_size() {
        let with = |worst| {
            let mut ios = [1_000; 40];
            ios[21] = worst;
            flags_of(&ios)
        };
        assert_eq!(with(951), []);
        let found = |worst: u32| {
            let [worst, median] = [f64::from(worst) * 10.0, 10_000.0];
            [Flag::Outliers { of: Rates::Windows, outliers: 1, count: 40, worst, median }]
        };
        assert_eq!(with(949), found(949));
        assert_eq!(with(0), found(0));
        assert_eq!(
            with(0)[0].text(),
            "1 of 40 windows are far from the others: 0 IOPS where the median is 10000"
        );
        let mut few = [1_000; 19];
        few[9] = 0;
        assert_eq!(flags_of(&few), []);
        assert_eq!(flags_of(&[]), []);
    }

    #[test]
    fn two_modes_are_flagged_with_their_size() {
        let turns = |high| [[1_000, high]; 40].concat();
        assert_eq!(flags_of(&turns(1_050)), []);
        let found = flags_of(&turns(1_060));
        let [Flag::TwoModes { of: Rates::Windows, low, high, percent_low }] = found[..] else {
            panic!("{found:?}")
        };
        assert!((low - 10_000.0).abs() < 1e-6 && (high - 10_600.0).abs() < 1e-6, "{found:?}");
        assert_eq!(percent_low, 50.0);
        let runs = [10.0, 15.0, 10.0, 15.0, 10.0, 15.0];
        let found = Flag::of_runs(&runs);
        assert!(found[0].text().starts_with("its rate has two modes: 10 IOPS in 50 % of the runs"));
        assert_eq!(Flag::of_runs(&runs[..5]), []);
        assert_eq!(Flag::of_runs(&[f64::NAN; 8]), []);
    }

    #[test]
    fn more_than_what_idle_guests_take_is_flagged() {
        assert_eq!(Flag::of_others(3, 0.5, 10.0), None);
        let found = Flag::of_others(3, 0.6, 10.0);
        assert_eq!(found, Some(Flag::OtherGuests { guests: 3, cpu_percent: 6.0 }));
        assert!(found.unwrap().text().starts_with("other guests (3) used 6.0 % of a CPU"));
        assert_eq!(Flag::of_others(1, 1.0, 0.0), None);
    }
}
