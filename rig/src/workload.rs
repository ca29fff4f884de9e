//! What the two guests of a comparison are asked to do.

use std::fmt::{self, Display, Formatter};

/// Options that mean the same to both. Random blocks are drawn without a map of those visited.
const COMMON: &str = "--filename=/dev/xvda --direct=1 --ioengine=libaio --norandommap --time_based";

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

    /// fio's command line for some of them, one after the other, `runtime_s` seconds each.
    pub(crate) fn options(all: &[Self], runtime_s: u32) -> String {
        let mut text = format!("{COMMON} --runtime={runtime_s}");
        for &workload in all {
            let Self { rw, bs_kib, iodepth } = workload;
            let name = workload.name();
            text += &format!(" --name={name} --stonewall --rw={rw} --bs={bs_kib}k");
            text += &format!(" --iodepth={iodepth}");
        }
        text
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

    #[test]
    fn jobs_run_one_after_the_other() {
        let text = Workload::options(&Workload::ALL, 3);
        assert_eq!(text.matches("--stonewall").count(), Workload::ALL.len());
        assert!(text.contains("--name=randwrite-4k-1 --stonewall --rw=randwrite --bs=4k"));
        assert_eq!(Workload::ALL[9].direction(), "write");
        assert_eq!(Workload::ALL[0].to_string(), "4k randread iodepth 32");
    }

    #[test]
    fn the_main_ones_are_among_all() {
        assert!(Workload::MAIN.iter().all(|main| Workload::ALL.contains(main)));
    }
}
