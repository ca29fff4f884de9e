//! The programs of Xen's tool stack: `xl` and the xenstore clients, found on the path.
//!
//! Each runs in a process group of its own: Ctrl-C at the terminal is for this program alone,
//! which then ends what it began in good order.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};

use anyhow::{Error, Result, anyhow};

/// A domain's state as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// A domain that runs, or could.
    Alive,
    /// A domain that has shut down by itself.
    ShutDown,
    /// A domain that has crashed.
    Crashed,
    /// There is no such domain.
    Gone,
}

/// Runs a program and gives what it prints.
///
/// # Errors
/// When it is not there, or fails: with its own words.
pub fn run(program: &str, arguments: &[&str]) -> Result<String> {
    let output = output(program, arguments)?;
    if !output.status.success() {
        return Err(failure(program, arguments, &output));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn failure(program: &str, arguments: &[&str], output: &Output) -> Error {
    let what = arguments.first().unwrap_or(&"");
    let text = String::from_utf8_lossy(&output.stderr);
    // What libxl complains of first is the cause, what follows its consequences.
    let words: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    anyhow!("{program} {what} failed ({}): {}", output.status, words.join("; "))
}

fn output(program: &str, arguments: &[&str]) -> Result<Output> {
    let mut command = Command::new(program);
    command.args(arguments).env("LC_ALL", "C").stdin(Stdio::null()).process_group(0);
    command.output().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            anyhow!("{program} was not found; run this in dom0, with Xen's tools on the path")
        }
        _ => anyhow!("cannot run {program}: {error}"),
    })
}

/// The number of the domain of this name, if there is one.
///
/// # Errors
/// When `xl` can't be run.
pub fn domid(name: &str) -> Result<Option<u32>> {
    let output = output("xl", &["domid", name])?;
    let id = String::from_utf8_lossy(&output.stdout).trim().parse().ok();
    Ok(id.filter(|_| output.status.success()))
}

/// Returns the state of a domain.
///
/// # Errors
/// When `xl` can't be run, fails for another reason than that there is no such domain, or its list
/// can't be read.
pub fn state(id: u32) -> Result<State> {
    let arguments = ["list", &id.to_string()];
    let output = output("xl", &arguments)?;
    if !output.status.success() {
        // Any other reason, such as a hypercall that failed, tells nothing of the domain.
        let text = String::from_utf8_lossy(&output.stderr);
        let is_absent = ["does not exist", "invalid domain"].iter().any(|why| text.contains(why));
        return if is_absent { Ok(State::Gone) } else { Err(failure("xl", &arguments, &output)) };
    }
    let text = String::from_utf8_lossy(&output.stdout);
    parse_state(&text, id).ok_or_else(|| anyhow!("xl list has no line for domain {id}: {text}"))
}

/// Reads `NAME ID MEM VCPUS STATE TIME`, where `STATE` has a letter or `-` for each of running,
/// blocked, paused, shut down, crashed, dying (xl(1)).
fn parse_state(list: &str, id: u32) -> Option<State> {
    let id = id.to_string();
    // A name may have blanks, so the fields are counted from the end.
    let mut rows = list.lines().map(|line| line.rsplit(' ').filter(|field| !field.is_empty()));
    rows.find_map(|mut fields| {
        let (flags, _vcpus, _memory) = (fields.nth(1)?, fields.next()?, fields.next()?);
        (fields.next()? == id).then(|| match flags {
            _ if flags.contains('c') => State::Crashed,
            _ if flags.contains('s') => State::ShutDown,
            _ if flags.contains('d') => State::Gone,
            _ => State::Alive,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_told_apart() {
        let list = |flags| {
            format!(
                "Name                                        ID   Mem VCPUs\tState\tTime(s)\n\
                 a name of words                             17    64     1     {flags}       0.3\n"
            )
            .replace('\t', "      ")
        };
        for (flags, state) in [
            ("r-----", State::Alive),
            ("-b----", State::Alive),
            ("--p---", State::Alive),
            ("------", State::Alive),
            ("---s--", State::ShutDown),
            ("---sc-", State::Crashed),
            ("----c-", State::Crashed),
            ("-----d", State::Gone),
        ] {
            assert_eq!(parse_state(&list(flags), 17), Some(state), "{flags}");
        }
        assert_eq!(parse_state(&list("------"), 7), None);
        assert_eq!(parse_state("", 0), None);
    }

    #[test]
    fn a_program_that_fails_is_quoted() {
        let error = run("sh", &["-c", "echo one >&2; echo two >&2; exit 3"]).unwrap_err();
        assert_eq!(error.to_string(), "sh -c failed (exit status: 3): one; two");
        let error = run("ringmark-no-such-program", &[]).unwrap_err();
        assert!(error.to_string().contains("run this in dom0"));
    }
}
