//! Names of a directory, and the way through all directories below one.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Cell;

use fs::{DirCursor, Error, Inode, Kind, ReadBlocks, Volume};

use crate::error::{Result, at};

/// Memory of a name besides its bytes, generously estimated.
const OVERHEAD_BYTES: usize = 64;
/// Memory of the number of a directory that was met, in a tree whose nodes are half full.
const MET_BYTES: usize = 16;

/// Name or path, with its inode.
pub(crate) struct Name {
    pub(crate) bytes: Box<[u8]>,
    pub(crate) inode: u32,
    pub(crate) kind: Kind,
}

impl Name {
    fn cost_bytes(&self) -> usize {
        self.bytes.len() + OVERHEAD_BYTES
    }
}

/// Names, in memory taken from a common budget.
pub(crate) struct Names {
    names: Vec<Name>,
    budget_bytes: Rc<Cell<usize>>,
}

impl Names {
    fn new(budget_bytes: &Rc<Cell<usize>>) -> Self {
        Self { names: Vec::new(), budget_bytes: Rc::clone(budget_bytes) }
    }

    pub(crate) fn push(&mut self, name: Name) -> Result<()> {
        self.take(name.cost_bytes(), &name.bytes)?;
        self.names.push(name);
        Ok(())
    }

    /// Takes memory for `name` from the budget.
    fn take(&self, bytes: usize, name: &[u8]) -> Result<()> {
        let left = self.budget_bytes.get().checked_sub(bytes).ok_or_else(|| {
            at(name)("too many names for the memory; name a directory further down")
        })?;
        self.budget_bytes.set(left);
        Ok(())
    }

    fn pop(&mut self) -> Option<Name> {
        let name = self.names.pop()?;
        self.budget_bytes.update(|bytes| bytes + name.cost_bytes());
        Some(name)
    }

    /// Sorts them bytewise.
    pub(crate) fn sort(&mut self) {
        self.names.sort_unstable_by(|left, right| left.bytes.cmp(&right.bytes));
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Name> {
        self.names.iter()
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        while self.pop().is_some() {}
    }
}

pub(crate) fn join(path: &[u8], name: &[u8]) -> Vec<u8> {
    let separator: &[u8] = if path.ends_with(b"/") { b"" } else { b"/" };
    [path, separator, name].concat()
}

/// Walk through a directory and all below it. A directory that is met twice ends it, so a loop
/// can't hang.
pub(crate) struct Walk {
    pending: Names,
    met: BTreeSet<u32>,
}

impl Walk {
    /// Begins with `directory`, whose path is `path`.
    pub(crate) fn new(path: &[u8], directory: &Inode, names_bytes_max: usize) -> Result<Self> {
        let mut pending = Names::new(&Rc::new(Cell::new(names_bytes_max)));
        pending.push(Name { bytes: path.into(), inode: directory.number, kind: directory.kind })?;
        Ok(Self { pending, met: BTreeSet::new() })
    }

    /// Returns an empty list in the walk's memory.
    pub(crate) fn names(&self) -> Names {
        Names::new(&self.pending.budget_bytes)
    }

    /// Returns the next directory's path and its names, without `.` and `..`, sorted bytewise.
    pub(crate) fn next<D: ReadBlocks, B: AsMut<[u8]>>(
        &mut self,
        volume: &mut Volume<D, B>,
    ) -> Result<Option<(Box<[u8]>, Names)>> {
        let Some(Name { bytes: path, inode: number, .. }) = self.pending.pop() else {
            return Ok(None);
        };
        self.pending.take(MET_BYTES, &path)?;
        if !self.met.insert(number) {
            let again = alloc::format!("directory inode {number} is reached a second time");
            return Err(at(&path)(again));
        }
        let directory = volume.inode(number).map_err(at(&path))?;
        let mut cursor = DirCursor::new(&directory).map_err(at::<Error<D::Error>>(&path))?;
        let mut names = self.names();
        while let Some(entry) = volume.next_entry(&mut cursor).map_err(at(&path))? {
            if !matches!(entry.name(), b"." | b"..") {
                let whole = join(&path, entry.name());
                let kind = volume.inode_of(&entry).map_err(at(&whole))?.kind;
                names.push(Name { bytes: entry.name().into(), inode: entry.inode, kind })?;
            }
        }
        names.sort();
        // In reverse, so that the first is the next.
        for name in names.iter().rev().filter(|name| name.kind == Kind::Directory) {
            let bytes = join(&path, &name.bytes).into();
            self.pending.push(Name { bytes, ..*name })?;
        }
        Ok(Some((path, names)))
    }
}
