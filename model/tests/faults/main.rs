//! The 123 classes of faults, each by its number, with the outcome that it must have.
//!
//! `cargo test -p model --test faults` prints one line for each class: passed, failed, or ignored
//! with what it waits for. A class without a line fails the first test.
//!
//! Letters: B ring and responses, G grants, events and pages, K keys and states, X xenstored,
//! C console, P boot information, F FFS images.

mod b;
mod c;
mod f;
mod g;
mod k;
mod p;
mod rig;
mod x;

use libtest_mimic::{Arguments, Trial};

/// What a fault must come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Must {
    /// The device ends with an error, every waiter gets it, nothing panics, what the backend can
    /// still reach is never used again.
    Error,
    /// One request or one call fails; the rest goes on.
    Fail,
    /// It makes no difference.
    Ignore,
    /// A wait, with a bound.
    Wait,
    /// The protocol can't show it; the data check must.
    Verify,
}

/// How a class is shown.
#[derive(Clone, Copy)]
enum Shown {
    By(fn()),
    WaitsFor(&'static str),
}

/// One class.
#[derive(Clone, Copy)]
struct Class {
    number: u32,
    fault: &'static str,
    must: Must,
    shown: Shown,
}

const fn class(number: u32, fault: &'static str, must: Must, test: fn()) -> Class {
    Class { number, fault, must, shown: Shown::By(test) }
}

const fn waits(number: u32, fault: &'static str, must: Must, what: &'static str) -> Class {
    Class { number, fault, must, shown: Shown::WaitsFor(what) }
}

/// Letter, how many classes it has, and those that are here.
const LETTERS: [(char, u32, &[Class]); 7] = [
    ('B', 26, &b::CLASSES),
    ('G', 15, &g::CLASSES),
    ('K', 21, &k::CLASSES),
    ('X', 21, &x::CLASSES),
    ('C', 7, &c::CLASSES),
    ('P', 11, &p::CLASSES),
    ('F', 22, &f::CLASSES),
];

fn every_number_is_there_once() {
    let mut all = 0;
    for (letter, count, classes) in LETTERS {
        let numbers: Vec<u32> = classes.iter().map(|class| class.number).collect();
        let expected: Vec<u32> = (1..=count).collect();
        assert_eq!(numbers, expected, "classes {letter}");
        all += count;
    }
    assert_eq!(all, 123);
}

fn main() {
    let arguments = Arguments::from_args();
    let mut trials = vec![Trial::test("all 123 numbers are there", || {
        every_number_is_there_once();
        Ok(())
    })];
    for (letter, _, classes) in LETTERS {
        for class in classes {
            let name = format!("{letter}{} {} -> {:?}", class.number, class.fault, class.must);
            trials.push(match class.shown {
                Shown::By(test) => Trial::test(name, move || {
                    test();
                    Ok(())
                }),
                Shown::WaitsFor(what) => Trial::test(name, || Err("not here yet".into()))
                    .with_kind(format!("waits for {what}"))
                    .with_ignored_flag(true),
            });
        }
    }
    libtest_mimic::run(&arguments, trials).exit();
}
