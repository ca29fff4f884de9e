//! No wake-up is lost between the two sides of a ring, on a processor with store buffers.
//!
//! Each side stores its own index, then reads the other's to decide whether to send an event or to
//! sleep. x86 lets a load overtake an earlier store to another address, so both could read old
//! values, and both would sleep. All interleavings of both sides and of their store buffers are
//! tried. The frontend's steps are taken from the driver's source, so the test fails when a fence
//! goes; that it can fail is tested too.

use std::collections::BTreeSet;

const RING: &str = include_str!("../../drivers/src/ring.rs");
const BYTE_RING: &str = include_str!("../../drivers/src/byte_ring.rs");
const GRANT: &str = include_str!("../../drivers/src/grant.rs");
const CLOCK: &str = include_str!("../../drivers/src/clock.rs");

/// One step of a side. Variables: 0 and 1, each stored by one side and loaded by the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Store(usize),
    Fence,
    Load(usize),
}

/// A processor: what it runs next, its store buffer, what its load saw.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Side {
    next: usize,
    buffered: Vec<usize>,
    saw_new: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct State {
    sides: [Side; 2],
    /// Whether the new value of each variable is in memory.
    stored: [bool; 2],
}

/// Whether some interleaving ends with neither side having seen the other's store.
fn can_lose_wake_up(programs: [&[Step]; 2]) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![State::default()];
    while let Some(state) = open.pop() {
        if !seen.insert(state.clone()) {
            continue;
        }
        let done = |side: usize| state.sides[side].next == programs[side].len();
        if done(0) && done(1) && !state.sides[0].saw_new && !state.sides[1].saw_new {
            return true;
        }
        for (side, program) in programs.iter().enumerate() {
            // The oldest buffered store reaches memory.
            if !state.sides[side].buffered.is_empty() {
                let mut after = state.clone();
                let variable = after.sides[side].buffered.remove(0);
                after.stored[variable] = true;
                open.push(after);
            }
            let Some(step) = program.get(state.sides[side].next) else {
                continue;
            };
            let mut after = state.clone();
            let me = &mut after.sides[side];
            me.next += 1;
            match *step {
                Step::Store(variable) => me.buffered.push(variable),
                Step::Fence if !me.buffered.is_empty() => continue,
                Step::Fence => {}
                Step::Load(variable) => {
                    me.saw_new = me.buffered.contains(&variable) || state.stored[variable];
                }
            }
            open.push(after);
        }
    }
    false
}

/// Code without comments and white space.
fn bare(source: &str) -> String {
    let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(str::chars).filter(|c| !c.is_whitespace()).collect()
}

/// The body of one function of a driver, bare.
fn body_of(source: &str, function: &str) -> String {
    let (_, rest) =
        source.split_once(&format!("pub fn {function}(")).expect("the function is there");
    bare(&rest[..rest.find("\n    }\n").expect("the function ends")])
}

/// The steps of code from where it stores one shared index, and loads another.
fn steps(body: &str, stores: &str, loads: &str) -> Vec<Step> {
    let marks = [
        (format!(".{stores}.store("), Step::Store(0)),
        ("fence(Ordering::SeqCst)".to_string(), Step::Fence),
        (format!(".{loads}.load("), Step::Load(1)),
    ];
    let mut found: Vec<(usize, Step)> = marks
        .iter()
        .flat_map(|(text, step)| body.match_indices(text).map(|(at, _)| (at, *step)))
        .collect();
    found.sort_by_key(|(at, _)| *at);
    found.into_iter().map(|(_, step)| step).skip_while(|step| *step != Step::Store(0)).collect()
}

/// The backend's half: io/ring.h has a full barrier between the two.
const BACKEND: [Step; 3] = [Step::Store(1), Step::Fence, Step::Load(0)];

#[test]
fn the_frontend_never_loses_a_wake_up() {
    let publish = body_of(RING, "publish");
    let arm = body_of(RING, "arm");
    // Between the two, the event is sent and the port is cleared; `is_full` asks for the room.
    let write = body_of(BYTE_RING, "write") + &body_of(BYTE_RING, "room");
    let read = body_of(BYTE_RING, "read");
    for (body, stores, loads) in [
        (publish, "req_prod", "req_event"),
        (arm, "rsp_event", "rsp_prod"),
        (write, "prod_shared", "cons_shared"),
        (read, "cons_shared", "prod_shared"),
    ] {
        let frontend = steps(&body, stores, loads);
        assert_eq!(frontend.first(), Some(&Step::Store(0)), "{stores}: {frontend:?}");
        assert_eq!(frontend.last(), Some(&Step::Load(1)), "{stores}: {frontend:?}");
        assert!(!can_lose_wake_up([&frontend, &BACKEND]), "{stores}: {frontend:?}");
    }
}

/// x86 keeps this order by itself, and in one thread one step cannot be told from two: no run shows
/// that it is asked for, but the compiler must know.
#[test]
fn what_an_index_stands_for_is_there_when_the_index_is() {
    for (source, asked) in [
        (RING, ".req_prod.store(new,Ordering::Release)"),
        (RING, ".rsp_prod.load(Ordering::Acquire)"),
        (BYTE_RING, "self.prod_shared.store(self.prod,Ordering::Release)"),
        (BYTE_RING, "self.cons_shared.store(self.cons,Ordering::Release)"),
        (BYTE_RING, "letprod=self.prod_shared.load(Ordering::Acquire)"),
        (GRANT, "store(GTF_PERMIT_ACCESS|read_only,Ordering::Release)"),
        (GRANT, ".compare_exchange(flags,0,Ordering::SeqCst,Ordering::Relaxed)"),
        (CLOCK, "letversion=time.version.load(Ordering::Acquire)"),
        (CLOCK, "letnow=tsc();fence(Ordering::Acquire);"),
    ] {
        assert!(bare(source).contains(asked), "{asked}");
    }
}

#[test]
fn without_either_fence_one_is_lost() {
    let fenced = [Step::Store(0), Step::Fence, Step::Load(1)];
    let bare = [Step::Store(0), Step::Load(1)];
    let backend_bare = [Step::Store(1), Step::Load(0)];
    assert!(!can_lose_wake_up([&fenced, &BACKEND]));
    assert!(can_lose_wake_up([&bare, &BACKEND]));
    assert!(can_lose_wake_up([&fenced, &backend_bare]));
    assert!(can_lose_wake_up([&bare, &backend_bare]));
    // A fence in the wrong place is none.
    let late = [Step::Store(0), Step::Load(1), Step::Fence];
    let early = [Step::Fence, Step::Store(0), Step::Load(1)];
    assert!(can_lose_wake_up([&late, &BACKEND]));
    assert!(can_lose_wake_up([&early, &BACKEND]));
    // To look before one says that one sleeps is wrong even with a fence.
    let swapped = [Step::Load(1), Step::Fence, Step::Store(0)];
    assert!(can_lose_wake_up([&swapped, &BACKEND]));
}
