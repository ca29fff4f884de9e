//! Layout of a volume: sizes, and where the parts of a group are, as newfs(8) has them.

/// Offset of a UFS2 superblock in bytes.
pub const UFS2_AT: u64 = 65536;
/// Offset of a UFS1 superblock in bytes.
pub const UFS1_AT: u64 = 8192;

pub(crate) const SUPERBLOCK_BYTES: u64 = 8192;
pub(crate) const DIRECT: u64 = 12;
const INDIRECT: u64 = 3;

/// Layout of a volume.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// FFS version: 1 or 2.
    pub version: u8,
    /// Byte order of the machine that it is made for.
    pub big_endian: bool,
    /// Block size in bytes: 4096 to 65536, a power of two.
    pub block_bytes: u64,
    /// Fragment size in bytes: a block, or its half, quarter or eighth.
    pub frag_bytes: u64,
    /// Offset of the superblock in bytes.
    pub superblock_at: u64,
    /// Inodes in a group, rounded up to whole blocks of inodes.
    pub inodes_per_group: u64,
    /// Blocks that a group has for files.
    pub data_blocks_per_group: u64,
    /// Flag: the volume is UFS1 as 4.2BSD wrote it, with 16-bit owners, entries without a type, no
    /// 64-bit fields.
    pub old: bool,
    /// Flag: UFS1 groups begin their metadata at different places.
    pub staggered: bool,
    /// Flag: UFS2 has CRC-32C in superblock, groups and inodes.
    pub hashed: bool,
}

impl Format {
    /// Returns a plain little-endian layout with groups of 16 blocks.
    pub fn new(version: u8, block_bytes: u64, frag_bytes: u64) -> Self {
        Self {
            version,
            big_endian: false,
            block_bytes,
            frag_bytes,
            superblock_at: if version == 1 { UFS1_AT } else { UFS2_AT },
            inodes_per_group: 1,
            data_blocks_per_group: 16,
            old: false,
            staggered: false,
            hashed: false,
        }
    }

    /// Returns the size of a block pointer in bytes.
    pub fn pointer_bytes(&self) -> u64 {
        if self.version == 1 { 4 } else { 8 }
    }

    /// Returns the size of an inode in bytes.
    pub fn inode_bytes(&self) -> u64 {
        if self.version == 1 { 128 } else { 256 }
    }

    /// Returns the number of pointers in an indirect block.
    pub fn pointers_per_block(&self) -> u64 {
        self.block_bytes / self.pointer_bytes()
    }

    /// Returns the first block behind `level` levels of indirect blocks; 0 are the direct ones.
    pub fn first_block(&self, level: u32) -> u64 {
        (1..=level).fold(0, |sum, n| sum + if n == 1 { DIRECT } else { self.span(n - 1) })
    }

    /// Returns the number of file blocks below an indirect block of this level.
    pub(crate) fn span(&self, level: u32) -> u64 {
        self.pointers_per_block().pow(level)
    }

    /// Returns the number of fragments in a block.
    pub(crate) fn frag(&self) -> u64 {
        self.block_bytes / self.frag_bytes
    }

    /// Returns the fragment of a group's copy of the superblock, from its start.
    pub(crate) fn sblkno(&self) -> u64 {
        let frags = (self.superblock_at + SUPERBLOCK_BYTES).div_ceil(self.frag_bytes);
        frags.next_multiple_of(self.frag())
    }

    /// Returns the fragment of a group's descriptor, from its start.
    pub(crate) fn cblkno(&self) -> u64 {
        let frags = SUPERBLOCK_BYTES.div_ceil(self.frag_bytes);
        self.sblkno() + frags.next_multiple_of(self.frag())
    }

    /// Returns the fragment of a group's inodes, from its start.
    pub(crate) fn iblkno(&self) -> u64 {
        self.cblkno() + self.frag()
    }

    /// Returns the fragment of a group's data, from its start.
    pub(crate) fn dblkno(&self) -> u64 {
        self.iblkno() + self.ipg() * self.inode_bytes() / self.frag_bytes
    }

    /// Returns the number of inodes in a group.
    pub(crate) fn ipg(&self) -> u64 {
        self.inodes_per_group.next_multiple_of(self.block_bytes / self.inode_bytes())
    }

    /// Returns the number of fragments in a group.
    pub(crate) fn fpg(&self) -> u64 {
        let stagger = if self.staggered { 4 } else { 0 };
        self.dblkno() + (self.data_blocks_per_group + stagger) * self.frag()
    }

    /// Returns the fragment that the metadata of a group are counted from.
    pub(crate) fn group_start(&self, group: u64) -> u64 {
        let stagger = if self.staggered { (group & 3) * self.frag() } else { 0 };
        group * self.fpg() + stagger
    }

    /// Returns the size of a group's descriptor in bytes.
    pub(crate) fn cg_bytes(&self) -> u64 {
        let bytes = 176 + 4 + 6 + self.ipg().div_ceil(8) + self.fpg().div_ceil(8) + 4;
        bytes.next_multiple_of(self.frag_bytes)
    }

    /// Returns the target length in bytes from which on a symlink has a block.
    pub(crate) fn max_symlink_inline(&self) -> u64 {
        if self.old { 0 } else { (DIRECT + INDIRECT) * self.pointer_bytes() }
    }
}
