//! Work of the corpus' jobs: fio itself and we do the same I/Os.
//!
//! Each job file that we take is made small by one rule, and run by fio 3.33 on files and by our
//! engine on the model's disks. What is no matter of chance is the same: of a job that is
//! sequential, or random with a map, each I/O; of others the number of I/Os, and within chance the
//! shares of directions and lengths, and where they are. A difference that is meant is in a table,
//! with its reason. Jobs that go on for a time have the same shares and the same pace (`pace`).
//! `SAME_WORK=443,444` runs only these files. This needs Debian's package `fio`.

use std::env;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::thread;

use fio_job::{Job, parse_file};

mod differences;
mod fio;
mod ours;
mod pace;
mod scale;
mod work;

use differences::DIFFERENT;
use scale::Small;
use work::{Direction, Io, difference, way};

/// Job files.
const CORPUS: &str = "../fio-job/tests/corpus";

/// A job file that both take.
struct Case {
    name: String,
    small: Small,
    jobs: Vec<Job>,
}

/// Returns the files that we take, made small, and how many there are. `runtime_ms` tells for how
/// long the jobs of a file go on, if they are timed.
fn cases(runtime_ms: impl Fn(&str) -> Option<u64>) -> (Vec<Case>, usize) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join(CORPUS);
    let mut paths: Vec<_> =
        fs::read_dir(&corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "fio"));
    paths.sort();
    if let Ok(names) = env::var("SAME_WORK") {
        paths.retain(|path| {
            path.file_stem()
                .is_some_and(|stem| names.split(',').any(|name| stem.to_str() == Some(name)))
        });
    }
    let count = paths.len();
    let case = |path: &std::path::PathBuf| {
        let name = path.file_stem()?.to_str()?.to_owned();
        let text = fs::read_to_string(path).ok()?;
        parse_file(&text).ok()?;
        let small = scale::small(&text, runtime_ms(&text))?;
        let jobs = parse_file(&small.text).unwrap_or_else(|error| panic!("{name}: {error}"));
        Some(Case { name, small, jobs })
    };
    (paths.iter().filter_map(case).collect(), count)
}

/// Returns what we do, or why we don't.
fn our_work(case: &Case) -> Result<Vec<Io>, String> {
    let ours =
        catch_unwind(AssertUnwindSafe(|| ours::work(&case.jobs, &case.small, 2_000..20_000, true)));
    ours.unwrap_or_else(|_| Err("a panic".to_owned())).map(|done| done.ios)
}

/// Returns how our work differs from fio's.
fn compare(
    case: &Case,
    ours: Result<Vec<Io>, String>,
    fios: Result<Vec<Io>, String>,
) -> Option<String> {
    match (ours, fios) {
        (Ok(ours), Ok(fios)) => difference(&ours, &fios, &case.jobs),
        (Err(ours), Ok(fios)) => Some(format!("we end with: {ours}; fio {} I/Os", fios.len())),
        (Ok(ours), Err(fios)) => {
            Some(format!("{} I/Os; fio ends with: {}", ours.len(), fios.trim()))
        }
        // A job that checks what nobody wrote.
        (Err(ours), Err(fios)) if [&ours, &fios].iter().all(|why| why.contains("magic")) => None,
        (Err(ours), Err(fios)) => Some(format!("both end: {ours}; fio with {}", fios.trim())),
    }
}

#[test]
fn fio_does_the_same_work() {
    let (cases, count) = cases(|_| None);
    let files: Vec<(String, Small)> = cases
        .iter()
        .map(|case| {
            let Small { text, disk_bytes } = &case.small;
            (case.name.clone(), Small { text: text.clone(), disk_bytes: *disk_bytes })
        })
        .collect();
    // fio mostly waits.
    let fios = thread::spawn(move || fio::works(&files));
    let (some, others) = cases.split_at(cases.len() / 2);
    let works = |cases: &[Case]| cases.iter().map(our_work).collect::<Vec<_>>();
    let ours = thread::scope(|scope| {
        let others = scope.spawn(|| works(others));
        [works(some), others.join().unwrap()].concat()
    });
    let fios = fios.join().unwrap();
    let mut complaints = Vec::new();
    for ((case, ours), fios) in cases.iter().zip(ours).zip(fios) {
        let found = compare(case, ours, fios);
        println!("{}: {}, {}", case.name, way(&case.jobs), found.as_deref().unwrap_or("the same"));
        let meant = DIFFERENT.iter().find(|(name, ..)| *name == case.name);
        match (found, meant) {
            (None, None) => {}
            (Some(found), Some((_, part, _))) if found.contains(part) => {}
            (found, meant) => {
                let found = found.unwrap_or_else(|| "the same".to_owned());
                complaints.push(format!(
                    "{}: {found}; the table: {meant:?}\n{}",
                    case.name, case.small.text
                ));
            }
        }
    }
    println!("{} of {count} files", cases.len());
    let is_case = |name: &str| cases.iter().any(|case| case.name == name);
    let strangers = DIFFERENT.iter().filter(|(name, ..)| !is_case(name));
    let strangers = strangers.filter(|_| env::var_os("SAME_WORK").is_none());
    complaints.extend(strangers.map(|(name, ..)| format!("{name} is in the table, and not run")));
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn other_work_is_told() {
    let io = |direction, block: u64, bytes| Io { direction, offset: block * 4096, bytes };
    let reads = |blocks: std::ops::Range<u64>| -> Vec<Io> {
        blocks.map(|block| io(Direction::Read, block, 4096)).collect()
    };
    let apart = |line: &str, ours: &[Io], fios: &[Io]| {
        difference(ours, fios, &fio_job::parse(line).expect(line)).is_some()
    };
    let halves = |count: u64| -> Vec<Io> {
        let direction = |n| if n % 2 == 0 { Direction::Read } else { Direction::Write };
        (0..count).map(|n| io(direction(n), n, 4096)).collect()
    };
    for line in ["rw=read", "rw=randread", "rw=randread norandommap"] {
        assert!(!apart(line, &reads(0..400), &reads(0..400)), "{line}");
        assert!(apart(line, &reads(0..400), &reads(0..399)), "{line}");
        assert!(apart(line, &reads(0..400), &reads(200..600)), "{line}");
        assert!(apart(line, &halves(400), &reads(0..400)), "{line}");
    }
    // Chance has its part.
    assert!(apart("rw=randread", &reads(0..400), &reads(1..401)));
    assert!(!apart("rw=randread norandommap", &reads(0..400), &reads(1..401)));
    let mixed = "rw=randrw filename=xvda";
    let mut other = halves(400);
    other[..20].iter_mut().for_each(|io| io.direction = Direction::Read);
    assert!(!apart(mixed, &halves(400), &other) && apart(mixed, &halves(400), &reads(0..400)));
    let sizes = |bytes| vec![io(Direction::Read, 0, bytes); 400];
    assert!(apart("rw=read bssplit=4k/50:8k/50", &sizes(4096), &[sizes(8192), sizes(0)].concat()));
}
