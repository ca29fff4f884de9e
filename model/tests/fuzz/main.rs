//! Fuzzing with stock tools: each target is one `fn(&[u8])`, which cargo-fuzz can call as it is.
//!
//! A target decodes its bytes into a hostile peer, lets the real code meet it, asserts what must
//! hold, and names what it came to. Here proptest drives them: first every file of
//! `model/corpus/TARGET`, then random bytes, and corpus files with random edits. proptest's own
//! variables set the amount and the seed: `PROPTEST_CASES`, `PROPTEST_RNG_SEED`. Inputs that fail
//! are made small and printed, with the command that finds them again.

mod boot_info;
mod draw;
mod ffs_image;
mod handshake_keys;
mod job_text;
mod mutate;
mod ring_responses;
mod xenstore_replies;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use proptest::test_runner::{Config, RngSeed, TestRunner};

/// Takes any bytes; returns the name of the outcome.
type Target = fn(&[u8]) -> &'static str;

/// Cases and seed of a run that names none: quick, and the same each time.
const CASES: u32 = 300;
const SEED: u64 = 1;

/// The corpus of a target, in the order of the files' names.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let files =
        std::fs::read_dir(&directory).unwrap_or_else(|e| panic!("{}: {e}", directory.display()));
    let mut paths: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).expect("a readable file")).collect()
}

/// Replays the corpus, then runs the cases; prints how often each outcome came.
fn fuzz(name: &str, target: Target, words: &'static [&'static str]) {
    let corpus = corpus(name);
    let tally = RefCell::new(BTreeMap::new());
    let run = |data: &[u8]| *tally.borrow_mut().entry(target(data)).or_insert(0) += 1;
    for (number, data) in corpus.iter().enumerate() {
        println!("{name}: file {} of the corpus", number + 1);
        run(data);
    }
    let mut config = Config { failure_persistence: None, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = CASES;
    }
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(SEED);
    }
    let (cases, seed) = (config.cases, config.rng_seed);
    let result = TestRunner::new(config).run(&mutate::inputs(corpus, words), |data| {
        run(&data.0);
        Ok(())
    });
    if let Err(error) = result {
        panic!(
            "{error}\nto see it again: PROPTEST_CASES={cases} PROPTEST_RNG_SEED={seed} \
             cargo test -p model --test fuzz {name}"
        );
    }
    let tally = tally.into_inner();
    println!("{name}: seed {seed}, {tally:?}");
    assert!(tally.len() > 1, "one outcome only: nothing was tried");
}

#[test]
fn boot_info() {
    fuzz("boot_info", boot_info::target, &[]);
}

#[test]
fn ffs_image() {
    fuzz("ffs_image", ffs_image::target, &[]);
}

#[test]
fn handshake_keys() {
    fuzz("handshake_keys", handshake_keys::target, handshake_keys::VALUES);
}

#[test]
fn job_text() {
    fuzz("job_text", job_text::target, job_text::WORDS);
}

#[test]
fn ring_responses() {
    fuzz("ring_responses", ring_responses::target, &[]);
}

#[test]
fn xenstore_replies() {
    fuzz("xenstore_replies", xenstore_replies::target, &[]);
}
