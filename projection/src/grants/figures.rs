//! Published figures of grant locks, and what the same costs project for them.

use serde::Serialize;

use super::designs::Design;
use super::workload::{Block, Events, IN_FLIGHT, Network, ReadLock};
use crate::costs::Costs;

/// Seeds of each figure: that which was asked for, and those after it.
pub const SEEDS: usize = 3;
/// Processors of dom0 on the host of 2013, which the mail does not tell: one for each disk.
pub const CPUS_2013: usize = 24;

/// Published figure, with its projection.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LockFigure {
    /// Name of what was measured.
    pub name: &'static str,
    /// Place where it was published.
    pub source: &'static str,
    /// Unit of both.
    pub unit: &'static str,
    /// Design and events of those of blocks.
    pub block: Option<(Design, Events)>,
    /// Figure.
    pub published: f64,
    /// Flag that the next is not measured: always true.
    pub projected: bool,
    /// Projection of it: the middle one of [`SEEDS`] seeds.
    pub value: f64,
    /// Least and greatest of these.
    pub range: [f64; 2],
}

/// Ratio of two published figures, with its projection.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LockRatio {
    /// Name of the change.
    pub name: &'static str,
    /// Ratio of the figures.
    pub published: f64,
    /// Ratio of their projections.
    pub projected: f64,
    /// Error up to which it counts as met, in per cent.
    pub most_percent: f64,
}

impl LockRatio {
    /// Returns its error in per cent of the published ratio.
    pub fn error_percent(&self) -> f64 {
        (self.projected / self.published - 1.0) * 100.0
    }

    /// Returns whether that is within bounds.
    pub fn is_met(&self) -> bool {
        self.error_percent().abs() <= self.most_percent
    }
}

/// All published figures, with their projections.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LockCheck {
    /// Flag that this was not measured: always true.
    pub projected: bool,
    /// Seed of the simulation.
    pub seed: u64,
    /// Figures.
    pub figures: Vec<LockFigure>,
    /// Ratios of those next to each other.
    pub ratios: Vec<LockRatio>,
}

const MAIL: &str = "xen-devel, 2013";
const TABLE: &str = "Xen commit eede22972f, 2016";
const P2M: &str = "Xen commit 66ea5ed478, 2016";

/// Host of 2013, of which the mail tells the 24 disks only: a guest with 16 processors, on two
/// sockets.
const fn of_2013(cpus: usize, events: Events) -> Block {
    let in_flight = IN_FLIGHT;
    Block { cpus, vcpus: 16, sockets: 2, disks: 24, in_flight, events, flushes: true }
}

/// Host of 2016: 16 queues, two sockets.
const fn of_2016(table: ReadLock, p2m: ReadLock) -> Network {
    Network { queues: 16, sockets: 2, table, p2m }
}

impl LockCheck {
    /// Projects all published figures from one table of costs.
    pub fn new(costs: &Costs, seed: u64) -> Self {
        Self::with_cpus(costs, seed, CPUS_2013)
    }

    /// Projects them for another number of dom0's processors in 2013.
    pub fn with_cpus(costs: &Costs, seed: u64, cpus: usize) -> Self {
        let figure = |name, source, block: Option<_>, published, run: &dyn Fn(u64) -> f64| {
            let seeds = std::array::from_fn(|more| seed.wrapping_add(more as u64));
            let mut values: [f64; SEEDS] = seeds.map(run);
            values.sort_by(f64::total_cmp);
            let ([least, .., most], value) = (values, values[SEEDS / 2]);
            let range = [least, most];
            let unit = if block.is_some() { "MB/s" } else { "Gbit/s" };
            LockFigure { name, source, unit, block, published, projected: true, value, range }
        };
        let block = |name, published, design, events| {
            let run = |seed| of_2013(cpus, events).run(costs, design, seed).0;
            figure(name, MAIL, Some((design, events)), published, &run)
        };
        let network = |name, source, published, table, p2m| {
            let run = |seed| of_2016(table, p2m).run(costs, seed).0;
            figure(name, source, None, published, &run)
        };
        use {Design::SingleLock, Design::SplitLocks, Events::Bound, Events::Unbound};
        use {ReadLock::PerCpu, ReadLock::Swap};
        let figures = vec![
            block("24 disks, one lock, events unbound", 1400.0, SingleLock, Unbound),
            block("24 disks, split locks, events unbound", 3000.0, SplitLocks, Unbound),
            block("24 disks, split locks, events bound", 3600.0, SplitLocks, Bound),
            network("16 queues, table and p2m rwlock", TABLE, 15.0, Swap, Swap),
            network("16 queues, table per-CPU, p2m rwlock", TABLE, 48.0, PerCpu, Swap),
            network("16 queues, table and p2m per-CPU", P2M, 64.0, PerCpu, PerCpu),
        ];
        let ratio = |(name, most_percent, before, after): (_, _, usize, usize)| {
            let (before, after) = (figures[before], figures[after]);
            LockRatio {
                name,
                published: after.published / before.published,
                projected: after.value / before.value,
                most_percent,
            }
        };
        let ratios = [
            ("the lock is split", 20.0, 0, 1),
            ("events are bound", 20.0, 1, 2),
            ("both", 20.0, 0, 2),
            ("the table's rwlock becomes per-CPU", 30.0, 3, 4),
            ("the p2m's rwlock becomes per-CPU", 30.0, 4, 5),
        ];
        let ratios = ratios.into_iter().map(ratio).collect();
        Self { projected: true, seed, figures, ratios }
    }

    /// Returns whether the figures of the mail are projected in their order, by more than seeds
    /// differ.
    pub fn has_order(&self) -> bool {
        self.figures.iter().take(3).is_sorted_by(|one, next| one.range[1] < next.range[0])
    }
}
