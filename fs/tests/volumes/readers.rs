//! Three readers of FFS, written by different people, see the same on the same volumes: The Sleuth
//! Kit, GRUB, and ours (which `images.rs` and `sparse.rs` compare with what the volumes were made
//! of). This also says that the tests' own writer of volumes writes them right.
//!
//! What the other two do not read, each with its reason:
//! - GRUB 2.06 has no module for big-endian UFS2. Of big-endian UFS1 it reads direct blocks only:
//!   it takes the pointers in indirect blocks for little-endian ones.
//! - The Sleuth Kit 4.11 takes the length of a 4.2BSD directory's entry for its type where the
//!   order is little-endian, and lists nothing on such a volume.
//! - It looks for UFS2 superblocks at 65536 and 262144 only, so it finds those of makefs (8192) in
//!   volumes with blocks of 64 KiB only, by the copy that these have at 65536.
//! - It refuses a hole of more blocks than the volume has, so `double` is on a larger volume; and
//!   it reads holes at a few MB/s, so files of more than [`TSK_BYTES_MAX`] are left to GRUB, which
//!   can begin in the middle.
//! - It reads the place of the pointers as zeros for a symlink that is kept there, so for symlinks
//!   it is the listed target that counts, of which it reads one fragment. 4.2BSD kept no symlinks
//!   in inodes, but there, too, it looks for short ones. Control characters in names it replaces.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;

use md5::{Digest, Md5};
use newfs::{Contents, Format, Image, Node};

use newfs::sample::{across_levels, noise, plant};
use newfs::{Makefs, Scratch, run};

/// Largest sparse file that The Sleuth Kit reads in good time.
const TSK_BYTES_MAX: u64 = 5 << 20;

fn tsk(program: &str, arguments: &[&str], image: &Path, more: &[&str]) -> Vec<u8> {
    let before = arguments.iter().map(OsStr::new).chain([image.as_os_str()]);
    let all: Vec<&OsStr> = before.chain(more.iter().map(OsStr::new)).collect();
    run(program, "sleuthkit", &all)
}

pub fn grub(image: &Path, arguments: &[&str]) -> Vec<u8> {
    let all: Vec<&OsStr> =
        [image.as_os_str()].into_iter().chain(arguments.iter().map(OsStr::new)).collect();
    run("grub-fstest", "grub-common", &all)
}

/// Files and symlinks to read, by path: MD5 sum of a file, or target of a symlink; and its size.
pub type Sums = BTreeMap<String, (String, u64)>;

fn md5(bytes: &[u8]) -> (String, u64) {
    (format!("{:x}", Md5::digest(bytes)), bytes.len() as u64)
}

/// Files and symlinks by `fls`, with the sums of what The Sleuth Kit read.
fn fls(image: &Path) -> Sums {
    let listing = tsk("fls", &["-r", "-p", "-h", "-m", "/"], image, &[]);
    let mut found = Sums::new();
    for line in String::from_utf8_lossy(&listing).lines() {
        // MD5|path|inode|type by entry/type by inode and mode|uid|gid|size|times
        let [md5, path, _, mode, _, _, size, ..] = line.split('|').collect::<Vec<_>>()[..] else {
            panic!("fls: {line}");
        };
        if !matches!(mode.as_bytes()[2], b'd' | b'V') {
            let (name, contents) = path.split_once(" -> ").unwrap_or((path, md5));
            found.insert(name.to_string(), (contents.to_string(), size.parse().unwrap()));
        }
    }
    found
}

/// Files and symlinks below a directory of the host.
pub fn of_host(root: &Path) -> Sums {
    fn walk(root: &Path, path: &str, found: &mut Sums) {
        for entry in fs::read_dir(root.join(&path[1..])).unwrap().map(Result::unwrap) {
            let Ok(name) = entry.file_name().into_string() else { continue };
            let (path, kind) = (format!("{path}{name}"), entry.file_type().unwrap());
            if kind.is_dir() {
                walk(root, &format!("{path}/"), found);
            } else if kind.is_symlink() {
                let target = fs::read_link(entry.path()).unwrap();
                let target = target.into_os_string().into_string().unwrap();
                let len = target.len() as u64;
                found.insert(path, (target, len));
            } else {
                found.insert(path, md5(&fs::read(entry.path()).unwrap()));
            }
        }
    }
    let mut found = Sums::new();
    walk(root, "/", &mut found);
    found
}

pub fn assert_fls(what: &str, image: &Path, expected: &Sums, frag_bytes: u64, old: bool) {
    let found = fls(image);
    for path in found.keys().chain(expected.keys()) {
        let (found, expected) = (found.get(path), expected.get(path).cloned());
        let expected = expected.map(|(mut contents, size)| {
            let link = contents.len() as u64 == size;
            if link {
                let inline = old && size < 60;
                contents.truncate(if inline { 0 } else { frag_bytes as usize });
            }
            (contents, size)
        });
        // Names that it shows in its own way.
        let odd = path.starts_with("/names/");
        let same = found == expected.as_ref();
        assert!(odd || same, "{what}: {path}: fls has {found:?}, not {expected:?}");
    }
}

/// Part of a volume that GRUB reads.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Grub {
    Nothing,
    DirectBlocks,
    All,
}

fn grub_reads(version: u8, big_endian: bool) -> Grub {
    match (version, big_endian) {
        (1, true) => Grub::DirectBlocks,
        (_, true) => Grub::Nothing,
        _ => Grub::All,
    }
}

/// GRUB's `cmp` goes through a local directory and compares each file in it. The one with 10,000
/// names is compared by three of them: GRUB searches it from the beginning for each.
fn assert_grub(image: &Path, source: &Path, reads: Grub) {
    let paths: &[&str] = match reads {
        Grub::Nothing => &[],
        Grub::DirectBlocks => &["tails", "names", "modes", "deep"],
        Grub::All => &[
            "tails",
            "names",
            "modes",
            "deep",
            "levels",
            "holes",
            "many/file-0",
            "many/name-50-of-50",
            "many/name-99-of-99",
        ],
    };
    for path in paths {
        grub(image, &["cmp", &format!("/{path}"), source.join(path).to_str().unwrap()]);
    }
}

fn volumes_of_makefs(block_bytes: usize) {
    let scratch = Scratch::new(env!("CARGO_TARGET_TMPDIR"), &format!("readers-{block_bytes}"));
    let (source, image) = (scratch.0.join("source"), scratch.0.join("image"));
    fs::create_dir(&source).unwrap();
    plant(&source, block_bytes);
    let expected = of_host(&source);
    assert!(expected.len() > 10_000);
    for makefs in Makefs::all(block_bytes) {
        makefs.make(&source, &image);
        if makefs.version == 1 || block_bytes == 65536 {
            let frag_bytes = makefs.frag_bytes as u64;
            assert_fls(&format!("{makefs:?}"), &image, &expected, frag_bytes, false);
        } else {
            let output = Command::new("fls").arg(&image).output().unwrap();
            let text = String::from_utf8_lossy(&output.stderr);
            assert!(text.contains("Cannot determine file system type"), "it reads {makefs:?} now");
        }
        assert_grub(&image, &source, grub_reads(makefs.version, makefs.big_endian));
    }
}

#[test]
fn makefs_4096() {
    volumes_of_makefs(4096);
}

#[test]
fn makefs_8192() {
    volumes_of_makefs(8192);
}

#[test]
fn makefs_16384() {
    volumes_of_makefs(16384);
}

#[test]
fn makefs_32768() {
    volumes_of_makefs(32768);
}

#[test]
fn makefs_65536() {
    volumes_of_makefs(65536);
}

/// Returns what The Sleuth Kit can read of the volumes of `sparse.rs`.
fn small_tree(format: &Format) -> Vec<(&'static str, Contents)> {
    let whole = |len: usize| Contents { size: len as u64, pieces: vec![(0, noise(1, len))] };
    let (block, frag) = (format.block_bytes as usize, format.frag_bytes as usize);
    let mut files = vec![
        ("empty", whole(0)),
        ("tail", whole(frag + 3)),
        ("full", whole(12 * block + frag)),
        ("hole", Contents { size: 5 * block as u64 + 1, pieces: vec![] }),
        ("single", across_levels(format, 1)),
        ("double", across_levels(format, 2)),
    ];
    files.retain(|(_, contents)| contents.size <= TSK_BYTES_MAX);
    files
}

fn small_volume(format: Format, scratch: &Path) {
    // More blocks than the longest hole has.
    let format = match format.block_bytes {
        4096 => Format { data_blocks_per_group: 1200, ..format },
        _ => format,
    };
    let files = small_tree(&format);
    let mut entries: Vec<(Vec<u8>, Node)> = files
        .iter()
        .map(|(name, contents)| (name.as_bytes().to_vec(), Node::File(contents.clone())))
        .collect();
    let links = [("short", "tail".to_string()), ("long", "./".repeat(200))];
    entries.extend(links.iter().map(|(name, to)| (name.as_bytes().to_vec(), Node::symlink(to))));
    let image = scratch.join("image");
    fs::write(&image, Image::new(format, &Node::Directory(entries)).bytes).unwrap();

    let mut expected = Sums::new();
    let local = scratch.join("local");
    for (name, contents) in &files {
        let mut bytes = vec![0; contents.size as usize];
        contents.read(0, &mut bytes);
        expected.insert(format!("/{name}"), md5(&bytes));
        let direct = contents.size <= 12 * format.block_bytes;
        let reads = grub_reads(format.version, format.big_endian);
        if reads == Grub::All || (reads == Grub::DirectBlocks && direct) {
            fs::write(&local, &bytes).unwrap();
            grub(&image, &["cmp", &format!("/{name}"), local.to_str().unwrap()]);
        }
    }
    let links =
        links.into_iter().map(|(name, to)| (format!("/{name}"), (to.clone(), to.len() as u64)));
    expected.extend(links);
    if format.old && !format.big_endian {
        assert_eq!(fls(&image), Sums::new(), "it reads old directories now: {format:?}");
    } else {
        assert_fls(&format!("{format:?}"), &image, &expected, format.frag_bytes, format.old);
        // The way of issue reports: the bytes of one inode.
        let bytes = tsk("icat", &[], &image, &["4"]);
        assert_eq!(md5(&bytes), expected["/tail"]);
    }
}

/// Both versions and byte orders, all sizes of blocks and two of fragments, with their variants.
fn all(mut act: impl FnMut(Format)) {
    for block_bytes in [4096, 8192, 16384, 32768, 65536] {
        for frags in [1, 8] {
            for big_endian in [false, true] {
                let new = |version| Format {
                    big_endian,
                    inodes_per_group: 100,
                    ..Format::new(version, block_bytes, block_bytes / frags)
                };
                act(new(1));
                act(Format { staggered: true, ..new(1) });
                act(Format { old: true, ..new(1) });
                act(new(2));
                act(Format { hashed: true, ..new(2) });
            }
        }
    }
}

#[test]
fn volumes_of_our_own() {
    let scratch = Scratch::new(env!("CARGO_TARGET_TMPDIR"), "readers-own");
    all(|format| small_volume(format, &scratch.0));
}

/// Files of up to many TiB: GRUB reads around each border between levels of indirect blocks.
#[test]
fn every_level_by_grub() {
    let scratch = Scratch::new(env!("CARGO_TARGET_TMPDIR"), "readers-levels");
    let image = scratch.0.join("image");
    all(|format| {
        if grub_reads(format.version, format.big_endian) != Grub::All {
            return;
        }
        let contents = across_levels(&format, 3);
        let root = Node::directory([("f", Node::File(contents.clone()))]);
        fs::write(&image, Image::new(format, &root).bytes).unwrap();
        for (start, _) in &contents.pieces {
            let skip = start.saturating_sub(100);
            let mut expected = vec![0; 1000.min(contents.size - skip) as usize];
            contents.read(skip, &mut expected);
            let (skip, len) = (skip.to_string(), expected.len().to_string());
            let found = grub(&image, &["-s", &skip, "-n", &len, "cat", "/f"]);
            assert!(found == expected, "{format:?}: {len} bytes at {skip}");
        }
    });
}
