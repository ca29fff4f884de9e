//! Readers of what others wrote, fed with edited inputs: nothing panics, memory is bounded, and
//! what is printed moves no cursor.
//!
//! `FUZZ_CASES` and `FUZZ_SEED` set the amount and the seed; a case that fails is named with both.
//! `cargo test` runs few cases and the same each time.

use std::collections::BTreeMap;
use std::env;

use fastrand::Rng;

use super::inputs::{self, Input};
use super::{memory, mutate, targets};

/// Cases of a run that names none.
const CASES: u64 = 400;
/// Seed of a run that names none.
const SEED: u64 = 1;
/// Heap that any input may take, in bytes, besides [`memory::FACTOR`] for each of its bytes.
const CONSTANT: u64 = 256 << 10;

/// Takes any bytes; returns the name of the outcome.
type Target = fn(&[u8]) -> &'static str;

fn number(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| text.parse().expect(name))
}

/// Names the case when it panics.
struct Case<'a> {
    target: &'a str,
    seed: u64,
}

impl Drop for Case<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { target, seed } = self;
            eprintln!("to see it again: FUZZ_CASES=1 FUZZ_SEED={seed} cargo test -p dom0 {target}");
        }
    }
}

/// Runs the cases; prints how often each outcome came, and the most memory.
fn fuzz(name: &str, target: Target, corpus: &[Input], words: &[&str]) {
    let (cases, seed) = (number("FUZZ_CASES", CASES), number("FUZZ_SEED", SEED));
    let mut outcomes = BTreeMap::<&str, u64>::new();
    let mut worst = 0;
    // What is made once is no input's.
    for data in corpus {
        target(data);
    }
    for seed in seed..seed + cases {
        let data = mutate::edited(corpus, words, &mut Rng::with_seed(seed));
        let case = Case { target: name, seed };
        let mut outcome = "";
        let heap = allocation_counter::measure(|| outcome = target(&data)).bytes_max;
        let most = CONSTANT + memory::FACTOR * data.len() as u64;
        assert!(heap <= most, "{heap} bytes of heap for {} of input", data.len());
        drop(case);
        worst = worst.max(heap.saturating_sub(memory::FACTOR * data.len() as u64));
        *outcomes.entry(outcome).or_default() += 1;
    }
    println!("{name}: {cases} cases from seed {seed}, {outcomes:?}, {worst} bytes beyond tenfold");
    assert!(cases < CASES || outcomes.len() > 1, "one outcome only: nothing was tried");
}

#[test]
fn fuzz_result_frames() {
    fuzz("fuzz_result_frames", targets::result_frames, &inputs::consoles(), inputs::CONSOLE_WORDS);
}

#[test]
fn fuzz_console_text() {
    fuzz("fuzz_console_text", targets::console_text, &inputs::consoles(), inputs::CONSOLE_WORDS);
}

#[test]
fn fuzz_our_json() {
    fuzz("fuzz_our_json", targets::our_json, &[inputs::ours().into()], inputs::JSON_WORDS);
}

#[test]
fn fuzz_files_of_a_report() {
    fuzz("fuzz_files_of_a_report", targets::report_file, &inputs::files(), inputs::JSON_WORDS);
}

#[test]
fn fuzz_iops_logs() {
    fuzz("fuzz_iops_logs", targets::report_file, &inputs::logs(), inputs::LOG_WORDS);
}
