//! Options about block sizes and alignment, which together say what the blocks of a job are.

use super::BlockMix;
use super::sizes::{Share, Sizes, read_shares, rounded};
use crate::direction::Direction;
use crate::error::JobError;
use crate::keyword::Rw;
use crate::limits::SECTOR_BYTES;
use crate::value::Value;
use alloc::vec::Vec;

/// Values of one option for reads, writes and trims.
type Sides<T> = [T; 3];

/// Options about blocks that were given so far.
#[derive(Clone)]
pub(crate) struct BlockOptions {
    /// Sizes (`bs=`).
    bytes: Sides<u32>,
    /// Least and greatest sizes (`bsrange=`).
    ranges: Sides<Option<[u32; 2]>>,
    /// Shares (`bssplit=`).
    splits: Sides<Option<Vec<Share>>>,
    /// Alignment of random I/Os, in bytes; 0 is that of the smallest size (`blockalign=`).
    aligns: Sides<u64>,
    /// Shares of the I/Os of a random job that are random, in per cent (`percentage_random=`).
    random_percent: Sides<u8>,
    /// Whether sizes need not be multiples of the smallest (`bs_unaligned`).
    pub(crate) unaligned: bool,
    /// Whether sizes are by order, not by direction (`bs_is_seq_rand`).
    pub(crate) by_order: bool,
}

/// Blocks of a job.
#[derive(Debug)]
pub(crate) struct Blocks {
    /// Largest size, in bytes.
    pub(crate) bs_bytes: u32,
    /// Sizes, if there are several.
    pub(crate) mix: Option<BlockMix>,
    /// Alignment of random I/Os, where it is not that of the smallest sizes.
    pub(crate) aligns: Option<[u64; 3]>,
    /// Whether fio gives up its random map, because of the alignment.
    pub(crate) is_unmapped: bool,
    /// Whether random I/Os have other sizes than those at whose multiples they begin.
    pub(crate) is_by_order: bool,
    /// Shares that are random, in per cent.
    pub(crate) random_percent: [u8; 3],
}

impl BlockOptions {
    pub(crate) const fn new(bytes: u32) -> Self {
        Self {
            bytes: [bytes; 3],
            ranges: [None; 3],
            splits: [const { None }; 3],
            aligns: [0; 3],
            random_percent: [100; 3],
            unaligned: false,
            by_order: false,
        }
    }

    /// Reads `bs=8k`, `bs=4k,8k` and `bs=4k,8k,16k`.
    pub(crate) fn read_bs(&mut self, value: Value<'_>) -> Result<(), JobError> {
        let sides = numbers(value)?.map(|side| side.map(|side| value.part(side).block_bytes()));
        set(&mut self.bytes, sides)
    }

    /// Reads `bsrange=4k-16k` and `bsrange=4k-16k,8k-8k`.
    pub(crate) fn read_range(&mut self, value: Value<'_>) -> Result<(), JobError> {
        let range = |text: &str| {
            let ends = text.split_once('-').or_else(|| text.split_once(':'));
            let ends = ends.ok_or_else(|| value.wrong("use two sizes, for example 4k-16k"))?;
            let (one, other) =
                (value.part(ends.0).block_bytes()?, value.part(ends.1).block_bytes()?);
            Ok(Some([one.min(other), one.max(other)]))
        };
        set(&mut self.ranges, parts(value, value.text()?.split(','))?.map(|side| side.map(range)))
    }

    /// Reads `bssplit=4k/30:8k/70` and `bssplit=4k/30:8k/70,16k/100`.
    pub(crate) fn read_split(&mut self, value: Value<'_>) -> Result<(), JobError> {
        let sides = parts(value, value.text()?.split(','))?;
        set(&mut self.splits, sides.map(|side| side.map(|side| read_shares(value, side))))
    }

    /// Reads `ba=512` and `ba=4k,8k`; returns whether all are as given.
    pub(crate) fn read_align(&mut self, value: Value<'_>) -> Result<bool, JobError> {
        let align = |text| match value.part(text).count()? {
            0 => Err(value.wrong("no alignment; use 512, as a disk's I/Os begin at sectors")),
            // As little as there can be.
            1..=511 => Ok(SECTOR_BYTES.into()),
            bytes if bytes.is_multiple_of(SECTOR_BYTES.into()) => Ok(bytes),
            _ => Err(value.wrong("not a multiple of the 512-byte sector; use, for example, 4k")),
        };
        let sides = numbers(value)?;
        set(&mut self.aligns, sides.map(|side| side.map(align)))?;
        let is_less = |side: &&str| value.part(side).count().is_ok_and(|bytes| bytes < 512);
        Ok(!sides.iter().flatten().any(is_less))
    }

    /// Reads `percentage_random=25` and `percentage_random=100,25`.
    pub(crate) fn read_random(&mut self, value: Value<'_>) -> Result<(), JobError> {
        let sides = numbers(value)?.map(|side| side.map(|side| value.part(side).percent()));
        set(&mut self.random_percent, sides)
    }

    /// Returns the blocks of a job that does this; the error is a way to fix it.
    pub(crate) fn of(&self, rw: Rw) -> Result<Blocks, &'static str> {
        if (0..3).any(|side| self.splits[side].is_some() && self.ranges[side].is_some()) {
            return Err("bssplit= and bsrange= exclude each other; use one");
        }
        let does = |side: usize| match Direction::ALL[side] {
            Direction::Read => rw.reads(),
            Direction::Write => rw.writes(),
            Direction::Trim => rw.trims(),
        };
        // What the job never does has the blocks of what it does.
        let first = (0..3).find(|&side| does(side)).unwrap_or_default();
        let last = (0..3).rfind(|&side| does(side)).unwrap_or_default();
        let used = [first, if does(1) { 1 } else { first }, last];
        let given = [0, 1, 2].map(|side| self.sizes(side));
        if self.unaligned && used.iter().any(|&side| is_range(&given[side])) {
            return Err(
                "bs_unaligned makes blocks of any number of bytes, and a disk's are whole \
                        sectors; leave it out",
            );
        }
        let is_random = rw.is_random();
        let of_random = if is_random { self.random_percent } else { [100; 3] };
        let random_percent = used.map(|side| of_random[side]);
        let of_order = |side: usize| match self.by_order {
            true => usize::from(is_random),
            false => side,
        };
        let by_order = self.by_order && is_random && random_percent != [100; 3];
        let sides = match by_order {
            true => [0, 1, 1].map(|side: usize| given[side].clone()),
            false => used.map(|side| given[of_order(side)].clone()),
        };
        let align = |side: usize| match self.aligns[side] {
            0 => given[side].min_bytes().into(),
            bytes => bytes,
        };
        let is_moved = |side: usize| align(side) != given[of_order(side)].min_bytes().into();
        let aligns =
            (is_random && used.iter().any(|&side| is_moved(side))).then(|| used.map(align));
        let mix = BlockMix { sides, by_order };
        let bs_bytes = mix.max_bytes();
        let is_single = mix.sides.iter().all(|sizes| sizes.min_bytes() == bs_bytes);
        let of_own = |side: usize| align(side) == given[side].min_bytes().into();
        Ok(Blocks {
            bs_bytes,
            mix: (!is_single).then_some(mix),
            aligns,
            is_unmapped: is_random && !(0..3).all(of_own),
            is_by_order: is_random && self.by_order && given[1] != given[first],
            random_percent,
        })
    }

    fn sizes(&self, side: usize) -> Sizes {
        match (&self.splits[side], self.ranges[side]) {
            (Some(shares), _) => rounded(shares.clone(), self.unaligned),
            (None, Some([least, most])) => Sizes::Range { least, most },
            (None, None) => Sizes::one(self.bytes[side]),
        }
    }
}

fn is_range(sizes: &Sizes) -> bool {
    matches!(sizes, Sizes::Range { least, most } if least != most)
}

/// Returns the values of one option for each direction, in fio's way: with commas, else with
/// colons, else with a minus, and the last one for those behind it. `None` is not given.
fn numbers<'v>(value: Value<'v>) -> Result<Sides<Option<&'v str>>, JobError> {
    let text = value.text()?;
    let number = text.trim_start_matches('-');
    let separator = [',', ':', '-'].into_iter().find(|separator| number.contains(*separator));
    parts(value, text.split(separator.unwrap_or(',')))
}

fn parts<'v>(
    value: Value<'v>,
    mut texts: impl Iterator<Item = &'v str>,
) -> Result<Sides<Option<&'v str>>, JobError> {
    let read = texts.next();
    let write = texts.next().or(read);
    let trim = texts.next().or(write);
    if texts.next().is_some() {
        return Err(value.wrong("too many values; give at most three, for reads, writes and trims"));
    }
    Ok([read, write, trim].map(|text| text.filter(|text| !text.is_empty())))
}

/// Sets the values that are given and right.
fn set<T>(to: &mut Sides<T>, sides: Sides<Option<Result<T, JobError>>>) -> Result<(), JobError> {
    for (to, given) in to.iter_mut().zip(sides) {
        if let Some(given) = given {
            *to = given?;
        }
    }
    Ok(())
}
