//! Documentation of an option: its values, its default, its differences from fio. Only programs
//! outside the guest print it.

use crate::number::{Bytes, US_PER_SECOND};
use alloc::string::{String, ToString};
use core::fmt;

/// Option as documentation shows it.
#[derive(Clone, Copy, Debug)]
pub struct OptionDoc {
    /// Names: the one to use, then its aliases.
    pub names: &'static [&'static str],
    /// Word that stands for the value, such as `BYTES`.
    pub value: &'static str,
    /// Meaning, in one line.
    pub help: &'static str,
    /// Default.
    pub default: Initial,
    /// Values that the option takes.
    pub values: Values,
    /// Differences from fio, in one line; empty if there are none.
    pub unlike_fio: &'static str,
}

/// Value of an option that is not given.
#[derive(Clone, Copy, Debug)]
pub enum Initial {
    /// The same as with this value.
    Value(&'static str),
    /// Something else, in words.
    Words(&'static str),
    /// Nothing.
    Nothing,
}

impl Initial {
    /// Returns the text that documentation shows; empty if there is no default.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Value(text) | Self::Words(text) => text,
            Self::Nothing => "",
        }
    }
}

/// Values that an option takes.
#[derive(Clone, Copy, Debug)]
pub enum Values {
    /// No value, which is on, or a number, of which 0 is off.
    Flag,
    /// `0` or `1`.
    Bool,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Numbers.
    Numbers(Numbers),
    /// A number, or this word.
    NumbersOr(Numbers, &'static str),
    /// Text of this form.
    Text {
        /// Form, in words.
        form: &'static str,
        /// Example of it.
        example: &'static str,
    },
}

/// Range of numbers.
#[derive(Clone, Copy, Debug)]
pub struct Numbers {
    /// Kind of the numbers.
    pub unit: Unit,
    /// Least number, in the smallest unit.
    pub least: u64,
    /// Greatest number, likewise.
    pub greatest: u64,
    /// Number of which all are multiples.
    pub step: u64,
}

/// Kind of numbers, and so the units that they may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Number of things.
    Count,
    /// Bytes.
    Bytes,
    /// Bytes, or per cent of the disk.
    BytesOrPercent,
    /// Microseconds; a number without a unit is in seconds.
    Seconds,
    /// Microseconds; so is a number without a unit.
    Microseconds,
}

impl Numbers {
    pub(crate) const fn new(unit: Unit, least: u64, greatest: u64) -> Self {
        Self { unit, least, greatest, step: 1 }
    }

    /// Returns the option's value for a number in the smallest unit.
    pub fn value(&self, number: u64) -> String {
        match self.unit {
            Unit::Count => number.to_string(),
            Unit::Bytes | Unit::BytesOrPercent => Bytes(number).to_string(),
            Unit::Seconds | Unit::Microseconds => time(number),
        }
    }

    /// Returns the units that a value may have.
    pub fn units(&self) -> &'static str {
        const BYTES: &str = "k, m, g, t and p are powers of 1024; kib to pib of 1000";
        match self.unit {
            Unit::Count | Unit::Bytes => BYTES,
            Unit::BytesOrPercent => {
                "k, m, g, t and p are powers of 1024; kib to pib of 1000; % is of the disk"
            }
            Unit::Seconds => "us, ms, s, m, h or d; a number without a unit is in seconds",
            Unit::Microseconds => {
                "us, ms, s, m, h or d; a number without a unit is in microseconds"
            }
        }
    }
}

/// Returns a time as a value, with the largest unit that divides it.
fn time(us: u64) -> String {
    const SECONDS: [(&str, u64); 4] = [("d", 24 * 60 * 60), ("h", 60 * 60), ("m", 60), ("s", 1)];
    let units = SECONDS.into_iter().map(|(unit, seconds)| (unit, seconds * US_PER_SECOND));
    let mut units = units.chain([("ms", 1_000)]);
    match units.find(|(_, unit_us)| us != 0 && us.is_multiple_of(*unit_us)) {
        Some((unit, unit_us)) => (us / unit_us).to_string() + unit,
        None if us == 0 => "0".to_string(),
        None => us.to_string() + "us",
    }
}

impl fmt::Display for Initial {
    /// Prints the value; words are in parentheses, and nothing is `-`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(text) => f.write_str(text),
            Self::Words(text) => write!(f, "({text})"),
            Self::Nothing => f.write_str("-"),
        }
    }
}

impl fmt::Display for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, percent) = (self.value(self.least), self.unit == Unit::BytesOrPercent);
        match self.greatest {
            u64::MAX => write!(f, "{least} or more, in 64 bits")?,
            greatest => write!(f, "{least} to {}", self.value(greatest))?,
        }
        if percent {
            write!(f, ", or {}% to 100%", self.least)?;
        }
        if self.step == 1 { Ok(()) } else { write!(f, ", multiples of {}", self.step) }
    }
}

impl fmt::Display for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("0 or 1; alone it is 1"),
            Self::Bool => f.write_str("0 or 1"),
            Self::OneOf(words) => words.iter().enumerate().try_for_each(|(index, word)| {
                f.write_str(if index == 0 { "" } else { ", " }).and_then(|()| f.write_str(word))
            }),
            Self::Numbers(numbers) => numbers.fmt(f),
            Self::NumbersOr(numbers, word) => write!(f, "{word}, or {numbers}"),
            Self::Text { form, example } => write!(f, "{form}; for example {example}"),
        }
    }
}
