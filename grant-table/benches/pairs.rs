//! Pairs of map and unmap in a second, by design, place and number of workers.
//!
//! ```text
//! cargo bench -p grant-table [-- [--quick] [PLACE...]]
//! ```
//! Machines are noisy and change their speed, so the designs take turns of 40 ms, and what is
//! printed are medians over all rounds: the rate of the first design, and the others' rates as
//! ratios to it in the same round; last the rate of `PackedWords` as a ratio to that of
//! `PerCpuRwLock`, median and quartiles. A library for benchmarks would run one design after the
//! other.
//!
//! | place | each worker maps |
//! |---|---|
//! | `apart` | entries of a table of its own |
//! | `shared` | entries of its own of one table, some lines away from others' |
//! | `adjacent` | entries of its own of one table, whose neighbours are others' |
//! | `same` | one entry, which all map |
//! | `stream` | 512 entries of its own of one table, 2 MB, all of which it then unmaps |
//!
//! All map for one domain, as a backend's threads do. With more workers than cores, one that loses
//! its core within a lock keeps the others out, which no hypervisor lets happen: these rows are
//! harder on locks than Xen is.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use grant_table::{
    Access, Config, Cpu, GrantTables, Handle, PackedWords, PerCpuRwLock, PerVcpuHandles,
    SingleLock, SplitLocks,
};
use protocols::Native;
use xen_abi::{DomId, GrantRef};

const WORKERS: [u32; 5] = [1, 2, 4, 8, 24];
const DESIGNS: [&str; 5] =
    ["SingleLock", "SplitLocks", "PerVcpuHandles", "PerCpuRwLock", "PackedWords"];
const TURN: Duration = Duration::from_millis(40);
/// Grants of 4 KiB in 2 MB.
const STREAM: u32 = 512;
/// Entries that a worker maps one after another where it does not stream.
const FEW: u32 = 16;
/// Pairs between two looks at whether the turn is over.
const CHUNK: u32 = 64;
const BY: DomId = DomId(0);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Apart,
    Shared,
    Adjacent,
    Same,
    Stream,
}

impl Place {
    const ALL: [Self; 5] = [Self::Apart, Self::Shared, Self::Adjacent, Self::Same, Self::Stream];

    /// Returns what the worker of a number maps `step`-th.
    fn entry(self, worker: u32, workers: u32, step: u32) -> (DomId, GrantRef) {
        let few = step % FEW;
        match self {
            Self::Apart => (DomId(worker as u16 + 1), GrantRef(few)),
            Self::Shared => (DomId(1), GrantRef(worker * STREAM + few)),
            Self::Adjacent => (DomId(1), GrantRef(few * workers + worker)),
            Self::Same => (DomId(1), GrantRef(0)),
            Self::Stream => (DomId(1), GrantRef(worker * STREAM + step % STREAM)),
        }
    }

    /// Returns how many entries a worker has mapped before it unmaps them.
    fn batch(self) -> u32 {
        if self == Self::Stream { STREAM } else { 1 }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Apart => "apart",
            Self::Shared => "shared",
            Self::Adjacent => "adjacent",
            Self::Same => "same",
            Self::Stream => "stream",
        }
    }
}

fn config(place: Place, workers: u32) -> Config {
    let others = if place == Place::Apart { workers as u16 } else { 1 };
    let frames = workers * STREAM / 512;
    Config {
        frames,
        frames_max: frames,
        handle_frames_max: 3 * workers,
        ..Config::xen(1 + others, workers as usize)
    }
}

/// Maps and unmaps until the turn is over; returns the number of pairs.
fn work<T: GrantTables<Native>>(
    tables: &T,
    place: Place,
    [worker, workers]: [u32; 2],
    is_over: &AtomicBool,
) -> u64 {
    let cpu = &mut Cpu::new(worker as usize);
    let mut mapped: Vec<Handle> = Vec::with_capacity(STREAM as usize);
    let mut pairs = 0;
    while !is_over.load(Relaxed) {
        for batch in 0..CHUNK.div_ceil(place.batch()) {
            for step in 0..place.batch() {
                let (of, gref) = place.entry(worker, workers, batch + step);
                mapped.push(tables.map(cpu, BY, of, gref, Access::Write).expect("a grant").handle);
            }
            for handle in mapped.drain(..) {
                tables.unmap(cpu, BY, handle).expect("a mapping");
                pairs += 1;
            }
        }
    }
    pairs
}

/// Lets the workers map for a turn; returns pairs in a second.
fn turn<T: GrantTables<Native>>(tables: &T, place: Place, workers: u32) -> f64 {
    let (is_over, start) = (&AtomicBool::new(false), &Barrier::new(workers as usize + 1));
    thread::scope(|scope| {
        let threads: Vec<_> = (0..workers)
            .map(|worker| {
                scope.spawn(move || {
                    start.wait();
                    work(tables, place, [worker, workers], is_over)
                })
            })
            .collect();
        start.wait();
        let begin = Instant::now();
        thread::sleep(TURN);
        is_over.store(true, Relaxed);
        let pairs: u64 = threads.into_iter().map(|thread| thread.join().expect("pairs")).sum();
        // With those that were under way when the turn ended, and their time.
        pairs as f64 / begin.elapsed().as_secs_f64()
    })
}

/// Makes tables with all entries granted; returns what runs a turn on them.
fn turns<T: GrantTables<Native> + 'static>(
    tables: T,
    place: Place,
    workers: u32,
) -> Box<dyn Fn() -> f64> {
    for worker in 0..workers {
        for step in 0..STREAM {
            let (of, gref) = place.entry(worker, workers, step);
            let entry = tables.entry(of, gref).expect("an entry");
            entry.permit(BY, gref.0, Access::Write);
        }
    }
    Box::new(move || turn(&tables, place, workers))
}

fn designs(place: Place, workers: u32) -> [Box<dyn Fn() -> f64>; 5] {
    let config = config(place, workers);
    [
        turns(SingleLock::new(config), place, workers),
        turns(SplitLocks::new(config), place, workers),
        turns(PerVcpuHandles::new(config), place, workers),
        turns(PerCpuRwLock::new(config), place, workers),
        turns(PackedWords::new(config), place, workers),
    ]
}

/// Returns the lower quartile, the median and the upper quartile.
fn quartiles(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| values[(values.len() - 1) * quarter / 4])
}

fn print(place: Place, workers: u32, rounds: &[[f64; 5]]) {
    let ratios = |design: usize, to: usize| {
        quartiles(rounds.iter().map(|round| round[design] / round[to]).collect())
    };
    let [_, first, _] = quartiles(rounds.iter().map(|round| round[0]).collect());
    print!("{:8} {workers:7} {:14.2}", place.name(), first / 1e6);
    for design in 1..DESIGNS.len() {
        print!(" {:14.2}", ratios(design, 0)[1]);
    }
    let [low, middle, high] = ratios(4, 3);
    println!("  {middle:5.2}  {low:5.2} to {high:5.2}");
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |wanted: &str| arguments.iter().any(|argument| argument == wanted);
    let rounds = if has("--quick") { 3 } else { 31 };
    let is_any = !Place::ALL.iter().any(|place| has(place.name()));
    print!("place    workers {:>10} M/s", DESIGNS[0]);
    DESIGNS[1..].iter().for_each(|design| print!(" {design:>14}"));
    println!("  PackedWords / PerCpuRwLock");
    for place in Place::ALL.into_iter().filter(|place| is_any || has(place.name())) {
        for workers in WORKERS {
            let designs = designs(place, workers);
            // The first round makes the handles, and counts for nothing.
            let round = |_| designs.each_ref().map(|turn| turn());
            let rounds: Vec<_> = (0..=rounds).map(round).skip(1).collect();
            print(place, workers, &rounds);
        }
    }
}
