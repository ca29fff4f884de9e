//! Jobs whose I/Os are not all of one size: `bs=` with several values, `bsrange=` and `bssplit=`.

mod options;
mod sizes;

pub(crate) use options::{BlockOptions, Blocks};
pub use sizes::{Share, Sizes};

use crate::direction::Direction;
use crate::limits::SECTOR_BYTES;
use crate::number::Bytes;
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};

/// Sizes of a job's I/Os, never all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockMix {
    /// Sizes of reads, writes and trims. Those of a direction without I/Os are those of another.
    sides: [Sizes; 3],
    /// Whether the first of them are of all I/Os in order and the second of those at random
    /// (`bs_is_seq_rand`).
    by_order: bool,
}

impl BlockMix {
    /// Returns the sizes of one direction, of I/Os that follow the last one or are at random.
    pub fn of(&self, direction: Direction, is_random: bool) -> &Sizes {
        let side = if self.by_order { usize::from(is_random) } else { direction as usize };
        &self.sides[side]
    }

    /// Returns the largest size, in bytes.
    pub fn max_bytes(&self) -> u32 {
        self.sides.iter().map(Sizes::max_bytes).max().unwrap_or(SECTOR_BYTES)
    }

    /// Returns the largest of the directions' smallest sizes, in bytes: what a region holds at
    /// least.
    pub fn least_bytes(&self) -> u32 {
        self.sides.iter().map(Sizes::min_bytes).max().unwrap_or(SECTOR_BYTES)
    }

    /// Returns the smallest size of any direction, in bytes.
    pub(crate) fn smallest_bytes(&self) -> u32 {
        self.sides.iter().map(Sizes::min_bytes).min().unwrap_or(SECTOR_BYTES)
    }

    /// Returns the largest size that divides all sizes, in bytes: the block of the region.
    pub fn unit_bytes(&self) -> u32 {
        self.sides.iter().map(Sizes::unit_bytes).fold(0, sizes::divisor).max(SECTOR_BYTES)
    }

    /// Returns the largest size that divides all sizes of writes, in bytes.
    pub(crate) fn written_bytes(&self) -> u32 {
        let one = |side: usize| self.sides[side].unit_bytes();
        let bytes = if self.by_order { sizes::divisor(one(0), one(1)) } else { one(1) };
        bytes.max(SECTOR_BYTES)
    }

    /// Returns the options that give it: each with the directions whose sizes are of its kind.
    pub(crate) fn options(&self) -> impl Iterator<Item = (&'static str, String)> {
        let is_split = |sizes: &Sizes| matches!(sizes, Sizes::Shares(shares) if shares.len() > 1);
        let is_split = self.sides.iter().any(is_split);
        let kind = move |sizes: &Sizes| match sizes {
            Sizes::Shares(_) if is_split => "bssplit",
            Sizes::Shares(_) => "bs",
            Sizes::Range { .. } => "bsrange",
        };
        let text = |name| {
            let of_kind = |sizes: &Sizes| match kind(sizes) == name {
                false => String::new(),
                true if name == "bs" => Bytes(sizes.max_bytes().into()).to_string(),
                true => sizes.to_string(),
            };
            let [read, write, trim] = [0, 1, 2].map(|side| of_kind(&self.sides[side]));
            let is_empty = [&read, &write, &trim].into_iter().all(String::is_empty);
            (!is_empty).then_some(if write != trim {
                format!("{read},{write},{trim}")
            } else if read != write {
                format!("{read},{write}")
            } else {
                read
            })
        };
        let named = ["bs", "bssplit", "bsrange"].map(|name| Some((name, text(name)?)));
        let flag = |name, is_on: bool| is_on.then(|| (name, "1".to_owned()));
        let unaligned = flag("bs_unaligned", self.sides.iter().any(Sizes::is_unaligned));
        let by_order = flag("bs_is_seq_rand", self.by_order);
        named.into_iter().flatten().chain(unaligned).chain(by_order)
    }
}
