//! No circles: a reader who follows the uses of a crate's files never comes back to where he was.

use std::collections::BTreeSet;

use crate::arrows::{Arrows, arrows};
use crate::modules::Modules;
use crate::syntax::parse;
use crate::tree::{Package, packages};

/// The arrows that close a circle today. An entry goes when its arrow does; none is added.
const KNOWN: [(&str, &str); 0] = [];

/// Returns the files that are in a circle with others, a set for each knot of circles.
fn circles(arrows: &Arrows) -> Vec<BTreeSet<&str>> {
    let mut circles: Vec<BTreeSet<&str>> = Vec::new();
    for (file, _) in arrows.keys() {
        let mut circle = reached(arrows, file);
        circle.retain(|other| reached(arrows, other).contains(file.as_str()));
        if circle.len() > 1 && !circles.contains(&circle) {
            circles.push(circle);
        }
    }
    circles
}

/// Returns the files that arrows lead to from a file, at once or by others.
fn reached<'a>(arrows: &'a Arrows, from: &'a str) -> BTreeSet<&'a str> {
    let (mut reached, mut rest) = (BTreeSet::new(), vec![from]);
    while let Some(file) = rest.pop() {
        let next = arrows.keys().filter(|(a, _)| a == file).map(|(_, b)| b.as_str());
        rest.extend(next.filter(|b| reached.insert(*b)));
    }
    reached
}

/// Returns a line for each arrow within a circle.
fn ties(circle: &BTreeSet<&str>, arrows: &Arrows) -> Vec<String> {
    let within = |file: &String| circle.contains(file.as_str());
    let ties = arrows.iter().filter(|((a, b), _)| within(a) && within(b)).map(|((a, b), names)| {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        format!("{a} -> {b}: {}", names.join(", "))
    });
    ties.collect()
}

/// Returns the files that cargo takes for a target's root, besides those of tests.
fn roots(package: &Package) -> Vec<String> {
    let root = |path: &&String| {
        let inner: Vec<&str> = path.split('/').skip(1).collect();
        matches!(
            inner[..],
            ["lib.rs" | "build.rs"]
                | ["src", "lib.rs" | "main.rs"]
                | ["src", "bin", _]
                | ["examples" | "benches", _]
                | ["src", "bin", _, "main.rs"]
                | ["examples" | "benches", _, "main.rs"]
        )
    };
    package.files.keys().filter(root).cloned().collect()
}

/// Checks a crate. Returns its knots of circles as lines, and which of the `known` arrows it has.
fn check<'a>(
    package: &Package,
    known: &[(&'a str, &'a str)],
) -> (Vec<String>, Vec<(&'a str, &'a str)>) {
    let parsed = parse(package.files.iter().filter(|(path, _)| !package.is_test(path)));
    let modules = Modules::new(&parsed, &roots(package), &package.name);
    let mut arrows = arrows(&modules);
    let tie = |(a, b): &(&str, &str)| (a.to_string(), b.to_string());
    let found: Vec<_> =
        known.iter().copied().filter(|known| arrows.contains_key(&tie(known))).collect();
    found.iter().for_each(|known| {
        arrows.remove(&tie(known));
    });
    let circles = circles(&arrows);
    (circles.iter().flat_map(|circle| ties(circle, &arrows)).collect(), found)
}

#[test]
fn files_use_each_other_in_no_circle() {
    let (mut offenders, mut found) = (Vec::new(), Vec::new());
    for package in packages() {
        let (lines, known) = check(&package, &KNOWN);
        offenders.extend(lines);
        found.extend(known);
    }
    assert!(offenders.is_empty(), "{offenders:#?}");
    let gone: Vec<_> = KNOWN.iter().filter(|known| !found.contains(known)).collect();
    assert!(gone.is_empty(), "no longer there, strike them from KNOWN: {gone:#?}");
}

#[test]
fn every_file_is_a_module_of_some_target() {
    for package in packages() {
        let parsed = parse(package.files.iter().filter(|(path, _)| !package.is_test(path)));
        let modules = Modules::new(&parsed, &roots(&package), &package.name);
        let of_tests = |path: &&String| !path.contains("/tests/") && !path.ends_with("/tests.rs");
        let reached = modules.files();
        let lost: Vec<_> = parsed
            .keys()
            .filter(of_tests)
            .filter(|path| !reached.contains(path.as_str()))
            .collect();
        assert!(lost.is_empty(), "no target has {lost:#?}");
    }
}

/// Returns the ties within the circles of a crate `house` with these files.
fn ties_of(files: &[(&str, &str)]) -> Vec<String> {
    let file = |(path, text): &(&str, &str)| (format!("house/{path}"), text.to_string());
    let package = Package { name: "house".into(), files: files.iter().map(file).collect() };
    check(&package, &[]).0
}

const LIBRARY: (&str, &str) = ("src/lib.rs", "pub mod a;\nmod b;\npub use b::Owed;\n");

#[test]
fn arrows_that_lead_down_are_no_circle() {
    let files = [
        ("src/lib.rs", "mod a; mod b; pub use a::A; pub use b::*; fn f() -> A { b::B::new() }"),
        ("src/a.rs", "use crate::B; pub struct A(B);"),
        ("src/b.rs", "pub struct B; impl B { pub fn new() -> Self { self::B } }"),
    ];
    assert_eq!(ties_of(&files), [""; 0]);
}

#[test]
fn a_circle_is_found_through_those_who_hand_names_on() {
    let files = [
        LIBRARY,
        ("src/a.rs", "use crate::Owed; pub(crate) struct A(Owed);"),
        ("src/b.rs", "mod c; pub use c::Owed;"),
        ("src/b/c.rs", "pub struct Owed; fn f(_: &super::super::a::A) {}"),
    ];
    let expected =
        ["house/src/a.rs -> house/src/b/c.rs: Owed", "house/src/b/c.rs -> house/src/a.rs: A"];
    assert_eq!(ties_of(&files), expected);
}

#[test]
fn a_circle_of_parent_and_child_is_found() {
    let files = [
        ("src/main.rs", "mod a; fn main() { a::run() } const LIMIT: u8 = 1;"),
        ("src/a/mod.rs", "use super::*; pub fn run() -> u8 { LIMIT }"),
    ];
    let expected = [
        "house/src/a/mod.rs -> house/src/main.rs: LIMIT",
        "house/src/main.rs -> house/src/a/mod.rs: run",
    ];
    assert_eq!(ties_of(&files), expected);
}

#[test]
fn a_circle_is_found_in_what_macros_get() {
    let files = [
        LIBRARY,
        ("src/a.rs", "fn f() { assert!(g(x, [crate::Owed::NONE]).is_ok()) } pub const N: u8 = 1;"),
        ("src/b.rs", "pub struct Owed; fn f() { println!(\"{}\", crate::a::N) }"),
    ];
    let expected =
        ["house/src/a.rs -> house/src/b.rs: Owed", "house/src/b.rs -> house/src/a.rs: N"];
    assert_eq!(ties_of(&files), expected);
}

#[test]
fn a_circle_is_found_when_a_type_is_implemented_in_two_files() {
    let files = [
        LIBRARY,
        ("src/a.rs", "use crate::b::Owed; impl Owed { pub(crate) fn count(&self) {} }"),
        ("src/b.rs", "pub struct Owed; impl Owed { fn f(&self) { self.count() } }"),
    ];
    let expected =
        ["house/src/a.rs -> house/src/b.rs: Owed", "house/src/b.rs -> house/src/a.rs: Owed::count"];
    assert_eq!(ties_of(&files), expected);
}

#[test]
fn a_type_may_be_spread_over_files_below_its_own() {
    let below = |text: &'static str| {
        [
            ("src/lib.rs", "mod b;"),
            ("src/b.rs", "mod c; pub struct B; impl B { fn f(&self) { self.g(); B::g(self) } }"),
            ("src/b/c.rs", text),
        ]
    };
    let spread = "use super::B; impl B { pub fn g(&self) { self.f() } } pub fn other() {}";
    assert_eq!(ties_of(&below(spread)), [""; 0]);
    // Who only uses it is not a part of it.
    let uses = "pub fn g(b: &super::B) {} pub struct C;";
    let mut files = below(uses);
    files[1].1 = "mod c; pub struct B; impl B { fn f(&self) -> c::C { c::C } }";
    let expected =
        ["house/src/b.rs -> house/src/b/c.rs: C", "house/src/b/c.rs -> house/src/b.rs: B"];
    assert_eq!(ties_of(&files), expected);
}

#[test]
fn what_only_tests_use_ties_nothing() {
    let files = [
        LIBRARY,
        ("src/a.rs", "use crate::Owed; pub struct A(Owed);"),
        (
            "src/b.rs",
            "pub struct Owed; #[cfg(test)] use crate::a::A; #[test] fn f() { crate::a::A }
             #[cfg(test)] mod tests { use crate::a::A; } #[cfg(all(test, unix))] fn g(_: A) {}",
        ),
    ];
    assert_eq!(ties_of(&files), [""; 0]);
}

#[test]
fn a_program_and_its_library_are_one_crate() {
    let files = [
        ("src/lib.rs", "pub mod a;"),
        ("src/a.rs", "pub struct A;"),
        ("src/main.rs", "mod report; fn main() { report::print(house::a::A) } struct Fate;"),
        ("src/report.rs", "pub fn print(_: house::a::A) -> crate::Fate {}"),
    ];
    let expected = [
        "house/src/main.rs -> house/src/report.rs: print",
        "house/src/report.rs -> house/src/main.rs: Fate",
    ];
    assert_eq!(ties_of(&files), expected);
}

#[test]
fn a_known_arrow_is_passed_over_and_missed_when_gone() {
    let text = |text: &str| text.to_string();
    let files = [
        (text("house/src/lib.rs"), text("mod a; fn f() { a::g() }")),
        (text("house/src/a.rs"), text("pub fn g() { crate::f() }")),
    ];
    let package = Package { name: text("house"), files: files.into() };
    let known = [("house/src/a.rs", "house/src/lib.rs"), ("house/src/lib.rs", "house/src/c.rs")];
    assert_eq!(check(&package, &known), (Vec::new(), vec![known[0]]));
}
