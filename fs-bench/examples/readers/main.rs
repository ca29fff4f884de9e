//! Our reader of FFS, the crate rufs and The Sleuth Kit on the same volumes, most of them broken:
//! `cargo run --release -p fs-bench --example readers -- --cases 100000 [--seed N]`, or on real
//! images with `--images DIRECTORY`. All that any two of them say otherwise is counted by kind.
//! Ends with status 1 if a kind has no known reason, as when ours gives other bytes than the two.

mod kinds;
mod ours;
mod rufs;
mod tree;
mod tsk;
mod volumes;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::{fs, thread};

use clap::Parser;
use kinds::{Kind, Kinds, NAMES, Trees, compare, reason};
use newfs::Scratch;
use rufs::Rufs;
use tree::{FILE_BYTES_MAX, FILE_BYTES_MAX_REAL};

/// Smallest image in bytes: The Sleuth Kit looks for a superblock at 256 KiB, and gives up where it
/// can't.
const IMAGE_BYTES_MIN: usize = 288 << 10;
const PROGRESS_CASES: u64 = 1000;

#[derive(Parser)]
struct Arguments {
    /// Number of mutated volumes
    #[arg(long, default_value_t = 1000)]
    cases: u64,
    /// Number of the first one: the seed of its mutation
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Number of threads; a core each by default
    #[arg(long)]
    jobs: Option<usize>,
    /// Directory for the images while they are read, best in memory
    #[arg(long, default_value = "/dev/shm")]
    scratch: PathBuf,
    /// Read the images in this directory instead
    #[arg(long)]
    images: Option<PathBuf>,
    /// Show all that the readers say of each image
    #[arg(long)]
    show: bool,
}

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(rufs::WORKER) {
        rufs::work();
        return ExitCode::SUCCESS;
    }
    let arguments = Arguments::parse();
    let kinds = match &arguments.images {
        Some(directory) => images(directory, arguments.show),
        None => mutated(&arguments),
    };
    report(&kinds)
}

fn read(path: &Path, bytes: &[u8], rufs: &mut Rufs, file_bytes_max: u64) -> Trees {
    let (ours, rufs) = (ours::read(bytes, file_bytes_max), rufs.read(path));
    let sums = !ours.has_long() && !rufs.has_long();
    [ours, rufs, tsk::read(path, sums, file_bytes_max)]
}

/// Compares the readers on mutated volumes.
fn mutated(arguments: &Arguments) -> Kinds {
    let scratch = arguments.scratch.to_str().expect("a path of text");
    let scratch = Scratch::new(scratch, "ringmark-readers");
    let seeds = volumes::volumes();
    let (next, end) = (AtomicU64::new(0), arguments.cases);
    let kinds = Mutex::new(Kinds::new());
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let work = |job: usize| {
        let path = scratch.0.join(format!("{job}.img"));
        let mut rufs = Rufs::new(FILE_BYTES_MAX);
        loop {
            let done = next.fetch_add(1, Ordering::Relaxed);
            if done >= end {
                return;
            }
            let case = arguments.seed.wrapping_add(done);
            let mut random = fastrand::Rng::with_seed(case);
            let seed = &seeds[case as usize % seeds.len()];
            let mut bytes = volumes::mutate(seed, &mut random).bytes;
            let len = bytes.len().max(IMAGE_BYTES_MIN);
            bytes.resize(len, 0);
            fs::write(&path, &bytes).expect("room for an image");
            let trees = read(&path, &bytes, &mut rufs, FILE_BYTES_MAX);
            if arguments.show {
                println!("case {case}: {trees:#?}");
            }
            compare(&trees, case, &mut kinds.lock().expect("no panic"));
            if (done + 1).is_multiple_of(PROGRESS_CASES) {
                eprintln!("{} cases", done + 1);
            }
        }
    };
    thread::scope(|scope| {
        for job in 0..arguments.jobs.unwrap_or(cores) {
            let work = &work;
            scope.spawn(move || work(job));
        }
    });
    println!("{end} mutated volumes, seed {}", arguments.seed);
    kinds.into_inner().expect("no panic")
}

/// Compares the readers on all images of a directory.
fn images(directory: &Path, show: bool) -> Kinds {
    let mut kinds = Kinds::new();
    let mut rufs = Rufs::new(FILE_BYTES_MAX_REAL);
    let entries = fs::read_dir(directory).expect("a directory of images");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a name").path()).collect();
    paths.sort();
    for (case, path) in (0..).zip(paths.iter().filter(|path| path.is_file())) {
        let bytes = fs::read(path).expect("an image");
        let trees = read(path, &bytes, &mut rufs, FILE_BYTES_MAX_REAL);
        let says = NAMES.iter().zip(&trees).map(|(name, tree)| match &tree.end {
            Some(why) => format!("{name} {} names, then: {why}", tree.len()),
            None => format!("{name} {} names", tree.len()),
        });
        println!("{case}: {}: {}", path.display(), says.collect::<Vec<_>>().join("; "));
        if show {
            println!("{trees:#?}");
        }
        compare(&trees, case, &mut kinds);
    }
    kinds
}

/// Prints a line for each kind.
fn report(kinds: &Kinds) -> ExitCode {
    let mut unknown = 0;
    println!("{:>7} {:>8} {:>8}  between", "images", "names", "case");
    for (kind, count) in kinds {
        let Kind { pair: (left, right), what } = kind;
        let reason = reason(kind).unwrap_or_else(|| {
            unknown += 1;
            "NOT KNOWN"
        });
        let (images, names, first) = (count.images, count.names, count.first);
        let pair = format!("{}, {}", NAMES[*left], NAMES[*right]);
        println!("{images:>7} {names:>8} {first:>8}  {pair}: {what}: {reason}");
    }
    println!("{} kinds, {unknown} without a known reason", kinds.len());
    if unknown > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
