//! A file of a report, read once and to a limit, and what is in it: results in JSON, or a log.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result, anyhow, bail, ensure};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::display;
use crate::exit::Exit;
use crate::printable;
use crate::sweep::file::SweepFile;

/// Longest file, in bytes: results of 10,000 jobs have half of it.
pub const FILE_BYTES_MAX: u64 = 128 << 20;

/// Contents of a file.
#[derive(Debug, PartialEq)]
pub enum Input<'a> {
    /// JSON texts, one or more, in their order.
    Results(Vec<Json<'a>>),
    /// Text without JSON.
    Log(&'a str),
}

/// A JSON text: no string in it has a control character.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Json<'a> {
    /// The text.
    pub text: &'a str,
    /// Flag: these are runs of a comparison, and no single result.
    pub has_runs: bool,
    /// Flag: these are runs of a sweep.
    pub is_sweep: bool,
    /// Flag: these are runs of a load curve.
    pub is_curve: bool,
}

/// Members that tell what a JSON text is.
#[derive(Deserialize)]
struct Members {
    #[serde(rename = "fio version")]
    version: Option<IgnoredAny>,
    runs: Option<IgnoredAny>,
    sweep: Option<IgnoredAny>,
    curve: Option<IgnoredAny>,
}

/// Checks that no file is named twice: its runs would count twice.
///
/// # Errors
/// [`Exit::Usage`].
pub fn check_once(files: &[PathBuf]) -> Result<()> {
    let mut known = BTreeMap::new();
    for path in files {
        let Ok(file) = fs::metadata(path) else { continue };
        if !file.is_file() {
            continue;
        }
        if let Some(before) = known.insert((file.dev(), file.ino()), path) {
            let [before, path] = [before, path].map(|of| display::text(&of.to_string_lossy()));
            let why = format!("{before} and {path} are the same file; leave one out");
            return Err(Exit::Usage(why).into());
        }
    }
    Ok(())
}

/// Reads a file.
///
/// # Errors
/// When it can't be read, is longer than [`FILE_BYTES_MAX`], or is no text.
pub fn read(path: &Path) -> Result<String> {
    read_to(File::open(path)?, FILE_BYTES_MAX)
}

fn read_to(file: impl Read, limit: u64) -> Result<String> {
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    ensure!(
        bytes.len() as u64 <= limit,
        "longer than {} MiB; leave out what it need not have: json+ has more than json, a log \
         without log_avg_msec= has a line for each I/O",
        limit >> 20
    );
    String::from_utf8(bytes).ok().context("neither JSON nor fio's log: it is not in UTF-8")
}

/// Reads the file of a sweep.
///
/// # Errors
/// When it can't be read, or is none.
pub fn sweep(path: &Path) -> Result<SweepFile> {
    let text = read(path)?;
    match split(&text)? {
        Input::Results(texts) if texts.len() == 1 => {
            let json = texts.first().filter(|json| json.is_sweep);
            whole_sweep(json.context("it is no sweep")?.text)
        }
        _ => bail!("it is no sweep"),
    }
}

/// Reads the text of a sweep.
///
/// # Errors
/// When it is none, or lacks something.
pub fn whole_sweep(text: &str) -> Result<SweepFile> {
    let file: SweepFile = serde_json::from_str(text).context("no whole sweep")?;
    file.sweep.check()?;
    Ok(file)
}

/// Finds the JSON texts in a file. Around them is what fio notes, and what other forms of output
/// there are; each of them begins a line.
///
/// # Errors
/// When one is not whole, is neither a result nor a comparison, or is not printable.
pub fn split(text: &str) -> Result<Input<'_>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (mut found, mut rest, mut line) = (Vec::new(), text, 1);
    while let Some(start) = json_start(rest) {
        let (before, json) = rest.split_at(start);
        line += lines(before);
        let (json, length) = first_json(json).map_err(|error| match line {
            1 => error,
            _ => error.context(format!("in the JSON from line {line} on")),
        })?;
        line += lines(json.text);
        found.push(json);
        rest = rest.get(start + length..).unwrap_or_default();
    }
    Ok(if found.is_empty() { Input::Log(text) } else { Input::Results(found) })
}

fn lines(text: &str) -> usize {
    text.bytes().filter(|&byte| byte == b'\n').count()
}

/// Returns where the first line is that begins an object: a brace that is alone, or before a key. A
/// job named `{a` begins a line of fio's normal output otherwise.
fn json_start(text: &str) -> Option<usize> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let rest = line.strip_prefix('{').map(str::trim_start);
        if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['"', '}'])) {
            return Some(at);
        }
        at += line.len();
    }
    None
}

/// Reads the object that a text begins with, and its length in bytes.
fn first_json(text: &str) -> Result<(Json<'_>, usize)> {
    let mut objects = serde_json::Deserializer::from_str(text).into_iter::<Members>();
    let members = objects.next().context("nothing")?;
    let members = members.map_err(|error| told(text, error))?;
    let length = objects.byte_offset();
    let text = text.get(..length).unwrap_or_default();
    printable::check(text)?;
    let is_known = members.version.is_some() || members.runs.is_some();
    ensure!(
        is_known,
        "neither a result nor a comparison: an object without \"fio version\"; name the file \
         that fio --output-format=json or ringmark wrote"
    );
    let has_runs = members.version.is_none();
    let is_sweep = has_runs && members.sweep.is_some();
    let is_curve = has_runs && !is_sweep && members.curve.is_some();
    Ok((Json { text, has_runs, is_sweep, is_curve }, length))
}

/// Returns what is wrong with a JSON text, in the words of the figure if fio spoiled that.
fn told(text: &str, error: serde_json::Error) -> Error {
    const NO_FIGURES: [&str; 4] = ["nan", "inf", "infinity", "null"];
    let number = error.line();
    let line = number.checked_sub(1).and_then(|index| text.lines().nth(index));
    let Some((name, value)) = line.and_then(|line| line.split_once(':')) else {
        return error.into();
    };
    let (name, value) = (name.trim().trim_matches('"'), value.trim().trim_end_matches(','));
    let bare = value.trim_start_matches('-').to_ascii_lowercase();
    if NO_FIGURES.contains(&bare.as_str()) {
        return anyhow!(
            "line {number}: {name} is {value}, which is no figure; fio has none where nothing was \
             measured: write 0 there, or run it for longer"
        );
    }
    if value.contains(char::is_control) && value.starts_with('"') {
        return anyhow!(
            "line {number}: {name} has a tab or another control character, which fio writes as it \
             is and JSON has not; rename it there, and in the job"
        );
    }
    error.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(text: &str) -> Vec<&str> {
        match split(text).unwrap() {
            Input::Results(found) => found.into_iter().map(|json| json.text).collect(),
            Input::Log(text) => panic!("{text}"),
        }
    }

    #[test]
    fn results_are_found_among_other_output() {
        let one = "{\"fio version\": \"1\"}";
        let two = "{\n  \"fio version\" : \"2\"\n}";
        assert_eq!(results(one), [one]);
        assert_eq!(results(&format!("\u{feff}{one}")), [one]);
        assert_eq!(results(&format!("{one}\r\n\nx: (groupid=0)\n")), [one]);
        assert_eq!(results(&format!("fio: note\n{one}\n")), [one]);
        assert_eq!(results(&format!("{one}\n{{x: (groupid=0, jobs=1)\n{two}\n")), [one, two]);
        assert_eq!(results(&format!("{{x: (groupid=0)\n{one}{two}")), [one, two]);
    }

    #[test]
    fn what_is_no_object_is_a_log() {
        for text in ["", "1, 2, 0\n", "{x", "[1]", " {\"fio version\": 1}", "a\n\"{\""] {
            assert_eq!(split(text).unwrap(), Input::Log(text));
        }
        assert_eq!(split("\u{feff}1, 2, 0").unwrap(), Input::Log("1, 2, 0"));
    }

    #[test]
    fn broken_json_is_refused_with_its_place() {
        for (text, reason) in [
            ("note\n\n{\"fio version\": 1,", "in the JSON from line 3 on: EOF"),
            ("{\"a\": 1}", "neither a result nor a comparison"),
            ("{\"fio version\": 1}\n{\"b\": 2}", "in the JSON from line 2 on: neither"),
            ("{\"fio version\": \"\\u001b\"}", "control character"),
            ("{\"runs\": 1, \"runs\": 2}", "duplicate field"),
        ] {
            let error = format!("{:#}", split(text).unwrap_err());
            assert!(error.starts_with(reason), "{error}");
        }
        let deep = format!("{{\"runs\": {}", "[".repeat(1 << 20));
        assert!(split(&deep).is_err());
    }

    #[test]
    fn a_file_has_an_end() {
        let read = |text: &[u8]| read_to(text, 4);
        assert_eq!(read(b"1234").unwrap(), "1234");
        assert!(read(b"12345").unwrap_err().to_string().starts_with("longer than 0 MiB"));
        assert!(read_to(std::io::repeat(b'1'), 1 << 20).is_err());
        assert!(read(b"\xff").unwrap_err().to_string().contains("UTF-8"));
    }
}
