//! Counts of I/Os in fio's classes of iodepth, batch size and latency (stat.h, io_u.c).

use alloc::vec::Vec;

/// Names of the classes of iodepth: from this many I/Os in flight on.
pub(super) const DEPTH_KEYS: [&str; 7] = ["1", "2", "4", "8", "16", "32", ">=64"];
/// Names of the classes of batches: up to this many I/Os.
pub(super) const BATCH_KEYS: [&str; 7] = ["0", "4", "8", "16", "32", "64", ">=64"];
/// Names of the classes of latencies, in ns, us and ms: less than this number. The last is for ms
/// only.
pub(super) const LATENCY_KEYS: [&str; 12] =
    ["2", "4", "10", "20", "50", "100", "250", "500", "750", "1000", "2000", ">=2000"];

/// Number of classes of latencies in one unit; milliseconds have two more.
const UNIT: usize = 10;

/// Bounds between classes of latencies, in nanoseconds.
const EDGES_NS: [u64; 3 * UNIT + 1] = {
    let edges = [2, 4, 10, 20, 50, 100, 250, 500, 750, 1000];
    let units = [1, 1_000, 1_000_000];
    let mut all = [2_000_000_000; 3 * UNIT + 1];
    let mut index = 0;
    while index < 3 * UNIT {
        all[index] = edges[index % UNIT] * units[index / UNIT];
        index += 1;
    }
    all
};

/// Number of the edges up to each power of two.
const EDGES_TO: [u8; 64] = {
    let mut all = [0; 64];
    let mut power = 0;
    while power < 64 {
        while (all[power] as usize) < EDGES_NS.len() && EDGES_NS[all[power] as usize] <= 1 << power
        {
            all[power] += 1;
        }
        power += 1;
    }
    all
};

/// Returns the class of a latency: the number of edges up to it, of which at most two are above the
/// power of two below it.
#[inline]
fn latency_class(ns: u64) -> usize {
    let first = usize::from(EDGES_TO[ns.max(1).ilog2() as usize]);
    let reached = |edge: usize| usize::from(EDGES_NS.get(edge).is_some_and(|&edge| edge <= ns));
    first + reached(first) + reached(first + 1)
}

/// Counts of all three kinds of class.
#[derive(Clone, Debug, Default)]
pub struct Classes {
    depths: [u64; 7],
    unclassed: u64,
    submitted: [u64; 7],
    completed: [u64; 7],
    latencies: [u64; EDGES_NS.len() + 1],
}

impl Classes {
    /// Counts I/Os that were submitted when `depth` were in flight.
    #[inline]
    pub fn put(&mut self, depth: u32, ios: u32) {
        let class = depth.max(1).ilog2().min(6);
        self.depths[class as usize] += u64::from(ios);
    }

    /// Counts I/Os that are of no class of iodepth, since fio's loop ended before it counted them.
    pub fn put_unclassed(&mut self, ios: u32) {
        self.unclassed += u64::from(ios);
    }

    /// Counts a notification to the backends for this number of I/Os.
    #[inline]
    pub fn submitted(&mut self, ios: u32) {
        self.submitted[batch_class(ios)] += 1;
    }

    /// Counts a ring poll that found this number of completions.
    #[inline]
    pub fn completed(&mut self, ios: u32) {
        self.completed[batch_class(ios)] += 1;
    }

    /// Counts I/Os with this latency.
    #[inline]
    pub fn latency(&mut self, ns: u64, ios: u32) {
        self.latencies[latency_class(ns)] += u64::from(ios);
    }

    /// Adds the counts of `other`.
    pub fn merge(&mut self, other: &Self) {
        fn add<const N: usize>(counts: &mut [u64; N], others: &[u64; N]) {
            counts.iter_mut().zip(others).for_each(|(count, other)| *count += other);
        }
        add(&mut self.depths, &other.depths);
        self.unclassed += other.unclassed;
        add(&mut self.submitted, &other.submitted);
        add(&mut self.completed, &other.completed);
        add(&mut self.latencies, &other.latencies);
    }

    /// Returns the per cent of I/Os for each of [`DEPTH_KEYS`].
    pub(super) fn depths(&self) -> Vec<f64> {
        let total = self.depths.iter().sum::<u64>() + self.unclassed;
        percents(&self.depths, total, 0.1)
    }

    /// Returns the per cent of notifications for each of [`BATCH_KEYS`].
    pub(super) fn submits(&self) -> Vec<f64> {
        percents(&self.submitted, self.submitted.iter().sum(), 0.1)
    }

    /// Returns the per cent of polls that found something, for each of [`BATCH_KEYS`].
    pub(super) fn completes(&self) -> Vec<f64> {
        percents(&self.completed, self.completed.iter().sum(), 0.1)
    }

    /// Returns the per cent of I/Os for each of [`LATENCY_KEYS`], for ns, us and ms.
    pub(super) fn latencies(&self) -> [Vec<f64>; 3] {
        let total = self.latencies.iter().sum();
        let (ns, rest) = self.latencies.split_at(UNIT);
        let (us, ms) = rest.split_at(UNIT);
        [ns, us, ms].map(|counts| percents(counts, total, 0.01))
    }
}

fn batch_class(ios: u32) -> usize {
    match ios {
        0 => 0,
        1..=4 => 1,
        5..=8 => 2,
        9..=16 => 3,
        17..=32 => 4,
        33..=64 => 5,
        _ => 6,
    }
}

/// Returns the shares as fio prints them: a class that is not empty has at least `least` per cent.
#[inline(never)]
fn percents(counts: &[u64], total: u64, least: f64) -> Vec<f64> {
    let percent = |&count: &u64| match count {
        0 => 0.0,
        count => (count as f64 / total as f64 * 100.0).max(least),
    };
    counts.iter().map(percent).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_fios() {
        let mut seen = Classes::default();
        for depth in [1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 63, 64, 1_000] {
            seen.put(depth, 1);
        }
        assert_eq!(seen.depths, [1, 2, 2, 2, 2, 2, 2]);
        for ios in [0, 1, 4, 5, 8, 9, 16, 17, 32, 33, 64, 65] {
            seen.submitted(ios);
            seen.completed(ios);
        }
        assert_eq!(seen.submitted, [1, 2, 2, 2, 2, 2, 1]);
        assert_eq!(seen.completed, seen.submitted);
    }

    #[test]
    fn latencies_fall_below_their_class() {
        for (ns, unit, key) in [
            (0, 0, "2"),
            (1, 0, "2"),
            (2, 0, "4"),
            (249, 0, "250"),
            (250, 0, "500"),
            (999, 0, "1000"),
            (1_000, 1, "2"),
            (1_999, 1, "2"),
            (2_000, 1, "4"),
            (999_999, 1, "1000"),
            (1_000_000, 2, "2"),
            (1_000_000_000, 2, "2000"),
            (1_999_999_999, 2, "2000"),
            (2_000_000_000, 2, ">=2000"),
            (u64::MAX, 2, ">=2000"),
        ] {
            let mut seen = Classes::default();
            seen.latency(ns, 1);
            let expected = LATENCY_KEYS.map(|other| if other == key { 100.0 } else { 0.0 });
            let found = seen.latencies();
            assert_eq!(found[unit], expected[..found[unit].len()], "{ns}");
            assert_eq!(found.iter().flatten().sum::<f64>(), 100.0, "{ns}");
        }
    }

    #[test]
    fn the_class_is_the_number_of_edges_up_to_a_latency() {
        let near = |edge: u64| [edge - 1, edge, edge + 1];
        let powers = (0..64).flat_map(|power| near(1 << power));
        for ns in EDGES_NS.into_iter().flat_map(near).chain(powers).chain([u64::MAX]) {
            let expected = EDGES_NS.iter().filter(|&&edge| edge <= ns).count();
            assert_eq!(latency_class(ns), expected, "{ns}");
        }
    }

    #[test]
    fn little_is_not_nothing() {
        let mut seen = Classes::default();
        (0..100_000).for_each(|_| seen.put(32, 1));
        seen.put(1, 1);
        assert_eq!(seen.depths()[..2], [0.1, 0.0]);
        let mut twice = seen.clone();
        twice.merge(&seen);
        assert_eq!(twice.depths(), seen.depths());
        assert_eq!(Classes::default().depths(), [0.0; 7]);
    }
}
