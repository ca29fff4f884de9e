//! The lock-free steps of `protocols` by Rust's memory model: loom runs them against the other side
//! in every order, and lets each load return every value that the model allows.
//!
//! `lost_wakeup.rs` tries the same on a processor that delays stores. Here loads may be late too,
//! so a missing `Acquire` or `Release` shows. Each is taken out once, to prove that. loom never
//! lets a load return what is stored later, so a `Release` that only follows loads is checked in
//! `lost_wakeup.rs`, by the order asked for. loom also compares a store with the last access to
//! its word alone: the side that stores must not load that word just before, or runs are left out.

use std::sync::atomic::{AtomicUsize, Ordering};

use loom::sync::Arc;
use loom::sync::atomic::{self, fence};
use loom::thread;
use loom_words::{
    AsAsked, ChangesRelaxed, LoadsRelaxed, Loom, NoFences, Rules, StoresRelaxed, Word,
};
use protocols::byte_ring::{Reader, Writer};
use protocols::clock::TimeLine;
use protocols::crash::Turn;
use protocols::events::Events;
use protocols::grant::Entry;
use protocols::handover::Handover;
use protocols::ring::{Front, Shared};
use protocols::run_words::{Ending, ProgressWords, StartGate, StopWord};
use protocols::{Atomic, Atomics};
use xen_abi::grant_table::{GTF_PERMIT_ACCESS, GTF_READING, GTF_WRITING};
use xen_abi::{DomId, Port};

/// Faults that a run may show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// Both sides sleep.
    Lost,
    /// Data that was read is older than the word that handed it over, or not of one time.
    Stale,
}

/// Tries `run` in all ways; returns the ways in which it is lost, or stale.
fn explore(run: impl Fn() -> Option<Fault> + Send + Sync + 'static) -> [usize; 2] {
    let counts = std::sync::Arc::new([const { AtomicUsize::new(0) }; 3]);
    let found = std::sync::Arc::clone(&counts);
    loom::model(move || {
        let place = match run() {
            Some(Fault::Lost) => 0,
            Some(Fault::Stale) => 1,
            None => 2,
        };
        found[place].fetch_add(1, Ordering::Relaxed);
    });
    let [lost, stale, well] = counts.each_ref().map(|count| count.load(Ordering::Relaxed));
    assert!(well > 0, "some ways go well");
    [lost, stale]
}

/// The shared words of a ring, with one word of one entry.
struct Ring<R: Rules> {
    req_prod: Word<atomic::AtomicU32, R>,
    req_event: Word<atomic::AtomicU32, R>,
    rsp_prod: Word<atomic::AtomicU32, R>,
    rsp_event: Word<atomic::AtomicU32, R>,
    entry: atomic::AtomicU64,
}

/// An index that is not reached.
const FAR: u32 = 1 << 30;

impl<R: Rules> Ring<R> {
    /// An empty ring, with no side asking for an event, and one request that was put.
    fn new() -> (Arc<Self>, Front) {
        let word = || Word::<atomic::AtomicU32, R>::new(0);
        let ring = Arc::new(Self {
            req_prod: word(),
            req_event: word(),
            rsp_prod: word(),
            rsp_event: word(),
            entry: atomic::AtomicU64::new(0),
        });
        let mut front = Front::init(&ring.shared(), 0);
        ring.req_event.store(FAR, Ordering::SeqCst);
        ring.rsp_event.store(FAR, Ordering::SeqCst);
        front.put();
        (ring, front)
    }

    fn shared(&self) -> Shared<'_, Loom<R>> {
        let Self { req_prod, req_event, rsp_prod, rsp_event, .. } = self;
        Shared { req_prod, req_event, rsp_prod, rsp_event }
    }
}

/// The backend asks for an event with the next request, and looks whether it is there already.
fn publish<R: Rules>() -> Option<Fault> {
    let (ring, mut front) = Ring::<R>::new();
    let shared = Arc::clone(&ring);
    let backend = thread::spawn(move || {
        shared.req_event.0.store(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let sees = shared.req_prod.0.load(Ordering::Acquire) == 1;
        sees.then(|| shared.entry.load(Ordering::Relaxed))
    });
    ring.entry.store(7, Ordering::Relaxed);
    let notified = front.publish(&ring.shared());
    match backend.join().unwrap() {
        None => (!notified).then_some(Fault::Lost),
        Some(entry) => (entry != 7).then_some(Fault::Stale),
    }
}

/// The backend answers, and looks whether an event is asked for.
fn arm<R: Rules>() -> Option<Fault> {
    arm_after::<R>(1, 1)
}

/// The backend answers all of `requests` at once, and looks whether an event is asked for; the
/// frontend asks for one after `after` responses.
fn arm_after<R: Rules>(after: u32, requests: u32) -> Option<Fault> {
    let (ring, mut front) = Ring::<R>::new();
    (1..requests).for_each(|_| front.put());
    front.publish(&ring.shared());
    let shared = Arc::clone(&ring);
    let backend = thread::spawn(move || {
        shared.entry.store(7, Ordering::Relaxed);
        shared.rsp_prod.0.store(requests, Ordering::Release);
        fence(Ordering::SeqCst);
        (1..=requests).contains(&shared.rsp_event.0.load(Ordering::Relaxed))
    });
    // A look before, as each loop has it, that a later one must not be content with.
    let mut found = front.look(&ring.shared()).unwrap();
    let sleeps = !found && !front.arm(&ring.shared(), after);
    if !sleeps && !found {
        found = front.look(&ring.shared()).unwrap();
    }
    let entry = found.then(|| ring.entry.load(Ordering::Relaxed));
    let notified = backend.join().unwrap();
    match entry {
        Some(entry) => (entry != 7).then_some(Fault::Stale),
        None => (sleeps && !notified).then_some(Fault::Lost),
    }
}

/// A vCPU comes while the one that has work for it gives up waiting; what was not taken is done by
/// nobody, and more is offered then.
fn handover<R: Rules>() -> Option<Fault> {
    let word = Word::<atomic::AtomicU32, R>::new(0);
    let place = Arc::new((Handover::new(word), atomic::AtomicU64::new(0)));
    let takers = Arc::clone(&place);
    let taker = thread::spawn(move || {
        let (handover, work) = &*takers;
        [(); 2].map(|()| handover.take().then(|| work.load(Ordering::Relaxed)))
    });
    let (handover, work) = &*place;
    let mut given = Vec::new();
    for number in [7, 8] {
        work.store(number, Ordering::Relaxed);
        handover.offer();
        if handover.is_taken() || !handover.withdraw() {
            given.push(number);
            break;
        }
    }
    let done: Vec<u64> = taker.join().unwrap().into_iter().flatten().collect();
    if done.len() != given.len() {
        return Some(Fault::Lost);
    }
    (done != given).then_some(Fault::Stale)
}

const BYTES: usize = 4;

struct Bytes<R: Rules> {
    bytes: [Word<atomic::AtomicU8, R>; BYTES],
    prod: Word<atomic::AtomicU32, R>,
    cons: Word<atomic::AtomicU32, R>,
}

impl<R: Rules> Bytes<R> {
    fn new(prod: u32) -> Arc<Self> {
        let bytes = std::array::from_fn(|_| Word::<atomic::AtomicU8, R>::new(0));
        Arc::new(Self {
            bytes,
            prod: Word::<atomic::AtomicU32, R>::new(prod),
            cons: Word::<atomic::AtomicU32, R>::new(0),
        })
    }

    fn writer(&self) -> Writer<'_, Loom<R>> {
        Writer::new(&self.bytes, &self.prod, &self.cons)
    }

    fn reader(&self) -> Reader<'_, Loom<R>> {
        Reader::new(&self.bytes, &self.prod, &self.cons)
    }
}

/// The producer fills the ring and sleeps if there is no room; the consumer makes some.
fn fill<R: Rules>() -> Option<Fault> {
    let ring = Bytes::<R>::new(1);
    let shared = Arc::clone(&ring);
    let consumer = thread::spawn(move || {
        let mut reader = shared.reader();
        reader.read(&mut [0]).unwrap();
        reader.take_made_room()
    });
    let mut writer = ring.writer();
    writer.write(&[7; BYTES - 1]).unwrap();
    let sleeps = writer.is_full();
    let notified = consumer.join().unwrap();
    (sleeps && !notified).then_some(Fault::Lost)
}

/// The consumer takes what the producer writes meanwhile.
fn pass<R: Rules>() -> Option<Fault> {
    let ring = Bytes::<R>::new(0);
    let shared = Arc::clone(&ring);
    let consumer = thread::spawn(move || {
        let mut bytes = [0; 2];
        let count = shared.reader().read(&mut bytes).unwrap();
        bytes[..count] == [7, 8][..count]
    });
    ring.writer().write(&[7, 8]).unwrap();
    (!consumer.join().unwrap()).then_some(Fault::Stale)
}

struct Line<R: Rules> {
    version: Word<atomic::AtomicU32, R>,
    tsc_timestamp: Word<atomic::AtomicU64, R>,
    system_time: Word<atomic::AtomicU64, R>,
    tsc_to_system_mul: Word<atomic::AtomicU32, R>,
    tsc_shift: Word<atomic::AtomicI8, R>,
}

/// Xen moves a line of 1 GHz by 1,000 ticks; before and after it tells the same time.
fn time<R: Rules>() -> Option<Fault> {
    let line = Arc::new(Line::<R> {
        version: Word::<atomic::AtomicU32, R>::new(2),
        tsc_timestamp: Word::<atomic::AtomicU64, R>::new(0),
        system_time: Word::<atomic::AtomicU64, R>::new(0),
        tsc_to_system_mul: Word::<atomic::AtomicU32, R>::new(1 << 31),
        tsc_shift: Word::<atomic::AtomicI8, R>::new(1),
    });
    let shared = Arc::clone(&line);
    let xen = thread::spawn(move || {
        shared.version.0.store(3, Ordering::Relaxed);
        fence(Ordering::Release);
        shared.tsc_timestamp.0.store(1_000, Ordering::Relaxed);
        shared.system_time.0.store(1_000, Ordering::Relaxed);
        shared.version.0.store(4, Ordering::Release);
    });
    let Line { version, tsc_timestamp, system_time, tsc_to_system_mul, tsc_shift } = &*line;
    let line: TimeLine<'_, Loom<R>> =
        TimeLine { version, tsc_timestamp, system_time, tsc_to_system_mul, tsc_shift };
    let now_ns = line.try_system_time_ns(|| 1_500);
    xen.join().unwrap();
    now_ns.is_some_and(|now_ns| now_ns != 1_500).then_some(Fault::Stale)
}

struct Grant<R: Rules> {
    flags: Word<atomic::AtomicU16, R>,
    domid: Word<atomic::AtomicU16, R>,
    frame: Word<atomic::AtomicU32, R>,
    page: atomic::AtomicU64,
}

const MAPPED: u16 = GTF_READING | GTF_WRITING;

/// The grantee maps the page if it may, writes it, and unmaps it; we revoke, and read the page if
/// nobody has it any more.
fn grant<R: Rules>() -> Option<Fault> {
    let grant = Arc::new(Grant::<R> {
        flags: Word::<atomic::AtomicU16, R>::new(0),
        domid: Word::<atomic::AtomicU16, R>::new(0),
        frame: Word::<atomic::AtomicU32, R>::new(0),
        page: atomic::AtomicU64::new(0),
    });
    let shared = Arc::clone(&grant);
    let grantee = thread::spawn(move || {
        let (from, to) = (GTF_PERMIT_ACCESS, GTF_PERMIT_ACCESS | MAPPED);
        shared.flags.0.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed).ok()?;
        let domid = shared.domid.0.load(Ordering::Relaxed);
        let frame = shared.frame.0.load(Ordering::Relaxed);
        shared.page.store(7, Ordering::Relaxed);
        shared.flags.0.fetch_and(!MAPPED, Ordering::Release);
        Some((domid, frame))
    });
    let Grant { flags, domid, frame, .. } = &*grant;
    let entry: Entry<'_, Loom<R>> = Entry { flags, domid, frame };
    entry.permit(DomId(3), 5, false);
    let page = entry.revoke().ok().map(|()| grant.page.load(Ordering::Relaxed));
    let mapped = grantee.join().unwrap();
    let stale = mapped.is_some_and(|what| what != (3, 5))
        || page.is_some_and(|page| page != if mapped.is_some() { 7 } else { 0 });
    stale.then_some(Fault::Stale)
}

/// A loop publishes its figures twice, so that it also stores to the copy that was read before.
fn progress<R: Rules>() -> Option<Fault> {
    let words = Arc::new(ProgressWords::<Loom<R>, 2>::default());
    let shared = Arc::clone(&words);
    let writer = thread::spawn(move || [1, 2].map(|figure| shared.publish([figure; 2])));
    let [one, other] = words.read();
    writer.join().unwrap();
    (one != other).then_some(Fault::Stale)
}

/// Two loops arrive at a gate, and the boot vCPU reads what they stored before.
fn arrive<R: Rules>() -> Option<Fault> {
    let gate = Arc::new(StartGate::<Loom<R>>::default());
    let ready = Arc::new([0; 2].map(atomic::AtomicU64::new));
    let loops = [0, 1].map(|number| {
        let (gate, ready) = (Arc::clone(&gate), Arc::clone(&ready));
        thread::spawn(move || {
            ready[number].store(7, Ordering::Relaxed);
            gate.arrive();
        })
    });
    let all = gate.arrived() == 2;
    let fresh = !all || ready.iter().all(|word| word.load(Ordering::Relaxed) == 7);
    loops.into_iter().for_each(|one| one.join().unwrap());
    assert_eq!(gate.arrived(), 2);
    (!fresh).then_some(Fault::Stale)
}

/// The boot vCPU opens a gate, and a loop reads what it stored before.
fn open<R: Rules>() -> Option<Fault> {
    let gate = Arc::new(StartGate::<Loom<R>>::default());
    let told = Arc::new(atomic::AtomicU64::new(0));
    let shared = (Arc::clone(&gate), Arc::clone(&told));
    let boot = thread::spawn(move || {
        shared.1.store(7, Ordering::Relaxed);
        shared.0.open(5);
    });
    let opened = gate.opened().map(|at_ns| (at_ns, told.load(Ordering::Relaxed)));
    boot.join().unwrap();
    opened.is_some_and(|opened| opened != (5, 7)).then_some(Fault::Stale)
}

type Asked<W> = Word<W, AsAsked>;

struct Channels {
    upcall_pending: Asked<atomic::AtomicU8>,
    pending_sel: Asked<atomic::AtomicU64>,
    pending: [Asked<atomic::AtomicU64>; 1],
}

impl Channels {
    /// Raises an event as Xen does.
    fn send(&self, port: u32) {
        let raised = self.pending[0].0.fetch_or(1 << port, Ordering::AcqRel) & 1 << port == 0
            && self.pending_sel.0.fetch_or(1, Ordering::AcqRel) == 0;
        if raised {
            self.upcall_pending.0.swap(1, Ordering::AcqRel);
        }
    }
}

const OURS: Port = Port(1);

/// Events come to two ports, of which we wait for the second; `clear` returns whether one came. The
/// upper levels may still be set from an event that was taken. Lost if we sleep and no upcall is
/// due, or if the upcall finds nothing.
fn wait(stale: bool, clear: fn(&Events<'_, Loom<AsAsked>>) -> bool) -> Option<Fault> {
    let channels = Arc::new(Channels {
        upcall_pending: Asked::<atomic::AtomicU8>::new(stale.into()),
        pending_sel: Asked::<atomic::AtomicU64>::new(stale.into()),
        pending: [Asked::<atomic::AtomicU64>::new(0)],
    });
    let shared = Arc::clone(&channels);
    let xen = thread::spawn(move || [0, OURS.0].map(|port| shared.send(port)));
    let Channels { upcall_pending, pending_sel, pending } = &*channels;
    let events = Events { upcall_pending, pending_sel, pending };
    let sleeps = !clear(&events);
    xen.join().unwrap();
    let woken = || upcall_pending.0.load(Ordering::SeqCst) == 1 && events.take(OURS);
    (sleeps && !woken()).then_some(Fault::Lost)
}

fn top_down(events: &Events<'_, Loom<AsAsked>>) -> bool {
    events.prepare_wait();
    events.take(OURS)
}

fn port_first(events: &Events<'_, Loom<AsAsked>>) -> bool {
    let came = events.take(OURS);
    events.prepare_wait();
    came
}

fn selector_first(events: &Events<'_, Loom<AsAsked>>) -> bool {
    events.pending_sel.swap(0, Ordering::SeqCst);
    events.upcall_pending.store(0, Ordering::SeqCst);
    events.take(OURS)
}

#[test]
fn nothing_is_lost_and_nothing_is_stale() {
    for (step, found) in [
        ("publish", explore(publish::<AsAsked>)),
        ("arm", explore(arm::<AsAsked>)),
        ("arm, all of 3", explore(|| arm_after::<AsAsked>(3, 3))),
        ("arm, 2 of 3", explore(|| arm_after::<AsAsked>(2, 3))),
        ("arm, more than 2", explore(|| arm_after::<AsAsked>(3, 2))),
        ("fill", explore(fill::<AsAsked>)),
        ("pass", explore(pass::<AsAsked>)),
        ("time", explore(time::<AsAsked>)),
        ("grant", explore(grant::<AsAsked>)),
        ("progress", explore(progress::<AsAsked>)),
        ("arrive", explore(arrive::<AsAsked>)),
        ("open", explore(open::<AsAsked>)),
        ("handover", explore(handover::<AsAsked>)),
        ("wait", explore(|| wait(false, top_down))),
        ("wait, upper levels set", explore(|| wait(true, top_down))),
    ] {
        assert_eq!(found, [0, 0], "{step}");
    }
}

#[test]
fn without_a_fence_a_wake_up_is_lost_and_time_is_torn() {
    for (step, [lost, stale]) in [
        ("publish", explore(publish::<NoFences>)),
        ("arm", explore(arm::<NoFences>)),
        ("arm, more than 2", explore(|| arm_after::<NoFences>(3, 2))),
        ("fill", explore(fill::<NoFences>)),
    ] {
        assert!(lost > 0 && stale == 0, "{step}: {lost}, {stale}");
    }
    assert_ne!(explore(time::<NoFences>), [0, 0]);
    assert_ne!(explore(progress::<NoFences>), [0, 0]);
}

#[test]
fn in_any_other_order_an_event_is_lost() {
    for clear in [port_first, selector_first] {
        let [lost, stale] = explore(move || wait(true, clear));
        assert!(lost > 0 && stale == 0, "{lost}, {stale}");
    }
}

#[test]
fn a_weaker_order_shows_what_is_old() {
    for (step, [lost, stale]) in [
        ("publish, req_prod not released", explore(publish::<StoresRelaxed>)),
        ("arm, rsp_prod not acquired", explore(arm::<LoadsRelaxed>)),
        ("pass, prod not released", explore(pass::<StoresRelaxed>)),
        ("pass, prod not acquired", explore(pass::<LoadsRelaxed>)),
        ("time, version not acquired", explore(time::<LoadsRelaxed>)),
        ("grant, permission not released", explore(grant::<StoresRelaxed>)),
        ("grant, revoke relaxed", explore(grant::<ChangesRelaxed>)),
        ("progress, version not released", explore(progress::<StoresRelaxed>)),
        ("progress, version not acquired", explore(progress::<LoadsRelaxed>)),
        ("arrive, not released", explore(arrive::<ChangesRelaxed>)),
        ("arrive, not acquired", explore(arrive::<LoadsRelaxed>)),
        ("open, not released", explore(open::<StoresRelaxed>)),
        ("open, not acquired", explore(open::<LoadsRelaxed>)),
        ("handover, offer not released", explore(handover::<StoresRelaxed>)),
        ("handover, take not acquired", explore(handover::<ChangesRelaxed>)),
    ] {
        assert!(lost == 0 && stale > 0, "{step}: {lost}, {stale}");
    }
}

#[test]
fn of_vcpus_that_crash_at_once_one_reports() {
    loom::model(|| {
        let word = Arc::new(<Loom<AsAsked> as Atomics>::U32::new(0));
        let crashes = [1, 2].map(|vcpu| {
            let word = Arc::clone(&word);
            thread::spawn(move || Turn::take(&*word, vcpu))
        });
        let mut turns = vec![Turn::take(&*word, 0)];
        turns.extend(crashes.map(|crash| crash.join().unwrap()));
        turns.retain(|&turn| turn != Turn::Halt);
        assert_eq!(turns, [Turn::Report]);
    });
}

#[test]
fn who_asks_for_less_takes_nothing_back() {
    loom::model(|| {
        let word = Arc::new(StopWord::<Loom<AsAsked>>::default());
        let asks = [Ending::Stop, Ending::Abandon].map(|ending| {
            let word = Arc::clone(&word);
            thread::spawn(move || word.ask(ending))
        });
        let mut seen = vec![word.asked()];
        asks.into_iter().for_each(|ask| ask.join().unwrap());
        seen.push(word.asked());
        let asked = Some(Ending::Abandon);
        let stop = Some(Ending::Stop);
        assert!(
            [[None, asked], [stop, asked], [asked, asked]].iter().any(|way| seen == way),
            "{seen:?}"
        );
    });
}
