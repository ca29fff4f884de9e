//! Partition tables that an FFS may lie behind. All are read in bounded work; a partition that does
//! not fit on the disk is reported when it is opened.

mod disklabel;
mod gpt;
mod mbr;
mod table;

use crate::ReadBlocks;
use crate::error::Error;
use crate::store::Store;
use mbr::BootRecord;
use table::all_behind;
pub use table::{PARTITIONS_MAX, Partition, Partitions, Table};

/// Returns the partitions of a disk: those of a GPT or of an MBR, and of BSD disklabels. `scratch`
/// is at least [`SCRATCH_BYTES`](crate::SCRATCH_BYTES).
///
/// # Errors
/// [`Error::Corrupt`] for a table that contradicts itself; errors of the disk.
pub fn partitions<D: ReadBlocks, B: AsMut<[u8]>>(
    disk: D,
    scratch: B,
) -> Result<Partitions, Error<D::Error>> {
    Ok(search(&mut Store::new(disk, scratch)?)?.partitions)
}

/// Contents of the tables of a disk.
#[derive(Default)]
pub(crate) struct Tables {
    pub(crate) partitions: Partitions,
    /// Flag: a valid table leaves the disk's beginning unused. Then a superblock of the whole disk
    /// is a leftover of an older volume: writing a table over it leaves no trace.
    pub(crate) take_the_disk: bool,
}

/// Reads the tables of a store whose window is the whole disk. A GPT counts if the MBR has an entry
/// for it; without any MBR it is still searched for, but proves nothing.
pub(crate) fn search<D: ReadBlocks, B: AsMut<[u8]>>(
    store: &mut Store<D, B>,
) -> Result<Tables, Error<D::Error>> {
    let mut tables = Tables::default();
    let found = &mut tables.partitions;
    let mbr = BootRecord::read(store)?;
    if mbr.as_ref().is_none_or(BootRecord::is_protective) && gpt::read(store, found)? {
        tables.take_the_disk = mbr.is_some();
        return Ok(tables);
    }
    if let Some(mbr) = mbr {
        mbr.partitions(store, found)?;
        tables.take_the_disk = mbr.spares_the_beginning();
        return Ok(tables);
    }
    disklabel::read(store, 0, disklabel::Base::Disk, found)?;
    tables.take_the_disk = all_behind(found, 0);
    Ok(tables)
}
