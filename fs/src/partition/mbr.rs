//! The master boot record, its chain of logical partitions, and the disklabels in its slices.

use super::disklabel::{self, Base};
use super::{Partitions, Table, add};
use crate::endian::{Endian, Fields};
use crate::error::{Error, Place};
use crate::store::{Slot, Store};
use crate::{PARTITIONS_MAX, ReadBlocks};

const SECTOR_BYTES: u64 = 512;
const EXTENDED: [u8; 3] = [0x05, 0x0f, 0x85];
const FREEBSD: u8 = 0xa5;
const OPENBSD: u8 = 0xa6;
const NETBSD: u8 = 0xa9;

/// One of the four entries; start and size in sectors.
#[derive(Clone, Copy)]
struct Entry {
    status: u8,
    kind: u8,
    start: u64,
    size: u64,
}

/// Adds the partitions, and says whether there is an MBR at all.
pub(super) fn read<D: ReadBlocks, B: AsMut<[u8]>>(
    store: &mut Store<D, B>,
    found: &mut Partitions,
) -> Result<bool, Error<D::Error>> {
    if store.size_bytes() < SECTOR_BYTES {
        return Ok(false);
    }
    let Some(entries) = entries(store, 0)? else { return Ok(false) };
    // Boot code that is no MBR ends with the same two bytes.
    let used = |entry: &&Entry| entry.kind != 0 && entry.size != 0;
    let boot = entries.iter().all(|entry| entry.status & 0x7f == 0);
    if !boot || entries.iter().find(used).is_none() {
        return Ok(false);
    }
    for (number, entry) in (1..).zip(&entries).filter(|(_, entry)| used(entry)) {
        if EXTENDED.contains(&entry.kind) {
            read_logical(store, entry.start, found)?;
            continue;
        }
        let sectors = (entry.start, entry.size);
        add(found, Place::Mbr(number), (Table::Mbr, number), sectors, SECTOR_BYTES)?;
        let base = match entry.kind {
            FREEBSD => Base::Slice,
            OPENBSD | NETBSD => Base::Disk,
            _ => continue,
        };
        disklabel::read(store, entry.start * SECTOR_BYTES, base, found)?;
    }
    Ok(true)
}

/// Follows the chain of logical partitions. Each link must lead forwards, so there is an end.
fn read_logical<D: ReadBlocks, B: AsMut<[u8]>>(
    store: &mut Store<D, B>,
    first: u64,
    found: &mut Partitions,
) -> Result<(), Error<D::Error>> {
    let mut at = first;
    for number in (5..).take(PARTITIONS_MAX) {
        let place = Place::Mbr(number);
        let inside = at < store.size_bytes() / SECTOR_BYTES;
        place.check(inside, "start", at, "on the disk")?;
        let Some([logical, next, ..]) = entries(store, at * SECTOR_BYTES)? else {
            return Ok(());
        };
        if logical.kind != 0 {
            let sectors = (at + logical.start, logical.size);
            add(found, place, (Table::Mbr, number), sectors, SECTOR_BYTES)?;
        }
        if next.kind == 0 {
            break;
        }
        let next = first + next.start;
        place.check(next > at, "next logical partition", next, "behind this one")?;
        at = next;
    }
    Ok(())
}

/// The four entries of a boot record, if it ends like one. `at_bytes` is on the disk.
fn entries<D: ReadBlocks, B: AsMut<[u8]>>(
    store: &mut Store<D, B>,
    at_bytes: u64,
) -> Result<Option<[Entry; 4]>, Error<D::Error>> {
    let sector = store.block(Slot::Inodes, at_bytes, SECTOR_BYTES as usize)?;
    let Some(bytes) = sector.first_chunk::<512>() else { return Ok(None) };
    let fields = Fields::new(bytes, Endian::Little);
    if fields.u16::<510>() != 0xaa55 {
        return Ok(None);
    }
    let entries = [
        fields.bytes::<446, 16>(),
        fields.bytes::<462, 16>(),
        fields.bytes::<478, 16>(),
        fields.bytes::<494, 16>(),
    ];
    Ok(Some(entries.map(|bytes| {
        let fields = Fields::new(&bytes, Endian::Little);
        let (start, size) = (fields.u32::<8>().into(), fields.u32::<12>().into());
        Entry { status: fields.u8::<0>(), kind: fields.u8::<4>(), start, size }
    })))
}
