//! Names of a directory, in an amount of memory that the caller of a command sets.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Cell;

use fs::Kind;

use crate::report::{Result, at};

/// Memory of a name besides its bytes, generously estimated.
const OVERHEAD_BYTES: usize = 64;

/// Name, with its inode.
pub(crate) struct Name {
    pub(crate) bytes: Box<[u8]>,
    pub(crate) inode: u32,
    pub(crate) kind: Kind,
}

impl Name {
    fn cost_bytes(&self) -> usize {
        self.bytes.len() + OVERHEAD_BYTES
    }

    /// Returns its bytes as a part of the paths of what it holds.
    fn in_paths(&self) -> impl Iterator<Item = u8> + '_ {
        let slash = (self.kind == Kind::Directory).then_some(b'/');
        self.bytes.iter().copied().chain(slash)
    }
}

/// Order of the names of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Bytewise.
    Names,
    /// Bytewise by the paths of all files below it, so that a walk comes to these in order: `a-b`
    /// is before `a/b`, and that before `a0`.
    Paths,
}

/// Memory that is left, in bytes.
#[derive(Clone)]
pub(crate) struct Budget(Rc<Cell<usize>>);

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        Budget(Rc::new(Cell::new(bytes)))
    }

    /// Takes memory for something at `path`.
    pub(crate) fn take(&self, bytes: usize, path: &[u8]) -> Result<()> {
        let left = self.0.get().checked_sub(bytes).ok_or_else(|| {
            at(path, "too many names for the memory; name a directory further down")
        })?;
        self.0.set(left);
        Ok(())
    }

    pub(crate) fn give_back(&self, bytes: usize) {
        self.0.update(|left| left + bytes);
    }
}

/// Names, in memory taken from a common budget. The last is the first in order.
pub(crate) struct Names {
    names: Vec<Name>,
    budget: Budget,
}

impl Names {
    pub(crate) fn new(budget: &Budget) -> Self {
        Self { names: Vec::new(), budget: budget.clone() }
    }

    pub(crate) fn push(&mut self, name: Name) -> Result<()> {
        self.budget.take(name.cost_bytes(), &name.bytes)?;
        self.names.push(name);
        Ok(())
    }

    /// Removes the first name.
    pub(crate) fn pop(&mut self) -> Option<Name> {
        let name = self.names.pop()?;
        self.budget.give_back(name.cost_bytes());
        Some(name)
    }

    pub(crate) fn sort(&mut self, order: Order) {
        match order {
            Order::Names => self.names.sort_unstable_by(|a, b| b.bytes.cmp(&a.bytes)),
            Order::Paths => self.names.sort_unstable_by(|a, b| b.in_paths().cmp(a.in_paths())),
        }
    }

    /// Removes all names but those of directories.
    pub(crate) fn keep_directories(&mut self) {
        self.names.retain(|name| {
            let keep = name.kind == Kind::Directory;
            if !keep {
                self.budget.give_back(name.cost_bytes());
            }
            keep
        });
        self.names.shrink_to_fit();
    }

    /// Returns the names in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Name> {
        self.names.iter().rev()
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        while self.pop().is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(order: Order, names: &[(&str, Kind)]) -> Vec<Box<[u8]>> {
        let mut list = Names::new(&Budget::new(1 << 20));
        for (name, kind) in names {
            list.push(Name { bytes: name.as_bytes().into(), inode: 3, kind: *kind }).unwrap();
        }
        list.sort(order);
        core::iter::from_fn(|| list.pop()).map(|name| name.bytes).collect()
    }

    #[test]
    fn directories_are_where_their_files_belong() {
        let (dir, file) = (Kind::Directory, Kind::File);
        let names = [("a0", file), ("a", dir), ("a-b", file), ("a.", dir), ("Z", dir)];
        let list = |names: [&str; 5]| names.map(|name| Box::from(name.as_bytes())).to_vec();
        assert_eq!(sorted(Order::Names, &names), list(["Z", "a", "a-b", "a.", "a0"]));
        assert_eq!(sorted(Order::Paths, &names), list(["Z", "a-b", "a.", "a", "a0"]));
    }

    #[test]
    fn memory_comes_back() {
        let budget = Budget::new(200);
        let mut names = Names::new(&budget);
        let name = |kind| Name { bytes: Box::from(&b"abcd"[..]), inode: 3, kind };
        names.push(name(Kind::File)).unwrap();
        names.push(name(Kind::Directory)).unwrap();
        assert_eq!(budget.0.get(), 200 - 2 * 68);
        assert!(names.push(name(Kind::File)).is_err());
        names.keep_directories();
        assert_eq!((budget.0.get(), names.iter().count()), (200 - 68, 1));
        drop(names);
        assert_eq!(budget.0.get(), 200);
    }
}
