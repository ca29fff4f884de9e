//! Patterns that take more than a few instructions: several sizes, blocks not equally likely, or
//! both I/Os at random and others that follow.
//!
//! As in fio a random I/O starts at a multiple of its direction's alignment or smallest size, and
//! its size is drawn of those that fit the region. With several sizes and a random map it starts at
//! the first free block from the drawn one on, and ends where a block was visited. Blocks count in
//! the smallest size of each direction, in one map for all of them, as fio's do.

use super::map::Map;
use super::permutation::Permutation;
use super::rng::{Below, Xoshiro};
use super::sizes;
use super::skew::Skew;
use fio_job::{Direction, Distribution, Job, Order, Region, Sizes};

/// Places of a pattern, and the length of the I/O at each.
#[derive(Clone, Debug)]
pub(super) struct Mixed {
    /// Reads, writes and trims.
    sides: [Side; 3],
    is_random: bool,
    order: Option<Order>,
    /// I/Os up to the next at random.
    to_random: u64,
    once: Once,
    /// Whether I/Os that follow start again at the region's start; otherwise the next is at random.
    wraps: bool,
    /// Length of the region, in bytes.
    end: u64,
}

/// Way in which random blocks come once a pass.
#[derive(Clone, Debug)]
enum Once {
    /// No way: they may repeat.
    No,
    /// Places, each once.
    Places(Permutation),
    /// Blocks, each once as soon as there is a map.
    Blocks(Option<Map>),
}

/// Sizes and places of one direction.
#[derive(Clone, Debug)]
struct Side {
    /// Bytes from one random place to the next.
    align: u64,
    /// Number of random places.
    places: u64,
    /// Random places that are not equally likely.
    skew: Option<Skew>,
    /// Smallest size of the I/Os at random, in bytes.
    least: u64,
    /// Sizes of the I/Os that follow, and of those at random.
    sizes: [Sizes; 2],
    /// Share of the I/Os that are at random, in per cent.
    random_percent: u64,
    /// End and start of the last I/O.
    next: u64,
    last: u64,
}

impl Mixed {
    /// Returns the places of `job`, if it needs this.
    pub(super) fn new(job: &Job, region: Region, rng: &mut Xoshiro) -> Option<Self> {
        let is_random = job.rw.is_random();
        let is_skewed = is_random && job.distribution != Distribution::Random;
        let is_plain = job.bs_mix.is_none() && job.aligns.is_none() && job.order.is_none();
        if is_plain && !is_skewed && job.random_percent == [100; 3] {
            return None;
        }
        let mut skews = None;
        let sides = Direction::ALL.map(|direction| {
            let mut side = Side::new(job, direction, region.size_bytes);
            // What is popular to read is popular to write, if it can be.
            let new = || (side.places, Skew::new(&job.distribution, side.places, side.align, rng));
            let made = skews.take().filter(|(places, _)| *places == side.places);
            let (places, skew) = made.unwrap_or_else(new);
            side.skew = skew.clone().filter(|_| is_random);
            skews = Some((places, skew));
            side
        });
        let most = sides.iter().map(|side| side.places).max().unwrap_or(1);
        let once = match job.bs_mix {
            _ if !is_random || is_skewed => Once::No,
            _ if job.lfsr => Once::Places(Permutation::new(most, rng)),
            _ if job.norandommap => Once::No,
            None => Once::Places(Permutation::new(most, rng)),
            Some(_) => Once::Blocks(None),
        };
        let wraps = !is_random || job.time_based;
        let (order, end) = (job.order, region.size_bytes);
        Some(Self { sides, is_random, order, to_random: 1, once, wraps, end })
    }

    /// Returns the bytes that its random map takes; 0 if it needs none.
    pub(super) fn map_bytes(&self) -> u64 {
        if let Once::Blocks(_) = self.once { Map::bytes(self.most_places()) } else { 0 }
    }

    /// Makes the random map, if it needs one; returns whether there was memory for it.
    pub(super) fn make_map(&mut self) -> bool {
        let blocks = self.most_places();
        let Once::Blocks(map) = &mut self.once else { return true };
        *map = Map::new(blocks);
        map.is_some()
    }

    fn most_places(&self) -> u64 {
        self.sides.iter().map(|side| side.places).max().unwrap_or(1)
    }

    /// Begins again at the region's start, in an order that was not drawn before.
    pub(super) fn rewind(&mut self, rng: &mut Xoshiro) {
        for side in &mut self.sides {
            (side.next, side.last) = (0, 0);
        }
        self.to_random = 1;
        match &mut self.once {
            Once::Places(places) => places.begin_pass(rng),
            Once::Blocks(Some(map)) => map.clear(),
            Once::No | Once::Blocks(None) => {}
        }
    }

    /// Returns the random map, if it has one, and forgets it.
    pub(super) fn take_map(&mut self) -> Option<Map> {
        if let Once::Blocks(map) = &mut self.once { map.take() } else { None }
    }

    /// Takes a random map for its own, with no block visited.
    pub(super) fn put_map(&mut self, mut map: Option<Map>) {
        map.iter_mut().for_each(Map::clear);
        if let Once::Blocks(own) = &mut self.once {
            *own = map;
        }
    }

    /// Returns where the next I/O of this direction is in the region, and its length, in bytes.
    #[cold]
    pub(super) fn next(&mut self, direction: Direction, rng: &mut Xoshiro) -> (u64, u32) {
        let is_due = self.is_random_due();
        let side = &mut self.sides[direction as usize];
        let repeats = matches!(self.order, Some(Order::Runs { identical: true, .. }));
        let following = match is_due {
            true if side.random_percent == 100 => None,
            true if Below::new(100).draw(rng) < side.random_percent => None,
            false if self.is_random && repeats => Some(side.last),
            _ => side.following(self.order, self.end, self.wraps),
        };
        let (place, bytes) = match following {
            Some(place) => (place, sizes::draw(&side.sizes[0], self.end - place, rng)),
            None => {
                let number = random(side, &mut self.once, rng);
                let place = number * side.align;
                let bytes = sizes::draw(&side.sizes[1], self.end - place, rng);
                let map = if let Once::Blocks(Some(map)) = &mut self.once {
                    map
                } else {
                    return side.note(place, bytes);
                };
                let visited = map.visit(number, u64::from(bytes).div_ceil(side.least));
                (place, (visited * side.least).min(bytes.into()) as u32)
            }
        };
        side.note(place, bytes)
    }

    /// Returns whether the next I/O may be at random.
    fn is_random_due(&mut self) -> bool {
        self.to_random -= 1;
        if self.to_random > 0 {
            return false;
        }
        self.to_random = match self.order {
            Some(Order::Runs { ios, .. }) => ios.max(1),
            _ => 1,
        };
        self.is_random
    }
}

/// Returns the number of the next random place of a direction.
fn random(side: &Side, once: &mut Once, rng: &mut Xoshiro) -> u64 {
    match once {
        // Ends: in a pass each number comes, and some are below.
        Once::Places(numbers) => loop {
            let number = numbers.draw(rng);
            if number < side.places {
                return number;
            }
        },
        once => {
            let number = match &side.skew {
                Some(skew) => skew.draw(rng),
                None => Below::new(side.places).draw(rng),
            };
            match once {
                Once::Blocks(Some(map)) => map.find(number, side.places),
                _ => number,
            }
        }
    }
}

impl Side {
    fn new(job: &Job, direction: Direction, end: u64) -> Self {
        let sizes = [false, true].map(|is_random| match &job.bs_mix {
            Some(mix) => mix.of(direction, is_random).clone(),
            None => Sizes::Range { least: job.bs_bytes, most: job.bs_bytes },
        });
        let least = u64::from(sizes[1].min_bytes());
        let align = job.aligns.map_or(least, |aligns| aligns[direction as usize].max(1));
        // The last place is one from which the smallest fits.
        let places = end.saturating_sub(least) / align + 1;
        let random_percent = job.random_percent[direction as usize].into();
        Self { align, places, skew: None, least, sizes, random_percent, next: 0, last: 0 }
    }

    /// Returns where an I/O that follows the last one is; `None` if it does not fit the region,
    /// unless it `wraps`.
    fn following(&self, order: Option<Order>, end: u64, wraps: bool) -> Option<u64> {
        let mut place = Some(self.next);
        if let Some(Order::Holes(bytes)) = order
            && self.next != 0
        {
            // Beyond the region it starts again: with a hole at its start, and back from its end.
            let within = |from: u64| from.checked_add_signed(bytes).filter(|place| *place < end);
            let again = || if bytes > 0 { Some(0) } else { within(end) };
            place = within(self.next).or_else(again);
        }
        let least = u64::from(self.sizes[0].min_bytes());
        let fits = |place: &u64| place.checked_add(least).is_some_and(|after| after <= end);
        place.filter(fits).or(wraps.then_some(0))
    }

    /// Notes an I/O, and returns it.
    fn note(&mut self, place: u64, bytes: u32) -> (u64, u32) {
        (self.last, self.next) = (place, place + u64::from(bytes));
        (place, bytes)
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
