//! Fate of a mutant.

use std::fmt;

/// The end of a mutant, as the suites decided it.
pub(super) enum Fate {
    Killed {
        suite: String,
        test: String,
    },
    /// The suite did not end.
    ByTime {
        suite: String,
    },
    Survived,
    /// The mutant is no Rust; the compiler's message.
    Unbuilt(String),
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Killed { suite, test } => write!(f, "killed by {suite}: {test}"),
            Self::ByTime { suite } => write!(f, "killed by time in {suite}"),
            Self::Survived => f.write_str("survived"),
            Self::Unbuilt(error) => write!(f, "does not compile: {error}"),
        }
    }
}
