//! Search for the volume to mount: the whole disk's, or a partition's.

use crate::error::{Corrupt, Error, Place};
use crate::group::Groups;
use crate::info::Doubt;
use crate::inode::ROOT;
use crate::partition::{Partition, Tables, find_foreign, search};
use crate::store::Store;
use crate::superblock::{Alternates, SEARCHED_BYTES_MAX, Superblock};
use crate::warning::Warnings;
use crate::{Kind, ReadBlocks, Volume};

impl<D: ReadBlocks, B: AsMut<[u8]>> Volume<D, B> {
    /// Mounts the volume of the first partition that has one, if a valid table leaves the disk's
    /// beginning unused; else that of the whole disk, and if there is none, that of the first
    /// partition that has one. [`Info::doubts`](crate::Info::doubts) reports a choice. If no first
    /// superblock is anywhere, the first GiB of the partitions is searched for an alternate.
    /// `scratch` is at least [`SCRATCH_BYTES`](crate::SCRATCH_BYTES).
    ///
    /// # Errors
    /// [`Error::NotFfs`] when no superblock was found; [`Error::Foreign`] if there is a partition
    /// table that is not read; the error of the first broken superblock or table when none was
    /// good; errors of the disk.
    #[inline(never)]
    pub fn mount(disk: D, scratch: B) -> Result<Self, Error<D::Error>> {
        let mut store = Store::new(disk, scratch)?;
        let superblock = find(&mut store)?;
        Volume::new(store, superblock)
    }

    /// Mounts the volume in this partition. If there is no first superblock, its first GiB is
    /// searched for an alternate.
    ///
    /// # Errors
    /// As [`mount`](Self::mount).
    #[inline(never)]
    pub fn mount_partition(
        disk: D,
        scratch: B,
        partition: &Partition,
    ) -> Result<Self, Error<D::Error>> {
        let mut store = Store::new(disk, scratch)?;
        let disk_bytes = store.size_bytes();
        let superblock = match partition.open(&mut store, disk_bytes) {
            Err(Error::NotFfs) => {
                partition.open_alternate(&mut store, disk_bytes, SEARCHED_BYTES_MAX)?
            }
            opened => Some(opened?),
        };
        Volume::new(store, superblock.ok_or(Error::NotFfs)?)
    }

    /// Mounts the volume in this partition by a first superblock only: a look at each of many
    /// partitions takes no long search.
    ///
    /// # Errors
    /// As [`mount`](Self::mount).
    pub fn probe_partition(
        disk: D,
        scratch: B,
        partition: &Partition,
    ) -> Result<Self, Error<D::Error>> {
        let mut store = Store::new(disk, scratch)?;
        let disk_bytes = store.size_bytes();
        let superblock = partition.open(&mut store, disk_bytes)?;
        Volume::new(store, superblock)
    }

    fn new(mut store: Store<D, B>, superblock: Superblock) -> Result<Self, Error<D::Error>> {
        let info = &superblock.info;
        store.set_window(info.partition_start_bytes, info.partition_size_bytes);
        let (groups, mut warnings) = (Groups::default(), Warnings::default());
        superblock.warn(&mut warnings);
        let mut volume = Volume { store, superblock, groups, warnings };
        volume.check_root()?;
        Ok(volume)
    }

    fn check_root(&mut self) -> Result<(), Error<D::Error>> {
        let root = self.root()?;
        let right = root.kind == Kind::Directory;
        Ok(Place::Inode(ROOT).check(right, "di_mode", root.mode, "a directory's")?)
    }
}

impl Partition {
    /// Searches the first `bytes_max` for an alternate superblock. One that leads to no root
    /// directory was left behind by an older volume.
    fn open_alternate<D: ReadBlocks, B: AsMut<[u8]>>(
        &self,
        store: &mut Store<D, B>,
        disk_bytes: u64,
        bytes_max: u64,
    ) -> Result<Option<Superblock>, Error<D::Error>> {
        self.enter(store, disk_bytes)?;
        let mut alternates = Alternates::new(store, bytes_max);
        while let Some(mut superblock) = alternates.next(store)? {
            let trial = Volume::new(store.reborrow(), superblock.clone());
            if unless_unreadable(trial.map(|_| ()))?.is_ok() {
                self.describe(&mut superblock.info, disk_bytes);
                return Ok(Some(superblock));
            }
        }
        Ok(None)
    }
}

/// Separates errors of the disk from a volume that is missing or broken.
fn unless_unreadable<T, E>(found: Result<T, Error<E>>) -> Result<Result<T, Error<E>>, Error<E>> {
    match found {
        Err(error @ (Error::Read { .. } | Error::Stopped)) => Err(error),
        found => Ok(found),
    }
}

/// Returns the superblock to mount. Not inlined, for tables take much of a guest's stack.
#[inline(never)]
fn find<D: ReadBlocks, B: AsMut<[u8]>>(
    store: &mut Store<D, B>,
) -> Result<Superblock, Error<D::Error>> {
    let mut tables = Tables::new(store.size_bytes());
    let whole = unless_unreadable(Superblock::find(store))?;
    search(store, &mut tables)?;
    if !tables.take_the_disk
        && let Ok(superblock) = whole
    {
        return unless_inner(store, &tables, superblock);
    }
    let mut first_error = None;
    let found = match first_volume(store, &tables, whole.is_ok(), &mut first_error)? {
        None => first_alternate(store, &tables, whole.is_ok())?,
        found => found,
    };
    match choose(found, whole, first_error, &tables) {
        Err(error) => Err(name_foreign(store, &tables, error)?),
        chosen => chosen,
    }
}

/// Returns the superblock of the whole disk, no table being against it, with what is doubtful.
#[inline(never)]
fn unless_inner<D: ReadBlocks, B: AsMut<[u8]>>(
    store: &mut Store<D, B>,
    tables: &Tables,
    mut superblock: Superblock,
) -> Result<Superblock, Error<D::Error>> {
    let inner = inner_volume(store, tables, superblock.info.size_bytes)?
        .map(|start_bytes| Doubt::InnerVolume { start_bytes });
    if let Some(doubt) = inner.or(tables.skipped.map(Doubt::BrokenTable)) {
        superblock.info.doubt(doubt);
    }
    Ok(superblock)
}

/// Returns the superblock to mount of that which was `found` in a partition, and what the whole
/// disk has.
#[inline(never)]
fn choose<E>(
    found: Option<Superblock>,
    whole: Result<Superblock, Error<E>>,
    first_error: Option<Corrupt>,
    tables: &Tables,
) -> Result<Superblock, Error<E>> {
    match (found, whole, first_error) {
        (Some(mut superblock), _, _) => {
            for doubt in &tables.doubts {
                superblock.info.doubt(*doubt);
            }
            Ok(superblock)
        }
        // A broken volume is no reason to read an older one.
        (None, Ok(_), Some(corrupt @ Corrupt { place: Place::Superblock(_), .. })) => {
            Err(corrupt.into())
        }
        (None, Ok(mut superblock), _) => {
            let broken_table = tables.skipped.map(Doubt::BrokenTable);
            superblock.info.doubt(broken_table.unwrap_or(Doubt::NoPartition));
            Ok(superblock)
        }
        (None, Err(Error::NotFfs), Some(corrupt)) => Err(corrupt.into()),
        (None, Err(Error::NotFfs), None) => {
            Err(tables.skipped.map_or(Error::NotFfs, Error::Corrupt))
        }
        (None, Err(error), _) => Err(error),
    }
}

/// Returns the superblock of the first partition that has one. `first_error` becomes that of the
/// first broken superblock, else of the first partition that can't be opened.
#[inline(never)]
fn first_volume<D: ReadBlocks, B: AsMut<[u8]>>(
    store: &mut Store<D, B>,
    tables: &Tables,
    whole: bool,
    first_error: &mut Option<Corrupt>,
) -> Result<Option<Superblock>, Error<D::Error>> {
    let is_superblock = |corrupt: &Corrupt| matches!(corrupt.place, Place::Superblock(_));
    let disk_bytes = tables.disk.size_bytes;
    for partition in tables.tried() {
        match unless_unreadable(partition.open(store, disk_bytes))? {
            Ok(mut superblock) => {
                let outer = match whole && partition.start_bytes > 0 {
                    true => Some(0),
                    false => outer_volume(store, tables, partition)?,
                };
                let taken_bytes = partition.start_bytes;
                if let Some(start_bytes) = outer {
                    superblock.info.doubt(Doubt::PassedOver { start_bytes, taken_bytes });
                }
                return Ok(Some(superblock));
            }
            Err(Error::Corrupt(corrupt)) => {
                let is_better =
                    |before: Corrupt| is_superblock(&corrupt) && !is_superblock(&before);
                if first_error.is_none_or(is_better) {
                    *first_error = Some(corrupt);
                }
            }
            Err(_) => {}
        }
    }
    Ok(None)
}

/// Returns an alternate superblock of the first partition without a first one that has one, or of
/// the whole disk if there is no table.
fn first_alternate<D: ReadBlocks, B: AsMut<[u8]>>(
    store: &mut Store<D, B>,
    tables: &Tables,
    whole: bool,
) -> Result<Option<Superblock>, Error<D::Error>> {
    let disk_bytes = tables.disk.size_bytes;
    let count = tables.tried().count() as u64;
    let disk = Some(&tables.disk).filter(|_| count == 0 && !whole);
    let bytes_max = SEARCHED_BYTES_MAX / count.max(1);
    for partition in tables.tried().chain(disk) {
        if !matches!(unless_unreadable(partition.open(store, disk_bytes))?, Err(Error::NotFfs)) {
            continue;
        }
        if let Some(mut superblock) = partition.open_alternate(store, disk_bytes, bytes_max)? {
            if whole {
                let taken_bytes = partition.start_bytes;
                superblock.info.doubt(Doubt::PassedOver { start_bytes: 0, taken_bytes });
            }
            return Ok(Some(superblock));
        }
    }
    Ok(None)
}

/// Returns the error to report: a table that is not read says more than a missing volume or what
/// looks like a broken table.
fn name_foreign<D: ReadBlocks, B: AsMut<[u8]>>(
    store: &mut Store<D, B>,
    tables: &Tables,
    error: Error<D::Error>,
) -> Result<Error<D::Error>, Error<D::Error>> {
    let of_table = matches!(
        error,
        Error::NotFfs
            | Error::Corrupt(Corrupt {
                place: Place::Mbr(_) | Place::Gpt(_) | Place::Disklabel(_),
                ..
            })
    );
    if !of_table {
        return Ok(error);
    }
    store.set_window(0, tables.disk.size_bytes);
    Ok(find_foreign(store, tables)?.map_or(error, Error::Foreign))
}

/// Returns the start of the volume that `partition` is a part of, if a table has one there.
fn outer_volume<D: ReadBlocks, B: AsMut<[u8]>>(
    store: &mut Store<D, B>,
    tables: &Tables,
    partition: &Partition,
) -> Result<Option<u64>, Error<D::Error>> {
    for outer in tables.tried().filter(|outer| outer.holds(partition)) {
        if unless_unreadable(outer.open(store, tables.disk.size_bytes))?.is_ok() {
            return Ok(Some(outer.start_bytes));
        }
    }
    Ok(None)
}

/// Returns the start of a partition that lies within the whole disk's volume of `size_bytes` and
/// has a volume of its own.
fn inner_volume<D: ReadBlocks, B: AsMut<[u8]>>(
    store: &mut Store<D, B>,
    tables: &Tables,
    size_bytes: u64,
) -> Result<Option<u64>, Error<D::Error>> {
    let inside = |partition: &&Partition| (1..size_bytes).contains(&partition.start_bytes);
    for inner in tables.tried().filter(inside) {
        if unless_unreadable(inner.open(store, tables.disk.size_bytes))?.is_ok() {
            return Ok(Some(inner.start_bytes));
        }
    }
    Ok(None)
}
