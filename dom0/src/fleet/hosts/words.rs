//! Words between the tool that was asked, which leads, and those on other hosts, which follow it:
//! a line of JSON each, over the standard input and output that ssh carries.

use anyhow::{Result, anyhow};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::display;

/// Longest order, in bytes.
pub const ORDER_BYTES_MAX: usize = 256;

/// Order of the leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Make the guests.
    Begin,
    /// Say what time it is, with this number.
    Clock(u32),
    /// Let the guests start this stage.
    Start {
        /// The stage, from 1.
        stage: u32,
        /// Time to do so, in nanoseconds since 1970 by the follower's own clock.
        at_ns: u64,
    },
    /// End early, as a signal asks for; said twice, at once.
    Early,
    /// Nothing but that the leader is still there.
    Here,
}

/// Word of a follower.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// All is checked, and the guests could be made.
    Hello,
    /// The time.
    Clock {
        /// Number that was given.
        number: u32,
        /// Nanoseconds since 1970.
        ns: u64,
    },
    /// All guests that still come wait to start this stage, from 1.
    Ready(u32),
    /// They have been told to.
    Told {
        /// The stage, from 1.
        stage: u32,
        /// Begin of the write that told them, in nanoseconds since 1970.
        begun_ns: u64,
        /// Its end.
        done_ns: u64,
    },
    /// Outcome of a guest.
    Guest(Box<Found>),
    /// There is no more to say.
    End,
}

/// Outcome of a guest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Found {
    /// Its place among those of its host, from 0.
    pub index: u32,
    /// Whether it started its first job together with the others.
    pub has_started: bool,
    /// Its result, as JSON, if it has a good one.
    pub report: Option<String>,
    /// Origin of that, as JSON.
    pub origin: Option<String>,
    /// Reason why it has none.
    pub reason: Option<String>,
    /// Whether that is that it took too long.
    pub timed_out: bool,
    /// Reason to think that its domain is still there.
    pub left: Option<String>,
}

/// Returns words as a line.
///
/// # Errors
/// None that is known: JSON can say all of them.
pub fn line(words: &impl Serialize) -> Result<String> {
    Ok(serde_json::to_string(words)? + "\n")
}

/// Reads a line without its end.
///
/// # Errors
/// A line that nobody says who is of this version.
pub fn read<T: DeserializeOwned>(line: &str) -> Result<T> {
    serde_json::from_str(line).map_err(|_| anyhow!("it says {}", display::text(line)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_were_said() {
        let found = Found { index: 3, report: Some("{\"a\":\n1}".into()), ..Found::default() };
        for word in [
            Word::Hello,
            Word::Clock { number: 1, ns: u64::MAX },
            Word::Ready(2),
            Word::Told { stage: 1, begun_ns: 5, done_ns: 7 },
            Word::Guest(Box::new(found)),
            Word::End,
        ] {
            let line = line(&word).unwrap();
            assert_eq!(line.matches('\n').count(), 1, "{line}");
            assert_eq!(read::<Word>(line.trim_end()).unwrap(), word);
        }
        for order in [
            Order::Begin,
            Order::Clock(u32::MAX),
            Order::Start { stage: u32::MAX, at_ns: u64::MAX },
            Order::Early,
            Order::Here,
        ] {
            let line = line(&order).unwrap();
            assert!(line.len() <= ORDER_BYTES_MAX, "{line}");
            assert_eq!(read::<Order>(line.trim_end()).unwrap(), order);
        }
    }

    #[test]
    fn what_nobody_says_is_refused() {
        for line in [
            "",
            "hello",
            "{\"clock\":{\"number\":-1,\"ns\":1}}",
            "{\"clock\":{\"number\":1,\"ns\":1e99}}",
            "{\"ready\":4294967296}",
            "{\"guest\":7}",
            "\"hello\" \"end\"",
            "\u{1b}[2J",
        ] {
            let error = read::<Word>(line).unwrap_err().to_string();
            assert!(error.chars().all(display::is_harmless), "{error}");
        }
    }
}
