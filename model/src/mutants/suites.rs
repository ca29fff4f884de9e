//! The test programs: built by cargo, each run by itself, so that it can be stopped at once.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::list::Trial;
use super::tree::Tree;

/// Test programs that are none: `tidy` and the tests of `model` check the house rules and the
/// mutants, not what the code does, and `ffs` runs an example that is not built here.
const NOT_SUITES: [&str; 5] = ["tidy", "model", "ffs", "front_door", "full"];

/// Runs a program with 8 GiB of address space: a mutant may lack any bound.
const BOUNDED: &str = "ulimit -v 8388608 && exec \"$0\" \"$@\"";

/// A test program.
#[derive(Clone, Debug)]
pub(super) struct Suite {
    /// Arguments with which `cargo test` runs it.
    pub(super) name: String,
    directory: PathBuf,
    executable: PathBuf,
}

/// Outcome of running a suite.
#[derive(Debug)]
pub(super) enum End {
    Passed,
    /// The first test that failed.
    Failed(String),
    /// Not over in time.
    Hung,
}

/// Cargo's message about a thing that it built.
#[derive(Deserialize)]
struct Message {
    manifest_path: Option<String>,
    target: Option<Target>,
    profile: Option<Profile>,
    executable: Option<String>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
    name: String,
}

#[derive(Deserialize)]
struct Profile {
    /// Whether it is a test program; others are built for these to run.
    test: bool,
}

/// Arguments with which `cargo test` builds all suites.
pub(super) const ALL: &str = "-p xen-abi -p boot-info -p protocols -p grant-table -p drivers \
     -p fs-tools -p guest-protocol -p fio-job -p results -p load -p model -p projection -p dom0 \
     -p rig --lib --test * --bin ringmark-dom0 --bin rig";

/// Builds suites of the tree; `which` is what `cargo test` is told.
///
/// # Errors
/// What the compiler said.
pub(super) fn build(tree: &Tree, which: &str) -> Result<Vec<Suite>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["test", "--no-run", "--quiet", "--message-format=json-render-diagnostics"])
        .args(which.split_whitespace())
        .current_dir(tree.root())
        .env("CARGO_TARGET_DIR", tree.target())
        // The suites calculate much, and nobody debugs them.
        .env("CARGO_PROFILE_DEV_OPT_LEVEL", "1")
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let mut suites = Vec::new();
    for line in output.stdout.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        let message: Message = serde_json::from_slice(line).context("cargo's messages")?;
        suites.extend(suite(message));
    }
    Ok(suites)
}

fn suite(message: Message) -> Option<Suite> {
    let (target, executable) = (message.target?, message.executable?);
    message.profile.filter(|profile| profile.test)?;
    let directory = PathBuf::from(message.manifest_path?).parent()?.to_path_buf();
    let package = directory.file_name()?.to_string_lossy();
    let name = match (target.kind.first()?.as_str(), target.name.as_str()) {
        (_, name) if NOT_SUITES.contains(&name) => return None,
        ("lib", _) => format!("-p {package} --lib"),
        (kind @ ("test" | "bin"), name) => format!("-p {package} --{kind} {name}"),
        _ => return None,
    };
    Some(Suite { name, directory, executable: executable.into() })
}

/// Runs a trial of one of the suites to its end, its first failure, or the limit.
///
/// # Errors
/// If there is no such suite, or it cannot be run.
pub(super) fn run(suites: &[Suite], trial: &Trial, limit: Duration) -> Result<End> {
    let suite = suites.iter().find(|suite| suite.name == trial.suite);
    let suite = suite.with_context(|| format!("there is no suite {}", trial.suite))?;
    suite.run(trial.filter.as_deref(), limit)
}

impl Suite {
    fn run(&self, filter: Option<&str>, limit: Duration) -> Result<End> {
        let deadline = Instant::now() + limit;
        let mut child = Command::new("sh")
            .args(["-c", BOUNDED])
            .arg(&self.executable)
            .args(filter)
            .current_dir(&self.directory)
            .env("CARGO_MANIFEST_DIR", &self.directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| self.executable.display().to_string())?;
        let output = BufReader::new(child.stdout.take().context("its output is a pipe")?);
        let (send, lines) = mpsc::channel();
        thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| send.send(line))
        });
        let early = loop {
            match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    if let Some(test) = failed_test(&line) {
                        break Some(End::Failed(test.to_owned()));
                    }
                }
                Err(RecvTimeoutError::Timeout) => break Some(End::Hung),
                Err(RecvTimeoutError::Disconnected) => break None,
            }
        };
        if early.is_some() {
            child.kill()?;
        }
        let status = child.wait()?;
        Ok(match early {
            Some(end) => end,
            None if status.success() => End::Passed,
            None => End::Failed(status.to_string()),
        })
    }
}

/// The test that a line of a test program's output says has failed.
fn failed_test(line: &str) -> Option<&str> {
    Some(line.strip_prefix("test ")?.strip_suffix("FAILED")?.trim_end_matches([' ', '.']).trim())
}

/// Returns the time that a trial may take that took `unbroken` without any mutant.
pub(super) fn limit(unbroken: Duration) -> Duration {
    Duration::from_secs(5) + 4 * unbroken
}

/// Time that a trial of the unbroken tree may take.
pub(super) const UNBROKEN_LIMIT: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the name of the suite in a message of cargo's, if it is one.
    fn name(package: &str, kind: &str, target: &str, test: bool) -> Option<String> {
        let message = format!(
            "{{\"reason\":\"compiler-artifact\",\"manifest_path\":\"/tree/{package}/Cargo.toml\",\
             \"target\":{{\"kind\":[\"{kind}\"],\"name\":\"{target}\"}},\
             \"profile\":{{\"test\":{test}}},\"executable\":\"/target/{target}\"}}"
        );
        suite(serde_json::from_str(&message).expect(&message)).map(|suite| suite.name)
    }

    #[test]
    fn suites_are_the_test_programs_of_libraries_and_binaries() {
        for (kind, target, suite) in [
            ("lib", "load", "-p load --lib"),
            ("test", "faults", "-p load --test faults"),
            ("bin", "tool", "-p load --bin tool"),
        ] {
            assert_eq!(name("load", kind, target, true).as_deref(), Some(suite));
            assert_eq!(name("load", kind, target, false), None, "{suite}");
        }
        for (kind, target) in [("test", "tidy"), ("bin", "model"), ("example", "engine")] {
            assert_eq!(name("model", kind, target, true), None, "{target}");
        }
    }
}
