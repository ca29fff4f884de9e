//! Findings: how bad each is, what it does to a measurement, and what to do.

use serde::Serialize;

/// Weight of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nothing is to be done.
    Ok,
    /// To be known: what could not be seen, or what figures are of.
    Note,
    /// Figures are spoiled.
    Warn,
    /// There is no measurement, or it destroys something.
    Fail,
}

/// A finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Weight of it.
    pub level: Level,
    /// Part of the host that it is about.
    pub about: String,
    /// Words on it and on what it does to a measurement.
    pub text: String,
    /// Words on what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl Finding {
    /// Makes one of which nothing is to be done.
    pub fn ok(about: &str, text: impl Into<String>) -> Self {
        Self { level: Level::Ok, about: about.to_owned(), text: text.into(), advice: None }
    }

    /// Makes one that is to be known.
    pub fn note(about: &str, text: impl Into<String>) -> Self {
        Self { level: Level::Note, ..Self::ok(about, text) }
    }

    /// Makes one that spoils figures.
    pub fn warn(about: &str, text: impl Into<String>, advice: &str) -> Self {
        Self { level: Level::Warn, ..Self::ok(about, text) }.with(advice)
    }

    /// Makes one that leaves no measurement, or destroys something.
    pub fn fail(about: &str, text: impl Into<String>, advice: &str) -> Self {
        Self { level: Level::Fail, ..Self::ok(about, text) }.with(advice)
    }

    /// Adds what to do.
    #[must_use]
    pub fn with(self, advice: &str) -> Self {
        Self { advice: Some(advice.to_owned()), ..self }
    }

    /// Returns it as a line.
    pub fn line(&self) -> String {
        let level = match self.level {
            Level::Ok => "ok",
            Level::Note => "note",
            Level::Warn => "warn",
            Level::Fail => "fail",
        };
        let advice = self.advice.as_ref().map_or(String::new(), |advice| format!("; {advice}"));
        format!("{level:4}  {}: {}{advice}\n", self.about, self.text)
    }

    /// Returns whether it spoils a measurement.
    pub fn spoils(&self) -> bool {
        self.level >= Level::Warn
    }
}
