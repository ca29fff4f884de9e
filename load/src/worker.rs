//! Loops of a stage on several vCPUs.
//!
//! Each vCPU that has jobs runs an [`Engine`] of its own. The loops share no disk's queue and,
//! while they run, nothing but the [`Words`]: that all are ready, when they begin, how far each is,
//! and whether they are to stop. vCPU 0 [`lead`]s, the others [`follow`]. Results come back by
//! value.

mod shares;

use alloc::vec::Vec;

use drivers::Vcpu;
use protocols::run_words::{Ending, ProgressWords, StartGate, StopWord};
use xen_abi::Port;

use crate::engine::{Control, Disk, Engine, Moved, Outcome, Pass, Progress, Share, TICK_NS};

pub use shares::share_out;

/// Time between two looks at whether others are ready or done, in nanoseconds.
const LOOK_AGAIN_NS: u64 = 1_000_000;
/// Time between two such looks of a leader that has no jobs, while the others run theirs.
const LOOK_RARELY_NS: u64 = 20_000_000;
/// Time from when all loops are ready to when they begin, in nanoseconds, so that all of them learn
/// of it before.
const BEGIN_NS: u64 = 25_000_000;
/// Stands for a time that is not known.
const UNKNOWN: u64 = u64::MAX;

/// Words that the loops of a stage share.
#[derive(Debug)]
pub struct Words {
    /// Gate behind which loops make what may take nearly all memory: nobody needs any in front.
    prepared: StartGate,
    /// Gate behind which they begin.
    ready: StartGate,
    stop: StopWord,
    /// Progress of each loop but the leader's.
    progress: Vec<ProgressWords>,
}

/// Remains of a loop that has ended.
#[derive(Debug)]
pub struct Finished<'a> {
    /// Numbers of its jobs in the stage.
    numbers: Vec<usize>,
    /// Outcome of its jobs.
    pub outcome: Outcome,
    /// Its disks.
    pub disks: Vec<Disk<'a>>,
}

impl Words {
    /// Returns the words for a leader and so many followers.
    pub fn new(followers: usize) -> Self {
        let progress = (0..followers).map(|_| ProgressWords::default()).collect();
        Self {
            prepared: StartGate::default(),
            ready: StartGate::default(),
            stop: StopWord::default(),
            progress,
        }
    }

    /// Returns the number of loops, a leader without jobs included.
    fn loops(&self) -> usize {
        self.progress.len() + 1
    }

    /// Asks all loops to end; one that has not begun ends without an I/O.
    fn stop(&self) {
        self.stop.ask(Ending::Stop);
    }

    /// Returns what a loop is asked to do.
    fn control(&self) -> Control {
        match self.stop.asked() {
            None => Control::Continue,
            Some(Ending::Stop) => Control::Stop,
            Some(Ending::Abandon) => Control::Abandon,
        }
    }

    /// Returns the sum of the followers' progress, `elapsed_ns` after they began.
    fn progress(&self, elapsed_ns: u64) -> Progress {
        let start = Progress { elapsed_ns, expected_ns: Some(0), ..Progress::default() };
        self.progress.iter().map(|words| from_words(words.read())).fold(start, with)
    }
}

/// Runs a share of a stage on a vCPU that is not vCPU 0, as follower `number`, from 0. If events of
/// its queues go to vCPU 0, `wake` is the port by which that wakes it.
pub fn follow<'a, V: Vcpu>(
    vcpu: &V,
    share: Share<'a>,
    words: &Words,
    number: usize,
    wake: Option<Port>,
) -> Finished<'a> {
    let (numbers, mut engine) = prepare(vcpu, share, words);
    if pass_gate(vcpu, &words.prepared, words) && await_turn(vcpu, number, words) {
        make_tables(&mut engine, words);
    }
    if !pass_gate(vcpu, &words.ready, words) {
        return finish(numbers, engine, words);
    }
    engine.begin();
    let progress = &words.progress[number];
    let mut observe = |now: &Progress| {
        progress.publish(to_words(now));
        words.control()
    };
    run(vcpu, &mut engine, &wake.map_or(Events::Own, Events::PassedOn), &mut observe);
    progress.publish(to_words(&engine.progress(vcpu.now_ns())));
    finish(numbers, engine, words)
}

/// Arrives at a gate and waits until its time has come; returns false if the loop is to end
/// instead.
fn pass_gate(vcpu: &impl Vcpu, gate: &StartGate, words: &Words) -> bool {
    gate.arrive();
    // Others may take long, and somebody else may need this processor meanwhile.
    let mut wait_ns = LOOK_AGAIN_NS;
    while gate.opened().is_none_or(|at_ns| vcpu.now_ns() < at_ns) {
        if words.stop.asked().is_some() {
            return false;
        }
        let look_ns = vcpu.now_ns().saturating_add(wait_ns);
        wait_ns = wait_ns.saturating_mul(2).min(LOOK_RARELY_NS);
        sleep_until(vcpu, gate.opened().map_or(look_ns, |at_ns| at_ns.min(look_ns)));
    }
    true
}

/// Waits until the followers before `number` have made their tables: what memory there is for one
/// does not depend on when another looks. Returns false if the loop is to end instead.
fn await_turn(vcpu: &impl Vcpu, number: usize, words: &Words) -> bool {
    while words.stop.asked().is_none() {
        if words.ready.arrived() as usize >= number {
            return true;
        }
        sleep_until(vcpu, vcpu.now_ns().saturating_add(LOOK_AGAIN_NS));
    }
    false
}

/// Fits a loop's jobs to its disks. A loop that can't run its jobs ends all before any begins.
fn prepare<'v, 'a, V: Vcpu>(
    vcpu: &'v V,
    share: Share<'a>,
    words: &Words,
) -> (Vec<usize>, Engine<'v, 'a, V>) {
    let numbers = share.jobs.iter().map(|job| job.number).collect();
    let engine = Engine::prepare(vcpu, share);
    if engine.has_failed() {
        words.stop();
    }
    (numbers, engine)
}

/// Makes the tables of a loop, which ends all, too, if it can't.
fn make_tables<V: Vcpu>(engine: &mut Engine<'_, '_, V>, words: &Words) {
    engine.make_tables(words.loops());
    if engine.has_failed() {
        words.stop();
    }
}

/// Returns what remains of a loop, whose end may be that of all.
fn finish<'a, V: Vcpu>(
    numbers: Vec<usize>,
    engine: Engine<'_, 'a, V>,
    words: &Words,
) -> Finished<'a> {
    let (outcome, disks) = engine.finish();
    if outcome.ends_all {
        words.stop();
    }
    Finished { numbers, outcome, disks }
}

/// Ports whose events vCPU 0 passes on, because they are not bound to the vCPU that waits for them.
#[derive(Clone, Debug, Default)]
pub struct Relay(Vec<(Port, Port)>);

impl Relay {
    /// Passes each event of `port` on to a vCPU by the port that wakes it.
    pub fn add(&mut self, port: Port, wake: Port) {
        self.0.push((port, wake));
    }

    fn pass_on(&self, vcpu: &impl Vcpu) {
        for &(port, wake) in &self.0 {
            if vcpu.take_event(port) {
                // A port that is closed wakes nobody; the sleep ends by its timer.
                let _ = vcpu.send(wake);
            }
        }
    }
}

/// Destination of the events of a loop's queues.
enum Events<'r> {
    /// To the vCPU that runs it.
    Own,
    /// To the vCPU that runs it, which also passes on those of others.
    Relayed(&'r Relay),
    /// To vCPU 0, which passes them on by this port.
    PassedOn(Port),
}

/// Runs a loop to its end.
fn run<V: Vcpu>(
    vcpu: &V,
    engine: &mut Engine<'_, '_, V>,
    events: &Events<'_>,
    observe: &mut dyn FnMut(&Progress) -> Control,
) {
    loop {
        let pass = engine.pass(observe);
        // Whoever sleeps takes no event after this.
        let mut has_work = false;
        match events {
            Events::Own => {}
            Events::Relayed(relay) => relay.pass_on(vcpu),
            // It may be of a response that came after the look.
            Events::PassedOn(port) => has_work = vcpu.take_event(*port),
        }
        match pass {
            Pass::SleepUntil(deadline_ns) if !has_work => vcpu.wait(deadline_ns),
            Pass::SleepUntil(_) | Pass::Again => {}
            Pass::Done => return,
        }
    }
}

/// Observer of a stage, on the leader's vCPU.
pub trait Observer {
    /// Shows the progress of all loops; called as by [`Engine::pass`].
    fn observe(&mut self, progress: &Progress) -> Control;

    /// Waits until the loops may begin, which are ready to; returns false if they are to end
    /// instead.
    fn await_start(&mut self) -> bool {
        true
    }
}

impl<F: FnMut(&Progress) -> Control> Observer for F {
    fn observe(&mut self, progress: &Progress) -> Control {
        self(progress)
    }
}

/// Leads the followers, and runs a share of the stage itself if it has one. `collect` returns a
/// follower's result once it is there. Returns the leader's own result and then the followers'.
pub fn lead<'a, V: Vcpu>(
    vcpu: &V,
    share: Option<Share<'a>>,
    words: &Words,
    relay: &Relay,
    collect: &mut dyn FnMut() -> Option<Finished<'a>>,
    observer: &mut dyn Observer,
) -> Vec<Finished<'a>> {
    let mut own = share.map(|share| prepare(vcpu, share, words));
    let mut leader = Leader {
        words,
        collect,
        observer,
        begin_ns: 0,
        own: Progress::default(),
        finished: Vec::new(),
    };
    let mut make_tables = || {
        if let Some((_, engine)) = &mut own {
            make_tables(engine, words);
        }
    };
    if leader.begin(vcpu, &mut make_tables)
        && let Some((_, engine)) = &mut own
    {
        if !relay.0.is_empty() {
            engine.never_yield();
        }
        engine.begin();
        run(vcpu, engine, &Events::Relayed(relay), &mut |own| leader.observe(own));
        leader.own = engine.progress(vcpu.now_ns());
    }
    let own = own.map(|(numbers, engine)| finish(numbers, engine, words));
    leader.await_others(vcpu, relay);
    own.into_iter().chain(leader.finished).collect()
}

/// Ends the `started` followers of a stage before they begin, because not all could be started;
/// `collect` is as for [`lead`]. Returns what remains of them.
pub fn dismiss<'a>(
    vcpu: &impl Vcpu,
    words: &Words,
    started: usize,
    collect: &mut dyn FnMut() -> Option<Finished<'a>>,
) -> Vec<Finished<'a>> {
    words.stop();
    let mut finished = Vec::with_capacity(started);
    while finished.len() != started {
        match collect() {
            Some(one) => finished.push(one),
            None => sleep_until(vcpu, vcpu.now_ns().saturating_add(LOOK_AGAIN_NS)),
        }
    }
    finished
}

/// The leader's view of a stage.
struct Leader<'l, 'a> {
    words: &'l Words,
    collect: &'l mut dyn FnMut() -> Option<Finished<'a>>,
    observer: &'l mut dyn Observer,
    /// Time at which all begin, in nanoseconds of system time.
    begin_ns: u64,
    /// Progress of the leader's own jobs.
    own: Progress,
    /// Followers that have ended.
    finished: Vec<Finished<'a>>,
}

impl Leader<'_, '_> {
    /// Waits until all followers are prepared and then until they are ready, and lets all begin at
    /// once; returns false if they are to end instead.
    fn begin(&mut self, vcpu: &impl Vcpu, make_tables: &mut dyn FnMut()) -> bool {
        let words = self.words;
        self.await_arrivals(vcpu, &words.prepared);
        if words.stop.asked().is_some() {
            return false;
        }
        words.prepared.open(vcpu.now_ns());
        self.await_arrivals(vcpu, &words.ready);
        if words.stop.asked().is_none() {
            make_tables();
        }
        if words.stop.asked().is_none() && !self.observer.await_start() {
            words.stop();
        }
        self.begin_ns = vcpu.now_ns();
        if words.stop.asked().is_some() {
            return false;
        }
        if words.progress.is_empty() {
            return true;
        }
        self.begin_ns = self.begin_ns.saturating_add(BEGIN_NS);
        words.ready.open(self.begin_ns);
        while vcpu.now_ns() < self.begin_ns {
            sleep_until(vcpu, self.begin_ns);
        }
        true
    }

    /// Waits until all followers are at a gate, which may take long, and meanwhile asks whether
    /// they are to end.
    fn await_arrivals(&mut self, vcpu: &impl Vcpu, gate: &StartGate) {
        while gate.arrived() as usize != self.words.progress.len() {
            self.observe(&Progress::default());
            sleep_until(vcpu, vcpu.now_ns().saturating_add(LOOK_AGAIN_NS));
        }
    }

    /// Shows the progress of all, of which the leader's own is `own`.
    fn observe(&mut self, own: &Progress) -> Control {
        self.own = *own;
        let all = with(*own, self.words.progress(own.elapsed_ns));
        match self.observer.observe(&all) {
            Control::Continue => {}
            Control::Stop => self.words.stop.ask(Ending::Stop),
            Control::Abandon => self.words.stop.ask(Ending::Abandon),
        }
        self.words.control()
    }

    /// Sleeps until all followers have ended; shows their progress when their first I/O has
    /// completed and then about once a second.
    fn await_others(&mut self, vcpu: &impl Vcpu, relay: &Relay) {
        let mut begun = self.own.ios() != 0;
        let mut tick_ns = vcpu.now_ns().saturating_add(TICK_NS);
        loop {
            while let Some(finished) = (self.collect)() {
                self.finished.push(finished);
            }
            if self.finished.len() == self.words.progress.len() {
                return;
            }
            let now_ns = vcpu.now_ns();
            let elapsed_ns = now_ns.saturating_sub(self.begin_ns);
            let begins = !begun && self.words.progress(elapsed_ns).ios() != 0;
            if begins || now_ns >= tick_ns {
                begun |= begins;
                tick_ns = now_ns.saturating_add(TICK_NS);
                self.observe(&Progress { elapsed_ns, ..self.own });
            }
            // Rarely: a backend may need this processor.
            let look_ns = if begun { LOOK_RARELY_NS } else { LOOK_AGAIN_NS };
            vcpu.prepare_wait();
            relay.pass_on(vcpu);
            vcpu.wait(tick_ns.min(now_ns.saturating_add(look_ns)));
        }
    }
}

/// Returns the remains of all loops of a stage as one: results in the order of the jobs, up to the
/// first that has none because it did not fit its disks.
pub fn join(finished: Vec<Finished<'_>>) -> (Outcome, Vec<Disk<'_>>) {
    let mut whole = Outcome::default();
    let (mut numbered, mut disks) = (Vec::new(), Vec::new());
    for Finished { numbers, outcome, disks: lent } in finished {
        let Outcome { results, error, first_failure, ends_all } = outcome;
        numbered.extend(numbers.into_iter().zip(results));
        disks.extend(lent);
        whole.error = whole.error.or(error);
        whole.first_failure = whole.first_failure.or(first_failure);
        whole.ends_all |= ends_all;
    }
    numbered.sort_by_key(|&(number, _)| number);
    // Jobs are reported together with those before them.
    let in_order =
        numbered.into_iter().zip(0..).take_while(|&((number, _), place)| number == place);
    whole.results = in_order.map(|((_, result), _)| result).collect();
    for group in whole.results.chunk_by_mut(|_, next| next.job.reporting.with_group) {
        let mut together = group.iter_mut().filter_map(|result| result.together.take());
        let sum = together.next().map(|mut sum| {
            together.for_each(|other| sum.add(&other));
            sum
        });
        group[0].together = sum;
    }
    (whole, disks)
}

fn sleep_until(vcpu: &impl Vcpu, deadline_ns: u64) {
    vcpu.prepare_wait();
    vcpu.wait(deadline_ns);
}

fn to_words(progress: &Progress) -> [u64; 6] {
    let Progress { elapsed_ns, read, written, expected_ns } = *progress;
    let expected_ns = expected_ns.unwrap_or(UNKNOWN);
    [elapsed_ns, read.ios, read.bytes, written.ios, written.bytes, expected_ns]
}

fn from_words([elapsed_ns, ios, bytes, w_ios, w_bytes, expected_ns]: [u64; 6]) -> Progress {
    Progress {
        elapsed_ns,
        read: Moved { ios, bytes },
        written: Moved { ios: w_ios, bytes: w_bytes },
        expected_ns: Some(expected_ns).filter(|&ns| ns != UNKNOWN),
    }
}

/// Returns the progress of both together, at the time of the first.
fn with(one: Progress, other: Progress) -> Progress {
    let sum = |one: Moved, other: Moved| Moved {
        ios: one.ios + other.ios,
        bytes: one.bytes + other.bytes,
    };
    let expected_ns = one.expected_ns.zip(other.expected_ns).map(|(one, other)| one.max(other));
    Progress {
        elapsed_ns: one.elapsed_ns,
        read: sum(one.read, other.read),
        written: sum(one.written, other.written),
        expected_ns,
    }
}

#[cfg(test)]
mod tests;
