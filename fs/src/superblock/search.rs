//! Search for a superblock: at one of four places, of either byte order.

use super::check::check;
use super::clean::Unclean;
use super::layout::{CKHASH, MAGIC, READ_BYTES, Raw, SUPERBLOCK_BYTES, VOLNAME};
use super::{CK_SUPERBLOCK, Superblock};
use crate::endian::{Endian, Fields};
use crate::error::{Corrupt, Error, Place};
use crate::hash::check_hash;
use crate::store::{Slot, Store};
use crate::{ReadBlocks, Version};

/// Offsets of a superblock in bytes, in the order in which the BSDs try them.
pub(super) const PLACES: [u64; 4] = [65536, 8192, 0, 262_144];
pub(super) const FS_UFS1_MAGIC: u32 = 0x0001_1954;
pub(super) const FS_UFS2_MAGIC: u32 = 0x1954_0119;
/// NetBSD's UFS2 with extended attributes; the layout is the same.
pub(super) const FS_UFS2EA_MAGIC: u32 = 0x1901_2038;
/// Magic number that FreeBSD's newfs writes while it is at work.
const FS_BAD_MAGIC: u32 = 0x1996_0408;

/// Label of Apple's UFS: its offset in bytes, and `LABL`.
const APPLE_LABEL: u64 = 7168;
const APPLE_LABEL_MAGIC: u32 = 0x4c41_424c;

/// Flag in `fs_old_flags`: the flags, size and place are in their new fields.
const FS_FLAGS_UPDATED: u8 = 0x80;
impl Superblock {
    /// Searches the window. An alternate superblock is passed over; a broken one is reported
    /// when no place has a good one.
    pub(crate) fn find<D: ReadBlocks, B: AsMut<[u8]>>(
        store: &mut Store<D, B>,
    ) -> Result<Superblock, Error<D::Error>> {
        let size_bytes = store.size_bytes();
        let mut broken = None;
        for at in PLACES.into_iter().filter(|at| at + READ_BYTES as u64 <= size_bytes) {
            let bytes = store.block(Slot::Inodes, at, READ_BYTES)?;
            match decode(at, at, bytes) {
                Ok(None) => {}
                Ok(Some(mut superblock)) => {
                    superblock.enter(store)?;
                    return Ok(superblock);
                }
                Err(corrupt) => broken = broken.or(Some(corrupt)),
            }
        }
        Err(broken.map_or(Error::NotFfs, Error::Corrupt))
    }

    /// Notes the window that it was found in.
    pub(super) fn enter<D: ReadBlocks, B: AsMut<[u8]>>(
        &mut self,
        store: &mut Store<D, B>,
    ) -> Result<(), Error<D::Error>> {
        refuse_apple(store, self)?;
        let info = &mut self.info;
        info.partition_start_bytes = store.start_bytes();
        info.partition_size_bytes = store.size_bytes();
        self.end = self.end.min(store.size_bytes() / u64::from(info.fragment_bytes));
        Ok(())
    }
}

/// Refuses Apple's UFS1, which has directories of another kind and is known by its label alone.
fn refuse_apple<D: ReadBlocks, B: AsMut<[u8]>>(
    store: &mut Store<D, B>,
    superblock: &Superblock,
) -> Result<(), Error<D::Error>> {
    if superblock.info.version == Version::Ffs2 || superblock.info.endian == Endian::Little {
        return Ok(());
    }
    let label = store.block(Slot::Inodes, APPLE_LABEL, 512)?;
    let magic = label.first_chunk().map_or(0, |magic| u32::from_be_bytes(*magic));
    let place = Place::Superblock(superblock.info.superblock_offset_bytes);
    let must = "absent; Apple's UFS is not supported";
    Ok(place.check(magic != APPLE_LABEL_MAGIC, "ul_magic", magic, must)?)
}

/// Returns the superblock in `bytes`, which were read at `at`, of a volume that has its first one
/// at `home`; `None` when there is none to use here.
pub(super) fn decode(at: u64, home: u64, bytes: &[u8]) -> Result<Option<Superblock>, Corrupt> {
    let place = Place::Superblock(at);
    let Some(header) = bytes.first_chunk::<SUPERBLOCK_BYTES>() else { return Ok(None) };
    let mut found = None;
    for endian in [Endian::Little, Endian::Big] {
        let magic = Fields::new(header, endian).u32::<MAGIC>();
        match magic {
            FS_UFS1_MAGIC => found = Some((endian, Version::Ffs1)),
            FS_UFS2_MAGIC | FS_UFS2EA_MAGIC => found = Some((endian, Version::Ffs2)),
            FS_BAD_MAGIC => place.check(false, "fs_magic", magic, "that of a finished newfs")?,
            _ => {}
        }
    }
    let Some((endian, version)) = found else { return Ok(None) };
    let fields = Fields::new(header, endian);
    let mut raw = Raw::read(&fields);
    let updated = version == Version::Ffs2 || raw.old_flags & FS_FLAGS_UPDATED != 0;
    // Before there was fs_sblockloc, UFS1 lay at 8192; with 64 KiB blocks the superblock at 65536
    // is the first alternate. NetBSD and FreeBSD pass over both kinds, too.
    let here = if updated { raw.sblockloc == home.cast_signed() } else { home <= 8192 };
    if !here {
        return Ok(None);
    }
    // FreeBSD notes in each copy where that is.
    if raw.sblockactualloc == at.cast_signed() {
        raw.sblockactualloc = raw.sblockloc;
    }
    let mut superblock = check(home, endian, version, updated, &raw)?;
    if superblock.hashed & CK_SUPERBLOCK != 0 {
        let hashed = bytes.get(..raw.sbsize as usize).unwrap_or(bytes);
        superblock.unclean = Unclean::of(&raw, check_hash(hashed, CKHASH) == raw.ckhash);
    }
    if updated {
        superblock.info.name = fields.bytes::<VOLNAME, 32>();
    }
    Ok(Some(superblock))
}
