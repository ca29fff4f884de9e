//! Several vCPUs of a guest, interleaved in one thread as the machine's seed says.
//!
//! Each has a stack of its own, on which it does its work. Whenever it enters the hypervisor,
//! another may go on, or it may be held for a while as if somebody else had its processor; while
//! it sleeps nothing wakes it but an event that comes to it, its deadline, or chance.
//!
//! Whether a wake-up is lost is seen from outside: a vCPU sleeps on although a ring that it armed
//! has had the response for longer than any event takes at which it asked for one.

use std::cell::{Cell, RefCell};
use std::fmt;

use drivers::Vcpu;
use generator::{Gn, LocalGenerator, Scope};
use xen_abi::{Errno, Port};

use crate::hypervisor::ModelXen;
use crate::world::World;

/// Size of a vCPU's stack, in words.
const STACK_WORDS: usize = 1 << 17;
/// Longest time for which a vCPU is held, in nanoseconds.
const HELD_NS_MAX: u64 = 100_000;
/// Time for which a response may wait for a vCPU that sleeps, in nanoseconds: more than an event
/// takes that another vCPU passes on.
const WAKE_NS_MAX: u64 = 10_000_000;
/// Time between two looks for wake-ups that are lost while all sleep, in nanoseconds.
const LOOK_NS: u64 = 1_000_000;

/// Work of a vCPU.
pub struct Work<'w, R> {
    /// Ports of the rings whose responses it waits for.
    pub ports: Vec<Port>,
    /// Code that runs on it.
    pub run: Box<dyn FnOnce(&ModelVcpu<'_, '_>) -> R + 'w>,
}

/// Outcome of the vCPUs' work.
#[derive(Debug)]
pub struct Ran<R> {
    /// Result of each.
    pub results: Vec<R>,
    /// Number of times that a vCPU slept.
    pub sleeps: u64,
    /// Number of wake-ups among them that were lost.
    pub lost: u64,
    /// Number of times that the first vCPU yielded.
    pub first_yields: u64,
}

/// State of a vCPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// May go on.
    #[default]
    Ready,
    /// Will go on at this time.
    Held(u64),
    /// Sleeps, until this time at most.
    Asleep(u64),
    /// Has done its work.
    Done,
}

/// A vCPU, for those that are not on it.
#[derive(Default)]
struct Seat {
    state: Cell<State>,
    /// Number of sleeps so far.
    sleeps: Cell<u64>,
    /// Number of yields so far.
    yields: Cell<u64>,
    /// Ports that it took since it last prepared to sleep, as it does when it arms their rings.
    taken: RefCell<Vec<Port>>,
}

/// A vCPU, for the work that runs on it.
pub struct ModelVcpu<'s, 'a> {
    xen: &'a ModelXen,
    id: usize,
    seat: &'a Seat,
    /// Way off its stack.
    scope: RefCell<Scope<'s, 'a, (), ()>>,
}

/// Runs each work on the vCPU of its number until all are done. What drivers keep the machine
/// itself for, as the boot vCPU's, stays with the first work.
///
/// # Panics
/// If the machine has fewer vCPUs.
pub fn run<R>(xen: &ModelXen, works: Vec<Work<'_, R>>) -> Ran<R> {
    let seats: Vec<Seat> = works.iter().map(|_| Seat::default()).collect();
    let results: Vec<Cell<Option<R>>> = works.iter().map(|_| Cell::new(None)).collect();
    let mut watch = Watch::new(&works);
    let mut stacks: Vec<_> = works
        .into_iter()
        .zip(seats.iter().zip(&results))
        .enumerate()
        .map(|(id, (work, (seat, result)))| stack(xen, id, seat, work.run, result))
        .collect();
    while let Some(id) = choose(xen, &seats, &mut watch) {
        seats[id].state.set(State::Ready);
        stacks[id].resume();
    }
    drop(stacks);
    let results = results.into_iter().map(|result| result.into_inner().expect("done")).collect();
    let sleeps = seats.iter().map(|seat| seat.sleeps.get()).sum();
    let first_yields = seats.first().map_or(0, |seat| seat.yields.get());
    Ran { results, sleeps, lost: watch.lost, first_yields }
}

/// The stack of a vCPU, on which its work has not begun.
fn stack<'a, R: 'a>(
    xen: &'a ModelXen,
    id: usize,
    seat: &'a Seat,
    work: Box<dyn FnOnce(&ModelVcpu<'_, '_>) -> R + 'a>,
    result: &'a Cell<Option<R>>,
) -> LocalGenerator<'a, (), ()> {
    Gn::new_scoped_opt_local(STACK_WORDS, move |scope| {
        let vcpu = ModelVcpu { xen, id, seat, scope: RefCell::new(scope) };
        result.set(Some(work(&vcpu)));
        seat.state.set(State::Done);
    })
}

/// Returns the vCPU that goes on, when one may; `None` when all are done.
fn choose(xen: &ModelXen, seats: &[Seat], watch: &mut Watch) -> Option<usize> {
    loop {
        let mut world = xen.world();
        watch.look(&world, seats);
        let now_ns = world.xen.agenda.now_ns();
        let upcall = |id| world.xen.events.upcall(id);
        let due_ns = |id: usize| match seats[id].state.get() {
            State::Ready => Some(now_ns),
            State::Held(until_ns) => Some(until_ns),
            State::Asleep(_) if upcall(id) => Some(now_ns),
            State::Asleep(until_ns) => Some(until_ns),
            State::Done => None,
        };
        let next_ns = (0..seats.len()).filter_map(due_ns).min()?;
        if next_ns <= now_ns {
            let is_due = |id: &usize| due_ns(*id).is_some_and(|due_ns| due_ns <= now_ns);
            let due: Vec<usize> = (0..seats.len()).filter(is_due).collect();
            return Some(due[world.xen.rng.usize(0..due.len())]);
        }
        let is_asleep = |id: &usize| seats[*id].is_asleep();
        let sleepers: Vec<usize> = (0..seats.len()).filter(is_asleep).collect();
        world.run(next_ns.min(now_ns + LOOK_NS), &sleepers);
    }
}

/// Search for wake-ups that are lost.
struct Watch {
    ports: Vec<Watched>,
    lost: u64,
    /// Time of the next look.
    look_ns: u64,
}

/// A port that a vCPU waits for.
struct Watched {
    port: Port,
    vcpu: usize,
    /// The vCPU's sleep, by its number, during which a response has waited, and since when.
    waits: Option<(u64, u64)>,
}

impl Watch {
    fn new<R>(works: &[Work<'_, R>]) -> Self {
        let of = |(vcpu, work): (usize, &Work<'_, R>)| {
            let watched = |&port| Watched { port, vcpu, waits: None };
            work.ports.iter().map(watched).collect::<Vec<_>>()
        };
        let ports = works.iter().enumerate().flat_map(of).collect();
        Self { ports, lost: 0, look_ns: 0 }
    }

    /// Looks at all ports now and then, and wakes who lost a wake-up.
    fn look(&mut self, world: &World, seats: &[Seat]) {
        let now_ns = world.xen.agenda.now_ns();
        if now_ns < self.look_ns {
            return;
        }
        self.look_ns = now_ns + LOOK_NS;
        for Watched { port, vcpu, waits } in &mut self.ports {
            let seat = &seats[*vcpu];
            let sleeps = seat.is_asleep() && !world.xen.events.upcall(*vcpu);
            let armed = sleeps && seat.taken.borrow().contains(port);
            if !armed || !world.disks.iter().any(|disk| disk.has_reached_event(*port)) {
                *waits = None;
                continue;
            }
            let this = seat.sleeps.get();
            let (_, since_ns) = waits.filter(|waits| waits.0 == this).unwrap_or((this, now_ns));
            *waits = Some((this, since_ns));
            if now_ns - since_ns > WAKE_NS_MAX {
                self.lost += 1;
                seat.state.set(State::Ready);
            }
        }
    }
}

impl Seat {
    fn is_asleep(&self) -> bool {
        matches!(self.state.get(), State::Asleep(_))
    }
}

impl ModelVcpu<'_, '_> {
    /// Leaves the processor in this state, and returns when it goes on.
    fn switch(&self, state: State) {
        self.seat.state.set(state);
        self.scope.borrow_mut().yield_with(());
    }

    /// A place where others may come between.
    fn give_way(&self) {
        let state = {
            let world = &mut *self.xen.world();
            match world.xen.rng.u32(0..64) {
                0 => State::Held(world.xen.agenda.now_ns() + world.xen.rng.u64(..HELD_NS_MAX)),
                1..16 => State::Ready,
                _ => return,
            }
        };
        self.switch(state);
    }
}

impl fmt::Debug for ModelVcpu<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelVcpu").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Vcpu for ModelVcpu<'_, '_> {
    fn now_ns(&self) -> u64 {
        self.give_way();
        self.xen.now_ns()
    }

    fn stolen_ns(&self) -> Option<u64> {
        self.xen.stolen_ns()
    }

    fn has_completed(&self) {
        self.xen.has_completed();
    }

    fn send(&self, port: Port) -> Result<(), Errno> {
        self.give_way();
        self.xen.send(port)
    }

    fn yield_now(&self) {
        self.give_way();
        self.seat.yields.update(|yields| yields + 1);
        self.xen.yield_now();
    }

    fn take_event(&self, port: Port) -> bool {
        self.give_way();
        let mut taken = self.seat.taken.borrow_mut();
        if !taken.contains(&port) {
            taken.push(port);
        }
        self.xen.take_event(port)
    }

    fn prepare_wait(&self) {
        self.give_way();
        self.seat.taken.borrow_mut().clear();
        self.xen.enter().xen.events.forget_upcalls(self.id);
    }

    fn wait(&self, deadline_ns: u64) {
        self.give_way();
        self.seat.sleeps.update(|sleeps| sleeps + 1);
        self.switch(State::Asleep(self.xen.sleep_until(deadline_ns)));
    }
}
