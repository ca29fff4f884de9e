//! Offsets and widths of the fields of FFS's structures: FreeBSD's sys/ufs/ffs/fs.h and
//! sys/ufs/ufs/dinode.h.
//!
//! Each module ends with `ALL`, so that a test can go through every field by name.

/// An integer at a byte offset in its structure.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Name in capitals, without `fs_` and its kin.
    pub name: &'static str,
    /// Offset in its structure in bytes.
    pub at: usize,
    /// Width in bytes: 1, 2, 4 or 8.
    pub width: usize,
}

macro_rules! fields {
    ($($name:ident: $at:literal, $width:literal;)*) => {
        $(#[doc = concat!("`", stringify!($name), "`")]
        pub const $name: Field = Field { name: stringify!($name), at: $at, width: $width };)*
        /// All fields of the structure.
        pub const ALL: &[Field] = &[$($name),*];
    };
}

/// `struct fs`.
pub mod sb {
    use super::Field;

    /// Size of the structure in bytes.
    pub const BYTES: usize = 1376;
    /// Name of the volume: 32 bytes of text, of which this field has the first 8.
    pub const VOLNAME: Field = Field { name: "VOLNAME", at: 680, width: 8 };

    fields! {
        SBLKNO: 8, 4; CBLKNO: 12, 4; IBLKNO: 16, 4; DBLKNO: 20, 4;
        OLD_CGOFFSET: 24, 4; OLD_CGMASK: 28, 4; OLD_TIME: 32, 4; OLD_SIZE: 36, 4; OLD_DSIZE: 40, 4;
        NCG: 44, 4; BSIZE: 48, 4; FSIZE: 52, 4; FRAG: 56, 4; MINFREE: 60, 4;
        OLD_RPS: 68, 4; BMASK: 72, 4; FMASK: 76, 4; BSHIFT: 80, 4; FSHIFT: 84, 4;
        MAXCONTIG: 88, 4; MAXBPG: 92, 4; FRAGSHIFT: 96, 4; FSBTODB: 100, 4; SBSIZE: 104, 4;
        NINDIR: 116, 4; INOPB: 120, 4; OLD_NSPF: 124, 4; OLD_NPSECT: 132, 4;
        OLD_INTERLEAVE: 136, 4; OLD_CSADDR: 152, 4; CSSIZE: 156, 4; CGSIZE: 160, 4;
        OLD_NSECT: 168, 4; OLD_SPC: 172, 4; OLD_NCYL: 176, 4; OLD_CPG: 180, 4;
        IPG: 184, 4; FPG: 188, 4; CLEAN: 209, 1; OLD_FLAGS: 211, 1;
        MAXBSIZE: 860, 4; SBLOCKACTUALLOC: 992, 8; SBLOCKLOC: 1000, 8;
        CS_NDIR: 1008, 8; CS_NIFREE: 1024, 8; TIME: 1072, 8; SIZE: 1080, 8; DSIZE: 1088, 8;
        CSADDR: 1096, 8; CKHASH: 1304, 4; METACKHASH: 1308, 4; FLAGS: 1312, 4;
        CONTIGSUMSIZE: 1316, 4; MAXSYMLINKLEN: 1320, 4; OLD_INODEFMT: 1324, 4;
        MAXFILESIZE: 1328, 8; QBMASK: 1336, 8; QFMASK: 1344, 8; STATE: 1352, 4;
        OLD_POSTBLFORMAT: 1356, 4; OLD_NRPOS: 1360, 4; MAGIC: 1372, 4;
    }
}

/// `struct cg`.
pub mod cg {
    use super::Field;

    fields! {
        MAGIC: 4, 4; CGX: 12, 4; OLD_NCYL: 16, 2; OLD_NIBLK: 18, 2; NDBLK: 20, 4; IUSEDOFF: 92, 4;
        FREEOFF: 96, 4; NEXTFREEOFF: 100, 4; NIBLK: 116, 4; INITEDIBLK: 120, 4; CKHASH: 132, 4;
    }
}

/// `struct ufs1_dinode`; `DB` is the first of 12 direct and 3 indirect pointers.
pub mod dinode1 {
    use super::Field;

    fields! {
        MODE: 0, 2; NLINK: 2, 2; OLD_UID: 4, 2; OLD_GID: 6, 2; SIZE: 8, 8; MTIME: 24, 4;
        DB: 40, 4; FLAGS: 100, 4; BLOCKS: 104, 4; UID: 112, 4; GID: 116, 4;
    }
}

/// `struct ufs2_dinode`; `DB` is the first of 12 direct and 3 indirect pointers.
pub mod dinode2 {
    use super::Field;

    fields! {
        MODE: 0, 2; NLINK: 2, 2; UID: 4, 4; GID: 8, 4; SIZE: 16, 8; BLOCKS: 24, 8; MTIME: 40, 8;
        FLAGS: 88, 4; EXTSIZE: 92, 4; EXTB: 96, 8; DB: 112, 8; CKHASH: 244, 4;
    }
}
