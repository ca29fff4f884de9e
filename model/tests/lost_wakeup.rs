//! No wake-up is lost between the two sides of a ring, on a processor with store buffers.
//!
//! Each side stores its own index, then reads the other's to decide whether to send an event or to
//! sleep. x86 lets a load overtake an earlier store to another address, so both could read old
//! values, and both would sleep. The steps of `protocols` run here on a [`Tso`] processor, which
//! delays stores as x86 does: before each of its accesses, the other side takes any of its steps
//! and delayed stores reach memory, or not. All ways are tried. That this finds a lost wake-up
//! where a fence is missing is tested too.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::ptr;
use std::sync::atomic::{AtomicI8, AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

use protocols::byte_ring::{Reader, Writer};
use protocols::ring::{Front, Shared};
use protocols::{Atomic, Atomics, Native};

/// Address of a word.
type Place = usize;

fn place(word: &Delayed) -> Place {
    ptr::from_ref(word).addr()
}

/// A step of the other side.
#[derive(Clone, Copy, Debug)]
enum Step {
    Store(Place, u32),
    Fence,
    Load(Place),
}

/// Event that can happen next.
#[derive(Clone, Copy)]
enum Way {
    /// The driver makes its next access.
    Go,
    /// The oldest delayed store of a side reaches memory.
    Drain(usize),
    /// The other side takes its next step.
    Peer,
}

const DRIVER: usize = 0;
const PEER: usize = 1;

/// Two processors, and the way through all that can happen which is tried now.
#[derive(Default)]
struct Machine {
    memory: BTreeMap<Place, u32>,
    /// Delayed stores of both sides, the oldest first.
    delayed: [VecDeque<(Place, u32)>; 2],
    peer: VecDeque<Step>,
    /// Value that the other side's load brought.
    peer_saw: Option<u32>,
    /// At each fork which way is taken, and how many there are.
    path: Vec<(usize, usize)>,
    forks: usize,
    /// The driver's accesses: where, whether it is a store, and the order asked for.
    accesses: Vec<(Place, bool, Ordering)>,
}

impl Machine {
    fn drain(&mut self, side: usize) {
        let (place, value) = self.delayed[side].pop_front().expect("a delayed store");
        self.memory.insert(place, value);
    }

    /// Lets all that the driver stored reach memory.
    fn settle(&mut self) {
        while !self.delayed[DRIVER].is_empty() {
            self.drain(DRIVER);
        }
    }

    /// Returns what a side sees: its own delayed stores first. `None` where nobody stored.
    fn look(&self, side: usize, place: Place) -> Option<u32> {
        let own = self.delayed[side].iter().rev().find(|(at, _)| *at == place);
        own.map(|(_, value)| *value).or_else(|| self.memory.get(&place).copied())
    }

    /// Lets anything happen before the driver's next access, if there is one (`go`); a fence waits
    /// until none of its stores is delayed.
    fn between(&mut self, go: bool, fence: bool) {
        loop {
            let idle = |side: usize| self.delayed[side].is_empty();
            let peer_waits = matches!(self.peer.front(), Some(Step::Fence)) && !idle(PEER);
            let ways = [
                (go && (!fence || idle(DRIVER))).then_some(Way::Go),
                (!idle(DRIVER)).then_some(Way::Drain(DRIVER)),
                (!idle(PEER)).then_some(Way::Drain(PEER)),
                (!self.peer.is_empty() && !peer_waits).then_some(Way::Peer),
            ];
            let ways: Vec<Way> = ways.into_iter().flatten().collect();
            if ways.is_empty() {
                return;
            }
            if self.forks == self.path.len() {
                self.path.push((0, ways.len()));
            }
            let (taken, count) = self.path[self.forks];
            assert_eq!(count, ways.len(), "the same way twice is the same run");
            self.forks += 1;
            match ways[taken] {
                Way::Go => return,
                Way::Drain(side) => self.drain(side),
                Way::Peer => match self.peer.pop_front().expect("a step") {
                    Step::Store(place, value) => self.delayed[PEER].push_back((place, value)),
                    Step::Fence => {}
                    Step::Load(place) => self.peer_saw = self.look(PEER, place),
                },
            }
        }
    }

    /// Goes on to the way that was not tried yet; returns whether there is one.
    fn next_way(&mut self) -> bool {
        while let Some((taken, count)) = self.path.pop() {
            if taken + 1 < count {
                self.path.push((taken + 1, count));
                return true;
            }
        }
        false
    }
}

thread_local! {
    static MACHINE: RefCell<Machine> = RefCell::default();
}

/// A word that is reached through a store buffer.
#[derive(Debug, Default)]
struct Delayed(AtomicU32);

impl Atomic<u32> for Delayed {
    fn load(&self, order: Ordering) -> u32 {
        MACHINE.with_borrow_mut(|machine| {
            machine.between(true, false);
            machine.accesses.push((place(self), false, order));
            machine.look(DRIVER, place(self)).unwrap_or_else(|| self.0.load(Ordering::Relaxed))
        })
    }

    fn store(&self, value: u32, order: Ordering) {
        MACHINE.with_borrow_mut(|machine| {
            machine.between(true, false);
            machine.accesses.push((place(self), true, order));
            machine.delayed[DRIVER].push_back((place(self), value));
        });
    }

    fn swap(&self, _: u32, _: Ordering) -> u32 {
        unreachable!("no ring swaps a word")
    }

    fn fetch_add(&self, _: u32, _: Ordering) -> u32 {
        unreachable!("no ring adds to a word")
    }

    fn fetch_and(&self, _: u32, _: Ordering) -> u32 {
        unreachable!("no ring clears bits")
    }

    fn compare_exchange(&self, _: u32, _: u32, _: Ordering, _: Ordering) -> Result<u32, u32> {
        unreachable!("no ring compares and swaps")
    }
}

/// A processor with a store buffer; one without `FENCED` has no fence.
#[derive(Debug)]
struct Tso<const FENCED: bool>;

impl<const FENCED: bool> Atomics for Tso<FENCED> {
    type U8 = AtomicU8;
    type I8 = AtomicI8;
    type U16 = AtomicU16;
    type U32 = Delayed;
    type U64 = AtomicU64;

    fn fence(order: Ordering) {
        assert_eq!(order, Ordering::SeqCst, "no other lets a store reach memory");
        if FENCED {
            MACHINE.with_borrow_mut(|machine| machine.between(true, true));
        }
    }
}

/// From here on the other side runs too.
fn meet(peer: &[Step]) {
    MACHINE.with_borrow_mut(|machine| machine.peer = peer.iter().copied().collect());
}

/// Tries `act` in all ways. It returns whether the driver saw the other side's store, and the value
/// of its own that the other side must see if not. Returns the ways in which neither saw the
/// other's, and how many there are.
fn try_all(act: &mut dyn FnMut() -> (bool, u32)) -> (usize, usize) {
    let (mut lost, mut ways) = (0, 0);
    MACHINE.set(Machine::default());
    loop {
        let (driver_saw, value) = act();
        ways += 1;
        let more = MACHINE.with_borrow_mut(|machine| {
            machine.between(false, false);
            lost += usize::from(!driver_saw && machine.peer_saw != Some(value));
            machine.forks = 0;
            (machine.memory, machine.peer_saw) = Default::default();
            machine.next_way()
        });
        if !more {
            return (lost, ways);
        }
    }
}

/// The shared words of a ring.
#[derive(Default)]
struct Ring {
    req_prod: Delayed,
    req_event: Delayed,
    rsp_prod: Delayed,
    rsp_event: Delayed,
}

impl Ring {
    /// Makes it empty, with a request that was put.
    fn start(&self) -> Front {
        let Self { req_prod, req_event, rsp_prod, rsp_event } = self;
        let [req_prod, req_event, rsp_prod, rsp_event] =
            [req_prod, req_event, rsp_prod, rsp_event].map(|word| &word.0);
        let at_rest = Shared::<Native> { req_prod, req_event, rsp_prod, rsp_event };
        let mut front = Front::init(&at_rest, 0);
        front.put();
        front
    }

    fn shared<const FENCED: bool>(&self) -> Shared<'_, Tso<FENCED>> {
        let Self { req_prod, req_event, rsp_prod, rsp_event } = self;
        Shared { req_prod, req_event, rsp_prod, rsp_event }
    }
}

/// The backend asks for an event with the next request, and looks whether it is there already.
fn publish<const FENCED: bool>() -> (usize, usize) {
    let ring = Ring::default();
    let peer =
        [Step::Store(place(&ring.req_event), 1), Step::Fence, Step::Load(place(&ring.req_prod))];
    try_all(&mut || {
        let mut front = ring.start();
        // It asked for none before.
        ring.req_event.0.store(1 << 30, Ordering::Relaxed);
        meet(&peer);
        (front.publish(&ring.shared::<FENCED>()), 1)
    })
}

/// The backend answers, and looks whether an event is asked for.
fn arm<const FENCED: bool>() -> (usize, usize) {
    arm_after::<FENCED>(1, 1)
}

/// The backend answers as many of `requests` as the frontend waits for, which is at most `after`,
/// one by one, and looks each time whether an event is asked for.
fn arm_after<const FENCED: bool>(after: u32, requests: u32) -> (usize, usize) {
    let ring = Ring::default();
    let awaited = after.min(requests);
    let answer = |number: u32| {
        let Ring { rsp_prod, rsp_event, .. } = &ring;
        [Step::Store(place(rsp_prod), number), Step::Fence, Step::Load(place(rsp_event))]
    };
    let peer: Vec<Step> = (1..=awaited).flat_map(answer).collect();
    try_all(&mut || {
        let mut front = ring.start();
        (1..requests).for_each(|_| front.put());
        front.publish(&ring.shared::<FENCED>());
        MACHINE.with_borrow_mut(Machine::settle);
        meet(&peer);
        (front.arm(&ring.shared::<FENCED>(), after), awaited)
    })
}

const BYTES: u32 = 4;

struct Bytes {
    bytes: [AtomicU8; BYTES as usize],
    prod: Delayed,
    cons: Delayed,
}

fn bytes(prod: u32) -> Bytes {
    Bytes { bytes: Default::default(), prod: Delayed(prod.into()), cons: Delayed::default() }
}

/// We fill the ring and look whether there is room; the consumer makes some, and looks whether the
/// ring was full.
fn write<const FENCED: bool>() -> (usize, usize) {
    let ring = bytes(1);
    try_all(&mut || {
        let mut writer = Writer::<Tso<FENCED>>::new(&ring.bytes, &ring.prod, &ring.cons);
        meet(&[Step::Store(place(&ring.cons), 1), Step::Fence, Step::Load(place(&ring.prod))]);
        writer.write(&[7; BYTES as usize - 1]).unwrap();
        (!writer.is_full(), BYTES)
    })
}

/// We make room and look whether the ring was full; the producer fills it, and looks whether there
/// is room.
fn read<const FENCED: bool>() -> (usize, usize) {
    let ring = bytes(BYTES - 1);
    try_all(&mut || {
        let mut reader = Reader::<Tso<FENCED>>::new(&ring.bytes, &ring.prod, &ring.cons);
        meet(&[Step::Store(place(&ring.prod), BYTES), Step::Fence, Step::Load(place(&ring.cons))]);
        reader.read(&mut [0; 1]).unwrap();
        (reader.take_made_room(), 1)
    })
}

#[test]
fn the_frontend_never_loses_a_wake_up() {
    let steps = [
        ("publish", publish::<true>()),
        ("arm", arm::<true>()),
        ("arm, all of 2", arm_after::<true>(2, 2)),
        ("arm, 2 of 3", arm_after::<true>(2, 3)),
        ("arm, more than 2", arm_after::<true>(3, 2)),
        ("write", write::<true>()),
        ("read", read::<true>()),
    ];
    for (step, (lost, ways)) in steps {
        assert!(lost == 0 && ways > 30, "{step}: {lost} of {ways} ways");
    }
}

#[test]
fn without_a_fence_one_is_lost() {
    let steps = [
        ("publish", publish::<false>()),
        ("arm", arm::<false>()),
        ("arm, more than 2", arm_after::<false>(3, 2)),
        ("write", write::<false>()),
        ("read", read::<false>()),
    ];
    for (step, (lost, ways)) in steps {
        assert!(lost > 0 && lost < ways, "{step}: {lost} of {ways} ways");
    }
}

/// Returns the orders that this thread's steps asked for, at one word.
fn asked(at: Place, is_store: bool) -> Vec<Ordering> {
    MACHINE.with_borrow(|machine| {
        let there = machine.accesses.iter().filter(|one| (one.0, one.1) == (at, is_store));
        there.map(|one| one.2).collect()
    })
}

/// x86 keeps this order by itself, so no run shows that it is asked for, but the compiler must
/// know: an index that hands something over is stored with `Release`, and one that something is
/// taken by is loaded with `Acquire`.
#[test]
fn what_an_index_stands_for_is_there_when_the_index_is() {
    type Fenced = Tso<true>;
    let ring = Ring::default();
    let mut front = ring.start();
    front.publish(&ring.shared::<true>());
    assert_eq!(front.look(&ring.shared::<true>()), Ok(false));
    assert_eq!(asked(place(&ring.req_prod), true), [Ordering::Release]);
    assert_eq!(asked(place(&ring.rsp_prod), false), [Ordering::Acquire]);

    let shared = bytes(0);
    let mut writer = Writer::<Fenced>::new(&shared.bytes, &shared.prod, &shared.cons);
    let mut reader = Reader::<Fenced>::new(&shared.bytes, &shared.prod, &shared.cons);
    writer.write(b"ab").unwrap();
    reader.read(&mut [0; 4]).unwrap();
    // Our own index is read once, at the start, and the producer's again after the fence.
    let (prod, cons) = (place(&shared.prod), place(&shared.cons));
    let relaxed = Ordering::Relaxed;
    assert_eq!(asked(prod, true), [Ordering::Release]);
    assert_eq!(asked(prod, false), [relaxed, Ordering::Acquire, relaxed]);
    assert_eq!(asked(cons, true), [Ordering::Release]);
    assert_eq!(asked(cons, false), [relaxed, Ordering::Acquire]);
}
