//! `unsafe` code stays at home.

use crate::tree::packages;

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

/// Returns the numbers of the lines that have the keyword outside a comment.
fn unsafe_lines(text: &str) -> Vec<usize> {
    let keyword = ["un", "safe"].concat();
    let has_keyword = |line: &str| {
        let code = line.split("//").next().unwrap_or_default();
        code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == keyword)
    };
    let numbered = text.lines().enumerate();
    numbered.filter(|(_, line)| has_keyword(line)).map(|(number, _)| number + 1).collect()
}

#[test]
fn unsafe_code_stays_at_home() {
    let mut offenders = Vec::new();
    for package in packages() {
        for (path, text) in &package.files {
            if !UNSAFE_HOMES.iter().any(|home| path.starts_with(home)) {
                let lines = unsafe_lines(text);
                offenders.extend(lines.iter().map(|number| format!("{path}:{number}")));
            }
        }
    }
    assert!(offenders.is_empty(), "{offenders:#?}");
}

#[test]
fn each_home_has_unsafe_code() {
    let packages = packages();
    let files: Vec<_> = packages.iter().flat_map(|package| &package.files).collect();
    for home in UNSAFE_HOMES {
        let mut rooms = files.iter().filter(|(path, _)| path.starts_with(home));
        assert!(rooms.any(|(_, text)| !unsafe_lines(text).is_empty()), "{home} is safe");
    }
}

#[test]
fn the_keyword_is_found_in_code_only() {
    let keyword = ["un", "safe"].concat();
    let text =
        format!("{keyword} fn f() {{}}\n// {keyword}\nlet {keyword}_x = 1; // x\n({keyword})");
    assert_eq!(unsafe_lines(&text), [1, 4]);
}
