//! Hosts whose processors map and unmap granted pages: a backend's and a network's.

use serde::Serialize;

use super::designs::{Design, Side, Step, Word, by_swap};
use super::layout::Layout;
use super::machine::{Instruction, Machine, Outcome, Processor, Times};
use crate::costs::{Costs, Key};
use crate::lines::{Access, Latencies};
use crate::simulation::{Span, Spread};

/// Bytes of a page.
pub const PAGE_BYTES: f64 = 4096.0;
/// Pages of a request on a ring without indirect ones.
pub const REQUEST_PAGES: usize = 11;
/// Requests in flight of each disk. 2 MB are 47 requests of 11 pages, of which a ring of one page
/// has room for 32; a few already keep all processors of dom0 busy, and more change nothing but
/// the time until all of them went round.
pub const IN_FLIGHT: usize = 4;
/// Pages of an I/O of 2 MB.
const IO_PAGES: f64 = 512.0;
/// Pages of a packet of 64 KiB.
pub const PACKET_PAGES: usize = 16;
/// Packets under way of a queue.
const QUEUE_PACKETS: usize = 8;

/// vCPUs of the guest that handle events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Events {
    /// The first, all.
    Unbound,
    /// Each those of its disks.
    Bound,
}

/// Guest that writes to several disks, and its backend in dom0.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    /// Processors of dom0, each with the threads of some disks.
    pub cpus: usize,
    /// Processors of the guest.
    pub vcpus: usize,
    /// Sockets over which both are spread evenly.
    pub sockets: usize,
    /// Disks of the guest.
    pub disks: usize,
    /// Requests in flight of each disk.
    pub in_flight: usize,
    /// vCPUs that handle the guest's events.
    pub events: Events,
    /// Whether a request ends with a flush of TLBs.
    pub flushes: bool,
}

/// Lock of a domain's table or p2m, in the figures of 2016.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadLock {
    /// A word that readers change by compare-and-swap.
    Swap,
    /// A word for each processor.
    PerCpu,
}

/// Two guests that send packets to each other through dom0, with a thread of netback for each queue
/// of either.
#[derive(Clone, Copy, Debug)]
pub struct Network {
    /// Queues of each guest.
    pub queues: usize,
    /// Sockets over which their threads are spread evenly.
    pub sockets: usize,
    /// Lock of a grant table.
    pub table: ReadLock,
    /// Lock of a p2m.
    pub p2m: ReadLock,
}

/// Converter of costs to picoseconds.
struct Spans<'a>(&'a Costs);

impl Spans<'_> {
    fn ns(&self, key: Key) -> u64 {
        (self.0.get(key) * 1000.0) as u64
    }

    fn cycles(&self, cycles: f64) -> u64 {
        (cycles / self.0.get(Key::Clock) * 1000.0) as u64
    }

    fn instructions(&self, count: f64) -> u64 {
        self.cycles(count * self.0.get(Key::CyclesPerInstruction))
    }

    fn exits(&self, count: f64) -> u64 {
        let (exit, xen) = (self.0.get(Key::Exit), self.0.get(Key::XenExit));
        self.cycles(count.max(0.0) * exit) + self.instructions(count.max(0.0) * xen)
    }

    fn software(&self, instructions: f64) -> Span {
        Span { mean: self.instructions(instructions), spread: Spread::Even }
    }

    /// Returns the work of mapping a page, or of unmapping it, that no lock covers.
    fn outside(&self) -> Span {
        let outside = 1.0 - self.0.get(Key::MapUnmapLocked);
        self.software(self.0.get(Key::MapUnmap) * outside / 2.0)
    }

    fn latencies(&self) -> Latencies {
        Latencies {
            socket: self.ns(Key::LineSocket),
            remote: self.ns(Key::LineRemote),
            atomic: self.cycles(self.0.get(Key::LineAtomic)),
        }
    }

    fn times(&self) -> Times {
        let covered = self.0.get(Key::MapUnmap) * self.0.get(Key::MapUnmapLocked);
        Times {
            covered: self.software(covered / 2.0),
            flush: [
                self.ns(Key::ShootdownBase),
                self.ns(Key::ShootdownEach),
                self.cycles(self.0.get(Key::ShootdownReceived)),
            ],
            latency: self.ns(Key::Ipi),
        }
    }

    fn dom0_cpu(&self, socket: usize) -> Processor {
        let wake = self.software(self.0.get(Key::BackendSleep));
        Processor { socket, is_dom0: true, signal: self.exits(1.0), wake }
    }

    fn guest_cpu(&self, socket: usize) -> Processor {
        let wake = self.instructions(self.0.get(Key::LinuxSleep));
        let mean = wake + self.exits(self.0.get(Key::LinuxExits) - 1.0);
        let wake = Span { mean, spread: Spread::Even };
        Processor { socket, is_dom0: false, signal: 0, wake }
    }
}

/// Returns the steps of a hypercall for some pages, with the work that no lock covers.
fn each_page(outside: Span, steps: &[Step], pages: usize) -> Vec<Instruction> {
    let steps = |page| steps.iter().map(move |step| Instruction::Page(*step, page, 0));
    (0..pages)
        .flat_map(|page| [Instruction::Work(outside)].into_iter().chain(steps(page)))
        .collect()
}

const FLUSH: [Instruction; 3] =
    [Instruction::FlushLock, Instruction::Flush, Instruction::FlushUnlock];

impl Block {
    /// Returns the host with a design of grant tables.
    pub fn machine(&self, costs: &Costs, design: Design) -> Machine {
        let spans = Spans(costs);
        let place = |number: usize, count: usize| number * self.sockets / count;
        let dom0 = (0..self.cpus).map(|cpu| spans.dom0_cpu(place(cpu, self.cpus)));
        let guest = (0..self.vcpus).map(|cpu| spans.guest_cpu(place(cpu, self.vcpus)));
        let round = |request: usize| {
            // By turns, so that a disk's requests stay on its processors.
            let disk = request % self.disks;
            let vcpu = if self.events == Events::Bound { disk % self.vcpus } else { 0 };
            vec![(self.cpus + vcpu, 0), (disk % self.cpus, 1)]
        };
        let count = self.disks * self.in_flight;
        Machine {
            layout: Layout {
                design,
                cpus: self.cpus + self.vcpus,
                grantors: 1,
                pages: count * REQUEST_PAGES,
            },
            latencies: spans.latencies(),
            times: spans.times(),
            processors: dom0.chain(guest).collect(),
            programs: vec![frontend(&spans), backend(&spans, design, self.flushes)],
            requests: (0..count).map(round).collect(),
            pages: REQUEST_PAGES,
        }
    }

    /// Returns what a run of the host has written, in MB/s, and its outcome.
    pub fn run(&self, costs: &Costs, design: Design, seed: u64) -> (f64, Outcome) {
        let outcome = self.machine(costs, design).run_steady(seed);
        (Self::rate(&outcome), outcome)
    }

    /// Returns what a run has written, in MB/s.
    pub fn rate(outcome: &Outcome) -> f64 {
        let bytes = outcome.rounds as f64 * REQUEST_PAGES as f64 * PAGE_BYTES;
        bytes / outcome.elapsed.max(1) as f64 * 1e6
    }
}

/// Returns a guest's program for a request: what came back is revoked, and the next one granted.
fn frontend(spans: &Spans<'_>) -> Vec<Instruction> {
    let pages = REQUEST_PAGES as f64;
    let request = spans.0.get(Key::BackendIo) + spans.0.get(Key::LinuxIo) * pages / IO_PAGES;
    let grants = spans.0.get(Key::FrontendGrant) * pages;
    let mut program = vec![Instruction::Work(spans.software(request + grants))];
    for page in 0..REQUEST_PAGES {
        for access in [Access::Rmw, Access::Store] {
            program.push(Instruction::Page(Step::To(Word::Header, access), page, 0));
        }
    }
    program
}

/// Returns blkback's program for a request.
fn backend(spans: &Spans<'_>, design: Design, flushes: bool) -> Vec<Instruction> {
    let mut program = vec![Instruction::Work(spans.software(spans.0.get(Key::XenIo)))];
    program.extend(each_page(spans.outside(), &design.map(), REQUEST_PAGES));
    program.push(Instruction::Work(spans.software(spans.0.get(Key::BackendIo))));
    program.extend(each_page(spans.outside(), &design.unmap(), REQUEST_PAGES));
    program.extend(FLUSH.into_iter().filter(|_| flushes));
    program
}

impl Network {
    fn design(&self) -> Design {
        match self.table {
            ReadLock::Swap => Design::PerVcpuHandles,
            ReadLock::PerCpu => Design::PerCpuRwLock,
        }
    }

    /// Returns steps with the locks of the variant.
    fn with_locks(&self, steps: Vec<Step>, has_p2m: bool) -> Vec<Step> {
        let steps = if self.table == ReadLock::Swap { by_swap(steps) } else { steps };
        // A reader of its own word pays nothing for lines.
        if !has_p2m || self.p2m == ReadLock::PerCpu {
            return steps;
        }
        let p2m = Step::Swap(Word::P2m);
        let with = |step| match step {
            Step::Covered => vec![p2m, step, p2m],
            other => vec![other],
        };
        steps.into_iter().flat_map(with).collect()
    }

    /// Returns the host.
    pub fn machine(&self, costs: &Costs) -> Machine {
        let spans = Spans(costs);
        let (cpus, count) = (2 * self.queues, self.queues * QUEUE_PACKETS);
        let processors = (0..cpus).map(|cpu| spans.dom0_cpu(cpu * self.sockets / cpus)).collect();
        let round = |packet: usize| {
            let queue = packet % self.queues;
            vec![(2 * queue, 0), (2 * queue + 1, 1), (2 * queue, 2)]
        };
        let (design, pages) = (self.design(), 2 * PACKET_PAGES);
        Machine {
            layout: Layout { design, cpus, grantors: 2, pages: count * pages },
            latencies: spans.latencies(),
            times: spans.times(),
            processors,
            programs: self.programs(&spans),
            requests: (0..count).map(round).collect(),
            pages,
        }
    }

    /// Returns netback's programs for a packet: mapping what a guest sent, copying it to the other
    /// one, and unmapping it.
    fn programs(&self, spans: &Spans<'_>) -> Vec<Vec<Instruction>> {
        let design = self.design();
        let packet = Instruction::Work(spans.software(spans.0.get(Key::BackendIo)));
        let call = Instruction::Work(spans.software(spans.0.get(Key::XenIo)));
        let map = self.with_locks(design.map(), true);
        let unmap = self.with_locks(design.unmap(), false);
        let acquire = self.with_locks(design.acquire(), true);
        let release = self.with_locks(design.release(), false);
        let mut sends = vec![packet, call];
        sends.extend(each_page(spans.outside(), &map, PACKET_PAGES));
        let mut receives = vec![packet, call];
        let mean = (PAGE_BYTES / spans.0.get(Key::Copy) * 1000.0) as u64;
        let copy = Span { mean, spread: Spread::None };
        for page in 0..PACKET_PAGES {
            let (from, to) = ((page, 0), (PACKET_PAGES + page, 1));
            let of = |steps: &[Step], (page, grantor)| -> Vec<Instruction> {
                steps.iter().map(|step| Instruction::Page(*step, page, grantor)).collect()
            };
            receives.extend([of(&acquire, from), of(&acquire, to)].concat());
            receives.push(Instruction::Work(copy));
            receives.extend([of(&release, to), of(&release, from)].concat());
        }
        let mut ends = vec![call];
        ends.extend(each_page(spans.outside(), &unmap, PACKET_PAGES));
        ends.extend(FLUSH);
        vec![sends, receives, ends]
    }

    /// Returns what a run of the host has sent, in Gbit/s, and its outcome.
    pub fn run(&self, costs: &Costs, seed: u64) -> (f64, Outcome) {
        let outcome = self.machine(costs).run_steady(seed);
        let bits = outcome.rounds as f64 * PACKET_PAGES as f64 * PAGE_BYTES * 8.0;
        (bits / outcome.elapsed.max(1) as f64 * 1e3, outcome)
    }
}

impl Design {
    /// Returns the steps to use an entry for a copy: those of mapping it without a handle.
    pub fn acquire(self) -> Vec<Step> {
        without_handle(self.map())
    }

    /// Returns the steps to end that.
    pub fn release(self) -> Vec<Step> {
        without_handle(self.unmap())
    }
}

fn without_handle(steps: Vec<Step>) -> Vec<Step> {
    let is_of_handle = |word: Word| {
        matches!(word, Word::ListLock | Word::Head | Word::Record | Word::Next | Word::List)
            || word == Word::Table(Side::Local)
    };
    let stays = |step: &Step| match step {
        Step::To(word, _) | Step::Lock(word) | Step::Unlock(word) | Step::Swap(word) => {
            !is_of_handle(*word)
        }
        Step::Take | Step::Give => false,
        Step::Fence | Step::Covered => true,
    };
    steps.into_iter().filter(stays).collect()
}
