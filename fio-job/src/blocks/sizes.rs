//! Sizes of the I/Os of one direction.

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

/// Sizes of the I/Os of one direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sizes {
    /// Sizes with their shares, the least share first; never empty. One without a share may be the
    /// smallest, whose multiples are where I/Os begin.
    Shares(Vec<Share>),
    /// Multiples of the least, each as likely, up to the greatest, which has what is left over
    /// (`bsrange=`).
    Range {
        /// Least size, in bytes.
        least: u32,
        /// Greatest size, in bytes.
        most: u32,
    },
}

impl Sizes {
    /// Returns a single size.
    pub(crate) fn one(bytes: u32) -> Self {
        Self::Shares(vec![Share { bytes, percent: 100 }])
    }

    fn sizes(&self) -> impl Iterator<Item = u32> {
        let (shares, ends) = match self {
            Self::Shares(shares) => (&shares[..], None),
            Self::Range { least, most } => (&[][..], Some([*least, *most])),
        };
        shares.iter().map(|share| share.bytes).chain(ends.into_iter().flatten())
    }

    /// Returns the smallest size, in bytes.
    pub fn min_bytes(&self) -> u32 {
        self.sizes().min().unwrap_or(SECTOR_BYTES)
    }

    /// Returns the largest size, in bytes.
    pub fn max_bytes(&self) -> u32 {
        self.sizes().max().unwrap_or(SECTOR_BYTES)
    }

    /// Returns the largest size that divides all sizes, in bytes.
    pub(super) fn unit_bytes(&self) -> u32 {
        self.sizes().fold(0, divisor)
    }

    /// Returns whether some are no multiples of the smallest, which only `bs_unaligned` allows.
    pub(super) fn is_unaligned(&self) -> bool {
        let least = self.min_bytes();
        match self {
            Self::Shares(shares) => shares.iter().any(|one| !one.bytes.is_multiple_of(least)),
            Self::Range { .. } => false,
        }
    }

    /// Returns the mean size of an I/O, in bytes, at least 1.
    pub fn mean_bytes(&self) -> u64 {
        let mean = match self {
            Self::Shares(shares) => {
                let parts = shares.iter().map(|one| u64::from(one.bytes) * u64::from(one.percent));
                parts.sum::<u64>() / 100
            }
            Self::Range { least, most } => {
                // Each number below the greatest size makes one of them.
                let (least, most) = (u128::from(*least).max(1), u128::from(*most));
                let whole = most / least;
                // The sizes 1 to `whole` times the least, and the greatest for what is left over.
                let sum = least * least * whole * (whole + 1) / 2 + (most - whole * least) * most;
                (sum / most.max(1)) as u64
            }
        };
        mean.max(1)
    }
}

/// Returns the greatest common divisor; of 0 and a number, the number.
pub(super) fn divisor(a: u32, b: u32) -> u32 {
    // Euclid's algorithm: no divisor is 0.
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Reads one list of `bssplit=`; `None` if it is empty. A share that is left out or 0 gets an equal
/// part of what is missing to 100 %; of shares of more than 100 % the largest are cut, as in fio.
pub(super) fn read_shares(value: Value<'_>, text: &str) -> Result<Option<Vec<Share>>, JobError> {
    let mut given = Vec::new();
    // As in fio, an empty entry ends the list.
    for entry in text.split(':').take_while(|entry| !entry.is_empty()) {
        let (size, percent) = entry.split_once('/').unwrap_or((entry, ""));
        let percent = match percent {
            "" => 0,
            // fio drops what is behind the digits.
            percent => {
                let percent = percent.strip_suffix('%').unwrap_or(percent);
                value.part(percent).count()?.min(100) as u32
            }
        };
        given.push((value.part(size).block_bytes()?, percent));
    }
    if given.len() > SIZES_MAX {
        return Err(value.wrong("more than 64 sizes; use fewer"));
    }
    let sum: u32 = given.iter().map(|(_, percent)| percent).sum();
    let missing = given.iter().filter(|(_, percent)| *percent == 0).count() as u32;
    let Some(rest) = 100_u32.checked_sub(sum).or((missing == 0).then_some(0)) else {
        return Err(
            value.wrong("the shares of a list are more than 100; use, for example, 4k/30:8k")
        );
    };
    let part = rest.checked_div(missing).unwrap_or(0);
    given.iter_mut().filter(|(_, percent)| *percent == 0).for_each(|(_, percent)| *percent = part);
    Ok(Some(shares(given)).filter(|shares| !shares.is_empty()))
}

/// Returns shares of 100 % in all, the least first.
fn shares(mut given: Vec<(u32, u32)>) -> Vec<Share> {
    given.sort_by_key(|(_, percent)| *percent);
    let (mut left, last) = (100_u32, given.len().saturating_sub(1));
    let share = |(index, (bytes, percent)): (usize, (u32, u32))| {
        let percent = if index == last { left } else { percent.min(left) };
        left -= percent;
        Share { bytes, percent: percent as u8 }
    };
    let mut shares: Vec<Share> = given.into_iter().enumerate().map(share).collect();
    shares.sort_by_key(|share| share.percent);
    shares
}

/// Returns the sizes as fio uses them: rounded down to multiples of the smallest, unless they are
/// `unaligned`.
pub(super) fn rounded(mut shares: Vec<Share>, unaligned: bool) -> Sizes {
    let least = shares.iter().map(|share| share.bytes).min().unwrap_or(SECTOR_BYTES);
    if !unaligned {
        shares.iter_mut().for_each(|share| share.bytes -= share.bytes % least.max(1));
    }
    let used = shares.iter().filter(|share| share.percent != 0).map(|share| share.bytes).min();
    shares.retain(|share| share.percent != 0 || Some(share.bytes) < used);
    Sizes::Shares(shares)
}

impl fmt::Display for Sizes {
    /// Prints a list of `bssplit=`, or a range of `bsrange=`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shares(shares) => {
                let mut before = "";
                shares.iter().try_for_each(|Share { bytes, percent }| {
                    write!(f, "{before}{}/{percent}", Bytes((*bytes).into()))?;
                    before = ":";
                    Ok(())
                })
            }
            Self::Range { least, most } => {
                write!(f, "{}-{}", Bytes((*least).into()), Bytes((*most).into()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_mean_is_that_of_all_draws() {
        for (least, most) in [(512, 512), (1024, 4096), (4, 10), (3, 100), (7, 7 * 9 + 6)] {
            let sum: u64 = (0..most)
                .map(|number| u64::from(((least + number) / least * least).min(most)))
                .sum();
            assert_eq!(Sizes::Range { least, most }.mean_bytes(), sum / u64::from(most));
        }
        let shares = [(4096, 25), (8192, 75)].map(|(bytes, percent)| Share { bytes, percent });
        assert_eq!(Sizes::Shares(shares.to_vec()).mean_bytes(), 7168);
    }

    /// Shares as fio 3.33 draws them.
    #[test]
    fn shares_are_completed_and_cut_as_in_fio() {
        for (list, expected) in [
            ("4k/30:8k/70", "4k/30:8k/70"),
            ("8k/90:16k/10", "16k/10:8k/90"),
            ("4k/50:1k:2k:512/0", "1k/16:2k/16:512/16:4k/52"),
            ("4k:1k:2k", "4k/33:1k/33:2k/34"),
            ("4k/20:8k/30", "4k/20:8k/80"),
            ("4k/60:8k/80", "8k/40:4k/60"),
            ("4k/101", "4k/100"),
            ("4k/0:8k/100", "4k/0:8k/100"),
            ("8k/0:4k/100", "4k/100"),
            ("8k:", "8k/100"),
            ("4k/50:6k/50", "4k/50:4k/50"),
        ] {
            let value = Value::new("bssplit", Some(list));
            let shares = read_shares(value, list).expect(list).expect(list);
            assert_eq!(rounded(shares, false).to_string(), expected, "{list}");
        }
    }
}
