//! The hypervisor's state, and the services that simulated peers get from it.

use std::rc::Rc;

use drivers::{Page, PageRun};
use xen_abi::{DomId, Port};

use crate::agenda::{Actor, Agenda, Task};
use crate::events::Events;
use crate::grants::Grants;
use crate::memory::Memory;

/// The domain under test.
pub const GUEST: DomId = DomId(1);

/// Pages of the grant table that the guest has address space for, as in the kernel.
pub const GRANT_FRAMES_ROOM: u32 = 255;

/// Properties of the simulated machine.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Decides everything that is left open below.
    pub seed: u64,
    /// Pages that the guest can allocate.
    pub pages: usize,
    /// Pages that Xen lets its grant table grow to.
    pub grant_frames: usize,
    /// vCPUs of the guest.
    pub vcpus: u32,
}

impl Config {
    /// A guest of 4 MiB with room for 4,096 grants and one vCPU.
    pub fn seeded(seed: u64) -> Self {
        Self { seed, pages: 1024, grant_frames: 8, vcpus: 1 }
    }
}

/// Counts that the simulator keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Events brought to the guest.
    pub delivered: u64,
    /// Turns that peers had.
    pub turns: u64,
    /// Sleeps of the guest that ended by their deadline.
    pub timeouts: u64,
    /// Calls that may fail: page, grant frame and event channel calls.
    pub fallible_calls: u64,
    /// Times that the guest asked what was stolen from it.
    pub stolen_calls: u64,
    /// Events that the guest sent.
    pub sends: u64,
    /// Sleeps of the guest, each of which sets a timer.
    pub sleeps: u64,
    /// Times that the guest let others run.
    pub yields: u64,
    /// Hypercalls by which the guest sets itself up: for a page of the grant table, an event
    /// channel. These and the five above are all hypercalls that drivers can make.
    pub set_up_calls: u64,
}

/// Xen, seen from the peers.
pub struct Xen {
    /// The guest's memory.
    pub memory: Rc<Memory>,
    /// Mappings of it.
    pub grants: Grants,
    /// The guest's event channels.
    pub events: Events,
    /// Time.
    pub agenda: Agenda,
    /// The one source of chance.
    pub rng: fastrand::Rng,
    /// Counts so far.
    pub totals: Totals,
    /// The fallible call with this number fails.
    pub fail_call: Option<u64>,
    /// Each of the guest's calls takes so much longer, as when its processor is taken away.
    pub call_ns: u64,
    /// Pages of the grant table that the guest has.
    pub grant_frames: u32,
    /// Pauses of the guest: the number of a call, from 1, and how much longer it takes.
    pub pauses: Vec<(u64, u64)>,
    /// Calls that the guest made.
    pub calls: u64,
    /// Time for which the guest's processor was taken away, in nanoseconds; `None` if nobody is to
    /// know.
    pub stolen_ns: Option<u64>,
    /// The guest's processor takes so long to deal with a completed request.
    pub completion_ns: u64,
    /// Each of the guest's yields takes so much longer.
    pub yield_ns: u64,
    /// Time that the call of a yield itself takes, in nanoseconds.
    pub yield_call_ns: u64,
    /// Peers run at once whenever they can, and events arrive at once: nothing but the guest and
    /// the disks takes time.
    pub prompt: bool,
    free_pages: Vec<usize>,
    owned: Vec<bool>,
    trace: u64,
    violations: Vec<String>,
}

impl Xen {
    pub(crate) fn new(config: &Config) -> Self {
        let mut rng = fastrand::Rng::with_seed(config.seed);
        // Rings stand where they wrap soon in one run of four.
        let index = match rng.u32(0..4) {
            0 => u32::MAX - rng.u32(0..3000),
            _ => rng.u32(..),
        };
        let memory = Rc::new(Memory::new(config.pages, config.grant_frames, index));
        Self {
            grants: Grants::new(&memory),
            events: Events::new(config.vcpus),
            agenda: Agenda::default(),
            rng,
            totals: Totals::default(),
            fail_call: None,
            call_ns: 0,
            completion_ns: 0,
            yield_ns: 0,
            yield_call_ns: 0,
            prompt: false,
            grant_frames: 0,
            pauses: Vec::new(),
            calls: 0,
            stolen_ns: Some(0),
            free_pages: (0..config.pages).rev().collect(),
            owned: vec![false; config.pages],
            trace: 0xcbf2_9ce4_8422_2325,
            violations: Vec::new(),
            memory,
        }
    }

    /// Lets a peer run soon; when exactly is up to chance.
    pub fn wake(&mut self, actor: Actor) {
        let at_ns = self.agenda.now_ns() + self.delay_ns();
        self.agenda.schedule(Task::Run(actor), at_ns);
    }

    /// Lets a peer run at a time of its own choice.
    pub fn wake_at(&mut self, actor: Actor, at_ns: u64) {
        self.agenda.schedule(Task::Run(actor), at_ns);
    }

    /// Sends the guest an event, which arrives soon. Now and then a second one follows, because a
    /// spurious event is always allowed.
    pub fn notify(&mut self, port: Port) {
        if !self.prompt && self.rng.u32(0..32) == 0 {
            self.events.deliver(port);
        }
        let at_ns = self.agenda.now_ns() + self.delay_ns() / 4;
        self.agenda.schedule(Task::Deliver(port), at_ns);
    }

    /// Raises an event again and again, until the agenda is calmed.
    pub fn storm(&mut self, port: Port, period_ns: u64) {
        let at_ns = self.agenda.now_ns() + period_ns;
        self.agenda.schedule(Task::Storm(port, period_ns), at_ns);
    }

    /// Some time between two things in different domains: mostly short, now and then long enough
    /// for anything else to come between.
    pub fn delay_ns(&mut self) -> u64 {
        if self.prompt {
            return 0;
        }
        match self.rng.u32(0..32) {
            0 => self.rng.u64(100_000..2_000_000),
            1..8 => self.rng.u64(5_000..100_000),
            _ => self.rng.u64(500..5_000),
        }
    }

    /// Mixes what happened into the trace.
    pub fn note(&mut self, what: u8, a: u64, b: u64) {
        for word in [u64::from(what), self.agenda.now_ns(), a, b] {
            self.trace = (self.trace ^ word).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23);
        }
    }

    /// A hash of all that happened so far: equal for equal runs.
    pub fn trace(&self) -> u64 {
        self.trace
    }

    /// The guest did what no guest may do.
    pub fn violation(&mut self, what: String) {
        self.violations.push(what);
    }

    /// Hands over the violations so far; any that nobody takes fail the test at its end.
    pub fn take_violations(&mut self) -> Vec<String> {
        std::mem::take(&mut self.violations)
    }

    /// Returns whether this fallible call is the one that is to fail.
    pub(crate) fn fails(&mut self) -> bool {
        self.totals.fallible_calls += 1;
        self.fail_call == Some(self.totals.fallible_calls - 1)
    }

    /// A page for the guest, any of the free ones.
    pub(crate) fn alloc_page(&mut self) -> Option<Page> {
        if self.free_pages.is_empty() {
            return None;
        }
        let index = self.free_pages.swap_remove(self.rng.usize(0..self.free_pages.len()));
        self.hand_out(index, 1).into_pages().next()
    }

    /// Pages for the guest that lie one behind the other, any such run.
    pub(crate) fn alloc_run(&mut self, count: usize) -> Option<PageRun> {
        let free = |start: &usize| !self.owned[*start..start + count].contains(&true);
        let starts = 0..(self.owned.len() + 1).saturating_sub(count);
        let runs: Vec<usize> = starts.filter(free).collect();
        let start = *runs.get(self.rng.usize(0..runs.len().max(1)))?;
        self.free_pages.retain(|index| !(start..start + count).contains(index));
        Some(self.hand_out(start, count))
    }

    fn hand_out(&mut self, index: usize, count: usize) -> PageRun {
        let (run, untouched) = self.memory.hand_out(index, count);
        if !untouched {
            self.violation(format!("page {index} or one behind it was written after it was freed"));
        }
        self.owned[index..index + count].fill(true);
        run
    }

    /// Takes a page back, which nobody may be able to reach any more.
    pub(crate) fn free_page(&mut self, page: Page) {
        let gfn = page.gfn();
        let index = self.memory.index(gfn).filter(|&index| self.owned[index]);
        let Some(index) = index else {
            return self.violation(format!("{gfn:?} was freed and is not allocated"));
        };
        if let Some(reach) = self.grants.reach(&self.memory, gfn) {
            self.violation(format!("{gfn:?} was freed while {reach}"));
        }
        self.owned[index] = false;
        self.memory.poison(gfn);
        self.free_pages.push(index);
    }

    /// Pages that the guest holds, or has lost on purpose.
    pub fn pages_out(&self) -> usize {
        self.memory.pages() - self.free_pages.len()
    }
}
