//! Crates depend downwards only, as the list says, and ARCHITECTURE.md says the same.

use std::collections::BTreeSet;

use crate::tree::{packages, text};

/// A crate, and those of ours that it depends on.
struct Place {
    name: &'static str,
    uses: &'static [&'static str],
    /// Crates that its tests, examples and benchmarks use.
    dev: &'static [&'static str],
    /// Crates that its build script uses.
    build: &'static [&'static str],
}

const fn place(name: &'static str, uses: &'static [&'static str]) -> Place {
    Place { name, uses, dev: &[], build: &[] }
}

/// The crates from the ground up: each depends on earlier ones only.
const ORDER: [Place; 25] = [
    place("xen-abi", &[]),
    place("statistics", &[]),
    place("newfs", &[]),
    Place { dev: &["newfs"], ..place("fs", &[]) },
    Place { dev: &["newfs"], ..place("fs-tools", &["fs"]) },
    Place { dev: &["fs", "newfs"], ..place("fs-bench", &[]) },
    place("protocols", &["xen-abi"]),
    place("loom-words", &["protocols"]),
    Place { dev: &["loom-words"], ..place("grant-table", &["protocols", "xen-abi"]) },
    place("drivers", &["protocols", "xen-abi"]),
    place("fio-job", &["xen-abi"]),
    Place { dev: &["fio-job"], ..place("guest-protocol", &[]) },
    place("results", &["fio-job", "statistics"]),
    place("load", &["results", "fio-job", "drivers", "protocols", "fs", "xen-abi"]),
    place("boot-info", &["xen-abi"]),
    place("boot", &["boot-info", "xen-abi"]),
    place(
        "kernel",
        &[
            "load",
            "results",
            "fio-job",
            "guest-protocol",
            "drivers",
            "protocols",
            "fs",
            "fs-tools",
            "boot",
            "boot-info",
            "xen-abi",
        ],
    ),
    Place {
        dev: &["boot-info", "fs", "loom-words", "newfs"],
        ..place("model", &["load", "results", "fio-job", "drivers", "protocols", "xen-abi"])
    },
    Place { dev: &["model"], ..place("fio-output", &["results", "fio-job"]) },
    place("xl-config", &["guest-protocol", "xen-abi"]),
    Place { dev: &["grant-table", "protocols", "xen-abi"], ..place("projection", &["results"]) },
    place("plots", &["results"]),
    place(
        "dom0",
        &[
            "xl-config",
            "fio-output",
            "projection",
            "plots",
            "results",
            "statistics",
            "fio-job",
            "guest-protocol",
            "load",
            "boot-info",
        ],
    ),
    place("rig", &["xl-config", "plots", "results", "guest-protocol", "boot-info"]),
    place("qemu-count", &[]),
];

/// Which of a manifest's tables a dependency stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Normal,
    Dev,
    Build,
}

/// Returns the dependencies that a manifest names.
fn dependencies(manifest: &str) -> BTreeSet<(Kind, &str)> {
    let mut found = BTreeSet::new();
    let mut kind = None;
    for line in manifest.lines().map(str::trim) {
        if let Some(table) = line.strip_prefix('[') {
            let table = table.split(']').next().unwrap_or_default();
            let (parent, last) = table.rsplit_once('.').unwrap_or(("", table));
            kind = kind_of(last);
            // `[dependencies.name]`
            if let Some(kind) = kind_of(parent.rsplit('.').next().unwrap_or_default()) {
                found.insert((kind, last));
            }
        } else if let (Some(kind), false) = (kind, line.is_empty() || line.starts_with('#')) {
            found.insert((kind, line.split(['.', ' ', '=']).next().unwrap_or_default()));
        }
    }
    found
}

fn kind_of(table: &str) -> Option<Kind> {
    match table {
        "dependencies" => Some(Kind::Normal),
        "dev-dependencies" => Some(Kind::Dev),
        "build-dependencies" => Some(Kind::Build),
        _ => None,
    }
}

/// Returns what a manifest has that its crate's place does not allow, and what it lacks.
fn manifest_faults(place: &Place, manifest: &str) -> Vec<String> {
    let named = dependencies(manifest);
    let mut faults = Vec::new();
    for (kind, allowed) in
        [(Kind::Normal, place.uses), (Kind::Dev, place.dev), (Kind::Build, place.build)]
    {
        for other in ORDER.iter().map(|other| other.name) {
            match (named.contains(&(kind, other)), allowed.contains(&other)) {
                (true, false) => faults.push(format!("{} uses {other} ({kind:?})", place.name)),
                (false, true) => faults.push(format!("{} lacks {other} ({kind:?})", place.name)),
                _ => {}
            }
        }
    }
    faults
}

/// Returns the arrows of a list that do not lead to an earlier place.
fn upward(order: &[Place]) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    for (at, place) in order.iter().enumerate() {
        for other in [place.uses, place.dev, place.build].concat() {
            if order[..at].iter().all(|earlier| earlier.name != other) {
                found.push((place.name, other));
            }
        }
    }
    found
}

/// Returns the list as ARCHITECTURE.md has it.
fn drawn(order: &[Place]) -> String {
    let line = |place: &Place| {
        let uses = if place.uses.is_empty() { "nothing".into() } else { place.uses.join(", ") };
        let tests = place.dev.join(", ");
        let tests = if tests.is_empty() { tests } else { format!("; tests: {tests}") };
        let script = place.build.join(", ");
        let script = if script.is_empty() { script } else { format!("; build: {script}") };
        format!("{} -> {uses}{tests}{script}\n", place.name)
    };
    order.iter().map(line).collect()
}

#[test]
fn crates_depend_as_listed() {
    let members: Vec<String> = packages().into_iter().map(|package| package.name).collect();
    let mut faults = Vec::new();
    for member in &members {
        match ORDER.iter().find(|place| place.name == member) {
            Some(place) => {
                faults.extend(manifest_faults(place, &text(&format!("{member}/Cargo.toml"))));
            }
            None => faults.push(format!("{member} has no place in the order")),
        }
    }
    for place in &ORDER {
        if !members.iter().any(|member| member == place.name) {
            faults.push(format!("{} is no member of the workspace", place.name));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn the_list_leads_downwards_only() {
    assert_eq!(upward(&ORDER), []);
}

#[test]
fn architecture_shows_the_list() {
    let drawn = drawn(&ORDER);
    assert!(text("ARCHITECTURE.md").contains(&format!("```\n{drawn}```\n")), "\n{drawn}");
}

#[test]
fn dependencies_are_told_apart() {
    let manifest = "[package]\nname = \"x\"\n[dependencies]\nfs.workspace = true\n\n# no\n\
                    xen-abi = { path = \"..\" }\n[target.'cfg(unix)'.dev-dependencies]\nnewfs=\"1\"\n\
                    [build-dependencies.drivers]\nversion = \"1\"\n[lints]\nmodel = 1";
    let expected = [
        (Kind::Normal, "fs"),
        (Kind::Normal, "xen-abi"),
        (Kind::Dev, "newfs"),
        (Kind::Build, "drivers"),
    ];
    assert_eq!(dependencies(manifest), expected.into());
}

#[test]
fn a_manifest_is_held_to_its_place() {
    let place = Place { dev: &["newfs"], ..place("fs", &["xen-abi"]) };
    let manifest = "[dependencies]\nxen-abi.workspace = true\n[dev-dependencies]\nnewfs = \"1\"\n";
    assert!(manifest_faults(&place, manifest).is_empty());
    let manifest = "[dependencies]\nxen-abi.workspace = true\nnewfs = \"1\"\n";
    assert_eq!(
        manifest_faults(&place, manifest),
        ["fs uses newfs (Normal)", "fs lacks newfs (Dev)"]
    );
}

#[test]
fn an_arrow_that_runs_up_is_found() {
    let order =
        [place("a", &[]), Place { dev: &["c"], ..place("b", &["a", "b"]) }, place("c", &["b"])];
    assert_eq!(upward(&order), [("b", "b"), ("b", "c")]);
    assert_eq!(drawn(&order), "a -> nothing\nb -> a, b; tests: c\nc -> b\n");
}
