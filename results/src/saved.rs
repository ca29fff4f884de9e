//! Results of several runs, as they are saved.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::report::Report;

/// A system under comparison.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum System {
    /// The ringmark guest.
    #[default]
    Ringmark,
    /// The Linux guest with fio.
    Linux,
}

impl System {
    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ringmark => "ringmark",
            Self::Linux => "linux",
        }
    }

    /// Returns its title in a table.
    pub fn title(self) -> &'static str {
        match self {
            Self::Ringmark => "ringmark",
            Self::Linux => "Linux, fio",
        }
    }
}

/// Variant of a comparison on one system: `ringmark ab`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Variant {
    /// The first.
    A,
    /// The second.
    B,
}

impl Variant {
    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
        }
    }
}

/// Contents of a file of results: `ringmark compare --save`, `ringmark ab --save`. Of two systems
/// or variants, the runs of the same number make a pair.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Saved {
    /// All runs, in the order in which they ran.
    pub runs: Vec<SavedRun>,
}

/// A run on one of the systems.
#[derive(Debug, Serialize, Deserialize)]
pub struct SavedRun {
    /// System that ran it.
    #[serde(rename = "who")]
    pub system: System,
    /// Variant, if two of one system are compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<Variant>,
    /// fio's report.
    pub result: Report,
}

impl Saved {
    /// Beginning of such a file.
    pub const MARK: &str = "{\"runs\":[";

    /// Returns it as it is saved: one line of JSON.
    ///
    /// # Errors
    /// A result that is no JSON.
    pub fn json(&self) -> serde_json::Result<String> {
        Ok(serde_json::to_string(self)? + "\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_can_be_read() {
        let run = |system| SavedRun { system, variant: None, result: Report::default() };
        let saved = Saved { runs: [System::Ringmark, System::Linux].map(run).into() };
        let text = saved.json().unwrap();
        assert!(text.starts_with(Saved::MARK) && text.ends_with("}\n"), "{text}");
        let again: Saved = serde_json::from_str(&text).unwrap();
        assert_eq!(again.runs[1].system, System::Linux);
        assert!(!text.contains("variant"), "{text}");
        let run = SavedRun { variant: Some(Variant::B), ..run(System::Ringmark) };
        let b = Saved { runs: [run].into() }.json().unwrap();
        let read: Saved = serde_json::from_str(&b).unwrap();
        assert!(b.contains("\"variant\":\"b\""), "{b}");
        assert_eq!(read.runs[0].variant, Some(Variant::B));
        assert_eq!(again.json().unwrap(), text);
    }
}
