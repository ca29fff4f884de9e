//! Rates of a job's I/Os, and other values that each direction has for itself.

use crate::direction::Direction;
use crate::error::JobError;
use crate::keyword::Rw;
use crate::number::Bytes;
use crate::value::Value;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Rate limit of a job, for each direction. As in fio, a job that fell behind catches up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Whether the limit is in I/Os rather than bytes.
    pub in_ios: bool,
    /// Reads: I/Os or bytes per second, at least 1; `None` is no limit.
    pub read: Option<u64>,
    /// Writes, likewise.
    pub write: Option<u64>,
    /// Trims, likewise.
    pub trim: Option<u64>,
}

impl Rate {
    /// Returns whether there is a limit.
    pub(crate) fn limits(&self) -> bool {
        self.read.or(self.write).or(self.trim).is_some()
    }

    /// Returns whether it limits anything that a job does.
    pub(crate) fn applies_to(&self, rw: Rw) -> bool {
        rw.reads() && self.read.is_some()
            || rw.writes() && self.write.is_some()
            || rw.trims() && self.trim.is_some()
    }

    /// Returns the limit of one direction.
    pub fn of(&self, direction: Direction) -> Option<u64> {
        match direction {
            Direction::Read => self.read,
            Direction::Write => self.write,
            Direction::Trim => self.trim,
        }
    }

    /// Reads `500k` or `1m,500k,2m`, for reads, writes and trims; 0 is no limit, as in fio.
    pub(crate) fn read(value: Value<'_>, in_ios: bool) -> Result<Option<Self>, JobError> {
        let [read, write, trim] = in_directions(value, |one| one.count_or_none())?;
        Ok(Some(Self { in_ios, read, write, trim }).filter(Self::limits))
    }

    /// Returns whether it is more than another one in a direction that both limit.
    pub(crate) fn exceeds(&self, other: &Self) -> bool {
        let both = |direction| Some(self.of(direction)? > other.of(direction)?);
        Direction::ALL.into_iter().any(|direction| both(direction).unwrap_or(false))
    }

    pub(crate) fn print(&self) -> String {
        let print = |limit: Option<u64>| match limit {
            Some(limit) if self.in_ios => limit.to_string(),
            Some(limit) => Bytes(limit).to_string(),
            None => String::new(),
        };
        match [self.read, self.write, self.trim].map(print) {
            [read, write, trim] if read == write && write == trim => read,
            [read, write, trim] if write == trim => format!("{read},{write}"),
            [read, write, trim] => format!("{read},{write},{trim}"),
        }
    }
}

/// Reads a value for reads, writes and trims, between commas. As in fio the last one is that of the
/// directions behind it, too, unless a comma ends it.
pub(crate) fn in_directions(
    value: Value<'_>,
    read: impl Fn(Value<'_>) -> Result<Option<u64>, JobError>,
) -> Result<[Option<u64>; 3], JobError> {
    let part = |text: &str| if text.is_empty() { Ok(None) } else { read(value.part(text)) };
    let parts = value.text()?.split(',').take(4).map(part).collect::<Result<Vec<_>, _>>()?;
    match parts[..] {
        [read] => Ok([read; 3]),
        [read, write] if value.text()?.ends_with(',') => Ok([read, write, None]),
        [read, write] => Ok([read, write, write]),
        [read, write, trim] => Ok([read, write, trim]),
        _ => Err(value.wrong("too many; give at most three, for reads, writes and trims")),
    }
}
