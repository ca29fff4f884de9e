//! `ls`, `cat` and `sum` for an FFS volume: the same in the guest and on a host.
//!
//! Output is that of `ls -lb`, `cat` and `sha256sum`, piece by piece to a function of the caller's.
//! An error is one line that begins with the path that it is about. Names are kept while a
//! directory is listed or a tree is walked, in an amount of memory that the caller sets, because
//! the volume may be hostile and a guest's heap is small.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod error;
mod line;
mod printable;
mod walk;

use alloc::borrow::ToOwned;
use alloc::vec::Vec;

pub use error::Result;
use error::at;
use fs::{Inode, Kind, ReadBlocks, Volume};
pub use printable::Printable;
use sha2::{Digest, Sha256};
use walk::{Name, Walk, join};

/// Takes output; a failure ends the command.
pub type Output<'o> = &'o mut dyn FnMut(&[u8]) -> Result<()>;

/// Commands on a volume, with the memory that they need.
pub struct Tools<D, B> {
    /// Volume to read.
    pub volume: Volume<D, B>,
    /// Buffer for the pieces in which files are read.
    pub buffer: Vec<u8>,
    /// Most memory for names, in bytes.
    pub names_bytes_max: usize,
}

impl<D: ReadBlocks, B: AsMut<[u8]>> Tools<D, B> {
    /// Lists a directory, or the one file that `path` names; with `recursive` all directories below
    /// it, too.
    ///
    /// # Errors
    /// Errors of the path or the volume, or too many names.
    pub fn ls(&mut self, path: &[u8], recursive: bool, output: Output<'_>) -> Result<()> {
        let inode = self.lookup(path)?;
        if inode.kind != Kind::Directory {
            let inode = self.volume.lookup_nofollow(path).map_err(at(path))?;
            return self.list_one(path, path, &inode, output);
        }
        let mut walk = Walk::new(path, &inode, self.names_bytes_max)?;
        while let Some((path, names)) = walk.next(&mut self.volume)? {
            if recursive {
                output(&line::escaped(&path))?;
                output(b":\n")?;
            }
            for name in names.iter() {
                let path = join(&path, &name.bytes);
                let inode = self.volume.inode(name.inode).map_err(at(&path))?;
                self.list_one(&path, &name.bytes, &inode, output)?;
            }
            if !recursive {
                break;
            }
            output(b"\n")?;
        }
        Ok(())
    }

    /// Outputs a file's bytes.
    ///
    /// # Errors
    /// Errors of the path or the volume; `path` is not a regular file.
    pub fn cat(&mut self, path: &[u8], output: Output<'_>) -> Result<()> {
        let inode = self.lookup(path)?;
        self.read_all(path, &inode, output)
    }

    /// Outputs the SHA-256 of a file, or of all regular files below a directory, with their paths
    /// from there on, sorted bytewise.
    ///
    /// # Errors
    /// Errors of the path or the volume, or too many names.
    pub fn sum(&mut self, path: &[u8], output: Output<'_>) -> Result<()> {
        let inode = self.lookup(path)?;
        if inode.kind != Kind::Directory {
            return self.sum_one(path, &inode, output);
        }
        let mut walk = Walk::new(b".", &inode, self.names_bytes_max)?;
        let mut files = walk.names();
        while let Some((path, names)) = walk.next(&mut self.volume)? {
            for name in names.iter().filter(|name| name.kind == Kind::File) {
                files.push(Name { bytes: join(&path, &name.bytes).into(), ..*name })?;
            }
        }
        files.sort();
        for file in files.iter() {
            let inode = self.volume.inode(file.inode).map_err(at(&file.bytes))?;
            self.sum_one(&file.bytes, &inode, output)?;
        }
        Ok(())
    }

    fn lookup(&mut self, path: &[u8]) -> Result<Inode> {
        self.volume.lookup(path).map_err(at(path))
    }

    fn sum_one(&mut self, path: &[u8], inode: &Inode, output: Output<'_>) -> Result<()> {
        let mut hash = Sha256::new();
        self.read_all(path, inode, &mut |bytes| {
            hash.update(bytes);
            Ok(())
        })?;
        output(&line::sum(&hash.finalize(), path))
    }

    fn read_all(&mut self, path: &[u8], inode: &Inode, take: Output<'_>) -> Result<()> {
        let mut offset = 0;
        loop {
            let len = self.volume.read_at(inode, offset, &mut self.buffer).map_err(at(path))?;
            match self.buffer.get(..len) {
                None | Some([]) => return Ok(()),
                Some(bytes) => take(bytes)?,
            }
            offset += len as u64;
        }
    }

    fn list_one(
        &mut self,
        path: &[u8],
        name: &[u8],
        inode: &Inode,
        output: Output<'_>,
    ) -> Result<()> {
        let target = match inode.kind {
            Kind::Symlink => Some(self.target(path, inode)?),
            _ => None,
        };
        output(&line::list(inode, name, target.as_deref()))
    }

    /// Returns the target of a symlink.
    fn target(&mut self, path: &[u8], inode: &Inode) -> Result<Vec<u8>> {
        let mut buffer = [0; fs::PATH_BYTES_MAX];
        let len = self.volume.readlink(inode, &mut buffer).map_err(at(path))?;
        Ok(buffer.get(..len).unwrap_or_default().to_owned())
    }
}
