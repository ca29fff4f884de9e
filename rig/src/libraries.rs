//! Adds programs to an image together with the shared libraries they need, found among the
//! unpacked packages by name (ELF `DT_NEEDED`), as the dynamic linker will.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fs_err as fs;
use goblin::elf::Elf;

use crate::archive::Archive;

/// Directory of every library: the dynamic linker's first default.
const DIRECTORY: &str = "/lib/x86_64-linux-gnu";
const LINKER: &str = "/lib64/ld-linux-x86-64.so.2";

/// The shared libraries of a tree, by file name.
pub(crate) struct Libraries {
    paths: HashMap<String, PathBuf>,
}

impl Libraries {
    /// Looks for libraries below `root`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn below(root: &Path) -> Result<Self> {
        let mut paths = HashMap::new();
        for directory in ["lib", "lib64", "usr/lib"] {
            collect(&root.join(directory), &mut paths)?;
        }
        Ok(Self { paths })
    }

    /// Adds the program at `source` as `path`, and what it needs.
    ///
    /// # Errors
    /// When a library is missing, by its name and whose need it is.
    pub(crate) fn add(&self, archive: &mut Archive, path: &str, source: &Path) -> Result<()> {
        archive.copy(path, 0o755, source)?;
        self.add_needed(archive, source)?;
        if !archive.contains(LINKER) {
            archive.copy(LINKER, 0o755, self.find("ld-linux-x86-64.so.2")?)?;
        }
        Ok(())
    }

    /// Adds a library that a program opens by itself, and what it needs.
    ///
    /// # Errors
    /// As [`Libraries::add`].
    pub(crate) fn add_library(&self, archive: &mut Archive, name: &str) -> Result<()> {
        let path = format!("{DIRECTORY}/{name}");
        if archive.contains(&path) {
            return Ok(());
        }
        let source = self.find(name)?;
        archive.copy(&path, 0o644, source)?;
        self.add_needed(archive, source)
    }

    fn add_needed(&self, archive: &mut Archive, source: &Path) -> Result<()> {
        let content = fs::read(source)?;
        let elf =
            Elf::parse(&content).with_context(|| format!("{} is no program", source.display()))?;
        for name in elf.libraries {
            self.add_library(archive, name)
                .with_context(|| format!("needed by {}", source.display()))?;
        }
        Ok(())
    }

    fn find(&self, name: &str) -> Result<&Path> {
        let path = self.paths.get(name);
        Ok(path.with_context(|| format!("no package has the library {name}"))?)
    }
}

fn collect(directory: &Path, paths: &mut HashMap<String, PathBuf>) -> Result<()> {
    if !directory.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            collect(&path, paths)?;
        } else if let Some(name) = entry.file_name().to_str().filter(|name| name.contains(".so"))
            // A link that leads out of the tree is no library of the tree.
            && path.canonicalize().is_ok()
        {
            paths.insert(name.to_owned(), path);
        }
    }
    Ok(())
}
