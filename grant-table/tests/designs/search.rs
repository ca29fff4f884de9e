//! A search for an order in which the spec answers as a history says (Wing and Gong, with the
//! memory of Lowe): of steps, as operations here are made of several.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::ops::{Answer, Op, Place};
use crate::spec::{At, Rules, Since, TRIES, World};

/// Call of a history, and the times at which it began and returned, of one clock.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    pub cpu: usize,
    pub op: Op,
    pub answer: Answer,
    pub from: u64,
    pub to: u64,
}

/// Outcome of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Explained,
    /// No order explains the answers.
    Wrong,
    /// The search was given up.
    Undecided,
}

/// Call that is being made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Open {
    call: usize,
    at: At,
    since: Since,
}

/// State of the search: events before `event` have happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Node {
    event: usize,
    world: World,
    open: Vec<Open>,
}

/// Event of a history.
#[derive(Clone, Copy)]
enum Event {
    Begin(usize),
    Return(usize),
}

/// Looks for an order, in `nodes_max` states at most. Calls of a history have distinct times.
pub fn search(rules: &Rules, calls: &[Call], nodes_max: usize) -> Verdict {
    let events = events(calls);
    let world = World::new(&rules.config);
    let mut left = vec![Node { event: 0, world, open: vec![] }];
    let mut seen = HashSet::new();
    while let Some(mut node) = left.pop() {
        if happen(&mut node, calls, &events) {
            return Verdict::Explained;
        }
        if !seen.insert(digest(&node)) {
            continue;
        }
        if seen.len() > nodes_max {
            return Verdict::Undecided;
        }
        for place in 0..node.open.len() {
            left.extend(steps(&node, rules, calls, place));
        }
    }
    Verdict::Wrong
}

fn events(calls: &[Call]) -> Vec<Event> {
    let both =
        |(at, call): (usize, &Call)| [(call.from, Event::Begin(at)), (call.to, Event::Return(at))];
    let mut events: Vec<_> = calls.iter().enumerate().flat_map(both).collect();
    events.sort_by_key(|(time, _)| *time);
    events.into_iter().map(|(_, event)| event).collect()
}

/// Lets events happen until a call would return that has not ended; returns whether none is left.
/// Neither a call that has begun nor one that has returned takes any order away.
fn happen(node: &mut Node, calls: &[Call], events: &[Event]) -> bool {
    while let Some(event) = events.get(node.event) {
        match *event {
            Event::Begin(call) => {
                let taken = by(calls[call].op).map_or(0, |by| node.world.taken(by));
                let since = Since { taken, stores: [0; 2] };
                node.open.push(Open { call, at: At::Start, since });
            }
            Event::Return(call) => {
                let place = node.open.iter().position(|open| open.call == call);
                let place = place.expect("it has begun");
                if node.open[place].at != At::End(calls[call].answer) {
                    return false;
                }
                node.open.remove(place);
            }
        }
        node.event += 1;
    }
    true
}

/// Returns the states after a step of an open call that can still be answered as it was.
fn steps(node: &Node, rules: &Rules, calls: &[Call], place: usize) -> Vec<Node> {
    let Open { call, at, since } = node.open[place];
    let Call { op, answer, .. } = calls[call];
    let next = node.world.step(rules, op, at, since, answer);
    let kept = next.into_iter().filter(|(_, at)| !matches!(at, At::End(other) if *other != answer));
    kept.map(|(world, at)| {
        let mut open = node.open.clone();
        open[place].at = at;
        for other in &mut open {
            note(other, calls[other.call].op, op, &node.world, &world);
        }
        Node { event: node.event, world, open }
    })
    .collect()
}

/// Lets an open call note what a step of `op` did.
fn note(open: &mut Open, own: Op, op: Op, before: &World, after: &World) {
    if let Some(by) = by(own) {
        open.since.taken |= after.taken(by);
    }
    let Some(place) = stored(op) else { return };
    let header =
        |world: &World| world.domains[usize::from(place.0)].entries[place.1 as usize].header;
    if header(before) == header(after) {
        return;
    }
    for (stores, used) in open.since.stores.iter_mut().zip(used(own)) {
        if used == Some(place) {
            *stores = (*stores + 1).min(TRIES);
        }
    }
}

/// Domain whose handles a call takes.
fn by(op: Op) -> Option<u16> {
    if let Op::Map { by, .. } = op { Some(by) } else { None }
}

/// Entries that a call uses.
fn used(op: Op) -> [Option<Place>; 2] {
    match op {
        Op::Map { place, .. } => [Some(place), None],
        Op::Copy { from, to, .. } => [Some(from), Some(to)],
        _ => [None; 2],
    }
}

/// Entry that a domain's own call stores to.
fn stored(op: Op) -> Option<Place> {
    match op {
        Op::Permit { place, .. } | Op::Revoke { place, .. } | Op::Scribble { place, .. } => {
            Some(place)
        }
        _ => None,
    }
}

fn digest(node: &Node) -> (u64, u64) {
    let mut open = node.open.clone();
    open.sort_by_key(|open| open.call);
    let node = (node.event, &node.world, open);
    let hash = |salt: u64| {
        let mut hasher = DefaultHasher::new();
        (salt, &node).hash(&mut hasher);
        hasher.finish()
    };
    (hash(1), hash(2))
}

/// Runs a call alone; returns the world after it, or what it could have answered.
///
/// # Errors
/// All other answers, when `answer` is none.
pub fn alone(rules: &Rules, world: &World, op: Op, answer: Answer) -> Result<World, Vec<Answer>> {
    let since = Since { taken: by(op).map_or(0, |by| world.taken(by)), stores: [0; 2] };
    let mut left = vec![(world.clone(), At::Start)];
    let mut others = vec![];
    while let Some((world, at)) = left.pop() {
        match at {
            At::End(end) if end == answer => return Ok(world),
            At::End(end) => others.push(end),
            at => left.extend(world.step(rules, op, at, since, answer)),
        }
    }
    others.dedup();
    Err(others)
}

/// Histories of a register-like entry that the search must tell apart.
#[test]
fn the_search_tells_right_from_wrong() {
    use grant_table::{Access, Config, Status};

    use crate::spec::Facts;

    let config = Config {
        domains: 2,
        cpus: 2,
        entries_per_frame: 1,
        frames: 1,
        frames_max: 1,
        handles_per_frame: 2,
        handle_frames_max: 1,
    };
    let rules = Rules { config, facts: Facts { lists: false, late_record: false } };
    let place = (0, 0);
    let permit = Op::Permit { place, grantee: 1, frame: 7, access: Access::Write };
    let map = Op::Map { by: 1, place, access: Access::Read };
    let call = |op, answer, from, to| Call { cpu: 0, op, answer, from, to };
    let refused = Answer::Failed(Status::NotGranted);
    // Before, and while, it is permitted: refused or not, with the frame that was permitted.
    for (answer, from, verdict) in [
        (refused, 3, Verdict::Wrong),
        (refused, 1, Verdict::Explained),
        (Answer::Mapped(1, 7), 1, Verdict::Explained),
        (Answer::Mapped(2, 7), 1, Verdict::Wrong),
        (Answer::Mapped(0, 6), 3, Verdict::Wrong),
    ] {
        let calls = [call(permit, Answer::Done, 0, 2), call(map, answer, from, 4)];
        assert_eq!(search(&rules, &calls, 1000), verdict, "{answer:?}");
    }
    let twice = |handle, to| call(map, Answer::Mapped(handle, 7), 3, to);
    let permitted = call(permit, Answer::Done, 0, 2);
    let wrong = [permitted, twice(0, 5), twice(0, 6)];
    assert_eq!(search(&rules, &wrong, 1000), Verdict::Wrong, "one handle twice");
    assert_eq!(search(&rules, &[permitted, twice(0, 5), twice(1, 6)], 2), Verdict::Undecided);
}

/// A copy is given up for what its own entry was stored, not for what the other one was.
#[test]
fn stores_to_a_source_are_not_those_to_a_target() {
    use grant_table::{Access, Config, Status};

    use crate::spec::Facts;

    let config = Config {
        domains: 2,
        cpus: 1,
        entries_per_frame: 2,
        frames: 1,
        frames_max: 1,
        handles_per_frame: 1,
        handle_frames_max: 1,
    };
    let rules = Rules { config, facts: Facts { lists: false, late_record: false } };
    let [source, target] = [(0, 0), (0, 1)];
    let permit = |place, access| Op::Permit { place, grantee: 1, frame: 7, access };
    let verdict = |changes: &[Place]| {
        let done = |at: usize, op| {
            let from = 2 * at as u64;
            Call { cpu: 0, op, answer: Answer::Done, from, to: from + 1 }
        };
        let first = [source, target].map(|place| permit(place, Access::Write));
        let later = changes.iter().enumerate().map(|(at, place)| {
            permit(*place, if at % 2 == 0 { Access::Read } else { Access::Write })
        });
        let mut calls: Vec<_> =
            first.into_iter().chain(later).enumerate().map(|(at, op)| done(at + 1, op)).collect();
        calls[2..].iter_mut().for_each(|call| (call.from, call.to) = (call.from + 1, call.to + 1));
        let copy = Op::Copy { by: 1, from: source, to: target };
        let answer = Answer::Failed(Status::Unstable);
        calls.push(Call { cpu: 1, op: copy, answer, from: 6, to: 99 });
        search(&rules, &calls, 100_000)
    };
    assert_eq!(verdict(&[source; 6]), Verdict::Explained);
    assert_eq!(verdict(&[target; 6]), Verdict::Explained);
    assert_eq!(verdict(&[[source; 4], [target; 4]].concat()), Verdict::Wrong);
}
