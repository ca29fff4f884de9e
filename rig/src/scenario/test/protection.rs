//! The end of a guest that memory protection stops, and runs with less protection.

use anyhow::{Context, Result, ensure};

use super::check::{Check, crashed_saying, guest, powered_off};
use crate::guest::{ConsoleLine, Guest};

pub(super) fn checks() -> Vec<Check> {
    vec![
        crash(
            "overflow",
            &["stack overflow of the boot stack", "page fault (vector 14, error 0x2)"],
        ),
        crash("nested-fault", &["a reason that faults", "breakpoint (vector 3"]),
        without_nx(),
        without_huge_pages(),
    ]
}

/// A guest that is made to crash, which must say how, and end as crashed.
fn crash(kind: &'static str, words: &'static [&str]) -> Check {
    let name = format!("selftest-{kind}");
    let extra = format!("selftest={kind}");
    Check::new(format!("selftest={kind}"), 120, format!("guest {name} 60"))
        .with(guest(&name, &[], 'w', &extra))
        .judged(format!("selftest={kind} says so and ends as crashed"), move |outcome| {
            crashed_saying(outcome, &name, words).map(|line| format!("\"{line}\""))
        })
}

/// A guest whose processor does not offer NX.
fn without_nx() -> Check {
    let name = "without-nx";
    let guest = Guest { settings: vec!["cpuid = 'host,nx=0'"], ..guest(name, &[], 'w', "help") };
    Check::new("no NX", 120, format!("guest {name} 60")).with(guest).judged(
        "a guest without NX says so and runs",
        move |outcome| -> Result<String> {
            powered_off(outcome, name)?;
            let lines = ConsoleLine::of(outcome, name);
            let told = lines.iter().find(|line| line.text.contains("no NX"));
            Ok(format!("\"{}\"", told.context("it does not say so")?.text))
        },
    )
}

/// A guest whose processor does not offer pages of 1 GiB, and which has no alias of memory.
fn without_huge_pages() -> Check {
    let name = "without-1gib-pages";
    let settings = vec!["cpuid = 'host,page1gb=0'"];
    let guest = Guest { settings, ..guest(name, &[], 'w', "selftest") };
    Check::new("no pages of 1 GiB: self-test", 120, format!("guest {name} 60")).with(guest).judged(
        "a guest without pages of 1 GiB passes the self-test without an alias",
        move |outcome| -> Result<String> {
            powered_off(outcome, name)?;
            let lines = ConsoleLine::of(outcome, name);
            ensure!(
                lines.iter().any(|line| line.text.contains(" passed, 0 failed")),
                "it has no self-test that passes"
            );
            let alias = lines.iter().find(|line| line.text.contains("the alias shows"));
            ensure!(alias.is_none(), "it has an alias of memory");
            Ok("all passed, none of them of an alias".to_owned())
        },
    )
}
