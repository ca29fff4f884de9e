//! Histories of several processors under shuttle's scheduler: what they were answered is what the
//! spec answers in some order.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use fastrand::Rng;
use grant_table::{Access, Config, Cpu, Status};
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{MaxSteps, Runner};

use crate::all::{Design, all};
use crate::ops::{Answer, Op, perform};
use crate::panics::tell_of_messages;
use crate::random::{Draw, SMALL};
use crate::search::{Call, Verdict, search};
use crate::shuttle_words::Shuttle;
use crate::spec::Rules;

/// Seeds for each design.
const SEEDS: u64 = 3000;
/// States that a search looks at.
pub const NODES_MAX: usize = 200_000;

/// Operations of each processor; the last ones are made before the others begin.
type Program = Vec<Vec<Op>>;

/// Draws a case: sizes, and the operations of 2 or 3 processors, and of the domains on another.
fn draw(seed: u64) -> (Config, Program) {
    let mut rng = Rng::with_seed(seed);
    let cpus = rng.usize(2..4);
    let config = Config {
        domains: 2,
        cpus,
        entries_per_frame: 1,
        frames: 1,
        frames_max: 2,
        handles_per_frame: rng.u32(1..3),
        handle_frames_max: rng.u32(1..3),
    };
    let mut draw = Draw { rng, config, wild: false };
    let mut program: Program = (0..cpus)
        .map(|_| {
            let count = draw.rng.usize(6..10);
            (0..count).map(|_| draw.hypercall()).collect()
        })
        .collect();
    let count = draw.rng.usize(6..10);
    program.push((0..count).map(|_| draw.own()).collect());
    // Each case begins with something to map.
    program.push([(0, 0), (0, 1), (1, 0), (1, 1)].map(|place| draw.permit(place)).to_vec());
    (config, program)
}

/// Runs a case; returns its history.
///
/// # Panics
/// When the tables panic, or some processor waits for ever.
pub fn record(design: &Design<Shuttle>, seed: u64) -> (Config, Vec<Call>) {
    let (config, program) = draw(seed);
    (config, record_case(design, config, program, seed))
}

fn record_case(design: &Design<Shuttle>, config: Config, program: Program, seed: u64) -> Vec<Call> {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let found = Arc::clone(&calls);
    let new = design.new;
    let run = move || run_case(new, config, &program, &found);
    let mut settings = shuttle::Config::new();
    settings.silence_warnings = true;
    settings.max_steps = MaxSteps::FailAfter(200_000);
    settings.failure_persistence = shuttle::FailurePersistence::None;
    if seed.is_multiple_of(2) {
        schedule(RandomScheduler::new_from_seed(seed, 1), settings, run);
    } else {
        schedule(PctScheduler::new_from_seed(seed, 3, 1), settings, run);
    }
    calls.lock().expect("nobody panicked").clone()
}

fn schedule(
    scheduler: impl Scheduler + 'static,
    settings: shuttle::Config,
    run: impl Fn() + Send + Sync + 'static,
) {
    tell_of_messages();
    Runner::new(scheduler, settings).run(run);
}

fn run_case(
    new: fn(Config) -> crate::all::Tables<Shuttle>,
    config: Config,
    program: &Program,
    calls: &Arc<Mutex<Vec<Call>>>,
) {
    let tables = Arc::new(new(config));
    let clock = Arc::new(AtomicU64::new(0));
    let run = |number, ops: Vec<Op>| {
        let (tables, clock, calls) = (tables.clone(), clock.clone(), calls.clone());
        move || {
            let mut cpu = Cpu::new(number);
            for op in ops {
                let from = clock.fetch_add(1, Ordering::Relaxed);
                let answer = perform(&**tables, &mut cpu, op);
                let to = clock.fetch_add(1, Ordering::Relaxed);
                let call = Call { cpu: number, op, answer, from, to };
                calls.lock().expect("nobody panicked").push(call);
            }
        }
    };
    let (first, others) = program.split_last().expect("there are operations");
    run(0, first.clone())();
    let threads: Vec<_> = (0..)
        .zip(others)
        .map(|(number, ops)| shuttle::thread::spawn(run(number, ops.clone())))
        .collect();
    for thread in threads {
        thread.join().expect("it ends");
    }
}

/// Returns a history as lines, in the order of its beginnings.
pub fn written(calls: &[Call]) -> String {
    let mut calls = calls.to_vec();
    calls.sort_by_key(|call| call.from);
    let line = |call: &Call| {
        let Call { cpu, op, answer, from, to } = call;
        format!("  {from:3} to {to:3} on {cpu}: {op:?} -> {answer:?}\n")
    };
    calls.iter().map(line).collect()
}

fn check(name: &str) {
    let design = all().into_iter().find(|design| design.name == name).expect("there is one");
    let seeds = match std::env::var("GRANT_SEED") {
        Ok(seed) => {
            let seed: u64 = seed.parse().expect("GRANT_SEED is a number");
            seed..seed + 1
        }
        Err(_) => 0..SEEDS,
    };
    let mut undecided = 0;
    let (mut lengths, mut mapped) = (0, 0);
    for seed in seeds.clone() {
        let (config, calls) = record(&design, seed);
        lengths += calls.len();
        mapped += calls.iter().filter(|call| matches!(call.answer, Answer::Mapped(..))).count();
        match search(&Rules { config, facts: design.facts }, &calls, NODES_MAX) {
            Verdict::Explained => {}
            Verdict::Undecided => undecided += 1,
            Verdict::Wrong => {
                let calls = written(&calls);
                panic!("{name}: no order explains GRANT_SEED={seed}, {config:?}\n{calls}");
            }
        }
    }
    let count = seeds.count();
    println!(
        "{name}: {count} histories of {lengths} calls, {mapped} mappings, {undecided} undecided"
    );
    assert!(undecided * 100 <= count, "{undecided} of {count} are undecided");
}

/// A domain that changes its entry again and again is given up, and only such a domain.
#[test]
fn an_entry_that_changes_all_the_time_is_given_up() {
    let place = (0, 0);
    let permit = |at: u32| {
        let access = if at.is_multiple_of(2) { Access::Read } else { Access::Write };
        Op::Permit { place, grantee: 1, frame: at, access }
    };
    let map = Op::Map { by: 1, place, access: Access::Read };
    let program = vec![vec![map; 8], (0..60).map(permit).collect(), vec![]];
    let config = Config { domains: 2, cpus: 1, frames_max: 1, handle_frames_max: 4, ..SMALL };
    for design in all() {
        let rules = Rules { config, facts: design.facts };
        let mut given_up = 0;
        for seed in (0..2000).step_by(2) {
            let calls = record_case(&design, config, program.clone(), seed);
            given_up +=
                calls.iter().filter(|call| call.answer == Answer::Failed(Status::Unstable)).count();
            let verdict = search(&rules, &calls, NODES_MAX);
            assert_eq!(verdict, Verdict::Explained, "{}, {seed}\n{}", design.name, written(&calls));
        }
        println!("{}: given up {given_up} times", design.name);
        assert!(given_up > 0, "{}", design.name);
    }
}

#[test]
fn single_lock_answers_in_some_order() {
    check("SingleLock");
}

#[test]
fn split_locks_answer_in_some_order() {
    check("SplitLocks");
}

#[test]
fn per_vcpu_handles_answer_in_some_order() {
    check("PerVcpuHandles");
}

#[test]
fn per_cpu_rw_lock_answers_in_some_order() {
    check("PerCpuRwLock");
}

#[test]
fn packed_words_answer_in_some_order() {
    check("PackedWords");
}
