//! Volumes that makefs can't make: holes and blocks at every level of indirect blocks in files of
//! up to many TiB, UFS2 superblocks where real BSDs have them, check hashes, staggered groups, and
//! inodes and directories of 4.2BSD.
//!
//! `newfs` writes them; other readers check that it writes them right (`readers.rs`).

use newfs::fields::{Field, sb};
use newfs::{Contents, Format, Image, Node, UFS1_AT, UFS2_AT};

use crate::listing::{InMemory, assert_same, mount, of_host, of_node, of_volume};
use newfs::sample::{across_levels, noise};
use newfs::{Makefs, Scratch};

fn tree(format: &Format) -> Node {
    let tail = format.frag_bytes as usize + 3;
    let many =
        (0..600).map(|n| (format!("name-{n}").into_bytes(), Node::file(format!("file {n}"))));
    Node::directory([
        ("empty", Node::file("")),
        ("one", Node::file("1")),
        ("tail", Node::file(noise(1, tail))),
        ("full", Node::file(noise(2, 12 * format.block_bytes as usize + tail))),
        ("hole", Node::File(Contents { size: 5 * format.block_bytes + 1, pieces: vec![] })),
        ("single", Node::File(across_levels(format, 1))),
        ("double", Node::File(across_levels(format, 2))),
        ("triple", Node::File(across_levels(format, 3))),
        ("short", Node::symlink("one")),
        ("fits", Node::symlink(&"x".repeat(59))),
        ("long", Node::symlink(&"./".repeat(200))),
        ("directory", Node::directory([("link", Node::symlink("/directory/../tail"))])),
        ("many", Node::Directory(many.collect())),
    ])
}

/// Checks that every piece is where it belongs with zeros around it, by reads and by extents.
fn check_pieces(volume: &mut InMemory<'_>, disk: &[u8], path: &str, contents: &Contents) {
    let inode = volume.lookup(path.as_bytes()).unwrap();
    assert_eq!(inode.size_bytes, contents.size);
    for (start, piece) in &contents.pieces {
        let from = start.saturating_sub(1000);
        let len = (contents.size - from).min(piece.len() as u64 + 2000) as usize;
        let (mut found, mut expected) = (vec![0xa5; len], vec![0; len]);
        assert_eq!(volume.read_at(&inode, from, &mut found).unwrap(), len);
        contents.read(from, &mut expected);
        assert!(found == expected, "{path} at {from}");
    }
    let (mut next, mut held) = (0, 0);
    while let Some(extent) = volume.next_extent(&inode, next).unwrap() {
        assert_eq!(extent.file_offset, next);
        if let Some(place) = extent.disk_offset {
            let mut expected = vec![0; extent.len as usize];
            contents.read(next, &mut expected);
            assert!(disk[place as usize..][..expected.len()] == expected, "{path}: {extent:?}");
            held += extent.len;
        }
        next += extent.len;
    }
    assert_eq!(next, contents.size);
    assert_eq!(held, contents.pieces.iter().map(|(_, bytes)| bytes.len() as u64).sum::<u64>());
}

fn check(format: Format) {
    let tree = tree(&format);
    let image = Image::new(format, &tree);
    let mut volume = mount(&image.bytes);
    assert_eq!(volume.info().superblock_offset_bytes, format.superblock_at);
    assert_eq!(u64::from(volume.info().group_count), image.groups());
    assert_same(&format!("{format:?}"), &of_volume(&mut volume, &image.bytes), &of_node(&tree));
    for (path, levels) in [("/single", 1), ("/double", 2), ("/triple", 3)] {
        check_pieces(&mut volume, &image.bytes, path, &across_levels(&format, levels));
    }
    let number = |path: &str| image.inodes[path.as_bytes()];
    for (path, target) in [("/short", "/one"), ("/directory/link", "/tail"), ("/long", "/")] {
        assert_eq!(volume.lookup(path.as_bytes()).unwrap().number, number(target), "{path}");
    }
}

/// Checks every block size and byte order, with these numbers of fragments in a block.
fn all<const N: usize>(version: u8, frags: [u64; N], change: impl Fn(&mut Format)) {
    for block_bytes in [4096, 8192, 16384, 32768, 65536] {
        for frags in frags {
            for big_endian in [false, true] {
                let mut format = Format::new(version, block_bytes, block_bytes / frags);
                format.inodes_per_group = 200;
                format.big_endian = big_endian;
                change(&mut format);
                check(format);
            }
        }
    }
}

#[test]
fn ufs1() {
    all(1, [1, 2, 4, 8], |_| {});
}

#[test]
fn ufs1_with_staggered_groups() {
    all(1, [1, 8], |format| format.staggered = true);
}

#[test]
fn ufs1_as_42bsd_wrote_it() {
    all(1, [1, 8], |format| format.old = true);
}

#[test]
fn ufs2_at_65536() {
    all(2, [1, 2, 4, 8], |format| assert_eq!(format.superblock_at, UFS2_AT));
}

#[test]
fn ufs2_with_check_hashes() {
    all(2, [1, 8], |format| format.hashed = true);
}

#[test]
fn superblocks_at_the_other_places() {
    for (version, at) in [(1, 0), (2, UFS1_AT), (2, 262_144)] {
        for big_endian in [false, true] {
            let mut format = Format::new(version, 8192, 1024);
            format.superblock_at = at;
            format.big_endian = big_endian;
            check(format);
        }
    }
}

#[test]
fn a_file_of_a_gib_byte_by_byte() {
    let format = Format::new(2, 4096, 512);
    let contents = across_levels(&format, 3);
    assert!(contents.size > 1 << 30);
    let tree = Node::directory([("f", Node::File(contents.clone()))]);
    let image = Image::new(format, &tree);
    let mut volume = mount(&image.bytes);
    let inode = volume.lookup(b"/f").unwrap();
    let (mut found, mut expected) = (vec![0xa5; 1 << 20], vec![0; 1 << 20]);
    for at in (0..contents.size).step_by(1 << 20) {
        let len = volume.read_at(&inode, at, &mut found).unwrap();
        assert_eq!(len as u64, (contents.size - at).min(1 << 20));
        contents.read(at, &mut expected[..len]);
        assert!(found[..len] == expected[..len], "at {at}");
    }
}

/// makefs puts a UFS2 superblock at 8192. Where the data begin early enough, a superblock such as
/// real BSDs have can stand at 65536, in the middle of a file; from blocks of 16 KiB on, metadata
/// or the root directory are there.
#[test]
fn a_volume_of_makefs_with_its_superblock_at_65536() {
    for (block_bytes, frag_bytes) in [(4096, 512), (4096, 4096), (8192, 1024), (8192, 4096)] {
        for big_endian in [false, true] {
            let scratch = Scratch::new(
                env!("CARGO_TARGET_TMPDIR"),
                &format!("moved-{block_bytes}-{frag_bytes}-{big_endian}"),
            );
            let source = scratch.0.join("source");
            std::fs::create_dir(&source).unwrap();
            let files = [0, 1, 2].map(|seed| (source.join(seed.to_string()), noise(seed, 150_000)));
            files.iter().for_each(|(path, bytes)| std::fs::write(path, bytes).unwrap());
            let makefs = Makefs { version: 2, big_endian, block_bytes, frag_bytes };
            let mut disk = makefs.make(&source, &scratch.0.join("image"));

            let (from, to) = (UFS1_AT as usize, UFS2_AT as usize);
            let covered = disk[to..to + 64].to_vec();
            let found = files.into_iter().find_map(|(path, bytes)| {
                let at = bytes.windows(64).position(|window| window == covered)?;
                Some((path, bytes, at))
            });
            let (path, mut bytes, at) = found.expect("a file covers 65536");
            disk.copy_within(from..from + 8192, to);
            disk[from..from + 8192].fill(0);
            let Field { at: place, width, .. } = sb::SBLOCKLOC;
            let here = if big_endian { UFS2_AT.to_be_bytes() } else { UFS2_AT.to_le_bytes() };
            disk[to + place..][..width].copy_from_slice(&here);
            bytes[at..at + 8192].copy_from_slice(&disk[to..to + 8192]);
            std::fs::write(&path, bytes).unwrap();

            let mut volume = mount(&disk);
            assert_eq!(volume.info().superblock_offset_bytes, UFS2_AT);
            let mut expected = of_host(&source);
            let mut found = of_volume(&mut volume, &disk);
            // The directory and the file changed after makefs had seen their times.
            for listing in [&mut found, &mut expected] {
                listing.values_mut().for_each(|item| item.mtime = None);
            }
            assert_same(&format!("{makefs:?}"), &found, &expected);
        }
    }
}
