//! fio itself says which job files are right, and what their options mean.
//!
//! Each file of the table goes through `fio --parse-only` and through [`parse_file`]; both take it,
//! or the table says why only one does. Of a file that both take, the jobs are the same as those of
//! the command line that `fio --showcmd` makes of it, and fio reads the same numbers from the
//! options that we spell for a job as from those in the file. This needs Debian's package `fio`.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use bench::Job;
use bench::job::{parse, parse_file};

mod files;

use files::{BOTH_REFUSE, BOTH_TAKE, NOT_SPELLED, ONLY_FIO, ONLY_OURS};

/// A job file on disk, for fio.
struct JobFile(PathBuf);

impl JobFile {
    fn new(test: &str, number: usize, text: &str) -> Self {
        let name = format!("ringmark-{}-{test}-{number}.fio", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, text).unwrap();
        Self(path)
    }

    fn fio(&self, options: &[&str]) -> Output {
        let fio = Command::new("fio").args(options).arg(&self.0).output();
        fio.unwrap_or_else(|error| panic!("cannot run fio: {error}; apt-get install fio"))
    }

    fn is_taken_by_fio(&self) -> bool {
        self.fio(&["--parse-only"]).status.success()
    }
}

impl Drop for JobFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
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

#[test]
fn files_that_both_take() {
    let mut complaints = Vec::new();
    let mut compared = 0;
    for (number, text) in BOTH_TAKE.iter().enumerate() {
        let text = whole(text);
        let file = JobFile::new("take", number, &text);
        let theirs = values(&file);
        let (theirs, jobs) = match (theirs, parse_file(&text)) {
            (Some(theirs), Ok(jobs)) => (theirs, jobs),
            (theirs, ours) => {
                complaints.push(format!("{text}\nfio: {}, we: {ours:?}", theirs.is_some()));
                continue;
            }
        };
        // A second [global] is printed as part of the job before it, and a name as another job.
        if text.matches("[global]").count() < 2 && !text.contains("\nname=") {
            let shown = String::from_utf8(file.fio(&["--showcmd"]).stdout).unwrap();
            let line = shown.trim().trim_start_matches("fio ");
            let ours = parse(line);
            if ours.as_ref() != Ok(&jobs) {
                complaints.push(format!("{text}\n{line}\n{ours:?}\n{jobs:?}"));
            }
        }
        if jobs.len() == 1 && !text.contains("[global]") {
            let ours = values(&JobFile::new("ours", number, &spelled(&jobs[0])));
            let ours = ours.expect("fio takes what we spell");
            for (name, value) in theirs {
                match ours.get(&name) {
                    Some(our_value) if is_same(&value, our_value) => compared += 1,
                    // What is the default is not spelled.
                    None if NOT_SPELLED.contains(&name.as_str()) => {}
                    None if value == ["=0"] || value == ["=1"] || value == ["random"] => {}
                    other => complaints.push(format!("{text}\n{name}: {value:?} {other:?}")),
                }
            }
        }
    }
    none(complaints);
    assert!(compared > 100, "{compared} values compared");
}

#[test]
fn files_that_both_refuse() {
    let mut complaints = Vec::new();
    for (number, text) in BOTH_REFUSE.iter().enumerate() {
        let text = whole(text);
        let theirs = JobFile::new("refuse", number, &text).is_taken_by_fio();
        if theirs || parse_file(&text).is_ok() {
            complaints.push(format!("{text}\ntaken by {}", if theirs { "fio" } else { "us" }));
        }
    }
    none(complaints);
}

#[test]
fn files_that_one_refuses_for_a_reason() {
    let cases = ONLY_FIO.iter().map(|case| (case, true));
    let cases = cases.chain(ONLY_OURS.iter().map(|case| (case, false)));
    let mut complaints = Vec::new();
    for (number, ((text, reason), by_fio)) in cases.enumerate() {
        let text = whole(text);
        let theirs = JobFile::new("one", number, &text).is_taken_by_fio();
        let ours = parse_file(&text);
        if theirs != by_fio || ours.is_ok() == by_fio {
            complaints.push(format!("{text}\n({reason})\nfio: {theirs}, we: {ours:?}"));
        }
    }
    none(complaints);
}

/// Stands for the number that fio prints for what is left out: whatever happens to lie there.
const UNSET: &str = "unset";

/// What fio makes of each option in a file, the last of each name: its numbers, or its text.
/// `None` if it refuses the file.
fn values(file: &JobFile) -> Option<BTreeMap<String, Vec<String>>> {
    let printed = file.fio(&["--debug=parse", "--parse-only"]);
    if !printed.status.success() {
        return None;
    }
    let printed = String::from_utf8(printed.stdout).unwrap();
    let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut current = String::new();
    for line in printed.lines() {
        let Some((_, line)) = line.strip_prefix("parse ").and_then(|l| l.trim().split_once(' '))
        else {
            continue;
        };
        let line = line.trim();
        if let Some(option) = line.strip_prefix("handle_option=") {
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
    Some(values)
}

/// Whether two values are the same, as far as fio tells: of trims we know nothing.
fn is_same(theirs: &[String], ours: &[String]) -> bool {
    let known = &theirs[..theirs.len().min(2)];
    let mut pairs = known.iter().zip(ours);
    known.len() == ours.len() && pairs.all(|(theirs, ours)| theirs == UNSET || theirs == ours)
}

/// The name that we spell an option with.
fn canonical(name: &str) -> &str {
    match name {
        "readwrite" => "rw",
        "blocksize" => "bs",
        "io_limit" => "io_size",
        "timeout" => "runtime",
        "wait_for_previous" => "stonewall",
        "fdatasync" => "fsync",
        "iodepth_batch" | "iodepth_batch_submit" | "iodepth_batch_complete" => {
            "iodepth_batch_complete_min"
        }
        name => name,
    }
}

/// As fio reads what we spell for a job.
fn spelled(job: &Job) -> String {
    let mut text = format!("[{}]\n", job.name);
    for (name, value) in job.options() {
        if !["grants", "ringmark_poll_us"].contains(&name) {
            text += &format!("{name}={value}\n");
        }
    }
    text
}

#[test]
fn a_second_global_counts_from_its_place_on() {
    let text = "[global]\nrw=randread\nbs=4k\n[a]\n[b]\nbs=8k\n[global]\niodepth=4\nbs=2k\n\
                [c]\n[global]\nrw=read\n[d]\niodepth=2\n";
    // fio prints what it made of each job only when it runs it.
    let run = format!("[global]\nioengine=null\nsize=64k\n{text}");
    let printed = JobFile::new("global", 0, &run).fio(&[]);
    let printed = String::from_utf8(printed.stdout).unwrap();
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
