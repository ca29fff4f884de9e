//! Names of partitions, as the BSDs form them.

use core::fmt;
use core::str::FromStr;

/// Partitions of a label that have a letter: `a` to `z`, then `A` to `Z`.
pub(super) const LETTERS: u8 = 52;

/// Name of a partition: `disk` for the whole disk, `s1` to `s4` for the slices of an MBR and from
/// `s5` on for its logical partitions, `p1` for the first entry of a GPT, a letter for a partition
/// of the disk's own label, and both as `s1a` or `p2d` for one of a label within those.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartitionName {
    pub(super) outer: Outer,
    /// Index of the letter.
    pub(super) letter: Option<u8>,
}

/// Place that a label may be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outer {
    Disk,
    /// Number of an MBR's partition.
    Slice(u16),
    /// Number of a GPT's entry.
    Gpt(u16),
}

impl PartitionName {
    /// Name of the whole disk.
    pub const DISK: Self = Self { outer: Outer::Disk, letter: None };

    /// Returns whether a bare letter means this partition: that of a label, wherever it is.
    pub(super) fn has_letter_of(self, bare: Self) -> bool {
        bare.outer == Outer::Disk && bare.letter.is_some() && self.letter == bare.letter
    }
}

impl From<Outer> for PartitionName {
    fn from(outer: Outer) -> Self {
        Self { outer, letter: None }
    }
}

impl fmt::Display for PartitionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = |index: u8| match index {
            0..26 => char::from(b'a' + index),
            _ => char::from(b'A'.saturating_add(index - 26)),
        };
        match (self.outer, self.letter) {
            (Outer::Disk, None) => return f.pad("disk"),
            (Outer::Disk, Some(_)) => {}
            (Outer::Slice(number), _) => write!(f, "s{number}")?,
            (Outer::Gpt(number), _) => write!(f, "p{number}")?,
        }
        self.letter.map_or(Ok(()), |index| write!(f, "{}", letter(index)))
    }
}

/// Text that is no partition's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAName;

impl fmt::Display for NotAName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a partition's name is like s1, p2, a, s1a or p2d, or disk")
    }
}

impl core::error::Error for NotAName {}

impl FromStr for PartitionName {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        if text == "disk" {
            return Ok(Self::DISK);
        }
        let (rest, letter) = match text.as_bytes().last() {
            Some(last @ b'a'..=b'z') => (text.get(..text.len() - 1), Some(last - b'a')),
            Some(last @ b'A'..=b'Z') => (text.get(..text.len() - 1), Some(last - b'A' + 26)),
            _ => (Some(text), None),
        };
        let rest = rest.ok_or(NotAName)?;
        let number = |digits: &str| {
            let plain = digits.starts_with(|first| matches!(first, '1'..='9'));
            digits.parse().ok().filter(|_| plain).ok_or(NotAName)
        };
        let outer = match (rest.strip_prefix('s'), rest.strip_prefix('p')) {
            (Some(digits), _) => Outer::Slice(number(digits)?),
            (_, Some(digits)) => Outer::Gpt(number(digits)?),
            _ if rest.is_empty() && letter.is_some() => Outer::Disk,
            _ => return Err(NotAName),
        };
        Ok(Self { outer, letter })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for text in [
            "disk", "a", "z", "A", "Z", "s", "p", "s1", "s5", "s65535", "p128", "s1a", "p2d", "s4Z",
        ] {
            let name: PartitionName = text.parse().unwrap_or_else(|_| panic!("{text}"));
            assert_eq!(name.to_string(), text);
        }
        let many: PartitionName = "s1Z".parse().unwrap();
        assert_eq!((many.outer, many.letter), (Outer::Slice(1), Some(LETTERS - 1)));
    }

    #[test]
    fn other_text_is_no_name() {
        for text in [
            "", "1", "0", "s0", "s01", "p+1", "s65536", "s1ab", "1a", "ab", "x1", "x1a", "sa",
            "pp", "s1 ", " a", "s-1", "Disk", "diska", "\u{e4}", "s1\u{e4}", "s\u{661}", "s1a1",
        ] {
            assert_eq!(text.parse::<PartitionName>(), Err(NotAName), "{text:?}");
        }
    }
}
