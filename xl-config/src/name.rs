//! Names of domains that every command of xl finds again.

use std::error::Error;
use std::fmt::{self, Display, Formatter};

/// Longest name, in bytes: xenconsoled's log, `guest-NAME.log`, is a file.
const BYTES_MAX: usize = 200;

/// Reasons why a domain can't have a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameError {
    /// Empty name.
    Empty,
    /// Name that xl takes for the number of a domain.
    Number(String),
    /// Name that xl takes for an option.
    Option(String),
    /// Name with a slash: the console's log would be in some other directory.
    Slash(String),
    /// Name with a character that does not print, or a blank at an end.
    Unprintable(String),
    /// Name that is longer than a file's may be; its length in bytes.
    Long(usize),
}

impl Display for NameError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a domain's name is not empty"),
            Self::Number(name) => {
                write!(f, "xl takes the name {name} for the number of a domain; add a letter")
            }
            Self::Option(name) => {
                write!(f, "xl takes the name {name:?} for an option; begin it with a letter")
            }
            Self::Slash(name) => write!(f, "the name {name:?} has a slash; leave it out"),
            Self::Unprintable(name) => {
                write!(f, "the name {name:?} has characters that do not show; leave them out")
            }
            Self::Long(bytes) => {
                write!(f, "the name has {bytes} bytes; shorten it to {BYTES_MAX}")
            }
        }
    }
}

impl Error for NameError {}

/// Checks a domain's name.
///
/// # Errors
/// The reason why it can't be one.
pub fn check(name: &str) -> Result<(), NameError> {
    let refused = if name.is_empty() {
        NameError::Empty
    } else if name.len() > BYTES_MAX {
        NameError::Long(name.len())
    } else if name.bytes().all(|letter| letter.is_ascii_digit()) {
        NameError::Number(name.to_owned())
    } else if name.starts_with('-') {
        NameError::Option(name.to_owned())
    } else if name.contains('/') {
        NameError::Slash(name.to_owned())
    } else if name.contains(char::is_control) || name.trim() != name {
        NameError::Unprintable(name.to_owned())
    } else {
        return Ok(());
    };
    Err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_xl_finds_are_taken() {
        for name in ["a", "7a", "a name", "a-b", "dom\\test", "\"'", "\u{e4}", &"a".repeat(200)] {
            assert_eq!(check(name), Ok(()));
        }
    }

    #[test]
    fn names_that_xl_takes_for_something_else_are_refused() {
        for (name, expected) in [
            ("", "is not empty"),
            ("0", "number of a domain"),
            ("0123", "number of a domain"),
            ("-f", "begin it with a letter"),
            ("a/b", "has a slash"),
            ("a\nb", "do not show"),
            ("a\0", "do not show"),
            (" a", "do not show"),
            ("a ", "do not show"),
            (&"a".repeat(201), "201 bytes"),
        ] {
            let error = check(name).unwrap_err().to_string();
            assert!(error.contains(expected), "{name:?}: {error}");
        }
    }
}
