//! The tool's command line, read as fio would read what is behind `--`: one dash or two, values as
//! words of their own, job files among the options, and fio's own options, which go before the
//! `--` as if they had been given there. Then `clap` has a look.

mod abbreviation;
mod program;

use std::ffi::OsString;
use std::path::Path;

use anyhow::Result;
use clap::Command;
use fio_job::{JobError, Values, find_option};

use crate::exit::Exit;
use crate::job::{name, plain};
use program::{Fate, Takes, find};

/// Commands that take a job's options behind `--`.
pub const COMMANDS: [&str; 7] = ["run", "sweep", "curve", "fleet", "ab", "compare", "check"];
/// Command that only reads jobs, to which options about their results mean nothing.
const CHECK: &str = "check";

/// Options of jobs that fio's command line takes alone, or with a value behind `=`.
const FLAGS: [&str; 14] = [
    "blocksize_unaligned",
    "bs_unaligned",
    "exitall",
    "exitall_on_error",
    "group_reporting",
    "new_group",
    "norandommap",
    "refill_buffers",
    "stonewall",
    "thread",
    "time_based",
    "verify_only",
    "wait_for_previous",
    "zero_buffers",
];
/// Words of the guest's own that stand alone.
const OWN_WORDS: [&str; 4] = ["hold", "barrier", "selftest", "help"];

/// A command line as `clap` is to read it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// Its words.
    pub words: Vec<OsString>,
    /// Remarks on what has no effect.
    pub notes: Vec<String>,
}

/// Reads the words of a command line, of which the first is the program.
///
/// # Errors
/// [`Exit::Usage`]: an option of fio that is refused, or means nothing to the command.
pub fn read(words: impl IntoIterator<Item = OsString>, cli: &Command) -> Result<Line> {
    let mut words: Vec<OsString> = words.into_iter().collect();
    let name = words.get(1).and_then(|word| word.to_str()).unwrap_or_default().to_owned();
    let command = cli.find_subcommand(&name).filter(|_| COMMANDS.contains(&name.as_str()));
    let Some(command) = command else { return Ok(Line { words, ..Line::default() }) };
    let at = words.iter().position(|word| word == "--").unwrap_or(words.len());
    let behind = words.split_off(at);
    let mut reader = Reader { command, line: Line::default(), files: 0, options: Vec::new() };
    reader.before(words)?;
    reader.behind(behind.into_iter().skip(1).collect())?;
    let Reader { mut line, options, .. } = reader;
    if !options.is_empty() {
        line.words.push("--".into());
        line.words.extend(options);
    }
    let is_quiet = line.words.iter().any(|word| word == "-q" || word == "--quiet");
    if is_quiet {
        line.notes.clear();
    }
    Ok(line)
}

struct Reader<'a> {
    command: &'a Command,
    /// Words before the `--`.
    line: Line,
    /// Number of job files from behind it.
    files: usize,
    /// Words behind it.
    options: Vec<OsString>,
}

impl Reader<'_> {
    /// Takes the words before the `--`, where those of fio that the tool does not have may be, too.
    fn before(&mut self, words: Vec<OsString>) -> Result<()> {
        let mut words = words.into_iter().peekable();
        while let Some(word) = words.next() {
            let text = word.to_str().and_then(|word| word.strip_prefix("--"));
            let found = text.and_then(|text| find(name(text)));
            match (text, found) {
                (Some(text), Some((_, takes, fate))) if fate != Fate::Here => {
                    let value = value(text, takes, || words.next());
                    self.program(name(text), value, fate)?;
                }
                _ => self.line.words.push(word),
            }
        }
        Ok(())
    }

    /// Takes the words behind the `--`.
    fn behind(&mut self, words: Vec<OsString>) -> Result<()> {
        let mut words = words.into_iter().peekable();
        while let Some(word) = words.next() {
            let Some(text) = word.to_str() else {
                self.options.push(word);
                continue;
            };
            if is_end(text, words.clone()) {
                continue;
            }
            let whole = abbreviation::whole(text)?;
            let text = whole.as_ref();
            if is_file(text) {
                self.file(word)?;
            } else if !text.starts_with('-') || plain(text).is_empty() {
                self.options.push(word);
            } else if let Some((_, takes, fate)) = find(name(text)) {
                let value = value(text, takes, || words.next());
                self.program(name(text), value, fate)?;
            } else {
                let next = words.peek().and_then(|next| next.to_str());
                let value = next.filter(|next| !text.contains('=') && is_value(plain(text), next));
                match value.map(|value| format!("--{}={value}", plain(text))) {
                    Some(option) => {
                        words.next();
                        self.options.push(option.into());
                    }
                    None => self.options.push(format!("--{}", plain(text)).into()),
                }
            }
        }
        Ok(())
    }

    /// Takes an option of fio's own.
    fn program(&mut self, name: &str, value: Option<OsString>, fate: Fate) -> Result<()> {
        let wrong = |why: &str| Err(Exit::Usage(format!("--{name}: {why}")).into());
        let mut note = |why: &str| self.line.notes.push(format!("--{name} has no effect: {why}"));
        let command = self.command.get_name();
        let (option, value) = match fate {
            Fate::Refused(why) => return wrong(why),
            Fate::NoEffect(why) => {
                note(why);
                return Ok(());
            }
            Fate::Only(only, why) => match value {
                Some(value) if value == only => {
                    note(why);
                    return Ok(());
                }
                _ => return wrong(why),
            },
            Fate::Is(option) => {
                let (name, value) = option.split_once('=').unwrap_or((option, ""));
                (plain(name), Some(OsString::from(value)))
            }
            Fate::Here => (name, value),
        };
        let has = |argument: &clap::Arg| argument.get_long() == Some(option);
        if !self.command.get_arguments().any(has) {
            return match command {
                CHECK => Ok(()),
                command => wrong(&format!(
                    "`ringmark {command}` does not have it; `ringmark {command} --help` says \
                     what it prints and saves"
                )),
            };
        }
        let mut word = OsString::from(format!("--{option}"));
        if let Some(value) = value {
            word.push("=");
            word.push(value);
        }
        // The last counts, as in fio.
        if option == "output-format" || option == "output" {
            let before = format!("--{option}=");
            self.line.words.retain(|word| !word.to_string_lossy().starts_with(&before));
        }
        self.line.words.push(word);
        Ok(())
    }

    /// Takes a job file.
    fn file(&mut self, word: OsString) -> Result<()> {
        self.files += 1;
        let most = match self.command.get_name() {
            CHECK => usize::MAX,
            "ab" => 2,
            _ => 1,
        };
        if self.files > most {
            let why = "several job files behind --: write one, in which stonewall divides the jobs";
            return Err(Exit::Usage(why.to_owned()).into());
        }
        self.line.words.push(word);
        Ok(())
    }
}

/// Returns the value of one of fio's own options.
fn value(text: &str, takes: Takes, next: impl FnOnce() -> Option<OsString>) -> Option<OsString> {
    match text.split_once('=') {
        Some((_, value)) => Some(value.into()),
        None if takes == Takes::Value => next(),
        None => None,
    }
}

/// Returns whether a word ends fio's options: behind it are only job files, if anything.
fn is_end(word: &str, mut rest: impl Iterator<Item = OsString>) -> bool {
    word == "--" && rest.all(|word| word.to_str().is_some_and(is_file))
}

/// Returns whether a word behind `--` is a job file: no option, and a name that files have.
fn is_file(word: &str) -> bool {
    let is_known = || {
        let unknown = |error| matches!(error, JobError::Unknown { .. });
        OWN_WORDS.contains(&word) || !find_option(word).is_err_and(unknown)
    };
    word == "-"
        || !word.starts_with('-')
            && !word.contains(['=', ';', '"'])
            && !is_known()
            && (word.contains('/') || word.ends_with(".fio") || Path::new(word).is_file())
}

/// Returns whether the word behind an option of a job is its value.
fn is_value(option: &str, next: &str) -> bool {
    let is_option = || {
        let found = next.contains('=').then(|| find_option(name(next)));
        found.is_some_and(|found| !matches!(found, Err(JobError::Unknown { .. })))
    };
    if FLAGS.contains(&option) {
        return false;
    }
    match find_option(option) {
        Err(JobError::Unknown { .. }) => option == "name" && !next.starts_with("--"),
        Ok(Some(doc)) if matches!(doc.values, Values::Flag | Values::Bool) => {
            !next.is_empty() && next.bytes().all(|byte| byte.is_ascii_digit())
        }
        Ok(Some(_)) => !next.starts_with("--") && !is_option(),
        Ok(None) | Err(_) => !next.starts_with('-') && !next.contains('='),
    }
}
