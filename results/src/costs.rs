//! Costs of an I/O by whose they are: counted by whoever runs the guest, never by the guest.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::list::at_most;

/// Most jobs with costs that are read.
const JOBS_MAX: usize = 10_000;

/// Costs of all jobs of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CostReport {
    /// Counter, and where it counted: words for the reader.
    pub from: String,
    /// Costs of each job of the report, in their order, as far as they were counted.
    #[serde(deserialize_with = "at_most::<JOBS_MAX, _, _>")]
    pub jobs: Vec<Option<Costs>>,
}

/// Unit of costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CostUnit {
    /// Executed instructions.
    #[default]
    Instructions,
    /// Cycles of a processor.
    Cycles,
}

/// Costs of an I/O of a job: means over all I/Os of both directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Costs {
    /// Unit of what each owner spends.
    pub unit: CostUnit,
    /// Costs by owner.
    pub owners: Owners,
    /// Exits from the guest to Xen, if they were counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exits: Option<f64>,
}

/// Costs by owner, each from 0 on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owners {
    /// The guest, kernel and processes.
    pub guest: f64,
    /// Xen.
    pub xen: f64,
    /// The backend's domain, kernel and processes.
    pub dom0: f64,
}

/// Most that an I/O can cost: one of 16 MiB that copies each byte by several instructions has far
/// less.
const COST_MAX: f64 = 1e12;

/// Cost that nothing can have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoCost {
    /// Owner, or `exits`.
    pub of: &'static str,
    /// Value.
    pub value: f64,
}

impl fmt::Display for NoCost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { of, value } = self;
        write!(f, "{value:e} is no cost of an I/O ({of}): 0 to {COST_MAX:e}")
    }
}

impl CostUnit {
    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Instructions => "instructions",
            Self::Cycles => "cycles",
        }
    }
}

impl Costs {
    /// Number of owners.
    pub const OWNERS: usize = 3;

    /// Returns names and costs of the owners, in the order in which they are shown.
    pub fn owners(&self) -> [(&'static str, f64); Self::OWNERS] {
        let Owners { guest, xen, dom0 } = self.owners;
        [("guest", guest), ("Xen", xen), ("dom0", dom0)]
    }

    /// Returns the costs of all owners.
    pub fn total(&self) -> f64 {
        self.owners().iter().map(|(_, cost)| cost).sum()
    }

    /// Checks that each figure is one that an I/O can have.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check(&self) -> Result<(), NoCost> {
        let exits = self.exits.map(|exits| ("exits", exits));
        let mut all = self.owners().into_iter().chain(exits);
        let wrong = all.find(|(_, value)| !(0.0..=COST_MAX).contains(value));
        wrong.map_or(Ok(()), |(of, value)| Err(NoCost { of, value }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::{String, ToString};

    const GOOD: &str =
        r#"{"unit":"instructions","owners":{"guest":469.5,"xen":1391.0,"dom0":3175.0}}"#;

    fn costs(guest: f64, exits: Option<f64>) -> Costs {
        Costs { owners: Owners { guest, xen: 2.0, dom0: 3.0 }, exits, ..Costs::default() }
    }

    #[test]
    fn what_is_written_can_be_read() {
        let read: Costs = serde_json::from_str(GOOD).unwrap();
        assert_eq!((read.total(), read.exits), (5035.5, None));
        assert_eq!(serde_json::to_string(&read).unwrap(), GOOD);
        let counted = costs(1.0, Some(0.119));
        let again = serde_json::from_str(&serde_json::to_string(&counted).unwrap());
        assert_eq!(again.ok(), Some(counted));
        assert_eq!(counted.owners(), [("guest", 1.0), ("Xen", 2.0), ("dom0", 3.0)]);
    }

    #[test]
    fn owners_are_all_and_only_those_that_are_known() {
        let error = |text: &str| -> String {
            serde_json::from_str::<Costs>(text).expect_err(text).to_string()
        };
        for (from, to, words) in [
            (r#","dom0":3175.0"#, "", "missing field `dom0`"),
            (r#""dom0""#, r#""domU""#, "unknown field `domU`"),
            (r#""xen""#, r#""guest""#, "duplicate field `guest`"),
            (r#""unit""#, r#""untit""#, "unknown field `untit`"),
            (r#""instructions""#, r#""joules""#, "unknown variant `joules`"),
            ("469.5", "1e400", "number out of range"),
            ("469.5", "NaN", "expected"),
            ("469.5", "null", "invalid type"),
            ("469.5", r#""469.5""#, "invalid type"),
        ] {
            let text = GOOD.replace(from, to);
            assert!(text != GOOD && error(&text).contains(words), "{text}: {}", error(&text));
        }
    }

    #[test]
    fn costs_that_nothing_can_have_are_found() {
        for good in [0.0, 1e-9, 1.0, 1e12] {
            assert_eq!(costs(good, Some(good)).check(), Ok(()), "{good}");
        }
        for bad in [-1e-9, 1.1e12, f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
            let wrong = costs(bad, None).check().expect_err("an owner");
            assert!(wrong.to_string().contains("(guest)"), "{wrong}");
            let wrong = costs(1.0, Some(bad)).check().expect_err("exits");
            assert_eq!(wrong.of, "exits");
        }
    }
}
