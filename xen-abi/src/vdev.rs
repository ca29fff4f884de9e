//! Virtual device numbers and the names people know them by (docs/man/xen-vbd-interface.7).

use core::fmt;

/// Number of a VBD, as in its `virtual-device` node and in each request's handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Vdev(pub u32);

/// Marks numbers with room for more than 16 disks.
const EXTENDED: u32 = 1 << 28;
/// Number of disks that have one.
const DISKS: u32 = 1 << 20;

impl Vdev {
    /// Returns the number of `xvda` (0), `xvdb` (1), ..; `None` beyond the last.
    pub const fn xvd(disk: u32) -> Option<Self> {
        Self::of_xvd(disk, 0)
    }

    const fn of_xvd(disk: u32, partition: u32) -> Option<Self> {
        match (disk, partition) {
            (0..=15, 0..=15) => Some(Self(202 << 8 | disk << 4 | partition)),
            (0..DISKS, 0..=255) => Some(Self(EXTENDED | disk << 8 | partition)),
            _ => None,
        }
    }

    /// Reads a name as it stands in a configuration: `xvdb1`, `sda`, `hda`, `d1p0`, or a number.
    pub fn parse(name: &str) -> Option<Self> {
        if let Some(rest) = name.strip_prefix("xvd") {
            let (disk, partition) = letters_and_number(rest)?;
            Self::of_xvd(disk, partition)
        } else if let Some(rest) = name.strip_prefix('d') {
            let (disk, partition) = rest.split_once('p')?;
            Self::of_xvd(number(disk)?, number(partition)?)
        } else if let Some(rest) = name.strip_prefix("sd") {
            let (disk @ 0..=15, partition @ 0..=15) = letters_and_number(rest)? else {
                return None;
            };
            Some(Self(8 << 8 | disk << 4 | partition))
        } else if let Some(rest) = name.strip_prefix("hd") {
            let (disk @ 0..=3, partition @ 0..=63) = letters_and_number(rest)? else {
                return None;
            };
            let major = if disk < 2 { 3 } else { 22 };
            Some(Self(major << 8 | (disk & 1) << 6 | partition))
        } else {
            number(name).map(Self)
        }
    }

    /// Returns which disk it is, counted from 0, and which partition of it, 0 for all of it; `None`
    /// for a number of no known form.
    pub fn disk_and_partition(self) -> Option<(u32, u32)> {
        self.parts().map(|(_, disk, partition)| (disk, partition))
    }

    /// Returns the `handle` field of requests, which has 16 bits only.
    pub const fn handle(self) -> u16 {
        self.0 as u16
    }

    /// Returns prefix, disk and partition; `None` for a number of no known form.
    fn parts(self) -> Option<(&'static str, u32, u32)> {
        if self.0 & EXTENDED != 0 {
            let rest = self.0 & (EXTENDED - 1);
            return (self.0 < 2 * EXTENDED).then_some(("xvd", rest >> 8, rest & 0xff));
        }
        let minor = self.0 & 0xff;
        match self.0 >> 8 {
            202 => Some(("xvd", minor >> 4, minor & 15)),
            8 => Some(("sd", minor >> 4, minor & 15)),
            3 => Some(("hd", minor >> 6, minor & 63)),
            22 => Some(("hd", 2 + (minor >> 6), minor & 63)),
            _ => None,
        }
    }
}

impl fmt::Display for Vdev {
    /// Writes a name such as `xvda`, `xvdb1`, `xvdaa`; a number of no known form stands as `vbd-N`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((prefix, mut disk, partition)) = self.parts() else {
            return write!(f, "vbd-{}", self.0);
        };
        // Letters count as in a spreadsheet: a to z, aa to zz, ...; 20 bits of disk are 5 letters.
        let mut letters = [b'a'; 5];
        let mut first = letters.len();
        loop {
            first -= 1;
            letters[first] = b'a' + (disk % 26) as u8;
            if disk < 26 {
                break;
            }
            disk = disk / 26 - 1;
        }
        f.write_str(prefix)?;
        for letter in &letters[first..] {
            write!(f, "{}", char::from(*letter))?;
        }
        if partition != 0 { write!(f, "{partition}") } else { Ok(()) }
    }
}

/// Reads a disk's letters (a to z, aa to zz, ..) and the number of a partition, if there is one.
fn letters_and_number(text: &str) -> Option<(u32, u32)> {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_lowercase());
    let letters = &text[..text.len() - rest.len()];
    let count = letters.bytes().try_fold(0, |count: u32, letter| {
        count.checked_mul(26)?.checked_add(u32::from(letter - b'a') + 1)
    })?;
    let partition = if rest.is_empty() { 0 } else { number(rest).filter(|&number| number > 0)? };
    Some((count.checked_sub(1)?, partition))
}

/// Reads a decimal number. One with a zero before it is none: libxl may take it for octal.
fn number(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|digit| digit.is_ascii_digit());
    let zero = text.len() > 1 && text.starts_with('0');
    if plain && !zero { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::string::ToString;

    #[test]
    fn numbers_have_the_names_of_the_manual() {
        let names = [
            (51712, "xvda"),
            (51728, "xvdb"),
            (51713, "xvda1"),
            (51712 + 15 * 16, "xvdp"),
            (EXTENDED + (16 << 8), "xvdq"),
            (EXTENDED + (26 << 8) + 3, "xvdaa3"),
            (EXTENDED + (701 << 8), "xvdzz"),
            (EXTENDED + (702 << 8), "xvdaaa"),
            (2 * EXTENDED - 1, "xvdbgqcv255"),
            (2048, "sda"),
            (768, "hda"),
            (832, "hdb"),
            (5632, "hdc"),
            (7, "vbd-7"),
            (u32::MAX, "vbd-4294967295"),
        ];
        for (number, name) in names {
            assert_eq!(Vdev(number).to_string(), name);
            if !name.starts_with("vbd") {
                assert_eq!(Vdev::parse(name), Some(Vdev(number)), "{name}");
            }
        }
    }

    #[test]
    fn a_disk_has_more_than_one_name() {
        for (name, number) in [
            ("d0p0", 51712),
            ("d0p1", 51713),
            ("d16p0", EXTENDED + (16 << 8)),
            ("xvda16", EXTENDED + 16),
            ("51712", 51712),
            ("0", 0),
            ("hdd63", 22 << 8 | 64 | 63),
            ("sdp15", 8 << 8 | 255),
        ] {
            assert_eq!(Vdev::parse(name), Some(Vdev(number)), "{name}");
        }
        assert_eq!(Vdev::xvd(0), Some(Vdev(51712)));
        assert_eq!(Vdev::xvd(25), Vdev::parse("xvdz"));
        assert_eq!(Vdev::xvd(DISKS), None);
        assert_eq!(Vdev(51729).disk_and_partition(), Some((1, 1)));
        assert_eq!(Vdev(7).disk_and_partition(), None);
    }

    #[test]
    fn other_words_name_no_disk() {
        for name in [
            "",
            "xvd",
            "xvd1",
            "XVDA",
            "xvda0",
            "xvda01",
            "xvda256",
            "xvda+1",
            "xvda ",
            "xvdbgqcw",
            "xvdzzzzzzzz",
            "sdq",
            "sda16",
            "hde",
            "hda64",
            "d0",
            "dp",
            "d0p",
            "d01p0",
            "d0x1p0",
            "d1048576p0",
            "d0p256",
            "4294967296",
            "-1",
            "0xca00",
            "051712",
            "vda",
            "xvd\u{e4}",
        ] {
            assert_eq!(Vdev::parse(name), None, "{name}");
        }
    }
}
