//! `struct fs`: the fields that are used or checked, with their offsets (FreeBSD
//! `sys/ufs/ffs/fs.h`; the other BSDs agree in these). Names are the header's without `fs_`.

use crate::endian::Fields;

/// `sizeof(struct fs)`.
pub(crate) const SUPERBLOCK_BYTES: usize = 1376;

/// Size of the read at a place (`SBLOCKSIZE`) in bytes; the check-hash covers up to this.
pub(super) const READ_BYTES: usize = 8192;

macro_rules! layout {
    ($($name:ident: $kind:ident @ $at:literal,)*) => {
        /// `struct fs` as it is on the disk, byte order apart; nothing in it is checked.
        pub(super) struct Raw {
            $(pub(super) $name: $kind,)*
        }

        impl Raw {
            pub(super) fn read(fs: &Fields<'_, SUPERBLOCK_BYTES>) -> Self {
                Raw { $($name: fs.$kind::<$at>(),)* }
            }
        }
    };
}

layout! {
    sblkno: i32 @ 8,
    cblkno: i32 @ 12,
    iblkno: i32 @ 16,
    dblkno: i32 @ 20,
    old_cgoffset: i32 @ 24,
    old_cgmask: i32 @ 28,
    old_size: i32 @ 36,
    ncg: u32 @ 44,
    bsize: i32 @ 48,
    fsize: i32 @ 52,
    frag: i32 @ 56,
    bmask: i32 @ 72,
    fmask: i32 @ 76,
    bshift: i32 @ 80,
    fshift: i32 @ 84,
    fragshift: i32 @ 96,
    sbsize: i32 @ 104,
    nindir: i32 @ 116,
    inopb: u32 @ 120,
    id0: u32 @ 144,
    id1: u32 @ 148,
    old_csaddr: i32 @ 152,
    cssize: i32 @ 156,
    cgsize: i32 @ 160,
    ipg: u32 @ 184,
    fpg: i32 @ 188,
    old_ndir: i32 @ 192,
    old_nifree: i32 @ 200,
    clean: u8 @ 209,
    old_flags: u8 @ 211,
    maxbsize: i32 @ 860,
    journal_version: u8 @ 864,
    journal_location: u8 @ 865,
    sblockactualloc: i64 @ 992,
    sblockloc: i64 @ 1000,
    cs_ndir: i64 @ 1008,
    cs_nifree: i64 @ 1024,
    size: i64 @ 1080,
    csaddr: i64 @ 1096,
    ckhash: u32 @ 1304,
    metackhash: u32 @ 1308,
    flags: u32 @ 1312,
    contigsumsize: i32 @ 1316,
    maxsymlinklen: i32 @ 1320,
    old_inodefmt: i32 @ 1324,
    qbmask: i64 @ 1336,
    qfmask: i64 @ 1344,
}

/// Offset of the check-hash in `struct fs`.
pub(super) const CKHASH: usize = 1304;
/// Offset of the magic number.
pub(super) const MAGIC: usize = 1372;
/// Offset of the volume's name, 32 bytes.
pub(super) const VOLNAME: usize = 680;
