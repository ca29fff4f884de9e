//! Curves of all designs by the number of dom0's processors.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde::Serialize;

use super::designs::Design;
use super::machine::Outcome;
use super::workload::{Block, Events, IN_FLIGHT, REQUEST_PAGES};
use crate::costs::Costs;

/// Most processors of dom0, of which the guest has as many.
pub const LOCK_CPUS_MAX: u32 = 256;
/// Most sockets.
pub const SOCKETS_MAX: u32 = 8;

/// Cases that are projected: events, and whether requests end with a flush of TLBs.
pub const CASES: [(Events, bool); 3] =
    [(Events::Unbound, true), (Events::Bound, true), (Events::Bound, false)];

/// Time of dom0's processors for a page that is mapped and unmapped, in ns.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PageTime {
    /// Work.
    pub work: f64,
    /// Waiting for cache lines, apart from locks.
    pub lines: f64,
    /// Spinning for locks.
    pub spin: f64,
    /// Flushing of TLBs.
    pub flush: f64,
}

impl PageTime {
    fn of(outcome: &Outcome) -> Self {
        let pages = outcome.rounds.max(1) as f64 * REQUEST_PAGES as f64;
        let ns = |time: u64| time as f64 / pages / 1000.0;
        let Outcome { work, lines, spin, flush, .. } = *outcome;
        Self { work: ns(work), lines: ns(lines), spin: ns(spin), flush: ns(flush) }
    }
}

/// Point of a curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LockPoint {
    /// Number of dom0's processors, and of disks.
    pub cpus: u32,
    /// MB (10^6 bytes) that are written in a second.
    pub mb_per_s: f64,
    /// Time for a page, and where it goes.
    pub page_ns: PageTime,
}

/// Curve of a design.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LockCurve {
    /// Design of grant tables.
    pub design: Design,
    /// vCPUs that handle the guest's events.
    pub events: Events,
    /// Whether requests end with a flush of TLBs.
    pub flushes: bool,
    /// Points, by processors.
    pub points: Vec<LockPoint>,
}

/// Projection of all designs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GrantLocks {
    /// Flag that nothing here was measured: always true.
    pub projected: bool,
    /// Sockets of the host.
    pub sockets: u32,
    /// Seed of the simulation.
    pub seed: u64,
    /// Curves of all designs, in each of [`CASES`].
    pub curves: Vec<LockCurve>,
}

/// Number that is out of its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockSetupError {
    name: &'static str,
    found: u32,
    most: u32,
}

impl LockCurve {
    /// Returns the name of its case.
    pub const fn case(&self) -> &'static str {
        match (self.events, self.flushes) {
            (Events::Unbound, _) => "events unbound",
            (Events::Bound, true) => "events bound",
            (Events::Bound, false) => "bound, no TLB flush",
        }
    }
}

impl LockCurve {
    /// Projects one of its points.
    fn run(&self, costs: &Costs, cpus: u32, sockets: u32, seed: u64) -> LockPoint {
        let block = Block {
            cpus: cpus as usize,
            vcpus: cpus as usize,
            sockets: sockets as usize,
            disks: cpus as usize,
            in_flight: IN_FLIGHT,
            events: self.events,
            flushes: self.flushes,
        };
        let (mb_per_s, outcome) = block.run(costs, self.design, seed);
        LockPoint { cpus, mb_per_s, page_ns: PageTime::of(&outcome) }
    }
}

/// Does jobs, each processor the next; returns their outcomes in order.
fn on_all_processors<J: Sync, T: Send>(jobs: &[J], work: impl Fn(&J) -> T + Sync) -> Vec<T> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let worker = || {
        while let number = next.fetch_add(1, Ordering::Relaxed)
            && let Some(job) = jobs.get(number)
        {
            let outcome = work(job);
            done.lock().expect("no worker panicked").push((number, outcome));
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(worker);
        }
    });
    let mut done = done.into_inner().expect("no worker panicked");
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}

impl GrantLocks {
    /// Returns the cases and numbers of processors with which one design is slower than another by
    /// more than so many per cent.
    pub fn slower(&self, one: Design, other: Design, percent: f64) -> Vec<(&'static str, u32)> {
        let of = |design| self.curves.iter().filter(move |curve| curve.design == design);
        let least = 1.0 - percent / 100.0;
        let points = of(one).zip(of(other)).flat_map(|(one, other)| {
            let points = one.points.iter().zip(&other.points);
            let slower = points.filter(move |(one, other)| one.mb_per_s < other.mb_per_s * least);
            slower.map(|(point, _)| (one.case(), point.cpus))
        });
        points.collect()
    }

    /// Projects hosts of 1, 2, 4 and so on processors of dom0, up to a number.
    ///
    /// # Errors
    /// A number that is 0 or too great.
    pub fn new(costs: &Costs, cpus: u32, sockets: u32, seed: u64) -> Result<Self, LockSetupError> {
        for (name, found, most) in
            [("processors", cpus, LOCK_CPUS_MAX), ("sockets", sockets, SOCKETS_MAX)]
        {
            if found == 0 || found > most {
                return Err(LockSetupError { name, found, most });
            }
        }
        let mut counts: Vec<u32> = (0..9).map(|power| 1 << power).collect();
        counts.retain(|count| *count < cpus);
        counts.push(cpus);
        let all = CASES.into_iter();
        let all = all.flat_map(|case| Design::ALL.map(|design| (case, design)));
        let empty =
            |((events, flushes), design)| LockCurve { design, events, flushes, points: Vec::new() };
        let mut curves: Vec<LockCurve> = all.map(empty).collect();
        // The longest first, so that none is left for the end.
        counts.reverse();
        let jobs: Vec<(&LockCurve, u32)> =
            counts.iter().flat_map(|cpus| curves.iter().map(|curve| (curve, *cpus))).collect();
        let points =
            on_all_processors(&jobs, |(curve, cpus)| curve.run(costs, *cpus, sockets, seed));
        for points in points.chunks(curves.len()).rev() {
            for (curve, point) in curves.iter_mut().zip(points) {
                curve.points.push(*point);
            }
        }
        Ok(Self { projected: true, sockets, seed, curves })
    }
}

impl fmt::Display for LockSetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} is not from 1 to {}", self.name, self.found, self.most)
    }
}

impl std::error::Error for LockSetupError {}
