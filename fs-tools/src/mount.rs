//! Mount of a volume, with what it warns of.

use alloc::format;
use alloc::string::ToString;
use core::fmt::{Debug, Display};

use fs::{Doubts, PartitionName, ReadBlocks, Volume, partitions};

use crate::report::{Report, Result};

/// Disk to read from, of any kind: there is one copy of the code for all.
pub type AnyDisk<'d, E> = dyn ReadBlocks<Error = E> + 'd;

/// Volume of such a disk, with memory that is lent.
pub type AnyVolume<'d, E> = Volume<&'d mut AnyDisk<'d, E>, &'d mut [u8]>;

/// Mounts the volume in the partition of this name, or the one that is read when none is named.
/// `report` gets its warnings; `scratch` is at least [`SCRATCH_BYTES`](fs::SCRATCH_BYTES).
///
/// # Errors
/// One line: there is no such partition, or no volume, or it is broken; errors of the disk.
pub fn mount<'d, E: Display + Debug>(
    disk: &'d mut AnyDisk<'d, E>,
    scratch: &'d mut [u8],
    name: Option<PartitionName>,
    report: &mut dyn Report,
) -> Result<AnyVolume<'d, E>> {
    let mounted = match name {
        None => Volume::mount(disk, scratch),
        Some(name) => {
            let tables =
                partitions(&mut *disk, &mut *scratch).map_err(|error| error.to_string())?;
            warn(&tables.doubts, report);
            let partition = tables.find(name).map_err(|error| error.to_string())?;
            Volume::mount_partition(disk, scratch, &partition)
        }
    };
    let mut volume = mounted.map_err(|error| match name {
        Some(name) => format!("partition {name}: {error}"),
        None => error.to_string(),
    })?;
    warn(&volume.info().doubts, report);
    while let Some(warning) = volume.next_warning() {
        report.warn(&warning.to_string());
    }
    Ok(volume)
}

/// Warns of what is doubtful about a choice.
pub(crate) fn warn(doubts: &Doubts, report: &mut dyn Report) {
    doubts.iter().for_each(|doubt| report.warn(&doubt.to_string()));
}
