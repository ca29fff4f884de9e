//! Marks: warnings to read before a job's figures are trusted or compared.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::record::JobResult;
use crate::report::Extra;
use fio_job::Direction;
use fio_job::number::NS_PER_SECOND;

/// Share of stolen time above which a job is marked, in per cent.
pub const STOLEN_PERCENT_MAX: f64 = 1.0;

/// Share of the IOPS within the job's time by which those of its whole runtime may differ, in per
/// cent.
const DRAIN_PERCENT_MAX: f64 = 1.0;

/// Figures that decide whether a job is marked.
#[derive(Clone, Copy, Debug, Default)]
struct Facts {
    /// Pages that the backends keep mapped, and pages that the I/Os used.
    pages: Option<(u64, u64)>,
    /// Stolen time, in nanoseconds and in per cent.
    stolen: Option<(u64, f64)>,
    /// I/Os per second of each direction, in the whole runtime and within the job's time.
    iops: [(f64, f64); 3],
}

impl Facts {
    fn marks(self) -> Vec<String> {
        let marks = self.of_pages().into_iter().chain(self.of_time());
        marks.chain(self.of_drain()).collect()
    }

    fn of_pages(self) -> Option<String> {
        let (kept, used) = self.pages.filter(|(kept, used)| kept < used)?;
        Some(if kept == 0 {
            "the backend keeps nothing mapped between requests; xen-blkback does if its \
             feature_persistent and max_persistent_grants allow it"
                .into()
        } else {
            format!(
                "the backend keeps {kept} of {used} pages mapped and maps the others for each \
                 request; lower iodepth or bs, take more ringmark_queues, or raise \
                 max_persistent_grants of xen-blkback"
            )
        })
    }

    fn of_time(self) -> Option<String> {
        let (ns, percent) = self.stolen.filter(|&(_, percent)| percent > STOLEN_PERCENT_MAX)?;
        Some(format!(
            "{percent:.1} % of its time ({:.2} s) was stolen from the vCPU; give the guest a \
             processor of its own (cpus=) and do not pause it",
            ns as f64 / NS_PER_SECOND as f64
        ))
    }

    fn of_drain(self) -> Option<String> {
        let differ = |&(whole, within): &(f64, f64)| {
            (whole - within).abs() * 100.0 > within * DRAIN_PERCENT_MAX
        };
        let (whole, within) = self.iops.into_iter().find(differ)?;
        Some(format!(
            "when its time was over it waited for I/Os in flight, as fio does: {whole:.0} IOPS in \
             all, {within:.0} within its time (iops_in_window)"
        ))
    }
}

impl JobResult {
    /// Returns the reasons not to take its figures for those of its `grants=`, one line each; empty
    /// if there is none.
    pub fn marks(&self) -> Vec<String> {
        let pages = self.pages_kept();
        let facts = Facts {
            pages: pages.map(|pages| (pages.kept.into(), pages.used.into())),
            stolen: self.stolen.map(|stolen| (stolen.ns, stolen.percent())),
            iops: Direction::ALL.map(|direction| {
                let side = self.direction(direction);
                (side.iops(), side.iops_in_window())
            }),
        };
        facts.marks()
    }
}

impl Extra {
    /// Returns the same lines as [`JobResult::marks`].
    pub fn marks(&self) -> Vec<String> {
        let facts = Facts {
            pages: self.backend_pages_kept.zip(self.pages_used),
            stolen: self.stolen_ns.zip(self.stolen_percent),
            iops: [&self.read, &self.write, &self.trim].map(|side| {
                side.as_ref().map_or((0.0, 0.0), |side| (side.iops, side.iops_in_window))
            }),
        };
        facts.marks()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_that_are_mapped_anew_are_marked() {
        let marks = |kept, used| {
            let (backend_pages_kept, pages_used) = (Some(kept), Some(used));
            Extra { backend_pages_kept, pages_used, ..Extra::default() }.marks()
        };
        assert_eq!(marks(2112, 2112), [""; 0]);
        assert_eq!(marks(0, 0), [""; 0]);
        assert_eq!(marks(u64::MAX, 1), [""; 0]);
        assert!(marks(0, 32)[0].starts_with("the backend keeps nothing mapped between requests;"));
        let some = marks(1006, 2112);
        assert!(some[0].starts_with("the backend keeps 1006 of 2112 pages mapped"), "{some:?}");
        assert!(some[0].contains("max_persistent_grants") && some.len() == 1, "{some:?}");
        assert_eq!(Extra::default().marks(), [""; 0]);
    }

    #[test]
    fn more_than_one_per_cent_of_stolen_time_is_marked() {
        let marks = |ns, of_ns| {
            let mut result = crate::record::sample();
            result.stolen = Some(crate::stolen::Stolen { ns, of_ns });
            result.marks()
        };
        assert_eq!(marks(0, 0), [""; 0]);
        assert_eq!(marks(100, 10_000), [""; 0]);
        assert_eq!(marks(101, 10_000).len(), 1);
        let third = marks(5_000_000_000, 15_000_000_000);
        assert!(third[0].starts_with("33.3 % of its time (5.00 s) was stolen"), "{third:?}");
    }

    #[test]
    fn a_wait_at_the_end_is_marked() {
        use crate::report::SideExtra;

        let marks = |iops, iops_in_window| {
            let write = Some(SideExtra { iops, iops_in_window, ..SideExtra::default() });
            Extra { write, ..Extra::default() }.marks()
        };
        for (whole, within) in [(0.0, 0.0), (101.0, 100.0), (99.0, 100.0)] {
            assert_eq!(marks(whole, within), [""; 0]);
        }
        for (whole, within) in [(98.9, 100.0), (101.1, 100.0), (5.0, 0.0)] {
            assert_eq!(marks(whole, within).len(), 1, "{whole} {within}");
        }
        let mut result = crate::record::sample();
        result.read.runtime_ns *= 10;
        assert!(result.marks()[0].contains(": 150 IOPS in all, 1500 within"), "{result:?}");
    }
}
