//! The cache outside the tree: what is costly to fetch or build, kept under a key of its inputs.
//!
//! An entry is a directory. It is built beside its place and renamed into it, so an entry either
//! is complete or does not exist; a lock makes concurrent builders wait for the first. A list of
//! its files tells when it was damaged later.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use sha2::{Digest, Sha256};

use crate::contents::{self, Extent};
use crate::progress::Progress;

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

    /// Returns the directory of entry `name`, filled by `build` if there is none yet, or a look of
    /// this extent finds it damaged.
    ///
    /// # Errors
    /// Errors of `build`, which leave what was there, and of the file system.
    pub(crate) fn entry(
        &self,
        name: &str,
        extent: Extent,
        progress: &Progress,
        build: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        let place = self.root.join(name);
        if contents::check(&place, extent).is_ok() {
            return Ok(place);
        }
        let _lock = self.lock()?;
        let old = old(&place);
        if !place.exists() && old.exists() {
            rename(&old, &place)?; // an interrupted exchange's
        }
        if place.exists() {
            match contents::check(&place, extent) {
                Ok(()) => return Ok(place),
                Err(error) => {
                    let place = place.display();
                    progress.stage(&format!("{place} is damaged ({error:#}): making it again"));
                }
            }
        }
        let draft = self.root.join(format!("{name}.draft"));
        remove(&draft)?; // an interrupted build's
        let built = fs::create_dir(&draft)
            .map_err(Into::into)
            .and_then(|()| build(&draft))
            .and_then(|()| contents::save(&draft))
            .with_context(|| format!("cannot make {}", place.display()));
        if built.is_err() {
            // A full disk is none any more; and the error is of more interest than this one's.
            let _ = remove(&draft);
        }
        built?;
        exchange(&draft, &place)?;
        Ok(place)
    }

    /// Has `fill` fill an empty cache, whose entries then take the place of all that are here.
    ///
    /// # Errors
    /// Errors of `fill`, which leave all as it was, and of the file system.
    pub(crate) fn refresh(&self, fill: impl FnOnce(&Self) -> Result<()>) -> Result<()> {
        let _lock = self.lock()?;
        let beside = Self { root: self.root.join("refresh.draft") };
        remove(&beside.root)?; // an interrupted refresh's
        let filled = fs::create_dir(&beside.root).map_err(Into::into).and_then(|()| fill(&beside));
        if filled.is_err() {
            let _ = remove(&beside.root);
        }
        filled.context("the cache is left as it was")?;
        let fresh = beside.entries()?;
        for name in &fresh {
            exchange(&beside.root.join(name), &self.root.join(name))?;
        }
        for name in self.entries()?.iter().filter(|name| !fresh.contains(name)) {
            remove(&self.root.join(name))?;
        }
        Ok(())
    }

    /// Names of the directories in it.
    fn entries(&self) -> Result<Vec<OsString>> {
        let why = || format!("cannot read {}", self.root.display());
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.root).with_context(why)? {
            let entry = entry.with_context(why)?;
            if entry.file_type().with_context(why)?.is_dir() {
                names.push(entry.file_name());
            }
        }
        Ok(names)
    }

    fn lock(&self) -> Result<File> {
        let path = self.root.join("lock");
        let why = || format!("cannot lock {}", path.display());
        let lock = File::create(&path).with_context(why)?;
        lock.lock().with_context(why)?;
        Ok(lock)
    }
}

/// Puts a directory into a place, where an old one may be: at each moment it or that is there, or
/// that is where [`old`] says.
fn exchange(fresh: &Path, place: &Path) -> Result<()> {
    let old = old(place);
    if place.exists() {
        remove(&old)?;
        rename(place, &old)?;
    }
    rename(fresh, place)?;
    remove(&old)
}

/// Place of a directory while another takes its own.
fn old(place: &Path) -> PathBuf {
    place.with_extension("old")
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to)
        .with_context(|| format!("cannot rename {} to {}", from.display(), to.display()))
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

/// A directory for a test, which goes with this value.
#[cfg(test)]
pub(crate) struct Scratch(PathBuf);

#[cfg(test)]
impl Scratch {
    /// Makes one among what cargo builds, where nobody else does.
    pub(crate) fn new(name: &str) -> Self {
        let name = format!("scratch-{name}-{}", std::process::id());
        let path = env::current_exe().unwrap().with_file_name(name);
        remove(&path).unwrap();
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// Its path.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

#[cfg(test)]
impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = remove(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use anyhow::{bail, ensure};

    use super::*;

    fn cache(scratch: &Scratch) -> Cache {
        Cache { root: scratch.path().to_owned() }
    }

    fn entry(
        cache: &Cache,
        name: &str,
        build: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        cache.entry(name, Extent::Digests, &Progress::new(), build)
    }

    /// Builds an entry of one file with this text.
    fn of(text: &str) -> impl Fn(&Path) -> Result<()> {
        move |path| Ok(fs::write(path.join("file"), text)?)
    }

    fn text(entry: &Path) -> String {
        fs::read_to_string(entry.join("file")).unwrap()
    }

    /// Names of all that is in the cache but its lock.
    fn names(cache: &Cache) -> Vec<OsString> {
        let mut names = cache.entries().unwrap();
        names.sort();
        names
    }

    #[test]
    fn an_entry_is_built_once() {
        let scratch = Scratch::new("once");
        let cache = cache(&scratch);
        let first = entry(&cache, "a", of("x")).unwrap();
        assert_eq!(text(&first), "x");
        let second = entry(&cache, "a", |_| bail!("built twice")).unwrap();
        assert_eq!(first, second);
    }

    #[test]
    fn a_failed_or_interrupted_build_leaves_no_entry() {
        let scratch = Scratch::new("failed");
        let cache = cache(&scratch);
        let fail = |path: &Path| {
            fs::write(path.join("half"), "x")?;
            bail!("no space")
        };
        let error = entry(&cache, "a", fail).unwrap_err();
        let place = cache.root.join("a");
        assert_eq!(format!("{error:#}"), format!("cannot make {}: no space", place.display()));
        assert_eq!(names(&cache), [""; 0]);
        fs::create_dir(cache.root.join("a.draft")).unwrap();
        fs::write(cache.root.join("a.draft/half"), "x").unwrap();
        let path = entry(&cache, "a", of("x")).unwrap();
        assert!(!path.join("half").exists());
        assert_eq!(names(&cache), ["a"]);
    }

    #[test]
    fn a_damaged_entry_is_built_again() {
        let scratch = Scratch::new("damaged");
        let cache = cache(&scratch);
        let place = entry(&cache, "a", of("kernel")).unwrap();
        for damage in ["ker", "kernal", ""] {
            fs::write(place.join("file"), damage).unwrap();
            assert!(entry(&cache, "a", |_| bail!("no")).is_err());
            assert_eq!(text(&place), damage, "a failed build leaves what was there");
            assert_eq!(entry(&cache, "a", of("kernel")).unwrap(), place);
            assert_eq!((text(&place).as_str(), names(&cache)), ("kernel", vec!["a".into()]));
        }
        // An entry of the time before there were lists.
        fs::remove_dir_all(&place).unwrap();
        fs::create_dir(&place).unwrap();
        entry(&cache, "a", of("kernel")).unwrap();
        assert_eq!(text(&place), "kernel");
    }

    #[test]
    fn a_refresh_that_fails_changes_nothing() {
        let scratch = Scratch::new("unrefreshed");
        let cache = cache(&scratch);
        let place = entry(&cache, "packages", of("old")).unwrap();
        let refreshed = cache.refresh(|beside| {
            entry(beside, "packages", of("new"))?;
            entry(beside, "image", |_| bail!("no network")).map(drop)
        });
        let error = format!("{:#}", refreshed.unwrap_err());
        assert!(error.starts_with("the cache is left as it was: "), "{error}");
        assert!(error.ends_with("no network"), "{error}");
        assert_eq!((text(&place).as_str(), names(&cache)), ("old", vec!["packages".into()]));
    }

    #[test]
    fn a_refresh_replaces_all_once_all_is_built() {
        let scratch = Scratch::new("refreshed");
        let cache = cache(&scratch);
        let packages = entry(&cache, "packages", of("old")).unwrap();
        entry(&cache, "image-1", of("old")).unwrap();
        // One was interrupted.
        fs::create_dir(cache.root.join("refresh.draft")).unwrap();
        fs::create_dir(cache.root.join("refresh.draft/packages")).unwrap();
        let fill = |beside: &Cache| {
            entry(beside, "packages", of("new"))?;
            entry(beside, "image-2", of("new"))?;
            ensure!(text(&packages) == "old", "replaced too early");
            Ok(())
        };
        cache.refresh(fill).unwrap();
        assert_eq!(text(&packages), "new");
        assert_eq!(names(&cache), ["image-2", "packages"]);
        entry(&cache, "image-2", |_| bail!("built twice")).unwrap();
    }

    #[test]
    fn an_interrupted_exchange_loses_nothing() {
        let scratch = Scratch::new("interrupted");
        let cache = cache(&scratch);
        let place = entry(&cache, "a", of("old")).unwrap();
        rename(&place, &old(&place)).unwrap();
        assert_eq!(entry(&cache, "a", |_| bail!("no network")).unwrap(), place);
        assert_eq!((text(&place).as_str(), names(&cache)), ("old", vec!["a".into()]));
    }

    #[test]
    fn a_key_tells_where_inputs_end() {
        assert_ne!(key([b"ab".as_slice(), b"c"]), key([b"a".as_slice(), b"bc"]));
        assert_eq!(key([b"ab".as_slice()]).len(), 16);
    }
}
