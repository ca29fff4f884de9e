//! Which cache line a word is on.

use super::designs::{Design, Side, Word};

/// Entries, and records of handles, that a cache line of 64 bytes has room for.
const ENTRIES: usize = 64 / 8;
const RECORDS: usize = 64 / 16;

/// Lines of a host.
///
/// Words of a table that are neither its entries nor its handles share one, as do a list's lock and
/// its first handle. A version 1 entry has 8 bytes, a handle's record 16, an entry in use 32 as
/// Xen's, or 16 in a design without its lock.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Design of grant tables.
    pub design: Design,
    /// Processors.
    pub cpus: usize,
    /// Domains that grant.
    pub grantors: usize,
    /// Pages that may be mapped at a time.
    pub pages: usize,
}

/// Place of an access.
#[derive(Clone, Copy, Debug)]
pub struct At {
    /// Processor, whose own word it may be.
    pub cpu: usize,
    /// Page.
    pub page: usize,
    /// Domain that grants it.
    pub grantor: usize,
    /// Its handle.
    pub handle: usize,
    /// List of that.
    pub list: usize,
}

impl Layout {
    /// Returns the number of lines.
    pub const fn count(&self) -> usize {
        self.records() + self.pages / RECORDS + 1
    }

    const fn table(&self, side: Side, grantor: usize) -> usize {
        match side {
            Side::Local => 1,
            Side::Remote => 2 + grantor,
        }
    }

    const fn p2m(&self) -> usize {
        2 + self.grantors
    }

    const fn own(&self) -> usize {
        self.p2m() + self.grantors
    }

    const fn lists(&self) -> usize {
        self.own() + self.cpus
    }

    const fn entries(&self) -> usize {
        self.lists() + self.cpus
    }

    const fn uses(&self) -> usize {
        self.entries() + self.pages / ENTRIES + 1
    }

    const fn uses_on_a_line(&self) -> usize {
        match self.design {
            Design::PackedWords => 64 / 16,
            _ => 64 / 32,
        }
    }

    const fn records(&self) -> usize {
        self.uses() + self.pages / self.uses_on_a_line() + 1
    }

    /// Returns the number of words that are locks.
    pub const fn locks(&self) -> usize {
        self.entry_locks() + self.pages
    }

    const fn list_locks(&self) -> usize {
        2 + 2 * self.grantors
    }

    const fn entry_locks(&self) -> usize {
        self.list_locks() + self.cpus
    }

    const fn list(&self, at: At) -> usize {
        if self.design.has_lists() { at.list } else { 0 }
    }

    /// Returns the number of a word that is a lock, or changed by swaps; nothing for other words.
    ///
    /// Several may share a line, which makes them wait for that, but not for each other.
    pub const fn lock(&self, word: Word, at: At) -> Option<usize> {
        match word {
            Word::FlushLock => Some(0),
            Word::Table(side) => Some(self.table(side, at.grantor)),
            Word::P2m => Some(self.p2m() + at.grantor),
            Word::ListLock => Some(self.list_locks() + self.list(at)),
            Word::EntryLock | Word::Pins => Some(self.entry_locks() + at.page),
            _ => None,
        }
    }

    /// Returns the line that a word is on.
    pub const fn line(&self, word: Word, at: At) -> usize {
        match word {
            Word::FlushLock => 0,
            Word::Table(side) | Word::Version(side) => self.table(side, at.grantor),
            Word::Frames(side) | Word::HasWriter(side) => self.table(side, at.grantor),
            Word::P2m => self.p2m() + at.grantor,
            Word::Own => self.own() + at.cpu,
            Word::ListLock | Word::Head => self.lists() + self.list(at),
            Word::Header | Word::Frame => self.entries() + at.page / ENTRIES,
            Word::EntryLock | Word::Pins | Word::Grantee | Word::ActiveFrame => {
                self.uses() + at.page / self.uses_on_a_line()
            }
            Word::Record | Word::Next | Word::List => self.records() + at.handle / RECORDS,
        }
    }
}
