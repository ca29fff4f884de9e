//! Simulation of a guest, its backend and busy guests on one processor or two, with a scheduler
//! like Xen's: time slices, and a boost for who wakes. Times are those of hardware, roughly.

use alloc::collections::VecDeque;

use fio_job::Poll;

use crate::wait::{Step, Waiter, Work};

/// Time of a look that finds nothing, and of one I/O in the guest.
const LOOK_NS: u64 = 150;
const IO_NS: u64 = 300;
/// Time of a hypercall that yields, of one that sends an event, and of arming and going to sleep.
const YIELD_NS: u64 = 1_000;
const SEND_NS: u64 = 1_500;
const SLEEP_NS: u64 = 2_000;
/// Time from an event until who sleeps runs on, with the interrupt.
const WAKE_NS: u64 = 5_000;
/// Time to go from one to another on a processor.
const SWITCH_NS: u64 = 1_500;
/// Time slice, and the least of it that one who wakes leaves another.
const SLICE_NS: u64 = 30_000_000;
/// Longest step of a guest that polls.
const POLL_STEP_NS: u64 = 2_000;

/// Number of the guest; the others are the backend and the busy guests.
const GUEST: usize = 0;
const BACKEND: usize = 1;
const BUSY: usize = 2;
const ALL: usize = BUSY + 3;

/// Machine, which may change while it runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Machine {
    /// Whether the backend is on the guest's processor.
    pub(super) shared: bool,
    /// Number of other guests that keep this processor busy, up to three.
    pub(super) busy: usize,
    /// Time for which whoever wakes leaves the other its processor, at least.
    pub(super) rate_limit_ns: u64,
    /// Time of the backend's processor for each request.
    pub(super) service_ns: u64,
    /// Time of the disk after that.
    pub(super) disk_ns: u64,
    /// Time between pauses of the guest, of 1 ms each, if there are any.
    pub(super) paused_every_ns: u64,
}

impl Machine {
    /// Guest and backend with a processor each, and a ramdisk.
    pub(super) const OWN: Self = Self {
        shared: false,
        busy: 0,
        rate_limit_ns: 0,
        service_ns: 3_000,
        disk_ns: 0,
        paused_every_ns: 0,
    };
}

/// Figures of a span of a run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Figures {
    /// Number of I/Os.
    pub(super) ios: u64,
    /// Number of waits that began by sleeping.
    pub(super) slept: u64,
    /// Longest time between two looks for which the guest kept polling in one wait.
    pub(super) polled_ns_max: u64,
    /// Number of yields that took a time slice or more.
    pub(super) slices: u64,
}

/// State of one who waits for work, or for its processor, or runs.
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Asleep,
    Ready,
    Running,
}

/// Work of the guest until it decides again.
#[derive(Clone, Copy, Debug)]
enum Doing {
    Look,
    Put(u64),
    Yield,
    Yielded,
    Arm,
}

#[derive(Debug, Default)]
struct Processor {
    running: Option<usize>,
    queue: VecDeque<usize>,
    since_ns: u64,
}

pub(super) struct Simulation {
    machine: Machine,
    now_ns: u64,
    processors: [Processor; 2],
    states: [State; ALL],
    /// Work left of each before it decides what to do next.
    left_ns: [u64; ALL],
    waiter: Waiter,
    doing: Doing,
    in_wait: bool,
    poll_from_ns: u64,
    /// Time at which the guest yielded.
    yield_from_ns: u64,
    armed: bool,
    depth: u64,
    /// Requests that the backend has not seen, those it has served, and those found.
    pending: u64,
    served: u64,
    found: u64,
    /// Whether the backend serves one, and is asleep.
    serves: bool,
    /// Times at which the disk is done.
    disk: VecDeque<u64>,
    next_pause_ns: u64,
    figures: Figures,
}

impl Simulation {
    pub(super) fn new(machine: Machine, policy: Poll, depth: u64) -> Self {
        let mut simulation = Self {
            machine,
            now_ns: 1_000_000,
            processors: Default::default(),
            states: [State::Asleep; ALL],
            left_ns: [0; ALL],
            yield_from_ns: 0,
            waiter: Waiter::new(policy),
            doing: Doing::Put(depth),
            in_wait: false,
            poll_from_ns: 0,
            armed: false,
            depth,
            pending: 0,
            served: 0,
            found: 0,
            serves: false,
            disk: VecDeque::new(),
            next_pause_ns: 0,
            figures: Figures::default(),
        };
        simulation.change(machine);
        simulation.wake(GUEST);
        simulation
    }

    /// Goes on on another machine.
    pub(super) fn change(&mut self, machine: Machine) {
        self.machine = machine;
        self.next_pause_ns = match machine.paused_every_ns {
            0 => u64::MAX,
            every_ns => self.now_ns + every_ns,
        };
        // All go to the processors where they belong.
        self.processors = Default::default();
        let states = core::mem::replace(&mut self.states, [State::Asleep; ALL]);
        (BUSY..BUSY + machine.busy).for_each(|who| self.wake(who));
        for who in [GUEST, BACKEND] {
            if states[who] != State::Asleep {
                self.wake(who);
            }
        }
    }

    /// Runs for so long; returns what was done meanwhile.
    pub(super) fn run(&mut self, ns: u64) -> Figures {
        self.figures = Figures::default();
        let end_ns = self.now_ns + ns;
        while self.now_ns < end_ns {
            self.step();
        }
        self.figures
    }

    fn processor(&self, who: usize) -> usize {
        usize::from(who == BACKEND && !self.machine.shared)
    }

    /// Lets somebody run, at once unless another may keep the processor.
    fn wake(&mut self, who: usize) {
        if self.states[who] != State::Asleep {
            return;
        }
        self.states[who] = State::Ready;
        self.left_ns[who] += WAKE_NS;
        let number = self.processor(who);
        let processor = &mut self.processors[number];
        processor.queue.push_front(who);
        if processor.running.is_none() {
            self.switch(number);
        }
    }

    /// Gives a processor to the first of its queue.
    fn switch(&mut self, number: usize) {
        let processor = &mut self.processors[number];
        processor.running = processor.queue.pop_front();
        processor.since_ns = self.now_ns;
        if let Some(who) = processor.running {
            self.states[who] = State::Running;
            self.left_ns[who] += SWITCH_NS;
        }
    }

    /// Takes a processor away from who runs there, who goes to the end of the queue.
    fn preempt(&mut self, number: usize, woken: Option<usize>) {
        let processor = &mut self.processors[number];
        if let Some(who) = processor.running.take() {
            self.states[who] = State::Ready;
            // Who is preempted by one who woke goes on before those who only wait.
            let at = if woken.is_some() { 1 } else { processor.queue.len() };
            processor.queue.insert(at, who);
        }
        self.switch(number);
    }

    /// Returns whether who waits for a processor has just woken, and gets it before others.
    fn has_woken(&self, who: usize) -> bool {
        who < BUSY && self.left_ns[who] >= WAKE_NS
    }

    /// Returns when the processor is taken away from who runs there.
    fn preempt_ns(&self, number: usize) -> u64 {
        let processor = &self.processors[number];
        match (processor.running, processor.queue.front()) {
            (Some(_), Some(&first)) => {
                let keeps_ns =
                    if self.has_woken(first) { self.machine.rate_limit_ns } else { SLICE_NS };
                processor.since_ns + keeps_ns
            }
            _ => u64::MAX,
        }
    }

    /// Goes on to whatever happens next.
    fn step(&mut self) {
        let mut next_ns = self.disk.front().copied().unwrap_or(u64::MAX).min(self.next_pause_ns);
        for number in 0..2 {
            next_ns = next_ns.min(self.preempt_ns(number));
            if let Some(who) = self.processors[number].running {
                next_ns = next_ns.min(self.now_ns + self.left_ns[who]);
            }
        }
        let ns = next_ns.saturating_sub(self.now_ns);
        self.now_ns += ns;
        let running = self.processors.each_ref().map(|processor| processor.running);
        for who in running.into_iter().flatten() {
            self.left_ns[who] -= ns;
        }
        if self.now_ns >= self.next_pause_ns {
            self.left_ns[GUEST] += 1_000_000;
            self.next_pause_ns += self.machine.paused_every_ns;
        }
        while self.disk.front().is_some_and(|&at_ns| at_ns <= self.now_ns) {
            self.disk.pop_front();
            self.serve();
        }
        for who in running.into_iter().flatten() {
            if self.left_ns[who] == 0 && self.states[who] == State::Running {
                self.decide(who);
            }
        }
        for number in 0..2 {
            if self.preempt_ns(number) <= self.now_ns {
                let first = self.processors[number].queue[0];
                self.preempt(number, self.has_woken(first).then_some(first));
            }
        }
    }

    /// Completes a request.
    fn serve(&mut self) {
        self.served += 1;
        if core::mem::take(&mut self.armed) {
            self.left_ns[BACKEND] += SEND_NS;
            self.wake(GUEST);
        }
    }

    fn decide(&mut self, who: usize) {
        match who {
            GUEST => self.guest(),
            BACKEND => self.backend(),
            _ => self.left_ns[who] = u64::MAX / 2,
        }
    }

    fn sleep(&mut self, who: usize) {
        self.states[who] = State::Asleep;
        self.switch(self.processor(who));
    }

    fn backend(&mut self) {
        if core::mem::take(&mut self.serves) {
            match self.machine.disk_ns {
                0 => self.serve(),
                disk_ns => self.disk.push_back(self.now_ns + disk_ns),
            }
        }
        if self.pending == 0 {
            return self.sleep(BACKEND);
        }
        self.pending -= 1;
        self.serves = true;
        self.left_ns[BACKEND] += self.machine.service_ns;
    }

    fn guest(&mut self) {
        match self.doing {
            Doing::Look => self.look(),
            Doing::Yielded => {
                let ns = self.now_ns - self.yield_from_ns;
                self.figures.slices += u64::from(ns >= SLICE_NS);
                self.waiter.note_yield(ns, None);
                self.look();
            }
            Doing::Put(count) => {
                self.pending += count;
                self.doing = Doing::Look;
                self.left_ns[GUEST] = LOOK_NS;
                if self.states[BACKEND] == State::Asleep {
                    self.left_ns[GUEST] += SEND_NS;
                    self.wake(BACKEND);
                }
            }
            Doing::Yield => {
                self.doing = Doing::Yielded;
                self.left_ns[GUEST] = LOOK_NS;
                if !self.processors[0].queue.is_empty() {
                    self.preempt(0, None);
                }
            }
            Doing::Arm => {
                self.doing = Doing::Look;
                if self.served == self.found {
                    self.armed = true;
                    return self.sleep(GUEST);
                }
                self.left_ns[GUEST] = LOOK_NS;
            }
        }
    }

    fn look(&mut self) {
        let count = self.served - self.found;
        if count != 0 {
            self.found = self.served;
            self.figures.ios += count;
            let work = Work { completed: self.found, in_flight: self.depth };
            self.waiter.progress(self.now_ns, || work);
            self.in_wait = false;
            self.doing = Doing::Put(count);
            self.left_ns[GUEST] = LOOK_NS + count * IO_NS;
            return;
        }
        let begins = !core::mem::replace(&mut self.in_wait, true);
        if begins {
            self.poll_from_ns = self.now_ns;
        }
        match self.waiter.idle(self.now_ns) {
            Step::Poll => {
                let polled_ns = self.now_ns - self.poll_from_ns;
                self.figures.polled_ns_max = self.figures.polled_ns_max.max(polled_ns);
                self.left_ns[GUEST] = self.poll_step_ns();
            }
            Step::Yield => {
                self.doing = Doing::Yield;
                self.yield_from_ns = self.now_ns;
                self.left_ns[GUEST] = YIELD_NS;
            }
            Step::Sleep => {
                self.figures.slept += u64::from(begins);
                self.doing = Doing::Arm;
                self.left_ns[GUEST] = SLEEP_NS;
            }
        }
    }

    /// Returns the time to the next look: looks that find nothing are made few.
    fn poll_step_ns(&self) -> u64 {
        let backend_ns = match self.states[BACKEND] {
            State::Running => self.left_ns[BACKEND],
            _ => u64::MAX,
        };
        let disk_ns = self.disk.front().map_or(u64::MAX, |&at_ns| at_ns - self.now_ns);
        backend_ns.min(disk_ns).clamp(LOOK_NS, POLL_STEP_NS)
    }
}
