//! Projections of grant locks: what has to hold whatever the costs are, and what they refuse.

use projection::grants::designs::Design;
use projection::grants::machine::{MEASURED, ROUNDS_MIN, WARM_UP};
use projection::grants::workload::{Block, Events, IN_FLIGHT, Network, ReadLock};
use projection::grants::{
    CPUS_2013, GrantLocks, LOCK_CPUS_MAX, LockCheck, SOCKETS_MAX, grant_locks_text,
};
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
    Block {
        cpus,
        vcpus: cpus,
        sockets: 2,
        disks: cpus,
        in_flight: IN_FLIGHT,
        events,
        flushes: false,
    }
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

#[test]
fn a_longer_run_is_no_other() {
    let costs = Costs::shipped().unwrap();
    for (cpus, flushes) in [(4, true), (24, false), (64, true)] {
        for (design, events) in
            Design::ALL.into_iter().zip([Events::Unbound, Events::Bound].repeat(3))
        {
            let block = Block { flushes, ..block(cpus, events) };
            let machine = block.machine(&costs, design);
            let count = machine.requests.len() as u64;
            let rounds = (2 * MEASURED * count).max(2 * ROUNDS_MIN);
            let longer = Block::rate(&machine.run(1, 2 * WARM_UP * count, rounds));
            let change = longer / block.run(&costs, design, 1).0 - 1.0;
            assert!(change.abs() < 0.02, "{cpus} {design:?} {events:?}: {change}");
        }
    }
}

#[test]
fn seeds_differ_by_less_than_is_printed() {
    let costs = Costs::shipped().unwrap();
    for cpus in [1, 2, 8, 32] {
        for design in Design::ALL {
            let rates =
                [1, 2, 3].map(|seed| block(cpus, Events::Bound).run(&costs, design, seed).0);
            let (least, most) =
                (rates.iter().copied().reduce(f64::min), rates.iter().copied().reduce(f64::max));
            let spread = most.unwrap() / least.unwrap() - 1.0;
            assert!(spread < 0.12, "{cpus} {design:?}: {rates:?}");
        }
    }
}

#[test]
fn as_many_requests_as_a_ring_has_room_for_change_little() {
    let costs = Costs::shipped().unwrap();
    for design in [Design::SingleLock, Design::SplitLocks] {
        for events in [Events::Unbound, Events::Bound] {
            let few = Block { vcpus: 16, flushes: true, ..block(24, events) };
            let rates = [few, Block { in_flight: 32, ..few }].map(|of| of.run(&costs, design, 1).0);
            assert!((rates[1] / rates[0] - 1.0).abs() < 0.03, "{design:?} {events:?}: {rates:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
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

/// Rows of the table of errors: costs that are replaced, or another number of dom0's processors.
const VARIANTS: [(Option<(Key, f64)>, usize); 21] = [
    (None, CPUS_2013),
    (None, 4),
    (None, 8),
    (None, 16),
    (Some((Key::LineSocket, 25.0)), CPUS_2013),
    (Some((Key::LineSocket, 60.0)), CPUS_2013),
    (Some((Key::LineRemote, 80.0)), CPUS_2013),
    (Some((Key::LineRemote, 160.0)), CPUS_2013),
    (Some((Key::LineAtomic, 40.0)), CPUS_2013),
    (Some((Key::MapUnmapLocked, 0.1)), CPUS_2013),
    (Some((Key::MapUnmapLocked, 0.5)), CPUS_2013),
    (Some((Key::Clock, 2.0)), CPUS_2013),
    (Some((Key::Clock, 2.9)), CPUS_2013),
    (Some((Key::CyclesPerInstruction, 0.9)), CPUS_2013),
    (Some((Key::CyclesPerInstruction, 1.67)), CPUS_2013),
    (Some((Key::ShootdownEach, 0.0)), CPUS_2013),
    (Some((Key::ShootdownEach, 100.0)), CPUS_2013),
    (Some((Key::ShootdownBase, 1500.0)), CPUS_2013),
    (Some((Key::Copy, 9.283)), CPUS_2013),
    (Some((Key::BackendIo, 1000.0)), CPUS_2013),
    (Some((Key::BackendIo, 10000.0)), CPUS_2013),
];

#[test]
fn the_docs_have_the_errors_with_other_costs() {
    let docs = include_str!("../../docs/grant-locking.md");
    let row = |(cost, cpus): (Option<(Key, f64)>, usize)| {
        let name = match cost {
            Some((key, value)) => format!("`{}` {value}", key.name()),
            None if cpus == CPUS_2013 => "nothing".to_owned(),
            None => format!("{cpus} processors of dom0"),
        };
        let costs = cost.map_or_else(|| costs(&[]), |cost| costs(&[cost]));
        let check = LockCheck::with_cpus(&costs, 1, cpus);
        let rates = check.figures[..3].iter().map(|of| format!(" {:.0} |", of.value));
        let errors = check.ratios.iter().map(|of| format!(" {:+.0} |", of.error_percent()));
        format!("| {name} |{}{}\n", rates.collect::<String>(), errors.collect::<String>())
    };
    let table: String = VARIANTS.into_iter().map(row).collect();
    assert!(docs.contains(&table), "\n{table}");
}
