//! Mechanisms that the simulation adds to queues: locks on which one spins, sleep, interruptions,
//! shared cores.
//! Times are exact, because nothing here is random.

use projection::simulation::{
    Interruption, Network, Outcome, Processors, Properties, Resource, Sleep, Span, Spread, Step,
};

const fn exactly(mean: u64) -> Span {
    Span { mean, spread: Spread::None }
}

fn pool(network: &mut Network, units: usize) -> Resource {
    network.resource(Properties { units, ..Properties::default() })
}

fn time_of_a_round(outcome: &Outcome) -> u64 {
    outcome.elapsed / outcome.rounds
}

#[test]
fn a_lock_costs_its_handover_and_all_who_wait_spin() {
    let mut network = Network::new(2);
    let lock = network.resource(Properties {
        units: 1,
        spin: Some(1),
        handover: 30,
        ..Properties::default()
    });
    for _ in 0..4 {
        network.customer(vec![Step::Seize(lock), Step::Work(exactly(100), 0), Step::Release(lock)]);
    }
    let outcome = network.run(1, 40, 400);
    assert_eq!(time_of_a_round(&outcome), 130);
    // Each waits while the three before it hold it, and for the lock to arrive.
    assert_eq!(outcome.spent, [400 * 100, 400 * (3 * 130 + 30)]);
}

#[test]
fn who_does_not_wait_for_a_lock_does_not_pay_for_it() {
    let mut network = Network::new(2);
    let lock = network.resource(Properties { units: 1, spin: Some(1), handover: 30, sleep: None });
    network.customer(vec![Step::Seize(lock), Step::Work(exactly(100), 0), Step::Release(lock)]);
    let outcome = network.run(1, 1, 10);
    assert_eq!((time_of_a_round(&outcome), outcome.spent), (100, vec![1000, 0]));
}

/// Two sleepers, between whom so many customers go to and fro.
fn sleepers(customers: usize) -> Outcome {
    let mut network = Network::new(4);
    let sleep =
        Sleep { signal: (exactly(7), 1), latency: 500, wake: [(exactly(20), 2), (exactly(3), 3)] };
    let properties = Properties { units: 1, sleep: Some(sleep), ..Properties::default() };
    let [a, b] = [network.resource(properties), network.resource(properties)];
    for _ in 0..customers {
        let visit = |here, there| {
            [
                Step::Seize(here),
                Step::Rouse(here),
                Step::Work(exactly(100), 0),
                Step::Signal(there),
                Step::Release(here),
            ]
        };
        network.customer([visit(a, b), visit(b, a)].concat());
    }
    network.run(1, 10, 1000)
}

#[test]
fn one_customer_wakes_both_sides_each_time() {
    let outcome = sleepers(1);
    // Both times: the wake-up, the work, and what signals the other, with the latency after it.
    assert_eq!(time_of_a_round(&outcome), 2 * (23 + 100 + 7 + 500));
    assert_eq!(outcome.spent, [200_000, 14_000, 40_000, 6_000]);
}

#[test]
fn many_customers_share_a_wake_up() {
    let (one, many) = (sleepers(1), sleepers(32));
    assert!(many.spent[2] * 10 < one.spent[2], "{many:?}");
    assert!(many.elapsed * 3 < one.elapsed, "{many:?}");
}

#[test]
fn a_shoot_down_takes_time_by_the_others_and_from_them() {
    let mut network = Network::new(3);
    let [running, cpus] = [pool(&mut network, 9), pool(&mut network, 2)];
    let interruption = Interruption {
        pool: running,
        runs_on: cpus,
        base: 1000,
        each: 10,
        account: 1,
        loss: (40, 2),
    };
    let holding = |steps: &[Step]| {
        let seize = [Step::Seize(running), Step::Seize(cpus)];
        [&seize, steps, &[Step::Release(cpus), Step::Release(running)]].concat()
    };
    // The first interrupts the second, which works far longer.
    network.customer(holding(&[Step::Interrupt(interruption), Step::Work(exactly(990), 0)]));
    network.customer(holding(&[Step::Work(exactly(1_000_000), 0)]));
    let outcome = network.run(1, 1, 100);
    assert_eq!(time_of_a_round(&outcome), 1010 + 990);
    assert_eq!(outcome.spent[1..], [100 * 1010, 100 * 40]);
    // Of three, one waits for a processor, and its TLB holds nothing.
    network.customer(holding(&[Step::Work(exactly(1_000_000), 0)]));
    let shared = network.run(1, 1, 100);
    assert!(shared.spent[1] > 0 && shared.spent[1] <= 100 * 1010, "{shared:?}");
}

#[test]
fn a_shoot_down_without_others_is_local() {
    let mut network = Network::new(2);
    let running = pool(&mut network, 2);
    let interruption = Interruption {
        pool: running,
        runs_on: running,
        base: 1000,
        each: 10,
        account: 1,
        loss: (40, 1),
    };
    network.customer(vec![
        Step::Seize(running),
        Step::Interrupt(interruption),
        Step::Work(exactly(100), 0),
        Step::Release(running),
    ]);
    let outcome = network.run(1, 0, 10);
    assert_eq!((time_of_a_round(&outcome), outcome.spent[1]), (100, 0));
}

#[test]
fn threads_of_a_core_slow_each_other() {
    let run = |cores, second_thread| {
        let mut network = Network::new(1);
        let cpus = pool(&mut network, 2);
        network.share_cores(Processors { pool: cpus, cores, second_thread });
        for _ in 0..2 {
            let work = Step::Work(exactly(1000), 0);
            network.customer(vec![Step::Seize(cpus), work, Step::Release(cpus)]);
        }
        network.run(1, 0, 1000).elapsed
    };
    assert_eq!(run(2, 0.0), 1000 * 500);
    let (none, quarter, whole) = (run(1, 0.0), run(1, 0.25), run(1, 1.0));
    assert_eq!(whole, run(2, 0.0));
    assert!(none.abs_diff(1000 * 1000) < 2000, "{none}");
    assert!(quarter.abs_diff(1000 * 800) < 2000, "{quarter}");
}
