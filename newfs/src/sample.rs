//! A tree of files that exercises what FFS can do, the same each time.

use std::fs::{self, File, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use crate::format::Format;
use crate::tree::Contents;

/// Count of names in the large directory, and of the files that they are links to.
const MANY: usize = 10_000;
const MANY_FILES: usize = 100;

/// Returns bytes that differ from seed to seed.
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    bytes
}

/// Returns a file with a block before and behind each border between levels, the last level
/// included.
pub fn across_levels(format: &Format, levels: u32) -> Contents {
    let block = format.block_bytes;
    let mut numbers = vec![0, 3];
    for level in 1..=levels {
        let first = format.first_block(level);
        numbers.extend([first - 1, first, first + 2]);
    }
    let size = (numbers[numbers.len() - 1] + 1) * block - 7;
    let piece = |&number: &u64| {
        let len = block.min(size - number * block) as usize;
        (number * block, noise(number, len))
    };
    Contents { size, pieces: numbers.iter().map(piece).collect() }
}

/// Plants the tree for volumes of this block size below `root`.
///
/// Directories: `tails` has files around each number of fragments, `levels` files that end around
/// the last direct block and, where that takes a few MiB only, around the first double indirect
/// one; `holes` files with long zeros; `many` 10,000 names; `links` symlinks; `names` odd names;
/// `modes` permissions; `deep` directories in directories.
///
/// # Panics
/// When the host refuses a file.
pub fn plant(root: &Path, block_bytes: usize) {
    let mut seed = 0;
    let mut file = |path: &str, len: usize| {
        seed += 1;
        fs::write(root.join(path), noise(seed, len)).unwrap();
    };
    for directory in ["tails", "levels", "holes", "many", "links", "names", "modes", "deep"] {
        fs::create_dir(root.join(directory)).unwrap();
    }
    for eighth in 0..=8 {
        let edge = eighth * block_bytes / 8;
        for len in [edge.saturating_sub(1), edge, edge + 1] {
            file(&format!("tails/{len}"), len);
        }
    }
    let direct = 12 * block_bytes;
    for len in [direct - 1, direct, direct + 1, direct + block_bytes + 1] {
        file(&format!("levels/{len}"), len);
    }
    if block_bytes == 4096 {
        let double = direct + block_bytes * (block_bytes / 4) + block_bytes + 5;
        file(&format!("levels/{double}"), double);
    }
    for (name, at) in [("end", 20 * block_bytes), ("tail", 3 * block_bytes + 700)] {
        let sparse = File::create(root.join("holes").join(name)).unwrap();
        sparse.write_all_at(b"begin", 0).unwrap();
        sparse.write_all_at(b"end", at as u64).unwrap();
    }
    File::create(root.join("holes/only")).unwrap().set_len(100_000).unwrap();
    plant_many(&root.join("many"));
    plant_links(&root.join("links"));
    plant_names(&root.join("names"));
    for mode in [0o400, 0o600, 0o644, 0o755, 0o4755, 0o2711, 0o1777] {
        let path = root.join(format!("modes/{mode:o}"));
        fs::write(&path, "x").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    }
    let deep = root.join(format!("deep{}", "/d".repeat(40)));
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("bottom"), "bottom").unwrap();
    set_times(root, &mut 0);
}

fn plant_many(directory: &Path) {
    for file in 0..MANY_FILES {
        let first = directory.join(format!("file-{file}"));
        fs::write(&first, format!("file {file}")).unwrap();
        for name in 1..MANY / MANY_FILES {
            fs::hard_link(&first, directory.join(format!("name-{name}-of-{file}"))).unwrap();
        }
    }
}

/// Targets around the lengths that fit into an inode (60 and 120 bytes), relative and absolute.
fn plant_links(directory: &Path) {
    for len in [1, 2, 59, 60, 61, 119, 120, 121, 511, 512, 513, 1000] {
        symlink("x".repeat(len), directory.join(format!("relative-{len}"))).unwrap();
        let absolute = format!("/{}", "y".repeat(len - 1));
        symlink(absolute, directory.join(format!("absolute-{len}"))).unwrap();
    }
    symlink("../modes/644", directory.join("file")).unwrap();
    symlink("/deep/d/d", directory.join("directory")).unwrap();
    // The same place by a target that fits into no inode.
    symlink("../links/".repeat(20) + "file", directory.join("chain")).unwrap();
}

fn plant_names(directory: &Path) {
    let names: [&[u8]; 9] = [
        b" ",
        b"...",
        b"-rf",
        b"new\nline",
        b"\x01\x7f\xff\xfe",
        "\u{e9}\u{2603}".as_bytes(),
        b"\\*?[",
        &[b'n'; 254],
        &[b'm'; 255],
    ];
    for name in names {
        fs::write(directory.join(std::ffi::OsStr::from_bytes(name)), name).unwrap();
    }
}

/// Gives each file and directory a time of its own.
fn set_times(path: &Path, count: &mut u64) {
    let kind = fs::symlink_metadata(path).unwrap().file_type();
    if kind.is_symlink() {
        return;
    }
    if kind.is_dir() {
        let mut children: Vec<_> = fs::read_dir(path).unwrap().map(|e| e.unwrap().path()).collect();
        children.sort();
        children.iter().for_each(|child| set_times(child, count));
    }
    *count += 1;
    let time = UNIX_EPOCH + Duration::from_secs(1_000_000_000 + *count);
    File::open(path).unwrap().set_modified(time).unwrap();
}
