//! Directories: lists of names in blocks of 512 bytes, each independent of the others.

use crate::endian::Endian;
use crate::error::{Corrupt, Error, Place};
use crate::inode::DIRBLKSIZ;
use crate::store::Slot;
use crate::{Inode, Kind, ReadBlocks, Volume};

/// Size of what precedes the name: `d_ino`, `d_reclen`, `d_type`, `d_namlen`.
const HEADER_BYTES: usize = 8;
const NAME_BYTES_MAX: usize = 255;
/// Size of the entry `.`; `..` follows it, since both are made together.
const DOT_BYTES: u16 = 12;
/// `DT_WHT`: a name that hides one of a lower layer; such an entry has no inode.
const DT_WHT: u8 = 14;

/// Entry of a directory: a name for an inode.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Number of the inode, inside the volume.
    pub inode: u32,
    /// Kind of the inode, if the directory has it. [`Volume::inode_of`] compares it.
    pub kind: Option<Kind>,
    place: Place,
    /// `d_type`.
    code: u8,
    len: u8,
    name: [u8; NAME_BYTES_MAX],
}

impl Entry {
    /// Returns the name: 1 to 255 bytes, neither NUL nor `/` among them.
    pub fn name(&self) -> &[u8] {
        &self.name[..self.len.into()]
    }
}

/// Place in a directory to go on from.
#[derive(Clone, Copy, Debug)]
pub struct DirCursor {
    directory: Inode,
    offset: u64,
}

impl DirCursor {
    /// Returns the beginning of a directory.
    ///
    /// # Errors
    /// [`Error::NotADirectory`].
    pub fn new<E>(directory: &Inode) -> Result<Self, Error<E>> {
        match directory.kind {
            Kind::Directory => Ok(DirCursor { directory: *directory, offset: 0 }),
            _ => Err(Error::NotADirectory),
        }
    }
}

impl<D: ReadBlocks, B: AsMut<[u8]>> Volume<D, B> {
    /// Returns the next entry, `.` and `..` included, or `None` at the end. After an error, the
    /// cursor stands behind the 512 bytes that the entry is in, to go on from.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for an impossible entry, with its offset; errors of the disk.
    pub fn next_entry(&mut self, cursor: &mut DirCursor) -> Result<Option<Entry>, Error<D::Error>> {
        let found = self.entry_at(cursor);
        if found.is_err() {
            cursor.offset = (cursor.offset + 1).next_multiple_of(DIRBLKSIZ);
        }
        found
    }

    fn entry_at(&mut self, cursor: &mut DirCursor) -> Result<Option<Entry>, Error<D::Error>> {
        let directory = cursor.directory;
        while cursor.offset < directory.size_bytes {
            let offset = cursor.offset;
            let place = Place::Directory { inode: directory.number, offset };
            let (endian, old) = (self.superblock.info.endian, self.superblock.old_inodes);
            let inodes = self.superblock.info.inode_count;
            let chunk = self.directory_bytes(&directory, offset)?;
            let raw = RawEntry::decode(place, chunk, endian, old)?;
            check_dots(place, &raw, &directory, offset)?;
            if raw.inode != 0 && raw.code != DT_WHT {
                let known = (2..inodes).contains(&raw.inode);
                place.check(known, "d_ino", raw.inode, "an inode of this volume")?;
                let entry = raw.entry(place);
                cursor.offset += u64::from(raw.reclen);
                return Ok(Some(entry));
            }
            cursor.offset += u64::from(raw.reclen);
        }
        Ok(None)
    }

    /// Returns the inode of an entry. Its kind is what the inode says; an entry that says something
    /// else is worth a warning.
    ///
    /// # Errors
    /// As [`inode`](Self::inode).
    pub fn inode_of(&mut self, entry: &Entry) -> Result<Inode, Error<D::Error>> {
        let inode = self.inode(entry.inode)?;
        let right = [0, inode.kind as u8].contains(&entry.code);
        let must = "the kind of the inode";
        self.warnings.check(entry.place, right, "d_type", entry.code, must);
        Ok(inode)
    }

    /// Returns the entry of this name.
    pub(crate) fn find(
        &mut self,
        directory: &Inode,
        name: &[u8],
    ) -> Result<Entry, Error<D::Error>> {
        let mut cursor = DirCursor::new(directory)?;
        while let Some(entry) = self.next_entry(&mut cursor)? {
            if entry.name() == name {
                return Ok(entry);
            }
        }
        Err(Error::NotFound)
    }

    /// Returns the bytes from `offset` to the end of its 512 bytes.
    fn directory_bytes(
        &mut self,
        directory: &Inode,
        offset: u64,
    ) -> Result<&[u8], Error<D::Error>> {
        let block_bytes = u64::from(self.superblock.info.block_bytes);
        let (block, within) = (offset / block_bytes, (offset % block_bytes) as usize);
        let run = self.run(directory, block, 1)?;
        let place = Place::FileBlock { inode: directory.number, block };
        let Some(address) = run.address else {
            place.check(false, "block pointer", 0, "that of a block; a directory has no holes")?;
            return Ok(&[]);
        };
        let fragments = self.superblock.fragments_of(directory, block);
        let held_bytes = fragments * u64::from(self.superblock.info.fragment_bytes);
        let held =
            self.store.block(Slot::Data, self.superblock.bytes_at(address), held_bytes as usize)?;
        let end = within - within % DIRBLKSIZ as usize + DIRBLKSIZ as usize;
        Ok(held.get(within..end).unwrap_or_default())
    }
}

/// Checks that a directory begins with `.` and `..`, by which a walk can tell that it goes down.
fn check_dots(
    place: Place,
    raw: &RawEntry<'_>,
    directory: &Inode,
    offset: u64,
) -> Result<(), Corrupt> {
    if offset == 0 {
        let own = raw.name == b"." && raw.inode == directory.number;
        place.check(own, "d_ino", raw.inode, "the directory's own, named .")?;
        return place.check(raw.reclen == DOT_BYTES, "d_reclen", raw.reclen, "12, that of .");
    }
    let right = offset != DOT_BYTES.into() || (raw.name == b".." && raw.inode != 0);
    place.check(right, "d_ino", raw.inode, "the parent's, named ..")
}

/// Checked entry, free or not, in the bytes of its directory.
struct RawEntry<'a> {
    inode: u32,
    reclen: u16,
    code: u8,
    name: &'a [u8],
}

impl<'a> RawEntry<'a> {
    /// Decodes `struct direct` at the beginning of `chunk`, which ends with the 512 bytes that the
    /// entry is in.
    fn decode(place: Place, chunk: &'a [u8], endian: Endian, old: bool) -> Result<Self, Corrupt> {
        let Some((header, names)) = chunk.split_first_chunk::<HEADER_BYTES>() else {
            let len = chunk.len() as u64;
            return Err(Corrupt { place, field: "entry", value: len.into(), must: "8 bytes long" });
        };
        let [i0, i1, i2, i3, r0, r1, code, len] = *header;
        let inode = endian.u32([i0, i1, i2, i3]);
        let reclen = endian.u16([r0, r1]);
        // 4.2BSD's namlen has 16 bits and there is no type.
        let (code, len) = match old {
            true => (0, endian.u16([code, len])),
            false => (code, len.into()),
        };
        place.check(usize::from(len) <= NAME_BYTES_MAX, "d_namlen", len, "at most 255")?;
        // The name, a NUL, and up to the next multiple of 4 (DIRSIZ).
        let needed = (HEADER_BYTES + usize::from(len) + 1).next_multiple_of(4);
        let record = needed..=chunk.len();
        let right = record.contains(&reclen.into()) && reclen.is_multiple_of(4);
        let must = "a multiple of 4 with room for the name, within 512 bytes";
        place.check(right, "d_reclen", reclen, must)?;
        let name = names.get(..len.into()).unwrap_or_default();
        let raw = RawEntry { inode, reclen, code, name };
        if inode != 0 {
            let end = names.get(usize::from(len)).copied().unwrap_or(1);
            place.check(end == 0, "d_name's end", end, "0")?;
            let byte = name.iter().copied().find(|byte| matches!(byte, 0 | b'/'));
            let clean = byte.is_none();
            place.check(clean, "d_name's byte", byte.unwrap_or(0), "allowed in a name")?;
            place.check(len > 0, "d_namlen", len, "at least 1")?;
        }
        Ok(raw)
    }

    fn entry(&self, place: Place) -> Entry {
        let mut name = [0; NAME_BYTES_MAX];
        name[..self.name.len()].copy_from_slice(self.name);
        // The length is at most 255, as was checked.
        let len = self.name.len() as u8;
        let kind = Kind::from_type(self.code);
        Entry { inode: self.inode, kind, place, code: self.code, len, name }
    }
}
