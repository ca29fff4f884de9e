//! Contents of a job's report: fio's percentiles, groups and logs.

use crate::error::JobError;
use crate::limits::LOG_SAMPLES_MAX;
use crate::value::Value;
use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

/// Default of fio's `percentile_list`.
pub const PERCENTILES: [f64; 17] = [
    1.0, 5.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 95.0, 99.0, 99.5, 99.9, 99.95,
    99.99,
];
/// Window of a log that names none, in milliseconds: that of fio's figures of bandwidth.
const WINDOW_MS: u32 = 500;
/// Most entries of a `percentile_list=` (fio's `FIO_IO_U_LIST_MAX_LEN`).
const PERCENTILES_MAX: usize = 20;

/// Contents of a job's report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reporting {
    /// Whether to add the job to the job before it, if they run together (`group_reporting`).
    pub with_group: bool,
    /// Whether to report percentiles of completion latency (`clat_percentiles=`).
    pub clat_percentiles: bool,
    /// Whether to report percentiles of total latency (`lat_percentiles=`).
    pub lat_percentiles: bool,
    /// Percentiles, ascending (`percentile_list=`).
    pub percentiles: Vec<Percentile>,
    /// Window of a log, in milliseconds (`log_avg_msec=`); 0 if no log is kept.
    pub log_avg_ms: u32,
    /// Prefixes of the log files' names (`write_bw_log=`, `write_iops_log=`, `write_lat_log=`).
    pub logs: [Option<String>; 3],
}

impl Default for Reporting {
    fn default() -> Self {
        let percentiles = PERCENTILES.iter().map(|percent| (percent * 1e6 + 0.5) as u32);
        Self {
            with_group: false,
            clat_percentiles: true,
            lat_percentiles: false,
            percentiles: percentiles.map(|millionths| Percentile { millionths }).collect(),
            log_avg_ms: 0,
            logs: [const { None }; 3],
        }
    }
}

impl Reporting {
    /// Names of fio's options for [`logs`](Self::logs).
    pub const LOGS: [&str; 3] = ["write_bw_log", "write_iops_log", "write_lat_log"];

    /// Returns whether a log is kept.
    pub fn has_log(&self) -> bool {
        self.log_avg_ms > 0 && self.logs.iter().any(Option::is_some)
    }

    /// Returns whether a log is asked for whose window is none, or too short for so long a job.
    pub(crate) fn widens(&self, runtime_ns: Option<u64>) -> bool {
        let wanted = self.logs.iter().any(Option::is_some);
        wanted && self.log_avg_ms < least_window_ms(runtime_ns).max(1)
    }

    /// Makes the window of a log as long as the job needs.
    pub(crate) fn widened(self, runtime_ns: Option<u64>) -> Self {
        let log_avg_ms = match self.log_avg_ms {
            _ if !self.widens(runtime_ns) => self.log_avg_ms,
            0 => least_window_ms(runtime_ns).max(WINDOW_MS),
            _ => least_window_ms(runtime_ns),
        };
        Self { log_avg_ms, ..self }
    }

    /// Gives each log without a prefix the job's name.
    pub(crate) fn named_by(mut self, job: &str) -> Self {
        for prefix in self.logs.iter_mut().flatten().filter(|prefix| prefix.is_empty()) {
            *prefix = job.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
        }
        self
    }

    /// Returns the options that give this, except defaults.
    pub(crate) fn options(&self) -> impl Iterator<Item = (&'static str, String)> {
        let default = Self::default();
        let flags = [
            ("group_reporting", self.with_group, default.with_group),
            ("clat_percentiles", self.clat_percentiles, default.clat_percentiles),
            ("lat_percentiles", self.lat_percentiles, default.lat_percentiles),
        ];
        let flags = flags.into_iter().filter(|(_, on, default)| on != default);
        let flags = flags.map(|(name, on, _)| (name, u8::from(on).to_string()));
        let list = (self.percentiles != default.percentiles).then(|| {
            let list: Vec<String> = self.percentiles.iter().map(Percentile::to_string).collect();
            ("percentile_list", list.join(":"))
        });
        let window = (self.log_avg_ms > 0).then(|| ("log_avg_msec", self.log_avg_ms.to_string()));
        let logs = Self::LOGS.into_iter().zip(&self.logs);
        let logs = logs.filter_map(|(name, prefix)| Some((name, prefix.clone()?)));
        flags.chain(list).chain(window).chain(logs)
    }
}

/// Percentile: more than 0 and at most 100 per cent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percentile {
    millionths: u32,
}

impl Percentile {
    /// Reads `99.99`: at most six decimals.
    fn parse(text: &str) -> Option<Self> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(whole) || !is_number(decimals) || decimals.len() > 6 {
            return None;
        }
        let millionths: u32 = alloc::format!("{whole}{decimals:0<6}").parse().ok()?;
        (1..=100_000_000).contains(&millionths).then_some(Self { millionths })
    }

    /// Returns the nearest float, in per cent, as strtod(3) does.
    pub fn percent(self) -> f64 {
        f64::from(self.millionths) / 1e6
    }
}

impl fmt::Display for Percentile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.percent().fmt(f)
    }
}

/// Returns the shortest window with which a log of so many nanoseconds keeps to
/// [`LOG_SAMPLES_MAX`], in milliseconds.
fn least_window_ms(runtime_ns: Option<u64>) -> u32 {
    let ms = runtime_ns.unwrap_or(0).div_ceil(LOG_SAMPLES_MAX * 1_000_000);
    u32::try_from(ms).unwrap_or(u32::MAX)
}

/// Returns whether a character is allowed in a file's name.
fn is_plain(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.')
}

impl Value<'_> {
    /// Reads a list of percentiles, ascending, and whether there were more than fio looks at.
    pub(crate) fn percentiles(self) -> Result<(Vec<Percentile>, bool), JobError> {
        let text = self.text()?;
        let list = text.split(':').take(PERCENTILES_MAX).map(Percentile::parse);
        let list: Option<Vec<_>> = list.collect();
        let fix = "use up to 20, each more than 0 and up to 100, for example 50:99.9";
        let mut list = list.ok_or_else(|| self.wrong(fix))?;
        list.sort_unstable();
        Ok((list, text.split(':').count() > PERCENTILES_MAX))
    }

    pub(crate) fn log_window_ms(self) -> Result<u32, JobError> {
        u32::try_from(self.count()?).map_err(|_| self.wrong("too long; use, for example, 500"))
    }

    /// Reads the prefix of a log's name; empty for the job's name.
    pub(crate) fn log_prefix(self) -> Result<String, JobError> {
        if self.is_alone() {
            return Ok(String::new());
        }
        let text = self.text()?;
        let is_name = text.chars().all(is_plain) && !text.starts_with('.');
        let fix = "not a plain file name; use letters, digits, - and _";
        is_name.then(|| text.to_owned()).ok_or_else(|| self.wrong(fix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Job;
    use crate::parse::{check_line, parse};
    use alloc::format;

    fn one(line: &str) -> Job {
        parse(line).expect(line).pop().expect("a job")
    }

    #[test]
    fn the_default_list_is_fios() {
        let percents = Reporting::default().percentiles;
        assert!(percents.iter().map(|percentile| percentile.percent()).eq(PERCENTILES));
    }

    #[test]
    fn percentiles_are_sorted_numbers() {
        let list = one("percentile_list=99.999:.5:50:100:1.").reporting.percentiles;
        let percents: Vec<f64> = list.iter().map(|percentile| percentile.percent()).collect();
        assert_eq!(percents, [0.5, 1.0, 50.0, 99.999, 100.0]);
        let many: String = (1..=22).map(|percent| format!(":{percent}")).collect();
        let checked = check_line(&format!("percentile_list={}", &many[1..])).expect("a job");
        assert_eq!(checked.jobs[0].reporting.percentiles.len(), 20);
        assert_eq!(checked.warnings.len(), 1);
        for wrong in ["0", "100.1", "50:", "x", "1e1", "-1", "1.2345678", &"1:".repeat(19)] {
            let error = parse(&format!("percentile_list={wrong}")).expect_err(wrong).to_string();
            assert!(error.starts_with("percentile_list="), "{error}");
        }
    }

    #[test]
    fn a_log_has_a_window_of_which_there_are_not_too_many() {
        for (line, window_ms, warnings) in [
            ("write_iops_log=a", 500, 1),
            ("write_iops_log=a runtime=3600", 500, 1),
            ("write_iops_log=a runtime=8192", 1000, 1),
            ("write_lat_log=a log_avg_msec=1 runtime=8192ms", 1, 0),
            ("write_lat_log=a log_avg_msec=1 runtime=8193ms", 2, 1),
            ("write_bw_log log_avg_msec=100 runtime=30d", 316_407, 1),
            ("log_avg_msec=1 runtime=30d", 1, 0),
            ("runtime=30d", 0, 0),
        ] {
            let checked = check_line(line).expect(line);
            let window = |job: &Job| job.reporting.log_avg_ms;
            assert_eq!(checked.jobs.iter().map(window).collect::<Vec<_>>(), [window_ms], "{line}");
            assert_eq!(checked.warnings.len(), warnings, "{line}");
        }
    }

    #[test]
    fn a_log_has_a_name() {
        let job = one("name=my.job write_bw_log write_lat_log=l-1 log_avg_msec=100 runtime=60");
        let [bw, iops, lat] = &job.reporting.logs;
        assert_eq!((bw.as_deref(), iops, lat.as_deref()), (Some("my.job"), &None, Some("l-1")));
        assert!(job.reporting.has_log());
        for (wrong, part) in [
            ("write_iops_log=../a log_avg_msec=1", "not a plain file name"),
            ("write_iops_log=a/b log_avg_msec=1", "not a plain file name"),
        ] {
            let error = parse(wrong).expect_err(wrong).to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn options_make_the_same_again() {
        let line = "name=a group_reporting clat_percentiles=0 lat_percentiles=1 \
                    percentile_list=12.5:99.99999 log_avg_msec=250 write_iops_log write_lat_log=x";
        let job = one(line);
        let printed: String =
            job.options().iter().map(|(name, value)| format!("--{name}={value} ")).collect();
        assert_eq!(one(&format!("name=a {printed}")), job);
    }
}
