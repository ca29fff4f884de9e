//! Patterns of fio's `verify=pattern`: data that follows from its position, without a header.
//!
//! A `verify_pattern=` is a sequence of one or more of these: hexadecimal bytes (`0xff00`), a
//! decimal number (its bytes, least significant first, without leading zeros), a string in `"`, and
//! `%o`, the byte offset of the block (one I/O of `bs`) on the disk, as 8 bytes, least significant
//! first. The pattern starts with each block and repeats to its end.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// Longest pattern, in bytes, as in fio.
pub const PATTERN_BYTES_MAX: usize = 512;

/// Pattern that can be written and checked anywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyPattern {
    text: String,
    /// Bytes of one repetition. Never empty.
    bytes: Vec<PatternByte>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PatternByte {
    Literal(u8),
    /// Byte of the block's offset that starts at this bit.
    Offset {
        shift: u8,
    },
}

impl PatternByte {
    #[inline]
    fn at(self, block_offset: u64) -> u8 {
        match self {
            Self::Literal(byte) => byte,
            Self::Offset { shift } => (block_offset >> shift) as u8,
        }
    }
}

/// Byte that differs from the pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Offset from the start of the disk, in bytes.
    pub offset_bytes: u64,
    /// Byte of the pattern.
    pub expected: u8,
    /// Byte on the disk.
    pub found: u8,
}

/// Reason why a `verify_pattern=` cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatternError {
    /// The pattern has no bytes.
    Empty,
    /// The pattern is longer than 512 bytes.
    TooLong,
    /// A `"` has no closing `"`.
    OpenQuote,
    /// A `%` is not followed by `o`.
    Format,
    /// A number, string or `%o` is missing.
    Unreadable,
    /// A decimal number is outside the range that fio accepts.
    TooBig,
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "empty; use, for example, 0xab or %o",
            Self::TooLong => "more than 512 bytes; use a shorter pattern",
            Self::OpenQuote => "a \" is not closed; add one",
            Self::Format => "the only format is %o, the block's offset",
            Self::Unreadable => "use 0x and hexadecimal digits, a number, \"text\" or %o",
            Self::TooBig => "a number above 2147483647; use 0x and hexadecimal digits",
        })
    }
}

impl core::error::Error for PatternError {}

impl VerifyPattern {
    /// Reads a `verify_pattern=`.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let mut bytes = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            rest = parse_part(rest, &mut bytes)?;
            if bytes.len() > PATTERN_BYTES_MAX {
                return Err(PatternError::TooLong);
            }
        }
        if bytes.is_empty() {
            return Err(PatternError::Empty);
        }
        Ok(Self { text: text.to_owned(), bytes })
    }

    /// Fills `out`, which begins `chunk_offset` bytes into the block at `block_offset` bytes.
    pub fn fill(&self, block_offset: u64, chunk_offset: usize, out: &mut [u8]) {
        for (byte, pattern) in out.iter_mut().zip(self.from(chunk_offset)) {
            *byte = pattern.at(block_offset);
        }
    }

    /// Checks `data`, which begins `chunk_offset` bytes into the block at `block_offset` bytes.
    ///
    /// # Errors
    /// The first byte that differs.
    pub fn check(
        &self,
        block_offset: u64,
        chunk_offset: usize,
        data: &[u8],
    ) -> Result<(), Difference> {
        for ((offset, &found), pattern) in
            (chunk_offset as u64..).zip(data).zip(self.from(chunk_offset))
        {
            let expected = pattern.at(block_offset);
            if found != expected {
                return Err(Difference { offset_bytes: block_offset + offset, expected, found });
            }
        }
        Ok(())
    }

    /// Returns the pattern's repetitions, `chunk_offset` bytes into a block.
    fn from(&self, chunk_offset: usize) -> impl Iterator<Item = PatternByte> {
        self.bytes.iter().copied().cycle().skip(chunk_offset % self.bytes.len())
    }
}

impl fmt::Display for VerifyPattern {
    /// Prints the text that the pattern was read from.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Adds the bytes of the first element of `text`; returns the remaining text.
fn parse_part<'a>(text: &'a str, bytes: &mut Vec<PatternByte>) -> Result<&'a str, PatternError> {
    if let Some(string) = text.strip_prefix('"') {
        let (string, rest) = string.split_once('"').ok_or(PatternError::OpenQuote)?;
        bytes.extend(string.bytes().map(PatternByte::Literal));
        Ok(rest)
    } else if let Some(format) = text.strip_prefix('%') {
        let rest = format.strip_prefix('o').ok_or(PatternError::Format)?;
        bytes.extend((0..u64::BITS as u8).step_by(8).map(|shift| PatternByte::Offset { shift }));
        Ok(rest)
    } else if let Some((digits, rest)) = hex_number(text) {
        // An odd first digit is a byte of its own.
        let (odd, pairs) = digits.split_at(digits.len() % 2);
        let odd = (!odd.is_empty()).then_some(odd.as_bytes());
        for digits in odd.into_iter().chain(pairs.as_bytes().chunks(2)) {
            let digit =
                |value, &byte| value * 16 + char::from(byte).to_digit(16).unwrap_or(0) as u8;
            bytes.push(PatternByte::Literal(digits.iter().fold(0, digit)));
        }
        Ok(rest)
    } else {
        let (number, rest) = decimal_number(text)?;
        let length = (number.to_le_bytes().iter().rposition(|&byte| byte != 0)).unwrap_or(0) + 1;
        bytes.extend(number.to_le_bytes().into_iter().take(length).map(PatternByte::Literal));
        Ok(rest)
    }
}

/// Returns the digits after `0x`, and the remaining text.
fn hex_number(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?;
    let (digits, rest) = split_digits(text, 16);
    (!digits.is_empty()).then_some((digits, rest))
}

/// Returns a number in the range of a C int, and the remaining text.
fn decimal_number(text: &str) -> Result<(i32, &str), PatternError> {
    let negated = text.strip_prefix('-');
    let (digits, rest) = split_digits(negated.unwrap_or(text), 10);
    if digits.is_empty() {
        return Err(PatternError::Unreadable);
    }
    let magnitude: i64 = digits.parse().map_err(|_| PatternError::TooBig)?;
    let number = if negated.is_some() { -magnitude } else { magnitude };
    Ok((i32::try_from(number).map_err(|_| PatternError::TooBig)?, rest))
}

/// Returns the leading digits, and the remaining text. The `0` of a `0x` starts the next number:
/// `0xff0x14` is two bytes.
fn split_digits(text: &str, radix: u32) -> (&str, &str) {
    let length = text.find(|c: char| !c.is_digit(radix)).unwrap_or(text.len());
    let (digits, rest) = text.split_at(length);
    match digits.strip_suffix('0') {
        Some(shorter) if rest.starts_with(['x', 'X']) => text.split_at(shorter.len()),
        _ => (digits, rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    /// Returns one repetition of a pattern in the block at `block_offset`.
    fn bytes(text: &str, block_offset: u64) -> Result<Vec<u8>, PatternError> {
        let pattern = VerifyPattern::parse(text)?;
        let mut out = vec![0; pattern.bytes.len()];
        pattern.fill(block_offset, 0, &mut out);
        Ok(out)
    }

    #[test]
    fn patterns_as_fio_reads_them() {
        for (text, expected) in [
            ("0xff", &b"\xff"[..]),
            ("0XFFeeCC", b"\xff\xee\xcc"),
            ("0xabc", b"\x0a\xbc"),
            ("0xff0x14", b"\xff\x14"),
            ("0xFF0X1", b"\xff\x01"),
            ("66", b"\x42"),
            ("0", b"\0"),
            ("256", b"\0\x01"),
            ("-1024", b"\0\xfc\xff\xff"),
            ("\"abcd\"", b"abcd"),
            ("%o", b"\x88\x77\x66\x55\x44\x33\x22\x11"),
            ("\"1\"%o\"2\"", b"1\x88\x77\x66\x55\x44\x33\x22\x112"),
            ("-100xab\"1\"", b"\xf6\xff\xff\xff\xab1"),
        ] {
            assert_eq!(bytes(text, 0x1122_3344_5566_7788).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn patterns_that_are_none() {
        for (text, error) in [
            ("", PatternError::Empty),
            ("\"\"", PatternError::Empty),
            ("\"abc", PatternError::OpenQuote),
            ("%x", PatternError::Format),
            ("abc", PatternError::Unreadable),
            ("0x", PatternError::Unreadable),
            ("-", PatternError::Unreadable),
            ("1,2", PatternError::Unreadable),
            ("2147483648", PatternError::TooBig),
            ("99999999999999999999", PatternError::TooBig),
        ] {
            assert_eq!(VerifyPattern::parse(text), Err(error), "{text}");
        }
        let long = "%o".repeat(PATTERN_BYTES_MAX / 8);
        assert!(VerifyPattern::parse(&long).is_ok());
        assert_eq!(VerifyPattern::parse(&(long + "1")), Err(PatternError::TooLong));
    }

    #[test]
    fn a_mismatch_says_where_and_what() {
        let pattern = VerifyPattern::parse("%o").expect("a pattern");
        let mut page = [0; 4096];
        pattern.fill(8192, 4096, &mut page);
        assert_eq!(pattern.check(8192, 4096, &page), Ok(()));
        page[100] ^= 0x0f;
        let offset_bytes = 8192 + 4096 + 100;
        let difference = Difference { offset_bytes, expected: 0, found: 0x0f };
        assert_eq!(pattern.check(8192, 4096, &page), Err(difference));
        // Data of another block is wrong.
        pattern.fill(4096, 0, &mut page);
        assert!(pattern.check(8192, 0, &page).is_err());
    }

    proptest! {
        #[test]
        fn pages_make_the_same_block_as_one_piece(
            text in "(0x[0-9a-f]{1,9}|-[1-9][0-9]{0,7}|\"[a-z]{1,5}\"|%o){1,4}",
            sector in 0..u64::MAX / 512,
            split in 1..8192_usize,
        ) {
            let pattern = VerifyPattern::parse(&text).expect("made readable");
            let offset = sector * 512;
            let mut whole = vec![0; 8192];
            pattern.fill(offset, 0, &mut whole);
            let mut pieces = vec![0; 8192];
            let (first, second) = pieces.split_at_mut(split);
            pattern.fill(offset, 0, first);
            pattern.fill(offset, split, second);
            prop_assert_eq!(pattern.check(offset, split, second), Ok(()));
            prop_assert_eq!(whole, pieces);
        }
    }
}
