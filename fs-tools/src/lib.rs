//! `ls`, `cat` and `sum` for an FFS volume, and a list of a disk's partitions: the same in the
//! guest and on a host.
//!
//! Output is that of `ls -lb`, `cat` and `sha256sum`, piece by piece to the caller's [`Report`]. An
//! error is one line that begins with the path that it is about; `ls` and `sum` go on with the next
//! name, and fail at the end. Names are kept while a directory is listed or a tree is walked, in an
//! amount of memory that the caller sets, because the volume may be hostile and a guest's heap is
//! small.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod line;
mod mount;
mod names;
mod partitions;
mod printable;
mod report;
mod walk;

use alloc::borrow::ToOwned;
use alloc::vec::Vec;

use fs::{Inode, Kind, ReadBlocks, Volume};
pub use mount::{AnyDisk, AnyVolume, mount};
use names::Order;
pub use partitions::partitions;
pub use printable::Printable;
use report::{Failure, Remarks, Step, at, skip};
pub use report::{Report, Result};
use sha2::{Digest, Sha256};
use walk::{Walk, join};

/// Memory for names on a host, in bytes: 64 MiB, of some 800,000 names of ten bytes.
pub const NAMES_BYTES_MAX: usize = 64 << 20;
/// Most bytes of holes in a file that is summed, unless the caller says otherwise: 16 GiB.
pub const HOLE_BYTES_MAX: u64 = 16 << 30;

/// Commands on a volume, with the memory that they need.
pub struct Tools<D, B> {
    /// Volume to read. The caller takes the warnings of the mount.
    pub volume: Volume<D, B>,
    /// Buffer for the pieces in which files are read.
    pub buffer: Vec<u8>,
    /// Most memory for names, in bytes.
    pub names_bytes_max: usize,
    /// Most bytes of holes in a file that [`sum`](Self::sum) reads: a hole takes no space on the
    /// disk, but as long as data to sum.
    pub hole_bytes_max: u64,
}

impl<D: ReadBlocks, B: AsMut<[u8]>> Tools<D, B> {
    /// Lists a directory, or the one file that `path` names; with `recursive` all directories below
    /// it, too.
    ///
    /// # Errors
    /// Errors of the path; too many names; names that could not be read, after all others.
    pub fn ls(&mut self, path: &[u8], recursive: bool, report: &mut dyn Report) -> Result<()> {
        let mut remarks = Remarks::new(report);
        let done = self.list(path, recursive, &mut remarks);
        remarks.end(done, &mut self.volume, path)
    }

    /// Outputs a file's bytes.
    ///
    /// # Errors
    /// Errors of the path or the volume; `path` is not a regular file.
    pub fn cat(&mut self, path: &[u8], report: &mut dyn Report) -> Result<()> {
        let mut remarks = Remarks::new(report);
        let done = self.lookup(path).and_then(|inode| {
            // Before the first byte, not among them.
            remarks.warn(&mut self.volume, || path);
            self.read_all(path, &inode, &mut |bytes| Ok(remarks.output(bytes)?))
        });
        remarks.end(done, &mut self.volume, path)
    }

    /// Outputs the SHA-256 of a file, or of all regular files below a directory, with their paths
    /// from there on, sorted bytewise. Each line is output when it is known.
    ///
    /// # Errors
    /// Errors of the path; too many names; names that could not be read, after all others.
    pub fn sum(&mut self, path: &[u8], report: &mut dyn Report) -> Result<()> {
        let mut remarks = Remarks::new(report);
        let done = self.sum_below(path, &mut remarks);
        remarks.end(done, &mut self.volume, path)
    }

    fn list(&mut self, path: &[u8], recursive: bool, remarks: &mut Remarks<'_>) -> Step<()> {
        let inode = self.lookup(path)?;
        if inode.kind != Kind::Directory {
            let inode = self.volume.lookup_nofollow(path).map_err(skip(path))?;
            return self.list_one(path, path, &inode, remarks);
        }
        let mut walk = self.walk(path, Order::Names);
        remarks.count_name();
        walk.enter(inode.number, &mut self.volume, remarks)?;
        self.list_names(&walk, recursive, remarks)?;
        if !recursive {
            return Ok(());
        }
        walk.keep_directories();
        while let Some(name) = walk.next() {
            let entered = walk.enter(name.inode, &mut self.volume, remarks);
            if remarks.go_on(entered)?.is_some() {
                self.list_names(&walk, recursive, remarks)?;
                walk.keep_directories();
            }
        }
        Ok(())
    }

    /// Lists the directory that was entered last.
    fn list_names(&mut self, walk: &Walk, recursive: bool, remarks: &mut Remarks<'_>) -> Step<()> {
        if recursive {
            remarks.output(&line::escaped(walk.path()))?;
            remarks.output(b":\n")?;
        }
        for name in walk.names() {
            let path = join(walk.path(), &name.bytes);
            let inode = self.volume.inode(name.inode).map_err(skip(&path));
            if let Some(inode) = remarks.go_on(inode)? {
                self.list_one(&path, &name.bytes, &inode, remarks)?;
            }
        }
        if recursive {
            remarks.output(b"\n")?;
        }
        Ok(())
    }

    fn list_one(
        &mut self,
        path: &[u8],
        name: &[u8],
        inode: &Inode,
        remarks: &mut Remarks<'_>,
    ) -> Step<()> {
        let mut target = None;
        if inode.kind == Kind::Symlink {
            target = remarks.go_on(self.target(path, inode))?;
        }
        Ok(remarks.output(&line::list(inode, name, target.as_deref()))?)
    }

    /// Returns the target of a symlink.
    fn target(&mut self, path: &[u8], inode: &Inode) -> Step<Vec<u8>> {
        let mut buffer = [0; fs::PATH_BYTES_MAX];
        let len = self.volume.readlink(inode, &mut buffer).map_err(skip(path))?;
        Ok(buffer.get(..len).unwrap_or_default().to_owned())
    }

    fn sum_below(&mut self, path: &[u8], remarks: &mut Remarks<'_>) -> Step<()> {
        let inode = self.lookup(path)?;
        if inode.kind != Kind::Directory {
            return self.sum_one(path, &inode, remarks);
        }
        let mut walk = self.walk(b".", Order::Paths);
        remarks.count_name();
        walk.enter(inode.number, &mut self.volume, remarks)?;
        while let Some(name) = walk.next() {
            let done = match name.kind {
                Kind::Directory => walk.enter(name.inode, &mut self.volume, remarks),
                Kind::File => {
                    let path = walk.path();
                    let inode = self.volume.inode(name.inode).map_err(skip(path));
                    inode.and_then(|inode| self.sum_one(path, &inode, remarks))
                }
                _ => Ok(()),
            };
            remarks.go_on(done)?;
        }
        Ok(())
    }

    fn sum_one(&mut self, path: &[u8], inode: &Inode, remarks: &mut Remarks<'_>) -> Step<()> {
        self.check_work(path, inode)?;
        let mut hash = Sha256::new();
        self.read_all(path, inode, &mut |bytes| {
            hash.update(bytes);
            Ok(())
        })?;
        Ok(remarks.output(&line::sum(&hash.finalize(), path))?)
    }

    /// Checks that a file's bytes are worth reading: that it has no more holes than the caller
    /// wants, and no more data than the volume, as when its pointers lead to one block many times.
    /// A snapshot has a little more than the volume.
    fn check_work(&mut self, path: &[u8], inode: &Inode) -> Step<()> {
        let data_bytes_max = self.volume_bytes().saturating_mul(2);
        let (mut data, mut holes) = (0_u64, 0_u64);
        let mut offset = 0;
        while let Some(extent) = self.volume.next_extent(inode, offset).map_err(skip(path))? {
            let sum = if extent.disk_offset.is_some() { &mut data } else { &mut holes };
            *sum = sum.saturating_add(extent.len);
            if data > data_bytes_max {
                return Err(Failure::Skip(at(path, "the file has more data than the volume")));
            }
            if holes > self.hole_bytes_max {
                let max = self.hole_bytes_max;
                let error = format_args!("the file has more than {max} bytes of holes");
                return Err(Failure::Skip(at(path, format_args!("{error} (hole-bytes-max)"))));
            }
            offset = offset.saturating_add(extent.len);
        }
        Ok(())
    }

    fn read_all(
        &mut self,
        path: &[u8],
        inode: &Inode,
        take: &mut dyn FnMut(&[u8]) -> Step<()>,
    ) -> Step<()> {
        let mut offset = 0;
        loop {
            let len = self.volume.read_at(inode, offset, &mut self.buffer).map_err(skip(path))?;
            match self.buffer.get(..len) {
                None | Some([]) => return Ok(()),
                Some(bytes) => take(bytes)?,
            }
            offset += len as u64;
        }
    }

    fn lookup(&mut self, path: &[u8]) -> Step<Inode> {
        self.volume.lookup(path).map_err(skip(path))
    }

    fn walk(&self, path: &[u8], order: Order) -> Walk {
        Walk::new(path, order, self.names_bytes_max, self.volume_bytes())
    }

    /// Returns the size of what can be read of the volume.
    fn volume_bytes(&self) -> u64 {
        let info = self.volume.info();
        info.size_bytes.min(info.partition_size_bytes)
    }
}
