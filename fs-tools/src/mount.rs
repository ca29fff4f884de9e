//! Mount of a volume, with what it warns of.

use alloc::format;
use alloc::string::ToString;
use core::fmt::{Debug, Display};

use fs::{Doubts, Partition, PartitionName, ReadBlocks, Volume, partitions};

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
    let partition = name.map(|name| find(disk, scratch, name, report)).transpose()?;
    let mut mounted = match &partition {
        None => Volume::mount(disk, scratch),
        Some(partition) => Volume::mount_partition(disk, scratch, partition),
    };
    if let Ok(volume) = &mut mounted {
        warn(&volume.info().doubts, report);
        while let Some(warning) = volume.next_warning() {
            report.warn(&warning.to_string());
        }
    }
    mounted.map_err(|error| match name {
        Some(name) => format!("partition {name}: {error}"),
        None => error.to_string(),
    })
}

/// Finds a partition by its name. Not inlined, for tables take much of a guest's stack.
#[inline(never)]
fn find<'d, E: Display + Debug>(
    disk: &mut AnyDisk<'d, E>,
    scratch: &mut [u8],
    name: PartitionName,
    report: &mut dyn Report,
) -> Result<Partition> {
    let tables = partitions(disk, scratch).map_err(|error| error.to_string())?;
    warn(&tables.doubts, report);
    tables.find(name).map_err(|error| error.to_string())
}

/// Warns of what is doubtful about a choice.
pub(crate) fn warn(doubts: &Doubts, report: &mut dyn Report) {
    doubts.iter().for_each(|doubt| report.warn(&doubt.to_string()));
}
