//! Work of jobs: a multiset of I/Os, and how two of them compare.

use std::collections::BTreeMap;
use std::fmt;

use fio_job::{Distribution, Job};

/// Longest request of the model's backend, in bytes: a longer I/O is several.
const REQUEST_BYTES_MAX: u64 = 1 << 20;

/// Standard deviations by which two shares may differ.
const SIGMAS: f64 = 5.0;

/// Direction of an I/O.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// A read.
    Read,
    /// A write.
    Write,
    /// A discard.
    Trim,
}

/// An I/O.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Io {
    /// Its direction.
    pub direction: Direction,
    /// Its place in bytes.
    pub offset: u64,
    /// Its length in bytes.
    pub bytes: u64,
}

/// Way in which two works compare: what of them is no matter of chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// All: the same I/Os, as often.
    Exact,
    /// Places and lengths; directions by their shares.
    Places,
    /// Number of I/Os; directions and places by their laws.
    Count,
    /// Bytes, about; directions, lengths and places by their laws.
    Bytes,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exact => "exact",
            Self::Places => "places",
            Self::Count => "count",
            Self::Bytes => "bytes",
        })
    }
}

/// Returns how the work of jobs compares: as the least certain of them.
pub fn way(jobs: &[Job]) -> Way {
    jobs.iter().map(way_of).max().unwrap_or(Way::Exact)
}

fn way_of(job: &Job) -> Way {
    let is_mixed = job.rw.reads() && job.rw.writes();
    let ends_within = job.number_ios.is_some() || job.io_size.is_some();
    let is_even = job.distribution == Distribution::Random;
    match () {
        () if job.bs_mix.is_some() => Way::Bytes,
        () if !is_even || job.rw.is_random() && (job.norandommap || ends_within) => Way::Count,
        () if is_mixed && job.rw.is_random() => Way::Places,
        () if is_mixed => Way::Count,
        () => Way::Exact,
    }
}

/// Returns how two works differ, if they do.
pub fn difference(ours: &[Io], fios: &[Io], jobs: &[Job]) -> Option<String> {
    // Without a map chance says how many blocks there are to read back.
    let reads_back = |job: &Job| job.verify.is_some() && job.norandommap && !job.rw.reads();
    let reads_count = !jobs.iter().any(reads_back);
    let counts = |io: &&Io| reads_count || io.direction != Direction::Read;
    let [ours, fios] = [ours, fios].map(|ios| {
        let mut ios: Vec<Io> = ios.iter().filter(counts).flat_map(requests).collect();
        ios.sort_unstable();
        ios
    });
    if ours == fios {
        return None;
    }
    let way = way(jobs);
    let skewed = jobs.iter().any(|job| job.distribution != Distribution::Random);
    let is_mixed = |job: &Job| job.rw.reads() && job.rw.writes() && job.reads_back();
    let [ours, fios] = match way == Way::Bytes && jobs.iter().any(is_mixed) {
        true => [ours, fios].map(not_read_back),
        false => [ours, fios],
    };
    let count = |ios: &[Io]| (ios.len(), ios.iter().map(|io| io.bytes).sum::<u64>());
    let (our, their) = (count(&ours), count(&fios));
    let counts = format!("{} I/Os, {} bytes; fio {}, {}", our.0, our.1, their.0, their.1);
    let apart = match way {
        // Chance, and the last I/O of a job, which may be long.
        Way::Bytes => {
            let last = 2 * jobs.iter().map(|job| u64::from(job.bs_bytes)).sum::<u64>();
            our.1.abs_diff(their.1) > their.1 / 20 + last
        }
        _ => our != their,
    };
    if apart {
        return Some(counts);
    }
    if matches!(way, Way::Exact | Way::Places) {
        let bare = |ios: &[Io]| {
            let mut places: Vec<(u64, u64)> = ios.iter().map(|io| (io.offset, io.bytes)).collect();
            places.sort_unstable();
            places
        };
        if bare(&ours) != bare(&fios) {
            let first = bare(&ours).into_iter().zip(bare(&fios)).find(|(our, their)| our != their);
            return Some(format!("other places ({counts}); first {first:?}"));
        }
        if way == Way::Exact {
            return Some(format!("other directions ({counts})"));
        }
    }
    let of = |key: fn(&Io) -> String| shares(&ours, &fios, key);
    of(|io| format!("{:?}", io.direction))
        .or_else(|| of(|io| format!("{:?} of {}", io.direction, io.bytes)))
        .or_else(|| (!skewed).then(|| law(&ours, &fios)).flatten())
}

/// Returns I/Os without reads of what was written: how much that is is a matter of chance.
fn not_read_back(ios: Vec<Io>) -> Vec<Io> {
    let mut written: BTreeMap<(u64, u64), u64> = BTreeMap::new();
    let writes = ios.iter().filter(|io| io.direction == Direction::Write);
    writes.for_each(|io| *written.entry((io.offset, io.bytes)).or_default() += 1);
    let mut is_other = |io: &Io| match written.get_mut(&(io.offset, io.bytes)) {
        Some(times @ 1..) if io.direction == Direction::Read => {
            *times -= 1;
            false
        }
        _ => true,
    };
    ios.into_iter().filter(|io| is_other(io)).collect()
}

/// Cuts an I/O as its requests are cut.
fn requests(io: &Io) -> impl Iterator<Item = Io> + use<> {
    let io = *io;
    let length = if io.direction == Direction::Trim { u64::MAX } else { REQUEST_BYTES_MAX };
    (0..io.bytes.div_ceil(length)).map(move |part| {
        let at = part * length;
        Io { offset: io.offset + at, bytes: (io.bytes - at).min(length), ..io }
    })
}

/// Returns a share that differs by more than chance.
fn shares(ours: &[Io], fios: &[Io], key: fn(&Io) -> String) -> Option<String> {
    let mut all: BTreeMap<String, [f64; 2]> = BTreeMap::new();
    for (side, ios) in [ours, fios].into_iter().enumerate() {
        ios.iter().for_each(|io| all.entry(key(io)).or_default()[side] += 1.0 / ios.len() as f64);
    }
    let n = 1.0 / (1.0 / ours.len() as f64 + 1.0 / fios.len() as f64);
    all.into_iter().find_map(|(what, [our, their])| {
        let mean = (our + their) / 2.0;
        let most = SIGMAS * (mean * (1.0 - mean) / n).sqrt() + 2.0 / n;
        let (our, their) = (100.0 * our, 100.0 * their);
        ((our - their).abs() > 100.0 * most)
            .then(|| format!("{what}: {our:.1} %, fio {their:.1} %"))
    })
}

/// Returns the greatest difference of the places' distributions, if it is more than chance
/// (Kolmogorov and Smirnov, at one in a million).
fn law(ours: &[Io], fios: &[Io]) -> Option<String> {
    let [a, b] = [ours, fios].map(|ios| {
        let mut places: Vec<u64> = ios.iter().map(|io| io.offset).collect();
        places.sort_unstable();
        places
    });
    let below = |places: &[u64], of: u64| {
        places.partition_point(|&place| place <= of) as f64 / places.len() as f64
    };
    let gap = |of: u64| (below(&a, of) - below(&b, of)).abs();
    let at = a.iter().chain(&b).copied().max_by(|&one, &other| gap(one).total_cmp(&gap(other)))?;
    let most = 2.7 * (1.0 / a.len() as f64 + 1.0 / b.len() as f64).sqrt();
    (gap(at) > most).then(|| {
        let [our, their] = [&a, &b].map(|places| 100.0 * below(places, at));
        format!("up to {at}: {our:.1} % of the I/Os, fio {their:.1} %")
    })
}
