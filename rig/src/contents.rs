//! The list of the files below a directory, kept in it, with their sizes and digests, by which
//! damage is noticed.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

/// Name of the list in its directory.
const LIST: &str = "contents.json";

/// Extent of a look at the files.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// They are there, and as long as they were.
    Sizes,
    /// They are what they were.
    Digests,
}

/// Sizes in bytes and digests of files and links, by path.
type List = BTreeMap<String, (u64, String)>;

/// Lists what is below a directory, for a later [`check`].
///
/// # Errors
/// Those of the file system.
pub(crate) fn save(directory: &Path) -> Result<()> {
    let mut list = List::new();
    collect(directory, "", &mut list)?;
    let path = directory.join(LIST);
    fs::write(&path, serde_json::to_vec(&list)?)
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Checks that all is there that was listed, and unchanged. What came later is not looked at.
///
/// # Errors
/// The first difference.
pub(crate) fn check(directory: &Path, extent: Extent) -> Result<()> {
    let list = fs::read(directory.join(LIST)).with_context(|| format!("{LIST} is missing"))?;
    let list: List =
        serde_json::from_slice(&list).with_context(|| format!("{LIST} is no list of files"))?;
    for (name, (bytes, digest)) in &list {
        let path = directory.join(name);
        let found = fs::symlink_metadata(&path).with_context(|| format!("{name} is missing"))?;
        ensure!(found.len() == *bytes, "{name} has {} bytes, not {bytes}", found.len());
        if extent == Extent::Digests {
            ensure!(digest_of(&path)? == *digest, "{name} was changed");
        }
    }
    Ok(())
}

fn collect(directory: &Path, prefix: &str, list: &mut List) -> Result<()> {
    let why = || format!("cannot list {}", directory.display());
    for entry in fs::read_dir(directory).with_context(why)? {
        let entry = entry.with_context(why)?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type().with_context(why)?.is_dir() {
            collect(&entry.path(), &format!("{name}/"), list)?;
        } else {
            let bytes = entry.metadata().with_context(why)?.len();
            list.insert(name, (bytes, digest_of(&entry.path())?));
        }
    }
    Ok(())
}

/// The digest of a file's bytes, or of a link's target.
fn digest_of(path: &Path) -> Result<String> {
    let why = || format!("cannot read {}", path.display());
    let bytes = if path.is_symlink() {
        fs::read_link(path).map(|target| OsStr::as_bytes(target.as_os_str()).to_vec())
    } else {
        fs::read(path)
    };
    Ok(format!("{:x}", Sha256::digest(bytes.with_context(why)?)))
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::cache::Scratch;

    #[test]
    fn every_change_is_noticed() {
        let directory = Scratch::new("contents");
        let file = directory.path().join("root/boot/xen");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let restore = || fs::write(&file, "kernel").unwrap();
        restore();
        symlink("xen", directory.path().join("root/link")).unwrap();
        save(directory.path()).unwrap();
        let complaint = |extent| check(directory.path(), extent).err().map(|e| e.to_string());
        assert_eq!(complaint(Extent::Digests), None);

        fs::write(&file, "kernal").unwrap();
        assert_eq!(complaint(Extent::Sizes), None);
        assert_eq!(complaint(Extent::Digests).unwrap(), "root/boot/xen was changed");
        OpenOptions::new().write(true).open(&file).unwrap().set_len(2).unwrap();
        assert_eq!(complaint(Extent::Sizes).unwrap(), "root/boot/xen has 2 bytes, not 6");
        fs::remove_file(&file).unwrap();
        assert_eq!(complaint(Extent::Sizes).unwrap(), "root/boot/xen is missing");
        restore();
        assert_eq!(complaint(Extent::Digests), None);

        fs::remove_file(directory.path().join("root/link")).unwrap();
        symlink("nix", directory.path().join("root/link")).unwrap();
        assert_eq!(complaint(Extent::Digests).unwrap(), "root/link was changed");
        let list = directory.path().join(LIST);
        OpenOptions::new().write(true).open(&list).unwrap().set_len(20).unwrap();
        assert_eq!(complaint(Extent::Sizes).unwrap(), "contents.json is no list of files");
        fs::remove_file(list).unwrap();
        assert_eq!(complaint(Extent::Sizes).unwrap(), "contents.json is missing");
    }
}
