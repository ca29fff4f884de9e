//! Reading of flags. Unknown ones, of a later release, are left out, and nothing of them is kept.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Deserializer};

use crate::flags::{Flag, Rates};
use crate::list::at_most;

/// Members of all flags. A type that serde tags would hold all unknown members in memory.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Members {
    flag: String,
    of: String,
    kept: u64,
    used: u64,
    percent: f64,
    ns: f64,
    iops: f64,
    iops_in_window: f64,
    due: u64,
    backlog: u64,
    guests: u64,
    cpu_percent: f64,
    low: f64,
    high: f64,
    percent_low: f64,
    outliers: u64,
    count: u64,
    worst: f64,
    median: f64,
}

impl Members {
    /// Returns the flag, if it is a known one.
    fn flag(self) -> Option<Flag> {
        let Self { kept, used, percent, ns, iops, iops_in_window, due, backlog, .. } = self;
        let Self { guests, cpu_percent, low, high, percent_low, outliers, .. } = self;
        let Self { count, worst, median, .. } = self;
        let of = || match self.of.as_str() {
            "windows" => Some(Rates::Windows),
            "runs" => Some(Rates::Runs),
            _ => None,
        };
        Some(match self.flag.as_str() {
            "pages_not_kept" => Flag::PagesNotKept { kept, used },
            "stolen_time" => Flag::StolenTime { percent, ns: ns as u64 },
            "drain" => Flag::Drain { iops, iops_in_window },
            "backlog" => Flag::Backlog { due, backlog },
            "late_guest" => Flag::LateGuest { ns, percent },
            "other_guests" => Flag::OtherGuests { guests, cpu_percent },
            "qemu_xen" => Flag::QemuXen,
            "two_modes" => Flag::TwoModes { of: of()?, low, high, percent_low },
            "outliers" => Flag::Outliers { of: of()?, outliers, count, worst, median },
            _ => return None,
        })
    }
}

/// Reads the flags that are known.
///
/// # Errors
/// More than a job has, known or not; a member that is no number.
pub(crate) fn known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Flag>, D::Error> {
    let all = at_most::<{ Flag::MOST }, Members, _>(deserializer)?;
    Ok(all.into_iter().filter_map(Members::flag).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Extra;

    #[test]
    fn every_flag_is_read_as_it_was_written() {
        let all = [
            Flag::PagesNotKept { kept: 1, used: 2 },
            Flag::StolenTime { percent: 2.5, ns: 7 },
            Flag::Drain { iops: 1.5, iops_in_window: 3.0 },
            Flag::Backlog { due: 9, backlog: 8 },
            Flag::LateGuest { ns: 1.25, percent: 11.0 },
            Flag::OtherGuests { guests: 3, cpu_percent: 50.0 },
            Flag::QemuXen,
            Flag::TwoModes { of: Rates::Windows, low: 1.0, high: 2.0, percent_low: 25.0 },
            Flag::Outliers { of: Rates::Runs, outliers: 1, count: 9, worst: 5.0, median: 6.0 },
        ];
        let text = serde_json::to_string(&Extra { flags: all.into(), ..Extra::default() });
        let again: Extra = serde_json::from_str(&text.expect("JSON")).expect("an extra");
        assert_eq!(again.flags, all);
    }

    #[test]
    fn flags_of_a_later_release_are_left_out() {
        let text = serde_json::to_string(&Extra::default()).expect("JSON");
        let flags = r#""flags":[{"flag":"new","x":[{}]},{"flag":"drain","iops":1,"x":{}},{}],"#;
        let text = text.replacen('{', &std::format!("{{{flags}"), 1);
        let read: Extra = serde_json::from_str(&text).expect("an extra");
        assert_eq!(read.flags, [Flag::Drain { iops: 1.0, iops_in_window: 0.0 }]);
    }
}
