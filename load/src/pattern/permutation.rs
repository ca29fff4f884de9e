//! Equivalent of fio's random map without a map: all numbers below a count in random order, each
//! once a pass.
//!
//! Permutation of the numbers of n bits, where 2^n is the least power of two that holds the count:
//! multiplying by an odd number and xoring with a right shift of oneself can both be undone, so any
//! chain of them permutes. A result beyond the count is skipped, which at worst is one number in
//! two. Each pass draws new keys, so its order differs. It takes no memory, whatever the count.

use super::rng::Xoshiro;

/// Number of mixing rounds.
const ROUNDS: usize = 4;
/// Odd numbers with well-mixed low bits: splitmix64's two, twice.
const MULTIPLIERS: [u64; ROUNDS] = {
    let (one, two) = (0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb);
    [one, two, one, two]
};

/// Numbers below a count, in an order that looks random.
#[derive(Clone, Debug)]
pub(super) struct Permutation {
    count: u64,
    /// Mask of all bits that a number below the count may have.
    mask: u64,
    /// Half the number of those bits, rounded up: the upper half meets the lower.
    shift: u32,
    keys: [u64; ROUNDS],
    /// Number to be mapped next; over the mask when the pass is done.
    next: u64,
}

impl Permutation {
    /// Returns the numbers below `count`, which is neither 0 nor over 2^63.
    pub(super) fn new(count: u64, rng: &mut Xoshiro) -> Self {
        let bits = u64::BITS - (count - 1).leading_zeros();
        let keys = [(); ROUNDS].map(|()| rng.next_u64());
        Self { count, mask: (1 << bits) - 1, shift: bits.div_ceil(2).max(1), keys, next: 0 }
    }

    /// Begins another pass.
    pub(super) fn begin_pass(&mut self, rng: &mut Xoshiro) {
        *self = Self::new(self.count, rng);
    }

    /// Returns the next number. After the last of a pass another pass begins.
    #[inline(always)]
    pub(super) fn draw(&mut self, rng: &mut Xoshiro) -> u64 {
        // Ends: a pass has at least one number below the count.
        loop {
            if self.next > self.mask {
                *self = Self::new(self.count, rng);
            }
            let number = self.map(self.next);
            self.next += 1;
            if number < self.count {
                return number;
            }
        }
    }

    /// Returns the place of `number`, which is below the count, in this pass: a different one for
    /// each.
    pub(super) fn place(&self, number: u64) -> u64 {
        // Ends: a bijection comes back to where it began.
        let mut place = self.map(number);
        while place >= self.count {
            place = self.map(place);
        }
        place
    }

    #[inline]
    fn map(&self, number: u64) -> u64 {
        // With three rounds the steps between neighbours are visibly uneven.
        self.keys.iter().zip(MULTIPLIERS).fold(number, |mixed, (key, multiplier)| {
            let mixed = (mixed ^ key).wrapping_mul(multiplier) & self.mask;
            mixed ^ (mixed >> self.shift)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn pass(permutation: &mut Permutation, rng: &mut Xoshiro) -> Vec<u64> {
        (0..permutation.count).map(|_| permutation.draw(rng)).collect()
    }

    #[test]
    fn neighbours_are_scattered() {
        // Of 2^14 steps between two numbers drawn in a row, as many fall into each 16th of the
        // range as chance has it: chi squared with 15 degrees of freedom is over 37.7 once in a
        // thousand seeds; these are eight.
        for seed in 0..8 {
            let mut rng = Xoshiro::new(seed);
            let numbers = pass(&mut Permutation::new(1 << 14, &mut rng), &mut rng);
            let mut counts = [0_u32; 16];
            for pair in numbers.windows(2) {
                counts[((pair[1].wrapping_sub(pair[0]) & 0x3fff) >> 10) as usize] += 1;
            }
            let chi: f64 = counts.iter().map(|&n| (f64::from(n) - 1024.0).powi(2) / 1024.0).sum();
            assert!(chi < 37.7, "seed {seed}: {chi} {counts:?}");
        }
    }

    #[test]
    fn passes_differ() {
        let mut rng = Xoshiro::new(5);
        let mut permutation = Permutation::new(1000, &mut rng);
        let (first, second) = (pass(&mut permutation, &mut rng), pass(&mut permutation, &mut rng));
        let equal = first.iter().zip(&second).filter(|(a, b)| a == b).count();
        assert!(equal < 10, "{equal}");
    }

    #[test]
    fn the_greatest_count_works() {
        let mut rng = Xoshiro::new(1);
        let mut permutation = Permutation::new(1 << 63, &mut rng);
        assert_ne!(permutation.draw(&mut rng), permutation.draw(&mut rng));
    }

    proptest! {
        #[test]
        fn each_number_comes_once_a_pass(count in 1..3000_u64, seed: u64) {
            let mut rng = Xoshiro::new(seed);
            let mut permutation = Permutation::new(count, &mut rng);
            for _ in 0..3 {
                let mut numbers = pass(&mut permutation, &mut rng);
                numbers.sort_unstable();
                prop_assert!(numbers.into_iter().eq(0..count));
            }
            let mut places: Vec<u64> = (0..count).map(|n| permutation.place(n)).collect();
            places.sort_unstable();
            prop_assert!(places.into_iter().eq(0..count));
        }
    }
}
