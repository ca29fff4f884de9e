//! Inodes: read from their group's table, checked, and handed out as values.

use crate::endian::{Endian, Fields};
use crate::error::{Corrupt, Error, Place};
use crate::hash::check_hash;
use crate::store::Slot;
use crate::superblock::{CK_INODE, Superblock};
use crate::warning::Warnings;
use crate::{ReadBlocks, Version, Volume};

/// Inode number of the root directory.
pub const ROOT: u32 = 2;

const INODE1_BYTES: usize = 128;
const INODE2_BYTES: usize = 256;
/// Offset of the check-hash in `struct ufs2_dinode`.
const CKHASH2: usize = 244;
/// `MAXDIRSIZE`: offsets in directories have 31 bits.
const DIRECTORY_BYTES_MAX: u64 = 0x7fff_ffff;
/// `DIRBLKSIZ`: no entry of a directory crosses a multiple of this.
pub(crate) const DIRBLKSIZ: u64 = 512;

/// Flags in `di_flags` (`sys/stat.h` of FreeBSD and NetBSD; the second is NetBSD's alone).
const SF_SNAPSHOT: u32 = 0x0020_0000;
const SF_SNAPINVAL: u32 = 0x0080_0000;

/// Kind of an inode, with the numbers of a directory entry's `d_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A named pipe.
    Fifo = 1,
    /// A character device.
    CharDevice = 2,
    /// A directory.
    Directory = 4,
    /// A block device.
    BlockDevice = 6,
    /// A regular file.
    File = 8,
    /// A symbolic link.
    Symlink = 10,
    /// A socket.
    Socket = 12,
}

impl Kind {
    /// Returns the kind of a `d_type`, which is also the top of an inode's mode.
    pub(crate) fn from_type(code: u8) -> Option<Kind> {
        Some(match code {
            1 => Kind::Fifo,
            2 => Kind::CharDevice,
            4 => Kind::Directory,
            6 => Kind::BlockDevice,
            8 => Kind::File,
            10 => Kind::Symlink,
            12 => Kind::Socket,
            _ => return None,
        })
    }
}

/// Inode of a file. Its fields were checked when it was read; its block pointers are checked when
/// they are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inode {
    /// Number of the inode.
    pub number: u32,
    /// Kind of the inode, from `mode`.
    pub kind: Kind,
    /// Type and permissions, as `st_mode`.
    pub mode: u16,
    /// Number of names that it has.
    pub links: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Length of its contents in bytes.
    pub size_bytes: u64,
    /// Disk space that it takes, in units of 512 bytes.
    pub blocks: u64,
    /// Time of the last change of its contents, in seconds since 1970.
    pub mtime_s: i64,
    /// Nanoseconds to add to `mtime_s`.
    pub mtime_ns: u32,
    /// `di_flags`: those that `chflags` sets, and that it is a snapshot; 0 in 4.2BSD's inodes.
    pub flags: u32,
    /// Twelve direct and three indirect pointers, or a short symlink's target.
    pub(crate) area: [u8; 120],
}

impl<D: ReadBlocks, B: AsMut<[u8]>> Volume<D, B> {
    /// Returns the root directory.
    ///
    /// # Errors
    /// As [`inode`](Self::inode).
    pub fn root(&mut self) -> Result<Inode, Error<D::Error>> {
        self.inode(ROOT)
    }

    /// Returns the inode of this number, which must be in use.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when the volume has no such number, or the inode is free or bad.
    pub fn inode(&mut self, number: u32) -> Result<Inode, Error<D::Error>> {
        let place = Place::Inode(number);
        let inodes = 2..self.superblock.info.inode_count;
        place.check(inodes.contains(&number), "ino", number, "an inode of this volume")?;
        let (group, index) =
            (number / self.superblock.group_inodes, number % self.superblock.group_inodes);
        let initialized = self.groups.initialized(&mut self.store, &self.superblock, group)?;
        place.check(index < initialized, "ino", number, "an initialized inode")?;

        let superblock = &self.superblock;
        let table = superblock.group_start(group) + superblock.iblkno;
        let block = u64::from(index / superblock.inodes_per_block) * superblock.fragments;
        let at = (table + block) * u64::from(superblock.info.fragment_bytes);
        let block_bytes = superblock.info.block_bytes as usize;
        let bytes = self.store.block(Slot::Inodes, at, block_bytes)?;
        let inode_bytes = superblock.info.version.inode_bytes() as usize;
        let start = (index % superblock.inodes_per_block) as usize * inode_bytes;
        let bytes = bytes.get(start..).unwrap_or_default();
        let inode = match superblock.info.version {
            Version::Ffs1 => bytes.first_chunk().map(|bytes| decode1(number, superblock, bytes)),
            Version::Ffs2 => bytes.first_chunk().map(|bytes| decode2(number, superblock, bytes)),
        };
        let inode = inode.unwrap_or_else(|| Err(not_allocated(number, 0)))?;
        check(&inode, superblock, &mut self.warnings)?;
        Ok(inode)
    }
}

fn not_allocated(number: u32, mode: u16) -> Corrupt {
    let must = "the type of an inode in use";
    Corrupt { place: Place::Inode(number), field: "di_mode", value: mode.into(), must }
}

fn kind_of(number: u32, mode: u16) -> Result<Kind, Corrupt> {
    Kind::from_type((mode >> 12) as u8).ok_or(not_allocated(number, mode))
}

/// Decodes `struct ufs1_dinode`.
fn decode1(
    number: u32,
    superblock: &Superblock,
    bytes: &[u8; INODE1_BYTES],
) -> Result<Inode, Corrupt> {
    let fields = Fields::new(bytes, superblock.info.endian);
    let mode = fields.u16::<0>();
    let kind = kind_of(number, mode)?;
    let (uid, gid) = match superblock.old_inodes {
        true => (fields.u16::<4>().into(), fields.u16::<6>().into()),
        false => (fields.u32::<112>(), fields.u32::<116>()),
    };
    let mut area = [0; 120];
    area[..60].copy_from_slice(&fields.bytes::<40, 60>());
    Ok(Inode {
        number,
        kind,
        mode,
        links: fields.u16::<2>(),
        uid,
        gid,
        size_bytes: fields.u64::<8>(),
        blocks: fields.u32::<104>().into(),
        mtime_s: fields.i32::<24>().into(),
        mtime_ns: fields.u32::<28>(),
        flags: if superblock.old_inodes { 0 } else { fields.u32::<100>() },
        area,
    })
}

/// Decodes `struct ufs2_dinode`.
fn decode2(
    number: u32,
    superblock: &Superblock,
    bytes: &[u8; INODE2_BYTES],
) -> Result<Inode, Corrupt> {
    let fields = Fields::new(bytes, superblock.info.endian);
    let mode = fields.u16::<0>();
    let kind = kind_of(number, mode)?;
    if superblock.hashed & CK_INODE != 0 {
        let hash = fields.u32::<CKHASH2>();
        let right = check_hash(bytes, CKHASH2) == hash;
        Place::Inode(number).check(right, "di_ckhash", hash, "the inode's check-hash")?;
    }
    Ok(Inode {
        number,
        kind,
        mode,
        links: fields.u16::<2>(),
        uid: fields.u32::<4>(),
        gid: fields.u32::<8>(),
        size_bytes: fields.u64::<16>(),
        blocks: fields.u64::<24>(),
        mtime_s: fields.i64::<40>(),
        mtime_ns: fields.u32::<64>(),
        flags: fields.u32::<88>(),
        area: fields.bytes::<112, 120>(),
    })
}

/// Checks what must hold for any inode that has a name.
fn check(inode: &Inode, superblock: &Superblock, warnings: &mut Warnings) -> Result<(), Corrupt> {
    let place = Place::Inode(inode.number);
    // FreeBSD counts up to 65,530.
    place.check(inode.links > 0, "di_nlink", inode.links, "positive")?;
    let size = inode.size_bytes;
    let max = superblock.file_bytes_max;
    place.check(size <= max, "di_size", size.cast_signed(), "what block pointers can reach")?;
    let sectors = superblock.info.size_bytes / 512;
    let must = "at most the volume's size";
    warnings.check(place, inode.blocks <= sectors, "di_blocks", inode.blocks, must);
    match inode.kind {
        Kind::Directory => {
            let whole = size.is_multiple_of(DIRBLKSIZ);
            place.check(whole, "di_size", size, "a directory's: a multiple of 512")?;
            // Directories have no holes.
            let held = size <= DIRECTORY_BYTES_MAX.min(superblock.bytes_at(superblock.end));
            place.check(held, "di_size", size, "a directory's: within the volume and 31 bits")?;
            // The kernels find no name in it, not even its own.
            warnings.check(place, size > 0, "di_size", size, "a directory's: above 0");
            let full = size / 512 <= inode.blocks;
            let must = "enough for the directory's size";
            warnings.check(place, full, "di_blocks", inode.blocks, must);
            Ok(())
        }
        Kind::Symlink => {
            let block = u64::from(superblock.info.block_bytes);
            let right = (1..=block).contains(&size);
            place.check(right, "di_size", size, "a symlink's: from 1 to fs_bsize")
        }
        _ => Ok(()),
    }
}

impl Inode {
    /// Returns whether it is the volume's contents at an earlier time (`SF_SNAPSHOT`). Blocks that
    /// have not changed since are those of the live volume, which this file shares.
    pub fn is_snapshot(&self) -> bool {
        self.kind == Kind::File && self.flags & SF_SNAPSHOT != 0
    }

    /// Returns whether its contents are known: not those of a snapshot that NetBSD gave up because
    /// the volume was changed without it.
    pub(crate) fn has_contents(&self) -> bool {
        !self.is_snapshot() || self.flags & SF_SNAPINVAL == 0
    }

    /// Returns the pointer of this index, from 0: twelve direct ones, then one for each level.
    pub(crate) fn pointer(&self, index: usize, version: Version, endian: Endian) -> i64 {
        pointer(&self.area, index, version, endian)
    }
}

/// Returns a block pointer out of an inode or an indirect block, 0 (a hole) where there is none.
pub(crate) fn pointer(table: &[u8], index: usize, version: Version, endian: Endian) -> i64 {
    match version {
        Version::Ffs1 => {
            let (pointers, _) = table.as_chunks();
            let bytes = pointers.get(index).copied().unwrap_or_default();
            endian.u32(bytes).cast_signed().into()
        }
        Version::Ffs2 => {
            let (pointers, _) = table.as_chunks();
            let bytes = pointers.get(index).copied().unwrap_or_default();
            endian.u64(bytes).cast_signed()
        }
    }
}
