//! The 124 classes of faults, each by its number, with the outcome that it must have.
//!
//! `cargo test -p model --test faults` prints one line for each class: passed, failed, or ignored
//! with what it waits for. A class without a line fails the first test.
//!
//! `-- B13` runs one class, `-- ring` a group, any other text the classes whose lines contain it.
//!
//! Letters of the numbers: B ring, G grants, K keys, X xenstore, C console, P boot, F files.

mod boot;
mod console;
mod files;
mod grants;
mod keys;
mod reconnects;
mod rig;
mod ring;
mod xenstore;

use libtest_mimic::{Arguments, Trial};

/// Outcome that a fault must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Must {
    /// The device ends with an error, every waiter gets it, nothing panics, what the backend can
    /// still reach is never used again.
    Error,
    /// One request or one call fails; the rest goes on.
    Fail,
    /// The fault makes no difference.
    Ignore,
    /// A wait, with a bound.
    Wait,
    /// The protocol can't show it; the data check must.
    Verify,
}

/// Test of a class, or the reason why there is none.
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

/// Classes that belong together.
struct Group {
    /// Word that runs all of them.
    word: &'static str,
    /// Letter that their numbers begin with.
    letter: char,
    count: u32,
    classes: &'static [Class],
}

const fn group(word: &'static str, letter: char, count: u32, classes: &'static [Class]) -> Group {
    Group { word, letter, count, classes }
}

const GROUPS: [Group; 7] = [
    group("ring", 'B', 26, &ring::CLASSES),
    group("grants", 'G', 15, &grants::CLASSES),
    group("keys", 'K', 22, &keys::CLASSES),
    group("xenstore", 'X', 21, &xenstore::CLASSES),
    group("console", 'C', 7, &console::CLASSES),
    group("boot", 'P', 11, &boot::CLASSES),
    group("files", 'F', 22, &files::CLASSES),
];

impl Group {
    /// Returns the number of a class as it is printed.
    fn tag(&self, class: &Class) -> String {
        format!("{}{}", self.letter, class.number)
    }

    /// Returns whether `filter` is this group's word, or the number of one of its classes.
    fn is_named_by(&self, filter: &str) -> bool {
        filter == self.word || self.classes.iter().any(|class| filter == self.tag(class))
    }
}

fn every_number_is_there_once() {
    let mut all = 0;
    for Group { letter, count, classes, .. } in GROUPS {
        let numbers: Vec<u32> = classes.iter().map(|class| class.number).collect();
        let expected: Vec<u32> = (1..=count).collect();
        assert_eq!(numbers, expected, "classes {letter}");
        all += count;
    }
    assert_eq!(all, 124);
}

/// Returns the test of a class, under its line.
fn trial(group: &Group, class: Class) -> Trial {
    let tag = group.tag(&class);
    let name = format!("{} {tag} {} -> {:?}", group.word, class.fault, class.must);
    match class.shown {
        Shown::By(test) => Trial::test(name, move || {
            test();
            Ok(())
        }),
        Shown::WaitsFor(what) => Trial::test(name, || Err("not here yet".into()))
            .with_kind(format!("waits for {what}"))
            .with_ignored_flag(true),
    }
}

fn main() {
    let mut arguments = Arguments::from_args();
    // A group's word or a number also stands in the lines of other classes: B1 in that of B13.
    let named = |filter: &mut String| GROUPS.iter().any(|group| group.is_named_by(filter));
    let exact = if arguments.exact { None } else { arguments.filter.take_if(named) };
    let mut trials = Vec::new();
    if exact.is_none() {
        trials.push(Trial::test("all 124 numbers are there", || {
            every_number_is_there_once();
            Ok(())
        }));
    }
    for group in &GROUPS {
        let wanted = |class: &&Class| {
            let filter = exact.as_deref();
            filter.is_none_or(|filter| filter == group.word || filter == group.tag(class))
        };
        trials.extend(group.classes.iter().filter(wanted).map(|class| trial(group, *class)));
    }
    libtest_mimic::run(&arguments, trials).exit();
}
