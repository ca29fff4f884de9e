//! Draw of an I/O's size.

use super::rng::{Below, Xoshiro};
use fio_job::{Share, Sizes};

/// Returns a size of those that fit `room` bytes, at least the smallest of them. What does not fit
/// is drawn again, as in fio, so that those that do share what is left.
pub(super) fn draw(sizes: &Sizes, room: u64, rng: &mut Xoshiro) -> u32 {
    match sizes {
        Sizes::Shares(shares) => draw_share(shares, room, rng).unwrap_or(sizes.min_bytes()),
        Sizes::Range { least, most } if least == most => *least,
        Sizes::Range { least, most } => {
            let (least, most) = (u64::from(*least).max(1), u64::from(*most));
            // The number of draws that give a size which fits.
            let draws = if room >= most { most } else { room - room % least };
            let drawn = least + Below::new(draws.max(1)).draw(rng);
            (drawn - drawn % least).min(most) as u32
        }
    }
}

/// Returns one of the sizes that fit; `None` if none of those with a share does.
fn draw_share(shares: &[Share], room: u64, rng: &mut Xoshiro) -> Option<u32> {
    if let [only] = shares {
        return Some(only.bytes);
    }
    // A draw for one that does not fit goes to the next that does, and is repeated if none follows.
    let fits = |share: &Share| share.percent != 0 && u64::from(share.bytes) <= room;
    let last = shares.iter().rposition(fits)?;
    let percent =
        |shares: &[Share]| shares.iter().map(|share| u64::from(share.percent)).sum::<u64>();
    let drawn = Below::new(percent(&shares[..=last])).draw(rng);
    let mut below = 0;
    let found = shares.iter().find(|share| {
        below += u64::from(share.percent);
        drawn < below && fits(share)
    });
    found.map(|share| share.bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use alloc::vec::Vec;

    /// Returns how many of 100 draws give each size.
    fn shares(sizes: &Sizes, room: u64) -> Vec<(u32, u32)> {
        let mut rng = Xoshiro::new(11);
        let mut counts = BTreeMap::new();
        const DRAWS: u32 = 100_000;
        for _ in 0..DRAWS {
            *counts.entry(draw(sizes, room, &mut rng)).or_insert(0) += 1;
        }
        counts
            .into_iter()
            .map(|(bytes, count)| (bytes, (count + DRAWS / 200) / (DRAWS / 100)))
            .collect()
    }

    #[test]
    fn a_range_has_its_multiples_and_its_end() {
        let sizes = |least, most| Sizes::Range { least, most };
        let all = [(4, 25), (8, 25), (12, 25), (16, 25)];
        assert_eq!(shares(&sizes(4, 16), 16), all);
        assert_eq!(shares(&sizes(4, 16), 15), [(4, 33), (8, 33), (12, 33)]);
        assert_eq!(shares(&sizes(4, 16), 4), [(4, 100)]);
        assert_eq!(shares(&sizes(4, 10), 99), [(4, 40), (8, 40), (10, 20)]);
        assert_eq!(shares(&sizes(4, 10), 9), [(4, 50), (8, 50)]);
        assert_eq!(shares(&sizes(4, 4), 99), [(4, 100)]);
    }

    #[test]
    fn what_does_not_fit_is_the_next_that_does() {
        let of = |shares: &[(u32, u8)]| {
            Sizes::Shares(shares.iter().map(|&(bytes, percent)| Share { bytes, percent }).collect())
        };
        let sizes = of(&[(32, 10), (16, 20), (4, 30), (8, 40)]);
        assert_eq!(shares(&sizes, 32), [(4, 30), (8, 40), (16, 20), (32, 10)]);
        assert_eq!(shares(&sizes, 16), [(4, 30), (8, 40), (16, 30)]);
        assert_eq!(shares(&sizes, 8), [(4, 60), (8, 40)]);
        assert_eq!(shares(&sizes, 4), [(4, 100)]);
        assert_eq!(shares(&of(&[(4, 0), (8, 100)]), 4), [(4, 100)]);
        assert_eq!(shares(&of(&[(4, 0), (8, 100)]), 8), [(8, 100)]);
    }
}
