//! Files that must be read.

use super::maker::{self, BIG, GROUP, Maker, SMALL_FILE, SUPERBLOCK};
use super::{VARIANTS, mount, names};
use crate::{
    Endian, Error, Extent, Image, Kind, Partition, PartitionKind, SCRATCH_BYTES, Version, Volume,
};

fn variants() -> impl Iterator<Item = Maker> {
    VARIANTS.into_iter().map(|(version, endian)| Maker::new(version, endian))
}

/// Returns the content of the big file at `offset`.
fn big_content(blocks: &[(u64, u64)], offset: u64) -> u8 {
    let found = blocks.iter().find(|(block, _)| *block == offset / 4096);
    found.map_or(0, |(_, address)| maker::content(*address, (offset % 4096) as usize))
}

#[test]
fn the_superblock_tells_what_was_made() {
    for maker in variants() {
        let volume = mount(&maker).unwrap();
        let info = volume.info();
        assert_eq!((info.version, info.endian), (maker.version, maker.endian));
        assert_eq!((info.block_bytes, info.fragment_bytes), (4096, 512));
        assert_eq!(info.size_bytes, maker.bytes.len() as u64);
        assert_eq!((info.group_count, info.id), (2, [0x1234, 0x5678]));
        assert!(info.name.starts_with(b"made\0") && !info.dirty);
    }
}

#[test]
fn a_volume_that_was_not_unmounted_is_dirty() {
    let dirty = |byte: usize, value: u8, flags: i64| {
        let mut maker = Maker::new(Version::Ffs2, Endian::Little);
        maker.bytes[SUPERBLOCK + byte] = value;
        maker.put32(SUPERBLOCK + 1312, flags);
        mount(&maker).unwrap().info().dirty
    };
    assert!(!dirty(209, 1, 0));
    assert!(dirty(209, 0, 0));
    // NetBSD while it is mounted, FreeBSD's FS_UNCLEAN and FS_NEEDSFSCK.
    assert!(dirty(209, 2, 0) && dirty(209, 1, 1) && dirty(209, 1, 4));
}

#[test]
fn directories_and_inodes_are_as_made() {
    for maker in variants() {
        let mut volume = mount(&maker).unwrap();
        let root = volume.root().unwrap();
        let found = names(&mut volume, &root).unwrap();
        let found: Vec<&[u8]> = found.iter().map(|(name, _)| name.as_slice()).collect();
        assert_eq!(found, [&b"."[..], b"..", b"big", b"dir", b"long", b"loop"]);
        let small = volume.lookup(b"/dir/small").unwrap();
        assert_eq!((small.kind, small.mode, small.links), (Kind::File, 0o100_644, 1));
        assert_eq!((small.uid, small.gid, small.size_bytes, small.blocks), (1000, 100, 700, 2));
        assert_eq!((small.mtime_s, small.mtime_ns), (1234, 5678));
    }
}

#[test]
fn free_entries_and_whiteouts_are_passed_over() {
    let mut maker = Maker::new(Version::Ffs2, Endian::Big);
    let entries: [(u32, u8, &[u8]); 5] =
        [(2, 4, b"."), (2, 4, b".."), (0, 8, b"gone"), (1, 14, b"white"), (BIG, 0, b"big")];
    maker.directory(maker::ROOT, &entries);
    let mut volume = mount(&maker).unwrap();
    assert_eq!(volume.lookup(b"/big").unwrap().number, BIG);
    for name in [&b"/gone"[..], b"/white"] {
        assert_eq!(volume.lookup(name), Err(Error::NotFound));
    }
}

#[test]
fn directories_of_4_2bsd_have_no_types() {
    for endian in [Endian::Little, Endian::Big] {
        let mut maker = Maker::new(Version::Ffs1, endian);
        // Before FS_FLAGS_UPDATED, sizes are in the old fields and the place is not recorded.
        maker.bytes[SUPERBLOCK + 211] = 0;
        for (at, value) in [(36, 2 * GROUP as i64), (152, 64), (192, 2), (200, 3), (180, 16)] {
            maker.put32(SUPERBLOCK + at, value);
        }
        for (at, value) in [(1320, 0), (1324, -1), (1360, 8)] {
            maker.put32(SUPERBLOCK + at, value);
        }
        maker.put64(SUPERBLOCK + 1000, 0x7777_7777);
        for at in [maker::ROOT * 512, maker::ROOT * 512 + 12, maker::ROOT * 512 + 24] {
            let len = maker.bytes[at + 7];
            maker.put16(at + 6, len.into());
        }
        maker.put16(maker::ROOT * 512 + 28, 488);
        let at = maker.inode_at(BIG);
        maker.put16(at + 4, 77);
        maker.put16(at + 6, 88);
        let mut volume = mount(&maker).unwrap();
        assert_eq!(volume.info().size_bytes, maker.bytes.len() as u64);
        let big = volume.lookup(b"/big").unwrap();
        assert_eq!((big.number, big.uid, big.gid), (BIG, 77, 88));
    }
}

#[test]
fn files_read_the_same_in_any_pieces() {
    for maker in variants() {
        let blocks = maker::blocks(maker.version);
        let size = maker::big_bytes(maker.version);
        let mut volume = mount(&maker).unwrap();
        let big = volume.lookup(b"/big").unwrap();
        let mut buffer = [0; 3 * 4096];
        for (block, _) in &blocks {
            for offset in [0, 1, 511, 512, 4095] {
                for len in [1, 100, 512, 513, 4096, 12288] {
                    let at = (block * 4096 + offset).saturating_sub(4096);
                    buffer.fill(0xee);
                    let read = volume.read_at(&big, at, &mut buffer[..len]).unwrap();
                    assert_eq!(read as u64, (len as u64).min(size.saturating_sub(at)));
                    for (index, byte) in buffer[..read].iter().enumerate() {
                        assert_eq!(*byte, big_content(&blocks, at + index as u64), "{at} {index}");
                    }
                    assert!(buffer[read..].iter().all(|byte| *byte == 0xee));
                }
            }
        }
        assert_eq!(volume.read_at(&big, size, &mut buffer), Ok(0));
        assert_eq!(volume.read_at(&big, u64::MAX, &mut buffer), Ok(0));
        let small = volume.inode(SMALL_FILE).unwrap();
        assert_eq!(volume.read_at(&small, 650, &mut buffer), Ok(50));
        assert_eq!(buffer[49], maker::content(67, 699));
    }
}

#[test]
fn extents_are_the_blocks_merged_on_the_whole_disk() {
    const START: u64 = 10 * 512;
    for maker in variants() {
        let mut disk = vec![0; START as usize];
        disk.extend(&maker.bytes);
        let size_bytes = maker.bytes.len() as u64;
        let partition = Partition {
            name: "s1".parse().unwrap(),
            kind: PartitionKind::Mbr(0xa5),
            start_bytes: START,
            size_bytes,
            label_bytes: 0,
        };
        let scratch = vec![0; SCRATCH_BYTES];
        let mut volume = Volume::mount_partition(Image(&disk), scratch, &partition).unwrap();
        let big = volume.inode(BIG).unwrap();
        let mut extents = Vec::new();
        let mut offset = 0;
        while let Some(extent) = volume.next_extent(&big, offset).unwrap() {
            assert_eq!(extent.file_offset, offset);
            offset += extent.len;
            extents.push(extent);
        }
        assert_eq!(offset, big.size_bytes);
        let data: Vec<(u64, u64, u64)> = extents
            .iter()
            .filter_map(|extent| Some((extent.file_offset, extent.len, extent.disk_offset?)))
            .collect();
        let mut expected: Vec<(u64, u64, u64)> = Vec::new();
        for (block, address) in maker::blocks(maker.version) {
            let (at, disk) = (block * 4096, START + address * 512);
            let len = 4096.min(big.size_bytes - at);
            match expected.last_mut() {
                Some(last) if last.0 + last.1 == at && last.2 + last.1 == disk => last.1 += len,
                _ => expected.push((at, len, disk)),
            }
        }
        assert_eq!(data, expected);
        let holes = extents.iter().filter(|extent| extent.disk_offset.is_none()).count();
        assert_eq!((holes, extents.len()), (5, 12), "neighbouring holes are one");
        let inner = volume.next_extent(&big, 4096 + 77).unwrap();
        let (len, disk_offset) = (4096 - 77, Some(START + 80 * 512 + 77));
        assert_eq!(inner, Some(Extent { file_offset: 4096 + 77, len, disk_offset }));
    }
}

#[test]
fn symlinks_are_followed_from_where_they_are() {
    for maker in variants() {
        let mut volume = mount(&maker).unwrap();
        let mut number = |path: &[u8]| volume.lookup(path).map(|inode| inode.number);
        assert_eq!(number(b"/dir/short"), Ok(BIG));
        assert_eq!(number(b"//dir/.././/dir/short"), Ok(BIG));
        assert_eq!(number(b"/long"), Ok(SMALL_FILE));
        assert_eq!(number(b"/.."), Ok(2));
        assert_eq!(number(b"/dir/"), Ok(maker::DIRECTORY));
        for path in [&b"/long/"[..], b"/big/", b"/big/x", b"/big/."] {
            assert_eq!(number(path), Err(Error::NotADirectory));
        }
        assert_eq!(number(b"/loop"), Err(Error::TooManyLinks));
        assert_eq!(number(b"/none"), Err(Error::NotFound));
        assert_eq!(number(b"dir"), Err(Error::NotAbsolute));
        assert_eq!(number(&[b'/'; 1025]), Err(Error::PathTooLong));
        let link = volume.lookup_nofollow(b"/long").unwrap();
        let mut target = [0; 1000];
        assert_eq!(volume.readlink(&link, &mut target), Ok(600));
        assert_eq!(target[..600], maker::long_target());
        let link = volume.lookup_nofollow(b"/dir/short").unwrap();
        assert_eq!(volume.readlink(&link, &mut target[..4]), Ok(4));
        assert_eq!(&target[..4], b"../b");
        assert_eq!(volume.read_at(&link, 0, &mut target), Err(Error::NotAFile));
        let root = volume.root().unwrap();
        assert_eq!(volume.readlink(&root, &mut target), Err(Error::NotALink));
        assert_eq!(volume.next_extent(&root, 0), Err(Error::NotAFile));
    }
}
