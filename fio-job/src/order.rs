//! Order of I/Os that is neither one after the other nor a new place each time.

use crate::error::JobError;
use crate::keyword::Rw;
use crate::limits::SECTOR_BYTES;
use crate::number::parse_bytes;
use crate::value::Value;
use core::fmt;

/// Order of a job's I/Os, by the number behind the word of `rw=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Bytes from the end of an I/O to the begin of the next of its direction, a multiple of 512:
    /// a hole, or less than 0 to go back (`rw=read:8k`, `rw=read:-8k`).
    Holes(i64),
    /// I/Os from one random place to the next, at least 2 (`rw=randread:8`).
    Runs {
        /// Number of I/Os, the one at random included.
        ios: u64,
        /// Whether those between are all at the place of the last one, not behind it
        /// (`rw_sequencer=identical`).
        identical: bool,
    },
}

impl Order {
    /// Reads `rw=` with or without a number; the number is that of [`new`](Self::new).
    pub(crate) fn read(value: Value<'_>) -> Result<(Rw, i64), JobError> {
        let text = value.text()?;
        if text.starts_with("trimwrite") || text.starts_with("randtrimwrite") {
            return Err(value.wrong(
                "one job does not trim and write in turn; use a job of trims and one of writes",
            ));
        }
        let Some((word, number)) = text.split_once(':') else { return Ok((value.rw()?, 0)) };
        let rw = value.part(word).rw()?;
        let (sign, digits) = number.strip_prefix('-').map_or((1, number), |digits| (-1, digits));
        let bytes = || i64::try_from(parse_bytes(digits).ok()?).ok();
        let is_whole = |number: i64| number.unsigned_abs().is_multiple_of(SECTOR_BYTES.into());
        if rw.is_random() {
            let ios = number.parse().ok().filter(|ios: &i64| *ios > 0);
            let wrong =
                || value.wrong("use, for example, randread:8: a new place for every 8th I/O");
            return ios.map(|ios| (rw, ios)).ok_or_else(wrong);
        }
        let wrong = || {
            value.wrong("use a multiple of 512 bytes, for example read:8k, or read:-8k to go back")
        };
        bytes()
            .map(|bytes| (rw, sign * bytes))
            .filter(|(_, bytes)| is_whole(*bytes))
            .ok_or_else(wrong)
    }

    /// Returns the order of a job with this number behind its word.
    pub(crate) fn new(rw: Rw, number: i64, identical: bool) -> Option<Self> {
        match number {
            0 => None,
            1 if rw.is_random() => None,
            ios if rw.is_random() => Some(Self::Runs { ios: ios.unsigned_abs(), identical }),
            bytes => Some(Self::Holes(bytes)),
        }
    }
}

impl fmt::Display for Order {
    /// Prints what stands behind the word of `rw=`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Holes(bytes) => write!(f, ":{bytes}"),
            Self::Runs { ios, .. } => write!(f, ":{ios}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_of_bytes_or_of_ios() {
        let read = |text| Order::read(Value::new("rw", Some(text))).ok();
        for (text, expected) in [
            ("read", Some((Rw::Read, 0))),
            ("read:8k", Some((Rw::Read, 8192))),
            ("rw:-1024", Some((Rw::ReadWrite, -1024))),
            ("randread:8", Some((Rw::RandRead, 8))),
            ("randread:0", None),
            ("randread:-1", None),
            ("randread:4k", None),
            ("read:100", None),
            ("read:--512", None),
            ("read:-9223372036854775808", None),
            ("read:", None),
            ("scan:4k", None),
            ("trimwrite", None),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
        assert_eq!(Order::new(Rw::RandRead, 1, true), None);
        assert_eq!(Order::new(Rw::Read, 0, true), None);
    }
}
