//! F1 to F5 and F17 to F19: which volume it is, and whether its superblock holds together.

use std::cell::Cell;

use fs::Version;

use super::{both, failure, formats, good, mount, read, reads_an_alternate, refusal};
use super::{refusal_unless_alternate, walk, warned, with};
use newfs::fields::{Field, cg, dinode2, sb};
use newfs::{Format, UFS1_AT, UFS2_AT};

const NOT_FFS: &str = "not FFS";

pub fn magic_number() {
    assert!(refusal(&[0; 1 << 20]).starts_with(NOT_FFS));
    assert!(refusal(&[]).starts_with(NOT_FFS));
    assert!(refusal(&[0xff; 8192 + 100]).starts_with(NOT_FFS));
    for mut made in both() {
        let magic = made.superblock(sb::MAGIC);
        for value in [0, magic + 1, magic ^ 0x8000_0000] {
            made.put_superblock(sb::MAGIC, value);
            let text = refusal_unless_alternate(&made.bytes);
            assert!(text.is_none_or(|text| text.starts_with(NOT_FFS)), "{value:#x}");
        }
        // All fields but this one are of the other byte order.
        made.put_superblock(sb::MAGIC, u64::from((magic as u32).swap_bytes()));
        if let Some(text) = refusal_unless_alternate(&made.bytes) {
            let expected = ["superblock at 8192: fs_bsize", NOT_FFS];
            assert!(expected.iter().any(|begin| text.starts_with(begin)), "{text}");
        }
        // newfs of FreeBSD was at work.
        made.put_superblock(sb::MAGIC, 0x1996_0408);
        assert!(refusal(&made.bytes).contains("fs_magic 429261832"));
    }
    // Superblocks of both versions on one disk: the one that the BSDs look for first counts.
    let mut newer = good(Format::new(2, 4096, 512));
    let older = good(formats()[0]);
    let at = UFS1_AT as usize;
    newer.bytes[at..at + 8192].copy_from_slice(&older.bytes[at..at + 8192]);
    with(&newer.bytes, |volume| assert_eq!(volume.info().version, Version::Ffs2));
}

pub fn alternate_superblock() {
    // With blocks of 64 KiB, UFS1's first copy of its superblock is where UFS2 has its own.
    for old in [false, true] {
        let mut made = good(Format { old, ..Format::new(1, 65536, 8192) });
        let (from, to) = (UFS1_AT as usize, UFS2_AT as usize);
        made.bytes.copy_within(from..from + 8192, to);
        with(&made.bytes, |volume| {
            assert_eq!(volume.info().superblock_offset_bytes, UFS1_AT);
            assert!(walk(volume).1.is_empty());
        });
        // The copy alone is taken for what it is.
        made.bytes[from..from + 8192].fill(0);
        assert_eq!(refusal_unless_alternate(&made.bytes), None);
        with(&made.bytes, |volume| assert!(walk(volume).1.is_empty()));
    }
    let mut made = good(Format::new(2, 4096, 512));
    made.bytes.copy_within(UFS2_AT as usize..UFS2_AT as usize + 8192, UFS1_AT as usize);
    made.put_superblock(sb::MAGIC, 0);
    // Not that in the other one's place, but that of a group.
    assert_eq!(refusal_unless_alternate(&made.bytes), None);
    with(&made.bytes, |volume| assert!(volume.info().superblock_offset_bytes > UFS2_AT));
}

/// Fields that a reader needs not, or may take at any value within their range.
const FREE: [&str; 28] = [
    "OLD_TIME",
    "OLD_SIZE",
    "OLD_DSIZE",
    "MINFREE",
    "OLD_RPS",
    "MAXCONTIG",
    "MAXBPG",
    "OLD_NSPF",
    "OLD_NPSECT",
    "OLD_INTERLEAVE",
    "OLD_CSADDR",
    "OLD_NSECT",
    "OLD_SPC",
    "CLEAN",
    "TIME",
    "DSIZE",
    "CKHASH",
    "METACKHASH",
    "FLAGS",
    "CONTIGSUMSIZE",
    "MAXFILESIZE",
    "STATE",
    "OLD_POSTBLFORMAT",
    "OLD_FLAGS",
    "FSBTODB",
    "OLD_NCYL",
    "OLD_CPG",
    "OLD_NRPOS",
];
/// Fields that only UFS1 has.
const OLD_ONLY: [&str; 1] = ["OLD_INODEFMT"];
/// Fields that may have some other values than their own: `SIZE`, `FPG` and `CS_` any in a range, a
/// `MAXBSIZE` of 0 and a `SBLOCKACTUALLOC` of its place were written by some systems, and for
/// UFS2 nobody shifts groups. Inode formats below 2 are 4.2BSD's.
const RANGED: [&str; 12] = [
    "SIZE",
    "FPG",
    "CS_NDIR",
    "CS_NIFREE",
    "MAXBSIZE",
    "SBLOCKACTUALLOC",
    "OLD_CGOFFSET",
    "OLD_CGMASK",
    "CSADDR",
    "CGSIZE",
    "SBSIZE",
    "OLD_INODEFMT",
];

pub fn superblock_fields() {
    for format in [formats()[0], formats()[1], formats()[3], formats()[4]] {
        let mut made = good(format);
        let whole = with(&made.bytes, |volume| walk(volume).0);
        for &field in sb::ALL {
            let right = made.superblock(field);
            let mask = u64::MAX >> (64 - 8 * field.width);
            let min = 1 << (8 * field.width - 1);
            let near = [right + 1, right.wrapping_sub(1), right << 1, right >> 1, right | 3];
            let far = [0, 1, 2, 3, 1 << 31, min, min - 1, mask, mask - 1, mask << 16];
            for value in near.into_iter().chain(far).map(|value| value & mask) {
                if value == right {
                    continue;
                }
                made.put_superblock(field, value);
                let reads = Cell::new(0);
                if let Ok(mut volume) = mount(&made.bytes, &reads) {
                    let (seen, _) = walk(&mut volume);
                    let name = field.name;
                    let old_only = OLD_ONLY.contains(&name) && format.version == 2;
                    let may = FREE.contains(&name) || old_only || RANGED.contains(&name);
                    // A superblock for another place is none.
                    let may = may || reads_an_alternate(volume.info());
                    assert!(may, "{format:?}: {name} = {value:#x} is taken");
                    let inside = seen.keys().all(|number| whole.contains_key(number));
                    assert!(inside, "{name} = {value:#x} makes up inodes");
                }
            }
            made.put_superblock(field, right);
        }
    }
}

pub fn fragments_in_a_block() {
    for version in [1, 2] {
        for frags in [1, 2, 4, 8] {
            let made = good(Format::new(version, 8192, 8192 / frags));
            with(&made.bytes, |volume| assert!(walk(volume).1.is_empty()));
        }
        // A geometry that holds together, but is none of FFS's.
        let set = |bsize: u64, fsize: u64, frag: u64, field: &str| {
            let mut made = good(Format::new(version, 8192, 1024));
            let log = |value: u64| u64::from(value.ilog2());
            for (field, value) in [
                (sb::BSIZE, bsize),
                (sb::FSIZE, fsize),
                (sb::FRAG, frag),
                (sb::BMASK, !(bsize - 1)),
                (sb::FMASK, !(fsize - 1)),
                (sb::QBMASK, bsize - 1),
                (sb::QFMASK, fsize - 1),
                (sb::BSHIFT, log(bsize)),
                (sb::FSHIFT, log(fsize)),
                (sb::FRAGSHIFT, log(frag)),
                (sb::FSBTODB, log(fsize) - 9),
                (sb::MAXBSIZE, bsize),
            ] {
                made.put_superblock(field, value);
            }
            let text = refusal(&made.bytes);
            assert!(text.contains(field), "{bsize}/{fsize} x {frag}: {text}");
        };
        set(8192, 512, 16, "fs_frag 16");
        set(6144, 2048, 3, "fs_bsize 6144");
        set(12288, 4096, 3, "fs_bsize 12288");
        set(2048, 512, 4, "fs_bsize 2048");
        set(1 << 17, 1 << 14, 8, "fs_bsize 131072");
        set(8192, 1024, 4, "fs_frag 4");
        set(8192, 16384, 1, "fs_fsize 16384");
    }
}

pub fn larger_than_the_disk() {
    for made in both() {
        // The disk ends within a file's data: what is before that can be read.
        let place = made.block_of("/file", 1) as usize;
        let number = made.inodes[&b"/file"[..]];
        let text = failure(&made.bytes[..place], |volume| {
            let inode = volume.inode(number)?;
            assert_eq!(volume.read_at(&inode, 0, &mut [0; 4096])?, 4096);
            volume.read_at(&inode, 4096, &mut [0; 1])
        });
        assert!(text.contains("file block 1: block pointer"), "{text}");
        assert!(text.contains("inside the volume"), "{text}");
        // More groups than the disk or any number can hold.
        for ncg in [1 << 16, (1 << 31) - 1, (1 << 32) - 1] {
            let mut made = made.clone();
            made.put_superblock(sb::NCG, ncg);
            made.put_superblock(sb::OLD_NCYL, ncg);
            made.put_superblock(sb::SIZE, ncg.saturating_mul(made.superblock(sb::FPG)));
            let text = refusal(&made.bytes);
            assert!(text.starts_with("superblock at 8192: "), "{text}");
        }
        // As many groups, each as large, as the fields can tell.
        let mut large = made.clone();
        let (ncg, fpg) = (1 << 26, 0x7fff_fff8);
        for (field, value) in [
            (sb::NCG, ncg),
            (sb::OLD_NCYL, ncg),
            (sb::FPG, fpg),
            (sb::SIZE, ncg * fpg),
            (sb::CSSIZE, ncg * 16),
        ] {
            large.put_superblock(field, value);
        }
        let text = refusal(&large.bytes);
        assert!(text.starts_with("superblock at 8192: "), "{text}");
        // A last group that is short: what it doesn't have isn't read.
        let mut made = made.clone();
        let short = (made.groups() - 1) * made.superblock(sb::FPG) + 1;
        made.put_superblock(sb::SIZE, short);
        with(&made.bytes, |volume| {
            assert_eq!(volume.info().size_bytes, short * u64::from(volume.info().fragment_bytes));
            let (_, errors) = walk(volume);
            assert!(errors.iter().all(|error| error.to_string().contains("volume")), "{errors:?}");
        });
    }
}

pub fn dirty_and_flags() {
    for made in both() {
        let set = |changes: &[(Field, u64)]| {
            let mut made = made.clone();
            changes.iter().for_each(|(field, value)| made.put_superblock(*field, *value));
            made
        };
        with(&made.bytes, |volume| assert!(!volume.info().dirty));
        // fs_clean; not unmounted; fsck needed.
        for changes in [&[(sb::CLEAN, 0)], &[(sb::FLAGS, 0x1)], &[(sb::FLAGS, 0x4)]] {
            with(&set(changes).bytes, |volume| {
                assert!(volume.info().dirty, "{changes:?}");
                assert!(walk(volume).1.is_empty());
                let field = if changes[0].0.name == "CLEAN" { "fs_clean" } else { "fs_flags" };
                assert_eq!(warned(volume), [format!("superblock at 8192: {field}")]);
            });
        }
        // Soft updates, their journal, gjournal: what they mean is over after a clean unmount.
        for flags in [0x2, 0x8, 0x40] {
            with(&set(&[(sb::FLAGS, flags)]).bytes, |volume| {
                assert_eq!((volume.info().dirty, volume.info().flags), (false, flags as u32));
                assert!(walk(volume).1.is_empty());
            });
        }
        // Flags without a meaning so far.
        with(&set(&[(sb::FLAGS, 0x8000_0000)]).bytes, |volume| {
            assert!(walk(volume).1.is_empty());
            assert_eq!(warned(volume), ["superblock at 8192: fs_flags"]);
        });
    }
}

pub fn byte_order_and_old_inodes() {
    for format in formats() {
        let made = good(format);
        let big_endian = with(&made.bytes, |volume| {
            assert!(walk(volume).1.is_empty());
            volume.info().endian == fs::Endian::Big
        });
        assert_eq!(big_endian, format.big_endian);
    }
    // 4.2BSD's entries have a length of 16 bits where 4.4BSD's have type and length.
    let mut made = good(formats()[2]);
    for format in [0, 1, 0x8000_0000] {
        made.put_superblock(sb::OLD_INODEFMT, format);
        with(&made.bytes, |volume| assert!(walk(volume).1.is_empty()));
    }
    made.put_superblock(sb::OLD_INODEFMT, 3);
    assert!(refusal(&made.bytes).contains("fs_old_inodefmt"));
    // Apple's UFS differs by a label only, and its directories are read in another way.
    let mut made = good(formats()[1]);
    made.bytes[7168..7172].copy_from_slice(b"LABL");
    assert!(refusal(&made.bytes).contains("Apple"));
}

pub fn check_hashes() {
    let hashed = good(formats()[5]);
    with(&hashed.bytes, |volume| assert!(walk(volume).1.is_empty()));
    let mut made = hashed.clone();
    made.put_superblock(sb::TIME, 1);
    with(&made.bytes, |volume| {
        assert!(walk(volume).1.is_empty());
        assert_eq!(warned(volume), ["superblock at 65536: fs_ckhash"]);
    });

    let mut made = hashed.clone();
    made.put(made.group_at(0), cg::OLD_NCYL, 7);
    assert!(refusal(&made.bytes).contains("cylinder group 0: cg_ckhash"));

    let mut made = hashed.clone();
    made.put(made.inode_of("/small"), dinode2::MTIME, 7);
    let text = failure(&made.bytes, |volume| read(volume, "/small"));
    assert!(text.contains("di_ckhash"), "{text}");
    with(&made.bytes, |volume| assert!(read(volume, "/file").is_ok()));

    // A kernel that keeps no hashes clears the flag, and stale hashes count no more.
    made.put_superblock(sb::FLAGS, 0);
    with(&made.bytes, |volume| assert!(walk(volume).1.is_empty()));
}
