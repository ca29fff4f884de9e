//! Virtual device numbers and the names people know them by (docs/man/xen-vbd-interface.7).

use core::fmt;

/// Number of a VBD, as in its `virtual-device` node and in each request's handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Vdev(pub u32);

/// Marks numbers with room for more than 16 disks.
const EXTENDED: u32 = 1 << 28;

impl Vdev {
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

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

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
        }
    }
}
