//! Which block comes next: the sequence of directions and offsets of one job on one disk.
//!
//! Random blocks are drawn independently and uniformly, so some repeat before others are visited:
//! fio's `norandommap`. fio's random map (each block once a pass) is not kept yet. Sequential reads
//! and writes each have their own place and start again at the region's end, as in fio.
//! A pattern never ends; the caller stops it by time or by bytes ([`Region::io_bytes`]).

use crate::job::{Job, Region};
use crate::size::percent_of;

/// Which way the data goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the disk.
    Read,
    /// To the disk.
    Write,
}

/// An endless sequence of I/Os, the same for the same job, region and seed.
#[derive(Clone, Debug)]
pub struct Pattern {
    rng: Xoshiro,
    directions: Directions,
    places: Places,
    region_offset: u64,
}

#[derive(Clone, Debug)]
enum Directions {
    Only(Direction),
    /// A read if a 63-bit draw is below this.
    Mixed {
        read_below: u64,
    },
}

#[derive(Clone, Debug)]
enum Places {
    Random { blocks: Blocks, bs_bytes: u64 },
    Sequential { read: Cursor, write: Cursor },
}

impl Pattern {
    /// The sequence of `job` within `region`. The caller gives the seed: `job.randseed`, or a new
    /// one for a job with `randrepeat=0`.
    ///
    /// # Panics
    /// If `region` is smaller than a block, which [`Job::resolve`] rules out.
    pub fn new(job: &Job, region: Region, seed: u64) -> Self {
        let bs_bytes = u64::from(job.bs_bytes);
        let blocks = region.size_bytes / bs_bytes;
        assert!(blocks > 0, "a region of at least one block");
        let cursor = Cursor { next: 0, step: bs_bytes, end: blocks * bs_bytes };
        Self {
            rng: Xoshiro::new(seed),
            directions: match (job.rw.reads(), job.rw.writes()) {
                (true, true) => {
                    Directions::Mixed { read_below: percent_of(1 << 63, job.rwmixread) }
                }
                (_, false) => Directions::Only(Direction::Read),
                (false, true) => Directions::Only(Direction::Write),
            },
            places: if job.rw.is_random() {
                Places::Random { blocks: Blocks::new(blocks), bs_bytes }
            } else {
                Places::Sequential { read: cursor.clone(), write: cursor }
            },
            region_offset: region.offset_bytes,
        }
    }

    /// The next I/O: its direction, and its offset in bytes from the start of the disk.
    #[inline]
    pub fn next_io(&mut self) -> (Direction, u64) {
        let direction = match self.directions {
            Directions::Only(direction) => direction,
            Directions::Mixed { read_below } if self.rng.next_u64() >> 1 < read_below => {
                Direction::Read
            }
            Directions::Mixed { .. } => Direction::Write,
        };
        let place = match (&mut self.places, direction) {
            (Places::Random { blocks, bs_bytes }, _) => blocks.draw(&mut self.rng) * *bs_bytes,
            (Places::Sequential { read, .. }, Direction::Read) => read.advance(),
            (Places::Sequential { write, .. }, Direction::Write) => write.advance(),
        };
        (direction, self.region_offset + place)
    }
}

/// A place that moves by one block and starts again at the end.
#[derive(Clone, Debug)]
struct Cursor {
    next: u64,
    step: u64,
    end: u64,
}

impl Cursor {
    #[inline]
    fn advance(&mut self) -> u64 {
        let place = self.next;
        let after = place + self.step;
        self.next = if after == self.end { 0 } else { after };
        place
    }
}

/// Draws below `count` without bias and without dividing (Lemire, arXiv:1805.10941): the high half
/// of a product, after refusing the few low halves that would favour some blocks.
#[derive(Clone, Debug)]
struct Blocks {
    count: u64,
    refuse_below: u64,
}

impl Blocks {
    fn new(count: u64) -> Self {
        Self { count, refuse_below: count.wrapping_neg() % count }
    }

    #[inline]
    fn draw(&self, rng: &mut Xoshiro) -> u64 {
        // Ends: each turn succeeds with probability over one half.
        loop {
            let product = u128::from(rng.next_u64()) * u128::from(self.count);
            if product as u64 >= self.refuse_below {
                return (product >> 64) as u64;
            }
        }
    }
}

/// xoshiro256** (Blackman and Vigna, <https://prng.di.unimi.it>), seeded through splitmix64.
#[derive(Clone, Debug)]
struct Xoshiro {
    state: [u64; 4],
}

impl Xoshiro {
    fn new(seed: u64) -> Self {
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
    fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let (c, d) = (c ^ a, d ^ b);
        self.state = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        b.wrapping_mul(5).rotate_left(7).wrapping_mul(9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Rw;
    use alloc::vec;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    const REGION: Region = Region { offset_bytes: 8192, size_bytes: 4 * 4096, io_bytes: None };

    fn job(rw: Rw) -> Job {
        Job { rw, ..Job::default() }
    }

    fn ios(job: &Job, region: Region, seed: u64, count: usize) -> Vec<(Direction, u64)> {
        let mut pattern = Pattern::new(job, region, seed);
        (0..count).map(|_| pattern.next_io()).collect()
    }

    #[test]
    fn generators_give_their_authors_figures() {
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
    fn sequential_starts_again_at_the_regions_end() {
        let offsets: Vec<u64> =
            ios(&job(Rw::Write), REGION, 1, 6).into_iter().map(|(_, offset)| offset).collect();
        assert_eq!(offsets, [8192, 12288, 16384, 20480, 8192, 12288]);
    }

    #[test]
    fn mixed_sequential_keeps_a_place_for_each_direction() {
        let ios = ios(&job(Rw::ReadWrite), REGION, 1, 100);
        for wanted in [Direction::Read, Direction::Write] {
            let places = ios.iter().filter(|(direction, _)| *direction == wanted);
            for (index, (_, offset)) in places.enumerate() {
                assert_eq!(*offset, 8192 + index as u64 % 4 * 4096);
            }
        }
    }

    #[test]
    fn mixes() {
        for (rwmixread, at_least, at_most) in [(0, 0, 0), (30, 2_800, 3_200), (100, 10_000, 10_000)]
        {
            let job = Job { rwmixread, ..job(Rw::RandRw) };
            let reads = ios(&job, REGION, 7, 10_000)
                .iter()
                .filter(|(direction, _)| *direction == Direction::Read)
                .count();
            assert!((at_least..=at_most).contains(&reads), "{rwmixread} %: {reads}");
        }
    }

    #[test]
    fn random_blocks_are_equally_likely() {
        let blocks = 10;
        let region = Region { size_bytes: blocks * 4096, ..REGION };
        let mut counts = vec![0_u64; blocks as usize];
        for (direction, offset) in ios(&job(Rw::RandRead), region, 42, 100_000) {
            assert_eq!(direction, Direction::Read);
            counts[((offset - 8192) / 4096) as usize] += 1;
        }
        // Chi squared with 9 degrees of freedom is over 27.9 once in a thousand seeds; this is one.
        let chi: f64 = counts.iter().map(|&n| (n as f64 - 10_000.0).powi(2) / 10_000.0).sum();
        assert!(chi < 27.9, "{chi}: {counts:?}");
    }

    #[test]
    fn drawing_refuses_exactly_the_surplus() {
        // 2^64 values over 3 blocks leave one over.
        assert_eq!(Blocks::new(3).refuse_below, 1);
        assert_eq!(Blocks::new(1 << 20).refuse_below, 0);
    }

    #[test]
    fn seeds_repeat_and_differ() {
        let job = job(Rw::RandRead);
        let region = Region { size_bytes: 1 << 30, ..REGION };
        assert_eq!(ios(&job, region, 3, 50), ios(&job, region, 3, 50));
        assert_ne!(ios(&job, region, 3, 50), ios(&job, region, 4, 50));
    }

    proptest! {
        #[test]
        fn every_io_is_in_the_region(
            offset_bytes in 0..u64::MAX / 2,
            blocks in 1..1_u64 << 40,
            sectors in 1..=88_u32,
            seed: u64,
        ) {
            let bs_bytes = sectors * 512;
            let size_bytes = blocks * u64::from(bs_bytes);
            let region = Region { offset_bytes, size_bytes, io_bytes: None };
            for rw in Rw::NAMES.map(|(_, rw)| rw) {
                for (_, offset) in ios(&Job { bs_bytes, ..job(rw) }, region, seed, 20) {
                    let place = offset - offset_bytes;
                    prop_assert!(place < size_bytes && place % u64::from(bs_bytes) == 0);
                }
            }
        }
    }
}
