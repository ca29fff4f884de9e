//! F8 to F16: inodes, block pointers, directories and symlinks.

use fs::{DirCursor, Error, Kind, LINKS_MAX, PATH_BYTES_MAX};

use super::{
    Failure, Mounted, both, failure, formats, good, mount, noise, read, volumes, walk, warned, with,
};
use newfs::fields::{Field, dinode1, dinode2};
use newfs::{Contents, Format, Image as Made, Node};

/// The field of the inode in this version.
fn field(made: &Made, of_ufs1: Field, of_ufs2: Field) -> Field {
    if made.format.version == 1 { of_ufs1 } else { of_ufs2 }
}

fn size(made: &Made) -> Field {
    field(made, dinode1::SIZE, dinode2::SIZE)
}

fn blocks(made: &Made) -> Field {
    field(made, dinode1::BLOCKS, dinode2::BLOCKS)
}

/// Changes a field of an inode; the check hashes follow.
fn change(made: &Made, path: &str, field: Field, value: u64) -> Made {
    let mut made = made.clone();
    let at = made.inode_of(path);
    made.put(at, field, value);
    made.seal();
    made
}

/// Returns the error of a read of the file after a change of its inode.
fn changed(made: &Made, path: &str, field: Field, value: u64) -> String {
    failure(&change(made, path, field, value).bytes, |volume| read(volume, path))
}

/// Reads a file at its beginning, its end, and around the borders between its levels.
fn read_around(volume: &mut Mounted<'_>, path: &str, format: &Format) -> Result<(), Failure> {
    let inode = volume.lookup(path.as_bytes())?;
    let mut buffer = [0; 5000];
    let borders = (1..=3).map(|level| format.first_block(level) * format.block_bytes);
    for at in borders.chain([0, inode.size_bytes.saturating_sub(3000)]) {
        volume.read_at(&inode, at.saturating_sub(100), &mut buffer)?;
    }
    Ok(())
}

pub fn inode_fields() {
    for made in volumes() {
        let number = made.inodes[&b"/file"[..]];
        let whole = with(&made.bytes, |volume| read(volume, "/file").unwrap().len());
        for (mode, word) in [(0, "di_mode 0"), (0o030_644, "di_mode"), (0o160_644, "di_mode")] {
            let text = changed(&made, "/file", dinode1::MODE, mode);
            assert!(text.contains(word) && text.contains(&format!("inode {number}")), "{text}");
        }
        assert!(changed(&made, "/file", dinode1::NLINK, 0).contains("di_nlink 0"));
        // FreeBSD counts up to 65,530 links.
        for links in [0x7fff, 0x8000, 65_530, 0xffff] {
            let many = change(&made, "/file", dinode1::NLINK, links);
            with(&many.bytes, |volume| {
                assert_eq!(u64::from(volume.lookup(b"/file").unwrap().links), links);
            });
        }
        for value in [1 << 63, u64::MAX, i64::MAX as u64, 1 << 62] {
            assert!(changed(&made, "/file", size(&made), value).contains("di_size"));
        }
        // A size without blocks is a file of zeros; a count of blocks beyond the volume is a lie.
        let empty = change(&made, "/small", made.pointer(0), 0);
        with(&empty.bytes, |volume| assert_eq!(read(volume, "/small").unwrap(), vec![0; 700]));
        let lie = change(&made, "/file", blocks(&made), 1 << 31);
        with(&lie.bytes, |volume| {
            assert_eq!(read(volume, "/file").unwrap().len(), whole);
            assert_eq!(warned(volume), [format!("inode {number}: di_blocks")]);
        });
        // Pointers: negative, at the end, beyond it, across a block's end, into what is no data.
        let end = made.bytes.len() as u64 / made.format.frag_bytes;
        let own = made.block_of("/file", 0) / made.format.frag_bytes;
        let inodes = made.inode_at(2) / made.format.frag_bytes;
        let group = made.group_at(0) / made.format.frag_bytes;
        let mut bad = vec![u64::MAX, 1 << 31, end, end - 1, 1, inodes, group];
        if made.format.block_bytes != made.format.frag_bytes {
            bad.push(own + 1);
        } else {
            bad.retain(|pointer| *pointer != end - 1);
        }
        for value in bad {
            let text = changed(&made, "/file", made.pointer(0), value);
            assert!(text.contains("file block 0: block pointer"), "{value}: {text}");
        }
        // The same block twice is odd, but can be read.
        let twice = change(&made, "/file", made.pointer(1), own);
        with(&twice.bytes, |volume| {
            let bytes = read(volume, "/file").unwrap();
            let block = made.format.block_bytes as usize;
            assert!(bytes[..block] == bytes[block..2 * block]);
        });
    }
}

pub fn pointer_widths() {
    let [ufs1, ufs2] = both();
    // All that belongs to extended attributes may be anything.
    for (field, value) in [(dinode2::EXTSIZE, u64::MAX), (dinode2::EXTB, 1 << 60)] {
        let made = change(&ufs2, "/file", field, value);
        with(&made.bytes, |volume| {
            assert_eq!(read(volume, "/file").unwrap().len(), 8892);
            assert!(walk(volume).1.is_empty());
        });
    }
    // No part of a pointer is left out: neither the upper half, nor the sign.
    let right = ufs2.get(ufs2.inode_of("/file"), ufs2.pointer(0));
    for high in [1 << 32, 1 << 63] {
        let text = changed(&ufs2, "/file", ufs2.pointer(0), right | high);
        assert!(text.contains("block pointer"), "{text}");
    }
    let right = ufs1.get(ufs1.inode_of("/file"), ufs1.pointer(0));
    let text = changed(&ufs1, "/file", ufs1.pointer(0), right | 1 << 31);
    assert!(text.contains("block pointer -"), "{text}");
    // UFS1's next pointer is no upper half of the first.
    let made = change(&ufs1, "/small", ufs1.pointer(1), u64::MAX);
    with(&made.bytes, |volume| assert_eq!(read(volume, "/small").unwrap(), noise(700)));
}

pub fn last_block() {
    for version in [1, 2] {
        let format = Format::new(version, 8192, 1024);
        for len in [1, 511, 512, 1023, 1024, 1025, 8191, 8192, 8193, 12 * 8192 + 1] {
            let made = Made::new(format, &Node::directory([("tail", Node::file(noise(len)))]));
            with(&made.bytes, |volume| assert_eq!(read(volume, "/tail").unwrap(), noise(len)));
            let fragments = (len as u64).div_ceil(1024);
            if len > 8191 {
                continue;
            }
            // As many fragments as the size says must fit into one block, and into the volume.
            let at = made.inode_of("/tail");
            let first = made.get(at, made.pointer(0));
            let block_end = first.next_multiple_of(8).max(first + 1).next_multiple_of(8);
            let last = block_end - fragments;
            let fits = change(&made, "/tail", made.pointer(0), last);
            with(&fits.bytes, |volume| assert_eq!(read(volume, "/tail").unwrap().len(), len));
            if fragments > 1 {
                let text = changed(&made, "/tail", made.pointer(0), last + 1);
                assert!(text.contains("within one block"), "{text}");
            }
            let end = made.bytes.len() as u64 / 1024;
            let text = changed(&made, "/tail", made.pointer(0), end);
            assert!(text.contains("inside the volume"), "{text}");
        }
    }
}

pub fn holes() {
    for made in volumes() {
        let block = made.format.block_bytes;
        // Holes instead of blocks, of an indirect block, and of the whole tree.
        for pointer in [0, 12, 14] {
            let holed = change(&made, "/deep", made.pointer(pointer), 0);
            with(&holed.bytes, |volume| {
                let inode = volume.lookup(b"/deep").unwrap();
                let last = made.format.first_block(3);
                let mut bytes = vec![0xa5; block as usize];
                for (number, under) in [(0, 0), (12, 12), (20, 12), (last, 14)] {
                    let read = volume.read_at(&inode, number * block, &mut bytes).unwrap();
                    let expected = if under == pointer { 0 } else { number as u8 };
                    assert_eq!(read, bytes.len());
                    assert!(bytes.iter().all(|byte| *byte == expected), "{number}, {pointer}");
                }
                let hole = volume.next_extent(&inode, 13 * block).unwrap().unwrap();
                assert_eq!(hole.disk_offset, None);
            });
        }
        // A directory has none.
        let holed = change(&made, "/directory/names", made.pointer(0), 0);
        let text = failure(&holed.bytes, |volume| volume.lookup(b"/directory/names/x"));
        assert!(text.contains("block pointer 0"), "{text}");
    }
}

pub fn indirect_blocks() {
    for made in volumes() {
        let at = made.inode_of("/deep");
        let (single, triple) = (made.get(at, made.pointer(12)), made.get(at, made.pointer(14)));
        let width = made.format.pointer_bytes() as usize;
        let first = Field { name: "first", at: 0, width };
        let inside = |pointer: u64| pointer * made.format.frag_bytes;
        let double = made.get(inside(triple), first);
        // To itself, to its parent, a single one as a double and as a triple, and one at two
        // places.
        for (place, value) in [
            (inside(triple), triple),
            (inside(double), triple),
            (inside(double), double),
            (inside(triple), single),
        ] {
            let mut made = made.clone();
            made.put(place, first, value);
            with(&made.bytes, |volume| {
                let _ = read_around(volume, "/deep", &made.format);
            });
        }
        for pointer in [12, 13, 14] {
            for value in [single, triple, double] {
                let made = change(&made, "/deep", made.pointer(pointer), value);
                let reads = std::cell::Cell::new(0);
                let mut volume = mount(&made.bytes, &reads).unwrap();
                let inode = volume.lookup(b"/deep").unwrap();
                // However large the file: one request, at most three indirect blocks for each
                // block.
                for n in 0..200 {
                    reads.set(0);
                    let at = inode.size_bytes / 200 * n;
                    let _ = volume.read_at(&inode, at, &mut [0; 4096]);
                    assert!(reads.get() <= 2 * 5, "{} reads", reads.get());
                    reads.set(0);
                    let _ = volume.next_extent(&inode, at);
                    assert!(reads.get() <= 3 * 64, "{} reads", reads.get());
                }
            }
        }
        // A pointer out of the data, at each level.
        for (place, level) in [(at, 3), (inside(triple), 2), (inside(double), 1)] {
            let mut made = made.clone();
            let field = if level == 3 { made.pointer(14) } else { first };
            made.put(place, field, 1);
            made.seal();
            let text = failure(&made.bytes, |volume| read_around(volume, "/deep", &made.format));
            assert!(text.contains(&format!("indirect block of level {level}")), "{text}");
        }
    }
}

/// Lists the root directory after changes at byte offsets.
fn listed(made: &Made, changes: &[(usize, &[u8])]) -> Result<Vec<Vec<u8>>, Failure> {
    let mut made = made.clone();
    let at = made.block_of("/", 0) as usize;
    for (offset, bytes) in changes {
        made.bytes[at + offset..][..bytes.len()].copy_from_slice(bytes);
    }
    with(&made.bytes, |volume| {
        let mut cursor = DirCursor::new(&volume.root()?)?;
        let mut names = Vec::new();
        while let Some(entry) = volume.next_entry(&mut cursor)? {
            names.push(entry.name().to_vec());
        }
        Ok(names)
    })
}

pub fn directory_entries() {
    for made in both() {
        // `.` and `..` take 12 bytes each; then comes `file`, of 16, and `small`, of 16.
        let good = listed(&made, &[]).unwrap();
        assert_eq!(good[..4], [&b"."[..], b"..", b"file", b"small"]);
        let refused = |changes: &[(usize, &[u8])], word: &str| {
            let text = listed(&made, changes).expect_err(word).to_string();
            assert!(text.contains(word) && text.contains("directory inode 2, offset "), "{text}");
        };
        for reclen in [0_u16, 4, 8, 12, 15, 17, 18, 492, 512, 4096, 0xffff] {
            refused(&[(24 + 4, &reclen.to_le_bytes())], "d_reclen");
        }
        refused(&[(24 + 7, &[0])], "d_name");
        refused(&[(24 + 7, &[3])], "d_name");
        refused(&[(24 + 7, &[9])], "d_reclen 16");
        refused(&[(24 + 7, &[255])], "d_reclen 16");
        refused(&[(24 + 8, b"f/le")], "d_name");
        refused(&[(24 + 8, b"f\0le")], "d_name");
        for number in [1_u32, 1 << 20, u32::MAX] {
            refused(&[(24, &number.to_le_bytes())], "d_ino");
        }
        // No `.`, no `..`, or others' in their place.
        refused(&[(0, &[0; 4])], "named .");
        refused(&[(8, b"x")], "named .");
        refused(&[(0, &3_u32.to_le_bytes())], "named .");
        refused(&[(12 + 8, b"xx")], "named ..");
        refused(&[(12, &[0; 4])], "named ..");
        // Free entries and whiteouts aren't listed; a type of 0 means that it isn't known.
        for changes in [(24, &[0; 4][..]), (24 + 6, &[14])] {
            let names = listed(&made, &[changes]).unwrap();
            assert_eq!((names.len(), &names[2][..]), (good.len() - 1, &b"small"[..]));
        }
        assert_eq!(listed(&made, &[(24 + 6, &[0])]).unwrap(), good);
        // The type of another file is a lie that shows when the entry is followed.
        let mut lie = made.clone();
        let at = lie.block_of("/", 0) as usize;
        for kind in [4, 3, 5, 15, 0xff] {
            lie.bytes[at + 24 + 6] = kind;
            with(&lie.bytes, |volume| {
                assert_eq!(volume.lookup(b"/file").unwrap().kind, Kind::File);
                assert_eq!(warned(volume), ["directory inode 2, offset 24: d_type"]);
            });
        }
    }
}

pub fn directory_size() {
    for made in volumes() {
        let path = "/directory/names";
        let list =
            |made: &Made| failure(&made.bytes, |volume| volume.lookup(b"/directory/names/x"));
        let right = made.get(made.inode_of(path), size(&made));
        for value in [1, right - 1, right + 4, 1 << 31, 1 << 40, 1 << 63] {
            let text = list(&change(&made, path, size(&made), value));
            assert!(text.contains("di_size"), "{value}: {text}");
        }
        // Without a length it has no names.
        let empty = change(&made, path, size(&made), 0);
        assert_eq!(list(&empty), "no such file or directory");
        // Larger than what it has, though as large as its count of blocks: zeros are no entries.
        let huge = change(&made, path, size(&made), (made.bytes.len() as u64 & !511) + 512);
        assert!(list(&huge).contains("di_size"));
        let mut huge = change(&made, path, blocks(&made), made.bytes.len() as u64 / 512);
        let value = made.bytes.len() as u64 & !511;
        huge = change(&huge, path, size(&huge), value);
        let text = list(&huge);
        assert!(text.contains("d_reclen") || text.contains("block pointer"), "{text}");
    }
}

/// Gives the entry `name` in the block of `path` the inode `number`.
fn relink(made: &mut Made, path: &str, name: &[u8], number: u32) {
    let at = made.block_of(path, 0) as usize;
    let block = &made.bytes[at..at + 512];
    let place = block.windows(name.len()).position(|window| window == name).expect("the name");
    let inode = Field { name: "d_ino", at: 0, width: 4 };
    made.put((at + place - 8) as u64, inode, number.into());
}

pub fn directory_circles() {
    for made in both() {
        let number = |path: &str| made.inodes[path.as_bytes()];
        // The child is its parent's parent; a directory in two places; `..` that leads elsewhere.
        for (directory, name, target) in [
            ("/directory", &b"inner"[..], "/directory"),
            ("/directory", b"inner", "/"),
            ("/", b"directory", "/directory/names"),
            ("/directory", b"..", "/directory/inner"),
            ("/directory/inner", b"..", "/directory/inner"),
        ] {
            let mut made = made.clone();
            relink(&mut made, directory, name, number(target));
            let reads = std::cell::Cell::new(0);
            let mut volume = mount(&made.bytes, &reads).unwrap();
            // A walk that remembers where it was ends, and so does the longest of paths.
            let (seen, _) = walk(&mut volume);
            assert!(seen.len() <= made.inodes.len());
            for path in ["/directory/inner", "/directory/..", "/directory/inner/.."] {
                let long = path.repeat(PATH_BYTES_MAX / path.len());
                reads.set(0);
                let _ = volume.lookup(long.as_bytes());
                assert!(reads.get() < PATH_BYTES_MAX * 4, "{} reads", reads.get());
            }
        }
    }
}

/// Makes a chain of links: `l0` -> `l1` -> ... -> `target`.
fn chain(links: usize) -> Made {
    let name = |n: usize| format!("l{n}").into_bytes();
    let link = |n: usize| match n + 1 == links {
        true => Node::symlink("/target"),
        false => Node::Symlink(name(n + 1)),
    };
    let mut entries: Vec<_> = (0..links).map(|n| (name(n), link(n))).collect();
    entries.push((b"target".to_vec(), Node::file("x")));
    let format = Format { inodes_per_group: 100, ..formats()[0] };
    Made::new(format, &Node::Directory(entries))
}

pub fn symbolic_links() {
    with(&chain(LINKS_MAX).bytes, |volume| assert_eq!(read(volume, "/l0").unwrap(), b"x"));
    let error = with(&chain(LINKS_MAX + 1).bytes, |volume| volume.lookup(b"/l0").unwrap_err());
    assert_eq!(error, Error::TooManyLinks);
    for made in volumes() {
        with(&made.bytes, |volume| {
            assert_eq!(volume.lookup(b"/loop").unwrap_err(), Error::TooManyLinks);
            assert_eq!(volume.lookup(b"/directory/back/x").unwrap_err(), Error::TooManyLinks);
            assert_eq!(volume.lookup_nofollow(b"/loop").unwrap().kind, Kind::Symlink);
            assert_eq!(read(volume, "/link").unwrap(), noise(700));
            assert_eq!(read(volume, "/long").unwrap(), read(volume, "/file").unwrap());
        });
        let size = size(&made);
        for value in [0, 1 << 16 | 1, 1 << 31, 1 << 63] {
            let text = changed(&made, "/link", size, value);
            assert!(text.contains("di_size"), "{value}: {text}");
        }
        // Its target inside the inode taken for pointers, and the other way round.
        let text = changed(&made, "/link", size, 1000);
        assert!(!text.is_empty());
        let link = change(&made, "/long", size, 8);
        with(&link.bytes, |volume| {
            let _ = volume.lookup(b"/long");
        });
        // Longer than a path may be.
        let block = made.format.block_bytes as usize;
        let targets = [PATH_BYTES_MAX + 1, block].map(|len| "y".repeat(len));
        for target in targets {
            let root = Node::directory([("link", Node::symlink(&target))]);
            let made = Made::new(made.format, &root);
            let error = with(&made.bytes, |volume| volume.lookup(b"/link").unwrap_err());
            assert_eq!(error, Error::PathTooLong);
            let mut bytes = vec![0; block];
            let len = with(&made.bytes, |volume| {
                let link = volume.lookup_nofollow(b"/link").unwrap();
                volume.readlink(&link, &mut bytes).unwrap()
            });
            assert_eq!(&bytes[..len], target.as_bytes());
        }
    }
    // Absolute targets begin again at the root, however deep the link.
    let root = Node::directory([
        ("d", Node::directory([("link", Node::symlink("/d/../f")), ("f", Node::file("deep"))])),
        ("f", Node::File(Contents { size: 3, pieces: vec![(0, b"top".to_vec())] })),
    ]);
    let made = good(formats()[3]);
    let made = Made::new(made.format, &root);
    with(&made.bytes, |volume| assert_eq!(read(volume, "/d/link").unwrap(), b"top"));
}
