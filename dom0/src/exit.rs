//! Exit codes that tell failures apart.

use std::fmt;

/// Failure with an exit code of its own; any other failure has exit code 1.
#[derive(Debug)]
pub enum Exit {
    /// A command line or job file that is wrong: 2, as for clap's own errors.
    Usage(String),
    /// A run that ended early on request, with a result of what was measured: 3.
    Interrupted(String),
    /// A guest that took too long: 4.
    TimedOut(String),
    /// A result that could not be written where it was to go: 5.
    Output(String),
}

impl Exit {
    /// Returns the exit code.
    pub fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Interrupted(_) => 3,
            Self::TimedOut(_) => 4,
            Self::Output(_) => 5,
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Usage(text)
        | Self::Interrupted(text)
        | Self::TimedOut(text)
        | Self::Output(text)) = self;
        f.write_str(text)
    }
}

impl std::error::Error for Exit {}
