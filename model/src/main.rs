//! `model soak`: as many seeds as wanted, on all processors. `model mutants`: see [`mutants`].

mod mutants;

use std::cell::Cell;
use std::process::{self, ExitCode};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use std::{env, panic, thread};

use anyhow::Context;
use clap::{Args, Parser};
use model::soak::{Tally, run_seed};

thread_local! {
    /// Seed and checked I/Os that this thread is at, for the panic hook.
    static RUNNING: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

/// Tries the drivers on the model of Xen.
#[derive(Parser)]
#[command(name = "model", bin_name = "cargo run --release -p model --")]
enum Command {
    /// Live through seeds with drawn combinations of faults
    Soak(Soak),
    /// Break the drivers in every listed way, and show that the tests notice
    Mutants(mutants::Options),
}

#[derive(Args)]
struct Soak {
    /// The first seed
    #[arg(long, default_value_t = 0, value_name = "SEED")]
    first: u64,
    /// Number of seeds, from the first on
    #[arg(long, default_value_t = 1000, value_name = "N")]
    seeds: u64,
    /// Number of checked I/Os that each seed makes at least
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    ios: u64,
    /// Print the tally as JSON, for the run that this is a part of
    #[arg(long, hide = true)]
    json: bool,
}

/// Seeds of one process. The memory of a machine whose backend kept pages is never freed, for a
/// `Page` may be left: 3 MiB a seed in the mean.
const SEEDS_MAX: u64 = 1000;

/// The sum of those seeds that passed, and those that did not.
type Sum = (Tally, Vec<(u64, String)>);

fn main() -> ExitCode {
    match Command::parse() {
        Command::Soak(options) => run_soak(&options),
        Command::Mutants(options) => mutants::run(&options).unwrap_or_else(|error| {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }),
    }
}

fn run_soak(options: &Soak) -> ExitCode {
    let show = panic::take_hook();
    panic::set_hook(Box::new(move |what| {
        show(what);
        let (seed, ios) = RUNNING.get();
        eprintln!("seed {seed} panicked\n  replay: {}", replay(seed, ios));
    }));
    let start = Instant::now();
    let sum = if options.seeds > SEEDS_MAX { in_parts(options) } else { Ok(soak(options)) };
    let (tally, failures) = match sum {
        Ok(sum) if options.json => {
            println!("{}", serde_json::to_string(&sum).expect("numbers and text"));
            return ExitCode::SUCCESS;
        }
        Ok(sum) => sum,
        Err(error) => {
            eprintln!("error: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    report(&tally, failures.len(), start.elapsed().as_secs_f64());
    for (seed, what) in &failures {
        println!("seed {seed} failed: {what}\n  replay: {}", replay(*seed, options.ios));
    }
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn replay(seed: u64, ios: u64) -> String {
    format!("cargo run --release -p model -- soak --first {seed} --seeds 1 --ios {ios}")
}

/// Runs all seeds in processes of [`SEEDS_MAX`], one after the other.
fn in_parts(options: &Soak) -> anyhow::Result<Sum> {
    let (mut tally, mut failures) = (Tally::default(), Vec::new());
    for done in (0..options.seeds).step_by(SEEDS_MAX as usize) {
        let seeds = SEEDS_MAX.min(options.seeds - done);
        let first = options.first.wrapping_add(done);
        let numbers = [("--first", first), ("--seeds", seeds), ("--ios", options.ios)];
        let mut part = process::Command::new(env::current_exe()?);
        part.args(["soak", "--json"]).stderr(process::Stdio::inherit());
        for (name, number) in numbers {
            part.args([name, &number.to_string()]);
        }
        let output = part.output()?;
        let (passed, failed): Sum = serde_json::from_slice(&output.stdout)
            .with_context(|| format!("the seeds from {first} on ended by {}", output.status))?;
        tally.add(&passed);
        failures.extend(failed);
        eprintln!("{} of {} seeds", done + seeds, options.seeds);
    }
    Ok((tally, failures))
}

/// Runs all seeds.
fn soak(options: &Soak) -> Sum {
    let next = AtomicU64::new(0);
    let results = Mutex::new((Tally::default(), Vec::new()));
    let ios = options.ios;
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= options.seeds {
                        return;
                    }
                    let seed = options.first.wrapping_add(number);
                    RUNNING.set((seed, ios));
                    let result = run_seed(seed, ios);
                    let mut results = results.lock().expect("nobody panics here");
                    match result {
                        Ok(tally) => results.0.add(&tally),
                        Err(what) => results.1.push((seed, what)),
                    }
                }
            });
        }
    });
    results.into_inner().expect("nobody panicked")
}

fn report(tally: &Tally, failed: usize, seconds: f64) {
    println!("seeds            {} passed, {failed} failed", tally.seeds);
    println!("simulated I/Os   {}", tally.ios);
    println!("connects         {}", tally.connects);
    println!("simulated hours  {:.2}", tally.simulated_ns as f64 / 3.6e12);
    println!("real seconds     {seconds:.1}");
    println!("violations       {failed}");
    println!("ends that a lie brought about:");
    for (name, count) in &tally.ends {
        println!("  {name:16} {count}");
    }
    println!("faults injected, by class:");
    let mut faults: Vec<_> = tally.faults.iter().collect();
    faults.sort_by_key(|(class, _)| (class.as_bytes()[0], class.len(), *class));
    for (class, count) in faults {
        println!("  {class:4} {count}");
    }
}
