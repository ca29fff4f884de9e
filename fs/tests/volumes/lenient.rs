//! Volumes that real systems leave behind and read on, though a field is not what a check expects:
//! they are read, and GRUB, and The Sleuth Kit where it knows the format, read the same.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use newfs::fields::{Field, dinode1, dinode2, sb};
use newfs::sample::noise;
use newfs::{Contents, Format, Image, Makefs, Node, Scratch, UFS1_AT, run};

use crate::listing::{InMemory, assert_same, mount, of_host, of_node, of_volume};
use crate::readers::{assert_fls, grub, of_host as sums_of_host};

/// Plants a small tree below `root`.
fn plant(root: &Path) {
    fs::create_dir_all(root.join("d/e")).unwrap();
    for (path, len) in [("empty", 0), ("tail", 700), ("d/full", 16384), ("d/e/indirect", 150_000)] {
        fs::write(root.join(path), noise(len as u64, len)).unwrap();
    }
    std::os::unix::fs::symlink("d/full", root.join("short")).unwrap();
    std::os::unix::fs::symlink("d/../".repeat(30) + "tail", root.join("long")).unwrap();
}

/// Writes four bytes of the superblock at 8192.
fn put32(disk: &mut [u8], big_endian: bool, field: Field, value: u32) {
    let bytes = if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
    disk[UFS1_AT as usize + field.at..][..4].copy_from_slice(&bytes);
}

fn warnings(volume: &mut InMemory<'_>) -> Vec<String> {
    std::iter::from_fn(|| volume.next_warning()).map(|warning| warning.to_string()).collect()
}

/// Compares a volume with the tree that it was made of, through three readers.
fn check(what: &str, disk: &[u8], source: &Path, image: &Path, frag_bytes: u64, big_endian: bool) {
    let mut volume = mount(disk);
    assert_same(what, &of_volume(&mut volume, disk), &of_host(source));
    assert_eq!(warnings(&mut volume), [""; 0], "{what}");
    fs::write(image, disk).unwrap();
    assert_fls(what, image, &sums_of_host(source), frag_bytes, false);
    if !big_endian {
        for path in ["tail", "d"] {
            grub(image, &["cmp", &format!("/{path}"), source.join(path).to_str().unwrap()]);
        }
    }
}

/// A volume of FreeBSD 4 or OpenBSD 3.5 that a newer kernel has mounted: the flag that its fields
/// are new, and the cylinders that they then had. These are bytes 8372, 9552 and 8368.
#[test]
fn cylinders_of_an_older_kernel() {
    let scratch = Scratch::new(env!("CARGO_TARGET_TMPDIR"), "lenient-cylinders");
    let (source, image) = (scratch.0.join("source"), scratch.0.join("image"));
    plant(&source);
    for big_endian in [false, true] {
        let makefs = Makefs { version: 1, big_endian, block_bytes: 8192, frag_bytes: 1024 };
        let good = makefs.make(&source, &image);
        let all = [(sb::OLD_CPG, 16), (sb::OLD_NRPOS, 8), (sb::OLD_NCYL, 9)];
        let mut disk = good.clone();
        for (field, value) in all {
            put32(&mut disk, big_endian, field, value);
            check(&format!("{makefs:?} {}", field.name), &disk, &source, &image, 1024, big_endian);
        }
    }
}

/// A disk whose sectors have more than 512 bytes changes `fs_fsbtodb`, which GRUB computes with,
/// and The Sleuth Kit does not.
#[test]
fn sectors_of_other_sizes() {
    let scratch = Scratch::new(env!("CARGO_TARGET_TMPDIR"), "lenient-sectors");
    let (source, image) = (scratch.0.join("source"), scratch.0.join("image"));
    plant(&source);
    for (version, order) in [(1, "le"), (1, "be"), (2, "le"), (2, "be")] {
        for sector in [512, 1024, 2048, 4096] {
            let sector_text = format!("{sector}");
            let options = format!("version={version},bsize=32768,fsize=4096");
            let arguments =
                ["-t", "ffs", "-B", order, "-S", &sector_text, "-M", "1m", "-o", &options];
            let paths = [image.as_os_str(), source.as_os_str()];
            run("makefs", "makefs", &[&arguments.map(OsStr::new)[..], &paths].concat());
            let disk = fs::read(&image).unwrap();
            let at = UFS1_AT as usize + sb::FSBTODB.at;
            let shift = disk[at..at + 4].iter().copied().max().unwrap();
            assert_eq!(4096 >> shift, sector);
            let what = format!("{version} {order} {sector}");
            let mut volume = mount(&disk);
            assert_same(&what, &of_volume(&mut volume, &disk), &of_host(&source));
            assert_eq!(warnings(&mut volume), [""; 0]);
            if version == 1 {
                assert_fls(&what, &image, &sums_of_host(&source), 4096, false);
            }
        }
    }
}

/// FreeBSD counts up to 65,530 links since 13.3.
#[test]
fn many_links() {
    let scratch = Scratch::new(env!("CARGO_TARGET_TMPDIR"), "lenient-links");
    let (image, local) = (scratch.0.join("image"), scratch.0.join("local"));
    fs::write(&local, noise(1, 5000)).unwrap();
    for version in [1, 2] {
        let root = Node::directory([("f", Node::file(noise(1, 5000)))]);
        let mut made = Image::new(Format::new(version, 4096, 512), &root);
        for links in [32_767, 32_768, 65_530, 65_535] {
            made.put(made.inode_of("/f"), dinode1::NLINK, links);
            let mut volume = mount(&made.bytes);
            assert_eq!(u64::from(volume.lookup(b"/f").unwrap().links), links);
            fs::write(&image, &made.bytes).unwrap();
            grub(&image, &["cmp", "/f", local.to_str().unwrap()]);
        }
    }
}

/// Inode formats below 2: Ultrix, Solaris and 4.3BSD have 0 there; `fs_maxsymlinklen` is their
/// padding.
#[test]
fn every_old_inode_format() {
    let root = Node::directory([
        ("tail", Node::file(noise(2, 700))),
        ("d", Node::directory([("full", Node::file(noise(3, 9000)))])),
        ("short", Node::symlink("tail")),
        ("long", Node::symlink(&"./".repeat(200))),
    ]);
    for big_endian in [false, true] {
        let format = Format { old: true, big_endian, ..Format::new(1, 4096, 512) };
        let mut made = Image::new(format, &root);
        for inode_format in [0, 1, u32::MAX, 1 << 31] {
            for inline in [0, u32::MAX] {
                made.put_superblock(sb::OLD_INODEFMT, inode_format.into());
                made.put_superblock(sb::MAXSYMLINKLEN, inline.into());
                let what = format!("{big_endian} {inode_format:#x} {inline:#x}");
                let mut volume = mount(&made.bytes);
                assert_same(&what, &of_volume(&mut volume, &made.bytes), &of_node(&root));
                assert_eq!(warnings(&mut volume), [""; 0]);
            }
        }
    }
}

/// A symlink without blocks has its target where the pointers would be, whatever
/// `fs_maxsymlinklen` says.
#[test]
fn symlinks_without_blocks() {
    let scratch = Scratch::new(env!("CARGO_TARGET_TMPDIR"), "lenient-inline");
    let (image, local) = (scratch.0.join("image"), scratch.0.join("local"));
    fs::write(&local, noise(4, 700)).unwrap();
    let root = Node::directory([
        ("target", Node::file(noise(4, 700))),
        // GRUB 2.06 leaves out a target's last byte here.
        ("targe", Node::file(noise(4, 700))),
        ("link", Node::symlink("target")),
    ]);
    for big_endian in [false, true] {
        let format = Format { old: true, big_endian, ..Format::new(1, 4096, 512) };
        let mut made = Image::new(format, &root);
        made.put_superblock(sb::OLD_INODEFMT, 0);
        let at = made.inode_of("/link");
        made.put(at, dinode1::BLOCKS, 0);
        let target = b"target";
        made.bytes[at as usize + dinode1::DB.at..][..target.len()].copy_from_slice(target);
        for inline in [0, u32::MAX] {
            made.put_superblock(sb::MAXSYMLINKLEN, inline.into());
            let mut volume = mount(&made.bytes);
            let file = volume.inode(made.inodes[&b"/target"[..]]).unwrap();
            assert_eq!(volume.lookup(b"/link").unwrap(), file);
            if !big_endian {
                fs::write(&image, &made.bytes).unwrap();
                grub(&image, &["cmp", "/link", local.to_str().unwrap()]);
            }
        }
    }
}

/// Values that are wrong, on volumes that are right in all that reading depends on.
#[test]
fn what_is_not_clean_is_read_with_a_warning() {
    let scratch = Scratch::new(env!("CARGO_TARGET_TMPDIR"), "lenient-warned");
    let (image, local) = (scratch.0.join("image"), scratch.0.join("local"));
    fs::write(&local, noise(5, 700)).unwrap();
    let root = Node::directory([
        ("d", Node::directory([("empty", Node::directory([]))])),
        ("file", Node::file(noise(5, 700))),
        ("hole", Node::File(Contents { size: 9000, pieces: vec![] })),
    ]);
    for version in [1, 2] {
        let format = Format { hashed: version == 2, ..Format::new(version, 4096, 512) };
        let made = Image::new(format, &root);
        let check = |made: &Image, field: &str| {
            let mut volume = mount(&made.bytes);
            let found = of_volume(&mut volume, &made.bytes);
            let of_root = of_node(&root);
            for path in [&b"file"[..], b"hole", b"d"] {
                assert_eq!(found[path], of_root[path], "{field}");
            }
            let found = warnings(&mut volume);
            assert!(found.len() == 1 && found[0].contains(field), "{field}: {found:?}");
            fs::write(&image, &made.bytes).unwrap();
            grub(&image, &["cmp", "/file", local.to_str().unwrap()]);
        };
        let changed = |change: &dyn Fn(&mut Image)| {
            let mut made = made.clone();
            change(&mut made);
            made.seal();
            made
        };
        let field = |of_ufs1, of_ufs2| if version == 1 { of_ufs1 } else { of_ufs2 };
        let flags = if version == 2 { 0x200 } else { 0 };
        for flag in [0x100_0000, 0x8000_0000] {
            let made = changed(&|made| made.put_superblock(sb::FLAGS, flags | flag));
            check(&made, ": fs_flags ");
        }
        check(&changed(&|made| made.put_superblock(sb::CLEAN, 0)), ": fs_clean 0 ");
        let (size, blocks) =
            (field(dinode1::SIZE, dinode2::SIZE), field(dinode1::BLOCKS, dinode2::BLOCKS));
        for (path, value) in [("/file", 1 << 31), ("/d", 0)] {
            let made = changed(&|made| made.put(made.inode_of(path), blocks, value));
            check(&made, ": di_blocks ");
        }
        let mut made_empty = changed(&|made| {
            made.put(made.inode_of("/d/empty"), blocks, 0);
            made.put(made.inode_of("/d/empty"), size, 0);
        });
        check(&made_empty, ": di_size 0 ");
        if version == 2 {
            made_empty = made.clone();
            made_empty.put_superblock(sb::TIME, 1);
            check(&made_empty, ": fs_ckhash ");
        }
    }
}
