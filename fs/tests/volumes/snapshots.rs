//! Snapshots as FreeBSD and NetBSD keep them: files as large as their volume, in which a pointer of
//! 0 is the live volume's block of the same number, and 1 and 2 are blocks that nobody kept.

use fs::{Error, Place};
use newfs::fields::{dinode1, dinode2};
use newfs::{Contents, Format, Image, Node};

use crate::listing::mount;
use newfs::sample::noise;

const SNAPSHOT: u64 = 0x0020_0000;
const INVALID: u64 = 0x0080_0000;
const NOCOPY: u64 = 1;
const SNAP: u64 = 2;

/// A volume with a snapshot of itself that has copies of these of its blocks, and the snapshot's
/// contents.
fn make(format: Format, copies: &[u64]) -> (Image, Vec<u8>) {
    let bs = format.block_bytes;
    let piece = |block: &u64| (block * bs, noise(*block, bs as usize));
    let pieces = |blocks: &[u64]| blocks.iter().map(piece).collect();
    let tree = |size| {
        let snapshot = Node::File(Contents { size, pieces: pieces(copies) });
        Node::directory([("snapshot", snapshot), ("file", Node::file(noise(1, 40 * bs as usize)))])
    };
    // Its size changes none of the layout.
    let blocks =
        Image::new(format, &tree(copies.iter().max().unwrap() * bs + bs)).bytes.len() as u64 / bs;
    let mut image = Image::new(format, &tree(blocks * bs));
    set_flags(&mut image, SNAPSHOT);
    image.seal();
    let mut contents = image.bytes.clone();
    for (at, bytes) in pieces(copies) as Vec<(u64, Vec<u8>)> {
        contents[at as usize..][..bytes.len()].copy_from_slice(&bytes);
    }
    (image, contents)
}

fn set_flags(image: &mut Image, flags: u64) {
    let field = if image.format.version == 1 { dinode1::FLAGS } else { dinode2::FLAGS };
    image.put(image.inode_of("/snapshot"), field, flags);
}

/// Reads it whole, in pieces, and by its extents: all must be `expected`.
fn check(image: &Image, expected: &[u8]) {
    let mut volume = mount(&image.bytes);
    let inode = volume.lookup(b"/snapshot").unwrap();
    assert!(inode.is_snapshot() && inode.size_bytes == expected.len() as u64);
    let mut found = vec![0xa5; expected.len()];
    assert_eq!(volume.read_at(&inode, 0, &mut found).unwrap(), found.len());
    let bs = image.format.block_bytes as usize;
    for (n, (found, expected)) in found.chunks(bs).zip(expected.chunks(bs)).enumerate() {
        assert!(found == expected, "{:?}: block {n}", image.format);
    }
    for at in (0..expected.len()).step_by(bs / 2 + 77) {
        let len = (expected.len() - at).min(bs + 3);
        let mut piece = vec![0xa5; len];
        assert_eq!(volume.read_at(&inode, at as u64, &mut piece).unwrap(), len);
        assert!(piece == expected[at..at + len], "{len} bytes at {at}");
    }
    let mut next = 0;
    while let Some(extent) = volume.next_extent(&inode, next).unwrap() {
        assert!(extent.file_offset == next && extent.len > 0);
        let bytes = &expected[next as usize..][..extent.len as usize];
        match extent.disk_offset {
            Some(at) => assert!(*bytes == image.bytes[at as usize..][..bytes.len()], "{extent:?}"),
            None => assert!(bytes.iter().all(|byte| *byte == 0), "{extent:?}"),
        }
        next += extent.len;
    }
    assert_eq!(next, inode.size_bytes);
}

fn formats() -> impl Iterator<Item = Format> {
    [1, 2].into_iter().flat_map(|version| {
        [(false, 1), (true, 8), (false, 8)].map(|(big_endian, frags)| {
            let mut format = Format::new(version, 4096, 4096 / frags);
            format.big_endian = big_endian;
            format.hashed = version == 2;
            format
        })
    })
}

#[test]
fn unchanged_blocks_are_those_of_the_live_volume() {
    for format in formats() {
        // A direct block and one behind an indirect one; all others have no pointer.
        let (image, contents) = make(format, &[3, 14]);
        check(&image, &contents);
    }
}

#[test]
fn live_blocks_need_no_indirect_block() {
    for format in formats() {
        let (image, contents) = make(format, &[3]);
        assert!(contents.len() as u64 > 13 * format.block_bytes);
        check(&image, &contents);
    }
}

#[test]
fn blocks_that_nobody_kept_are_zeros() {
    for format in formats() {
        let (mut image, mut contents) = make(format, &[3, 14]);
        let bs = format.block_bytes;
        let inode = image.inode_of("/snapshot");
        let indirect = image.get(inode, image.pointer(12)) * format.frag_bytes;
        let width = format.pointer_bytes();
        let entry = |n: u64| newfs::fields::Field {
            name: "indirect",
            at: (n * width) as usize,
            width: width as usize,
        };
        for (block, value) in [(5, NOCOPY), (6, SNAP), (11, NOCOPY)] {
            image.put(inode, image.pointer(block), value);
            contents[block * bs as usize..][..bs as usize].fill(0);
        }
        for (block, value) in [(12, SNAP), (13, NOCOPY), (16, NOCOPY), (20, SNAP)] {
            image.put(indirect, entry(block - 12), value);
            contents[(block * bs) as usize..][..bs as usize].fill(0);
        }
        image.seal();
        // What was changed is itself among the live blocks.
        let mut live = image.bytes.clone();
        for (at, bytes) in [3, 14].map(|n: u64| (n * bs, noise(n, bs as usize))) {
            live[at as usize..][..bytes.len()].copy_from_slice(&bytes);
        }
        for block in [5, 6, 11, 12, 13, 16, 20] {
            live[block * bs as usize..][..bs as usize].fill(0);
        }
        check(&image, &live);
    }
}

/// The way to blocks at each level: a copy behind it, and next to it what has none.
#[test]
fn live_blocks_at_every_level() {
    for version in [1, 2] {
        let mut format = Format::new(version, 4096, 512);
        format.data_blocks_per_group = 400;
        for level in [1, 2] {
            // The copy is behind an entry of its own at each level, live blocks on both sides.
            let first = format.first_block(level) + format.pointers_per_block() / 2;
            let tree = |size| {
                let pieces = vec![(first * 4096, noise(9, 4096))];
                Node::directory([
                    ("snapshot", Node::File(Contents { size, pieces })),
                    (
                        "filler",
                        Node::file(noise(4, (first + format.pointers_per_block()) as usize * 4096)),
                    ),
                ])
            };
            let blocks = Image::new(format, &tree(first * 4096 + 4096)).bytes.len() as u64 / 4096;
            assert!(blocks > first + format.pointers_per_block());
            let mut image = Image::new(format, &tree(blocks * 4096));
            set_flags(&mut image, SNAPSHOT);
            let mut contents = image.bytes.clone();
            contents[first as usize * 4096..][..4096].copy_from_slice(&noise(9, 4096));
            check(&image, &contents);
        }
    }
}

/// Without the flag, 0 is a hole and 1 is an address, as in any file.
#[test]
fn other_files_have_holes() {
    let (mut image, _) = make(Format::new(2, 4096, 512), &[3]);
    set_flags(&mut image, 0x0001_0000);
    let inode = image.inode_of("/snapshot");
    image.put(inode, image.pointer(5), NOCOPY);
    let mut volume = mount(&image.bytes);
    let inode = volume.lookup(b"/snapshot").unwrap();
    let mut block = [0xa5; 4096];
    assert_eq!(volume.read_at(&inode, 0, &mut block), Ok(4096));
    assert_eq!(block, [0; 4096]);
    let error = volume.read_at(&inode, 5 * 4096, &mut block).unwrap_err();
    assert!(matches!(error, Error::Corrupt(corrupt) if corrupt.value == 1), "{error}");
}

#[test]
fn what_cannot_be_right_is_refused() {
    let format = Format::new(2, 4096, 512);
    let (image, contents) = make(format, &[3, 14]);
    let refused = |image: &Image, at: u64| {
        let mut volume = mount(&image.bytes);
        let inode = volume.lookup(b"/snapshot").unwrap();
        let read = volume.read_at(&inode, at, &mut [0; 4096]).unwrap_err();
        let extent = volume.next_extent(&inode, at).unwrap_err();
        assert_eq!(read, extent);
        read
    };
    // No kernel writes these where an indirect block is to be.
    for value in [NOCOPY, SNAP] {
        let mut image = image.clone();
        image.put(image.inode_of("/snapshot"), image.pointer(12), value);
        let error = refused(&image, 14 * 4096);
        let place = Place::Indirect { inode: 3, level: 1, block: 14 };
        assert!(matches!(error, Error::Corrupt(corrupt) if corrupt.place == place), "{error}");
    }
    // Behind the volume's end there is no live block.
    let mut longer = image.clone();
    let size = contents.len() as u64;
    longer.put(longer.inode_of("/snapshot"), dinode2::SIZE, size + 4096);
    let error = refused(&longer, size);
    assert!(error.to_string().contains("snapshot's block"), "{error}");

    let mut invalid = image;
    set_flags(&mut invalid, SNAPSHOT | INVALID);
    assert_eq!(refused(&invalid, 0), Error::InvalidSnapshot);
}

/// 4.2BSD's inodes have something else in the flags' place.
#[test]
fn old_inodes_have_no_flags() {
    let mut format = Format::new(1, 4096, 512);
    format.old = true;
    let (image, _) = make(format, &[3]);
    let mut volume = mount(&image.bytes);
    let inode = volume.lookup(b"/snapshot").unwrap();
    assert!(!inode.is_snapshot());
    let mut block = [0xa5; 4096];
    assert_eq!(volume.read_at(&inode, 0, &mut block), Ok(4096));
    assert_eq!(block, [0; 4096]);
}
