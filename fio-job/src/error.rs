//! What is wrong with a job: one line that names the option, its value and the way out.

use crate::limits::NUMJOBS_MAX;
use crate::number::{Bytes, NumberError};
use crate::verify_pattern::PatternError;
use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

/// Why a command line, a job file, or a job on a disk, is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobError {
    /// A line of a job file is wrong.
    Line {
        /// From 1.
        number: usize,
        /// What is wrong with it.
        cause: Box<JobError>,
    },
    /// An option of a job file stands before any section.
    NoSection,
    /// A job file's `[` is not closed.
    OpenSection,
    /// A job file includes another.
    Include,
    /// A job file without a job.
    NoJob,
    /// More than [`NUMJOBS_MAX`] jobs.
    TooManyJobs {
        /// The job that is too much.
        job: String,
    },
    /// A character is not printable ASCII.
    Character(char),
    /// A `"` is not closed.
    OpenQuote,
    /// Neither fio nor we know the option.
    Unknown {
        /// As it was given.
        option: String,
        /// An option that is spelled much alike.
        nearest: Option<&'static str>,
    },
    /// fio knows the option, we do not.
    Unsupported(&'static str),
    /// The option came without a value.
    NoValue(&'static str),
    /// The value is no number of the option's kind.
    Number {
        /// The option's name.
        option: &'static str,
        /// As it was given.
        value: String,
        /// What is wrong with it.
        cause: NumberError,
    },
    /// The value is not one that the option can have.
    Value {
        /// The option's name.
        option: &'static str,
        /// As it was given.
        value: String,
        /// What is wrong with it, and what would be right.
        fix: &'static str,
    },
    /// A `verify_pattern=` or `buffer_pattern=` cannot be read.
    Pattern {
        /// The option's name.
        option: &'static str,
        /// As it was given.
        value: String,
        /// What is wrong with it.
        cause: PatternError,
    },
    /// Two options of a job do not go together.
    Conflict {
        /// The job's name.
        job: String,
        /// What is wrong, and what would be right.
        fix: &'static str,
    },
    /// No file of this path was looked up, which is a bug of whoever runs the job.
    NoFile(String),
    /// A job that writes is on a snapshot of the file system.
    Snapshot {
        /// The file's path.
        file: String,
    },
    /// A part of the file has no bytes on the disk.
    Hole {
        /// Its path.
        file: String,
        /// Where in the file.
        offset: u64,
    },
    /// A block of the job lies in two places, or begins within a sector of the disk.
    Broken {
        /// The file's path.
        file: String,
        /// Where in the file a new piece begins.
        offset: u64,
        /// The job's block.
        bs_bytes: u32,
        /// The largest block that would fit; 0 if none does.
        fits_bytes: u64,
    },
    /// The value is no whole number of the disk's sectors.
    NotSectors {
        /// The option's name.
        option: &'static str,
        /// The option's value.
        value: String,
        /// The disk.
        disk: String,
        /// Its logical sector.
        sector_bytes: u32,
    },
    /// The region starts or ends beyond the disk.
    BeyondEnd {
        /// The option's name.
        option: &'static str,
        /// The option's value.
        value: String,
        /// The disk.
        disk: String,
        /// Its length.
        disk_bytes: u64,
        /// What the disk has from the job's offset on.
        room_bytes: u64,
    },
    /// There is no memory to know which write each block had last.
    NoMemory {
        /// The job's name.
        job: String,
    },
    /// The region has no room for one block.
    NoBlock {
        /// The block.
        bs_bytes: u32,
        /// The disk.
        disk: String,
    },
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { number, cause } => write!(f, "line {number}: {cause}"),
            Self::NoSection => {
                f.write_str("an option before the first section; begin with [global] or [job1]")
            }
            Self::OpenSection => f.write_str("a section is not closed; write for example [job1]"),
            Self::Include => f.write_str("a job file cannot include another; put its lines here"),
            Self::NoJob => {
                f.write_str("the job file has no job; add a section, for example [job1]")
            }
            Self::TooManyJobs { job } => {
                write!(f, "job {job}: over {NUMJOBS_MAX} jobs; lower numjobs")
            }
            Self::Character(character) => {
                write!(f, "{character:?} is not allowed; use printable ASCII only")
            }
            Self::OpenQuote => f.write_str("a \" is not closed; add one"),
            Self::Unknown { option, nearest: None } => {
                write!(f, "unknown option {option:?}; see help for those supported")
            }
            Self::Unknown { option, nearest: Some(nearest) } => {
                write!(f, "unknown option {option:?}; did you mean {nearest}?")
            }
            Self::Unsupported(option) => {
                write!(f, "fio option {option} is not supported; leave it out")
            }
            Self::NoValue(option) => write!(f, "{option} needs a value; write {option}=..."),
            Self::Number { option, value, cause } => write!(f, "{option}={value}: {cause}"),
            Self::Value { option, value, fix } => write!(f, "{option}={value}: {fix}"),
            Self::Pattern { option, value, cause } => write!(f, "{option}={value}: {cause}"),
            Self::Conflict { job, fix } => write!(f, "job {job}: {fix}"),
            Self::NoFile(file) => write!(f, "{file} was not looked up"),
            Self::Snapshot { file } => write!(
                f,
                "{file} is a snapshot, whose blocks are also those of the live files; \
                 it can only be read"
            ),
            Self::Hole { file, offset } => write!(
                f,
                "{file} has a hole at byte {offset}; choose another part by offset= and size="
            ),
            Self::Broken { file, offset, bs_bytes, fits_bytes } => {
                fmt_broken(f, file, *offset, *bs_bytes, *fits_bytes)
            }
            Self::NotSectors { option, value, disk, sector_bytes } => write!(
                f,
                "{option}={value}: not a multiple of {sector_bytes}, the sector size of {disk}"
            ),
            Self::BeyondEnd { option, value, disk, disk_bytes, room_bytes } => {
                write!(f, "{option}={value} is beyond the end of {disk} ({disk_bytes} bytes)")?;
                match room_bytes {
                    0 => Ok(()),
                    room => write!(f, "; at most {room} bytes fit there"),
                }
            }
            Self::NoMemory { job } => write!(
                f,
                "job {job}: no memory for verify=crc32c, which takes 4 bytes for each block, or up \
                 to 48 for each I/O; lower size, io_size or number_ios, raise bs or give the guest \
                 more memory"
            ),
            Self::NoBlock { bs_bytes, disk } => write!(
                f,
                "the job has no room for one block of {bs_bytes} bytes on {disk}; \
                 raise size or lower offset or bs"
            ),
        }
    }
}

fn fmt_broken(
    f: &mut fmt::Formatter<'_>,
    file: &str,
    offset: u64,
    bs_bytes: u32,
    fits_bytes: u64,
) -> fmt::Result {
    let bs = Bytes(bs_bytes.into());
    write!(
        f,
        "{file} lies in several pieces, and a block of {bs} would cross from one to the next at \
         byte {offset}; "
    )?;
    match fits_bytes {
        0 => f.write_str("no block does not: they begin within sectors of the disk"),
        fits => write!(f, "use bs={} or less", Bytes(fits)),
    }
}

impl core::error::Error for JobError {}
