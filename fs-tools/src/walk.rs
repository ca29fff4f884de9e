//! Way through a directory and all below it, in order, with bounded memory and work.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use fs::{Corrupt, DirCursor, Error, Place, ReadBlocks, Volume};

use crate::names::{Budget, Name, Names, Order};
use crate::report::{Failure, Remarks, Step, at, skip};

/// Memory of the number of a directory that was met, in a tree whose nodes are half full.
const MET_BYTES: usize = 16;
/// Memory of a directory that the way leads through, besides its name.
const LEVEL_BYTES: usize = 64;
/// Most bytes of a path below which the way goes on: far more than a kernel takes.
const PATH_BYTES_MAX: usize = 16 << 10;
/// Offset of the last of the entries `.` and `..`. What has none is no directory.
const DOT_DOT: u64 = 12;

pub(crate) fn join(path: &[u8], name: &[u8]) -> Vec<u8> {
    let separator: &[u8] = if path.ends_with(b"/") { b"" } else { b"/" };
    [path, separator, name].concat()
}

/// Directory that the way leads through, with the names that are ahead.
struct Level {
    names: Names,
    path_len: usize,
}

/// Place in a tree. A directory that is met twice is not entered, so a loop can't hang; and all
/// directories together are no larger than the volume, so blocks that several share can't either.
pub(crate) struct Walk {
    levels: Vec<Level>,
    /// Path of the name that was returned last.
    path: Vec<u8>,
    met: BTreeSet<u32>,
    order: Order,
    budget: Budget,
    /// Bytes of directories that the volume can still have.
    left_bytes: u64,
}

impl Walk {
    /// Begins above a directory whose path is `path`.
    pub(crate) fn new(
        path: &[u8],
        order: Order,
        names_bytes_max: usize,
        volume_bytes: u64,
    ) -> Self {
        Self {
            levels: Vec::new(),
            path: path.into(),
            met: BTreeSet::new(),
            order,
            budget: Budget::new(names_bytes_max),
            left_bytes: volume_bytes,
        }
    }

    /// Returns the path of the name that was returned last, or of the beginning.
    pub(crate) fn path(&self) -> &[u8] {
        &self.path
    }

    /// Returns the names of the directory that was entered last, in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &Name> {
        self.levels.last().into_iter().flat_map(|level| level.names.iter())
    }

    /// Forgets the names of the directory that was entered last, except for directories.
    pub(crate) fn keep_directories(&mut self) {
        if let Some(level) = self.levels.last_mut() {
            level.names.keep_directories();
        }
    }

    /// Returns the next name.
    pub(crate) fn next(&mut self) -> Option<Name> {
        loop {
            let level = self.levels.last_mut()?;
            self.path.truncate(level.path_len);
            let Some(name) = level.names.pop() else {
                self.levels.pop();
                self.budget.give_back(LEVEL_BYTES);
                continue;
            };
            self.path = join(&self.path, &name.bytes);
            return Some(name);
        }
    }

    /// Enters the directory of this number, which was returned last. What is wrong with its entries
    /// is reported.
    pub(crate) fn enter<D: ReadBlocks, B: AsMut<[u8]>>(
        &mut self,
        number: u32,
        volume: &mut Volume<D, B>,
        remarks: &mut Remarks<'_>,
    ) -> Step<()> {
        let path: Box<[u8]> = self.path.as_slice().into();
        if path.len() > PATH_BYTES_MAX {
            let long = "the path is too long to go on below";
            return Err(Failure::Skip(at(&path, long)));
        }
        if self.met.contains(&number) {
            let again = format_args!("directory inode {number} is reached a second time");
            return Err(Failure::Skip(at(&path, again)));
        }
        self.budget.take(MET_BYTES + LEVEL_BYTES, &path)?;
        self.met.insert(number);
        let directory = volume.inode(number).map_err(skip(&path))?;
        let cursor = DirCursor::new(&directory).map_err(skip::<D::Error>(&path))?;
        self.left_bytes = self.left_bytes.checked_sub(directory.size_bytes).ok_or_else(|| {
            at(&path, "the directories so far are larger than the volume; check it with fsck")
        })?;
        let mut names = Names::new(&self.budget);
        read_names(&path, cursor, &mut names, volume, remarks)?;
        names.sort(self.order);
        self.levels.push(Level { names, path_len: path.len() });
        Ok(())
    }
}

/// Collects the names of a directory, without `.` and `..`.
fn read_names<D: ReadBlocks, B: AsMut<[u8]>>(
    path: &[u8],
    mut cursor: DirCursor,
    names: &mut Names,
    volume: &mut Volume<D, B>,
    remarks: &mut Remarks<'_>,
) -> Step<()> {
    let mut bad = false;
    loop {
        let entry = match volume.next_entry(&mut cursor) {
            Ok(None) => return Ok(()),
            Ok(Some(entry)) => entry,
            Err(error) => {
                // Of one directory's bad entries, the first has a line.
                remarks.count_name();
                let goes_on = is_of_an_entry(&error);
                match bad && goes_on {
                    true => remarks.count_failed(),
                    false => drop(remarks.go_on::<()>(Err(skip(path)(error)))?),
                }
                if !goes_on {
                    return Ok(());
                }
                bad = true;
                continue;
            }
        };
        if matches!(entry.name(), b"." | b"..") {
            continue;
        }
        remarks.count_name();
        match volume.inode_of(&entry) {
            Ok(inode) => {
                let bytes = entry.name().into();
                names.push(Name { bytes, inode: inode.number, kind: inode.kind })?;
            }
            Err(error) => {
                let failed = skip(&join(path, entry.name()))(error);
                remarks.go_on::<()>(Err(failed))?;
            }
        }
        remarks.warn(volume, || join(path, entry.name()));
    }
}

/// Returns whether an error is about one entry, so that there may be others behind it.
fn is_of_an_entry<E>(error: &Error<E>) -> bool {
    let Error::Corrupt(Corrupt { place: Place::Directory { offset, .. }, .. }) = error else {
        return false;
    };
    *offset > DOT_DOT
}
