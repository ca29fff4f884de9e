//! Results and remarks of a command, and what becomes of an error: the command ends, or goes on
//! with the next name.

use alloc::format;
use alloc::string::String;
use core::fmt::Display;

use fs::{Error, Volume};

/// Outcome of a command; the error is one line.
pub type Result<T> = core::result::Result<T, String>;

/// Taker of a command's output and remarks.
pub trait Report {
    /// Takes output. A failure ends the command.
    ///
    /// # Errors
    /// The reason why there can be no more output, in one line.
    fn output(&mut self, bytes: &[u8]) -> Result<()>;

    /// Takes a line on what was read although the volume is not clean; it begins with the path that
    /// it is about.
    fn warn(&mut self, line: &str);

    /// Takes a line on a name that could not be read; it begins with the path. The command goes on
    /// and ends with an error.
    fn fail(&mut self, line: &str);
}

/// Error of a step.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command is to end.
    End(String),
    /// The name can't be read; others can.
    Skip(String),
}

/// Outcome of a step.
pub(crate) type Step<T> = core::result::Result<T, Failure>;

impl From<String> for Failure {
    fn from(line: String) -> Self {
        Failure::End(line)
    }
}

impl From<Failure> for String {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::End(line) | Failure::Skip(line) => line,
        }
    }
}

/// Names the path that an error is about.
pub(crate) fn at(path: &[u8], error: impl Display) -> String {
    format!("{}: {error}", path.escape_ascii())
}

/// Names the path that a volume's error is about. All errors but one are about this path alone.
pub(crate) fn skip<E: Display>(path: &[u8]) -> impl Fn(Error<E>) -> Failure {
    move |error| match error {
        Error::Stopped => Failure::End(at(path, error)),
        error => Failure::Skip(at(path, error)),
    }
}

/// Report of one command, with the names that were tried.
pub(crate) struct Remarks<'r> {
    report: &'r mut dyn Report,
    names: u64,
    failed: u64,
}

impl<'r> Remarks<'r> {
    pub(crate) fn new(report: &'r mut dyn Report) -> Self {
        Remarks { report, names: 0, failed: 0 }
    }

    pub(crate) fn output(&mut self, bytes: &[u8]) -> Result<()> {
        self.report.output(bytes)
    }

    /// Counts a name that is tried.
    pub(crate) fn count_name(&mut self) {
        self.names = self.names.saturating_add(1);
    }

    /// Counts a name that failed, without a line.
    pub(crate) fn count_failed(&mut self) {
        self.failed = self.failed.saturating_add(1);
    }

    /// Returns what was done; `None` and a line if only this name failed.
    pub(crate) fn go_on<T>(&mut self, done: Step<T>) -> Step<Option<T>> {
        match done {
            Ok(done) => Ok(Some(done)),
            Err(Failure::Skip(line)) => {
                self.count_failed();
                self.report.fail(&line);
                Ok(None)
            }
            Err(end) => Err(end),
        }
    }

    /// Passes the volume's new warnings on, which are about `path`.
    pub(crate) fn warn<D, B, P: AsRef<[u8]>>(
        &mut self,
        volume: &mut Volume<D, B>,
        path: impl Fn() -> P,
    ) {
        while let Some(warning) = volume.next_warning() {
            self.report.warn(&at(path().as_ref(), warning));
        }
    }

    /// Ends the command, which did its work on `path` with this outcome.
    pub(crate) fn end<D, B>(
        mut self,
        done: Step<()>,
        volume: &mut Volume<D, B>,
        path: &[u8],
    ) -> Result<()> {
        self.warn(volume, || path);
        let more = volume.take_more_warnings();
        if more > 0 {
            self.report.warn(&at(path, format_args!("such values were met {more} more times")));
        }
        done?;
        match self.failed {
            0 => Ok(()),
            failed => {
                let names = self.names;
                Err(at(path, format_args!("{failed} of {names} names could not be read")))
            }
        }
    }
}
