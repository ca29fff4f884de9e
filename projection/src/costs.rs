//! Costs: what an operation takes in software, as measured, and in hardware, as published.
//!
//! They come from `costs.toml`, which is part of the program; a file of the same form replaces any
//! of them. Each has a value, a unit, and a source.

mod key;

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

pub use key::Key;

/// Costs that are used unless others are given.
pub const SHIPPED: &str = include_str!("../costs.toml");

/// Table of costs. All values are within the range of their key.
#[derive(Clone, Debug, PartialEq)]
pub struct Costs {
    entries: BTreeMap<Key, Entry>,
}

/// Cost.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[serde(expecting = "{ value = .., unit = \"..\", source = \"..\" }")]
struct Entry {
    value: f64,
    unit: String,
    source: String,
}

/// Reason why a text is no table of costs. Its words are those of the text; escape them before they
/// are shown on a terminal.
#[derive(Clone, Debug, PartialEq)]
pub enum CostsError {
    /// Text that is no TOML, or not of this form.
    Syntax {
        /// Line at which that shows, from 1.
        line: usize,
        /// Mistake there.
        why: String,
    },
    /// Name that no cost has.
    Unknown(String),
    /// Unit other than the cost's.
    Unit {
        /// Cost.
        key: Key,
        /// Unit that it is given in.
        found: String,
    },
    /// Value out of the cost's range.
    Value {
        /// Cost.
        key: Key,
        /// Value that it is given.
        found: f64,
    },
    /// Cost without a source.
    NoSource(Key),
    /// Cost that has no value.
    Missing(Key),
}

impl Costs {
    /// Returns the costs that are part of the program.
    ///
    /// # Errors
    /// None, as long as `costs.toml` is whole, which a test checks.
    pub fn shipped() -> Result<Self, CostsError> {
        let entries = parse(SHIPPED)?;
        match Key::ALL.iter().find(|key| !entries.contains_key(key)) {
            Some(key) => Err(CostsError::Missing(*key)),
            None => Ok(Self { entries }),
        }
    }

    /// Replaces the costs that a text in the form of [`SHIPPED`] has.
    ///
    /// # Errors
    /// What is wrong with it; then nothing is replaced.
    pub fn replace(&mut self, text: &str) -> Result<(), CostsError> {
        self.entries.extend(parse(text)?);
        Ok(())
    }

    /// Returns a cost, in the unit of its key.
    pub fn get(&self, key: Key) -> f64 {
        self.entries.get(&key).map_or(key.range().0, |entry| entry.value)
    }

    /// Returns where a cost is from.
    pub fn source(&self, key: Key) -> &str {
        self.entries.get(&key).map_or("", |entry| &entry.source)
    }
}

fn parse(text: &str) -> Result<BTreeMap<Key, Entry>, CostsError> {
    type Sections = BTreeMap<String, BTreeMap<String, Entry>>;
    let sections: Sections = toml::from_str(text).map_err(|error| syntax(text, &error))?;
    let mut entries = BTreeMap::new();
    for (section, costs) in sections {
        for (name, entry) in costs {
            let name = format!("{section}.{name}");
            let key = Key::ALL.into_iter().find(|key| key.name() == name);
            let key = key.ok_or(CostsError::Unknown(name))?;
            entries.insert(key, checked(key, entry)?);
        }
    }
    Ok(entries)
}

fn syntax(text: &str, error: &toml::de::Error) -> CostsError {
    let at = error.span().map_or(0, |span| span.start);
    let before = text.bytes().take(at);
    let line = 1 + before.filter(|&byte| byte == b'\n').count();
    CostsError::Syntax { line, why: error.message().to_owned() }
}

fn checked(key: Key, entry: Entry) -> Result<Entry, CostsError> {
    let (least, most) = key.range();
    if entry.unit != key.unit() {
        return Err(CostsError::Unit { key, found: entry.unit });
    }
    // No NaN is in a range.
    if !(least..=most).contains(&entry.value) {
        return Err(CostsError::Value { key, found: entry.value });
    }
    if entry.source.trim().is_empty() {
        return Err(CostsError::NoSource(key));
    }
    Ok(entry)
}

impl fmt::Display for CostsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax { line, why } => {
                write!(f, "line {line}: {why}; --print-costs shows the form")
            }
            Self::Unknown(name) => {
                write!(f, "there is no cost {name}; --print-costs shows those that there are")
            }
            Self::Unit { key, found } => {
                write!(f, "{} is in {}, not in {found}", key.name(), key.unit())
            }
            Self::Value { key, found } => {
                let (least, most) = key.range();
                let (name, unit) = (key.name(), key.unit());
                write!(f, "{name} = {found}: write a value from {least} to {most}, in {unit}")
            }
            Self::NoSource(key) => {
                write!(f, "{} has an empty source; say where its value is from", key.name())
            }
            Self::Missing(key) => write!(f, "{} has no value", key.name()),
        }
    }
}

impl std::error::Error for CostsError {}
