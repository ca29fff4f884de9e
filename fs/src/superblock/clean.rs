//! Whether the volume was left in order, and what a superblock says that is wrong and harmless.

use super::Superblock;
use super::layout::Raw;
use crate::error::Place;
use crate::warning::Warnings;

/// Flags in `fs_flags` (`sys/ufs/ffs/fs.h` of FreeBSD; the last is NetBSD's, in the place of
/// another of FreeBSD's).
const FS_UNCLEAN: u32 = 0x1;
const FS_NEEDSFSCK: u32 = 0x4;
const FS_SUJ: u32 = 0x8;
const FS_GJOURNAL: u32 = 0x40;
const FS_DOWAPBL: u32 = 0x100;
/// Flags that have no meaning in any kernel yet.
const FS_UNKNOWN_FLAGS: u32 = 0xff00_0000;

/// `UFS_WAPBL_VERSION`, and NetBSD's places of a journal: the partition's end, or a file.
const WAPBL_VERSION: u8 = 1;
const WAPBL_LOCATIONS: core::ops::RangeInclusive<u8> = 1..=2;

/// Returns whether a volume was not unmounted, needs fsck, or has a journal to replay.
pub(super) fn is_dirty(clean: u8, flags: u32) -> bool {
    clean & 1 == 0 || flags & (FS_UNCLEAN | FS_NEEDSFSCK) != 0
}

/// Parts of a superblock beside its [`Info`](crate::Info) that are wrong and harmless.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unclean {
    /// `fs_clean`.
    clean: u8,
    /// Whether the journal, if there is one, is NetBSD's.
    is_wapbl: bool,
    /// `fs_ckhash`, if it is wrong.
    wrong_hash: Option<u32>,
}

impl Unclean {
    /// Returns what is wrong with a superblock, whose hash is right or not.
    pub(super) fn of(raw: &Raw, has_right_hash: bool) -> Self {
        Self {
            clean: raw.clean,
            is_wapbl: raw.journal_version == WAPBL_VERSION
                && WAPBL_LOCATIONS.contains(&raw.journal_location),
            wrong_hash: (!has_right_hash).then_some(raw.ckhash),
        }
    }
}

impl Superblock {
    /// Warns of unknown flags, of a volume that is dirty, with the journal that it has, of a wrong
    /// hash, and of an end behind the disk or partition.
    pub(crate) fn warn(&self, warnings: &mut Warnings) {
        let at = Place::Superblock(self.info.superblock_offset_bytes);
        let Unclean { clean, wrong_hash, .. } = self.unclean;
        let flags = self.info.flags;
        let known = flags & FS_UNKNOWN_FLAGS == 0;
        warnings.check(at, known, "fs_flags", flags, "made of known flags");
        match (self.info.dirty, clean & 1) {
            (false, _) => {}
            (true, 0) => warnings.check(at, false, "fs_clean", clean, self.clean_would_be()),
            (true, _) => warnings.check(at, false, "fs_flags", flags, self.clean_would_be()),
        }
        if let Some(hash) = wrong_hash {
            warnings.check(at, false, "fs_ckhash", hash, "the superblock's check-hash");
        }
        let (size, available) = (self.info.size_bytes, self.info.partition_size_bytes);
        let must = "within the disk or partition, in bytes: the rest cannot be read";
        warnings.check(at, size <= available, "fs_size", size, must);
    }

    /// Returns what the field that says that the volume is dirty would be in a clean one.
    fn clean_would_be(&self) -> &'static str {
        let flags = self.info.flags;
        match flags {
            _ if self.unclean.is_wapbl && flags & FS_DOWAPBL != 0 => {
                "that of a clean volume: read as the superblock stands; \
                 its journal (FS_DOWAPBL) is not replayed"
            }
            _ if flags & FS_SUJ != 0 => {
                "that of a clean volume: read as the superblock stands; \
                 its journal (FS_SUJ) is not replayed"
            }
            _ if flags & FS_GJOURNAL != 0 => {
                "that of a clean volume: read as the superblock stands; \
                 its journal (FS_GJOURNAL) is not replayed"
            }
            _ => {
                "that of a clean volume: it was not unmounted or needs fsck; \
                 read as the superblock stands"
            }
        }
    }
}
