//! Mutated volumes through `ls -R`, `sum` and `cat`, many of them:
//! `cargo run --profile fuzz -p fs-tools --example fuzz -- --cases 10000000`. A panic, overflows
//! among them, ends it with status 1 and names the case, which `--first CASE --cases 1` runs again.

use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use fs::{Image, SCRATCH_BYTES, Volume};
use fs_tools::{Report, Result, Tools};
use newfs::hostile::{PATHS, disks, mutate, volumes};
use newfs::sample::noise;
use newfs::{Makefs, Scratch};

/// Output of a command after which it is ended.
const OUTPUT_BYTES_MAX: usize = 1 << 20;
const NAMES_BYTES_MAX: usize = 256 << 10;
const HOLE_BYTES_MAX: u64 = 1 << 20;
const PROGRESS_CASES: u64 = 100_000;

/// Number of the case that runs.
static CASE: AtomicU64 = AtomicU64::new(0);

#[derive(Parser)]
struct Arguments {
    /// Number of cases
    #[arg(long, default_value_t = 100_000)]
    cases: u64,
    /// Number of the first case
    #[arg(long, default_value_t = 0)]
    first: u64,
}

/// Takes output up to a limit.
struct Sink(usize);

impl Report for Sink {
    fn output(&mut self, bytes: &[u8]) -> Result<()> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or("enough")?;
        Ok(())
    }

    fn warn(&mut self, line: &str) {
        assert!(!line.contains('\n'), "{line}");
    }

    fn fail(&mut self, line: &str) {
        assert!(!line.contains('\n'), "{line}");
    }
}

fn main() {
    let Arguments { cases, first } = Arguments::parse();
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        default(info);
        eprintln!("panic in case {}", CASE.load(Ordering::Relaxed));
        process::exit(1);
    }));
    let seeds: Vec<Vec<u8>> = volumes().into_iter().chain(disks()).chain(of_makefs()).collect();
    let (mut scratch, mut bytes) = (vec![0; SCRATCH_BYTES], Vec::new());
    let (mut mounted, mut slowest) = (0_u64, (Duration::ZERO, first));
    for case in first..first.saturating_add(cases) {
        CASE.store(case, Ordering::Relaxed);
        let mut random = fastrand::Rng::with_seed(case);
        bytes.clone_from(&seeds[case as usize % seeds.len()]);
        mutate(&mut bytes, &mut random);
        let mut time = || {
            let start = Instant::now();
            let volume = run(&bytes, &mut scratch);
            (start.elapsed(), volume)
        };
        let (mut elapsed, volume) = time();
        mounted += u64::from(volume);
        if elapsed > slowest.0 {
            // The host may have stolen time.
            elapsed = elapsed.min(time().0);
            slowest = slowest.max((elapsed, case));
        }
        if (case - first + 1).is_multiple_of(PROGRESS_CASES) {
            eprintln!("{} cases", case - first + 1);
        }
    }
    println!(
        "{cases} cases, {mounted} of them with a volume, no panic; slowest: case {} with {:.1} ms; \
         peak memory: {}",
        slowest.1,
        slowest.0.as_secs_f64() * 1e3,
        peak_memory()
    );
}

/// Runs all commands; returns whether there was a volume.
fn run(bytes: &[u8], scratch: &mut [u8]) -> bool {
    let Ok(volume) = Volume::mount(Image(bytes), scratch) else { return false };
    let (names_bytes_max, hole_bytes_max) = (NAMES_BYTES_MAX, HOLE_BYTES_MAX);
    let mut tools = Tools { volume, buffer: vec![0; 8192], names_bytes_max, hole_bytes_max };
    let sink = || Sink(OUTPUT_BYTES_MAX);
    // Whether they fail is not the question.
    let _ = tools.ls(b"/", true, &mut sink());
    let _ = tools.sum(b"/", &mut sink());
    for path in PATHS {
        let _ = tools.cat(path.as_bytes(), &mut sink());
    }
    true
}

/// Returns volumes of makefs(8) with the same names.
fn of_makefs() -> Vec<Vec<u8>> {
    let directory = std::env::temp_dir();
    let scratch = Scratch::new(directory.to_str().expect("a path of text"), "ringmark-fuzz");
    let (source, image) = (scratch.0.join("source"), scratch.0.join("image"));
    let make = |text: &str| std::fs::create_dir_all(source.join(text)).expect("a directory");
    make("d/deep");
    for (path, len) in [("d/deep/f", 4), ("file", 700), ("sparse", 14 * 4096), ("snapshot", 10)] {
        std::fs::write(source.join(path), noise(1, len)).expect("a file");
    }
    for (path, target) in [("link", "d/deep/f"), ("long", &"./".repeat(200))] {
        std::os::unix::fs::symlink(target, source.join(path)).expect("a symlink");
    }
    let makefs = Makefs::all(4096).filter(|makefs| makefs.frag_bytes == 512);
    makefs.map(|makefs| makefs.make(&source, &image)).collect()
}

/// Returns the most memory that this process ever had, as the kernel writes it.
fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or("unknown", str::trim).to_owned()
}
