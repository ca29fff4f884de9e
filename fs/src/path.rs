//! Path lookup, with symlinks followed, in a bounded number of steps.

use crate::error::Error;
use crate::limits::{LINKS_MAX, PATH_BYTES_MAX, SEARCHED_VOLUMES_MAX};
use crate::{Inode, Kind, ReadBlocks, Volume};

impl<D: ReadBlocks, B: AsMut<[u8]>> Volume<D, B> {
    /// Returns the inode that an absolute path names, all symlinks followed.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NotADirectory`], [`Error::NotAbsolute`],
    /// [`Error::PathTooLong`], [`Error::TooManyLinks`], [`Error::SearchTooLong`];
    /// [`Error::Corrupt`] for what is wrong on the way; errors of the disk.
    pub fn lookup(&mut self, path: &[u8]) -> Result<Inode, Error<D::Error>> {
        self.resolve(path, true)
    }

    /// Returns the inode of a path as [`lookup`](Self::lookup) does, but does not follow a symlink
    /// at its end.
    ///
    /// # Errors
    /// As [`lookup`](Self::lookup).
    pub fn lookup_nofollow(&mut self, path: &[u8]) -> Result<Inode, Error<D::Error>> {
        self.resolve(path, false)
    }

    fn resolve(&mut self, path: &[u8], follow: bool) -> Result<Inode, Error<D::Error>> {
        if !path.starts_with(b"/") {
            return Err(Error::NotAbsolute);
        }
        let mut pending = Pending::new();
        pending.prepend(path).ok_or(Error::PathTooLong)?;
        let mut links = 0;
        let volume_bytes = self.superblock.bytes_at(self.superblock.end);
        let mut left_bytes = volume_bytes.saturating_mul(SEARCHED_VOLUMES_MAX);
        let mut at = self.root()?;
        while let Some(name) = pending.name() {
            if at.kind != Kind::Directory {
                return Err(Error::NotADirectory);
            }
            let searched = left_bytes.checked_sub(at.size_bytes);
            left_bytes = searched.ok_or(Error::SearchTooLong)?;
            let entry = if name == b"." { None } else { Some(self.find(&at, name)?) };
            let last = pending.skip_name();
            let Some(entry) = entry else { continue };
            let inode = self.inode_of(&entry)?;
            if inode.kind != Kind::Symlink || (last && !follow) {
                at = inode;
                continue;
            }
            links += 1;
            if links > LINKS_MAX {
                return Err(Error::TooManyLinks);
            }
            let mut target = [0; PATH_BYTES_MAX];
            let len = self.readlink(&inode, &mut target)?;
            let whole = inode.size_bytes == len as u64;
            let target = target.get(..len).filter(|_| whole).ok_or(Error::PathTooLong)?;
            pending.prepend(target).ok_or(Error::PathTooLong)?;
            if target.starts_with(b"/") {
                at = self.root()?;
            }
        }
        // `/name/` asks for a directory.
        if pending.slashed && at.kind != Kind::Directory {
            return Err(Error::NotADirectory);
        }
        Ok(at)
    }
}

/// Rest of a path, at the end of its memory, so that a symlink's target fits before it.
struct Pending {
    bytes: [u8; PATH_BYTES_MAX],
    start: usize,
    /// Flag: the path ended with a slash when its last name was taken.
    slashed: bool,
}

impl Pending {
    fn new() -> Self {
        Pending { bytes: [0; PATH_BYTES_MAX], start: PATH_BYTES_MAX, slashed: false }
    }

    /// Puts `path` before what is left; `None` when it does not fit.
    fn prepend(&mut self, path: &[u8]) -> Option<()> {
        let start = self.start.checked_sub(path.len())?;
        self.bytes.get_mut(start..self.start)?.copy_from_slice(path);
        self.start = start;
        Some(())
    }

    fn left(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    fn skip_slashes(&mut self) {
        self.start += self.left().iter().take_while(|byte| **byte == b'/').count();
    }

    /// Returns the first name that is left.
    fn name(&mut self) -> Option<&[u8]> {
        self.skip_slashes();
        self.left().split(|byte| *byte == b'/').next().filter(|name| !name.is_empty())
    }

    /// Removes the first name; returns whether nothing at all is left behind it.
    fn skip_name(&mut self) -> bool {
        self.start += self.left().iter().take_while(|byte| **byte != b'/').count();
        self.slashed = !self.left().is_empty();
        !self.slashed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_goes_before_what_is_left() {
        let mut pending = Pending::new();
        pending.prepend(b"/a//link/c/").unwrap();
        assert_eq!(pending.name(), Some(&b"a"[..]));
        assert!(!pending.skip_name());
        assert_eq!(pending.name(), Some(&b"link"[..]));
        assert!(!pending.skip_name());
        pending.prepend(b"../x").unwrap();
        assert_eq!(pending.left(), b"../x/c/");
        for name in [&b".."[..], b"x", b"c"] {
            assert_eq!(pending.name(), Some(name));
            pending.skip_name();
        }
        assert!(pending.slashed);
        assert_eq!(pending.name(), None);
        assert_eq!(pending.prepend(&[b'x'; PATH_BYTES_MAX + 1]), None);
    }
}
