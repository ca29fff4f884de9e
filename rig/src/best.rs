//! Linux's best settings for each workload, as `./run.sh peers` has found them: `rig/peers.json`.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};

use crate::setting::Setting;
use crate::workload::Workload;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers.json");

/// Findings of a sweep for one workload; instructions of the whole stack for each I/O.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Finding {
    /// The best setting.
    pub(crate) setting: Setting,
    /// Instructions in it; none if nothing was measured yet, and the setting is a guess.
    pub(crate) instructions: Option<f64>,
    /// The least that anything took: no more than 1 % less.
    pub(crate) least: Option<f64>,
    /// Instructions in the fixed set, from which the search began.
    pub(crate) fixed: Option<f64>,
    /// Instructions by fio's default, on a guest that nobody tuned.
    pub(crate) plain: Option<f64>,
}

/// The findings for one kernel.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Findings(BTreeMap<String, Finding>);

impl Findings {
    /// Reads those in the tree for a guest's kernel: 6.12.
    ///
    /// # Errors
    /// When there is no file, it can't be parsed, or names what there is not.
    pub(crate) fn load(kernel: &str) -> Result<Self> {
        let all = file()?;
        let of_kernel = all.get(kernel).and_then(Value::as_object);
        of_kernel
            .map_or(Ok(Self::default()), Self::parse)
            .with_context(|| format!("{PATH}: {kernel}"))
    }

    /// Makes them those in the tree; others stay.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub(crate) fn save(&self, kernel: &str) -> Result<()> {
        let mut all = file()?;
        all.insert(kernel.to_owned(), self.json());
        fs::write(PATH, format!("{:#}\n", Value::Object(all)))
            .with_context(|| format!("cannot write {PATH}"))
    }

    /// Adds one, in place of what there was.
    pub(crate) fn insert(&mut self, of: Workload, finding: Finding) {
        self.0.insert(of.name(), finding);
    }

    /// Returns the one for a workload, if there is one.
    pub(crate) fn get(&self, of: Workload) -> Option<Finding> {
        self.0.get(&of.name()).copied()
    }

    fn parse(all: &Map<String, Value>) -> Result<Self> {
        let each = all.iter().map(|(name, value)| {
            let of = name.parse().with_context(|| format!("there is no workload {name}"))?;
            let finding = Finding::parse(value, of).with_context(|| name.clone())?;
            Ok((name.clone(), finding))
        });
        each.collect::<Result<_>>().map(Self)
    }

    fn json(&self) -> Value {
        self.0.iter().map(|(name, finding)| (name.clone(), finding.json())).collect()
    }
}

impl Finding {
    fn parse(value: &Value, of: Workload) -> Result<Self> {
        let known = ["default", "fixed", "instructions", "least", "setting"];
        for key in value.as_object().context("it is no object")?.keys() {
            ensure!(known.contains(&key.as_str()), "there is nothing called {key:?}");
        }
        let setting = value["setting"].as_object().context("it has no setting")?;
        let number = |key: &str| match &value[key] {
            Value::Null => Ok(None),
            other => other.as_f64().map(Some).with_context(|| format!("{key} is no number")),
        };
        Ok(Self {
            setting: Setting::parse(setting, of)?,
            instructions: number("instructions")?,
            least: number("least")?,
            fixed: number("fixed")?,
            plain: number("default")?,
        })
    }

    fn json(&self) -> Value {
        // Tenths of an instruction are noise to a reader of the file.
        json!({
            "setting": self.setting.json(), "instructions": self.instructions.map(f64::round),
            "least": self.least.map(f64::round), "fixed": self.fixed.map(f64::round),
            "default": self.plain.map(f64::round),
        })
    }
}

fn file() -> Result<Map<String, Value>> {
    let text = fs::read_to_string(PATH).with_context(|| format!("cannot read {PATH}"))?;
    serde_json::from_str(&text).with_context(|| format!("cannot parse {PATH}"))
}

/// The best settings for each workload that was swept.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Best(BTreeMap<String, Finding>);

impl Best {
    /// Reads those in the tree for the kernel of the comparisons.
    ///
    /// # Errors
    /// As [`Findings::load`].
    pub(crate) fn load() -> Result<Self> {
        Ok(Self(Findings::load(crate::peer::NEWEST)?.0))
    }

    /// Returns the best setting for a workload; the fixed one, a guess, if it was not swept.
    pub(crate) fn of(&self, workload: Workload) -> Setting {
        let finding = self.0.get(&workload.name());
        finding.map_or_else(|| Setting::fixed(workload), |finding| finding.setting)
    }

    /// Returns whether it was measured that it is the best.
    pub(crate) fn is_measured(&self, workload: Workload) -> bool {
        self.0.get(&workload.name()).is_some_and(|finding| finding.instructions.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(value: Value) -> Result<Findings> {
        Findings::parse(value.as_object().unwrap())
    }

    fn found() -> Value {
        let of = Workload::MAIN[0];
        let setting = Setting::fixed(of).json();
        json!({ of.name(): {
            "setting": setting, "instructions": 12.0, "least": 11.9, "fixed": 13.0, "default": null,
        }})
    }

    #[test]
    fn findings_are_read_as_they_were_written() {
        let findings = parse(found()).unwrap();
        let finding = findings.get(Workload::MAIN[0]).unwrap();
        assert_eq!((finding.instructions, finding.plain), (Some(12.0), None));
        let mut written = findings.json();
        written["randread-4k-32"]["least"] = json!(11.9);
        assert_eq!(parse(written).unwrap(), findings);
    }

    #[test]
    fn a_workload_that_was_not_swept_has_a_guess() {
        let mut all = found();
        all["randread-4k-32"]["setting"]["iodepth_batch"] = json!("8");
        let best = Best(parse(all).unwrap().0);
        assert_ne!(best.of(Workload::MAIN[0]), Setting::fixed(Workload::MAIN[0]));
        assert!(best.is_measured(Workload::MAIN[0]));
        assert_eq!(best.of(Workload::MAIN[1]), Setting::fixed(Workload::MAIN[1]));
        assert!(!best.is_measured(Workload::MAIN[1]));
    }

    #[test]
    fn what_there_is_not_is_refused() {
        let with = |key: &str, value: Value| {
            let mut all = found();
            all["randread-4k-32"][key] = value;
            parse(all)
        };
        for (wrong, words) in [
            (parse(json!({ "randread-5k-32": {} })), "no workload randread-5k-32"),
            (parse(json!({ "randread-4k-32": 5 })), "no object"),
            (with("costs", json!(1)), "nothing called \"costs\""),
            (with("instructions", json!("1")), "instructions is no number"),
            (with("least", json!({})), "least is no number"),
            (with("setting", Value::Null), "no setting"),
            (with("setting", json!({ "fixedbuf": "1" })), "no setting \"fixedbuf\""),
        ] {
            let error = format!("{:#}", wrong.unwrap_err());
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn the_tree_has_the_best_for_all_that_is_compared() {
        let best = Best::load().unwrap();
        for workload in Workload::ALL {
            assert_eq!(best.of(workload), best.of(workload).valid(workload));
        }
        for kernel in crate::peer::KERNELS {
            Findings::load(kernel).unwrap();
        }
        assert_eq!(Findings::load("2.4").unwrap(), Findings::default());
    }
}
