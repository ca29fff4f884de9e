//! cargo's checks of the sources: format, lints, unit tests, docs.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::check::Tally;
use crate::rig::Rig;

/// What cargo is asked.
const CHECKS: [&[&str]; 4] = [
    &["fmt", "--all", "--check"],
    &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"],
    &["test", "--workspace"],
    &["doc", "--workspace", "--no-deps", "--document-private-items"],
];

/// Counts each of them.
pub(super) fn check(rig: &Rig, tally: &mut Tally) {
    for arguments in CHECKS {
        let name = format!("cargo {}", arguments[0]);
        rig.progress.stage(&name);
        tally.count(&name, cargo(arguments));
    }
}

fn cargo(arguments: &[&str]) -> Result<String> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let output = Command::new("cargo")
        .args(arguments)
        .current_dir(workspace)
        .env("RUSTDOCFLAGS", "-D warnings")
        .stdin(Stdio::null())
        .output()
        .context("cannot run cargo")?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        bail!("{}\n{text}{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(summary(&text))
}

/// How many tests passed, if there were any.
fn summary(text: &str) -> String {
    let counts = text.lines().filter_map(|line| {
        let (_, rest) = line.split_once("test result: ok. ")?;
        rest.split_whitespace().next()?.parse::<u32>().ok()
    });
    match counts.sum() {
        0 => "no complaint".to_owned(),
        count => format!("{count} tests passed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_summed_up() {
        let text =
            "test result: ok. 12 passed; 0 failed\nnoise\ntest result: ok. 3 passed; 0 failed";
        assert_eq!(summary(text), "15 tests passed");
        assert_eq!(summary(""), "no complaint");
    }
}
