//! Makes a volume of two groups, with blocks of 4096 and fragments of 512 bytes: a file that uses
//! every level of the block map, a file of two fragments, a directory, symlinks of both kinds.

use crate::{Endian, Version};

pub(super) const VARIANTS: [(Version, Endian); 4] = [
    (Version::Ffs1, Endian::Little),
    (Version::Ffs1, Endian::Big),
    (Version::Ffs2, Endian::Little),
    (Version::Ffs2, Endian::Big),
];

/// Offset of the superblock in bytes.
pub(super) const SUPERBLOCK: usize = 8192;
const FRAGMENT: usize = 512;
const BLOCK: usize = 4096;
/// In fragments: the groups' size, and a group's inodes from its start.
pub(super) const GROUP: usize = 512;
pub(super) const CBLKNO: usize = 48;
const IBLKNO: usize = 56;
/// In fragments: the directories, the small file, the long symlink, all in one block.
pub(super) const ROOT: usize = 65;
pub(super) const DIR: usize = 66;
const SMALL: usize = 67;
const LONG: usize = 69;

/// Numbers of the inodes.
pub(super) const BIG: u32 = 3;
pub(super) const SMALL_FILE: u32 = 4;
pub(super) const DIRECTORY: u32 = 5;
pub(super) const SHORT_LINK: u32 = 6;
pub(super) const LONG_LINK: u32 = 7;
pub(super) const LOOP_LINK: u32 = 8;

/// Target of the long symlink: 600 bytes that lead to the small file.
pub(super) fn long_target() -> Vec<u8> {
    let mut target = b"/dir/".to_vec();
    target.extend(b"./".repeat(295));
    target.extend(b"small");
    target
}

/// Blocks of the big file that are not holes, with their addresses.
pub(super) fn blocks(version: Version) -> Vec<(u64, u64)> {
    let n = u64::from(4096 / version.pointer_bytes());
    let direct = [(0, 72), (1, 80), (3, 88), (11, 96)];
    let indirect = [(12, 112), (13, 120), (11 + n, 128), (12 + n + n + 2, 152)];
    let triple = (12 + n + n * n + 1, 576);
    [&direct[..], &indirect, &[triple]].concat()
}

/// Indirect blocks: address of each, and the targets of its entries.
fn tables(version: Version) -> Vec<(usize, usize, i64)> {
    let n = 4096 / version.pointer_bytes() as usize;
    let single = [(104, 0, 112), (104, 1, 120), (104, n - 1, 128)];
    let double = [(136, 1, 144), (144, 2, 152)];
    let triple = [(160, 0, 168), (168, 0, 176), (176, 1, 576)];
    [&single[..], &double, &triple].concat()
}

pub(super) fn big_bytes(version: Version) -> u64 {
    let last = blocks(version).last().map_or(0, |(block, _)| *block);
    last * BLOCK as u64 + 100
}

/// Returns the content of a data block: bytes that show its address.
pub(super) fn content(address: u64, offset: usize) -> u8 {
    (address as usize * 7 + offset / 3 + offset) as u8
}

pub(super) struct Maker {
    pub(super) version: Version,
    pub(super) endian: Endian,
    pub(super) bytes: Vec<u8>,
}

impl Maker {
    pub(super) fn new(version: Version, endian: Endian) -> Maker {
        let mut maker = Maker { version, endian, bytes: vec![0; 2 * GROUP * FRAGMENT] };
        maker.superblock();
        (0..2).for_each(|group| maker.group(group));
        for (_, address) in blocks(version) {
            let at = address as usize * FRAGMENT;
            (0..BLOCK).for_each(|offset| maker.bytes[at + offset] = content(address, offset));
        }
        for (address, index, pointer) in tables(version) {
            maker.pointer(address * FRAGMENT + index * version.pointer_bytes() as usize, pointer);
        }
        maker.inodes();
        maker
    }

    pub(super) fn put16(&mut self, at: usize, value: u16) {
        let bytes = match self.endian {
            Endian::Little => value.to_le_bytes(),
            Endian::Big => value.to_be_bytes(),
        };
        self.bytes[at..at + 2].copy_from_slice(&bytes);
    }

    pub(super) fn put32(&mut self, at: usize, value: i64) {
        let bytes = match self.endian {
            Endian::Little => (value as u32).to_le_bytes(),
            Endian::Big => (value as u32).to_be_bytes(),
        };
        self.bytes[at..at + 4].copy_from_slice(&bytes);
    }

    pub(super) fn put64(&mut self, at: usize, value: i64) {
        let bytes = match self.endian {
            Endian::Little => value.to_le_bytes(),
            Endian::Big => value.to_be_bytes(),
        };
        self.bytes[at..at + 8].copy_from_slice(&bytes);
    }

    fn pointer(&mut self, at: usize, value: i64) {
        match self.version {
            Version::Ffs1 => self.put32(at, value),
            Version::Ffs2 => self.put64(at, value),
        }
    }

    /// Returns the offset of an inode in bytes.
    pub(super) fn inode_at(&self, number: u32) -> usize {
        IBLKNO * FRAGMENT + number as usize * self.version.inode_bytes() as usize
    }

    /// Changes an inode's pointer, or an entry of an indirect block.
    pub(super) fn set_pointer(&mut self, inode: u32, index: usize, value: i64) {
        let (area, size) = match self.version {
            Version::Ffs1 => (40, 4),
            Version::Ffs2 => (112, 8),
        };
        self.pointer(self.inode_at(inode) + area + index * size, value);
    }

    pub(super) fn set_indirect(&mut self, address: usize, index: usize, value: i64) {
        self.pointer(address * FRAGMENT + index * self.version.pointer_bytes() as usize, value);
    }

    /// Changes `di_size`.
    pub(super) fn set_size(&mut self, inode: u32, size: i64) {
        let field = match self.version {
            Version::Ffs1 => 8,
            Version::Ffs2 => 16,
        };
        self.put64(self.inode_at(inode) + field, size);
    }

    fn superblock(&mut self) {
        let ffs1 = self.version == Version::Ffs1;
        let per_block = BLOCK as i64 / i64::from(self.version.inode_bytes());
        let words = [
            (8, 32),
            (12, CBLKNO as i64),
            (16, IBLKNO as i64),
            (20, 64),
            (28, -1),
            (44, 2),
            (48, 4096),
            (52, 512),
            (56, 8),
            (72, -4096),
            (76, -512),
            (80, 12),
            (84, 9),
            (96, 3),
            (100, 0),
            (104, 1536),
            (116, 4096 / i64::from(self.version.pointer_bytes())),
            (120, per_block),
            (144, 0x1234),
            (148, 0x5678),
            (156, 512),
            (160, 512),
            (176, if ffs1 { 2 } else { 0 }),
            (180, if ffs1 { 1 } else { 0 }),
            (184, per_block),
            (188, GROUP as i64),
            (860, 4096),
            (1320, if ffs1 { 60 } else { 120 }),
            (1324, 2),
            (1360, if ffs1 { 1 } else { 0 }),
            (1372, if ffs1 { 0x11954 } else { 0x1954_0119 }),
        ];
        words.into_iter().for_each(|(at, value)| self.put32(SUPERBLOCK + at, value));
        let quads = [
            (1000, 8192),
            (1008, 2),
            (1024, 3),
            (1080, 2 * GROUP as i64),
            (1096, 64),
            (1336, 4095),
            (1344, 511),
        ];
        quads.into_iter().for_each(|(at, value)| self.put64(SUPERBLOCK + at, value));
        self.bytes[SUPERBLOCK + 209] = 1;
        self.bytes[SUPERBLOCK + 211] = 0x80;
        self.bytes[SUPERBLOCK + 680..][..4].copy_from_slice(b"made");
    }

    fn group(&mut self, group: usize) {
        let at = (group * GROUP + CBLKNO) * FRAGMENT;
        let inodes = BLOCK as i64 / i64::from(self.version.inode_bytes());
        let words = [
            (4, 0x90255),
            (12, group as i64),
            (20, GROUP as i64),
            (92, 168),
            (96, 172),
            (100, 236),
            (116, inodes),
            (120, inodes),
        ];
        words.into_iter().for_each(|(offset, value)| self.put32(at + offset, value));
    }

    fn inodes(&mut self) {
        let (dir, file, link) = (0o40755, 0o100_644, 0o120_777);
        let big = big_bytes(self.version) as i64;
        self.inode(2, dir, 512, 1);
        self.set_pointer(2, 0, ROOT as i64);
        self.inode(BIG, file, big, 72);
        for (index, address) in
            [(0, 72), (1, 80), (3, 88), (11, 96), (12, 104), (13, 136), (14, 160)]
        {
            self.set_pointer(BIG, index, address);
        }
        self.inode(SMALL_FILE, file, 700, 2);
        self.set_pointer(SMALL_FILE, 0, SMALL as i64);
        (0..700).for_each(|at| self.bytes[SMALL * FRAGMENT + at] = content(SMALL as u64, at));
        self.inode(DIRECTORY, dir, 512, 1);
        self.set_pointer(DIRECTORY, 0, DIR as i64);
        let target = long_target();
        self.inode(LONG_LINK, link, target.len() as i64, 2);
        self.set_pointer(LONG_LINK, 0, LONG as i64);
        self.bytes[LONG * FRAGMENT..][..target.len()].copy_from_slice(&target);
        for (number, target) in [(SHORT_LINK, &b"../big"[..]), (LOOP_LINK, b"loop")] {
            self.inode(number, link, target.len() as i64, 0);
            let area = if self.version == Version::Ffs1 { 40 } else { 112 };
            let at = self.inode_at(number) + area;
            self.bytes[at..at + target.len()].copy_from_slice(target);
        }
        let root: [(u32, u8, &[u8]); 6] = [
            (2, 4, b"."),
            (2, 4, b".."),
            (BIG, 8, b"big"),
            (DIRECTORY, 4, b"dir"),
            (LONG_LINK, 10, b"long"),
            (LOOP_LINK, 10, b"loop"),
        ];
        self.directory(ROOT, &root);
        let dir: [(u32, u8, &[u8]); 4] = [
            (DIRECTORY, 4, b"."),
            (2, 4, b".."),
            (SMALL_FILE, 8, b"small"),
            (SHORT_LINK, 10, b"short"),
        ];
        self.directory(DIR, &dir);
    }

    /// Writes an inode of one link, whose owner is 1000 and 100.
    fn inode(&mut self, number: u32, mode: u16, size: i64, sectors: i64) {
        let at = self.inode_at(number);
        self.put16(at, mode);
        self.put16(at + 2, 1);
        self.set_size(number, size);
        match self.version {
            Version::Ffs1 => {
                [(104, sectors), (112, 1000), (116, 100), (24, 1234), (28, 5678)]
                    .into_iter()
                    .for_each(|(field, value)| self.put32(at + field, value));
            }
            Version::Ffs2 => {
                [(4, 1000), (8, 100), (64, 5678)]
                    .into_iter()
                    .for_each(|(field, value)| self.put32(at + field, value));
                self.put64(at + 24, sectors);
                self.put64(at + 40, 1234);
            }
        }
    }

    /// Writes 512 bytes of directory; the last entry takes what is left.
    pub(super) fn directory(&mut self, address: usize, entries: &[(u32, u8, &[u8])]) {
        let mut at = address * FRAGMENT;
        let end = at + FRAGMENT;
        for (index, (inode, code, name)) in entries.iter().enumerate() {
            let needed = (8 + name.len() + 1).next_multiple_of(4);
            let reclen = if index + 1 == entries.len() { end - at } else { needed };
            self.put32(at, i64::from(*inode));
            self.put16(at + 4, reclen as u16);
            self.bytes[at + 6] = *code;
            self.bytes[at + 7] = name.len() as u8;
            self.bytes[at + 8..at + 8 + name.len()].copy_from_slice(name);
            self.bytes[at + 8 + name.len()] = 0;
            at += reclen;
        }
    }
}
