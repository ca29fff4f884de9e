//! I/Os alike that are counted at once count as each by itself.

use fio_job::Direction;
use proptest::collection::vec;
use proptest::prelude::*;
use results::{Classes, Done, Histogram, JobResult, Moments, Samples, Together};

const MS: u64 = 1_000_000;

/// Latencies of all kinds: exact in their bucket or not, usual, beyond the last bucket, and such as
/// make a sum of squares saturate.
fn latency() -> impl Strategy<Value = u64> {
    let near = prop::sample::select(&[0, 127, 1 << 34, 1 << 63, u64::MAX - 1, u64::MAX][..]);
    prop_oneof![0..200_u64, 0..1_u64 << 20, 0..1_u64 << 34, near]
}

/// I/Os alike: their number, bytes, latency, and the time since those before.
fn runs() -> impl Strategy<Value = Vec<(u32, u32, u64, u64)>> {
    let bytes = (1..=128_u32).prop_map(|sectors| sectors * 512);
    // Many runs lie in a window of 100 ms, some in the next, and some behind a stall.
    let later_ns = prop_oneof![0..1_000_u64, 0..30 * MS, 90 * MS..110 * MS, 300 * MS..3_000 * MS];
    vec((1..=40_u32, bytes, latency(), later_ns), 0..60)
}

/// Text of all that a thing holds, down to the last digit.
fn shown(thing: &impl std::fmt::Debug) -> String {
    format!("{thing:?}")
}

/// A job that keeps a log, with less room than some of the runs need.
fn job() -> fio_job::Job {
    let line = "filename=xvda rw=randrw runtime=2 log_avg_msec=100 write_bw_log=x";
    fio_job::parse(line).expect(line).remove(0)
}

proptest! {
    #[test]
    fn in_moments_and_histograms(runs in runs()) {
        let (mut at_once, mut each) = (Moments::default(), Moments::default());
        let (mut bins_at_once, mut bins_each) = (Histogram::new(), Histogram::new());
        for (ios, _, ns, _) in runs {
            at_once.record(ns, ios);
            bins_at_once.record(ns, ios);
            for _ in 0..ios {
                each.record(ns, 1);
                bins_each.record(ns, 1);
            }
        }
        prop_assert_eq!(&at_once, &each);
        prop_assert_eq!(bins_at_once.moments(), &each);
        prop_assert_eq!(shown(&bins_at_once), shown(&bins_each));
        prop_assert_eq!(bins_at_once.bins().map(|(_, ios)| ios).sum::<u64>(), each.count());
    }

    #[test]
    fn in_classes(depths in vec((0..100_u32, 1..=40_u32, latency()), 0..60)) {
        let (mut at_once, mut each) = (Classes::default(), Classes::default());
        for (depth, ios, ns) in depths {
            at_once.put(depth, ios);
            at_once.latency(ns, ios);
            for _ in 0..ios {
                each.put(depth, 1);
                each.latency(ns, 1);
            }
        }
        prop_assert_eq!(shown(&at_once), shown(&each));
    }

    #[test]
    fn in_samples_over_time(runs in runs(), end_ns in 0..200 * MS) {
        let mut all = [Samples::new(&job()), Samples::new(&job())];
        let mut groups = [Together::new(None), Together::new(None)];
        let mut elapsed_ns = 0;
        for (ios, bytes, ns, later_ns) in runs {
            elapsed_ns += later_ns;
            let now_ns = 7 * MS + elapsed_ns;
            for (part, times, of) in [(0, 1, ios), (1, ios, 1)] {
                for _ in 0..times {
                    all[part].record(elapsed_ns, bytes, of);
                    all[part].record_latencies(ns.saturating_mul(of.into()), of);
                    groups[part].record(Direction::Write, 7 * MS, now_ns, bytes, of);
                }
            }
        }
        all.iter_mut().for_each(|samples| samples.finish(elapsed_ns + end_ns));
        let group_ns = 7 * MS + elapsed_ns + end_ns;
        groups.iter_mut().for_each(|group| group.finish(Direction::Write, group_ns));
        prop_assert_eq!(shown(&all[0]), shown(&all[1]));
        prop_assert_eq!(shown(&groups[0]), shown(&groups[1]));
    }

    #[test]
    fn in_results_of_a_job(runs in runs(), seed: u64) {
        let mut results = [JobResult::new(job()), JobResult::new(job())];
        let mut elapsed_ns = 0;
        let mut sums = [(0, 0); 3];
        for (number, (ios, bytes, latency_ns, later_ns)) in runs.into_iter().enumerate() {
            elapsed_ns += later_ns;
            let bits = seed >> (number % 61);
            let direction = if bits & 1 == 0 { Direction::Read } else { Direction::Write };
            let kind = bits >> 1 & 3;
            for (part, times, ios) in [(0, 1, ios), (1, ios, 1)] {
                let timed = if kind == 0 { 0 } else { ios };
                let latencies_ns = latency_ns.saturating_mul(timed.into());
                let done = Done { ios, direction, bytes, elapsed_ns, timed, latencies_ns };
                for _ in 0..times {
                    if kind != 0 {
                        results[part].count_latency(direction, latency_ns, ios);
                    }
                    if kind != 1 {
                        results[part].count_done(&done);
                    }
                }
            }
            if kind != 1 {
                let (all, moved) = &mut sums[direction as usize];
                *all += u64::from(ios);
                *moved += u64::from(ios) * u64::from(bytes);
            }
        }
        for direction in [Direction::Read, Direction::Write] {
            for result in &mut results {
                result.direction_mut(direction).samples.finish(elapsed_ns);
                let side = result.direction(direction);
                prop_assert_eq!((side.ios, side.bytes), sums[direction as usize]);
            }
        }
        prop_assert_eq!(shown(&results[0]), shown(&results[1]));
    }
}
