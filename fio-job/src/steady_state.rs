//! Rule by which a job ends once its rate is steady (`steadystate=` and its companions).

use crate::error::JobError;
use crate::number::{Decimal, NS_PER_SECOND, Time, parse_bytes};
use crate::value::Value;
use alloc::string::{String, ToString};
use core::fmt;

/// Most samples that a rule of fio's looks at: an hour of seconds.
pub const STEADY_SAMPLES_MAX: u64 = 3_600;

/// Rule by which a job is steady, and so ends before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SteadyState {
    /// The rule by which every result is judged: `auto`, not fio's.
    Auto,
    /// A criterion of fio's.
    Within(Judged),
}

/// Samples that fio judges, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Criterion (`steadystate=`).
    pub criterion: Criterion,
    /// Number of the last samples that are looked at, from 2 to [`STEADY_SAMPLES_MAX`]:
    /// `steadystate_duration=` in units of the interval.
    pub samples: u32,
    /// Time from one sample to the next in nanoseconds, whole seconds
    /// (`steadystate_check_interval=`).
    pub interval_ns: u64,
    /// Time from the start of the measurement to that of the first sample, in nanoseconds
    /// (`steadystate_ramp_time=`).
    pub ramp_ns: u64,
}

/// Criterion of fio's, and the limit below which the job is steady.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Criterion {
    /// Whether it is about bytes per second, not I/Os per second (`bw`, not `iops`).
    pub of_bytes: bool,
    /// Whether it is about the slope of the samples (`_slope`), not the greatest deviation from
    /// their mean.
    pub of_slope: bool,
    /// Limit, more than 0: in per cent of the mean, or in the unit of the samples.
    pub limit: Decimal,
    /// Whether the limit is in per cent.
    pub in_percent: bool,
}

impl Default for Criterion {
    /// Returns fio's default: `iops_slope:0.01%`.
    fn default() -> Self {
        let limit = Decimal { millionths: Decimal::ONE / 100 };
        Self { of_bytes: false, of_slope: true, limit, in_percent: true }
    }
}

impl Criterion {
    /// Returns the name of the figure, as fio has it.
    pub fn figure(&self) -> &'static str {
        match (self.of_bytes, self.of_slope) {
            (false, false) => "iops",
            (false, true) => "iops_slope",
            (true, false) => "bw",
            (true, true) => "bw_slope",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (figure, limit) = text.split_once(':')?;
        let (of_bytes, of_slope) = match figure {
            "iops" => (false, false),
            "iops_slope" => (false, true),
            "bw" => (true, false),
            "bw_slope" => (true, true),
            _ => return None,
        };
        let percent = limit.strip_suffix('%');
        let limit = match percent {
            None if of_bytes => {
                let bytes = parse_bytes(limit).ok()?;
                Decimal { millionths: bytes.checked_mul(Decimal::ONE)? }
            }
            percent => Decimal::parse(percent.unwrap_or(limit)).ok()?,
        };
        let in_percent = percent.is_some();
        (limit.millionths != 0).then_some(Self { of_bytes, of_slope, limit, in_percent })
    }
}

impl fmt::Display for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = if self.in_percent { "%" } else { "" };
        write!(f, "{}:{}{unit}", self.figure(), self.limit)
    }
}

/// Options that make the rule.
#[derive(Clone, Debug, Default)]
pub(crate) struct SteadyOptions {
    /// Value of `steadystate=`; no criterion is `auto`.
    rule: Option<Option<Criterion>>,
    /// Values of the others, in nanoseconds.
    pub(crate) duration_ns: u64,
    pub(crate) ramp_ns: u64,
    pub(crate) interval_ns: Option<u64>,
}

impl SteadyOptions {
    pub(crate) fn set_rule(&mut self, value: Value<'_>) -> Result<(), JobError> {
        let text = value.text()?;
        self.rule = Some(match text {
            "auto" => None,
            _ => Some(Criterion::parse(text).ok_or_else(|| {
                value.wrong(
                    "use auto, or iops, bw, iops_slope or bw_slope with a limit of more than 0, \
                     for example iops:2%",
                )
            })?),
        });
        Ok(())
    }

    /// Returns whether the rule of every result is to end the job.
    pub(crate) fn is_auto(&self) -> bool {
        self.rule == Some(None)
    }

    /// Returns a way to fix options that conflict, if any do.
    pub(crate) fn conflict(&self) -> Option<&'static str> {
        let interval_ns = self.interval_ns();
        match self.rule {
            Some(None) if self.duration_ns != 0 || self.interval_ns.is_some() => Some(
                "steadystate=auto chooses its own samples; leave steadystate_duration= and \
                 steadystate_check_interval= out",
            ),
            Some(None) if self.ramp_ns != 0 => Some(
                "steadystate=auto leaves out the start by itself; leave steadystate_ramp_time= out, \
                 or use ramp_time=",
            ),
            Some(Some(_)) if self.duration_ns == 0 => Some(
                "steadystate= needs the time that it looks at; add, for example, \
                 steadystate_duration=60",
            ),
            None if self.duration_ns == 0 && (self.ramp_ns != 0 || self.interval_ns.is_some()) => {
                Some("there is no steadystate= to which its other options belong; add it")
            }
            _ if self.duration_ns == 0 => None,
            _ if !self.duration_ns.is_multiple_of(interval_ns) => {
                Some("steadystate_duration= must be a multiple of steadystate_check_interval=")
            }
            _ => match self.duration_ns / interval_ns {
                2..=STEADY_SAMPLES_MAX => None,
                0 | 1 => Some(
                    "steadystate_duration= must hold at least two samples; raise it, or lower \
                     steadystate_check_interval=",
                ),
                _ => Some(
                    "steadystate_duration= may hold at most 3600 samples; raise \
                     steadystate_check_interval=",
                ),
            },
        }
    }

    /// Returns the rule of options without a [conflict](Self::conflict); none is fio's default.
    pub(crate) fn rule(&self) -> Option<SteadyState> {
        if self.rule == Some(None) {
            return Some(SteadyState::Auto);
        }
        let samples = u32::try_from(self.duration_ns / self.interval_ns()).ok();
        samples.filter(|&samples| samples != 0).map(|samples| {
            SteadyState::Within(Judged {
                criterion: self.rule.flatten().unwrap_or_default(),
                samples,
                interval_ns: self.interval_ns(),
                ramp_ns: self.ramp_ns,
            })
        })
    }

    fn interval_ns(&self) -> u64 {
        self.interval_ns.unwrap_or(NS_PER_SECOND)
    }
}

impl SteadyState {
    /// Returns the options that give this rule.
    pub(crate) fn options(&self) -> impl Iterator<Item = (&'static str, String)> {
        let time = |ns| Time { ns }.to_string();
        let others = match self {
            Self::Auto => [const { None }; 3],
            Self::Within(Judged { samples, interval_ns, ramp_ns, .. }) => [
                Some(("steadystate_duration", time(u64::from(*samples) * interval_ns))),
                (*ramp_ns != 0).then(|| ("steadystate_ramp_time", time(*ramp_ns))),
                (*interval_ns != NS_PER_SECOND)
                    .then(|| ("steadystate_check_interval", time(*interval_ns))),
            ],
        };
        let rule = match self {
            Self::Auto => "auto".to_string(),
            Self::Within(judged) => judged.criterion.to_string(),
        };
        [("steadystate", rule)].into_iter().chain(others.into_iter().flatten())
    }
}

impl Value<'_> {
    /// Reads the time from one sample to the next, in nanoseconds: whole seconds.
    pub(crate) fn sample_interval_ns(self) -> Result<u64, JobError> {
        let ns = self.delay_ns(false)?;
        if ns != 0 && ns.is_multiple_of(NS_PER_SECOND) {
            Ok(ns)
        } else {
            Err(self.wrong("not a whole number of seconds; use 1 or more"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;

    fn rule(line: &str) -> Result<Option<SteadyState>, String> {
        let jobs = parse(line).map_err(|error| error.to_string())?;
        Ok(jobs[0].steady_state)
    }

    #[test]
    fn rules_are_fios() {
        let judged = |line: &str| match rule(line) {
            Ok(Some(SteadyState::Within(judged))) => judged,
            other => panic!("{line}: {other:?}"),
        };
        let of = |line: &str| {
            let Criterion { limit, in_percent, .. } = judged(line).criterion;
            (judged(line).criterion.figure(), limit.millionths, in_percent)
        };
        assert_eq!(of("ss=iops:2% ss_dur=3"), ("iops", 2_000_000, true));
        assert_eq!(of("steadystate=iops:0.5 ss_dur=3"), ("iops", 500_000, false));
        assert_eq!(of("ss=bw:1k ss_dur=3"), ("bw", 1_024_000_000, false));
        assert_eq!(of("ss=bw_slope:0.1% ss_dur=3"), ("bw_slope", 100_000, true));
        assert_eq!(of("ss=iops_slope:3 ss_dur=3"), ("iops_slope", 3_000_000, false));
        assert_eq!(of("ss_dur=3"), ("iops_slope", 10_000, true));
        let whole = judged("ss=bw:1k ss_dur=5m ss_ramp=90 ss_interval=30");
        assert_eq!((whole.samples, whole.interval_ns), (10, 30 * NS_PER_SECOND));
        assert_eq!(whole.ramp_ns, 90 * NS_PER_SECOND);
        assert_eq!(rule("ss=auto runtime=90"), Ok(Some(SteadyState::Auto)));
        assert_eq!((rule("bs=4k"), rule("ss_dur=0")), (Ok(None), Ok(None)));
    }

    #[test]
    fn rules_that_say_nothing_are_refused_with_advice() {
        for (line, fix) in [
            ("ss=iops:2%", "steadystate_duration=60"),
            ("ss=auto ss_dur=3", "leave steadystate_duration="),
            ("ss=auto ss_interval=3", "leave steadystate_duration="),
            ("ss=auto ss_ramp=3", "or use ramp_time="),
            ("ss_ramp=3", "no steadystate="),
            ("ss_interval=3", "no steadystate="),
            ("ss_dur=1", "at least two samples"),
            ("ss_dur=2 ss_interval=3", "must be a multiple"),
            ("ss_dur=2500ms", "must be a multiple"),
            ("ss_dur=3601", "at most 3600 samples"),
            ("ss_interval=500ms ss_dur=3", "whole number of seconds"),
        ] {
            let error = rule(line).expect_err(line);
            assert!(error.contains(fix), "{line}: {error}");
        }
        assert!(rule("ss_dur=3600").is_ok() && rule("ss_dur=2").is_ok());
    }

    #[test]
    fn jobs_of_a_group_have_one_rule() {
        let line = "--group_reporting --ss_dur=9 --name=a --ss=iops:1% --name=b --ss=iops:1%";
        assert!(rule(line).is_ok());
        let differs = line.replace("1% --", "2% --");
        assert!(rule(&differs).is_err_and(|error| error.contains("the same steadystate=")));
        assert!(rule(&(differs.clone() + " --stonewall")).is_ok());
        assert!(rule(&differs.replace("--group_reporting", "")).is_ok());
    }

    #[test]
    fn printed_options_give_the_same_rule() {
        for line in [
            "ss=auto",
            "ss=iops:2.5% ss_dur=3",
            "ss=bw:5000 ss_dur=10m ss_ramp=1500ms ss_interval=2",
        ] {
            let rule = rule(line).expect(line).expect(line);
            let again: String =
                rule.options().map(|(name, v)| name.to_string() + "=" + &v + " ").collect();
            assert_eq!(parse(&again).map(|jobs| jobs[0].steady_state), Ok(Some(rule)), "{again}");
        }
    }
}
