//! Volumes that must be refused, in a line that names structure, field and value.

use super::maker::{self, BIG, DIRECTORY, Maker, SHORT_LINK, SMALL_FILE, SUPERBLOCK};
use super::{VARIANTS, look_at_all, mount};
use crate::store::Store;
use crate::superblock::Superblock;
use crate::{Endian, Error, Image, PastEnd, ReadBlocks, SCRATCH_BYTES, Version, Volume};

/// Returns the error of reading everything after a change.
fn said(version: Version, endian: Endian, change: impl Fn(&mut Maker)) -> String {
    let mut maker = Maker::new(version, endian);
    change(&mut maker);
    look_at_all(Image(&maker.bytes)).map_or_else(|error| error.to_string(), |()| "fine".into())
}

/// Asserts what is said after a change, for each version and byte order.
fn refused(expected: &str, change: impl Fn(&mut Maker)) {
    for (version, endian) in VARIANTS {
        let said = said(version, endian, &change);
        assert_eq!(said, expected, "{version:?} {endian:?}");
    }
}

#[test]
fn what_is_made_is_fine() {
    refused("fine", |_| {});
}

/// Fields of the superblock whose value follows from the others: offset, width in bytes, name.
const EXACT: [(usize, usize, &str); 24] = [
    (8, 4, "fs_sblkno"),
    (12, 4, "fs_cblkno"),
    (16, 4, "fs_iblkno"),
    (20, 4, "fs_dblkno"),
    (44, 4, "fs_ncg"),
    (48, 4, "fs_bsize"),
    (52, 4, "fs_fsize"),
    (56, 4, "fs_frag"),
    (72, 4, "fs_bmask"),
    (76, 4, "fs_fmask"),
    (80, 4, "fs_bshift"),
    (84, 4, "fs_fshift"),
    (96, 4, "fs_fragshift"),
    (104, 4, "fs_sbsize"),
    (116, 4, "fs_nindir"),
    (120, 4, "fs_inopb"),
    (156, 4, "fs_cssize"),
    (160, 4, "fs_cgsize"),
    (184, 4, "fs_ipg"),
    (1000, 8, "not FFS"),
    (1320, 4, "fs_maxsymlinklen"),
    (1336, 8, "fs_qbmask"),
    (1344, 8, "fs_qfmask"),
    (1372, 4, "not FFS"),
];

#[test]
fn a_superblock_with_any_field_wrong_is_refused() {
    let values = [0, 1, -1, 3, 7, 0x7fff_ffff, -0x8000_0000, 0x1_0000, 65, 1023, 1025, 4095];
    for (version, endian) in VARIANTS {
        let good = Maker::new(version, endian);
        for (at, width, name) in EXACT {
            for value in values {
                let mut bad = Maker { bytes: good.bytes.clone(), ..good };
                match width {
                    4 => bad.put32(SUPERBLOCK + at, value),
                    _ => bad.put64(SUPERBLOCK + at, value),
                }
                if bad.bytes == good.bytes {
                    continue;
                }
                let error = mount(&bad).map_or_else(|error| error.to_string(), |_| "fine".into());
                let line = |value: i64| format!("superblock at 8192: {name} {value} is not ");
                let unsigned = i64::from(value as u32);
                let named = error.starts_with(&line(value)) || error.starts_with(&line(unsigned));
                // Some may also come to light by what is computed from them.
                let computed = ["fs_ncg", "fs_ipg", "fs_fsize", "fs_bsize"];
                let expected = named || computed.contains(&name) || error.starts_with(name);
                assert!(expected && error != "fine", "{name} = {value}: {error}");
            }
        }
    }
}

#[test]
fn no_two_fields_overflow_together() {
    let values = [-1, i64::from(i32::MAX), i64::from(i32::MIN), 0xffff_ff00];
    let mut scratch = vec![0; SCRATCH_BYTES];
    for (version, endian) in VARIANTS {
        let mut maker = Maker::new(version, endian);
        let good = maker.bytes[SUPERBLOCK..][..1376].to_vec();
        let fields = EXACT.iter().map(|(at, ..)| *at);
        let unused = [100, 176, 180, 1324, 1360];
        let fields = fields.chain([24, 28, 188, 860, 1012, 1084, 1100, 1316]).chain(unused);
        let fields: Vec<usize> = fields.collect();
        for (index, first) in fields.iter().enumerate() {
            for second in &fields[index + 1..] {
                for (one, two) in values.iter().flat_map(|one| values.map(|two| (*one, two))) {
                    maker.put32(SUPERBLOCK + first, one);
                    maker.put32(SUPERBLOCK + second, two);
                    // Not to panic is all that is asked.
                    let mut store =
                        Store::new(Image(&maker.bytes), scratch.as_mut_slice()).unwrap();
                    let _ = Superblock::find(&mut store);
                }
                maker.bytes[SUPERBLOCK..][..1376].copy_from_slice(&good);
            }
        }
    }
}

#[test]
fn bounds_in_the_superblock_are_kept() {
    let line = |field: &str, value: i64, must: &str| {
        format!("superblock at 8192: {field} {value} is not {must}")
    };
    let quad = |at: usize, value: i64, expected: String| {
        refused(&expected, |maker| maker.put64(SUPERBLOCK + at, value));
    };
    let size = |value| line("fs_size", value, "within the last cylinder group");
    [0, 512, 1025, i64::MAX, i64::MIN].into_iter().for_each(|value| quad(1080, value, size(value)));
    let inodes = "0 to the number of inodes";
    [-1, 65, i64::MAX]
        .into_iter()
        .for_each(|value| quad(1024, value, line("cs_nifree", value, inodes)));
    quad(1008, -1, line("cs_ndir", -1, "0 to the inodes in use"));
    [-1, 0, 63, 512 + 10]
        .into_iter()
        .for_each(|value| quad(1096, value, line("fs_csaddr", value, "in a data area")));
    let within = "within one group and the volume";
    quad(1096, 1024 * 512 + 64, line("fs_csaddr", 1024 * 512 + 64, within));
    for (value, must) in [
        (0, "at least three blocks"),
        (23, "at least three blocks"),
        (63, "room for a group's structures"),
    ] {
        refused(&line("fs_fpg", value, must), |maker| maker.put32(SUPERBLOCK + 188, value));
    }
    for (version, endian) in VARIANTS.into_iter().filter(|(version, _)| *version == Version::Ffs1) {
        let format = |value| {
            let change = |maker: &mut Maker| maker.put32(SUPERBLOCK + 1324, value);
            assert_eq!(
                said(version, endian, change),
                line("fs_old_inodefmt", value, "2 (4.4BSD) or below (4.2BSD)")
            );
        };
        [3, 0x7fff_ffff].into_iter().for_each(format);
    }
    let bad = line("fs_magic", 0x1996_0408, "that of a finished newfs");
    refused(&bad, |maker| maker.put32(SUPERBLOCK + 1372, 0x1996_0408));
}

#[test]
fn an_alternate_superblock_is_passed_over() {
    // UFS1 with blocks of 64 KiB has its first alternate where UFS2 has its superblock.
    for (version, endian) in VARIANTS {
        let mut maker = Maker::new(version, endian);
        maker.bytes.copy_within(SUPERBLOCK..SUPERBLOCK + 1376, 65536);
        assert_eq!(mount(&maker).unwrap().info().superblock_offset_bytes, 8192);
        maker.bytes[SUPERBLOCK..SUPERBLOCK + 1376].fill(0);
        assert_eq!(mount(&maker).unwrap_err(), Error::NotFfs);
    }
}

#[test]
fn apple_ufs_is_told_apart() {
    let change = |maker: &mut Maker| maker.bytes[7168..7172].copy_from_slice(b"LABL");
    let said_of = |version, endian| said(version, endian, change);
    assert!(said_of(Version::Ffs1, Endian::Big).contains("Apple"));
    assert_eq!(said_of(Version::Ffs2, Endian::Big), "fine");
    assert_eq!(said_of(Version::Ffs1, Endian::Little), "fine");
}

#[test]
fn pointers_lead_into_data_areas_only() {
    for (value, must) in [
        (-8, "inside the volume"),
        (1024, "inside the volume"),
        (1020, "inside the volume"),
        (73, "within one block"),
        (8, "in a data area"),
        (56, "in a data area"),
        (512 + 40, "in a data area"),
    ] {
        let line =
            |block| format!("inode 3, file block {block}: block pointer {value} is not {must}");
        refused(&line(1), |maker| maker.set_pointer(BIG, 1, value));
        refused(&line(13), |maker| maker.set_indirect(104, 1, value));
        let line = "inode 3, indirect block of level 1 for file block 12";
        let line = format!("{line}: block pointer {value} is not {must}");
        refused(&line, |maker| maker.set_pointer(BIG, 12, value));
    }
    // A tail of two fragments over the end of its block, and one over the summary.
    let line = "inode 4, file block 0: block pointer 71 is not within one block";
    refused_deep(line, |maker| maker.set_pointer(SMALL_FILE, 0, 71));
    let line = "inode 4, file block 0: block pointer 63 is not within one block";
    refused_deep(line, |maker| maker.set_pointer(SMALL_FILE, 0, 63));
    let line = "inode 4, file block 0: block pointer 64 is not in a data area";
    refused_deep(line, |maker| maker.set_pointer(SMALL_FILE, 0, 64));
}

/// Checks as `refused` does, for files below `/dir`.
fn refused_deep(expected: &str, change: impl Fn(&mut Maker)) {
    for (version, endian) in VARIANTS {
        let mut maker = Maker::new(version, endian);
        change(&mut maker);
        let mut volume = mount(&maker).unwrap();
        let small = volume.lookup(b"/dir/small").unwrap();
        let error = volume.read_at(&small, 0, &mut [0; 700]).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_loop_in_the_map_ends() {
    for (version, endian) in VARIANTS {
        let mut maker = Maker::new(version, endian);
        // The triple indirect block leads to itself at each level, and so does the data.
        maker.set_indirect(160, 0, 160);
        let mut volume = mount(&maker).unwrap();
        let big = volume.inode(BIG).unwrap();
        let n = u64::from(4096 / version.pointer_bytes());
        let mut buffer = [0; 4096];
        assert_eq!(volume.read_at(&big, (12 + n + n * n) * 4096, &mut buffer), Ok(4096));
        assert_eq!(buffer[..8], maker.bytes[160 * 512..][..8]);
    }
}

#[test]
fn inodes_are_checked() {
    let line = |text: &str| format!("inode 3: {text}");
    refused(&line("di_mode 0 is not the type of an inode in use"), |maker| {
        maker.put16(maker.inode_at(BIG), 0);
    });
    refused(&line("di_nlink 0 is not positive"), |maker| {
        maker.put16(maker.inode_at(BIG) + 2, 0);
    });
    for size in [-1, i64::MIN, i64::MAX] {
        let text = format!("di_size {size} is not what block pointers can reach");
        refused(&line(&text), |maker| maker.set_size(BIG, size));
    }
    for size in [1, 511, 513] {
        let text = format!("inode 2: di_size {size} is not a directory's: a multiple of 512");
        refused(&text, |maker| maker.set_size(2, size));
    }
    // The volume has 512 KiB.
    for size in [(512 << 10) + 512, 1 << 31] {
        let text = "a directory's: within the volume and 31 bits";
        let text = format!("inode 5: di_size {size} is not {text}");
        refused(&text, |maker| maker.set_size(DIRECTORY, size));
    }
    for size in [0, 4097] {
        let text = format!("inode 6: di_size {size} is not a symlink's: from 1 to fs_bsize");
        refused(&text, |maker| maker.set_size(SHORT_LINK, size));
    }
    let maker = Maker::new(Version::Ffs2, Endian::Little);
    let mut volume = mount(&maker).unwrap();
    for number in [0, 1, 32, u32::MAX] {
        let error = volume.inode(number).unwrap_err().to_string();
        assert_eq!(error, format!("inode {number}: ino {number} is not an inode of this volume"));
    }
}

#[test]
fn inodes_that_were_never_written_are_not_read() {
    let group = maker::CBLKNO * 512;
    let change = |maker: &mut Maker| maker.put32(group + 120, 3);
    let line = "inode 3: ino 3 is not an initialized inode";
    assert_eq!(said(Version::Ffs2, Endian::Big, change), line);
    for (at, value, text) in [
        (4, 0, "cg_magic 0 is not 0x090255"),
        (12, 1, "cg_cgx 1 is not the group's number"),
        (20, 513, "cg_ndblk 513 is not at most fs_fpg"),
        (92, 4, "cg_iusedoff 4 is not behind the header"),
        (96, 0, "cg_freeoff 0 is not cg_iusedoff or more"),
        (100, 513, "cg_nextfreeoff 513 is not from cg_freeoff to fs_cgsize"),
        (116, 1, "cg_niblk 1 is not fs_ipg"),
        (120, 17, "cg_initediblk 17 is not at most cg_niblk"),
    ] {
        let said = said(Version::Ffs2, Endian::Little, |maker| maker.put32(group + at, value));
        assert_eq!(said, format!("cylinder group 0: {text}"));
    }
}

#[test]
fn directory_entries_are_checked() {
    let at = maker::ROOT * 512;
    let line = |offset: usize, text: &str| format!("directory inode 2, offset {offset}: {text}");
    let room = "is not a multiple of 4 with room for the name, within 512 bytes";
    for reclen in [0, 3, 4, 8, 10, 11, 14, 516, 0xfffc] {
        let text = line(24, &format!("d_reclen {reclen} {room}"));
        refused(&text, |maker| maker.put16(at + 24 + 4, reclen));
    }
    let text = line(24, &format!("d_reclen 12 {room}"));
    refused(&text, |maker| maker.bytes[at + 24 + 7] = 200);
    refused(&line(24, "d_namlen 0 is not at least 1"), |maker| {
        maker.bytes[at + 24 + 7] = 0;
        maker.bytes[at + 24 + 8] = 0;
    });
    for byte in [0, b'/'] {
        let text = format!("d_name's byte {byte} is not allowed in a name");
        refused(&line(24, &text), |maker| maker.bytes[at + 24 + 9] = byte);
    }
    refused(&line(24, "d_name's end 103 is not 0"), |maker| maker.bytes[at + 24 + 7] = 2);
    for inode in [1, 1000, u32::MAX] {
        let text = format!("d_ino {inode} is not an inode of this volume");
        refused(&line(24, &text), |maker| maker.put32(at + 24, inode.into()));
    }
    let dot = "d_ino 5 is not the directory's own, named .";
    refused(&line(0, dot), |maker| maker.put32(at, 5));
    refused(&line(0, "d_reclen 24 is not 12, that of ."), |maker| maker.put16(at + 4, 24));
    refused(&line(12, "d_ino 2 is not the parent's, named .."), |maker| {
        maker.bytes[at + 12 + 7] = 1;
        maker.bytes[at + 12 + 9] = 0;
    });
    let hole = "block pointer 0 is not that of a block; a directory has no holes";
    refused(&format!("inode 2, file block 0: {hole}"), |maker| maker.set_pointer(2, 0, 0));
}

#[test]
fn check_hashes_are_verified_where_the_flags_say_so() {
    use crate::hash::check_hash;
    let hash_all = |maker: &mut Maker, which: i64| {
        maker.put32(SUPERBLOCK + 1308, which);
        maker.put32(SUPERBLOCK + 1312, 0x200);
        let hash = check_hash(&maker.bytes[SUPERBLOCK..][..1536], 1304);
        maker.put32(SUPERBLOCK + 1304, hash.into());
        let group = maker::CBLKNO * 512;
        let hash = check_hash(&maker.bytes[group..][..512], 132);
        maker.put32(group + 132, hash.into());
        for number in 2..9 {
            let at = maker.inode_at(number);
            let hash = check_hash(&maker.bytes[at..][..256], 244);
            maker.put32(at + 244, hash.into());
        }
    };
    for endian in [Endian::Little, Endian::Big] {
        let said_after = |which, at: usize| {
            said(Version::Ffs2, endian, |maker| {
                hash_all(maker, which);
                maker.bytes[at] ^= 1;
            })
        };
        let group = maker::CBLKNO * 512 + 40;
        let inode = Maker::new(Version::Ffs2, endian).inode_at(BIG) + 80;
        assert!(said_after(7, group).contains("cylinder group 0: cg_ckhash"));
        assert!(said_after(7, inode).contains("inode 3: di_ckhash"));
        // Its own hash makes a superblock doubtful, not the volume.
        assert_eq!(said_after(7, SUPERBLOCK + 63), "fine");
        assert_eq!(said_after(7, 0), "fine");
        for at in [SUPERBLOCK + 63, group, inode] {
            assert_eq!(said_after(0, at), "fine");
        }
    }
}

/// A disk that fails at one read, and counts them.
struct Failing<'a> {
    image: Image<'a>,
    reads: usize,
    fails_at: usize,
}

impl ReadBlocks for Failing<'_> {
    type Error = &'static str;

    fn size_bytes(&self) -> u64 {
        self.image.size_bytes()
    }

    fn read(&mut self, offset_bytes: u64, buffer: &mut [u8]) -> Result<(), Self::Error> {
        self.reads += 1;
        assert!(offset_bytes.is_multiple_of(512) && buffer.len().is_multiple_of(512));
        if self.reads == self.fails_at {
            return Err("broken");
        }
        self.image.read(offset_bytes, buffer).map_err(|_| "outside")
    }
}

#[test]
fn each_read_may_fail() {
    for (version, endian) in VARIANTS {
        let maker = Maker::new(version, endian);
        let mut disk = Failing { image: Image(&maker.bytes), reads: 0, fails_at: 0 };
        assert_eq!(look_at_all(&mut disk), Ok(()));
        assert!(disk.reads > 20);
        for fails_at in 1..=disk.reads {
            let mut disk = Failing { fails_at, reads: 0, ..disk };
            let error = look_at_all(&mut disk).unwrap_err();
            assert!(matches!(error, Error::Read { error: "broken", .. }), "{error}");
        }
    }
}

/// Disk that asks for the request to end at its nth call.
struct Stopping<'a> {
    image: Image<'a>,
    asked: usize,
    stops_at: usize,
}

impl ReadBlocks for Stopping<'_> {
    type Error = PastEnd;

    fn size_bytes(&self) -> u64 {
        self.image.size_bytes()
    }

    fn read(&mut self, offset_bytes: u64, buffer: &mut [u8]) -> Result<(), PastEnd> {
        self.image.read(offset_bytes, buffer)
    }

    fn is_stopped(&mut self) -> bool {
        self.asked += 1;
        self.asked == self.stops_at
    }
}

#[test]
fn work_ends_wherever_it_is_stopped() {
    for (version, endian) in VARIANTS {
        let maker = Maker::new(version, endian);
        let mut disk = Stopping { image: Image(&maker.bytes), asked: 0, stops_at: 0 };
        assert_eq!(look_at_all(&mut disk), Ok(()));
        assert!(disk.asked > 100);
        for stops_at in 1..=disk.asked {
            let mut disk = Stopping { asked: 0, stops_at, ..disk };
            assert_eq!(look_at_all(&mut disk), Err(Error::Stopped));
            assert_eq!(disk.asked, stops_at, "nothing is tried after it");
        }
    }
}

#[test]
fn who_reads_a_hole_can_be_stopped() {
    let maker = Maker::new(Version::Ffs2, Endian::Little);
    let disk = Stopping { image: Image(&maker.bytes), asked: 0, stops_at: 0 };
    let mut volume = Volume::mount(disk, vec![0; SCRATCH_BYTES]).unwrap();
    let big = volume.lookup(b"/big").unwrap();
    volume.store.disk_mut().stops_at = volume.store.disk_mut().asked + 1;
    assert_eq!(volume.read_at(&big, 2 * 4096, &mut [0; 4096]), Err(Error::Stopped));
    assert_eq!(volume.read_at(&big, 2 * 4096, &mut [1; 4096]), Ok(4096));
}

#[test]
fn after_a_failed_read_the_same_request_works() {
    let maker = Maker::new(Version::Ffs2, Endian::Little);
    let disk = Failing { image: Image(&maker.bytes), reads: 0, fails_at: 0 };
    let mut volume = Volume::mount(disk, vec![0; SCRATCH_BYTES]).unwrap();
    volume.store.disk_mut().fails_at = volume.store.disk_mut().reads + 1;
    assert!(matches!(volume.lookup(b"/dir/small"), Err(Error::Read { .. })));
    assert_eq!(volume.lookup(b"/dir/small").unwrap().number, SMALL_FILE);
}

#[test]
fn a_volume_cut_anywhere_is_refused_or_read() {
    for (version, endian) in VARIANTS {
        let maker = Maker::new(version, endian);
        for len in (0..maker.bytes.len()).step_by(1000) {
            let outcome = look_at_all(Image(&maker.bytes[..len]));
            // The last block of data is the one at 576.
            assert_eq!(outcome.is_ok(), len >= (576 + 8) * 512, "{len}");
        }
    }
}

#[test]
fn scratch_that_is_too_small_is_refused() {
    let error = Volume::mount(Image(&[]), vec![0; SCRATCH_BYTES - 1]).unwrap_err();
    assert_eq!(error, Error::Scratch { len_bytes: SCRATCH_BYTES - 1 });
}
