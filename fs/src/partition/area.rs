//! Slices and GPT entries that have a label in them.

use super::disklabel;
use super::table::Tables;
use crate::ReadBlocks;
use crate::error::Error;
use crate::store::Store;

/// Adds the partitions of the label in partition `index`, if its type says that it has one:
/// before it, if its beginning, unused by the label, has at most an older volume's superblock;
/// else behind it. Returns how many they are.
pub(super) fn add_label<D: ReadBlocks, B: AsMut<[u8]>>(
    store: &mut Store<D, B>,
    index: usize,
    tables: &mut Tables,
) -> Result<usize, Error<D::Error>> {
    let Some(area) = tables.partitions.get(index).copied() else { return Ok(0) };
    let Some(base) = area.kind.label_base() else { return Ok(0) };
    let before = tables.partitions.len();
    let read = disklabel::read(store, area.name.outer, area.start_bytes, base, tables);
    tables.skip(read)?;
    let count = tables.partitions.len().saturating_sub(before);
    let label_first = tables.all_behind(before, area.start_bytes);
    let at = if label_first { index } else { index + 1 };
    if let Some(rest) = tables.partitions.get_mut(at..) {
        rest.rotate_right(count.min(rest.len()));
    }
    Ok(count)
}
