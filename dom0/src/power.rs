//! Facts about the clock of the processors: who sets it, and whether it may rise beyond what all
//! can have at once.
//!
//! Xen sets it itself as a rule, and `xenpm` tells of that; dom0's `/sys` has it where Linux does.

use std::collections::BTreeSet;

use crate::display::fact;
use crate::root::Root;

/// Directory of the processors.
const CPUS: &str = "/sys/devices/system/cpu";
/// Most names of governors that are told: processors have one each, all the same as a rule.
const GOVERNORS_MAX: usize = 4;

/// The clock of the processors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Power {
    /// Governors of all processors.
    pub governor: Option<String>,
    /// Whether some processor may exceed its nominal clock.
    pub turbo: Option<bool>,
}

impl Power {
    /// Reads `/sys`.
    pub fn of_sys(root: &Root) -> Self {
        let is_cpu = |name: &&String| {
            name.strip_prefix("cpu").is_some_and(|number| number.parse::<u32>().is_ok())
        };
        let names = root.names(CPUS);
        let governor = |name| root.fact(&format!("{CPUS}/{name}/cpufreq/scaling_governor"));
        let governors = names.iter().filter(is_cpu).filter_map(governor).collect();
        // Intel's driver has a word of its own, which says the opposite.
        let no_turbo = root.flag(&format!("{CPUS}/intel_pstate/no_turbo"));
        let boost = || root.flag(&format!("{CPUS}/cpufreq/boost"));
        Self { governor: joined(&governors), turbo: no_turbo.map(|no| !no).or_else(boost) }
    }

    /// Reads `xenpm get-cpufreq-para`: `KEY : VALUE` in each line, a paragraph for each processor.
    pub fn of_xenpm(text: &str) -> Self {
        let pairs = || text.lines().filter_map(|line| line.split_once(':'));
        let values = |key: &'static str| {
            pairs().filter(move |(name, _)| name.trim() == key).map(|(_, value)| value.trim())
        };
        let all = |key| values(key).filter_map(fact).collect::<BTreeSet<_>>();
        let turbo = |value: &str| match value {
            _ if value.starts_with("enabled") => Some(true),
            _ if value.starts_with("disabled") => Some(false),
            _ => None,
        };
        let turbos: Vec<bool> = values("turbo mode").filter_map(turbo).collect();
        Self {
            // A processor that sets its clock itself has no governor but a driver.
            governor: joined(&all("current_governor")).or_else(|| joined(&all("scaling_driver"))),
            turbo: (!turbos.is_empty()).then(|| turbos.contains(&true)),
        }
    }

    /// Returns these facts, or where there is none that of the other.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self { governor: self.governor.or(other.governor), turbo: self.turbo.or(other.turbo) }
    }
}

fn joined(all: &BTreeSet<String>) -> Option<String> {
    let some = all.iter().take(GOVERNORS_MAX).map(String::as_str).collect::<Vec<_>>();
    fact(&some.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `xenpm get-cpufreq-para`, of two processors.
    const XENPM: &str = "\
cpu id               : 0
affected_cpus        : 0
cpuinfo frequency    : max [3000000] min [1500000] cur [3000000]
scaling_driver       : acpi-cpufreq
scaling_avail_gov    : userspace performance powersave ondemand
current_governor     : ondemand
  ondemand specific  :
    sampling_rate    : max [10000000] min [10000] cur [20000]
    up_threshold     : 80
scaling_avail_freq   : *3000000 2000000 1500000
scaling frequency    : max [3000000] min [1500000] cur [3000000]
turbo mode           : enabled

cpu id               : 1
scaling_driver       : acpi-cpufreq
current_governor     : performance
turbo mode           : disabled or n/a
";

    #[test]
    fn all_processors_are_looked_at() {
        let expected =
            Power { governor: Some("ondemand performance".to_owned()), turbo: Some(true) };
        assert_eq!(Power::of_xenpm(XENPM), expected);
        let hwp = "cpu id : 0\nscaling_driver       : hwp-cpufreq\nturbo mode : disabled or n/a\n";
        let expected = Power { governor: Some("hwp-cpufreq".to_owned()), turbo: Some(false) };
        assert_eq!(Power::of_xenpm(hwp), expected);
        for text in ["", ":", "Xen cpufreq is not enabled!", "turbo mode : ?\ncurrent_governor :"] {
            assert_eq!(Power::of_xenpm(text), Power::default(), "{text}");
        }
        let many: String = (0..1000).map(|n| format!("current_governor : {n}\n")).collect();
        assert_eq!(Power::of_xenpm(&many).governor.unwrap().split(' ').count(), GOVERNORS_MAX);
    }
}
