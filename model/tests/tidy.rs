//! The house rules that a machine can check: order of crates, home of `unsafe`, size of files.

use std::fs;
use std::path::{Path, PathBuf};

/// Whom each crate may depend on; nobody may be missing.
const ORDER: [(&str, &[&str]); 19] = [
    ("xen-abi", &[]),
    ("newfs", &[]),
    ("fs", &["newfs"]),
    ("fs-tools", &["fs", "newfs"]),
    ("fs-bench", &["fs", "newfs"]),
    ("protocols", &["xen-abi"]),
    ("drivers", &["protocols", "xen-abi"]),
    ("guest-protocol", &["fio-job"]),
    ("fio-job", &["xen-abi"]),
    ("results", &["fio-job"]),
    ("load", &["results", "fio-job", "drivers", "fs", "xen-abi"]),
    ("boot-info", &["xen-abi"]),
    ("boot", &["boot-info", "xen-abi"]),
    (
        "kernel",
        &[
            "load",
            "results",
            "fio-job",
            "guest-protocol",
            "boot",
            "boot-info",
            "drivers",
            "protocols",
            "fs",
            "fs-tools",
            "xen-abi",
        ],
    ),
    (
        "model",
        &[
            "load",
            "results",
            "fio-job",
            "drivers",
            "protocols",
            "boot-info",
            "fs",
            "newfs",
            "xen-abi",
        ],
    ),
    ("fio-output", &["results", "fio-job"]),
    ("dom0", &["fio-output", "results", "fio-job", "guest-protocol"]),
    ("rig", &["results", "guest-protocol"]),
    ("qemu-count", &[]),
];

/// Crates that tests of a crate may depend on besides: never linked into what it builds.
const TESTS: [(&str, &str); 1] = [("fio-output", "model")];

/// Files, and directories with all below them, that may hold `unsafe` code.
const UNSAFE_HOMES: [&str; 20] = [
    "drivers/src/grant_frame.rs",
    "drivers/src/page.rs",
    "drivers/src/ring.rs",
    "boot/src/entry.rs",
    "boot/src/paging.rs",
    "kernel/src/console.rs",
    "kernel/src/cpu.rs",
    "kernel/src/given.rs",
    "kernel/src/hypercall.rs",
    "kernel/src/legacy.rs",
    "kernel/src/main.rs",
    "kernel/src/memory.rs",
    "kernel/src/selftest/attempt.rs",
    "kernel/src/selftest/protection.rs",
    "kernel/src/shutdown.rs",
    "kernel/src/stack.rs",
    "kernel/src/vcpu_tables.rs",
    "kernel/src/xen.rs",
    "model/src/memory.rs",
    "qemu-count/src/plugin.rs",
];

const LINES_MAX: usize = 600;
const COLUMNS_MAX: usize = 100;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace").to_path_buf()
}

/// The crates that are there, by the workspace's list.
fn members() -> Vec<String> {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let (_, rest) = manifest.split_once("members = [").expect("a list of members");
    let (list, _) = rest.split_once(']').expect("the list ends");
    let names = list.split(',').map(|name| name.trim().trim_matches('"').to_string());
    names.filter(|name| !name.is_empty()).collect()
}

/// Every Rust file of every crate, relative to the root.
fn sources() -> Vec<(String, String)> {
    fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let root = root();
    let mut found = Vec::new();
    members().iter().for_each(|member| walk(&root.join(member), &mut found));
    found.sort();
    let relative = |path: &Path| path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
    found.into_iter().map(|path| (relative(&path), fs::read_to_string(&path).unwrap())).collect()
}

#[test]
fn crates_depend_downwards_only() {
    for member in members() {
        let allowed = ORDER.iter().find(|(name, _)| *name == member);
        let (_, allowed) = allowed.unwrap_or_else(|| panic!("{member} has no place in the order"));
        let manifest = fs::read_to_string(root().join(&member).join("Cargo.toml")).unwrap();
        let mut in_tests = false;
        for line in manifest.lines() {
            if line.starts_with('[') {
                in_tests = line == "[dev-dependencies]";
            }
            let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
            let ours = ORDER.iter().any(|(ours, _)| *ours == name);
            let by_tests = in_tests && TESTS.contains(&(member.as_str(), name));
            let allowed = by_tests || allowed.contains(&name);
            assert!(!ours || allowed, "{member} must not depend on {name}");
        }
    }
}

#[test]
fn unsafe_code_stays_at_home() {
    let keyword = ["un", "safe"].concat();
    let mut offenders = Vec::new();
    for (path, text) in sources() {
        if UNSAFE_HOMES.iter().any(|home| path.starts_with(home)) {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let mut words = code.split(|c: char| !c.is_alphanumeric() && c != '_');
            if words.any(|word| word == keyword) {
                offenders.push(format!("{path}:{}", number + 1));
            }
        }
    }
    assert!(offenders.is_empty(), "{offenders:#?}");
}

#[test]
fn files_are_small_and_say_what_they_are() {
    let mut offenders = Vec::new();
    for (path, text) in sources() {
        if !text.starts_with("//!") {
            offenders.push(format!("{path}: does not begin with //!"));
        }
        if text.lines().count() > LINES_MAX {
            offenders.push(format!("{path}: longer than {LINES_MAX} lines"));
        }
        for (number, line) in text.lines().enumerate() {
            // A string is not to be torn apart for the sake of its width.
            if line.chars().count() > COLUMNS_MAX && !line.contains('"') {
                offenders.push(format!("{path}:{}: wider than {COLUMNS_MAX}", number + 1));
            }
        }
    }
    assert!(offenders.is_empty(), "{offenders:#?}");
}
