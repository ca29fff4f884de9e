//! A cpio archive (newc, the format of a Linux initramfs) built in memory.
//!
//! Entries are written in the order of their paths with fixed owners and times, so the same
//! content always gives the same bytes. Linux unpacks concatenated archives one after another.

use std::collections::BTreeMap;
use std::io::{BufWriter, Cursor, Write};
use std::path::Path;

use anyhow::{Context, Result};
use cpio::{NewcBuilder, write_cpio};
use fs_err::File;

const DIRECTORY: u32 = 0o040_755;
const REGULAR: u32 = 0o100_000;

/// The files of an initramfs, by absolute path.
#[derive(Default)]
pub(crate) struct Archive {
    entries: BTreeMap<String, (u32, Vec<u8>)>,
}

impl Archive {
    /// An empty archive.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds a file, and the directories above it. A file added twice is the later one.
    pub(crate) fn add(&mut self, path: &str, permissions: u32, content: impl Into<Vec<u8>>) {
        let path = path.trim_start_matches('/');
        for (slash, _) in path.match_indices('/') {
            self.entries.entry(path[..slash].to_owned()).or_insert((DIRECTORY, Vec::new()));
        }
        self.entries.insert(path.to_owned(), (REGULAR | permissions, content.into()));
    }

    /// Adds a copy of a file of the host.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn copy(&mut self, path: &str, permissions: u32, source: &Path) -> Result<()> {
        let content =
            std::fs::read(source).with_context(|| format!("cannot read {}", source.display()))?;
        self.add(path, permissions, content);
        Ok(())
    }

    /// Returns whether there is an entry at `path`.
    pub(crate) fn contains(&self, path: &str) -> bool {
        self.entries.contains_key(path.trim_start_matches('/'))
    }

    /// Makes a file of the archive.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn save(self, path: &Path) -> Result<()> {
        let mut file = BufWriter::new(File::create(path)?);
        self.write(&mut file)?;
        Ok(file.flush()?)
    }

    /// Writes the archive with its trailer.
    ///
    /// # Errors
    /// Errors of the writer.
    pub(crate) fn write(self, output: &mut impl Write) -> Result<()> {
        let inputs = self.entries.into_iter().zip(1..).map(|((path, (mode, content)), ino)| {
            (NewcBuilder::new(&path).mode(mode).ino(ino), Cursor::new(content))
        });
        write_cpio(inputs, output).context("cannot write an initramfs")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use cpio::NewcReader;

    use super::*;

    #[test]
    fn a_full_disk_is_told_with_the_file() {
        let mut archive = Archive::new();
        archive.add("/init", 0o755, vec![0; 1 << 20]);
        let error = format!("{:#}", archive.save(Path::new("/dev/full")).unwrap_err());
        assert!(error.contains("/dev/full") && error.contains("No space left"), "{error}");
    }

    #[test]
    fn reads_back_with_its_directories() {
        let mut archive = Archive::new();
        archive.add("/rig/steps/000", 0o644, "echo");
        archive.add("init", 0o755, "old");
        archive.add("/init", 0o755, "#!");
        assert!(archive.contains("/rig/steps/000"));
        let mut bytes = Vec::new();
        archive.write(&mut bytes).unwrap();

        let mut seen = Vec::new();
        let mut rest = bytes.as_slice();
        loop {
            let mut reader = NewcReader::new(rest).unwrap();
            if reader.entry().is_trailer() {
                break;
            }
            let (name, mode) = (reader.entry().name().to_owned(), reader.entry().mode());
            let mut content = String::new();
            reader.read_to_string(&mut content).unwrap();
            seen.push((name, mode, content));
            rest = reader.finish().unwrap();
        }
        let expected = [
            ("init", 0o100_755, "#!"),
            ("rig", 0o040_755, ""),
            ("rig/steps", 0o040_755, ""),
            ("rig/steps/000", 0o100_644, "echo"),
        ];
        assert_eq!(seen, expected.map(|(name, mode, text)| (name.into(), mode, text.into())));
    }
}
