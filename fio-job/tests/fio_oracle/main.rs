//! Tests against fio itself: it decides which job files are right, and what their options mean.
//!
//! Each file of the table goes through `fio --parse-only` and through [`parse_file`]; both take it,
//! or the table says why only one does. Of a file that both take, the jobs are the same as those of
//! the command line that `fio --showcmd` makes of it, and fio reads the same numbers from the
//! options that this crate prints for a job as from those in the file. This needs Debian's package
//! `fio`.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use fio_job::Job;
use fio_job::{JobError, parse, parse_file, without_effect};

mod files;
mod options;

use files::{BOTH_COMPLETE, BOTH_REFUSE, BOTH_TAKE, NOT_SPELLED, ONLY_FIO, ONLY_OURS, OTHERWISE};

/// Job files on disk, for fio.
struct JobFiles(Vec<PathBuf>);

impl JobFiles {
    fn new<T: AsRef<str>>(test: &str, texts: impl IntoIterator<Item = T>) -> Self {
        let path = |(number, text): (usize, T)| {
            let name = format!("ringmark-{}-{test}-{number}.fio", std::process::id());
            let path = std::env::temp_dir().join(name);
            fs::write(&path, text.as_ref()).unwrap();
            path
        };
        Self(texts.into_iter().enumerate().map(path).collect())
    }

    fn fio(options: &[&str], files: &[PathBuf]) -> (bool, String) {
        let output = Command::new("fio").args(options).args(files).output();
        let output = output.unwrap_or_else(|e| panic!("cannot run fio: {e}; apt-get install fio"));
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    }

    /// Returns the output of fio for files that it accepts.
    fn printed(&self, options: &[&str]) -> String {
        let (success, printed) = Self::fio(options, &self.0);
        assert!(success, "{printed}");
        printed
    }

    /// Returns which files fio accepts.
    fn taken(&self) -> Vec<bool> {
        let taken = |files: &[PathBuf]| Self::fio(&["--parse-only"], files).0;
        // fio takes a moment to start, so all files are tried at once if that is enough.
        if taken(&self.0) {
            return vec![true; self.0.len()];
        }
        self.0.chunks(1).map(taken).collect()
    }

    /// Returns fio's reading of each option in each file, the last of each name: its numbers, or
    /// its text.
    fn values(&self) -> Vec<BTreeMap<String, Vec<String>>> {
        let printed = self.printed(&["--parse-only", "--debug=parse"]);
        printed.split("Parsing ini file ").skip(1).map(file_values).collect()
    }
}

impl Drop for JobFiles {
    fn drop(&mut self) {
        for path in &self.0 {
            let _ = fs::remove_file(path);
        }
    }
}

/// The table's files have no names of disks, which jobs that write need.
fn whole(text: &str) -> String {
    text.replace("[a]", "[a]\nfilename=/dev/xvda")
}

/// Fails with all that is wrong at once.
fn none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "{}", complaints.join("\n\n"));
}

/// Returns whether fio accepts each file, and the jobs that this crate reads from it.
fn both(test: &str, texts: &[&str]) -> Vec<(String, bool, Result<Vec<Job>, JobError>)> {
    let texts: Vec<String> = texts.iter().map(|text| whole(text)).collect();
    let taken = JobFiles::new(test, &texts).taken();
    let pairs = texts.into_iter().zip(taken);
    pairs.map(|(text, taken)| (text.clone(), taken, parse_file(&text))).collect()
}

#[test]
fn files_that_both_take() {
    let mut complaints = Vec::new();
    let mut all = Vec::new();
    for (text, theirs, ours) in both("take", &[BOTH_TAKE, BOTH_COMPLETE].concat()) {
        match ours {
            Ok(jobs) if theirs => all.push((text, jobs)),
            ours => complaints.push(format!("{text}\nfio: {theirs}, we: {ours:?}")),
        }
    }
    let files = JobFiles::new("shown", all.iter().map(|(text, _)| text));
    let shown = files.printed(&["--showcmd"]);
    assert_eq!(shown.lines().count(), all.len(), "{shown}");
    for ((text, jobs), line) in all.iter().zip(shown.lines()) {
        // A second [global] is printed as part of the job before it, and a name as another job.
        if text.matches("[global]").count() < 2 && !text.contains("\nname=") {
            let ours = parse(line.trim_start_matches("fio "));
            if ours.as_ref() != Ok(jobs) {
                complaints.push(format!("{text}\n{line}\n{ours:?}\n{jobs:?}"));
            }
        }
    }
    none(complaints);
}

#[test]
fn fio_reads_the_same_from_what_is_printed() {
    assert!(OTHERWISE.iter().all(|text| BOTH_TAKE.contains(text)));
    let texts = BOTH_TAKE.iter().filter(|text| !OTHERWISE.contains(text)).map(|text| whole(text));
    let jobs = texts.map(|text| (parse_file(&text).unwrap(), text));
    // For several jobs fio does not print what they take from [global].
    let single: Vec<_> =
        jobs.filter(|(jobs, text)| jobs.len() == 1 && !text.contains("[g")).collect();
    let theirs = JobFiles::new("theirs", single.iter().map(|(_, text)| text)).values();
    let ours = JobFiles::new("ours", single.iter().map(|(jobs, _)| printed(&jobs[0]))).values();
    assert_eq!((theirs.len(), ours.len()), (single.len(), single.len()));
    let (mut complaints, mut compared) = (Vec::new(), 0);
    for ((theirs, ours), (_, text)) in theirs.into_iter().zip(ours).zip(&single) {
        for (name, value) in theirs {
            match ours.get(&name) {
                Some(our_value) if is_same(&value, our_value) => compared += 1,
                // Defaults are not printed.
                None if NOT_SPELLED.contains(&name.as_str()) => {}
                None if without_effect().any(|known| known == name) => {}
                None if value == ["=0"] || value == ["=1"] || value == ["random"] => {}
                other => complaints.push(format!("{text}\n{name}: {value:?} {other:?}")),
            }
        }
    }
    none(complaints);
    assert!(compared > 100, "{compared} values compared");
}

#[test]
fn files_that_both_refuse() {
    let wrong = both("refuse", BOTH_REFUSE).into_iter().filter(|(_, fio, we)| *fio || we.is_ok());
    none(wrong.map(|(text, fio, we)| format!("{text}\nfio: {fio}, we: {we:?}")).collect());
}

#[test]
fn files_that_one_refuses_for_a_reason() {
    let mut complaints = Vec::new();
    for (test, cases, by_fio) in [("fio", ONLY_FIO, true), ("us", ONLY_OURS, false)] {
        let texts: Vec<&str> = cases.iter().map(|(text, _)| *text).collect();
        for ((text, fio, we), (_, reason)) in both(test, &texts).into_iter().zip(cases) {
            if fio != by_fio || we.is_ok() == by_fio {
                complaints.push(format!("{text}\n({reason})\nfio: {fio}, we: {we:?}"));
            }
        }
    }
    none(complaints);
}

/// Marker for the number that fio prints for a value left out, which is whatever is in memory
/// there.
const UNSET: &str = "unset";

/// Reads the options from fio's output for a file with one job.
fn file_values(printed: &str) -> BTreeMap<String, Vec<String>> {
    let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut current = String::new();
    for line in printed.lines() {
        // "parse", the number of the process, and what was done.
        let Some((_, line)) = line.strip_prefix("parse ").and_then(|l| l.trim().split_once(' '))
        else {
            continue;
        };
        let line = line.trim();
        if ["free options", "filling default options"].contains(&line) {
            break;
        } else if let Some(option) = line.strip_prefix("handle_option=") {
            let (name, text) = option.split_once(", ptr=").unwrap();
            current = canonical(name).to_owned();
            values.insert(current.clone(), vec![text.to_owned()]);
        } else if let Some((_, number)) = line.split_once("out=") {
            let Some(entry) = values.get_mut(&current) else { continue };
            // The text makes way for the first number.
            let is_unset = entry[0].starts_with(',');
            entry.retain(|value| value.starts_with('=') || value == UNSET);
            entry.push(if is_unset { UNSET.to_owned() } else { format!("={number}") });
        }
    }
    values
}

/// Returns whether two values are the same, as far as fio prints them: those of trims are unknown.
fn is_same(theirs: &[String], ours: &[String]) -> bool {
    let known = &theirs[..theirs.len().min(2)];
    let mut pairs = known.iter().zip(ours);
    known.len() == ours.len() && pairs.all(|(theirs, ours)| theirs == UNSET || theirs == ours)
}

/// Returns the name with which this crate prints an option.
fn canonical(name: &str) -> &str {
    match name {
        "readwrite" => "rw",
        "blocksize" => "bs",
        "blockalign" => "ba",
        "blocksize_range" => "bsrange",
        "blocksize_unaligned" => "bs_unaligned",
        "fileoffset" => "offset",
        "io_limit" => "io_size",
        "timeout" => "runtime",
        "wait_for_previous" => "stonewall",
        "fdatasync" => "fsync",
        "iodepth_batch_submit" => "iodepth_batch",
        "iodepth_batch_complete" => "iodepth_batch_complete_min",
        name => name,
    }
}

/// Returns the printed job as a file for fio.
fn printed(job: &Job) -> String {
    let mut text = format!("[{}]\n", job.name);
    for (name, value) in job.options() {
        let is_ours = ["grants", "latency_from"].contains(&name) || name.starts_with("ringmark_");
        if !is_ours {
            text += &format!("{name}={value}\n");
        }
    }
    text
}

#[test]
fn a_second_global_counts_from_its_place_on() {
    let text = "[global]\nrw=randread\nbs=4k\n[a]\n[b]\nbs=8k\n[global]\niodepth=4\nbs=2k\n\
                [c]\n[global]\nrw=read\n[d]\niodepth=2\n";
    // fio prints its reading of each job only when it runs it.
    let run = format!("[global]\nioengine=null\nsize=64k\n{text}");
    let printed = JobFiles::new("global", [run]).printed(&[]);
    for job in parse_file(text).unwrap() {
        let bytes = job.bs_bytes;
        let line = format!("{}: (g=0): rw={}, bs=(R) {bytes}B-{bytes}B", job.name, job.rw);
        let depth = format!("iodepth={}", job.iodepth);
        let found = printed.lines().find(|printed| printed.starts_with(&line));
        assert!(found.is_some_and(|found| found.ends_with(&depth)), "{line}\n{printed}");
    }
}

#[test]
fn the_table_is_as_long_as_it_should_be() {
    let count = BOTH_TAKE.len() + BOTH_REFUSE.len() + ONLY_FIO.len() + ONLY_OURS.len();
    assert!(count >= 60, "{count}");
}
