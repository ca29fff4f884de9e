//! The cache outside the tree: what is costly to fetch or build, kept under a key of its inputs.
//!
//! An entry is a directory. It is built beside its place and renamed into it, so an entry either
//! is complete or does not exist; a lock makes concurrent builders wait for the first.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use sha2::{Digest, Sha256};

/// The cache's directory.
pub(crate) struct Cache {
    root: PathBuf,
}

impl Cache {
    /// `$RINGMARK_CACHE`, else `$XDG_CACHE_HOME/ringmark`, else `~/.cache/ringmark`.
    ///
    /// # Errors
    /// When none of them can be made.
    pub(crate) fn open() -> Result<Self> {
        let from = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let root = from("RINGMARK_CACHE")
            .or_else(|| from("XDG_CACHE_HOME").map(|path| path.join("ringmark")))
            .or_else(|| from("HOME").map(|path| path.join(".cache/ringmark")))
            .ok_or_else(|| anyhow!("no directory for the cache: set RINGMARK_CACHE to one"))?;
        fs::create_dir_all(&root).with_context(|| {
            format!("cannot make the cache {} (RINGMARK_CACHE moves it)", root.display())
        })?;
        let root = root.canonicalize()?;
        Ok(Self { root })
    }

    /// The directory of entry `name`, filled by `build` if there is none yet.
    ///
    /// # Errors
    /// Errors of `build`, which leave no entry, and of the file system.
    pub(crate) fn entry(
        &self,
        name: &str,
        build: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        let place = self.root.join(name);
        if place.is_dir() {
            return Ok(place);
        }
        let _lock = self.lock()?;
        if !place.is_dir() {
            let draft = self.root.join(format!("{name}.draft"));
            remove(&draft)?; // an interrupted build's
            fs::create_dir(&draft).with_context(|| format!("cannot make {}", draft.display()))?;
            build(&draft)?;
            fs::rename(&draft, &place)
                .with_context(|| format!("cannot move {} into place", draft.display()))?;
        }
        Ok(place)
    }

    /// Removes every entry.
    ///
    /// # Errors
    /// Errors of the file system.
    pub(crate) fn clear(&self) -> Result<()> {
        let _lock = self.lock()?;
        for entry in fs::read_dir(&self.root)? {
            let path = entry?.path();
            if path.is_dir() {
                remove(&path)?;
            }
        }
        Ok(())
    }

    fn lock(&self) -> Result<File> {
        let path = self.root.join("lock");
        let lock = File::create(&path)?;
        lock.lock().with_context(|| format!("cannot lock {}", path.display()))?;
        Ok(lock)
    }
}

fn remove(path: &Path) -> Result<()> {
    if path.exists() {
        fs::remove_dir_all(path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    Ok(())
}

/// A key of these inputs: 16 hexadecimal digits.
pub(crate) fn key<'a>(inputs: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha256::new();
    for input in inputs {
        hash.update((input.len() as u64).to_le_bytes());
        hash.update(input);
    }
    hash.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    fn scratch(name: &str) -> Cache {
        let root = env::temp_dir().join(format!("rig-cache-{}-{name}", std::process::id()));
        remove(&root).unwrap();
        fs::create_dir_all(&root).unwrap();
        Cache { root }
    }

    #[test]
    fn an_entry_is_built_once() {
        let cache = scratch("once");
        let build = |path: &Path| Ok(fs::write(path.join("file"), "x")?);
        let first = cache.entry("a", build).unwrap();
        assert_eq!(fs::read_to_string(first.join("file")).unwrap(), "x");
        let second = cache.entry("a", |_| bail!("built twice")).unwrap();
        assert_eq!(first, second);
        cache.clear().unwrap();
        assert!(!first.exists());
        remove(&cache.root).unwrap();
    }

    #[test]
    fn a_failed_or_interrupted_build_leaves_no_entry() {
        let cache = scratch("failed");
        let fail = |path: &Path| {
            fs::write(path.join("half"), "x")?;
            bail!("no")
        };
        assert!(cache.entry("a", fail).is_err());
        assert!(!cache.root.join("a").exists());
        let path = cache.entry("a", |_| Ok(())).unwrap();
        assert!(!path.join("half").exists());
        remove(&cache.root).unwrap();
    }

    #[test]
    fn a_key_tells_where_inputs_end() {
        assert_ne!(key([b"ab".as_slice(), b"c"]), key([b"a".as_slice(), b"bc"]));
        assert_eq!(key([b"ab".as_slice()]).len(), 16);
    }
}
