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

/// fio's settings for a workload, apart from the I/O that it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fio {
    /// I/O by libaio, as in most job files.
    Default,
    /// I/O by what takes the fewest instructions.
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

    /// fio's `ioengine=`.
    pub(crate) fn engine(self, fio: Fio) -> &'static str {
        match fio {
            Fio::Default => "libaio",
            Fio::Tuned if self.iodepth == 1 => "pvsync2",
            Fio::Tuned => "io_uring",
        }
    }

    /// fio's command line for some of them, one after the other, `runtime_s` seconds each.
    pub(crate) fn options(all: &[Self], runtime_s: u32, fio: Fio) -> String {
        let mut text = format!("{COMMON} --runtime={runtime_s}");
        if fio == Fio::Tuned {
            // It leaves out latencies, not I/Os.
            text += " --gtod_reduce=1";
        }
        for &workload in all {
            let Self { rw, bs_kib, iodepth } = workload;
            let (name, engine) = (workload.name(), workload.engine(fio));
            text += &format!(" --name={name} --stonewall --rw={rw} --bs={bs_kib}k");
            text += &format!(" --iodepth={iodepth} --ioengine={engine}");
            if fio == Fio::Tuned {
                text += &workload.tuning();
            }
        }
        text
    }

    /// Returns options that make fio's engine fast, few: all jobs must fit a kernel's command line.
    fn tuning(self) -> String {
        let depth = self.iodepth;
        if depth == 1 {
            return String::new();
        }
        format!(
            " --fixedbufs --registerfiles --nonvectored=1 --iodepth_batch={depth} \
             --iodepth_batch_complete_min={} --iodepth_batch_complete_max={depth}",
            depth / 2
        )
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

impl Display for Workload {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { rw, bs_kib, iodepth } = self;
        f.pad(&format!("{bs_kib}k {rw} iodepth {iodepth}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Most pages that Linux's blkback keeps mapped for a ring (`max_persistent_grants`).
    const BACKEND_KEEPS: u32 = 1056;

    #[test]
    fn jobs_run_one_after_the_other() {
        let text = Workload::options(&Workload::ALL, 3, Fio::Default);
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
    fn the_main_ones_are_among_all() {
        assert!(Workload::MAIN.iter().all(|main| Workload::ALL.contains(main)));
    }

    #[test]
    fn tuning_changes_how_and_not_what() {
        const HOW: [&str; 8] = [
            "--ioengine=",
            "--gtod_reduce=",
            "--fixedbufs",
            "--registerfiles",
            "--nonvectored",
            "--iodepth_batch=",
            "--iodepth_batch_complete_min=",
            "--iodepth_batch_complete_max=",
        ];
        for workload in Workload::ALL {
            let what = |fio| -> Vec<String> {
                let text = Workload::options(&[workload], 3, fio);
                let words = text.split(' ').map(str::to_owned);
                words.filter(|word| !HOW.iter().any(|how| word.starts_with(how))).collect()
            };
            assert_eq!(what(Fio::Default), what(Fio::Tuned));
            let tuned = Workload::options(&[workload], 3, Fio::Tuned) + " ";
            let engine = if workload.iodepth == 1 { "pvsync2" } else { "io_uring" };
            assert!(tuned.contains(&format!("--ioengine={engine} ")), "{tuned}");
        }
    }

    #[test]
    fn the_backend_can_keep_all_pages_mapped() {
        for workload in Workload::ALL {
            // One more for the segments that do not fit into the request itself.
            let pages = workload.bs_kib / 4 + u32::from(workload.bs_kib > 44);
            assert!(workload.iodepth * pages <= BACKEND_KEEPS, "{workload}");
        }
    }
}
