//! Adds programs to an image together with the shared libraries they need, found among the
//! unpacked packages by name (ELF `DT_NEEDED`), as the dynamic linker will.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use fs_err as fs;
use goblin::elf::Elf;
use goblin::elf::sym::STB_GLOBAL;

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

    /// Adds the program as [`Libraries::add`] does, but instead of some libraries, which it needs
    /// for what it will not be told to do, ones of no size: all their functions end it. `draft` is
    /// a directory for files.
    ///
    /// # Errors
    /// As [`Libraries::add`], and when the C compiler fails.
    pub(crate) fn add_without(
        &self,
        archive: &mut Archive,
        path: &str,
        source: &Path,
        left_out: &[&str],
        draft: &Path,
    ) -> Result<()> {
        let content = fs::read(source)?;
        let elf =
            Elf::parse(&content).with_context(|| format!("{} is no program", source.display()))?;
        let (out, kept): (Vec<&str>, Vec<&str>) =
            elf.libraries.iter().partition(|name| left_out.contains(name));
        let mut defined = HashSet::new();
        for name in kept {
            defined.extend(defines(self.find(name)?)?);
        }
        let missing = elf
            .dynsyms
            .iter()
            .filter(|symbol| symbol.is_import() && symbol.st_bind() == STB_GLOBAL);
        let missing = missing.filter_map(|symbol| elf.dynstrtab.get_at(symbol.st_name));
        let missing: BTreeSet<&str> = missing.filter(|name| !defined.contains(*name)).collect();
        let stub = fs::read(stub(&missing, draft)?)?;
        for name in out {
            archive.add(&format!("{DIRECTORY}/{name}"), 0o644, stub.clone());
        }
        self.add(archive, path, source)
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

/// Names that a library defines.
fn defines(library: &Path) -> Result<Vec<String>> {
    let content = fs::read(library)?;
    let elf =
        Elf::parse(&content).with_context(|| format!("{} is no library", library.display()))?;
    let symbols = elf.dynsyms.iter().filter(|symbol| !symbol.is_import());
    let names = symbols.filter_map(|symbol| elf.dynstrtab.get_at(symbol.st_name));
    Ok(names.map(str::to_owned).collect())
}

/// Makes a library in `place` whose functions of these names end the program.
fn stub(functions: &BTreeSet<&str>, place: &Path) -> Result<PathBuf> {
    let (source, library) = (place.join("stub.c"), place.join("stub.so"));
    let function = |name: &&str| format!("void {name}(void) {{ __builtin_trap(); }}\n");
    fs::write(&source, functions.iter().map(function).collect::<String>())?;
    let made = Command::new("cc")
        .args(["-shared", "-nostdlib", "-s", "-O2", "-fno-builtin", "-w", "-o"])
        .args([&library, &source])
        .output()
        .context("cannot run the C compiler cc")?;
    ensure!(made.status.success(), "cc failed: {}", String::from_utf8_lossy(&made.stderr));
    Ok(library)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Scratch;

    #[test]
    fn a_stub_defines_what_it_is_asked_for() {
        let scratch = Scratch::new("stub");
        let wanted = BTreeSet::from(["nobody_has_this", "strlen"]);
        let library = stub(&wanted, scratch.path()).unwrap();
        let defined = defines(&library).unwrap();
        assert!(wanted.iter().all(|name| defined.iter().any(|one| one == name)), "{defined:?}");
        assert!(fs::metadata(library).unwrap().len() < 32 << 10);
        assert!(stub(&BTreeSet::from(["no name"]), scratch.path()).is_err());
    }
}
