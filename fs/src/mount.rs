//! Search for the volume to mount: the whole disk's, or a partition's.

use crate::error::{Corrupt, Error, Place};
use crate::group::Groups;
use crate::info::Doubt;
use crate::inode::ROOT;
use crate::partition::{Partition, Partitions, Tables, search};
use crate::store::Store;
use crate::superblock::Superblock;
use crate::{Kind, ReadBlocks, Volume};

impl<D: ReadBlocks, B: AsMut<[u8]>> Volume<D, B> {
    /// Mounts the volume of the first partition that has one, if a valid table leaves the disk's
    /// beginning unused; else that of the whole disk, and if there is none, that of the first
    /// partition that has one. [`Info::doubt`](crate::Info::doubt) reports a choice. `scratch` is
    /// at least [`SCRATCH_BYTES`](crate::SCRATCH_BYTES).
    ///
    /// # Errors
    /// [`Error::NotFfs`] when no superblock was found; the error of the first broken one when none
    /// was good; errors of the disk.
    pub fn mount(disk: D, scratch: B) -> Result<Self, Error<D::Error>> {
        let mut store = Store::new(disk, scratch)?;
        let disk_bytes = store.size_bytes();
        let whole = unless_unreadable(Superblock::find(&mut store))?;
        let tables = unless_unreadable(search(&mut store))?;
        let (tables, table_error) = match tables {
            Ok(tables) => (tables, None),
            Err(error) => (Tables::default(), Some(error)),
        };
        let partitions = &tables.partitions;
        if !tables.take_the_disk
            && let Ok(mut superblock) = whole
        {
            superblock.info.doubt = match table_error {
                Some(Error::Corrupt(corrupt)) => Some(Doubt::BrokenTable(corrupt)),
                _ => inner_volume(&mut store, partitions, superblock.info.size_bytes, disk_bytes)?
                    .map(|start_bytes| Doubt::InnerVolume { start_bytes }),
            };
            store.set_window(0, disk_bytes);
            return Volume::new(store, superblock);
        }
        let mut first_error = table_error;
        for partition in partitions {
            match unless_unreadable(partition.open(&mut store, disk_bytes))? {
                Ok(mut superblock) => {
                    let outer = match whole {
                        Ok(_) if partition.start_bytes > 0 => Some(0),
                        _ => outer_volume(&mut store, partitions, partition, disk_bytes)?,
                    };
                    let taken_bytes = partition.start_bytes;
                    superblock.info.doubt =
                        outer.map(|start_bytes| Doubt::PassedOver { start_bytes, taken_bytes });
                    store.set_window(partition.start_bytes, partition.size_bytes);
                    return Volume::new(store, superblock);
                }
                Err(Error::NotFfs) => {}
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        match (whole, first_error) {
            // A broken volume is no reason to read an older one.
            (Ok(_), Some(error @ Error::Corrupt(Corrupt { place: Place::Superblock(_), .. }))) => {
                Err(error)
            }
            (Ok(mut superblock), _) => {
                superblock.info.doubt = Some(Doubt::NoPartition);
                store.set_window(0, disk_bytes);
                Volume::new(store, superblock)
            }
            (Err(Error::NotFfs), Some(error)) | (Err(error), _) => Err(error),
        }
    }

    /// Mounts the volume in this partition.
    ///
    /// # Errors
    /// As [`mount`](Self::mount).
    pub fn mount_partition(
        disk: D,
        scratch: B,
        partition: &Partition,
    ) -> Result<Self, Error<D::Error>> {
        let mut store = Store::new(disk, scratch)?;
        let disk_bytes = store.size_bytes();
        let superblock = partition.open(&mut store, disk_bytes)?;
        Volume::new(store, superblock)
    }

    fn new(store: Store<D, B>, superblock: Superblock) -> Result<Self, Error<D::Error>> {
        let warnings = superblock.warnings.clone();
        let mut volume = Volume { store, superblock, groups: Groups::default(), warnings };
        let root = volume.root()?;
        let right = root.kind == Kind::Directory;
        Place::Inode(ROOT).check(right, "di_mode", root.mode, "a directory's")?;
        Ok(volume)
    }
}

/// Separates errors of the disk from a volume that is missing or broken.
fn unless_unreadable<T, E>(found: Result<T, Error<E>>) -> Result<Result<T, Error<E>>, Error<E>> {
    match found {
        Err(error @ (Error::Read { .. } | Error::Stopped)) => Err(error),
        found => Ok(found),
    }
}

/// Returns the start of the volume that `partition` is a part of, if a table has one there.
fn outer_volume<D: ReadBlocks, B: AsMut<[u8]>>(
    store: &mut Store<D, B>,
    partitions: &Partitions,
    partition: &Partition,
    disk_bytes: u64,
) -> Result<Option<u64>, Error<D::Error>> {
    for outer in partitions.iter().filter(|outer| outer.holds(partition)) {
        if unless_unreadable(outer.open(store, disk_bytes))?.is_ok() {
            return Ok(Some(outer.start_bytes));
        }
    }
    Ok(None)
}

/// Returns the start of a partition that lies within the whole disk's volume of `size_bytes` and
/// has a volume of its own.
fn inner_volume<D: ReadBlocks, B: AsMut<[u8]>>(
    store: &mut Store<D, B>,
    partitions: &Partitions,
    size_bytes: u64,
    disk_bytes: u64,
) -> Result<Option<u64>, Error<D::Error>> {
    let inside = |partition: &&Partition| (1..size_bytes).contains(&partition.start_bytes);
    for inner in partitions.iter().filter(inside) {
        if unless_unreadable(inner.open(store, disk_bytes))?.is_ok() {
            return Ok(Some(inner.start_bytes));
        }
    }
    Ok(None)
}
