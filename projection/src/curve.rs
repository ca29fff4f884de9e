//! Projected IOPS by number of guests, and where their cycles go.

use serde::Serialize;

use crate::cause::{Cause, Whose};
use crate::costs::{Costs, Key};
use crate::network::{Parts, build};
use crate::operations::Operations;
use crate::setup::{Setup, SetupError, System};
use crate::simulation::{Outcome, Resource};

/// Rounds before those that count: for each I/O in flight, and besides.
const WARM_UP: (u64, u64) = (4, 2000);
/// Rounds that count, likewise.
const ROUNDS: (u64, u64) = (10, 10_000);
/// Share of its time from which on a resource is what limits.
const BUSY: f64 = 0.9;

/// Limit that keeps a host from doing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// Xen's lock on flushing TLBs.
    FlushLock,
    /// Lock of dom0's grant table.
    TableLock,
    /// Processors.
    Processors,
    /// vCPUs of dom0.
    Dom0Vcpus,
    /// vCPUs of the guests.
    GuestVcpus,
    /// Threads of blkback, one for each queue.
    Threads,
    /// Nothing is busy all the time: I/Os wait for notifications.
    Latency,
}

impl Limit {
    /// Returns it in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::FlushLock => "flush lock",
            Self::TableLock => "grant table",
            Self::Processors => "processors",
            Self::Dom0Vcpus => "dom0's vCPUs",
            Self::GuestVcpus => "guests' vCPUs",
            Self::Threads => "blkback",
            Self::Latency => "latency",
        }
    }
}

/// Cycles of an I/O for one cause.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Share {
    /// Cause.
    pub cause: Cause,
    /// Owner of these cycles.
    pub whose: Whose,
    /// Cycles for each I/O, of all processors together.
    pub cycles: f64,
}

/// Projection of one system with one number of guests.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    /// Flag that this was not measured: always true.
    pub projected: bool,
    /// Number of guests.
    pub guests: u32,
    /// I/Os per second of all guests.
    pub iops: f64,
    /// Limit that keeps these from being more.
    pub limit: Limit,
    /// Cycles for each I/O by cause, of the causes that there are.
    pub cycles: Vec<Share>,
}

/// Projections of one system by number of guests.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Curve {
    /// System.
    pub system: System,
    /// Projections, with guests in ascending order.
    pub points: Vec<Point>,
}

impl Point {
    /// Projects one system.
    ///
    /// # Errors
    /// A setup that is out of bounds.
    pub fn project(
        costs: &Costs,
        setup: &Setup,
        system: System,
        operations: Operations,
        seed: u64,
    ) -> Result<Self, SetupError> {
        setup.check()?;
        let (network, parts) = build(costs, setup, system, operations);
        let in_flight = u64::from(setup.guests) * u64::from(setup.in_flight());
        let rounds = |(each, besides): (u64, u64)| each * in_flight + besides;
        let outcome = network.run(seed, rounds(WARM_UP), rounds(ROUNDS));
        let cycles_of = |cause: Cause| {
            let ns = outcome.spent[cause as usize] as f64 / 1000.0;
            let cycles = ns * costs.get(Key::Clock) / outcome.rounds.max(1) as f64;
            Share { cause, whose: cause.whose(), cycles }
        };
        let cycles = Cause::ALL.map(cycles_of).into_iter().filter(|share| share.cycles > 0.0);
        Ok(Self {
            projected: true,
            guests: setup.guests,
            iops: outcome.rounds as f64 * 1e12 / outcome.elapsed.max(1) as f64,
            limit: limit(&outcome, &parts, setup),
            cycles: cycles.collect(),
        })
    }

    /// Returns the cycles of an I/O for a cause.
    pub fn cycles(&self, cause: Cause) -> f64 {
        self.cycles.iter().find(|share| share.cause == cause).map_or(0.0, |share| share.cycles)
    }

    /// Returns all cycles of an I/O.
    pub fn total(&self) -> f64 {
        self.cycles.iter().map(|share| share.cycles).sum()
    }
}

/// Returns what is busy: a lock comes first, because who spins for it keeps all else busy.
fn limit(outcome: &Outcome, parts: &Parts, setup: &Setup) -> Limit {
    let busy = |of: Resource, units: u32| {
        let all = outcome.elapsed.max(1) as f64 * f64::from(units);
        outcome.uses[of.index()].held as f64 / all
    };
    // Who has no I/O is no room: nothing goes there.
    let mean = |all: &[Resource]| {
        let used = all.iter().filter(|of| outcome.uses[of.index()].seized > 0);
        used.clone().map(|of| busy(*of, 1)).sum::<f64>() / used.count().max(1) as f64
    };
    let shares = [
        (Limit::FlushLock, busy(parts.flush_lock, 1)),
        (Limit::TableLock, busy(parts.table_lock, 1)),
        (Limit::Processors, busy(parts.processors, setup.cpus)),
        (Limit::Dom0Vcpus, busy(parts.dom0_vcpus, setup.dom0_vcpus)),
        (Limit::GuestVcpus, mean(&parts.guest_vcpus)),
        (Limit::Threads, mean(&parts.threads)),
    ];
    shares.into_iter().find(|(_, busy)| *busy >= BUSY).map_or(Limit::Latency, |(limit, _)| limit)
}

impl Curve {
    /// Projects a system for each number of guests, ascending. All else of the setup stays.
    ///
    /// # Errors
    /// A setup that is out of bounds.
    pub fn project(
        costs: &Costs,
        setup: &Setup,
        guests: impl Iterator<Item = u32>,
        system: System,
        operations: Operations,
        seed: u64,
    ) -> Result<Self, SetupError> {
        let points = guests
            .map(|guests| {
                Point::project(costs, &Setup { guests, ..*setup }, system, operations, seed)
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { system, points })
    }
}
