//! Discrete-event simulation of a closed network: a fixed number of customers who go round their
//! steps for ever, wait for resources and spend time. One seed is one run.
//!
//! It knows nothing of Xen; `network` builds what it runs.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// Longest single span, in picoseconds: 10 ms, so that no sum of times in a run overflows.
pub const SPAN_MAX: u64 = 10_000_000_000;

/// Number of a resource in its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resource(usize);

impl Resource {
    /// Returns its place in [`Outcome::uses`].
    pub const fn index(self) -> usize {
        self.0
    }
}

/// Number under which time is added up.
pub type Account = usize;

/// Distribution of spans of time around their mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// All are alike.
    None,
    /// Evenly from half of the mean to half as much again, as software's are.
    Even,
    /// Exponential: without memory.
    Exponential,
}

/// Span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Mean, in picoseconds.
    pub mean: u64,
    /// Distribution around it.
    pub spread: Spread,
}

impl Span {
    /// Returns a span of the distribution.
    pub(crate) fn sample(self, random: &mut fastrand::Rng) -> u64 {
        let mean = self.mean as f64;
        let span = match self.spread {
            Spread::None => mean,
            Spread::Even => mean * (0.5 + random.f64()),
            Spread::Exponential => -mean * (1.0 - random.f64()).ln(),
        };
        // A conversion of a float saturates.
        (span as u64).min(SPAN_MAX)
    }
}

/// Step of a customer.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// Waits for a unit of a resource and takes it.
    Seize(Resource),
    /// Gives the unit back.
    Release(Resource),
    /// Spends time, on an account.
    Work(Span, Account),
    /// Does the work of waking a resource that it seized, if that slept.
    Rouse(Resource),
    /// Signals a resource, if it sleeps and nobody did so before.
    Signal(Resource),
    /// Interrupts others.
    Interrupt(Interruption),
}

/// Interruption of all who hold a unit of a pool and are running: a shoot-down.
#[derive(Clone, Copy, Debug)]
pub struct Interruption {
    /// Pool whose holders are interrupted.
    pub pool: Resource,
    /// Resource without which a holder is not running, and is left alone.
    pub runs_on: Resource,
    /// Time that it takes if there is another holder, in picoseconds.
    pub base: u64,
    /// Time for each other holder, in picoseconds.
    pub each: u64,
    /// Account of these.
    pub account: Account,
    /// Time that each other loses, in picoseconds, and its account.
    pub loss: (u64, Account),
}

/// Sleep of a resource that nobody holds.
#[derive(Clone, Copy, Debug)]
pub struct Sleep {
    /// Work of who signals it.
    pub signal: (Span, Account),
    /// Time from the signal until it is awake, in picoseconds.
    pub latency: u64,
    /// Work of the first who holds it then.
    pub wake: [(Span, Account); 2],
}

/// Properties of a resource.
#[derive(Clone, Copy, Debug, Default)]
pub struct Properties {
    /// Number of customers that can hold it at a time.
    pub units: usize,
    /// Sleep, if it sleeps.
    pub sleep: Option<Sleep>,
    /// Account of the time that is spent waiting for it, if it is a lock on which one spins.
    pub spin: Option<Account>,
    /// Time that it takes to reach a customer who had to wait for it, in picoseconds.
    pub handover: u64,
}

/// Processors that share cores: with more at work than there are cores, all are slower.
#[derive(Clone, Copy, Debug)]
pub struct Processors {
    /// Pool of them.
    pub pool: Resource,
    /// Number of cores.
    pub cores: usize,
    /// Work that the second thread of a core adds, in parts of what one does alone.
    pub second_thread: f64,
}

/// Resources, and the customers who use them.
#[derive(Debug, Default)]
pub struct Network {
    resources: Vec<Properties>,
    customers: Vec<Vec<Step>>,
    processors: Option<Processors>,
    accounts: usize,
}

/// Outcome of a run, after its warm-up.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Rounds of all customers.
    pub rounds: u64,
    /// Time that they took, in picoseconds.
    pub elapsed: u64,
    /// Time on each account, in picoseconds.
    pub spent: Vec<u64>,
    /// Use of each resource.
    pub uses: Vec<Use>,
}

/// Use of a resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Use {
    /// Number of times that it was seized.
    pub seized: u64,
    /// Time that customers waited for it, in picoseconds.
    pub waited: u64,
    /// Time that its units were held, in picoseconds.
    pub held: u64,
}

impl Network {
    /// Creates a network that keeps so many accounts.
    pub fn new(accounts: usize) -> Self {
        Self { accounts, ..Self::default() }
    }

    /// Adds a resource.
    pub fn resource(&mut self, properties: Properties) -> Resource {
        self.resources.push(properties);
        Resource(self.resources.len() - 1)
    }

    /// Adds a customer, with the steps of a round. What it seizes it must release in the round, and
    /// some step must take time.
    pub fn customer(&mut self, steps: Vec<Step>) {
        self.customers.push(steps);
    }

    /// Lets work that is done holding a processor depend on how many are at work.
    pub fn share_cores(&mut self, processors: Processors) {
        self.processors = Some(processors);
    }

    /// Runs until all customers together made `warm_up` and then `rounds` rounds.
    pub fn run(&self, seed: u64, warm_up: u64, rounds: u64) -> Outcome {
        Run::new(self, seed).run(warm_up, rounds)
    }
}

/// State of a resource.
#[derive(Clone, Debug, Default)]
struct State {
    holders: Vec<usize>,
    queue: VecDeque<usize>,
    asleep: bool,
    signalled: bool,
    owes_wake: bool,
    usage: Use,
    /// Time at which `held` was last brought up to date.
    held_until: u64,
}

/// State of a customer.
#[derive(Clone, Copy, Debug, Default)]
struct Customer {
    step: usize,
    /// Time at which its work ends; an interruption moves it.
    due: u64,
    waits_for: Option<usize>,
    since: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Resume(usize),
    Awake(usize),
}

struct Run<'a> {
    network: &'a Network,
    now: u64,
    /// Events by time, and by their order within it.
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    event_count: u64,
    states: Vec<State>,
    customers: Vec<Customer>,
    spent: Vec<u64>,
    rounds: u64,
    random: fastrand::Rng,
}

impl<'a> Run<'a> {
    fn new(network: &'a Network, seed: u64) -> Self {
        let state = |of: &Properties| State { asleep: of.sleep.is_some(), ..State::default() };
        let mut run = Self {
            network,
            now: 0,
            events: BinaryHeap::new(),
            event_count: 0,
            states: network.resources.iter().map(state).collect(),
            customers: vec![Customer::default(); network.customers.len()],
            spent: vec![0; network.accounts],
            rounds: 0,
            random: fastrand::Rng::with_seed(seed),
        };
        (0..network.customers.len()).for_each(|who| run.at(0, Event::Resume(who)));
        run
    }

    fn at(&mut self, time: u64, event: Event) {
        self.event_count += 1;
        self.events.push(Reverse((time, self.event_count, event)));
    }

    fn run(mut self, warm_up: u64, rounds: u64) -> Outcome {
        self.until(warm_up);
        let begin = self.now;
        self.rounds = 0;
        self.spent.fill(0);
        for state in &mut self.states {
            (state.usage, state.held_until) = (Use::default(), begin);
        }
        self.until(rounds);
        (0..self.states.len()).for_each(|of| self.count_held(of));
        Outcome {
            rounds: self.rounds,
            elapsed: self.now - begin,
            spent: self.spent,
            uses: self.states.iter().map(|state| state.usage).collect(),
        }
    }

    fn until(&mut self, rounds: u64) {
        while self.rounds < rounds
            && let Some(Reverse((time, _, event))) = self.events.pop()
        {
            self.now = time;
            match event {
                Event::Resume(who) if self.customers[who].due > time => {
                    self.at(self.customers[who].due, event);
                }
                Event::Resume(who) => self.go_on(who),
                Event::Awake(of) => self.awake(of),
            }
        }
    }

    /// Takes a customer's steps until one takes time.
    fn go_on(&mut self, who: usize) {
        let steps = &self.network.customers[who];
        loop {
            if self.customers[who].step == steps.len() {
                self.customers[who].step = 0;
                self.rounds += 1;
                // Others go first, if it is their time too.
                return self.at(self.now, Event::Resume(who));
            }
            let step = steps[self.customers[who].step];
            self.customers[who].step += 1;
            let time = match step {
                Step::Seize(Resource(of)) if self.seize(who, of) => 0,
                Step::Seize(_) => return,
                Step::Release(Resource(of)) => self.release(who, of),
                Step::Work(span, account) => self.work(span, account),
                Step::Rouse(Resource(of)) => self.rouse(of),
                Step::Signal(Resource(of)) => self.signal(of),
                Step::Interrupt(interruption) => self.interrupt(who, interruption),
            };
            if time > 0 {
                return self.spend(who, time);
            }
        }
    }

    /// Lets a customer go on when so much time is over.
    fn spend(&mut self, who: usize, time: u64) {
        self.customers[who].due = self.now + time;
        self.at(self.now + time, Event::Resume(who));
    }

    fn work(&mut self, span: Span, account: Account) -> u64 {
        let alone = span.sample(&mut self.random);
        let time = (alone as f64 * self.slowness()) as u64;
        self.spent[account] += time;
        time
    }

    /// Returns how much longer work takes because processors share cores.
    fn slowness(&self) -> f64 {
        let Some(shared) = self.network.processors else { return 1.0 };
        let (busy, cores) = (self.states[shared.pool.0].holders.len(), shared.cores);
        if busy <= cores {
            return 1.0;
        }
        let (busy, cores) = (busy as f64, cores as f64);
        busy / (cores + (busy - cores) * shared.second_thread)
    }

    /// Takes a unit of a resource, if one is free; else the customer waits.
    fn seize(&mut self, who: usize, of: usize) -> bool {
        let state = &self.states[of];
        let free = state.holders.len() < self.network.resources[of].units;
        if free && !state.asleep && state.queue.is_empty() {
            self.hold(who, of);
            return true;
        }
        // It may have fallen asleep since it was signalled, or never have been.
        if let Some(sleep) = self.network.resources[of].sleep
            && self.states[of].asleep
            && !std::mem::replace(&mut self.states[of].signalled, true)
        {
            self.at(self.now + sleep.latency, Event::Awake(of));
        }
        self.states[of].queue.push_back(who);
        (self.customers[who].waits_for, self.customers[who].since) = (Some(of), self.now);
        false
    }

    fn hold(&mut self, who: usize, of: usize) {
        self.count_held(of);
        self.states[of].holders.push(who);
        self.states[of].usage.seized += 1;
    }

    fn count_held(&mut self, of: usize) {
        let (now, state) = (self.now, &mut self.states[of]);
        state.usage.held += (now - state.held_until) * state.holders.len() as u64;
        state.held_until = now;
    }

    fn release(&mut self, who: usize, of: usize) -> u64 {
        self.count_held(of);
        self.states[of].holders.retain(|holder| *holder != who);
        self.serve(of, self.network.resources[of].handover);
        let state = &mut self.states[of];
        state.asleep = state.holders.is_empty() && self.network.resources[of].sleep.is_some();
        0
    }

    /// Gives a free unit to who waited longest.
    fn serve(&mut self, of: usize, handover: u64) {
        let properties = self.network.resources[of];
        if self.states[of].holders.len() >= properties.units {
            return;
        }
        let Some(next) = self.states[of].queue.pop_front() else { return };
        self.hold(next, of);
        let waited = self.now - self.customers[next].since + handover;
        self.customers[next].waits_for = None;
        self.states[of].usage.waited += waited;
        if let Some(account) = properties.spin {
            self.spent[account] += waited;
        }
        self.spend(next, handover);
    }

    fn awake(&mut self, of: usize) {
        let state = &mut self.states[of];
        (state.asleep, state.signalled, state.owes_wake) = (false, false, true);
        while !self.states[of].queue.is_empty()
            && self.states[of].holders.len() < self.network.resources[of].units
        {
            self.serve(of, 0);
        }
    }

    fn rouse(&mut self, of: usize) -> u64 {
        let sleep = self.network.resources[of].sleep;
        match sleep.filter(|_| std::mem::take(&mut self.states[of].owes_wake)) {
            Some(sleep) => {
                sleep.wake.into_iter().map(|(span, account)| self.work(span, account)).sum()
            }
            None => 0,
        }
    }

    fn signal(&mut self, of: usize) -> u64 {
        let state = &mut self.states[of];
        let Some(sleep) = self.network.resources[of].sleep else { return 0 };
        if !state.asleep || state.signalled {
            return 0;
        }
        state.signalled = true;
        let time = self.work(sleep.signal.0, sleep.signal.1);
        self.at(self.now + time + sleep.latency, Event::Awake(of));
        time
    }

    fn interrupt(&mut self, who: usize, what: Interruption) -> u64 {
        let mut others = 0;
        for at in 0..self.states[what.pool.0].holders.len() {
            let other = self.states[what.pool.0].holders[at];
            let waits_for = self.customers[other].waits_for;
            if other == who || waits_for == Some(what.runs_on.0) {
                continue;
            }
            others += 1;
            // Who spins loses nothing by it.
            if waits_for.is_none() {
                self.customers[other].due += what.loss.0;
                self.spent[what.loss.1] += what.loss.0;
            }
        }
        let time = if others == 0 { 0 } else { what.base + what.each * others };
        self.spent[what.account] += time;
        time
    }
}
