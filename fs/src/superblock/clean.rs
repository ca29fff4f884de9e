//! Whether the volume was left in order, and what a superblock says that is wrong and harmless.

use super::Superblock;
use super::layout::Raw;
use crate::error::Place;

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

impl Superblock {
    /// Warns of a volume that is dirty, with the journal that it has, and of unknown flags.
    pub(super) fn warn_unless_clean(&mut self, at: Place, raw: &Raw) {
        let flags = self.info.flags;
        let known = flags & FS_UNKNOWN_FLAGS == 0;
        self.warnings.check(at, known, "fs_flags", flags, "made of known flags");
        if !self.info.dirty {
            return;
        }
        let netbsd = raw.journal_version == WAPBL_VERSION
            && WAPBL_LOCATIONS.contains(&raw.journal_location)
            && flags & FS_DOWAPBL != 0;
        let must = match flags {
            _ if netbsd => {
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
        };
        match raw.clean & 1 == 0 {
            true => self.warnings.check(at, false, "fs_clean", raw.clean, must),
            false => self.warnings.check(at, false, "fs_flags", flags, must),
        }
    }

    /// Warns of a volume that ends behind its disk or partition.
    pub(super) fn warn_of_end(&mut self) {
        let info = &self.info;
        let (size, available) = (info.size_bytes, info.partition_size_bytes);
        let at = Place::Superblock(info.superblock_offset_bytes);
        let must = "within the disk or partition, in bytes: the rest cannot be read";
        self.warnings.check(at, size <= available, "fs_size", size, must);
    }
}
