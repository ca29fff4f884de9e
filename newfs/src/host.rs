//! Directories and programs of the host, for tests.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Directory for a test's files, removed when dropped.
#[derive(Debug)]
pub struct Scratch(
    /// Path of the directory.
    pub PathBuf,
);

impl Scratch {
    /// Creates a directory in `parent`, a test's `CARGO_TARGET_TMPDIR`, which only cargo knows.
    ///
    /// # Panics
    /// When it can't be created.
    pub fn new(parent: &str, name: &str) -> Self {
        let path = Path::new(parent).join(format!("{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs a program of the host, which the Debian package `package` has, and returns its output.
///
/// # Panics
/// When it can't be run, or fails.
pub fn run(program: &str, package: &str, arguments: &[&OsStr]) -> Vec<u8> {
    let output = Command::new(program).args(arguments).output();
    let output =
        output.unwrap_or_else(|error| panic!("{program}: {error}; run: apt-get install {package}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {}, {stderr}", output.status);
    output.stdout
}
