//! Types of partitions, as their tables have them.

use core::fmt;

/// `p_fstype` of an FFS.
const FS_BSDFFS: u8 = 7;
pub(super) const EXTENDED: [u8; 3] = [0x05, 0x0f, 0x85];
/// Type of the MBR's entry that protects a GPT.
pub(super) const PROTECTIVE: u8 = 0xee;
const FREEBSD: u8 = 0xa5;
const OPENBSD: u8 = 0xa6;
const NETBSD: u8 = 0xa9;

/// Type of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartitionKind {
    /// The whole disk.
    Disk,
    /// Type of an MBR's entry.
    Mbr(u8),
    /// Type of a GPT's entry, a GUID as it is on the disk.
    Gpt([u8; 16]),
    /// `p_fstype` of a partition in a BSD disklabel.
    Label(u8),
}

/// Origin of the offsets in a label.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Base {
    /// The disk: NetBSD, OpenBSD, and labels that are not in a slice.
    Disk,
    /// Start of partition `c`, which is the slice: FreeBSD.
    Slice,
}

impl PartitionKind {
    /// Returns whether it may have a file system that a search without a name is to find. Types of
    /// an MBR and of a GPT are no proof: volumes are in partitions of any type.
    pub fn is_tried(&self) -> bool {
        match self {
            Self::Disk | Self::Gpt(_) => true,
            Self::Mbr(kind) => *kind != PROTECTIVE && !EXTENDED.contains(kind),
            Self::Label(fstype) => *fstype == FS_BSDFFS,
        }
    }

    /// Returns how a label in it counts, if its type says that it has one.
    pub(super) fn label_base(&self) -> Option<Base> {
        match self {
            Self::Mbr(FREEBSD) => Some(Base::Slice),
            Self::Mbr(OPENBSD | NETBSD) => Some(Base::Disk),
            Self::Gpt(guid) => match gpt_name(guid) {
                Some("freebsd") => Some(Base::Slice),
                Some("openbsd-data") => Some(Base::Disk),
                _ => None,
            },
            _ => None,
        }
    }
}

/// Names of the types of a GPT as FreeBSD's gpart(8) has them, with the words of their GUIDs.
const GPT_NAMES: [(&str, u32, u16, u16, u64); 23] = [
    ("apple-hfs", 0x4846_5300, 0x0000, 0x11aa, 0xaa11_0030_6543_ecac),
    ("apple-ufs", 0x5546_5300, 0x0000, 0x11aa, 0xaa11_0030_6543_ecac),
    ("bios-boot", 0x2168_6148, 0x6449, 0x6e6f, 0x744e_6565_6445_4649),
    ("dragonfly-label32", 0x9d08_7404, 0x1ca5, 0x11dc, 0x8817_0130_1bb8_a9f5),
    ("dragonfly-label64", 0x3d48_ce54, 0x1d16, 0x11dc, 0x8696_0130_1bb8_a9f5),
    ("efi", 0xc12a_7328, 0xf81f, 0x11d2, 0xba4b_00a0_c93e_c93b),
    ("freebsd", 0x516e_7cb4, 0x6ecf, 0x11d6, 0x8ff8_0002_2d09_712b),
    ("freebsd-boot", 0x83bd_6b9d, 0x7f41, 0x11dc, 0xbe0b_0015_60b8_4f0f),
    ("freebsd-swap", 0x516e_7cb5, 0x6ecf, 0x11d6, 0x8ff8_0002_2d09_712b),
    ("freebsd-ufs", 0x516e_7cb6, 0x6ecf, 0x11d6, 0x8ff8_0002_2d09_712b),
    ("freebsd-vinum", 0x516e_7cb8, 0x6ecf, 0x11d6, 0x8ff8_0002_2d09_712b),
    ("freebsd-zfs", 0x516e_7cba, 0x6ecf, 0x11d6, 0x8ff8_0002_2d09_712b),
    ("linux-data", 0x0fc6_3daf, 0x8483, 0x4772, 0x8e79_3d69_d847_7de4),
    ("linux-lvm", 0xe6d6_d379, 0xf507, 0x44c2, 0xa23c_238f_2a3d_f928),
    ("linux-swap", 0x0657_fd6d, 0xa4ab, 0x43c4, 0x84e5_0933_c84b_4f4f),
    ("ms-basic-data", 0xebd0_a0a2, 0xb9e5, 0x4433, 0x87c0_68b6_b726_99c7),
    ("netbsd-ccd", 0x2db5_19c4, 0xb10f, 0x11dc, 0xb99b_0019_d187_9648),
    ("netbsd-cgd", 0x2db5_19ec, 0xb10f, 0x11dc, 0xb99b_0019_d187_9648),
    ("netbsd-ffs", 0x49f4_8d5a, 0xb10e, 0x11dc, 0xb99b_0019_d187_9648),
    ("netbsd-lfs", 0x49f4_8d82, 0xb10e, 0x11dc, 0xb99b_0019_d187_9648),
    ("netbsd-raid", 0x49f4_8daa, 0xb10e, 0x11dc, 0xb99b_0019_d187_9648),
    ("netbsd-swap", 0x49f4_8d32, 0xb10e, 0x11dc, 0xb99b_0019_d187_9648),
    ("openbsd-data", 0x824c_c7a0, 0x36a8, 0x11e3, 0x890a_9525_19ad_3f61),
];

/// Returns the words of a GUID: the first three are little-endian on the disk.
fn words(guid: &[u8; 16]) -> (u32, u16, u16, u64) {
    let [a, b, c, d, e, f, g, h, rest @ ..] = *guid;
    (
        u32::from_le_bytes([a, b, c, d]),
        u16::from_le_bytes([e, f]),
        u16::from_le_bytes([g, h]),
        u64::from_be_bytes(rest),
    )
}

fn gpt_name(guid: &[u8; 16]) -> Option<&'static str> {
    let (a, b, c, d) = words(guid);
    GPT_NAMES.iter().find(|(_, w, x, y, z)| (*w, *x, *y, *z) == (a, b, c, d)).map(|row| row.0)
}

/// Returns the name of a type on which the BSDs agree.
fn label_name(fstype: u8) -> Option<&'static str> {
    Some(match fstype {
        0 => "unused",
        1 => "swap",
        2 => "Version-6",
        3 => "Version-7",
        4 => "System-V",
        5 => "4.1BSD",
        6 => "Eighth-Edition",
        7 => "4.2BSD",
        8 => "MSDOS",
        9 => "4.4LFS",
        10 => "unknown",
        11 => "HPFS",
        12 => "ISO9660",
        13 => "boot",
        17 => "ext2fs",
        _ => return None,
    })
}

/// One word: the number of an MBR's type such as `0xa5`, the name of a GPT's type or its GUID, the
/// name of a label's `p_fstype` or its number.
impl fmt::Display for PartitionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk => write!(f, "disk"),
            Self::Mbr(kind) => write!(f, "{kind:#04x}"),
            Self::Gpt(guid) => match gpt_name(guid) {
                Some(name) => write!(f, "{name}"),
                None => {
                    let (a, b, c, d) = words(guid);
                    let (high, low) = (d >> 48, d & 0xffff_ffff_ffff);
                    write!(f, "{a:08x}-{b:04x}-{c:04x}-{high:04x}-{low:012x}")
                }
            },
            Self::Label(fstype) => match label_name(*fstype) {
                Some(name) => write!(f, "{name}"),
                None => write!(f, "fstype-{fstype}"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_shown_by_name_or_number() {
        assert_eq!(PartitionKind::Mbr(5).to_string(), "0x05");
        assert_eq!(PartitionKind::Label(7).to_string(), "4.2BSD");
        assert_eq!(PartitionKind::Label(200).to_string(), "fstype-200");
        let guid = *b"\xa0\xc7\x4c\x82\xa8\x36\xe3\x11\x89\x0a\x95\x25\x19\xad\x3f\x61";
        assert_eq!(PartitionKind::Gpt(guid).to_string(), "openbsd-data");
        let unknown = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
        let text = "04030201-0605-0807-090a-0b0c0d0e0f10";
        assert_eq!(PartitionKind::Gpt(unknown).to_string(), text);
    }
}
