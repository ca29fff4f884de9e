//! Workloads of a comparison.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use anyhow::{Context, Error, Result, ensure};

/// Options of every job, which say what is to be done. Random blocks are drawn without a map of
/// those visited.
const COMMON: &str = "--filename=/dev/xvda --direct=1 --norandommap --time_based";

/// Patterns that it can have, one direction each.
const PATTERNS: [&str; 4] = ["randread", "randwrite", "read", "write"];
/// Largest `bs=`, in KiB, and `iodepth=`.
const BS_KIB_MAX: u32 = 16384;
const IODEPTH_MAX: u32 = 4096;

/// Ways in which a Linux guest is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fio {
    /// I/O by libaio, as in most job files, on a guest that nobody tuned.
    Default,
    /// In settings that take the fewest instructions.
    Tuned,
}

/// A job of fio's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Workload {
    /// `rw=`, one direction only.
    rw: &'static str,
    /// `bs=`, in KiB.
    bs_kib: u32,
    /// `iodepth=`.
    iodepth: u32,
}

const fn job(rw: &'static str, bs_kib: u32, iodepth: u32) -> Workload {
    Workload { rw, bs_kib, iodepth }
}

impl Workload {
    /// The two that tell most: many requests at once, and one at a time.
    pub(crate) const MAIN: [Self; 2] = [job("randread", 4, 32), job("randread", 4, 1)];
    /// Each pattern, both depths, and large blocks.
    pub(crate) const ALL: [Self; 10] = [
        job("randread", 4, 32),
        job("randread", 4, 1),
        job("randwrite", 4, 32),
        job("randwrite", 4, 1),
        job("read", 4, 32),
        job("read", 4, 1),
        job("write", 4, 32),
        job("write", 4, 1),
        job("read", 128, 16),
        job("write", 128, 16),
    ];

    /// The job's name.
    pub(crate) fn name(self) -> String {
        let Self { rw, bs_kib, iodepth } = self;
        format!("{rw}-{bs_kib}k-{iodepth}")
    }

    /// The key of the direction it measures in fio's JSON.
    pub(crate) fn direction(self) -> &'static str {
        if self.rw.ends_with("write") { "write" } else { "read" }
    }

    /// The bytes of an I/O.
    pub(crate) fn block_bytes(self) -> u64 {
        u64::from(self.bs_kib) * 1024
    }

    /// fio's `iodepth=`.
    pub(crate) fn iodepth(self) -> u32 {
        self.iodepth
    }

    /// Returns whether its blocks are neighbours.
    pub(crate) fn is_sequential(self) -> bool {
        !self.rw.starts_with("rand")
    }

    /// fio's command line for some of them, one after the other, `runtime_s` seconds each, with the
    /// options that `how` tells: depth, engine.
    pub(crate) fn options(all: &[Self], runtime_s: u32, how: impl Fn(Self) -> String) -> String {
        let mut text = format!("{COMMON} --runtime={runtime_s}");
        for &workload in all {
            text += &format!(" --name={} --stonewall", workload.name());
            text += &workload.job(&how(workload));
        }
        text
    }

    /// fio's command line for one of them, for `runtime_ms` from when the backend has mapped what
    /// it keeps.
    pub(crate) fn trial(self, runtime_ms: u32, how: &str) -> String {
        let job = self.job(how);
        format!("{COMMON} --ramp_time=50ms --runtime={runtime_ms}ms --name=trial{job}")
    }

    fn job(self, how: &str) -> String {
        let Self { rw, bs_kib, .. } = self;
        format!(" --rw={rw} --bs={bs_kib}k{how}")
    }
}

impl FromStr for Workload {
    type Err = Error;

    /// Reads a workload from its [name](Workload::name).
    fn from_str(text: &str) -> Result<Self> {
        let words = <[&str; 3]>::try_from(text.split('-').collect::<Vec<_>>()).ok();
        let [rw, bs, iodepth] = words.context("not PATTERN-BSk-IODEPTH, as in randread-4k-32")?;
        let number = |digits: &str, max: u32| {
            digits.parse().ok().filter(|number| (1..=max).contains(number))
        };
        let rw = PATTERNS.into_iter().find(|&pattern| pattern == rw);
        let rw = rw.with_context(|| format!("the pattern is none of {}", PATTERNS.join(", ")))?;
        let bs_kib = bs.strip_suffix('k').and_then(|digits| number(digits, BS_KIB_MAX));
        let bs_kib = bs_kib.with_context(|| format!("bs is not 4k to {BS_KIB_MAX}k"))?;
        ensure!(bs_kib % 4 == 0, "bs is not a multiple of 4k");
        let iodepth = number(iodepth, IODEPTH_MAX);
        let iodepth = iodepth.with_context(|| format!("iodepth is not 1 to {IODEPTH_MAX}"))?;
        Ok(Self { rw, bs_kib, iodepth })
    }
}

/// Workloads that somebody asks for, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Workloads(pub(crate) Vec<Workload>);

impl FromStr for Workloads {
    type Err = Error;

    /// Reads [names](Workload::name) between commas.
    fn from_str(text: &str) -> Result<Self> {
        let mut all: Vec<Workload> = Vec::new();
        for name in text.split(',') {
            let workload = name.parse().with_context(|| name.to_owned())?;
            ensure!(!all.contains(&workload), "{name} is there twice");
            all.push(workload);
        }
        Ok(Self(all))
    }
}

impl Display for Workload {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { rw, bs_kib, iodepth } = self;
        f.pad(&format!("{bs_kib}k {rw} iodepth {iodepth}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blkback;
    use crate::setting::Setting;

    #[test]
    fn jobs_run_one_after_the_other() {
        let text = Workload::options(&Workload::ALL, 3, |_| String::new());
        assert_eq!(text.matches("--stonewall").count(), Workload::ALL.len());
        assert!(text.contains("--name=randwrite-4k-1 --stonewall --rw=randwrite --bs=4k"));
        assert_eq!(Workload::ALL[9].direction(), "write");
        assert_eq!(Workload::ALL[0].to_string(), "4k randread iodepth 32");
    }

    #[test]
    fn a_workload_is_read_from_its_name() {
        for workload in Workload::ALL {
            assert_eq!(workload.name().parse::<Workload>().unwrap(), workload);
        }
        for (wrong, why) in [
            ("randread-4k", "not PATTERN"),
            ("randread-4k-32-1", "not PATTERN"),
            ("randrw-4k-32", "pattern"),
            ("read-4-32", "bs"),
            ("read-6k-32", "multiple"),
            ("read-32768k-32", "bs"),
            ("read-4k-0", "iodepth"),
        ] {
            let error = wrong.parse::<Workload>().unwrap_err().to_string();
            assert!(error.contains(why), "{wrong}: {error}");
        }
    }

    #[test]
    fn each_workload_of_a_list_is_there_once() {
        let list = "randread-4k-1,write-128k-16".parse::<Workloads>().unwrap();
        assert_eq!(list, Workloads(vec![Workload::ALL[1], Workload::ALL[9]]));
        for (wrong, why) in [
            ("", "not PATTERN"),
            ("read-4k-1,", "not PATTERN"),
            ("read-4k-1,read-4k-32,read-4k-01", "read-4k-01 is there twice"),
        ] {
            let error = format!("{:#}", wrong.parse::<Workloads>().unwrap_err());
            assert!(error.contains(why), "{wrong}: {error}");
        }
    }

    #[test]
    fn the_main_ones_are_among_all() {
        assert!(Workload::MAIN.iter().all(|main| Workload::ALL.contains(main)));
    }

    #[test]
    fn the_backend_can_keep_all_pages_mapped() {
        for workload in Workload::ALL {
            let pages = Setting::plain(workload).pages(workload);
            assert!(pages <= blkback::KEEPS_MAX, "{workload}: {pages}");
        }
    }
}
