//! Checks of FreeBSD's `validate_sblock`, except for what only its allocator uses; its warnings
//! are not errors here. Wider in five places: the superblock may be at any of the four
//! places that are searched (makefs), or have been moved there (makefs, for Linux), volumes may be
//! tiny (makefs), UFS1 volumes older than `FS_FLAGS_UPDATED` have the geometry of their time, and
//! what they keep of it counts for nothing after a newer kernel has mounted them.

use super::Superblock;
use super::clean::{self, Unclean};
use super::layout::{READ_BYTES, Raw, SUPERBLOCK_BYTES};
use crate::endian::Endian;
use crate::error::{Corrupt, Place};
use crate::info::Doubts;
use crate::{Info, PartitionName, Version};

const SECTOR_BYTES: i64 = 512;
/// `sizeof(struct cg)` and `sizeof(struct csum)`.
const GROUP_BYTES: i64 = 168;
const CSUM_BYTES: i64 = 16;
/// `FS_MAXCONTIG`: by how much `fs_maxbsize` may exceed `fs_bsize`.
const MAXCONTIG: i64 = 16;
/// Offset that makefs lays UFS2 out for. One that was moved to 65536 afterwards, for kernels
/// that look nowhere else, keeps that layout.
const MOVED_FROM_BYTES: i64 = 8192;
const FS_44INODEFMT: i32 = 2;
const FS_METACKHASH: u32 = 0x200;
/// Pointers of a UFS1 inode in bytes, which a symlink's target can take the place of.
const AREA1_BYTES: i32 = 60;

const DIRECT: u64 = 12;

/// Checks everything, in an order in which each check may rely on those before it.
pub(super) fn check(
    at_bytes: u64,
    endian: Endian,
    version: Version,
    updated: bool,
    raw: &Raw,
) -> Result<Superblock, Corrupt> {
    let at = Place::Superblock(at_bytes);
    check_sizes(at, raw)?;
    check_shifts(at, version, updated, raw)?;
    check_version(at, version, updated, raw)?;
    check_groups(at, updated, raw)?;
    check_layout(at, at_bytes, raw)?;
    let (size, csaddr) = check_extent(at, updated, raw)?;
    let flags = if updated { raw.flags } else { u32::from(raw.old_flags) };

    let pointers = u64::from(raw.nindir.cast_unsigned());
    let blocks_max = DIRECT + pointers + pointers.pow(2) + pointers.pow(3);
    Ok(Superblock {
        info: Info {
            version,
            endian,
            block_bytes: raw.bsize.cast_unsigned(),
            fragment_bytes: raw.fsize.cast_unsigned(),
            size_bytes: size * raw.fsize as u64,
            superblock_offset_bytes: at_bytes,
            partition_start_bytes: 0,
            partition_size_bytes: 0,
            group_count: raw.ncg,
            inode_count: raw.ipg * raw.ncg,
            partition: PartitionName::DISK,
            doubts: Doubts::new(),
            dirty: clean::is_dirty(raw.clean, flags),
            flags,
            id: [raw.id0, raw.id1],
            name: [0; 32],
        },
        unclean: Unclean::of(raw, true),
        fragments: raw.frag as u64,
        block_shift: raw.bsize.trailing_zeros(),
        end: size,
        group_size: raw.fpg as u64,
        group_inodes: raw.ipg,
        sblkno: raw.sblkno as u64,
        cblkno: raw.cblkno as u64,
        iblkno: raw.iblkno as u64,
        dblkno: raw.dblkno as u64,
        group_bytes: raw.cgsize as usize,
        old_cgoffset: raw.old_cgoffset as u64,
        old_cgmask: raw.old_cgmask.cast_unsigned(),
        csaddr,
        cs_end: csaddr + (raw.cssize / raw.fsize) as u64,
        inodes_per_block: raw.inopb,
        pointers_per_block: pointers,
        inline_link_bytes: raw.maxsymlinklen.max(0) as u64,
        old_inodes: version == Version::Ffs1 && raw.old_inodefmt < FS_44INODEFMT,
        hashed: if flags & FS_METACKHASH != 0 { raw.metackhash } else { 0 },
        file_bytes_max: blocks_max * raw.bsize as u64 - 1,
    })
}

/// Checks blocks, fragments and the superblock's own size.
fn check_sizes(at: Place, raw: &Raw) -> Result<(), Corrupt> {
    let block = raw.bsize > 0 && raw.bsize.cast_unsigned().is_power_of_two();
    let block = block && (4096..=65536).contains(&raw.bsize);
    at.check(block, "fs_bsize", raw.bsize, "a power of two from 4096 to 65536")?;
    let fragment = raw.fsize > 0 && raw.fsize.cast_unsigned().is_power_of_two();
    let fragment = fragment && (512..=raw.bsize).contains(&raw.fsize);
    at.check(fragment, "fs_fsize", raw.fsize, "a power of two from 512 to fs_bsize")?;
    let frag = (1..=8).contains(&raw.frag) && raw.frag == raw.bsize / raw.fsize;
    at.check(frag, "fs_frag", raw.frag, "fs_bsize / fs_fsize, at most 8")?;
    let sbsize = i64::from(raw.sbsize);
    let enough = (SUPERBLOCK_BYTES as i64..=READ_BYTES as i64).contains(&sbsize);
    let enough = enough && sbsize % SECTOR_BYTES == 0;
    at.check(enough, "fs_sbsize", sbsize, "a multiple of 512 from 1376 to 8192")
}

/// Checks what can be computed from the sizes.
fn check_shifts(at: Place, version: Version, updated: bool, raw: &Raw) -> Result<(), Corrupt> {
    let (block, fragment) = (i64::from(raw.bsize), i64::from(raw.fsize));
    at.check(i64::from(raw.bmask) == -block, "fs_bmask", raw.bmask, "-fs_bsize")?;
    at.check(i64::from(raw.fmask) == -fragment, "fs_fmask", raw.fmask, "-fs_fsize")?;
    let log2 = |value: i32| value.trailing_zeros().cast_signed();
    at.check(raw.bshift == log2(raw.bsize), "fs_bshift", raw.bshift, "log2 of fs_bsize")?;
    at.check(raw.fshift == log2(raw.fsize), "fs_fshift", raw.fshift, "log2 of fs_fsize")?;
    let shift = raw.fragshift;
    at.check(shift == log2(raw.frag), "fs_fragshift", shift, "log2 of fs_frag")?;
    if updated {
        let max = i64::from(raw.maxbsize);
        let right = max == 0 || (max >= block && max <= MAXCONTIG * block && max & (max - 1) == 0);
        at.check(right, "fs_maxbsize", max, "a power of two from fs_bsize to 16 * fs_bsize")?;
        // The kernels compute these anew when the inodes are 4.2BSD's.
        let masks = version == Version::Ffs2 || raw.old_inodefmt >= FS_44INODEFMT;
        let right = |mask: i64, size: i64| !masks || mask == size - 1;
        at.check(right(raw.qbmask, block), "fs_qbmask", raw.qbmask, "fs_bsize - 1")?;
        at.check(right(raw.qfmask, fragment), "fs_qfmask", raw.qfmask, "fs_fsize - 1")?;
    }
    Ok(())
}

/// Checks what differs between UFS1 and UFS2.
fn check_version(at: Place, version: Version, updated: bool, raw: &Raw) -> Result<(), Corrupt> {
    let pointers =
        raw.nindir.cast_unsigned() == raw.bsize.cast_unsigned() / version.pointer_bytes();
    at.check(pointers, "fs_nindir", raw.nindir, "the number of pointers in a block")?;
    let inodes = raw.inopb == raw.bsize.cast_unsigned() / version.inode_bytes();
    at.check(inodes, "fs_inopb", raw.inopb, "the number of inodes in a block")?;
    let inline = raw.maxsymlinklen;
    let area = "the size of the inode's pointers, or at most that with 4.2BSD's inodes";
    match version {
        Version::Ffs1 => {
            let format = raw.old_inodefmt;
            let known = format <= FS_44INODEFMT;
            at.check(known, "fs_old_inodefmt", format, "2 (4.4BSD) or below (4.2BSD)")?;
            // 4.2BSD had no such field, so there may be 0 or -1 in its place.
            let right = inline == AREA1_BYTES || (format < FS_44INODEFMT && inline < AREA1_BYTES);
            at.check(right, "fs_maxsymlinklen", inline, area)?;
            if updated {
                let loc = raw.sblockloc;
                at.check((0..=8192).contains(&loc), "fs_sblockloc", loc, "8192 or less for UFS1")?;
            }
        }
        Version::Ffs2 => {
            at.check(inline == 120, "fs_maxsymlinklen", inline, area)?;
            let actual = raw.sblockactualloc;
            let right = actual == 0 || actual == raw.sblockloc;
            at.check(right, "fs_sblockactualloc", actual, "0 or fs_sblockloc")?;
        }
    }
    Ok(())
}

/// Checks number and size of the cylinder groups, and the counts over them.
fn check_groups(at: Place, updated: bool, raw: &Raw) -> Result<(), Corrupt> {
    let (frag, fpg) = (i64::from(raw.frag), i64::from(raw.fpg));
    at.check(fpg >= 3 * frag, "fs_fpg", fpg, "at least three blocks")?;
    at.check(raw.ncg >= 1, "fs_ncg", raw.ncg, "at least 1")?;
    let per_group = raw.ipg >= raw.inopb && raw.ipg.is_multiple_of(raw.inopb);
    at.check(per_group, "fs_ipg", raw.ipg, "a multiple of fs_inopb")?;
    let inodes = u64::from(raw.ipg) * u64::from(raw.ncg);
    let fit = inodes <= (1 << 32) - u64::from(raw.inopb);
    at.check(fit, "fs_ipg * fs_ncg", inodes, "below 2^32")?;
    let inodes = inodes.cast_signed();
    let (ndir, nifree) = match updated {
        true => (raw.cs_ndir, raw.cs_nifree),
        false => (raw.old_ndir.into(), raw.old_nifree.into()),
    };
    at.check((0..=inodes).contains(&nifree), "cs_nifree", nifree, "0 to the number of inodes")?;
    at.check((0..=inodes - nifree).contains(&ndir), "cs_ndir", ndir, "0 to the inodes in use")?;
    let clusters = i64::from(raw.contigsumsize);
    let cluster_map = if clusters > 0 { clusters * 4 + (fpg / frag + 7) / 8 } else { 0 };
    let maps = (i64::from(raw.ipg) + 7) / 8 + (fpg + 7) / 8 + 4;
    let needed = GROUP_BYTES + maps + cluster_map;
    at.check(needed <= i64::from(raw.bsize), "CGSIZE", needed, "within fs_bsize")
}

/// Checks the places of a group's structures.
fn check_layout(at: Place, at_bytes: u64, raw: &Raw) -> Result<(), Corrupt> {
    let (frag, fsize) = (i64::from(raw.frag), i64::from(raw.fsize));
    let blocks = |bytes: i64| ((bytes + fsize - 1) / fsize + frag - 1) / frag * frag;
    let sblkno = i64::from(raw.sblkno);
    let behind = |superblock: i64| blocks(superblock + READ_BYTES as i64);
    let right = sblkno == behind(at_bytes.cast_signed()) || sblkno == behind(MOVED_FROM_BYTES);
    at.check(right, "fs_sblkno", sblkno, "the first block after the superblock")?;
    let cblkno = i64::from(raw.cblkno);
    let right = cblkno == sblkno + blocks(READ_BYTES as i64);
    at.check(right, "fs_cblkno", cblkno, "the first block after fs_sblkno's copy")?;
    let iblkno = i64::from(raw.iblkno);
    at.check(iblkno == cblkno + frag, "fs_iblkno", iblkno, "the block after fs_cblkno")?;
    let dblkno = i64::from(raw.dblkno);
    let inodes = i64::from(raw.ipg / raw.inopb) * frag;
    at.check(dblkno == iblkno + inodes, "fs_dblkno", dblkno, "the end of the inodes")?;
    // UFS1 once shifted the structures of group c by cgoffset * (c & ~cgmask).
    let (offset, times) = (i64::from(raw.old_cgoffset), i64::from(!raw.old_cgmask));
    let right = offset == 0 || (offset > 0 && times >= 0);
    at.check(right, "fs_old_cgoffset", offset, "0, or positive with a mask")?;
    let needed = dblkno + if offset == 0 { 0 } else { offset * times };
    at.check(needed <= raw.fpg.into(), "fs_fpg", raw.fpg, "room for a group's structures")?;
    let cgsize = i64::from(raw.cgsize);
    let right = (fsize..=i64::from(raw.bsize)).contains(&cgsize) && cgsize % fsize == 0;
    at.check(right, "fs_cgsize", cgsize, "a multiple of fs_fsize up to fs_bsize")
}

/// Checks the volume's extent; returns its size and the place of the groups' summary, both in
/// fragments.
fn check_extent(at: Place, updated: bool, raw: &Raw) -> Result<(u64, u64), Corrupt> {
    let (size, csaddr) = match updated {
        true => (raw.size, raw.csaddr),
        false => (raw.old_size.into(), raw.old_csaddr.into()),
    };
    let (ncg, fpg, fsize) = (i64::from(raw.ncg), i64::from(raw.fpg), i64::from(raw.fsize));
    let right = size > (ncg - 1) * fpg && size <= ncg * fpg;
    at.check(right, "fs_size", size, "within the last cylinder group")?;
    let summary = (ncg * CSUM_BYTES + fsize - 1) / fsize;
    let cssize = i64::from(raw.cssize);
    at.check(
        cssize == summary * fsize,
        "fs_cssize",
        cssize,
        "16 bytes for each group, rounded up",
    )?;
    // It does not matter whether the division leaves out the first group: the data begins at
    // dblkno.
    let right = csaddr >= 0 && csaddr % fpg >= i64::from(raw.dblkno);
    at.check(right, "fs_csaddr", csaddr, "in a data area")?;
    let right = csaddr % fpg + summary <= fpg && summary <= size && csaddr <= size - summary;
    at.check(right, "fs_csaddr", csaddr, "within one group and the volume")?;
    Ok((size.cast_unsigned(), csaddr.cast_unsigned()))
}
