//! The command line as the tools on other hosts are to be given it.

use std::ffi::OsString;

use anyhow::{Context, Result};
use clap::{Args, Command};

use crate::exit::Exit;
use crate::fio_line;

/// Options that are not passed on: they are about files of this host, or are given anew.
const OURS: [&str; 17] = [
    "hosts",
    "follow",
    "guests",
    "kernel",
    "job",
    "options",
    "output",
    "output_format",
    "runs",
    "dry_run",
    "eta",
    "eta_newline",
    "sections",
    "warnings_fatal",
    "showcmd",
    "parse_only",
    "progress",
];

/// Returns the options of a command line that hold on other hosts, too, and that progress is to be
/// told in JSON. The first words of the line are the program and the command.
///
/// # Errors
/// [`Exit::Usage`]: one that is no text.
pub fn passed_on<T: Args>(words: impl Iterator<Item = OsString>) -> Result<Vec<String>> {
    let mut command = T::augment_args(Command::new("fleet"));
    command.build();
    let whole = T::augment_args(Command::new("fleet"));
    let whole = Command::new("ringmark").subcommand(whole);
    let words = fio_line::read(words, &whole)?.words.into_iter().skip(1);
    let matches = command.clone().try_get_matches_from(words)?;
    let mut passed = vec!["--progress=json".to_owned()];
    for argument in command.get_arguments() {
        let id = argument.get_id().as_str();
        let is_given = matches.try_contains_id(id).unwrap_or(false)
            && matches.value_source(id) == Some(clap::parser::ValueSource::CommandLine);
        let Some(long) = argument.get_long().filter(|_| is_given && !OURS.contains(&id)) else {
            continue;
        };
        if !argument.get_action().takes_values() {
            passed.push(format!("--{long}"));
            continue;
        }
        for value in matches.get_raw(id).into_iter().flatten() {
            let no_text = || Exit::Usage(format!("--{long} has a value that is no text"));
            passed.push(format!("--{long}={}", value.to_str().with_context(no_text)?));
        }
    }
    Ok(passed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::Fleet;

    #[test]
    fn what_holds_everywhere_is_passed_on() {
        let words = "ringmark fleet --host=a -n2 --disk=/d{n} -q --disk phy:/e,xvdb,r --kernel k --memory 32 \
                     --label x=y --eta=never --keep --ready-timeout=5 --runs 2 -o.json -- rw=read";
        let words = words.replace("-o.json", "--output-format=json");
        let passed = passed_on::<Fleet>(words.split_whitespace().map(OsString::from)).unwrap();
        let mut passed: Vec<&str> = passed.iter().map(String::as_str).collect();
        passed.sort_unstable();
        let expected = [
            "--disk=/d{n}",
            "--disk=phy:/e,xvdb,r",
            "--keep",
            "--label=x=y",
            "--memory=32",
            "--progress=json",
            "--quiet",
            "--ready-timeout=5",
        ];
        assert_eq!(passed, expected);
    }
}
