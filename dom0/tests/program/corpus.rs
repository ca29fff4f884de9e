//! Job files as people use them (`fio-job/tests/corpus`), all by one call of `check`: how many are
//! taken, and why each of the others is refused.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::stack::Stack;

/// Files, relative to this crate.
const CORPUS: &str = "../fio-job/tests/corpus";
/// Least share that is taken, in per cent.
const LEAST_PERCENT: f64 = 85.0;
/// Refused files: `FILE | LINE: REASON`, one a line, by name.
const REFUSED: &str = include_str!("corpus.txt");

/// Returns what `check` says of all files: its summary, and the refused ones with the reason.
fn checked(test: &str) -> (String, BTreeMap<String, String>) {
    let stack = Stack::new(test, "");
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join(CORPUS);
    let corpus = corpus.to_str().unwrap();
    let (code, summary, stderr) = stack.end(stack.spawn(&["check", "--summary", corpus]));
    assert_eq!(code, Some(2), "{stderr}");
    let refused = |line: &str| {
        let (place, reason) = line.strip_prefix(corpus)?.split_once(" error: ")?;
        let (file, line) = place.trim_matches(['/', ':']).split_once(':').unwrap_or((place, "-"));
        Some((file.trim_matches(['/', ':']).to_owned(), format!("{line}: {reason}")))
    };
    (summary, stderr.lines().filter_map(refused).collect())
}

#[test]
fn most_job_files_are_taken() {
    let (summary, refused) = checked("most_job_files_are_taken");
    let all = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(CORPUS)).unwrap();
    let all = all.filter(|entry| entry.as_ref().unwrap().path().extension().unwrap() == "fio");
    let all = all.count();
    assert_eq!(all, 174);
    let taken = all - refused.len();
    assert!(summary.starts_with(&format!("{taken} of {all} job files are taken")), "{summary}");
    println!("{summary}");
    let percent = 100.0 * taken as f64 / all as f64;
    assert!(percent >= LEAST_PERCENT, "{percent:.1} %, at least {LEAST_PERCENT}\n{summary}");
}

#[test]
fn each_refused_job_file_has_its_reason() {
    let (_, refused) = checked("each_refused_job_file_has_its_reason");
    let lines = refused.iter().map(|(file, reason)| format!("{file} | {reason}\n"));
    let found = lines.collect::<String>();
    if found != REFUSED {
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("corpus.txt");
        fs::write(&place, &found).unwrap();
        let only = |one: &str, other: &str, sign: &str| {
            let lines = one.lines().filter(|line| !other.lines().any(|of| of == *line));
            lines.map(|line| format!("{sign} {line}\n")).collect::<String>()
        };
        panic!(
            "tests/program/corpus.txt differs; if each change is meant, copy {} there:\n{}{}",
            place.display(),
            only(REFUSED, &found, "-"),
            only(&found, REFUSED, "+")
        );
    }
}
