//! Random numbers: fast, seeded, the same everywhere.

/// Generator xoshiro256** (Blackman and Vigna, <https://prng.di.unimi.it>), seeded through
/// splitmix64.
#[derive(Clone, Debug)]
pub(crate) struct Xoshiro {
    state: [u64; 4],
}

impl Xoshiro {
    pub(crate) fn new(seed: u64) -> Self {
        let mut word = seed;
        let state = [(); 4].map(|()| {
            word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        });
        Self { state }
    }

    #[inline]
    pub(crate) fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let (c, d) = (c ^ a, d ^ b);
        self.state = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        b.wrapping_mul(5).rotate_left(7).wrapping_mul(9)
    }

    /// Returns a number from 0 to less than 1, in steps of 2^-53.
    pub(super) fn next_unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Returns a number from 0 to less than 37 by the exponential law with mean 1.
    pub(crate) fn next_exponential(&mut self) -> f64 {
        -libm::log(1.0 - self.next_unit())
    }
}

/// Draw below `count` without bias and without dividing (Lemire, arXiv:1805.10941): the high half
/// of a product, after refusing the few low halves that would favour some numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Below {
    count: u64,
    refuse_below: u64,
}

impl Below {
    /// Returns the draw below `count`, which is not 0.
    pub(crate) fn new(count: u64) -> Self {
        Self { count, refuse_below: count.wrapping_neg() % count }
    }

    #[inline]
    pub(crate) fn draw(&self, rng: &mut Xoshiro) -> u64 {
        // This ends: each turn succeeds with probability over one half.
        loop {
            let product = u128::from(rng.next_u64()) * u128::from(self.count);
            if product as u64 >= self.refuse_below {
                return (product >> 64) as u64;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generators_match_their_authors_figures() {
        let mut rng = Xoshiro { state: [1, 2, 3, 4] };
        let expected = [11_520, 0, 1_509_978_240, 1_215_971_899_390_074_240];
        assert_eq!([(); 4].map(|()| rng.next_u64()), expected);
        let splitmix = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
        ];
        assert_eq!(Xoshiro::new(1_234_567).state, splitmix);
    }

    #[test]
    fn drawing_refuses_exactly_the_surplus() {
        // 2^64 values over 3 blocks leave one over.
        assert_eq!(Below::new(3).refuse_below, 1);
        assert_eq!(Below::new(1 << 20).refuse_below, 0);
    }
}
