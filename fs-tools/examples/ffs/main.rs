//! Reads FFS images and disks: `ffs ls|cat|sum|info [-p PARTITION] IMAGE [PATH]` and
//! `ffs partitions IMAGE`. Output is that of `ls -lb`, `cat` and `sha256sum`; an error is one line.

mod disk;
mod partitions;

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use disk::{Disk, open, warn};
use fs::{Partition, PartitionName, SCRATCH_BYTES};
use fs_tools::{Result, Tools};

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

type Volume = fs::Volume<Disk, Vec<u8>>;

const READ_BYTES: usize = 1 << 20;

fn main() -> ExitCode {
    let mut stdout = io::BufWriter::new(io::stdout().lock());
    let done =
        run(&Arguments::parse().act, &mut |bytes| stdout.write_all(bytes).map_err(to_output));
    match done.and_then(|()| stdout.flush().map_err(to_output)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ffs: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(act: &Act, output: fs_tools::Output<'_>) -> Result<()> {
    match act {
        Act::Ls { recursive, choice, image, path } => {
            tools(image, choice)?.ls(path.as_bytes(), *recursive, output)
        }
        Act::Cat { choice, image, path } => tools(image, choice)?.cat(path.as_bytes(), output),
        Act::Sum { choice, image, path } => tools(image, choice)?.sum(path.as_bytes(), output),
        Act::Info { choice, image } => info(&mount(image, choice)?, output),
        Act::Partitions { image } => partitions::list(image, output),
    }
}

fn tools(image: &Path, choice: &Choice) -> Result<Tools<Disk, Vec<u8>>> {
    let volume = mount(image, choice)?;
    Ok(Tools { volume, buffer: vec![0; READ_BYTES], names_bytes_max: usize::MAX })
}

fn mount(image: &Path, choice: &Choice) -> Result<Volume> {
    let mut disk = open(image)?;
    let partition = choice.partition.map(|name| find(&mut disk, image, name)).transpose()?;
    let scratch = vec![0; SCRATCH_BYTES];
    let volume = match partition {
        Some(partition) => Volume::mount_partition(disk, scratch, &partition),
        None => Volume::mount(disk, scratch),
    };
    let volume = volume.map_err(|error| format!("{}: {error}", image.display()))?;
    let info = volume.info();
    for doubt in &info.doubts {
        warn(image, doubt);
    }
    if info.dirty {
        eprintln!("ffs: warning: {} was not unmounted or needs fsck", image.display());
    }
    if info.size_bytes > info.partition_size_bytes {
        eprintln!("ffs: warning: {} is smaller than the file system on it", image.display());
    }
    Ok(volume)
}

/// Finds a partition by its name.
fn find(disk: &mut Disk, image: &Path, name: PartitionName) -> Result<Partition> {
    let tables = fs::partitions(disk, vec![0; SCRATCH_BYTES])
        .map_err(|error| format!("{}: {error}", image.display()))?;
    for doubt in &tables.doubts {
        warn(image, doubt);
    }
    tables.find(name).map_err(|error| format!("{}: {error}", image.display()))
}

fn to_output(error: io::Error) -> String {
    format!("standard output: {error}")
}

fn info(volume: &Volume, output: fs_tools::Output<'_>) -> Result<()> {
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
        output(format!("{field:<16} {value}\n").as_bytes())?;
    }
    Ok(())
}
