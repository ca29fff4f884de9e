//! Reads FFS images and disks: `ffs ls|cat|sum|info IMAGE [PATH]`. Output is that of `ls -lb`,
//! `cat` and `sha256sum`; an error is one line.

mod disk;

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use disk::Disk;
use fs::SCRATCH_BYTES;
use fs_tools::{HOLE_BYTES_MAX, NAMES_BYTES_MAX, Report, Result, Tools};

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
        image: PathBuf,
        #[arg(default_value = "/")]
        path: OsString,
    },
    /// Write a file's bytes
    Cat { image: PathBuf, path: OsString },
    /// SHA-256 of a file, or of all regular files below a directory
    Sum {
        /// Most bytes of holes in a file
        #[arg(long, default_value_t = HOLE_BYTES_MAX)]
        hole_bytes_max: u64,
        image: PathBuf,
        #[arg(default_value = "/")]
        path: OsString,
    },
    /// Show the superblock
    Info { image: PathBuf },
}

type Volume = fs::Volume<Disk, Vec<u8>>;

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
            | Act::Info { image } => image,
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
        warn(&self.image, line);
    }

    fn fail(&mut self, line: &str) {
        // In the order in which they came, if both go to one place.
        let _ = self.stdout.flush();
        eprintln!("ffs: {line}");
    }
}

fn warn(image: &Path, line: impl std::fmt::Display) {
    eprintln!("ffs: warning: {}: {line}", image.display());
}

fn run(act: &Act, shown: &mut Shown<'_>) -> Result<()> {
    match act {
        Act::Ls { recursive, image, path } => tools(image)?.ls(path.as_bytes(), *recursive, shown),
        Act::Cat { image, path } => tools(image)?.cat(path.as_bytes(), shown),
        Act::Sum { image, path, hole_bytes_max } => {
            let tools = Tools { hole_bytes_max: *hole_bytes_max, ..tools(image)? };
            { tools }.sum(path.as_bytes(), shown)
        }
        Act::Info { image } => info(&mount(image)?, shown),
    }
}

fn tools(image: &Path) -> Result<Tools<Disk, Vec<u8>>> {
    Ok(Tools {
        volume: mount(image)?,
        buffer: vec![0; READ_BYTES],
        names_bytes_max: NAMES_BYTES_MAX,
        hole_bytes_max: HOLE_BYTES_MAX,
    })
}

fn mount(image: &Path) -> Result<Volume> {
    let disk = Disk::open(image).map_err(|error| format!("{}: {error}", image.display()))?;
    let mut volume = Volume::mount(disk, vec![0; SCRATCH_BYTES])
        .map_err(|error| format!("{}: {error}", image.display()))?;
    if let Some(doubt) = volume.info().doubt {
        warn(image, doubt);
    }
    while let Some(warning) = volume.next_warning() {
        warn(image, warning);
    }
    Ok(volume)
}

fn to_output(error: io::Error) -> String {
    format!("standard output: {error}")
}

fn info(volume: &Volume, shown: &mut Shown<'_>) -> Result<()> {
    let info = volume.info();
    let name = info.name.split(|byte| *byte == 0).next().unwrap_or_default();
    let lines = [
        ("version", format!("{:?}", info.version)),
        ("byte order", format!("{:?}", info.endian)),
        ("block bytes", info.block_bytes.to_string()),
        ("fragment bytes", info.fragment_bytes.to_string()),
        ("size bytes", info.size_bytes.to_string()),
        ("superblock at", info.superblock_offset_bytes.to_string()),
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
