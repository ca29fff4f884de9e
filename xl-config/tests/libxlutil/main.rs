//! libxlutil itself as the oracle: what it reads of our configurations is what was meant, and it
//! reads what users write as we do. Needs libxlutil of Xen 4.17 (Debian 12).

mod disks;
mod oracle;
mod settings;
mod values;

use std::fmt::Debug;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};

/// Cases of a test, unless `PROPTEST_CASES` says otherwise.
const CASES: u32 = 8000;
/// Seed, unless `PROPTEST_RNG_SEED` says otherwise.
const SEED: u64 = 1;

/// Splits a list of pieces at its bars.
fn split(list: &'static str) -> Vec<&'static str> {
    list.split('|').collect()
}

/// Runs a test on many cases.
fn on_many<T: Debug>(name: &str, cases: &impl Strategy<Value = T>, test: impl Fn(T)) {
    let mut config = Config { failure_persistence: None, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = CASES;
    }
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(SEED);
    }
    let (count, seed) = (config.cases, config.rng_seed);
    let test = |case| {
        test(case);
        Ok::<(), TestCaseError>(())
    };
    if let Err(error) = TestRunner::new(config).run(cases, test) {
        panic!(
            "{error}\nto see it again: PROPTEST_CASES={count} PROPTEST_RNG_SEED={seed} \
             cargo test -p xl-config --test libxlutil {name}"
        );
    }
    println!("{name}: {count} cases compared with libxlutil, seed {seed}");
}
