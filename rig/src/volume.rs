//! FFS volumes for the disks that dom0 serves: trees of known contents, made by `makefs`.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use fs_err as fs;
use fs_err::os::unix::fs::symlink;
use sha2::{Digest, Sha256};

/// A file of a tree.
pub(crate) struct TreeFile {
    /// Its path from the tree's root, without a slash in front.
    pub(crate) path: String,
    /// Contents.
    pub(crate) bytes: Vec<u8>,
}

/// Parameters of a volume.
#[derive(Clone, Copy)]
pub(crate) struct Layout {
    /// Name for people, and for file names.
    pub(crate) name: &'static str,
    /// `makefs -o`.
    options: &'static str,
    /// The superblock is where the BSDs have it in an FFSv2, at 65536; makefs has it at 8192, where
    /// Linux does not look.
    moved: bool,
    /// `mount -o` of Linux's ufs driver; none where it can't read the volume.
    pub(crate) linux: Option<&'static str>,
}

impl Layout {
    /// FFSv1.
    pub(crate) const UFS1: Self =
        Self { name: "ufs1", options: "version=1", moved: false, linux: Some("ro,ufstype=44bsd") };
    /// FFSv2 as makefs leaves it.
    pub(crate) const UFS2: Self =
        Self { name: "ufs2-makefs", options: "version=2", moved: false, linux: None };
    /// FFSv2 as the BSDs have it.
    pub(crate) const UFS2_BSD: Self =
        Self { name: "ufs2", options: "version=2", moved: true, linux: Some("ro,ufstype=ufs2") };
}

/// The first name of a directory: makefs puts this file's blocks first, where the superblock is
/// moved to.
const FILLER: &str = ".filler";
const FILLER_WORD: &[u8; 8] = b"ringmark";
const FILLER_BYTES: usize = 128 << 10;
/// Offset of an FFSv2's superblock with the BSDs (`SBLOCK_UFS2`) and makefs.
const BSD_AT: usize = 65536;
const MAKEFS_AT: usize = 8192;
const SUPERBLOCK_BYTES: usize = 8192;
/// `fs_sblockloc` in the superblock (ufs/ffs/fs.h).
const LOCATION_AT: usize = 1000;

/// Makes a volume of `mib` MiB with these files in `directory`, and gives it compressed.
///
/// # Errors
/// When `makefs` or `gzip` fails.
pub(crate) fn make(
    directory: &Path,
    layout: Layout,
    mib: u32,
    files: &[TreeFile],
) -> Result<Vec<u8>> {
    let place = directory.join(layout.name);
    let tree = place.join("tree");
    if place.exists() {
        fs::remove_dir_all(&place)?;
    }
    fs::create_dir_all(&tree)?;
    fs::write(tree.join(FILLER), FILLER_WORD.repeat(FILLER_BYTES / FILLER_WORD.len()))?;
    for file in files {
        let path = tree.join(&file.path);
        fs::create_dir_all(path.parent().context("a file is in a directory")?)?;
        fs::write(path, &file.bytes)?;
    }
    symlink(FILLER, tree.join("link"))?;

    let path = place.join("image");
    let made = Command::new("makefs")
        .args(["-t", "ffs", "-o", layout.options, "-s", &format!("{mib}m")])
        .args([&path, &tree])
        .output()
        .context("cannot run makefs (package makefs)")?;
    if !made.status.success() {
        bail!("makefs failed: {}", String::from_utf8_lossy(&made.stderr));
    }
    if layout.moved {
        let mut image = fs::read(&path)?;
        move_superblock(&mut image)?;
        fs::write(&path, image)?;
    }
    let packed = Command::new("gzip")
        .args(["-1", "-c"])
        .arg(&path)
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run gzip")?;
    ensure!(packed.status.success(), "gzip failed");
    fs::remove_dir_all(&place)?;
    Ok(packed.stdout)
}

fn move_superblock(image: &mut [u8]) -> Result<()> {
    let filler = FILLER_WORD.repeat(SUPERBLOCK_BYTES / FILLER_WORD.len());
    let free = image.get(BSD_AT..BSD_AT + SUPERBLOCK_BYTES);
    ensure!(free == Some(&filler), "makefs left no room for a superblock at {BSD_AT}");
    image.copy_within(MAKEFS_AT..MAKEFS_AT + SUPERBLOCK_BYTES, BSD_AT);
    image[MAKEFS_AT..MAKEFS_AT + SUPERBLOCK_BYTES].fill(0);
    let location = BSD_AT + LOCATION_AT;
    image[location..location + 8].copy_from_slice(&(BSD_AT as u64).to_le_bytes());
    Ok(())
}

/// Returns what `sha256sum` says of the files, sorted by path as `find .` tells them; without the
/// filler.
pub(crate) fn sums(files: &[TreeFile]) -> Vec<String> {
    let mut lines: Vec<(&str, String)> = files
        .iter()
        .map(|file| {
            let sum: String =
                Sha256::digest(&file.bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            (file.path.as_str(), format!("{sum}  ./{}", file.path))
        })
        .collect();
    lines.sort();
    lines.into_iter().map(|(_, line)| line).collect()
}

/// Returns whether a line of `sha256sum` is the filler's, which a moved superblock changes.
pub(crate) fn is_filler(line: &str) -> bool {
    line.ends_with(&format!("  ./{FILLER}"))
}

/// Contents of `many/hello`.
pub(crate) const HELLO: &str = "hello from an FFS";

/// Files of many sizes: none, tails of fragments, each level of indirect blocks up to the second,
/// and a directory of two blocks. Few enough that the inodes end before the BSDs' superblock.
pub(crate) fn sample() -> Vec<TreeFile> {
    let mut files: Vec<TreeFile> =
        [0, 1, 511, 1024, 1025, 8191, 8192, 8193, 96 << 10, (96 << 10) + 1, 5_000_000, 11_000_001]
            .into_iter()
            .map(|size| TreeFile { path: format!("sizes/{size}"), bytes: noise(size) })
            .collect();
    for number in 0..40 {
        let path = format!("many/{number}-{}", "a-long-name-".repeat(18));
        files.push(TreeFile { path, bytes: format!("{number}\n").into_bytes() });
    }
    files.push(TreeFile { path: "many/hello".into(), bytes: format!("{HELLO}\n").into_bytes() });
    files
}

/// Bytes without a pattern, the same each time.
fn noise(len: usize) -> Vec<u8> {
    let mut state = len as u64;
    std::iter::repeat_with(|| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
    .take(len)
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_sha256sum() {
        let files = [
            TreeFile { path: "b".into(), bytes: Vec::new() },
            TreeFile { path: "a/c".into(), bytes: b"abc".to_vec() },
        ];
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(sums(&files), [format!("{abc}  ./a/c"), format!("{empty}  ./b")]);
        assert!(is_filler("00  ./.filler") && !is_filler("00  ./a"));
    }

    #[test]
    fn a_superblock_moves_only_where_the_filler_is() {
        let mut image = vec![0; 1 << 20];
        image[MAKEFS_AT] = 7;
        assert!(move_superblock(&mut image).is_err());
        image[BSD_AT..BSD_AT + SUPERBLOCK_BYTES]
            .copy_from_slice(&FILLER_WORD.repeat(SUPERBLOCK_BYTES / 8));
        move_superblock(&mut image).unwrap();
        assert_eq!((image[MAKEFS_AT], image[BSD_AT]), (0, 7));
        assert_eq!(image[BSD_AT + LOCATION_AT + 2], 1);
    }
}
