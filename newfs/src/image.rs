//! A volume in memory: the places of its structures, and access to their fields.

use std::collections::BTreeMap;

use crate::fields::{Field, cg, dinode1, dinode2, sb};
use crate::format::Format;

/// A volume, and where its parts are.
#[derive(Clone, Debug)]
pub struct Image {
    /// Bytes of the whole volume.
    pub bytes: Vec<u8>,
    /// Layout that it was made with.
    pub format: Format,
    /// Inode numbers by path.
    pub inodes: BTreeMap<Vec<u8>, u32>,
}

impl Image {
    /// Returns the field of the structure at byte `at`.
    pub fn get(&self, at: u64, field: Field) -> u64 {
        let bytes = &self.bytes[at as usize + field.at..][..field.width];
        let fold = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        match self.format.big_endian {
            true => bytes.iter().fold(0, fold),
            false => bytes.iter().rev().fold(0, fold),
        }
    }

    /// Writes the low bytes of `value` into the field of the structure at byte `at`.
    pub fn put(&mut self, at: u64, field: Field, value: u64) {
        let bytes = &mut self.bytes[at as usize + field.at..][..field.width];
        match self.format.big_endian {
            true => bytes.copy_from_slice(&value.to_be_bytes()[8 - field.width..]),
            false => bytes.copy_from_slice(&value.to_le_bytes()[..field.width]),
        }
    }

    /// Returns a field of the superblock.
    pub fn superblock(&self, field: Field) -> u64 {
        self.get(self.format.superblock_at, field)
    }

    /// Writes a field of the superblock.
    pub fn put_superblock(&mut self, field: Field, value: u64) {
        self.put(self.format.superblock_at, field, value);
    }

    /// Returns the byte offset of an inode.
    pub fn inode_at(&self, number: u32) -> u64 {
        let (group, index) =
            (u64::from(number) / self.format.ipg(), u64::from(number) % self.format.ipg());
        let start = self.format.group_start(group) + self.format.iblkno();
        start * self.format.frag_bytes + index * self.format.inode_bytes()
    }

    /// Returns the byte offset of the inode of a path that was written.
    pub fn inode_of(&self, path: &str) -> u64 {
        self.inode_at(self.inodes[path.as_bytes()])
    }

    /// Returns the byte offset of a group's descriptor.
    pub fn group_at(&self, group: u64) -> u64 {
        (self.format.group_start(group) + self.format.cblkno()) * self.format.frag_bytes
    }

    /// Returns the number of groups.
    pub fn groups(&self) -> u64 {
        self.bytes.len() as u64 / self.format.frag_bytes / self.format.fpg()
    }

    /// Returns the field of an inode's block pointer `n` of 15, the indirect ones last.
    pub fn pointer(&self, n: usize) -> Field {
        match self.format.version {
            1 => Field { at: dinode1::DB.at + 4 * n, ..dinode1::DB },
            _ => Field { at: dinode2::DB.at + 8 * n, ..dinode2::DB },
        }
    }

    /// Returns the byte offset of a direct block of a path that was written.
    pub fn block_of(&self, path: &str, n: usize) -> u64 {
        self.get(self.inode_of(path), self.pointer(n)) * self.format.frag_bytes
    }

    /// Returns the byte offset of each structure that has a check hash, the hash's field in it,
    /// and its length in bytes.
    pub fn hashes(&self) -> impl Iterator<Item = (u64, Field, u64)> {
        let format = self.format;
        let inodes = (0..(format.ipg() * self.groups()) as u32).map(|number| self.inode_at(number));
        let used = inodes.filter(|at| self.get(*at, dinode2::MODE) != 0);
        let used = used.map(move |at| (at, dinode2::CKHASH, format.inode_bytes()));
        let groups = (0..self.groups()).map(|group| self.group_at(group));
        let groups = groups.map(move |at| (at, cg::CKHASH, format.cg_bytes()));
        let superblock = (format.superblock_at, sb::CKHASH, self.superblock(sb::SBSIZE));
        used.chain(groups).chain([superblock])
    }

    /// Recomputes the check hashes.
    pub fn seal(&mut self) {
        if !self.format.hashed {
            return;
        }
        for (at, field, len) in self.hashes().collect::<Vec<_>>() {
            self.put(at, field, 0);
            let hash = check_hash(&self.bytes[at as usize..(at + len) as usize]);
            self.put(at, field, u64::from(hash));
        }
    }
}

/// Returns the CRC-32C as FreeBSD takes it: not inverted at the end. The caller has put zeros in
/// the hash's place.
pub fn check_hash(bytes: &[u8]) -> u32 {
    const CRC32C: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI);
    !CRC32C.checksum(bytes)
}
