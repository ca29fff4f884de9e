//! Files in which Linux tells about the host, `/proc` and `/sys`: below the root, or below a copy.
//!
//! Each read is bounded, and what cannot be read is absent.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::display;

/// Longest file that has one fact, in bytes.
const FACT_BYTES_MAX: u64 = 4096;
/// Most names of a directory that are read: one for each CPU of the largest hosts.
const NAMES_MAX: usize = 8192;

/// Directory below which the files are.
#[derive(Clone, Debug)]
pub struct Root(PathBuf);

impl Default for Root {
    fn default() -> Self {
        Self(PathBuf::from("/"))
    }
}

impl Root {
    /// Looks below this directory.
    pub fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Returns where a file is that is named as if this were the root.
    pub fn path(&self, path: &str) -> PathBuf {
        self.0.join(path.trim_start_matches('/'))
    }

    /// Reads the beginning of a file.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn text(&self, path: &str, bytes_max: u64) -> io::Result<String> {
        let mut bytes = Vec::new();
        File::open(self.path(path))?.take(bytes_max).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Reads a fact to show; `None` if the file is not there, or empty.
    pub fn fact(&self, path: &str) -> Option<String> {
        display::fact(&self.text(path, FACT_BYTES_MAX).ok()?)
    }

    /// Reads a number.
    pub fn number<T: FromStr>(&self, path: &str) -> Option<T> {
        self.text(path, FACT_BYTES_MAX).ok()?.trim().parse().ok()
    }

    /// Reads a flag: `1` or `Y`, `0` or `N`.
    pub fn flag(&self, path: &str) -> Option<bool> {
        match self.text(path, FACT_BYTES_MAX).ok()?.trim() {
            "1" | "Y" | "y" => Some(true),
            "0" | "N" | "n" => Some(false),
            _ => None,
        }
    }

    /// Returns the names in a directory, in order; those that are no text are left out.
    pub fn names(&self, path: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(path)).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name()).filter_map(|name| text(&name));
        let mut names: Vec<String> = names.take(NAMES_MAX).collect();
        names.sort_unstable();
        names
    }

    /// Returns whether there is such a file or directory.
    pub fn has(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// Returns the name of the file that a symbolic link leads to.
    pub fn link(&self, path: &str) -> Option<String> {
        let target = fs::read_link(self.path(path)).ok()?;
        Some(target.file_name()?.to_str()?.to_owned())
    }
}

fn text(name: &OsString) -> Option<String> {
    name.to_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_is_read_has_an_end_and_what_is_not_there_is_absent() {
        let place = std::env::temp_dir().join(format!("ringmark-root-{}", std::process::id()));
        fs::create_dir_all(place.join("sys/b")).unwrap();
        symlink("../nowhere/loop7", place.join("sys/a")).unwrap();
        fs::write(place.join("sys/number"), " 42\n").unwrap();
        fs::write(place.join("sys/flag"), "N\n").unwrap();
        fs::write(place.join("sys/long"), vec![b'\xff'; 1 << 20]).unwrap();
        let root = Root::new(&place);
        assert_eq!(root.text("/sys/long", 5).unwrap().chars().count(), 5);
        assert!(root.fact("/sys/long").unwrap().ends_with(".."));
        assert_eq!((root.number("/sys/number"), root.number::<u8>("/sys/flag")), (Some(42), None));
        assert_eq!((root.flag("/sys/flag"), root.flag("/sys/number")), (Some(false), None));
        assert_eq!(root.names("/sys"), ["a", "b", "flag", "long", "number"]);
        assert_eq!(root.link("/sys/a").as_deref(), Some("loop7"));
        assert!(root.has("/sys/b") && !root.has("/sys/a") && root.link("/sys/b").is_none());
        assert!(root.fact("/sys/c").is_none() && root.names("/sys/c").is_empty());
        fs::remove_dir_all(&place).unwrap();
    }
}
