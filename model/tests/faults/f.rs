//! F1 to F22: file-system images; they wait for the file system.

use crate::{Class, Must, waits};

const fn ffs(number: u32, fault: &'static str) -> Class {
    waits(number, fault, Must::Fail, "FFS")
}

pub const CLASSES: [Class; 22] = [
    ffs(1, "no magic number, a swapped one, or two"),
    ffs(2, "an alternate superblock found first"),
    ffs(3, "every superblock field at its extremes"),
    ffs(4, "ratio of fragments to blocks"),
    ffs(5, "file system larger than the disk"),
    ffs(6, "inode number out of range"),
    ffs(7, "cylinder group that is none"),
    ffs(8, "inode with absurd mode, size or pointers"),
    ffs(9, "32-bit and 64-bit pointers, extended attributes"),
    ffs(10, "last block and its fragments"),
    ffs(11, "holes in files, directories and indirect blocks"),
    ffs(12, "indirect blocks that point in circles"),
    ffs(13, "malformed directory entries"),
    ffs(14, "directory size not of whole blocks, or huge"),
    ffs(15, "directories in circles"),
    ffs(16, "symbolic links: loops, limits, lengths"),
    ffs(17, "dirty file system, journals, unknown flags"),
    ffs(18, "big-endian image, old inode format"),
    ffs(19, "wrong check hash"),
    ffs(20, "data that changes between two reads"),
    ffs(21, "I/O error at every block"),
    ffs(22, "partition table in front"),
];
