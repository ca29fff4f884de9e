//! Patterns that take more than a few instructions: several sizes, or blocks not equally likely.
//!
//! An I/O starts at a multiple of its direction's smallest size, as in fio, and its size is drawn;
//! a size that would cross the region's end is replaced by the smallest.

use super::cursor::Cursor;
use super::rng::{Below, Xoshiro};
use super::skew::Skew;
use alloc::vec;
use alloc::vec::Vec;
use fio_job::Direction;
use fio_job::{BlockMix, Job, Region, Share};

/// Places of a pattern, and the length of the I/O at each.
#[derive(Clone, Debug)]
pub(super) struct Mixed {
    read: Side,
    write: Side,
}

/// Sizes and places of one direction.
#[derive(Clone, Debug)]
struct Side {
    places: Places,
    sizes: Vec<Share>,
    min_bytes: u32,
    /// Length of the region.
    end: u64,
}

#[derive(Clone, Debug)]
enum Places {
    Sequential(Cursor),
    Independent(Below),
    Skewed(Skew),
}

impl Mixed {
    /// Returns the places of `job`, if it needs this.
    pub(super) fn new(job: &Job, region: Region, rng: &mut Xoshiro) -> Option<Self> {
        let sides = [Direction::Read, Direction::Write].map(|direction| {
            let mix = job.bs_mix.as_ref();
            let min_bytes = mix.map_or(job.bs_bytes, |mix| mix.min_bytes(direction));
            let blocks = region.size_bytes / u64::from(min_bytes);
            let skew = Skew::new(&job.distribution, blocks, rng).filter(|_| job.rw.is_random());
            if mix.is_none() && skew.is_none() {
                return None;
            }
            let end = blocks * u64::from(min_bytes);
            let places = match skew {
                Some(skew) => Places::Skewed(skew),
                None if job.rw.is_random() => Places::Independent(Below::new(blocks)),
                None => Places::Sequential(Cursor { next: 0, step: min_bytes.into(), end }),
            };
            let one = || vec![Share { bytes: job.bs_bytes, percent: 100 }];
            let sizes = mix.map_or_else(one, |mix: &BlockMix| mix.of(direction).to_vec());
            Some(Side { places, sizes, min_bytes, end })
        });
        let [read, write] = sides;
        Some(Self { read: read?, write: write? })
    }

    /// Returns where the next I/O of this direction is in the region, and its length, in bytes.
    #[cold]
    pub(super) fn next(&mut self, direction: Direction, rng: &mut Xoshiro) -> (u64, u32) {
        match direction {
            Direction::Read => self.read.next(rng),
            Direction::Write | Direction::Trim => self.write.next(rng),
        }
    }
}

impl Side {
    fn next(&mut self, rng: &mut Xoshiro) -> (u64, u32) {
        let min_bytes = u64::from(self.min_bytes);
        let place = match &self.places {
            Places::Sequential(cursor) => cursor.next,
            Places::Independent(blocks) => blocks.draw(rng) * min_bytes,
            Places::Skewed(skew) => skew.draw(rng) * min_bytes,
        };
        let drawn = self.size(rng);
        let bytes = if place + u64::from(drawn) <= self.end { drawn } else { self.min_bytes };
        if let Places::Sequential(cursor) = &mut self.places {
            let after = place + u64::from(bytes);
            cursor.next = if after + min_bytes > self.end { 0 } else { after };
        }
        (place, bytes)
    }

    fn size(&self, rng: &mut Xoshiro) -> u32 {
        let mut percent = Below::new(100).draw(rng);
        for share in &self.sizes {
            match percent.checked_sub(share.percent.into()) {
                Some(rest) => percent = rest,
                None => return share.bytes,
            }
        }
        self.min_bytes
    }
}

#[cfg(test)]
mod tests {
    use crate::pattern::{Io, Pattern};
    use alloc::vec::Vec;
    use fio_job::Direction;
    use fio_job::parse;

    fn ios(line: &str, disk_bytes: u64, count: usize) -> Vec<Io> {
        let job = parse(line).expect(line).remove(0);
        let region = job.resolve("xvda", disk_bytes, 512).expect(line);
        let mut pattern = Pattern::new(&job, region, 5);
        (0..count).map(|_| pattern.next_io()).collect()
    }

    #[test]
    fn sizes_have_their_shares() {
        let line = "rw=randrw norandommap bssplit=4k/10:8k/90,512/50:16k/50 filename=xvda";
        let ios = ios(line, 1 << 30, 20_000);
        for (direction, bytes, expected) in [
            (Direction::Read, 4096, 0.1),
            (Direction::Read, 8192, 0.9),
            (Direction::Write, 512, 0.5),
            (Direction::Write, 16384, 0.5),
        ] {
            let side = || ios.iter().filter(|io| io.direction == direction);
            let share =
                side().filter(|io| io.bytes == bytes).count() as f64 / side().count() as f64;
            assert!((share - expected).abs() < 0.02, "{direction:?} {bytes}: {share}");
        }
        let unit = |io: &Io| if io.direction == Direction::Read { 4096 } else { 512 };
        assert!(ios.iter().all(|io| io.offset % unit(io) == 0));
    }

    #[test]
    fn sequential_ios_of_any_size_leave_no_gap() {
        let mut next = 0;
        for io in ios("rw=read bssplit=4k/50:12k/50", 100 << 12, 10_000) {
            assert_eq!(io.offset, next);
            next += u64::from(io.bytes);
            assert!(next <= 100 << 12);
            next %= 100 << 12;
        }
    }

    #[test]
    fn reads_and_writes_each_have_a_size() {
        for io in ios("rw=rw bs=4k,16k filename=xvda", 1 << 20, 1000) {
            let bytes = if io.direction == Direction::Read { 4096 } else { 16384 };
            assert_eq!((io.bytes, io.offset % u64::from(bytes)), (bytes, 0));
        }
    }

    #[test]
    fn a_skewed_job_stays_in_its_region() {
        for law in ["zipf:1.1", "pareto:0.3", "normal:5", "zoned:90/10:10/90"] {
            let line = std::format!("rw=randread offset=1m size=1m random_distribution={law}");
            let ios = ios(&line, 1 << 30, 1000);
            assert!(ios.iter().all(|io| (1 << 20..2 << 20).contains(&io.offset)), "{law}");
            assert!(ios.iter().all(|io| io.bytes == 4096 && io.offset % 4096 == 0), "{law}");
        }
    }
}
