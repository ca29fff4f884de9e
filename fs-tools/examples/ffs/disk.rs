//! File or block device of the host as a disk.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;

use fs::ReadBlocks;
use fs_tools::Result;

/// Open file, and the size of its whole sectors.
pub struct Disk {
    file: File,
    size_bytes: u64,
}

/// Opens an image or device; the error names it.
pub fn open(image: &Path) -> Result<Disk> {
    Disk::open(image).map_err(|error| format!("{}: {error}", image.display()))
}

/// Writes a warning about an image.
pub fn warn(image: &Path, what: &dyn Display) {
    eprintln!("ffs: warning: {}: {what}", image.display());
}

impl Disk {
    /// Opens a file or device for reading.
    fn open(path: &Path) -> io::Result<Disk> {
        let mut file = File::open(path)?;
        // A block device has no length in its metadata, but an end to seek to.
        let size_bytes = file.seek(SeekFrom::End(0))? & !511;
        Ok(Disk { file, size_bytes })
    }
}

impl ReadBlocks for Disk {
    type Error = io::Error;

    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn read(&mut self, offset_bytes: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset_bytes)
    }
}
