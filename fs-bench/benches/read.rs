//! Sequential reads of a file of 1 GiB on UFS2 (32 KiB blocks, 4 KiB fragments, as FreeBSD makes
//! them), from one cached image: ours against `grub-fstest cat` and the crate `rufs`.
//!
//! `cargo bench -p fs-bench` prints the ratios at its end. All three read the image from the page
//! cache. Ours and rufs read 1 MiB at a time and drop it, `grub-fstest` writes what it reads to
//! /dev/null; the time that it takes for an empty file is subtracted.

#[path = "../../fs-tools/examples/ffs/disk.rs"]
mod disk;

use std::cell::RefCell;
use std::ffi::OsStr;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use criterion::Criterion;
use disk::Disk;
use fs::{SCRATCH_BYTES, Volume};
use newfs::{Format, Image, Node};

const FILE_BYTES: usize = 1 << 30;
const READ_BYTES: usize = 1 << 20;

fn ours(image: &Path) {
    let disk = Disk::open(image).expect("the image");
    let mut volume = Volume::mount(disk, vec![0; SCRATCH_BYTES]).expect("a volume");
    let inode = volume.lookup(b"/file").expect("the file");
    let mut buffer = vec![0; READ_BYTES];
    let mut done = 0;
    while done < FILE_BYTES {
        done += volume.read_at(&inode, done as u64, &mut buffer).expect("bytes");
        black_box(&buffer);
    }
}

fn rufs(image: &Path) {
    let mut volume = rufs::Ufs::open(image, false).expect("a volume that rufs reads");
    let root = rufs::InodeNum::ROOT;
    let number = volume.dir_lookup(root, OsStr::new("file")).expect("the file");
    let mut buffer = vec![0; READ_BYTES];
    let mut done = 0;
    while done < FILE_BYTES {
        done += volume.inode_read(number, done as u64, &mut buffer).expect("bytes");
        black_box(&buffer);
    }
}

fn grub(image: &Path, path: &str) {
    let mut command = Command::new("grub-fstest");
    let status = command.arg(image).args(["cat", path]).stdout(Stdio::null()).status();
    let status = status.expect("grub-fstest; run: apt-get install grub-common");
    assert!(status.success(), "grub-fstest cat {path}: {status}");
}

/// File of the image, removed when dropped.
struct Made(PathBuf);

impl Made {
    fn new() -> Self {
        let mut bytes = vec![0; FILE_BYTES];
        fastrand::Rng::with_seed(1).fill(&mut bytes);
        let format = Format { data_blocks_per_group: 8000, ..Format::new(2, 32768, 4096) };
        let root = Node::directory([("file", Node::file(bytes)), ("empty", Node::file(""))]);
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("read.img");
        std::fs::write(&path, Image::new(format, &root).bytes).expect("room for 1 GiB");
        Self(path)
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Times an act with criterion; returns the median time of one.
fn time(criterion: &mut Criterion, name: &str, act: impl Fn()) -> Duration {
    let times = RefCell::new(Vec::new());
    criterion.bench_function(name, |bencher| {
        bencher.iter_custom(|count| {
            let mut sum = Duration::ZERO;
            for _ in 0..count {
                let start = Instant::now();
                act();
                let time = start.elapsed();
                times.borrow_mut().push(time);
                sum += time;
            }
            sum
        });
    });
    let mut times = times.into_inner();
    times.sort();
    // Without samples (a filter on the command line) there is nothing to compare.
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn main() {
    let image = Made::new();
    let image = &image.0;
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(5))
        .configure_from_args();
    let ours = time(&mut criterion, "ours", || ours(image));
    let rufs = time(&mut criterion, "rufs", || rufs(image));
    let start = time(&mut criterion, "grub-fstest, an empty file", || grub(image, "/empty"));
    let grub = time(&mut criterion, "grub-fstest", || grub(image, "/file")).saturating_sub(start);
    let speed = |time: Duration| FILE_BYTES as f64 / time.as_secs_f64() / 1e6;
    let ratio = |time: Duration| time.as_secs_f64() / ours.as_secs_f64();
    println!("reader        MB/s  ours is faster by");
    println!("ours        {:>6.0}", speed(ours));
    println!("rufs        {:>6.0}  {:.2}", speed(rufs), ratio(rufs));
    println!("grub-fstest {:>6.0}  {:.2}", speed(grub), ratio(grub));
    criterion.final_summary();
}
