//! Network that stands for a host: each I/O in flight is a customer, who goes from a vCPU of its
//! guest to a thread of blkback and back.
//!
//! A guest's vCPU and a thread sleep when they have nothing to do, so how many I/Os share a
//! notification is an outcome. Both need a processor to work, the thread one of dom0's vCPUs as
//! well. Who spins for a lock of Xen's keeps them.

use crate::cause::Cause;
use crate::costs::{Costs, Key};
use crate::operations::{BLOCK_BYTES, Operations};
use crate::setup::{Disk, Setup, System};
use crate::simulation::{
    Account, Interruption, Network, Processors, Properties, Resource, SPAN_MAX, Sleep, Span,
    Spread, Step,
};

/// Resources whose use tells what limits a host.
pub struct Parts {
    pub processors: Resource,
    pub dom0_vcpus: Resource,
    pub table_lock: Resource,
    pub flush_lock: Resource,
    pub guest_vcpus: Vec<Resource>,
    pub threads: Vec<Resource>,
}

/// Converter of costs to spans.
struct Spans<'a>(&'a Costs);

impl Spans<'_> {
    fn ns(&self, ns: f64) -> u64 {
        ((ns * 1000.0) as u64).min(SPAN_MAX)
    }

    fn cycles(&self, cycles: f64) -> u64 {
        self.ns(cycles / self.0.get(Key::Clock))
    }

    fn instructions(&self, instructions: f64) -> u64 {
        self.cycles(instructions * self.0.get(Key::CyclesPerInstruction))
    }

    fn software(&self, instructions: f64) -> Span {
        Span { mean: self.instructions(instructions), spread: Spread::Even }
    }

    fn copy(&self, pages: f64) -> Span {
        let ns = pages * BLOCK_BYTES as f64 / self.0.get(Key::Copy);
        Span { mean: self.ns(ns), spread: Spread::None }
    }

    fn exits(&self, count: f64) -> Span {
        let each = self.cycles(self.0.get(Key::Exit)) as f64;
        let each = each + self.instructions(self.0.get(Key::XenExit)) as f64;
        Span { mean: ((each * count) as u64).min(SPAN_MAX), spread: Spread::Even }
    }
}

const fn account(cause: Cause) -> Account {
    cause as Account
}

/// Builds the network of a setup that was checked.
pub fn build(
    costs: &Costs,
    setup: &Setup,
    system: System,
    operations: Operations,
) -> (Network, Parts) {
    let spans = Spans(costs);
    let mut network = Network::new(Cause::ALL.len());
    let handover = spans.cycles(costs.get(Key::LockHandover));
    let mut pool = |units, spin: Option<Cause>, handover| {
        let spin = spin.map(account);
        network.resource(Properties { units, spin, handover, ..Properties::default() })
    };
    let mut parts = Parts {
        processors: pool(setup.cpus as usize, None, 0),
        dom0_vcpus: pool(setup.dom0_vcpus as usize, None, 0),
        table_lock: pool(1, Some(Cause::TableLock), handover),
        flush_lock: pool(1, Some(Cause::FlushLock), handover),
        guest_vcpus: Vec::new(),
        threads: Vec::new(),
    };
    let cores = setup.cpus as f64 / costs.get(Key::ThreadsPerCore);
    network.share_cores(Processors {
        pool: parts.processors,
        cores: (cores.round() as usize).max(1),
        second_thread: costs.get(Key::SecondThread),
    });
    for _ in 0..setup.guests {
        add_guest(&mut network, &mut parts, &spans, setup, system, operations);
    }
    (network, parts)
}

fn add_guest(
    network: &mut Network,
    parts: &mut Parts,
    spans: &Spans<'_>,
    setup: &Setup,
    system: System,
    operations: Operations,
) {
    let mut sleepers = |count: u32, sleep| -> Vec<Resource> {
        let properties = Properties { units: 1, sleep: Some(sleep), ..Properties::default() };
        (0..count).map(|_| network.resource(properties)).collect()
    };
    let vcpus = sleepers(setup.load.vcpus, guest_sleep(spans, system));
    let threads = sleepers(setup.load.queues, thread_sleep(spans));
    for number in 0..setup.in_flight() as usize {
        // By turns, so that no ring gets more than it has room for.
        let place = (vcpus[number % vcpus.len()], threads[number % threads.len()]);
        let mut steps = guest_steps(parts, spans, place, system, operations);
        steps.extend(backend_steps(parts, spans, place, setup.load.disk, operations));
        network.customer(steps);
    }
    parts.guest_vcpus.extend(vcpus);
    parts.threads.extend(threads);
}

/// Returns the exits that a guest makes when each I/O sleeps, and the instructions of a sleep.
fn sleep_costs(spans: &Spans<'_>, system: System) -> (f64, f64) {
    let (exits, sleep) = match system.is_linux() {
        true => (Key::LinuxExits, Key::LinuxSleep),
        false => (Key::RingmarkExits, Key::RingmarkSleep),
    };
    (spans.0.get(exits), spans.0.get(sleep))
}

/// Returns the sleep of a guest's vCPU. What dom0 needs to wake it is in the cost of Xen's exits.
fn guest_sleep(spans: &Spans<'_>, system: System) -> Sleep {
    let (exits, instructions) = sleep_costs(spans, system);
    Sleep {
        signal: (spans.software(0.0), account(Cause::XenIo)),
        latency: spans.ns(spans.0.get(Key::Ipi)),
        wake: [
            (spans.software(instructions), account(Cause::GuestSleep)),
            // One of them is to signal the backend.
            (spans.exits((exits - 1.0).max(0.0)), account(Cause::Exits)),
        ],
    }
}

/// Returns the sleep of a thread of blkback.
fn thread_sleep(spans: &Spans<'_>) -> Sleep {
    Sleep {
        signal: (spans.exits(1.0), account(Cause::Exits)),
        latency: spans.ns(spans.0.get(Key::Ipi)),
        wake: [
            (spans.software(spans.0.get(Key::BackendSleep)), account(Cause::BackendSleep)),
            (spans.software(0.0), account(Cause::BackendSleep)),
        ],
    }
}

fn guest_steps(
    parts: &Parts,
    spans: &Spans<'_>,
    (vcpu, thread): (Resource, Resource),
    system: System,
    operations: Operations,
) -> Vec<Step> {
    let io = if system.is_linux() { Key::LinuxIo } else { Key::RingmarkIo };
    let grants = spans.0.get(Key::FrontendGrant) * operations.grants;
    vec![
        Step::Seize(vcpu),
        Step::Seize(parts.processors),
        Step::Rouse(vcpu),
        Step::Work(spans.software(spans.0.get(io)), account(Cause::GuestIo)),
        Step::Work(spans.copy(operations.copies), account(Cause::GuestCopy)),
        Step::Work(spans.software(grants), account(Cause::GuestGrants)),
        Step::Signal(thread),
        Step::Release(parts.processors),
        Step::Release(vcpu),
    ]
}

fn backend_steps(
    parts: &Parts,
    spans: &Spans<'_>,
    (vcpu, thread): (Resource, Resource),
    disk: Disk,
    operations: Operations,
) -> Vec<Step> {
    let software =
        |key, count, cause| Step::Work(spans.software(spans.0.get(key) * count), account(cause));
    let mut steps = vec![
        Step::Seize(thread),
        Step::Seize(parts.dom0_vcpus),
        Step::Seize(parts.processors),
        Step::Rouse(thread),
        software(Key::XenIo, operations.requests, Cause::XenIo),
    ];
    let maps = operations.grants > 0.0;
    if maps {
        let outside = 1.0 - spans.0.get(Key::MapUnmapLocked);
        steps.push(software(Key::MapUnmap, operations.grants * outside, Cause::MapUnmap));
        steps.extend(under_table_lock(parts, spans, operations));
    }
    steps.push(software(Key::BackendIo, operations.requests, Cause::BackendIo));
    if disk == Disk::Ramdisk {
        steps.push(Step::Work(spans.copy(1.0), account(Cause::DiskCopy)));
    }
    if maps {
        steps.extend(under_table_lock(parts, spans, operations));
        steps.extend(flush(parts, spans, operations));
    }
    steps.extend([
        Step::Signal(vcpu),
        Step::Release(parts.processors),
        Step::Release(parts.dom0_vcpus),
        Step::Release(thread),
    ]);
    steps
}

/// Returns the steps of one half of mapping and unmapping, under the lock of dom0's table, of which
/// there is one for all guests.
fn under_table_lock(parts: &Parts, spans: &Spans<'_>, operations: Operations) -> [Step; 3] {
    let locked = spans.0.get(Key::MapUnmap) * spans.0.get(Key::MapUnmapLocked);
    let half = spans.software(locked * operations.grants / 2.0);
    [
        Step::Seize(parts.table_lock),
        Step::Work(half, account(Cause::MapUnmap)),
        Step::Release(parts.table_lock),
    ]
}

/// Returns the steps of flushing all TLBs that dom0 uses, one for each request. Xen does one flush
/// at a time, whoever asks (`flush_lock` in xen/arch/x86/smp.c).
fn flush(parts: &Parts, spans: &Spans<'_>, operations: Operations) -> [Step; 3] {
    let ns = |key| spans.ns(spans.0.get(key) * operations.requests);
    let received = spans.0.get(Key::ShootdownReceived) * operations.requests;
    [
        Step::Seize(parts.flush_lock),
        Step::Interrupt(Interruption {
            pool: parts.dom0_vcpus,
            runs_on: parts.processors,
            base: ns(Key::ShootdownBase),
            each: ns(Key::ShootdownEach),
            account: account(Cause::Shootdown),
            loss: (spans.cycles(received), account(Cause::Interrupted)),
        }),
        Step::Release(parts.flush_lock),
    ]
}
