//! Partitions, as all kinds of tables have them.

use super::kind::PartitionKind;
use super::name::{Outer, PartitionName};
use crate::error::{Corrupt, Error, Place};
use crate::info::{Doubt, Doubts};
use crate::store::Store;
use crate::superblock::Superblock;
use crate::{Info, ReadBlocks};

/// Most partitions that are read of a disk; later entries of a table are ignored.
pub const PARTITIONS_MAX: usize = 64;
/// Places that are kept for partitions in which a volume is searched.
const TRIED_MIN: usize = 16;

/// Partitions of a disk in the order in which they are tried, none of them empty. That is the order
/// of their tables, except for a slice or GPT entry whose label has all of its FFS partitions
/// behind the beginning: its label's partitions come before it.
pub type Partitions = heapless::Vec<Partition, PARTITIONS_MAX>;

/// Partition as its table has it; it may reach beyond the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Name, which also says in what kind of table it is.
    pub name: PartitionName,
    /// Type.
    pub kind: PartitionKind,
    /// Offset on the disk in bytes.
    pub start_bytes: u64,
    /// Size in bytes.
    pub size_bytes: u64,
    /// Offset on the disk of the name in a GPT's entry, in bytes; 0 if there is none.
    pub(crate) label_bytes: u64,
}

impl Partition {
    /// Returns whether `inner` lies within this one, but does not begin with it.
    pub(crate) fn holds(&self, inner: &Partition) -> bool {
        let end =
            |partition: &Partition| partition.start_bytes.saturating_add(partition.size_bytes);
        self.start_bytes < inner.start_bytes && end(inner) <= end(self)
    }

    /// Moves the window to this partition, as far as it is on the disk.
    pub(crate) fn enter<D: ReadBlocks, B: AsMut<[u8]>>(
        &self,
        store: &mut Store<D, B>,
        disk_bytes: u64,
    ) -> Result<(), Corrupt> {
        let place = self.name.place();
        let start = self.start_bytes;
        let end = start.saturating_add(self.size_bytes);
        place.check(start < disk_bytes, "end in bytes", end, "on the disk")?;
        place.check(start.is_multiple_of(512), "start in bytes", start, "a multiple of 512")?;
        store.set_window(start, self.size_bytes.min(disk_bytes - start));
        Ok(())
    }

    /// Moves the window to this partition and searches it.
    pub(crate) fn open<D: ReadBlocks, B: AsMut<[u8]>>(
        &self,
        store: &mut Store<D, B>,
        disk_bytes: u64,
    ) -> Result<Superblock, Error<D::Error>> {
        self.enter(store, disk_bytes)?;
        let mut superblock = Superblock::find(store)?;
        self.describe(&mut superblock.info, disk_bytes);
        Ok(superblock)
    }

    /// Notes in `info` that its volume is in this partition.
    pub(crate) fn describe(&self, info: &mut Info, disk_bytes: u64) {
        info.partition = self.name;
        let end_bytes = self.start_bytes.saturating_add(self.size_bytes);
        if end_bytes > disk_bytes {
            info.doubt(Doubt::PastEnd { end_bytes, disk_bytes });
        }
    }
}

impl PartitionName {
    fn place(self) -> Place {
        match (self.letter, self.outer) {
            (Some(index), _) => Place::Disklabel(u32::from(index) + 1),
            (None, Outer::Slice(number)) => Place::Mbr(number.into()),
            (None, Outer::Gpt(number)) => Place::Gpt(number.into()),
            (None, Outer::Disk) => Place::Mbr(0),
        }
    }
}

/// Contents of the tables of a disk.
#[derive(Clone, Debug)]
pub struct Tables {
    /// Partitions, of all types.
    pub partitions: Partitions,
    /// First table or entry that was skipped, because it contradicts itself or the disk.
    pub skipped: Option<Corrupt>,
    /// The whole disk, which is no partition of a table.
    pub disk: Partition,
    /// Warnings about the way in which the tables were read.
    pub doubts: Doubts,
    /// Flag: a valid table leaves the disk's beginning unused. Then a superblock of the whole disk
    /// is a leftover of an older volume: writing a table over it leaves no trace.
    pub(crate) take_the_disk: bool,
}

impl Tables {
    pub(crate) fn new(disk_bytes: u64) -> Self {
        let disk = Partition {
            name: PartitionName::DISK,
            kind: PartitionKind::Disk,
            start_bytes: 0,
            size_bytes: disk_bytes,
            label_bytes: 0,
        };
        Self {
            partitions: Partitions::new(),
            skipped: None,
            disk,
            doubts: Doubts::new(),
            take_the_disk: false,
        }
    }

    /// Returns the partitions to search for a volume, in this order.
    pub(crate) fn tried(&self) -> impl Iterator<Item = &Partition> {
        // By the table, what begins with the disk is none of its partitions.
        let real = |one: &&Partition| !(self.take_the_disk && one.start_bytes == 0);
        self.partitions.iter().filter(|one| one.kind.is_tried()).filter(real)
    }

    /// Goes on without a table or entry that contradicts itself.
    pub(super) fn skip<E>(&mut self, read: Result<(), Error<E>>) -> Result<(), Error<E>> {
        match read {
            Err(Error::Corrupt(corrupt)) => {
                self.skipped.get_or_insert(corrupt);
                Ok(())
            }
            read => read,
        }
    }

    /// Adds a partition, unless it is empty. Start and size are in units of `unit_bytes`, the start
    /// from `base_bytes`.
    pub(super) fn add(
        &mut self,
        name: PartitionName,
        kind: PartitionKind,
        (base_bytes, start, size): (u64, u64, u64),
        unit_bytes: u64,
        label_bytes: u64,
    ) {
        let place = name.place();
        let start_bytes =
            start.checked_mul(unit_bytes).and_then(|bytes| bytes.checked_add(base_bytes));
        let size_bytes = size.checked_mul(unit_bytes);
        let read = place
            .check(start_bytes.is_some(), "start", start, "a sector's number")
            .and_then(|()| place.check(size_bytes.is_some(), "size", size, "a number of sectors"));
        if let Err(corrupt) = read {
            self.skipped.get_or_insert(corrupt);
        }
        let full = match kind.is_tried() {
            true => self.partitions.is_full(),
            false => self.partitions.len() >= PARTITIONS_MAX - TRIED_MIN,
        };
        if let (Some(start_bytes), Some(size_bytes @ 1..), false) = (start_bytes, size_bytes, full)
        {
            let one = Partition { name, kind, start_bytes, size_bytes, label_bytes };
            // There is room for it.
            let _ = self.partitions.push(one);
        }
    }

    /// Returns whether there are partitions to try from `first` on, and all begin behind
    /// `start_bytes`.
    pub(super) fn all_behind(&self, first: usize, start_bytes: u64) -> bool {
        let added = self.partitions.get(first..).unwrap_or_default();
        let mut tried = added.iter().filter(|one| one.kind.is_tried()).peekable();
        tried.peek().is_some() && tried.all(|one| one.start_bytes > start_bytes)
    }
}
