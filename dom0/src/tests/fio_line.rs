//! Command lines of fio on the tool's own.

use std::ffi::OsString;

use clap::CommandFactory;

use crate::exit::Exit;
use crate::fio_line::{COMMANDS, read};

/// Returns the words of a command line that is read, without the program.
fn words(line: &[&str]) -> Result<String, String> {
    let line = ["ringmark"].iter().chain(line).map(OsString::from);
    let line = read(line, &crate::cli::Cli::command()).map_err(|error| {
        assert!(error.is::<Exit>());
        error.to_string()
    })?;
    let words: Vec<&str> = line.words.iter().skip(1).map(|word| word.to_str().unwrap()).collect();
    let notes = line.notes.iter().map(|note| format!(" ({note})"));
    Ok(words.join(" ") + &notes.collect::<String>())
}

/// Reads a line with blanks between its words.
#[track_caller]
fn same(line: &str, expected: &str) {
    let found = words(&line.split(' ').collect::<Vec<_>>());
    assert_eq!(found.as_deref(), Ok(expected), "{line}");
}

#[test]
fn dashes_and_values_are_as_fio_takes_them() {
    for (line, expected) in [
        ("run -- rw=read --bs=4k", "run -- rw=read --bs=4k"),
        ("run -- -rw=read -bs=4k", "run -- --rw=read --bs=4k"),
        ("run -- --rw read -bs 4k --name x", "run -- --rw=read --bs=4k --name=x"),
        ("run -- --name -x --rw read", "run -- --name=-x --rw=read"),
        ("run -- --time_based --runtime 5", "run -- --time_based --runtime=5"),
        ("run -- --direct 1 --direct --bs=4k", "run -- --direct=1 --direct --bs=4k"),
        ("run -- --direct bs=4k", "run -- --direct bs=4k"),
        ("run -- --group_reporting 1", "run -- --group_reporting 1"),
        ("run -- --invalidate 1 --ioscheduler none", "run -- --invalidate=1 --ioscheduler=none"),
        ("run -- --rw bs=4k", "run -- --rw bs=4k"),
        ("run -- --rw --bs=4k", "run -- --rw --bs=4k"),
        ("run -- --rw", "run -- --rw"),
        ("run -- --filename a=b", "run -- --filename=a=b"),
        ("run -- --iodpeth 4", "run -- --iodpeth 4"),
        ("run -- hold mode=ls ; --bs=4k -- help", "run -- hold mode=ls ; --bs=4k -- help"),
        // Before the -- all is the tool's.
        ("run --rw read -- -rw=read", "run --rw read -- --rw=read"),
        ("diff -- -rw=read", "diff -- -rw=read"),
        ("options -- --minimal", "options -- --minimal"),
    ] {
        same(line, expected);
    }
}

#[test]
fn options_are_cut_short_as_getopt_long_takes_them() {
    for (line, expected) in [
        ("run -- --runt=3 -runt 4 --numj 2", "run -- --runtime=3 --runtime=4 --numjobs=2"),
        ("run -- --group_r --time_b", "run -- --group_reporting --time_based"),
        ("run -- --rate=3", "run -- --rate=3"),
        ("run -- --rw read --outpu=x", "ambiguous"),
        ("run -- --output-f=json", "run --output-format=json"),
        ("run -- --latency_ta=0", "run -- --latency_target=0"),
        // Without dashes it is no option of fio's command line.
        ("run -- runt=3", "run -- runt=3"),
        ("run -- --ringmark_q=1", "run -- --ringmark_q=1"),
        ("run -- --rw=read --", "run -- --rw=read"),
        ("run -- --rw=read -- a.fio", "run a.fio -- --rw=read"),
    ] {
        let found = words(&line.split(' ').collect::<Vec<_>>());
        match expected {
            "ambiguous" => assert!(found.is_err(), "{line}"),
            _ => assert_eq!(found.as_deref(), Ok(expected), "{line}"),
        }
    }
    for (option, told) in [
        ("--time=3", "--time: it may be timeout, time_based; write more of it"),
        ("--outp=x", "--outp: it may be output, output-format; write more of it"),
    ] {
        let error = words(&["run", "--", option]).unwrap_err();
        let names = |text: &str| {
            let mut names: Vec<String> = text.split([' ', ',', ';']).map(str::to_owned).collect();
            names.sort_unstable();
            names
        };
        assert_eq!(names(&error), names(told), "{error}");
    }
    let error = words(&["run", "--", "--r"]).unwrap_err();
    assert!(error.starts_with("--r: it may be readonly, ") && error.contains(" more;"), "{error}");
}

#[test]
fn job_files_are_found_among_options() {
    for (line, expected) in [
        ("run -- job.fio --section=a", "run job.fio --section=a"),
        ("run -- --bs 8k dir/job -rw read", "run dir/job -- --bs=8k --rw=read"),
        ("run -q -- -", "run -q -"),
        ("check a.fio -- b.fio c.fio", "check a.fio b.fio c.fio"),
        ("ab -- a.fio b.fio", "ab a.fio b.fio"),
        ("run -- --filename job.fio", "run -- --filename=job.fio"),
        ("run -- filename=a.fio hold read", "run -- filename=a.fio hold read"),
    ] {
        same(line, expected);
    }
    let error = words(&["run", "--", "a.fio", "b.fio"]).unwrap_err();
    assert!(error.starts_with("several job files"), "{error}");
}

#[test]
fn fios_own_options_go_before() {
    for (line, expected) in [
        ("run -- --output-format=json rw=read", "run --output-format=json -- rw=read"),
        ("run -- -output-format json+ -output f", "run --output-format=json+ --output=f"),
        ("run -- --minimal", "run --output-format=terse"),
        ("run --minimal", "run --output-format=terse"),
        ("run -- --minimal --output-format=json", "run --output-format=json"),
        ("run -- --eta=never --eta-newline 5", "run --eta=never --eta-newline=5"),
        ("run -- --readonly --warnings-fatal", "run --readonly --warnings-fatal"),
        ("run -- --parse-only --showcmd", "run --parse-only --showcmd"),
        ("check -- --output-format=json --rw=read", "check -- --rw=read"),
        ("run -q -- --max-jobs=5", "run -q"),
        (
            "run -- --max-jobs 5 rw=read",
            "run -- rw=read (--max-jobs has no effect: fio does without it, too)",
        ),
        (
            "run --status-interval 1 -- --terse-version=3",
            "run (--status-interval has no effect: a guest has its result at the end; --eta \
             shows progress) (--terse-version has no effect: terse output is of version 3; read \
             that, or JSON)",
        ),
    ] {
        same(line, expected);
    }
    for line in [
        "run -- --bandwidth-log",
        "run --bandwidth-log",
        "run -- --client=host",
        "run -- --cpuclock-test",
        "run -- --terse-version=5",
        "run -- --terse-version",
        "compare -- --output-format=json",
        "check -- --server",
    ] {
        let error = words(&line.split(' ').collect::<Vec<_>>()).expect_err(line);
        assert!(error.starts_with("--") && error.contains(": ") && error.len() < 120, "{error}");
    }
}

/// Each option of fio's own is moved, has a remark, or is refused.
#[test]
fn what_is_moved_is_there() {
    for command in COMMANDS {
        for option in ["section=a", "readonly", "warnings-fatal"] {
            let moved = words(&[command, "--", &format!("--{option}")]);
            assert_eq!(moved, Ok(format!("{command} --{option}")));
        }
    }
}
