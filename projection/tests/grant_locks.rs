//! Projections of grant locks: what has to hold whatever the costs are, and what they refuse.

use projection::grants::designs::Design;
use projection::grants::workload::{Block, Events, Network, ReadLock};
use projection::grants::{GrantLocks, LOCK_CPUS_MAX, LockCheck, SOCKETS_MAX, grant_locks_text};
use projection::{Costs, Key};
use proptest::prelude::*;

fn costs(values: &[(Key, f64)]) -> Costs {
    let mut costs = Costs::shipped().unwrap();
    for (key, value) in values {
        let (section, name) = key.name().split_once('.').unwrap();
        let unit = key.unit();
        let cost = format!("{name} = {{ value = {value:?}, unit = \"{unit}\", source = \"a\" }}");
        costs.replace(&format!("[{section}]\n{cost}\n")).unwrap();
    }
    costs
}

/// No time for lines, locked instructions, sleep and flushes.
const SOFTWARE_ONLY: [(Key, f64); 9] = [
    (Key::LineSocket, 0.0),
    (Key::LineRemote, 0.0),
    (Key::LineAtomic, 0.0),
    (Key::Ipi, 0.0),
    (Key::ShootdownBase, 0.0),
    (Key::ShootdownEach, 0.0),
    (Key::ShootdownReceived, 0.0),
    (Key::BackendSleep, 0.0),
    (Key::Exit, 0.0),
];

const fn block(cpus: usize, events: Events) -> Block {
    Block { cpus, vcpus: cpus, sockets: 2, disks: cpus, in_flight: 4, events, flushes: false }
}

#[test]
fn one_processor_does_what_its_instructions_take() {
    let costs = costs(&SOFTWARE_ONLY);
    let instructions =
        costs.get(Key::XenIo) + costs.get(Key::BackendIo) + 11.0 * costs.get(Key::MapUnmap);
    let ns = instructions * costs.get(Key::CyclesPerInstruction) / costs.get(Key::Clock);
    let expected = 11.0 * 4096.0 / ns * 1000.0;
    for design in Design::ALL {
        let (found, outcome) = block(1, Events::Bound).run(&costs, design, 1);
        assert!((found / expected - 1.0).abs() < 0.02, "{design:?}: {found}, not {expected}");
        assert_eq!((outcome.spin, outcome.flush), (0, 0));
    }
}

#[test]
fn without_shared_lines_all_scales_but_what_is_one() {
    let costs = costs(&SOFTWARE_ONLY);
    for design in Design::ALL {
        let of = |cpus| block(cpus, Events::Bound).run(&costs, design, 1).0;
        let gain = of(8) / of(1);
        match design {
            // Its lock covers a part of the work.
            Design::SingleLock => assert!(gain < 7.0, "{gain}"),
            _ => assert!((7.6..8.4).contains(&gain), "{design:?}: {gain}"),
        }
    }
}

#[test]
fn a_lock_that_covers_all_is_the_limit() {
    let all = [&SOFTWARE_ONLY[..], &[(Key::MapUnmapLocked, 1.0)]].concat();
    let costs = costs(&all);
    let ns = costs.get(Key::MapUnmap) * costs.get(Key::CyclesPerInstruction);
    let expected = 4096.0 / (ns / costs.get(Key::Clock)) * 1000.0;
    let (found, _) = block(16, Events::Bound).run(&costs, Design::SingleLock, 1);
    assert!((found / expected - 1.0).abs() < 0.02, "{found}, not {expected}");
}

#[test]
fn slower_lines_are_never_faster() {
    for design in Design::ALL {
        let rates = [0.0, 44.0, 200.0, 1000.0].map(|ns| {
            let costs = costs(&[(Key::LineSocket, ns), (Key::LineRemote, ns)]);
            block(8, Events::Bound).run(&costs, design, 1).0
        });
        assert!(rates.is_sorted_by(|one, next| *one > next * 0.99), "{design:?}: {rates:?}");
    }
}

#[test]
fn each_design_is_at_least_as_fast_as_the_one_before() {
    let costs = Costs::shipped().unwrap();
    for cpus in [16, 64] {
        let rates = Design::ALL.map(|design| block(cpus, Events::Bound).run(&costs, design, 1).0);
        assert!(rates.is_sorted_by(|one, next| *one < next * 1.02), "{cpus}: {rates:?}");
    }
}

#[test]
fn bound_events_are_never_slower_and_flushes_never_faster() {
    let costs = Costs::shipped().unwrap();
    // With the others, whatever keeps processors from a lock makes it faster.
    for design in [Design::PerVcpuHandles, Design::PerCpuRwLock, Design::PackedWords] {
        let of = |block: Block| block.run(&costs, design, 1).0;
        let bound = of(block(16, Events::Bound));
        assert!(bound > of(block(16, Events::Unbound)) * 0.98, "{design:?}");
        assert!(bound > of(Block { flushes: true, ..block(16, Events::Bound) }), "{design:?}");
    }
}

#[test]
fn a_per_cpu_lock_is_never_slower_in_a_network() {
    let costs = Costs::shipped().unwrap();
    let of = |table, p2m| Network { queues: 8, sockets: 2, table, p2m }.run(&costs, 1).0;
    let (both, one) = (of(ReadLock::Swap, ReadLock::Swap), of(ReadLock::PerCpu, ReadLock::Swap));
    assert!(both < one && one < of(ReadLock::PerCpu, ReadLock::PerCpu), "{both} {one}");
}

#[test]
fn a_seed_is_one_run() {
    let costs = Costs::shipped().unwrap();
    let of = |seed| GrantLocks::new(&costs, 3, 2, seed).unwrap();
    assert_eq!(of(1), of(1));
    assert_ne!(of(1).curves, of(2).curves);
    assert_eq!(LockCheck::new(&costs, 1), LockCheck::new(&costs, 1));
    let cpus: Vec<u32> = of(1).curves[0].points.iter().map(|point| point.cpus).collect();
    assert_eq!(cpus, [1, 2, 3]);
}

#[test]
fn numbers_out_of_range_are_refused() {
    let costs = Costs::shipped().unwrap();
    for (cpus, sockets, why) in [
        (0, 1, "processors: 0 is not from 1 to 256"),
        (LOCK_CPUS_MAX + 1, 1, "processors: 257 is not from 1 to 256"),
        (u32::MAX, 1, "processors: 4294967295 is not from 1 to 256"),
        (1, 0, "sockets: 0 is not from 1 to 8"),
        (1, SOCKETS_MAX + 1, "sockets: 9 is not from 1 to 8"),
    ] {
        assert_eq!(GrantLocks::new(&costs, cpus, sockets, 1).unwrap_err().to_string(), why);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_costs_have_an_outcome(parts in proptest::array::uniform27(0.0..=1.0), cpus in 1..6_u32) {
        let values = Key::ALL.into_iter().zip(parts).map(|(key, part): (Key, f64)| {
            let (least, most) = key.range();
            // Near the least as often as near the most.
            (key, (least + (most - least) * part.powi(8)).clamp(least, most))
        });
        let values: Vec<(Key, f64)> = values.collect();
        let locks = GrantLocks::new(&costs(&values), cpus, 2, 1).unwrap();
        for point in locks.curves.iter().flat_map(|curve| &curve.points) {
            prop_assert!(point.mb_per_s.is_finite() && point.mb_per_s > 0.0, "{point:?}");
        }
    }
}

/// Docs quote the default projection, so they say what it prints.
#[test]
fn the_docs_have_the_projection_as_it_is() {
    let docs = include_str!("../../docs/grant-locking.md");
    let costs = Costs::shipped().unwrap();
    let locks = GrantLocks::new(&costs, LOCK_CPUS_MAX, 2, 1).unwrap();
    let text = grant_locks_text(&costs, &locks, &LockCheck::new(&costs, 1));
    assert!(docs.contains(&format!("```text\n{text}```\n")), "\n{text}");
}
