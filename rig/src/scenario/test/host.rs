//! cargo's checks of the sources: format, lints, unit tests, docs.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::check::Tally;
use crate::rig::Rig;

/// Arguments of cargo.
const CHECKS: [&[&str]; 5] = [
    &["fmt", "--all", "--check"],
    &["clippy", "--all-targets", "--", "-D", "warnings"],
    &["test", "--no-fail-fast"],
    &["run", "--release", "--quiet", "--package", "model", "--", "soak", "--seeds", "1000"],
    &["doc", "--no-deps", "--document-private-items"],
];

/// Counts each of them.
pub(super) fn check(rig: &Rig, tally: &mut Tally) {
    for arguments in CHECKS {
        let name = match arguments {
            ["run", ..] => "soak on the model".to_owned(),
            _ => format!("cargo {}", arguments[0]),
        };
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

/// Returns the summary of the soak, or the number of tests that passed, if there were any.
fn summary(text: &str) -> String {
    let soak = ["simulated I/Os", "violations"]
        .map(|what| text.lines().find(|line| line.starts_with(what)));
    if let [Some(ios), Some(violations)] = soak {
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        return format!("{}, {}", words(ios), words(violations));
    }
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
