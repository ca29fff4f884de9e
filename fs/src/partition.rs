//! Partition tables that an FFS may lie behind. All are read in bounded work; an entry or table
//! that contradicts itself is skipped, and a partition that is not on the disk is reported when it
//! is opened.

mod area;
mod disklabel;
mod find;
mod foreign;
mod gpt;
mod kind;
mod mbr;
mod name;
mod table;

use crate::ReadBlocks;
use crate::error::Error;
use crate::info::Doubt;
use crate::store::Store;
pub use find::NoSuchPartition;
pub(crate) use foreign::find as find_foreign;
use gpt::Copy;
pub use gpt::GptLabel;
use kind::Base;
pub use kind::PartitionKind;
use mbr::BootRecord;
use name::Outer;
pub use name::{NotAName, PartitionName};
pub use table::{PARTITIONS_MAX, Partition, Partitions, Tables};

/// Returns the partitions of a disk, of all types: those of a GPT or of an MBR, and of BSD
/// disklabels. `scratch` is at least [`SCRATCH_BYTES`](crate::SCRATCH_BYTES).
///
/// # Errors
/// Errors of the disk.
pub fn partitions<D: ReadBlocks, B: AsMut<[u8]>>(
    disk: D,
    scratch: B,
) -> Result<Tables, Error<D::Error>> {
    let mut store = Store::new(disk, scratch)?;
    let mut tables = Tables::new(store.size_bytes());
    search(&mut store, &mut tables)?;
    Ok(tables)
}

/// Adds the tables of a store whose window is the whole disk. A GPT counts if the MBR has an entry
/// for it; without any MBR it is still searched for, but proves nothing.
pub(crate) fn search<D: ReadBlocks, B: AsMut<[u8]>>(
    store: &mut Store<D, B>,
    tables: &mut Tables,
) -> Result<(), Error<D::Error>> {
    let mbr = BootRecord::read(store)?;
    if mbr.as_ref().is_none_or(BootRecord::is_protective)
        && let Some(sector_bytes) = gpt::read(store, Copy::Primary, tables)?
    {
        tables.take_the_disk = mbr.is_some();
        tables.doubt_sectors(sector_bytes);
        return Ok(());
    }
    let Some(mbr) = mbr else {
        label_of_disk(store, tables)?;
        tables.take_the_disk = tables.all_behind(0, 0);
        if tables.partitions.is_empty() {
            backup_gpt(store, tables)?;
        }
        return Ok(());
    };
    beside_mbr(store, &mbr, tables)
}

/// Reads what an MBR leads to: the copy of the GPT that it protects, or its slices, and the disk's
/// label if no slice is for a BSD.
fn beside_mbr<D: ReadBlocks, B: AsMut<[u8]>>(
    store: &mut Store<D, B>,
    mbr: &BootRecord,
    tables: &mut Tables,
) -> Result<(), Error<D::Error>> {
    if mbr.is_protective() && backup_gpt(store, tables)? {
        tables.take_the_disk = true;
        return Ok(());
    }
    let unit_bytes = mbr.partitions(store, tables)?;
    tables.doubt_sectors(unit_bytes);
    tables.take_the_disk = mbr.spares_the_beginning();
    if !tables.partitions.iter().any(|partition| partition.kind.label_base().is_some()) {
        label_of_disk(store, tables)?;
    }
    Ok(())
}

fn label_of_disk<D: ReadBlocks, B: AsMut<[u8]>>(
    store: &mut Store<D, B>,
    tables: &mut Tables,
) -> Result<(), Error<D::Error>> {
    let read = disklabel::read(store, Outer::Disk, 0, Base::Disk, tables);
    tables.skip(read)
}

fn backup_gpt<D: ReadBlocks, B: AsMut<[u8]>>(
    store: &mut Store<D, B>,
    tables: &mut Tables,
) -> Result<bool, Error<D::Error>> {
    let found = gpt::read(store, Copy::Backup, tables)?;
    if let Some(sector_bytes) = found {
        let _ = tables.doubts.push(Doubt::BackupGpt);
        tables.doubt_sectors(sector_bytes);
    }
    Ok(found.is_some())
}

impl Tables {
    /// Warns of sectors that are not of 512 bytes.
    fn doubt_sectors(&mut self, sector_bytes: u64) {
        if sector_bytes != 512 {
            let _ = self.doubts.push(Doubt::Sectors { sector_bytes });
        }
    }
}
