//! Marks: the flags of a result, and of one that was read, in a line each.

use alloc::string::String;
use alloc::vec::Vec;

use fio_job::Direction;

use crate::arrivals::Totals;
use crate::flags::{Facts, Flag};
use crate::record::JobResult;
use crate::report::Extra;

impl JobResult {
    /// Returns the reasons to doubt its figures.
    pub fn flags(&self) -> Vec<Flag> {
        let pages = self.pages_kept();
        let sides = [&self.read, &self.write, &self.trim].map(|side| side.arrivals.as_deref());
        let facts = Facts {
            pages: pages.map(|pages| (pages.kept.into(), pages.used.into())),
            stolen: self.stolen.map(|stolen| (stolen.ns, stolen.percent())),
            iops: Direction::ALL.map(|direction| {
                let side = self.direction(direction);
                (side.iops(), side.iops_in_window())
            }),
            arrivals: Totals::sum(sides.into_iter().flatten().map(Totals::from)),
        };
        let flags = facts.flags();
        // A job that pauses on purpose has two modes, and no others are asked of it; nor is what
        // stolen time does to its windows told twice.
        let is_stolen = flags.iter().any(|flag| matches!(flag, Flag::StolenTime { .. }));
        let pauses = is_stolen || self.job.pace.think.is_some();
        let series = self.over_time().filter(|_| !pauses);
        let of_series = series.map_or(Vec::new(), |series| Flag::of_windows(&series));
        [flags, of_series].concat()
    }

    /// Returns its flags' texts, one line each; empty if there is none.
    pub fn marks(&self) -> Vec<String> {
        self.flags().iter().map(Flag::text).collect()
    }
}

impl Extra {
    /// Returns the reasons to doubt its figures: those that follow from them, which older results
    /// do not list, and those that it lists.
    pub fn all_flags(&self) -> Vec<Flag> {
        let open = self.open_loop.iter();
        let sides = open.flat_map(|open| [&open.read, &open.write, &open.trim]).flatten();
        let facts = Facts {
            pages: self.backend_pages_kept.zip(self.pages_used),
            stolen: self.stolen_ns.zip(self.stolen_percent),
            iops: [&self.read, &self.write, &self.trim].map(|side| {
                side.as_ref().map_or((0.0, 0.0), |side| (side.iops, side.iops_in_window))
            }),
            arrivals: Totals::sum(sides.map(Totals::from)),
        };
        let mut all = facts.flags();
        for flag in &self.flags {
            if !all.iter().any(|one| one.is_like(flag)) {
                all.push(*flag);
            }
        }
        all
    }

    /// Returns its flags' texts, one line each; empty if there is none.
    pub fn marks(&self) -> Vec<String> {
        self.all_flags().iter().map(Flag::text).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::Rates;

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
    fn a_backlog_and_a_late_guest_are_marked() {
        use crate::arrivals::{Arrivals, Delays, OpenLoop, OpenSide};
        use crate::histogram::Histogram;
        use crate::latency::Latency;

        let marks = |due, backlog, late_ns, mean| {
            let late = Delays { count: 1, total_ns: late_ns, max_ns: late_ns };
            let lat_ns = Latency { count: due, mean, ..Latency::default() };
            let side = OpenSide { due, backlog, late, lat_ns, ..OpenSide::default() };
            let open_loop = Some(OpenLoop { write: Some(side), ..OpenLoop::default() });
            Extra { open_loop, ..Extra::default() }.marks()
        };
        assert_eq!(marks(1000, 10, 0, 50.0), [""; 0]);
        assert_eq!(marks(9, 3, 0, 50.0), [""; 0]);
        let backlog = marks(1000, 11, 0, 50.0);
        assert!(backlog[0].starts_with("11 of 1000 I/Os that were due had not been put"));
        assert!(backlog[0].contains("does not keep up with the rate") && backlog.len() == 1);
        assert_eq!(marks(100, 0, 100_000, 10_000.0), [""; 0]);
        let late = marks(100, 0, 110_000, 10_000.0);
        let expected = "the guest itself was late by 1.1 us on average, 11 % of the latency";
        assert!(late[0].starts_with(expected) && late.len() == 1, "{late:?}");
        assert_eq!(marks(0, 0, u64::MAX, 0.0), [""; 0]);
        assert_eq!(marks(u64::MAX, u64::MAX, u64::MAX, f64::MAX).len(), 1);
        let mut job = crate::record::sample();
        let (held, late) = (Delays::default(), Delays::default());
        let mut arrivals = Arrivals { due: 0, backlog: 0, held, late, latency: Histogram::new() };
        arrivals.end(5);
        job.write.arrivals = Some(alloc::boxed::Box::new(arrivals));
        assert!(job.marks()[0].starts_with("5 of 5 I/Os that were due"), "{:?}", job.marks());
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

    #[test]
    fn flags_are_in_the_result_and_read_back() {
        let flags = std::vec![
            Flag::OtherGuests { guests: 2, cpu_percent: 12.5 },
            Flag::StolenTime { percent: 2.0, ns: 5 },
            Flag::TwoModes { of: Rates::Runs, low: 1.0, high: 2.0, percent_low: 25.0 },
        ];
        let (stolen_ns, stolen_percent) = (Some(7), Some(3.0));
        let extra = Extra { flags, stolen_ns, stolen_percent, ..Extra::default() };
        let text = serde_json::to_string(&extra).expect("JSON");
        let one = r#"{"flag":"other_guests","guests":2,"cpu_percent":12.5}"#;
        assert!(text.contains(&std::format!(r#""flags":[{one},"#)), "{text}");
        let again: Extra = serde_json::from_str(&text).expect("an extra");
        assert_eq!(again, extra);
        // What follows from the figures counts, not what the list says of it.
        let all = again.all_flags();
        assert_eq!((all.len(), all[0]), (3, Flag::StolenTime { percent: 3.0, ns: 7 }));
        let many = std::format!(r#""flags":[{}]"#, [one; 17].join(","));
        let many = text.replacen(r#""flags":["#, &std::format!("{many},\"was\":["), 1);
        assert!(serde_json::from_str::<Extra>(&many).is_err());
        let old = text.replacen(r#""flags""#, r#""other""#, 1);
        assert_eq!(serde_json::from_str::<Extra>(&old).expect("an old one").flags, []);
    }
}
