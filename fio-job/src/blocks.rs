//! Jobs whose I/Os are not all of one size: `bs=` with a comma, and `bssplit=`.

use crate::direction::Direction;
use crate::error::JobError;
use crate::limits::SECTOR_BYTES;
use crate::number::Bytes;
use crate::value::Value;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

/// Most sizes of one direction, as in fio.
const SIZES_MAX: usize = 64;

/// Block size, and its share of the I/Os.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Size in bytes, with the limits of `bs=`.
    pub bytes: u32,
    /// Share of the I/Os of its direction, in per cent; the shares of a direction add up to 100.
    pub percent: u8,
}

/// Sizes of a job's I/Os, never all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockMix {
    read: Vec<Share>,
    write: Vec<Share>,
}

impl BlockMix {
    /// Returns the sizes of one direction; never empty.
    pub fn of(&self, direction: Direction) -> &[Share] {
        match direction {
            Direction::Read => &self.read,
            Direction::Write | Direction::Trim => &self.write,
        }
    }

    /// Returns the smallest size of one direction: its I/Os start at multiples of it.
    pub fn min_bytes(&self, direction: Direction) -> u32 {
        self.of(direction).iter().map(|share| share.bytes).min().unwrap_or(SECTOR_BYTES)
    }

    fn all(&self) -> impl Iterator<Item = u32> {
        self.read.iter().chain(&self.write).map(|share| share.bytes)
    }

    /// Returns the largest size, in bytes.
    pub fn max_bytes(&self) -> u32 {
        self.all().max().unwrap_or(SECTOR_BYTES)
    }

    /// Returns the largest size that divides all sizes, in bytes: the block of the region.
    pub fn unit_bytes(&self) -> u32 {
        // Euclid's algorithm. No size is 0, so no divisor is 0.
        let divisor = |a: u32, b: u32| {
            let (mut a, mut b) = (a, b);
            while b != 0 {
                (a, b) = (b, a % b);
            }
            a
        };
        self.all().fold(0, divisor).max(SECTOR_BYTES)
    }

    /// Returns whether a direction has several sizes.
    pub(crate) fn is_split(&self) -> bool {
        self.read.len() > 1 || self.write.len() > 1
    }

    /// Returns the size, if all I/Os have the same.
    fn uniform(&self) -> Option<u32> {
        let first = self.all().next()?;
        self.all().all(|bytes| bytes == first).then_some(first)
    }

    /// Reads `bs=8k`, `bs=4k,8k` and `bs=4k,8k,16k`: reads, writes, trims. Sizes that are left out
    /// are as in fio.
    pub(crate) fn read_bs(value: Value<'_>, default_bytes: u32) -> Result<Blocks, JobError> {
        let whole = |bytes| vec![Share { bytes, percent: 100 }];
        let part = |text: &str| match text {
            "" => Ok(None),
            text => value.part(text).block_bytes().map(Some),
        };
        let sizes = value.text()?.split(',').map(part).collect::<Result<Vec<_>, _>>()?;
        let sizes = match sizes[..] {
            [all] => [all; 3],
            [read, write] => [read, write, write],
            [read, write, trim] => [read, write, trim],
            _ => {
                return Err(
                    value.wrong("too many sizes; give at most three, for reads, writes and trims")
                );
            }
        };
        let [read, write, trim] = sizes.map(|bytes| bytes.unwrap_or(default_bytes));
        let blocks = Self { read: whole(read), write: whole(write) }.simple();
        Ok(Blocks { trim_bytes: Some(trim), ..blocks })
    }

    /// Reads `bssplit=4k/30:8k/70` and `bssplit=4k/30:8k/70,16k/100`.
    pub(crate) fn read_bssplit(value: Value<'_>) -> Result<Blocks, JobError> {
        let sides = value.text()?.split(',').take(4);
        let sides = sides.map(|side| shares(value, side)).collect::<Result<Vec<_>, _>>()?;
        match &sides[..] {
            [all] => Ok(Self { read: all.clone(), write: all.clone() }.simple()),
            [read, write] | [read, write, _] => {
                Ok(Self { read: read.clone(), write: write.clone() }.simple())
            }
            _ => {
                Err(value.wrong("too many lists; give at most three, for reads, writes and trims"))
            }
        }
    }

    fn simple(self) -> Blocks {
        match self.uniform() {
            Some(bytes) => Blocks { max_bytes: bytes, mix: None, trim_bytes: Some(bytes) },
            None => Blocks { max_bytes: self.max_bytes(), mix: Some(self), trim_bytes: None },
        }
    }
}

/// Sizes of a job: one, or several.
pub(crate) struct Blocks {
    pub(crate) max_bytes: u32,
    pub(crate) mix: Option<BlockMix>,
    /// Size of trims in bytes, if there is only one.
    pub(crate) trim_bytes: Option<u32>,
}

/// Reads one list of `bssplit=`. The rest of 100 % is divided equally among the sizes without a
/// share, as in fio.
fn shares(value: Value<'_>, text: &str) -> Result<Vec<Share>, JobError> {
    let mut entries = Vec::new();
    for entry in text.split(':') {
        let (size, percent) = match entry.split_once('/') {
            Some((size, "")) => (size, None),
            Some((size, percent)) => (size, Some(value.part(percent).percent()?)),
            None => (entry, None),
        };
        entries.push((value.part(size).block_bytes()?, percent));
    }
    if entries.len() > SIZES_MAX {
        return Err(value.wrong("more than 64 sizes; use fewer"));
    }
    let given: u32 = entries.iter().filter_map(|(_, percent)| *percent).map(u32::from).sum();
    let missing = entries.iter().filter(|(_, percent)| percent.is_none()).count() as u32;
    let rest = 100_u32.checked_sub(given).filter(|rest| missing != 0 || *rest == 0);
    let Some(rest) = rest else {
        return Err(value.wrong("the shares of each list must add up to 100, as in 4k/30:8k/70"));
    };
    let mut parts =
        (0..missing).map(|part| (rest / missing + u32::from(part < rest % missing)) as u8);
    let share = |(bytes, percent): (u32, Option<u8>)| Share {
        bytes,
        percent: percent.or_else(|| parts.next()).unwrap_or(0),
    };
    // A size with a share of 0 is dropped.
    Ok(entries.into_iter().map(share).filter(|share| share.percent != 0).collect())
}

impl fmt::Display for BlockMix {
    /// Prints a `bssplit=`, or a `bs=` if each direction has one size.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut side = |shares: &[Share], mut before: &str| {
            shares.iter().try_for_each(|share| {
                write!(f, "{before}{}", Bytes(share.bytes.into()))?;
                before = ":";
                if self.is_split() { write!(f, "/{}", share.percent) } else { Ok(()) }
            })
        };
        side(&self.read, "")?;
        if self.read == self.write { Ok(()) } else { side(&self.write, ",") }
    }
}
