//! Reads FFS images and disks: `ffs ls|cat|sum|info [-p PARTITION] IMAGE [PATH]` and
//! `ffs partitions IMAGE`. Output is that of `ls -lb`, `cat` and `sha256sum`; an error is one line.

mod disk;

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use disk::Disk;
use fs::{PartitionName, SCRATCH_BYTES};
use fs_tools::{AnyVolume, HOLE_BYTES_MAX, NAMES_BYTES_MAX, Report, Result, Tools};

#[derive(Parser)]
#[command(about = "Reads FFS (UFS1, UFS2) images and disks")]
struct Arguments {
    #[command(subcommand)]
    act: Act,
}

#[derive(Subcommand)]
enum Act {
    /// List a directory like ls -lb
    Ls {
        /// List all directories below it, too
        #[arg(short = 'R')]
        recursive: bool,
        #[command(flatten)]
        choice: Choice,
        image: PathBuf,
        #[arg(default_value = "/")]
        path: OsString,
    },
    /// Write a file's bytes
    Cat {
        #[command(flatten)]
        choice: Choice,
        image: PathBuf,
        path: OsString,
    },
    /// SHA-256 of a file, or of all regular files below a directory
    Sum {
        /// Most bytes of holes in a file
        #[arg(long, default_value_t = HOLE_BYTES_MAX)]
        hole_bytes_max: u64,
        #[command(flatten)]
        choice: Choice,
        image: PathBuf,
        #[arg(default_value = "/")]
        path: OsString,
    },
    /// Show the superblock
    Info {
        #[command(flatten)]
        choice: Choice,
        image: PathBuf,
    },
    /// List the partitions and the volumes in them; * is what is read without -p
    Partitions { image: PathBuf },
}

#[derive(clap::Args)]
struct Choice {
    /// Read this partition: s1, p2, a, s1a, p2d, or disk for the whole disk
    #[arg(short, long, value_name = "NAME")]
    partition: Option<PartitionName>,
}

type Volume<'d> = AnyVolume<'d, io::Error>;

const READ_BYTES: usize = 1 << 20;

fn main() -> ExitCode {
    let act = Arguments::parse().act;
    let mut shown =
        Shown { stdout: io::BufWriter::new(io::stdout().lock()), image: act.image().to_owned() };
    let done = run(&act, &mut shown);
    match shown.stdout.flush().map_err(to_output).and(done) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ffs: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Act {
    fn image(&self) -> &Path {
        match self {
            Act::Ls { image, .. }
            | Act::Cat { image, .. }
            | Act::Sum { image, .. }
            | Act::Info { image, .. }
            | Act::Partitions { image } => image,
        }
    }

    fn partition(&self) -> Option<PartitionName> {
        match self {
            Act::Ls { choice, .. }
            | Act::Cat { choice, .. }
            | Act::Sum { choice, .. }
            | Act::Info { choice, .. } => choice.partition,
            Act::Partitions { .. } => None,
        }
    }
}

/// Standard output for results, standard error for remarks.
struct Shown<'o> {
    stdout: io::BufWriter<io::StdoutLock<'o>>,
    image: PathBuf,
}

impl Report for Shown<'_> {
    fn output(&mut self, bytes: &[u8]) -> Result<()> {
        self.stdout.write_all(bytes).map_err(to_output)
    }

    fn warn(&mut self, line: &str) {
        eprintln!("ffs: warning: {}: {line}", self.image.display());
    }

    fn fail(&mut self, line: &str) {
        // In the order in which they came, if both go to one place.
        let _ = self.stdout.flush();
        eprintln!("ffs: {line}");
    }
}

fn run(act: &Act, shown: &mut Shown<'_>) -> Result<()> {
    let image = shown.image.clone();
    let named = |error| format!("{}: {error}", image.display());
    let mut disk = Disk::open(&image).map_err(|error| named(error.to_string()))?;
    let mut scratch = vec![0; SCRATCH_BYTES];
    if let Act::Partitions { .. } = act {
        return fs_tools::partitions(&mut disk, &mut scratch, shown).map_err(named);
    }
    let volume = fs_tools::mount(&mut disk, &mut scratch, act.partition(), shown).map_err(named)?;
    let mut tools = Tools {
        volume,
        buffer: vec![0; READ_BYTES],
        names_bytes_max: NAMES_BYTES_MAX,
        hole_bytes_max: HOLE_BYTES_MAX,
    };
    match act {
        Act::Ls { recursive, path, .. } => tools.ls(path.as_bytes(), *recursive, shown),
        Act::Cat { path, .. } => tools.cat(path.as_bytes(), shown),
        Act::Sum { path, hole_bytes_max, .. } => {
            tools.hole_bytes_max = *hole_bytes_max;
            tools.sum(path.as_bytes(), shown)
        }
        Act::Info { .. } | Act::Partitions { .. } => info(&tools.volume, shown),
    }
}

fn to_output(error: io::Error) -> String {
    format!("standard output: {error}")
}

fn info(volume: &Volume<'_>, shown: &mut Shown<'_>) -> Result<()> {
    let info = volume.info();
    let name = info.name.split(|byte| *byte == 0).next().unwrap_or_default();
    let lines = [
        ("version", format!("{:?}", info.version)),
        ("byte order", format!("{:?}", info.endian)),
        ("block bytes", info.block_bytes.to_string()),
        ("fragment bytes", info.fragment_bytes.to_string()),
        ("size bytes", info.size_bytes.to_string()),
        ("superblock at", info.superblock_offset_bytes.to_string()),
        ("partition", info.partition.to_string()),
        ("partition at", info.partition_start_bytes.to_string()),
        ("partition bytes", info.partition_size_bytes.to_string()),
        ("groups", info.group_count.to_string()),
        ("inodes", info.inode_count.to_string()),
        ("flags", format!("{:#x}", info.flags)),
        ("state", if info.dirty { "dirty" } else { "clean" }.to_string()),
        ("id", format!("{:08x}{:08x}", info.id[0], info.id[1])),
        ("name", name.escape_ascii().to_string()),
    ];
    for (field, value) in lines {
        shown.output(format!("{field:<16} {value}\n").as_bytes())?;
    }
    Ok(())
}
