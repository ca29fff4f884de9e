//! Volumes of makefs(8): the same formats as this crate's own, by an independent writer.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use crate::host::run;

/// Options of a volume that makefs(8) makes.
#[derive(Clone, Copy, Debug)]
pub struct Makefs {
    /// FFS version: 1 or 2.
    pub version: u8,
    /// Byte order of the machine that it is made for.
    pub big_endian: bool,
    /// Block size in bytes: 4096 to 65536, a power of two.
    pub block_bytes: usize,
    /// Fragment size in bytes: a block, or its half, quarter or eighth.
    pub frag_bytes: usize,
}

impl Makefs {
    /// Returns all combinations for a block size.
    pub fn all(block_bytes: usize) -> impl Iterator<Item = Self> {
        [1, 2].into_iter().flat_map(move |version| {
            [false, true].into_iter().flat_map(move |big_endian| {
                [1, 2, 4, 8].map(move |frags| Self {
                    version,
                    big_endian,
                    block_bytes,
                    frag_bytes: block_bytes / frags,
                })
            })
        })
    }

    /// Makes a volume of the tree at `source` in the file `image`, and returns its bytes.
    ///
    /// # Panics
    /// When makefs is missing or fails, or the file can't be read.
    pub fn make(&self, source: &Path, image: &Path) -> Vec<u8> {
        let order = if self.big_endian { "be" } else { "le" };
        let options = format!(
            "version={},bsize={},fsize={}",
            self.version, self.block_bytes, self.frag_bytes
        );
        // makefs takes fewer blocks into account than tails of fragments need in the end.
        let arguments = ["-t", "ffs", "-B", order, "-b", "20%", "-M", "1m", "-o", &options];
        let arguments = arguments.map(OsStr::new);
        let paths = [image.as_os_str(), source.as_os_str()];
        run("makefs", "makefs", &[&arguments[..], &paths].concat());
        fs::read(image).unwrap()
    }
}
