//! The simulation against what queueing theory says of networks that it can solve.

use projection::simulation::{Network, Outcome, Properties, Resource, Span, Spread, Step};

const US: u64 = 1_000_000;

fn servers(network: &mut Network, units: usize) -> Resource {
    network.resource(Properties { units, ..Properties::default() })
}

/// Steps of a visit to a server.
fn visit(server: Resource, mean: u64, spread: Spread) -> [Step; 3] {
    [Step::Seize(server), Step::Work(Span { mean, spread }, 0), Step::Release(server)]
}

/// Returns the mean wait at a server that gets Poisson arrivals at so many parts of its rate, in
/// parts of its mean time. Arrivals are the departures of a server that is never idle, because
/// there are far more customers than ever queue.
fn wait(load: f64, spread: Spread, seed: u64) -> f64 {
    let mut network = Network::new(1);
    let source = servers(&mut network, 1);
    let server = servers(&mut network, 1);
    let between = (US as f64 / load) as u64;
    for _ in 0..300 {
        let arrival = visit(source, between, Spread::Exponential);
        network.customer([arrival, visit(server, US, spread)].concat());
    }
    let outcome = network.run(seed, 20_000, 400_000);
    let usage = outcome.uses[server.index()];
    let busy = usage.held as f64 / outcome.elapsed as f64;
    assert!((busy / load - 1.0).abs() < 0.02, "{busy} of the time busy, not {load}");
    usage.waited as f64 / usage.seized as f64 / US as f64
}

fn near(found: f64, expected: f64, tolerance: f64) {
    assert!((found / expected - 1.0).abs() < tolerance, "{found}, not {expected}");
}

#[test]
fn waits_of_m_m_1() {
    for load in [0.3, 0.7] {
        near(wait(load, Spread::Exponential, 1), load / (1.0 - load), 0.05);
    }
}

#[test]
fn waits_of_m_d_1_by_pollaczek_and_khinchine() {
    for load in [0.3, 0.7] {
        near(wait(load, Spread::None, 1), load / (2.0 * (1.0 - load)), 0.05);
    }
}

#[test]
fn waits_of_m_g_1_by_pollaczek_and_khinchine() {
    // The variance of an even spread over the width of the mean is a twelfth of its square.
    let (load, variance) = (0.7, 1.0 / 12.0);
    let expected = load * (1.0 + variance) / (2.0 * (1.0 - load));
    near(wait(load, Spread::Even, 1), expected, 0.05);
}

/// Returns the outcome of machines that fail and so many who repair them.
fn machines(count: usize, repairers: usize, up: u64, repair: u64) -> Outcome {
    let mut network = Network::new(1);
    let repairer = servers(&mut network, repairers);
    for _ in 0..count {
        let up = Step::Work(Span { mean: up, spread: Spread::Exponential }, 0);
        let down = visit(repairer, repair, Spread::Exponential);
        network.customer([&[up][..], &down].concat());
    }
    network.run(7, 10_000, 300_000)
}

/// Returns the repairs in the mean time of one, by the birth and death process of M/M/c//N.
fn repairs(count: usize, repairers: usize, ratio: f64) -> f64 {
    let mut weights = vec![1.0];
    for down in 1..=count {
        let before = weights[down - 1];
        let up = (count - down + 1) as f64;
        weights.push(before * up * ratio / down.min(repairers) as f64);
    }
    let all: f64 = weights.iter().sum();
    let busy = |(down, weight): (usize, &f64)| down.min(repairers) as f64 * weight;
    weights.iter().enumerate().map(busy).sum::<f64>() / all
}

#[test]
fn repairs_of_machines() {
    for (count, repairers, up) in [(1, 1, 3), (5, 1, 4), (20, 1, 10), (20, 3, 4), (40, 8, 3)] {
        let outcome = machines(count, repairers, up * US, US);
        let found = outcome.rounds as f64 * US as f64 / outcome.elapsed as f64;
        near(found, repairs(count, repairers, 1.0 / up as f64), 0.015);
    }
}

#[test]
fn a_seed_is_a_run() {
    let run = |seed| {
        let mut network = Network::new(1);
        let server = servers(&mut network, 2);
        for _ in 0..9 {
            network.customer(visit(server, US, Spread::Exponential).into());
        }
        network.run(seed, 100, 5000)
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3), run(4));
}
