//! Sequence of directions, offsets and sizes of one job on one disk.
//!
//! Random blocks come as with fio's random map, each once before any repeats, or with `norandommap`
//! independently. With several sizes that takes a map, which [`Pattern::make_map`] makes.
//! Sequential reads and writes each have their own place and start again at the region's end, as in
//! fio. A pattern never ends; the caller stops it by time or by bytes ([`Region::io_bytes`]).

mod cursor;
mod map;
mod mixed;
mod permutation;
pub(crate) mod rng;
mod sizes;
mod skew;

use alloc::boxed::Box;
use cursor::Cursor;
use fio_job::number::percent_of;
use fio_job::{Direction, Distribution, Job, Region};
use mixed::Mixed;
use permutation::Permutation;
use rng::{Below, Xoshiro};

/// Single I/O of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Io {
    /// Direction of the I/O.
    pub direction: Direction,
    /// Offset from the start of the disk, in bytes.
    pub offset: u64,
    /// Length, in bytes.
    pub bytes: u32,
}

/// Endless sequence of I/Os, the same for the same job, region and seed.
#[derive(Clone, Debug)]
pub struct Pattern {
    rng: Xoshiro,
    directions: Directions,
    places: Places,
    region_offset: u64,
    /// Size of an I/O in bytes, unless [`Places::Mixed`] draws it.
    bs_bytes: u32,
}

#[derive(Clone, Debug)]
enum Directions {
    Only(Direction),
    /// Reads and writes: an I/O is a read if a 63-bit draw is below this bound.
    Mixed {
        read_below: u64,
    },
}

#[derive(Clone, Debug)]
enum Places {
    Sequential {
        read: Cursor,
        write: Cursor,
    },
    /// Each block once a pass, in either direction.
    Map(Permutation),
    Independent(Below),
    /// Everything that takes more than a few instructions.
    Mixed(Box<Mixed>),
}

impl Places {
    /// Returns the places of a job whose blocks are all alike.
    fn plain(job: &Job, region: Region, rng: &mut Xoshiro) -> Self {
        let bs_bytes = u64::from(job.bs_bytes);
        let blocks = region.size_bytes / bs_bytes;
        assert!(blocks > 0, "a region of at least one block");
        let cursor = Cursor { next: 0, step: bs_bytes, end: blocks * bs_bytes };
        match job.norandommap {
            _ if !job.rw.is_random() => Self::Sequential { read: cursor.clone(), write: cursor },
            true => Self::Independent(Below::new(blocks)),
            false => Self::Map(Permutation::new(blocks, rng)),
        }
    }
}

impl Pattern {
    /// Returns the sequence of `job` within `region`. The caller gives the seed: `job.randseed`, or
    /// a new one for a job with `randrepeat=0`.
    ///
    /// # Panics
    /// If `region` is smaller than a block, which [`Job::resolve`] rules out.
    pub fn new(job: &Job, region: Region, seed: u64) -> Self {
        let mut rng = Xoshiro::new(seed);
        let places = match Mixed::new(job, region, &mut rng) {
            Some(mixed) => Places::Mixed(Box::new(mixed)),
            None => Places::plain(job, region, &mut rng),
        };
        Self {
            rng,
            directions: match (job.rw.reads(), job.rw.writes()) {
                (true, true) => {
                    Directions::Mixed { read_below: percent_of(1 << 63, job.rwmixread) }
                }
                (false, false) => Directions::Only(Direction::Trim),
                (true, false) => Directions::Only(Direction::Read),
                (false, true) => Directions::Only(Direction::Write),
            },
            places,
            region_offset: region.offset_bytes,
            bs_bytes: job.bs_bytes,
        }
    }

    /// Returns the bytes that its random map takes, a bit for each block; 0 if it needs none.
    pub fn map_bytes(&self) -> u64 {
        if let Places::Mixed(mixed) = &self.places { mixed.map_bytes() } else { 0 }
    }

    /// Makes the random map, if it needs one; without it blocks repeat. Returns whether there was
    /// memory for it.
    pub fn make_map(&mut self) -> bool {
        if let Places::Mixed(mixed) = &mut self.places { mixed.make_map() } else { true }
    }

    /// Begins again at the region's start, in an order that was not drawn before.
    pub fn rewind(&mut self) {
        match &mut self.places {
            Places::Sequential { read, write } => (read.next, write.next) = (0, 0),
            Places::Map(blocks) => blocks.begin_pass(&mut self.rng),
            Places::Independent(_) => {}
            Places::Mixed(mixed) => mixed.rewind(&mut self.rng),
        }
    }

    /// Returns it as a start to [go back](Self::restart) to, before the first I/O of a pass:
    /// without the memory of its random map.
    pub fn as_start(&mut self) -> Self {
        let map = match &mut self.places {
            Places::Mixed(mixed) => mixed.take_map(),
            _ => None,
        };
        let start = self.clone();
        if let Places::Mixed(mixed) = &mut self.places {
            mixed.put_map(map);
        }
        start
    }

    /// Begins again as `start` is, which was taken before the first I/O of a pass; it keeps the
    /// memory of its random map.
    pub fn restart(&mut self, start: &Self) {
        let map = match &mut self.places {
            Places::Mixed(mixed) => mixed.take_map(),
            _ => None,
        };
        self.clone_from(start);
        if let Places::Mixed(mixed) = &mut self.places {
            mixed.put_map(map);
        }
    }

    /// Returns the next I/O.
    pub fn next_io(&mut self) -> Io {
        let direction = self.next_direction();
        self.next_in(direction)
    }

    /// Returns the next I/O, with the usual patterns in few instructions.
    #[inline(always)]
    pub fn next_fast(&mut self) -> Io {
        let (Directions::Only(direction), Places::Independent(blocks)) =
            (&self.directions, &self.places)
        else {
            return self.next_io();
        };
        let place = blocks.draw(&mut self.rng) * u64::from(self.bs_bytes);
        let offset = self.region_offset + place;
        Io { direction: *direction, offset, bytes: self.bs_bytes }
    }

    /// Returns the direction of the next I/O.
    #[inline]
    pub fn next_direction(&mut self) -> Direction {
        match self.directions {
            Directions::Only(direction) => direction,
            Directions::Mixed { read_below } if self.rng.next_u64() >> 1 < read_below => {
                Direction::Read
            }
            Directions::Mixed { .. } => Direction::Write,
        }
    }

    /// Returns the next I/O, given its direction.
    #[inline]
    pub fn next_in(&mut self, direction: Direction) -> Io {
        let bs_bytes = u64::from(self.bs_bytes);
        let (place, bytes) = match (&mut self.places, direction) {
            (Places::Sequential { read, .. }, Direction::Read) => (read.advance(), self.bs_bytes),
            (Places::Sequential { write, .. }, Direction::Write | Direction::Trim) => {
                (write.advance(), self.bs_bytes)
            }
            (Places::Map(blocks), _) => (blocks.draw(&mut self.rng) * bs_bytes, self.bs_bytes),
            (Places::Independent(blocks), _) => {
                (blocks.draw(&mut self.rng) * bs_bytes, self.bs_bytes)
            }
            (Places::Mixed(mixed), _) => mixed.next(direction, &mut self.rng),
        };
        Io { direction, offset: self.region_offset + place, bytes }
    }
}

/// Returns whether the blocks of a job are drawn without a map.
pub(crate) fn is_drawn(job: &Job) -> bool {
    let is_skewed = job.distribution != Distribution::Random;
    job.rw.is_random() && (job.norandommap || is_skewed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::vec;
    use alloc::vec::Vec;
    use fio_job::Rw;
    use proptest::prelude::*;

    const REGION: Region = Region { offset_bytes: 8192, size_bytes: 4 * 4096, io_bytes: None };

    fn job(rw: Rw) -> Job {
        Job { rw, ..Job::default() }
    }

    fn ios(job: &Job, region: Region, seed: u64, count: usize) -> Vec<(Direction, u64)> {
        let mut pattern = Pattern::new(job, region, seed);
        let next = |_| pattern.next_io();
        (0..count).map(next).map(|io| (io.direction, io.offset)).collect()
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
    fn mixed_jobs_read_their_share() {
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
        let job = Job { norandommap: true, ..job(Rw::RandRead) };
        for (direction, offset) in ios(&job, region, 42, 100_000) {
            assert_eq!(direction, Direction::Read);
            counts[((offset - 8192) / 4096) as usize] += 1;
        }
        // Chi squared with 9 degrees of freedom is over 27.9 once in a thousand seeds; this is one.
        let chi: f64 = counts.iter().map(|&n| (n as f64 - 10_000.0).powi(2) / 10_000.0).sum();
        assert!(chi < 27.9, "{chi}: {counts:?}");
    }

    #[test]
    fn a_random_map_has_each_block_once_a_pass() {
        for (rw, norandommap) in [(Rw::RandRead, false), (Rw::RandRw, false), (Rw::RandRw, true)] {
            let job = Job { norandommap, ..job(rw) };
            let region = Region { size_bytes: 1000 * 4096, ..REGION };
            let ios = ios(&job, region, 9, 3000);
            let passes = ios.chunks(1000).map(|pass| {
                let mut offsets: Vec<u64> = pass.iter().map(|&(_, offset)| offset).collect();
                offsets.sort_unstable();
                offsets.into_iter().eq((0..1000).map(|block| 8192 + block * 4096))
            });
            assert!(passes.into_iter().all(|complete| complete != norandommap), "{rw}");
        }
    }

    #[test]
    fn the_fast_way_gives_the_same_sequence() {
        for rw in Rw::NAMES.map(|(_, rw)| rw) {
            for norandommap in [false, true] {
                let job = Job { norandommap, bs_bytes: 1536, ..job(rw) };
                let region = Region { size_bytes: 1000 * 1536, ..REGION };
                let mut fast = Pattern::new(&job, region, 5);
                let mut any = fast.clone();
                for _ in 0..1500 {
                    assert_eq!(fast.next_fast(), any.next_io(), "{rw}");
                }
            }
        }
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
        fn a_job_that_fits_can_run(
            disk_sectors in 1..500_u64,
            sizes in prop::collection::vec(1..=64_u32, 1..4),
            (offset, size, io_size) in (0..=100_u8, 1..=100_u8, 1..300_u64),
            (number_ios, loops) in (1..50_u64, 1..4_u64),
            rw in prop::sample::select(&["read", "randread", "rw", "randwrite", "trim"][..]),
        ) {
            let mix = sizes.iter().map(|sectors| format!("{}", sectors * 512)).collect::<Vec<_>>();
            let (key, mix) =
                if rw == "trim" { ("bs", mix[0].clone()) } else { ("bssplit", mix.join("/:")) };
            let line = format!(
                "filename=xvda rw={rw} {key}={mix} offset={offset}% size={size}% \
                 io_size={} loops={loops} number_ios={number_ios} norandommap",
                io_size * 512
            );
            let job = fio_job::parse(&line).expect(&line).remove(0);
            if let Ok(region) = job.resolve("xvda", disk_sectors * 512, 512) {
                let mut pattern = Pattern::new(&job, region, 1);
                let end = region.offset_bytes + region.size_bytes;
                prop_assert!(end <= disk_sectors * 512);
                for _ in 0..100 {
                    let io = pattern.next_io();
                    prop_assert!(io.bytes != 0 && io.bytes.is_multiple_of(512));
                    prop_assert!(io.offset >= region.offset_bytes);
                    prop_assert!(io.offset + u64::from(io.bytes) <= end, "{line}");
                }
            }
        }

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
                for norandommap in [false, true] {
                    let job = Job { bs_bytes, norandommap, ..job(rw) };
                    for (_, offset) in ios(&job, region, seed, 20) {
                        let place = offset - offset_bytes;
                        prop_assert!(place < size_bytes && place % u64::from(bs_bytes) == 0);
                    }
                }
            }
        }
    }
}
