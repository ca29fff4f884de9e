//! Volumes that must be read, with a warning where they are not clean.

use super::maker::{self, BIG, DIRECTORY, Maker, SHORT_LINK, SMALL_FILE, SUPERBLOCK};
use super::{VARIANTS, look_at_all, mount, names};
use crate::{Endian, Error, Image, Kind, Version};

/// Returns the warnings of looking at all names of the volume.
fn warnings(maker: &Maker) -> Vec<String> {
    look_at_all(Image(&maker.bytes)).unwrap();
    let mut volume = mount(maker).unwrap();
    for directory in [2, DIRECTORY] {
        let directory = volume.inode(directory).unwrap();
        names(&mut volume, &directory).unwrap();
    }
    std::iter::from_fn(|| volume.next_warning()).map(|warning| warning.to_string()).collect()
}

/// Asserts what is warned of after a change, for each version and byte order.
fn warned(expected: &[&str], change: impl Fn(&mut Maker)) {
    for (version, endian) in VARIANTS {
        let mut maker = Maker::new(version, endian);
        change(&mut maker);
        assert_eq!(warnings(&maker), expected, "{version:?} {endian:?}");
    }
}

/// Changes `di_blocks`.
fn set_blocks(maker: &mut Maker, inode: u32, sectors: i64) {
    let at = maker.inode_at(inode);
    match maker.version {
        Version::Ffs1 => maker.put32(at + 104, sectors),
        Version::Ffs2 => maker.put64(at + 24, sectors),
    }
}

#[test]
fn a_clean_volume_has_none() {
    warned(&[], |_| {});
    // What reading does not use, FreeBSD's flags, and link counts of 16 bits.
    for at in [100, 176, 180, 1360] {
        for value in [-1, 0, 9, 0x7fff_ffff] {
            warned(&[], |maker| maker.put32(SUPERBLOCK + at, value));
        }
    }
    for flags in [0x2, 0x8, 0x10, 0x40, 0x100, 0x400, 0x80_0000] {
        warned(&[], |maker| maker.put32(SUPERBLOCK + 1312, flags));
    }
}

#[test]
fn link_counts_have_no_sign() {
    for links in [0x7fff, 0x8000, 65_530, 0xffff] {
        for (version, endian) in VARIANTS {
            let mut maker = Maker::new(version, endian);
            maker.put16(maker.inode_at(BIG) + 2, links);
            assert_eq!(warnings(&maker), [""; 0]);
            assert_eq!(mount(&maker).unwrap().inode(BIG).unwrap().links, links);
        }
    }
}

#[test]
fn a_volume_that_is_dirty_or_has_unknown_flags_is_read() {
    let clean = |flags: i64, text: &str| {
        warned(&[text], |maker| {
            maker.bytes[SUPERBLOCK + 209] = 0;
            maker.put32(SUPERBLOCK + 1312, flags);
        });
    };
    let stands = "that of a clean volume: read as the superblock stands";
    let plain = "that of a clean volume: it was not unmounted or needs fsck; \
                 read as the superblock stands";
    clean(0, &format!("superblock at 8192: fs_clean 0 is not {plain}"));
    // Without NetBSD's journal it is a flag of FreeBSD's.
    clean(0x100, &format!("superblock at 8192: fs_clean 0 is not {plain}"));
    for (flag, name) in [(0x8, "FS_SUJ"), (0x40, "FS_GJOURNAL")] {
        let journal = format!("{stands}; its journal ({name}) is not replayed");
        clean(flag, &format!("superblock at 8192: fs_clean 0 is not {journal}"));
        for unclean in [1, 4] {
            let flags = flag | unclean;
            let text = format!("superblock at 8192: fs_flags {flags} is not {journal}");
            warned(&[&text], |maker| maker.put32(SUPERBLOCK + 1312, flags));
        }
    }
    for location in [1, 2] {
        let text = format!("{stands}; its journal (FS_DOWAPBL) is not replayed");
        warned(&[&format!("superblock at 8192: fs_clean 2 is not {text}")], |maker| {
            maker.bytes[SUPERBLOCK + 209] = 2;
            maker.bytes[SUPERBLOCK + 864] = 1;
            maker.bytes[SUPERBLOCK + 865] = location;
            maker.put32(SUPERBLOCK + 1312, 0x100);
        });
    }
    for flag in [0x100_0000, 0x200_0000, 0x8000_0000] {
        let unknown = format!("superblock at 8192: fs_flags {flag} is not made of known flags");
        warned(&[&unknown], |maker| maker.put32(SUPERBLOCK + 1312, flag));
        let dirty = format!("superblock at 8192: fs_flags {} is not {plain}", flag | 1);
        let unknown = unknown.replace(&flag.to_string(), &(flag | 1).to_string());
        warned(&[&unknown, &dirty], |maker| maker.put32(SUPERBLOCK + 1312, flag | 1));
    }
}

#[test]
fn a_volume_that_is_cut_says_so() {
    for (version, endian) in VARIANTS {
        let mut maker = Maker::new(version, endian);
        let size = maker.bytes.len();
        // The last block that a file has is at 576.
        maker.bytes.truncate((576 + 8) * 512);
        let text = "within the disk or partition, in bytes: the rest cannot be read";
        assert_eq!(warnings(&maker), [format!("superblock at 8192: fs_size {size} is not {text}")]);
    }
}

#[test]
fn a_superblock_with_a_wrong_hash_is_read() {
    for endian in [Endian::Little, Endian::Big] {
        let mut maker = Maker::new(Version::Ffs2, endian);
        maker.put32(SUPERBLOCK + 1308, 1);
        maker.put32(SUPERBLOCK + 1312, 0x200);
        maker.put32(SUPERBLOCK + 1304, 77);
        let text = "superblock at 8192: fs_ckhash 77 is not the superblock's check-hash";
        assert_eq!(warnings(&maker), [text]);
        let hash = crate::hash::check_hash(&maker.bytes[SUPERBLOCK..][..1536], 1304);
        maker.put32(SUPERBLOCK + 1304, hash.into());
        assert_eq!(warnings(&maker), [""; 0]);
    }
}

#[test]
fn a_directory_without_a_length_is_empty() {
    let text = format!("inode {DIRECTORY}: di_size 0 is not a directory's: above 0");
    for (version, endian) in VARIANTS {
        let mut maker = Maker::new(version, endian);
        maker.set_size(DIRECTORY, 0);
        let mut volume = mount(&maker).unwrap();
        let directory = volume.lookup(b"/dir").unwrap();
        assert_eq!(names(&mut volume, &directory).unwrap(), []);
        assert_eq!(volume.lookup(b"/dir/small"), Err(Error::NotFound));
        assert_eq!(volume.next_warning().unwrap().to_string(), text);
    }
}

#[test]
fn the_inode_has_the_kind_whatever_the_entry_says() {
    let at = maker::ROOT * 512 + 24;
    for code in [1, 3, 4, 10, 15, 0xff] {
        let text =
            format!("directory inode 2, offset 24: d_type {code} is not the kind of the inode");
        warned(&[&text], |maker| maker.bytes[at + 6] = code);
        let mut maker = Maker::new(Version::Ffs2, Endian::Big);
        maker.bytes[at + 6] = code;
        assert_eq!(mount(&maker).unwrap().lookup(b"/big").unwrap().kind, Kind::File);
    }
    warned(&[], |maker| maker.bytes[at + 6] = 0);
}

#[test]
fn a_count_of_blocks_is_not_used() {
    let line = |inode: u32, value: i64, must: &str| {
        format!("inode {inode}: di_blocks {value} is not {must}")
    };
    // The volume has 1024 sectors.
    for value in [1025, 0x7fff_ffff, 0xffff_ffff] {
        let text = line(BIG, value, "at most the volume's size");
        warned(&[&text], |maker| set_blocks(maker, BIG, value));
    }
    for value in [0, 1024] {
        warned(&[], |maker| set_blocks(maker, SMALL_FILE, value));
    }
    let text = line(DIRECTORY, 0, "enough for the directory's size");
    warned(&[&text], |maker| set_blocks(maker, DIRECTORY, 0));
    warned(&[], |maker| set_blocks(maker, SHORT_LINK, 8));
}

#[test]
fn a_directory_is_read_on_behind_a_bad_entry() {
    let at = maker::ROOT * 512;
    for (version, endian) in VARIANTS {
        let mut maker = Maker::new(version, endian);
        // The second 512 bytes are a fragment that nobody else has.
        maker.set_size(2, 1024);
        set_blocks(&mut maker, 2, 2);
        maker.set_pointer(2, 0, 640);
        maker.bytes.copy_within(at..at + 512, 640 * 512);
        maker.directory(641, &[(SMALL_FILE, 8, b"behind")]);
        maker.put16(640 * 512 + 24 + 4, 3);
        let mut volume = mount(&maker).unwrap();
        let root = volume.root().unwrap();
        let mut cursor = crate::DirCursor::new::<()>(&root).unwrap();
        let mut next = || volume.next_entry(&mut cursor).map(|entry| entry.map(|it| it.inode));
        assert_eq!((next(), next()), (Ok(Some(2)), Ok(Some(2))));
        let error = next().unwrap_err().to_string();
        assert!(error.starts_with("directory inode 2, offset 24: d_reclen 3 "), "{error}");
        assert_eq!((next(), next()), (Ok(Some(SMALL_FILE)), Ok(None)));
    }
}

#[test]
fn symlinks_of_old_inodes_without_blocks_are_inline() {
    for endian in [Endian::Little, Endian::Big] {
        for format in [-1, 0, 1, i64::from(i32::MIN)] {
            for inline in [-1, 0, i64::from(i32::MIN), 56, 60] {
                let mut maker = Maker::new(Version::Ffs1, endian);
                maker.put32(SUPERBLOCK + 1324, format);
                maker.put32(SUPERBLOCK + 1320, inline);
                maker.put64(SUPERBLOCK + 1336, 0);
                maker.put64(SUPERBLOCK + 1344, 0);
                let mut volume = mount_old(&mut maker);
                let link = volume.inode(SHORT_LINK).unwrap();
                let mut target = [0; 600];
                assert_eq!(volume.readlink(&link, &mut target), Ok(6));
                assert_eq!(&target[..6], b"../big");
                let link = volume.inode(maker::LONG_LINK).unwrap();
                assert_eq!(volume.readlink(&link, &mut target), Ok(600));
                assert_eq!(target[..], maker::long_target());
                assert_eq!(volume.lookup(b"/big").unwrap().number, BIG);
            }
        }
    }
    // 4.4BSD's have a limit that holds.
    for inline in [-1, 0, 59, 61] {
        let mut maker = Maker::new(Version::Ffs1, Endian::Little);
        maker.put32(SUPERBLOCK + 1320, inline);
        let text = "the size of the inode's pointers, or at most that with 4.2BSD's inodes";
        let line = format!("superblock at 8192: fs_maxsymlinklen {inline} is not {text}");
        assert_eq!(mount(&maker).unwrap_err().to_string(), line);
    }
    let mut maker = Maker::new(Version::Ffs1, Endian::Little);
    maker.put32(SUPERBLOCK + 1324, 0);
    maker.put32(SUPERBLOCK + 1320, 61);
    assert!(mount(&maker).unwrap_err().to_string().contains("fs_maxsymlinklen 61"));
}

/// A target that fills the place of the pointers, and one that would not fit there.
#[test]
fn an_inline_target_has_room_for_15_pointers() {
    let mut maker = Maker::new(Version::Ffs1, Endian::Big);
    maker.put32(SUPERBLOCK + 1324, 0);
    maker.put32(SUPERBLOCK + 1320, 0);
    let at = maker.inode_at(SHORT_LINK) + 40;
    maker.bytes[at..at + 60].fill(b'x');
    maker.set_size(SHORT_LINK, 60);
    let mut volume = mount(&maker).unwrap();
    let link = volume.inode(SHORT_LINK).unwrap();
    let mut target = [0; 100];
    assert_eq!(volume.readlink(&link, &mut target), Ok(60));
    assert_eq!(target[..60], [b'x'; 60]);
    maker.set_size(SHORT_LINK, 61);
    let mut volume = mount(&maker).unwrap();
    let link = volume.inode(SHORT_LINK).unwrap();
    let error = volume.readlink(&link, &mut target).unwrap_err();
    assert!(error.to_string().contains("block pointer"), "{error}");
}

/// Gives the entries of the root directory lengths of 16 bits, and mounts it.
fn mount_old(maker: &mut Maker) -> super::TestVolume<'_> {
    let mut at = maker::ROOT * 512;
    while at < (maker::ROOT + 1) * 512 {
        let [first, second] = [maker.bytes[at + 4], maker.bytes[at + 5]];
        let reclen = match maker.endian {
            Endian::Little => u16::from_le_bytes([first, second]),
            Endian::Big => u16::from_be_bytes([first, second]),
        };
        let len = maker.bytes[at + 7];
        maker.put16(at + 6, len.into());
        at += usize::from(reclen);
    }
    mount(maker).unwrap()
}
