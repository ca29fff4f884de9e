//! No wake-up is lost between the two sides of a ring, on a processor with store buffers.
//!
//! Each side stores its own index, then reads the other's to decide whether to send an event or to
//! sleep. x86 lets a load overtake an earlier store to another address, so both could read old
//! values, and both would sleep. The drivers' own code runs here on a [`Tso`] processor, which
//! delays stores as x86 does: before each of its accesses, the other side takes any of its steps
//! and delayed stores reach memory, or not. All ways are tried. That this finds a lost wake-up
//! where a fence is missing is tested too.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::ptr;
use std::rc::Rc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use drivers::byte_ring::{Reader, Writer};
use drivers::processor::Processor;
use drivers::ring::FrontRing;
use model::ModelXen;
use model::guest::{free_run, shared_run};
use xen_abi::blkif::{MAX_SEGMENTS, Request, Segment};

const GRANT: &str = include_str!("../../drivers/src/grant.rs");
const CLOCK: &str = include_str!("../../drivers/src/clock.rs");

/// Where a word is.
type Place = usize;

fn place(word: &AtomicU32) -> Place {
    ptr::from_ref(word).addr()
}

/// A step of the other side.
#[derive(Clone, Copy, Debug)]
enum Step {
    Store(Place, u32),
    Fence,
    Load(Place),
}

/// What can happen next.
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
    /// What the other side's load brought.
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

    /// What a side sees: its own delayed stores first. `None` where nobody stored.
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

    /// Goes on to the way that was not tried yet; answers whether there is one.
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

/// A processor with a store buffer; one without `FENCED` has no fence.
struct Tso<const FENCED: bool>;

impl<const FENCED: bool> Processor for Tso<FENCED> {
    fn load(word: &AtomicU32, order: Ordering) -> u32 {
        MACHINE.with_borrow_mut(|machine| {
            machine.between(true, false);
            machine.accesses.push((place(word), false, order));
            machine.look(DRIVER, place(word)).unwrap_or_else(|| word.load(Ordering::Relaxed))
        })
    }

    fn store(word: &AtomicU32, value: u32, order: Ordering) {
        MACHINE.with_borrow_mut(|machine| {
            machine.between(true, false);
            machine.accesses.push((place(word), true, order));
            machine.delayed[DRIVER].push_back((place(word), value));
        });
    }

    fn fence() {
        if FENCED {
            MACHINE.with_borrow_mut(|machine| machine.between(true, true));
        }
    }
}

/// From here on the other side runs too.
fn meet(peer: &[Step]) {
    MACHINE.with_borrow_mut(|machine| machine.peer = peer.iter().copied().collect());
}

/// Tries `act` in all ways. It answers whether the driver saw the other side's store, and the value
/// of its own that the other side must see if not. Answers the ways in which neither saw the
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

fn request() -> Request {
    let seg = [Segment::default(); MAX_SEGMENTS];
    Request { operation: 0, nr_segments: 1, handle: 0, pad: 0, id: 1, sector_number: 0, seg }
}

/// Offsets of a ring's words.
const REQ_PROD: usize = 0;
const REQ_EVENT: usize = 4;
const RSP_PROD: usize = 8;
const RSP_EVENT: usize = 12;

/// Tries a step of the block ring, which then has a request that was put (and published, if the
/// step is not to do that), against a backend that runs `peer`.
fn block_ring<P: Processor>(
    published: bool,
    peer: impl Fn(&dyn Fn(usize) -> Place) -> Vec<Step>,
    step: impl Fn(&mut FrontRing<'_, P>) -> (bool, u32),
) -> (usize, usize) {
    let xen = ModelXen::seeded(1);
    let memory = Rc::clone(&xen.world().xen.memory);
    let mut pages = Some(shared_run(&xen, 1));
    let gfn = pages.as_ref().and_then(|run| run.gfns().next()).unwrap();
    let peer = peer(&|offset| place(memory.word(gfn, offset)));
    let tried = try_all(&mut || {
        let mut ring = FrontRing::<P>::on_processor(pages.take().unwrap(), 0);
        ring.put(&request());
        if published {
            ring.publish();
            MACHINE.with_borrow_mut(Machine::settle);
        }
        meet(&peer);
        let saw = step(&mut ring);
        pages = Some(ring.into_run());
        saw
    });
    free_run(&xen, pages.unwrap());
    tried
}

/// The backend asks for an event with the next request, and looks whether it is there already.
fn publish<P: Processor>() -> (usize, usize) {
    let asks = |at: &dyn Fn(usize) -> Place| {
        vec![Step::Store(at(REQ_EVENT), 1), Step::Fence, Step::Load(at(REQ_PROD))]
    };
    // It asked for none before.
    block_ring::<P>(false, asks, |ring| {
        MACHINE.with_borrow_mut(|machine| {
            let Step::Store(req_event, _) = machine.peer[0] else { unreachable!() };
            machine.memory.insert(req_event, 1 << 30);
        });
        (ring.publish(), 1)
    })
}

/// The backend answers, and looks whether an event is asked for.
fn arm<P: Processor>() -> (usize, usize) {
    let answers = |at: &dyn Fn(usize) -> Place| {
        vec![Step::Store(at(RSP_PROD), 1), Step::Fence, Step::Load(at(RSP_EVENT))]
    };
    block_ring::<P>(true, answers, |ring| (ring.arm(), 1))
}

const BYTES: u32 = 4;

struct Bytes {
    bytes: [AtomicU8; BYTES as usize],
    prod: AtomicU32,
    cons: AtomicU32,
}

fn bytes(prod: u32) -> Bytes {
    Bytes { bytes: Default::default(), prod: prod.into(), cons: 0.into() }
}

/// We fill the ring and look whether there is room; the consumer makes some, and looks whether the
/// ring was full.
fn write<P: Processor>() -> (usize, usize) {
    let ring = bytes(1);
    try_all(&mut || {
        let mut writer = Writer::<P>::on_processor(&ring.bytes, &ring.prod, &ring.cons);
        meet(&[Step::Store(place(&ring.cons), 1), Step::Fence, Step::Load(place(&ring.prod))]);
        writer.write(&[7; BYTES as usize - 1]).unwrap();
        (!writer.is_full(), BYTES)
    })
}

/// We make room and look whether the ring was full; the producer fills it, and looks whether there
/// is room.
fn read<P: Processor>() -> (usize, usize) {
    let ring = bytes(BYTES - 1);
    try_all(&mut || {
        let mut reader = Reader::<P>::on_processor(&ring.bytes, &ring.prod, &ring.cons);
        meet(&[Step::Store(place(&ring.prod), BYTES), Step::Fence, Step::Load(place(&ring.cons))]);
        reader.read(&mut [0; 1]).unwrap();
        (reader.take_made_room(), 1)
    })
}

#[test]
fn the_frontend_never_loses_a_wake_up() {
    type Fenced = Tso<true>;
    let steps = [
        ("publish", publish::<Fenced>()),
        ("arm", arm::<Fenced>()),
        ("write", write::<Fenced>()),
        ("read", read::<Fenced>()),
    ];
    for (step, (lost, ways)) in steps {
        assert!(lost == 0 && ways > 30, "{step}: {lost} of {ways} ways");
    }
}

#[test]
fn without_a_fence_one_is_lost() {
    type Unfenced = Tso<false>;
    let steps = [
        ("publish", publish::<Unfenced>()),
        ("arm", arm::<Unfenced>()),
        ("write", write::<Unfenced>()),
        ("read", read::<Unfenced>()),
    ];
    for (step, (lost, ways)) in steps {
        assert!(lost > 0 && lost < ways, "{step}: {lost} of {ways} ways");
    }
}

/// The orders that the drivers' last run asked for, at one word.
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
    let xen = ModelXen::seeded(1);
    let memory = Rc::clone(&xen.world().xen.memory);
    let run = shared_run(&xen, 1);
    let gfn = run.gfns().next().unwrap();
    let word = |offset| memory.word(gfn, offset);
    let mut ring = FrontRing::<Fenced>::on_processor(run, 0);
    ring.put(&request());
    ring.publish();
    assert!(ring.take().unwrap().is_none());
    assert_eq!(asked(place(word(REQ_PROD)), true), [Ordering::Release]);
    assert_eq!(asked(place(word(RSP_PROD)), false), [Ordering::Acquire]);
    free_run(&xen, ring.into_run());

    let shared = bytes(0);
    let mut writer = Writer::<Fenced>::on_processor(&shared.bytes, &shared.prod, &shared.cons);
    let mut reader = Reader::<Fenced>::on_processor(&shared.bytes, &shared.prod, &shared.cons);
    writer.write(b"ab").unwrap();
    reader.read(&mut [0; 4]).unwrap();
    // Our own index is read once, at the start, and the producer's again after the fence.
    let (prod, cons) = (place(&shared.prod), place(&shared.cons));
    let relaxed = Ordering::Relaxed;
    assert_eq!(asked(prod, true), [Ordering::Release]);
    assert_eq!(asked(prod, false), [relaxed, Ordering::Acquire, relaxed]);
    assert_eq!(asked(cons, true), [Ordering::Release]);
    assert_eq!(asked(cons, false), [relaxed, Ordering::Acquire]);

    // Here the order stands in the text alone.
    for (source, asked) in [
        (GRANT, "store(GTF_PERMIT_ACCESS | read_only, Ordering::Release)"),
        (GRANT, ".compare_exchange(flags, 0, Ordering::SeqCst, Ordering::Relaxed)"),
        (CLOCK, "let version = time.version.load(Ordering::Acquire)"),
        (CLOCK, "let now = tsc();\n        fence(Ordering::Acquire);"),
    ] {
        assert!(source.contains(asked), "{asked}");
    }
}
