//! Processors that run programs of hypercalls and wait for each other's cache lines: a
//! discrete-event simulation. One seed is one run.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::designs::{Step, Word};
use super::layout::{At, Layout};
use crate::lines::{Access, Latencies, Lines};
use crate::simulation::Span;

/// Rounds of each request on average before anything counts.
pub const WARM_UP: u64 = 4;
/// Rounds of each request on average that count.
pub const MEASURED: u64 = 8;
/// Least rounds of all requests that count.
pub const ROUNDS_MIN: u64 = 2000;

/// Instruction of a program.
#[derive(Clone, Copy, Debug)]
pub enum Instruction {
    /// Work.
    Work(Span),
    /// Step of a hypercall for a page of the request, and the domain that grants it.
    Page(Step, usize, usize),
    /// Taking of Xen's `flush_lock`.
    FlushLock,
    /// Release of it.
    FlushUnlock,
    /// Flush of the TLBs of all processors of dom0 that run.
    Flush,
}

/// Times of what is no access to a line.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// Work of [`Step::Covered`].
    pub covered: Span,
    /// Flush, in picoseconds: if there is another processor, for each of these, what each loses.
    pub flush: [u64; 3],
    /// Time from a signal until a processor is awake, in picoseconds.
    pub latency: u64,
}

/// Processor.
#[derive(Clone, Copy, Debug)]
pub struct Processor {
    /// Socket that it is on.
    pub socket: usize,
    /// Whether dom0 runs on it; else a guest.
    pub is_dom0: bool,
    /// Work of who wakes it, in picoseconds.
    pub signal: u64,
    /// Work of its own when it wakes.
    pub wake: Span,
}

/// Host and its load: requests that go round through programs on processors.
#[derive(Debug)]
pub struct Machine {
    /// Lines of its words.
    pub layout: Layout,
    /// Times of accesses to these.
    pub latencies: Latencies,
    /// Times of all else.
    pub times: Times,
    /// Processors.
    pub processors: Vec<Processor>,
    /// Programs that these run.
    pub programs: Vec<Vec<Instruction>>,
    /// Processors and programs of a round, for each request.
    pub requests: Vec<Vec<(usize, usize)>>,
    /// Pages of a request.
    pub pages: usize,
}

/// Outcome of a run after its warm-up; times in picoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Rounds of all requests.
    pub rounds: u64,
    /// Time that they took.
    pub elapsed: u64,
    /// Time of dom0's processors for work.
    pub work: u64,
    /// Their time for lines.
    pub lines: u64,
    /// Their time spinning for locks.
    pub spin: u64,
    /// Their time for flushes.
    pub flush: u64,
    /// Transfers of lines between all processors.
    pub transfers: u64,
}

impl Machine {
    /// Runs in steady state: all requests together go round [`WARM_UP`] times as often as there are
    /// requests before anything counts, and then [`MEASURED`] times, at least [`ROUNDS_MIN`].
    pub fn run_steady(&self, seed: u64) -> Outcome {
        let count = self.requests.len() as u64;
        self.run(seed, WARM_UP * count, (MEASURED * count).max(ROUNDS_MIN))
    }

    /// Runs until all requests together made `warm_up` and then `rounds` rounds.
    pub fn run(&self, seed: u64, warm_up: u64, rounds: u64) -> Outcome {
        Run::new(self, seed).run(warm_up, rounds)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Run,
    /// Its compare-and-swap of a lock is under way, the first or another.
    Try(bool),
    /// Its load of a lock is under way.
    Look,
    /// Wait for a lock that another has, with a copy of its line.
    Spin,
    /// Its store that gives a lock back is under way.
    Unlock,
    /// Its load of a word is under way that it will change, and which it then found.
    Swap(Option<u32>),
}

#[derive(Clone, Debug, Default)]
struct Server {
    queue: VecDeque<usize>,
    is_awake: bool,
    /// Request, with the place in its round, and the place in the program.
    current: Option<(usize, usize)>,
    next: usize,
    phase: Phase,
    /// Time lost by interruptions.
    owes: u64,
    /// Beginning of the wait for a lock or a word that is changed by swaps, and which it is.
    since: u64,
    lock: usize,
    /// Line of the last access, whether it is the processor's own, and when that ended.
    last: Option<(usize, bool, u64)>,
}

struct Run<'a> {
    machine: &'a Machine,
    now: u64,
    events: BinaryHeap<Reverse<(u64, u64, usize)>>,
    event_count: u64,
    lines: Lines,
    servers: Vec<Server>,
    /// Locks, of which several may share a line: whether one is held, and who looks at it.
    held: Vec<bool>,
    lookers: Vec<Vec<usize>>,
    /// Number of changes of each word that is changed by swaps.
    swaps: Vec<u32>,
    /// Handles that pages had last, the lists that handles are of, and those in lists.
    handles: Vec<usize>,
    lists: Vec<usize>,
    free: Vec<Vec<usize>>,
    /// Places of requests in their rounds.
    places: Vec<usize>,
    outcome: Outcome,
    random: fastrand::Rng,
}

impl<'a> Run<'a> {
    fn new(machine: &'a Machine, seed: u64) -> Self {
        let (count, locks) = (machine.layout.count(), machine.layout.locks());
        let sockets = machine.processors.iter().map(|cpu| cpu.socket).collect();
        let mut run = Self {
            machine,
            now: 0,
            events: BinaryHeap::new(),
            event_count: 0,
            lines: Lines::new(sockets, machine.latencies, count),
            servers: vec![Server::default(); machine.processors.len()],
            held: vec![false; locks],
            lookers: vec![Vec::new(); locks],
            swaps: vec![0; locks],
            handles: vec![usize::MAX; machine.layout.pages],
            lists: Vec::new(),
            free: vec![Vec::new(); machine.processors.len()],
            places: vec![0; machine.requests.len()],
            outcome: Outcome::default(),
            random: fastrand::Rng::with_seed(seed),
        };
        for request in 0..machine.requests.len() {
            run.arrive(request, 0);
        }
        run
    }

    fn run(mut self, warm_up: u64, rounds: u64) -> Outcome {
        self.until(warm_up);
        let (begin, transfers) = (self.now, self.lines.transfers());
        self.outcome = Outcome::default();
        self.until(rounds);
        self.outcome.elapsed = self.now - begin;
        self.outcome.transfers = self.lines.transfers() - transfers;
        self.outcome
    }

    fn until(&mut self, rounds: u64) {
        while self.outcome.rounds < rounds
            && let Some(Reverse((time, _, who))) = self.events.pop()
        {
            self.now = time;
            self.resume(who);
        }
    }

    fn at(&mut self, time: u64, who: usize) {
        self.event_count += 1;
        self.events.push(Reverse((time, self.event_count, who)));
    }

    /// Brings a request to the next processor of its round; returns what it costs to wake that.
    fn arrive(&mut self, request: usize, after: u64) -> u64 {
        let (who, _) = self.machine.requests[request][self.places[request]];
        self.servers[who].queue.push_back(request);
        if self.servers[who].is_awake {
            return 0;
        }
        let signal = self.machine.processors[who].signal;
        self.servers[who].is_awake = true;
        self.at(self.now + after + signal + self.machine.times.latency, who);
        signal
    }

    fn resume(&mut self, who: usize) {
        let done = match self.servers[who].phase {
            Phase::Run => true,
            Phase::Try(is_first) => self.tried(who, is_first),
            Phase::Look => self.looked(who),
            Phase::Spin => self.look(who),
            Phase::Unlock => self.unlocked(who),
            Phase::Swap(found) => self.swapped(who, found),
        };
        if done {
            self.servers[who].phase = Phase::Run;
            self.go_on(who);
        }
    }

    /// Runs a processor's program until something takes time.
    fn go_on(&mut self, who: usize) {
        loop {
            let Some((request, place)) = self.servers[who].current else {
                match self.begin(who) {
                    Some(0) => continue,
                    Some(time) => return self.at(self.now + time, who),
                    None => return,
                }
            };
            let (_, program) = self.machine.requests[request][place];
            let Some(instruction) = self.machine.programs[program].get(self.servers[who].next)
            else {
                let signal = self.end(who, request);
                if signal > 0 {
                    self.spend(who, signal);
                    return;
                }
                continue;
            };
            self.servers[who].next += 1;
            if !self.execute(who, request, *instruction) {
                return;
            }
        }
    }

    /// Takes the next request; returns the time of waking for it, or nothing if it sleeps.
    fn begin(&mut self, who: usize) -> Option<u64> {
        let slept = self.servers[who].last.is_none();
        let Some(request) = self.servers[who].queue.pop_front() else {
            let server = &mut self.servers[who];
            (server.is_awake, server.last, server.owes) = (false, None, 0);
            return None;
        };
        let server = &mut self.servers[who];
        (server.current, server.next) = (Some((request, self.places[request])), 0);
        server.last = Some((usize::MAX, false, 0));
        Some(self.work(who, slept.then_some(self.machine.processors[who].wake)))
    }

    /// Sends a request on; returns the time of the signal.
    fn end(&mut self, who: usize, request: usize) -> u64 {
        self.servers[who].current = None;
        self.places[request] += 1;
        if self.places[request] == self.machine.requests[request].len() {
            self.places[request] = 0;
            self.outcome.rounds += 1;
        }
        let signal = self.arrive(request, 0);
        self.count(who, signal, |outcome| &mut outcome.work);
        signal
    }

    /// Returns the time of work on a processor, with what it lost meanwhile.
    fn work(&mut self, who: usize, span: Option<Span>) -> u64 {
        let time = span.map_or(0, |span| span.sample(&mut self.random));
        let time = time + std::mem::take(&mut self.servers[who].owes);
        self.count(who, time, |outcome| &mut outcome.work);
        time
    }

    fn count(&mut self, who: usize, time: u64, of: fn(&mut Outcome) -> &mut u64) {
        if self.machine.processors[who].is_dom0 {
            *of(&mut self.outcome) += time;
        }
    }

    fn spend(&mut self, who: usize, time: u64) -> bool {
        if time > 0 {
            self.at(self.now + time, who);
        }
        time == 0
    }

    /// Executes an instruction; returns whether it took no time.
    fn execute(&mut self, who: usize, request: usize, instruction: Instruction) -> bool {
        match instruction {
            Instruction::Work(span) => {
                let time = self.work(who, Some(span));
                self.spend(who, time)
            }
            Instruction::Page(step, page, grantor) => {
                let page = request * self.machine.pages + page;
                self.step(who, page, grantor, step)
            }
            Instruction::FlushLock => self.step(who, 0, 0, Step::Lock(Word::FlushLock)),
            Instruction::FlushUnlock => self.step(who, 0, 0, Step::Unlock(Word::FlushLock)),
            Instruction::Flush => {
                let time = self.flush(who);
                self.spend(who, time)
            }
        }
    }

    fn place(&self, who: usize, page: usize, grantor: usize) -> At {
        let handle = self.handles[page];
        let list = self.lists.get(handle).copied().unwrap_or(who);
        At { cpu: who, page, grantor, handle, list }
    }

    fn step(&mut self, who: usize, page: usize, grantor: usize, step: Step) -> bool {
        let at = self.place(who, page, grantor);
        if let Step::Lock(word) | Step::Unlock(word) | Step::Swap(word) = step {
            self.servers[who].since = self.now;
            self.servers[who].lock = self.machine.layout.lock(word, at).expect("a lock's word");
        }
        let line = |word| self.machine.layout.line(word, at);
        match step {
            Step::To(word, access) => {
                let line = line(word);
                let time = self.access(who, line, access);
                self.count(who, time, |outcome| &mut outcome.lines);
                self.spend(who, time)
            }
            Step::Lock(word) => self.try_lock(who, line(word), true),
            Step::Unlock(word) => self.begin_phase(who, line(word), Access::Store, Phase::Unlock),
            Step::Swap(word) => self.begin_phase(who, line(word), Access::Load, Phase::Swap(None)),
            Step::Fence => {
                let time = self.machine.latencies.atomic;
                self.count(who, time, |outcome| &mut outcome.lines);
                self.spend(who, time)
            }
            Step::Take => {
                let list = if self.machine.layout.design.has_lists() { who } else { 0 };
                let new = self.lists.len();
                let handle = self.free[list].pop().unwrap_or(new);
                if handle == new {
                    self.lists.push(list);
                }
                self.handles[page] = handle;
                true
            }
            Step::Give => {
                let handle = self.handles[page];
                self.free[self.lists[handle]].push(handle);
                true
            }
            Step::Covered => {
                let time = self.work(who, Some(self.machine.times.covered));
                self.spend(who, time)
            }
        }
    }

    /// Accesses a line; returns the time that it takes. What follows an access to the same line at
    /// once is done before the line can be taken away.
    fn access(&mut self, who: usize, line: usize, access: Access) -> u64 {
        let is_last = self.servers[who].last.is_some_and(|(last, is_own, until)| {
            last == line && until == self.now && (is_own || access == Access::Load)
        });
        let atomic = if access == Access::Rmw { self.machine.latencies.atomic } else { 0 };
        let done = match is_last {
            true => self.now + atomic,
            false => self.lines.access(line, who, access, self.now),
        };
        let was_own = is_last && self.servers[who].last.is_some_and(|(_, is_own, _)| is_own);
        self.servers[who].last = Some((line, was_own || access != Access::Load, done));
        done - self.now
    }

    /// Begins an access that something is done after.
    fn begin_phase(&mut self, who: usize, line: usize, access: Access, phase: Phase) -> bool {
        self.servers[who].phase = phase;
        let time = self.access(who, line, access);
        self.at(self.now + time, who);
        false
    }

    fn try_lock(&mut self, who: usize, line: usize, is_first: bool) -> bool {
        self.begin_phase(who, line, Access::Rmw, Phase::Try(is_first))
    }

    /// Returns the line of a processor's last access.
    fn last_line(&self, who: usize) -> usize {
        self.servers[who].last.map_or(0, |(line, ..)| line)
    }

    fn tried(&mut self, who: usize, is_first: bool) -> bool {
        let lock = self.servers[who].lock;
        if std::mem::replace(&mut self.held[lock], true) {
            return self.look(who);
        }
        let time = self.now - self.servers[who].since;
        match is_first {
            true => self.count(who, time, |outcome| &mut outcome.lines),
            false => self.count(who, time, |outcome| &mut outcome.spin),
        }
        true
    }

    fn look(&mut self, who: usize) -> bool {
        let line = self.last_line(who);
        self.begin_phase(who, line, Access::Load, Phase::Look)
    }

    fn looked(&mut self, who: usize) -> bool {
        let lock = self.servers[who].lock;
        if !self.held[lock] {
            return self.try_lock(who, self.last_line(who), false);
        }
        self.servers[who].phase = Phase::Spin;
        self.lookers[lock].push(who);
        false
    }

    fn unlocked(&mut self, who: usize) -> bool {
        let lock = self.servers[who].lock;
        self.held[lock] = false;
        let time = self.now - self.servers[who].since;
        self.count(who, time, |outcome| &mut outcome.lines);
        // Their copies are gone, so all look again.
        for looker in std::mem::take(&mut self.lookers[lock]) {
            self.at(self.now, looker);
        }
        true
    }

    fn swapped(&mut self, who: usize, found: Option<u32>) -> bool {
        let (line, lock) = (self.last_line(who), self.servers[who].lock);
        let current = self.swaps[lock];
        match found {
            // The load is done: what it found is compared when the next access gets the line.
            None => self.begin_phase(who, line, Access::Rmw, Phase::Swap(Some(current))),
            Some(found) if found == current => {
                self.swaps[lock] = current.wrapping_add(1);
                let time = self.now - self.servers[who].since;
                self.count(who, time, |outcome| &mut outcome.lines);
                true
            }
            Some(_) => self.begin_phase(who, line, Access::Load, Phase::Swap(None)),
        }
    }

    /// Interrupts all processors on which dom0 runs; returns the time that this takes.
    fn flush(&mut self, who: usize) -> u64 {
        let [base, each, loss] = self.machine.times.flush;
        let mut others = 0;
        for (number, server) in self.servers.iter_mut().enumerate() {
            let is_dom0 = self.machine.processors[number].is_dom0;
            if number == who || !is_dom0 || server.current.is_none() {
                continue;
            }
            others += 1;
            // Who spins loses nothing by it.
            if server.phase == Phase::Run {
                server.owes += loss;
            }
        }
        let time = if others == 0 { 0 } else { base + each * others };
        self.count(who, time, |outcome| &mut outcome.flush);
        time
    }
}
