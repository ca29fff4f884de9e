//! A copy of the workspace that may be broken.
//!
//! It stands in `target/mutants` with a target directory of its own, which is kept: between mutants
//! only what changed is built again, and the next run finds the dependencies built. The copy itself
//! is made anew by each run, so nothing is left of one that was interrupted.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// The copy, for as long as this is held.
#[derive(Debug)]
pub(super) struct Tree {
    root: PathBuf,
    target: PathBuf,
    /// Locked: one run at a time.
    _lock: File,
}

impl Tree {
    /// Copies what git knows of the workspace, and what it would add.
    ///
    /// # Errors
    /// If there is no git, or another run holds the copy.
    pub(super) fn copy() -> Result<Self> {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let home = workspace.join("target/mutants");
        fs::create_dir_all(&home).with_context(|| home.display().to_string())?;
        let home = home.canonicalize()?;
        let lock = File::create(home.join("lock"))?;
        lock.try_lock().with_context(|| format!("{} is in use by another run", home.display()))?;

        let root = home.join("tree");
        if root.exists() {
            fs::remove_dir_all(&root)?;
        }
        for file in tracked(&workspace)? {
            let (from, to) = (workspace.join(&file), root.join(&file));
            // A file that git still knows may be gone.
            if from.is_file() {
                fs::create_dir_all(to.parent().unwrap_or(&root))?;
                fs::copy(&from, &to).with_context(|| file.clone())?;
            }
        }
        Ok(Self { root, target: home.join("target"), _lock: lock })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// cargo's target directory for it.
    pub(super) fn target(&self) -> &Path {
        &self.target
    }

    pub(super) fn read(&self, file: &str) -> Result<String> {
        fs::read_to_string(self.root.join(file)).with_context(|| file.to_owned())
    }

    pub(super) fn write(&self, file: &str, text: &str) -> Result<()> {
        fs::write(self.root.join(file), text).with_context(|| file.to_owned())
    }
}

fn tracked(workspace: &Path) -> Result<Vec<String>> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(workspace)
        .output()
        .context("cannot run git, which tells what belongs to the workspace")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    let names = String::from_utf8(output.stdout).context("a file's name is not UTF-8")?;
    Ok(names.split_terminator('\0').map(str::to_owned).collect())
}
