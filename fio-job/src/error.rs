//! Errors in jobs: one line that names the option, its value and a way to fix it.

use crate::file_path::FilePath;
use crate::limits::NUMJOBS_MAX;
use crate::number::{Bytes, NumberError};
use crate::verify_pattern::PatternError;
use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

/// Reason to refuse a section, and what to do.
const NO_END: &str = "a section ends with ], which nothing follows but a comment, and has no ; or # \
                      within; write, for example, [job1]";
/// Most bytes of a value that an error shows.
const SHOWN_BYTES_MAX: usize = 64;
/// Reason to refuse a file without a job, and what to do.
const NO_JOB: &str = "the job file has no job; add a section, for example [job1]";
/// Reason to refuse `include`, and what to do.
const NO_FILES: &str =
    "a guest has no files; copy its lines here, or let `ringmark run` include it";
/// Reason to refuse a variable, and what to do.
const NO_ENVIRONMENT: &str =
    "a guest has no environment; write the value, or let `ringmark run` put it in";
/// Reason to refuse a check whose table does not fit, and what to do.
const NO_MEMORY: &str = "not enough memory for verify=, which takes 4 bytes for each block, or up \
                         to 48 for each I/O; lower size, io_size or number_ios, raise bs or give \
                         the guest more memory";

/// Reason why a command line, a job file, or a job on a disk is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobError {
    /// A line of a job file is wrong.
    Line {
        /// Number of the line, from 1.
        number: usize,
        /// Error in the line.
        cause: Box<JobError>,
    },
    /// An option in a job file comes before any section.
    NoSection,
    /// A job file's `[` has no closing `]`.
    OpenSection,
    /// A job file includes another, which only the tool for dom0 can read.
    Include {
        /// Name of the other file.
        file: String,
    },
    /// A job file has a variable, which only the tool for dom0 knows.
    Variable {
        /// Variable as it was written, such as `${BS}` or `$ncpus`.
        variable: String,
    },
    /// The job file has no job.
    NoJob,
    /// There are more than [`NUMJOBS_MAX`] jobs.
    TooManyJobs {
        /// Name of the first job over the limit.
        job: String,
    },
    /// A character is not printable ASCII.
    Character(char),
    /// A `"` has no closing `"`.
    OpenQuote,
    /// The option is unknown, to fio as well.
    Unknown {
        /// Option as it was given.
        option: String,
        /// Supported option with a similar name.
        nearest: Option<&'static str>,
    },
    /// The option is fio's, but not supported.
    Unsupported {
        /// Name of the option.
        option: &'static str,
        /// Reason, and a way to fix it.
        fix: &'static str,
    },
    /// The option has no value.
    NoValue(&'static str),
    /// The value is not a number that the option accepts.
    Number {
        /// Name of the option.
        option: &'static str,
        /// Value as it was given.
        value: String,
        /// Reason why the number is wrong.
        cause: NumberError,
    },
    /// The option does not accept the value.
    Value {
        /// Name of the option.
        option: &'static str,
        /// Value as it was given.
        value: String,
        /// Reason, and a way to fix it.
        fix: &'static str,
    },
    /// A `verify_pattern=` or `buffer_pattern=` cannot be read.
    Pattern {
        /// Name of the option.
        option: &'static str,
        /// Value as it was given.
        value: String,
        /// Reason why the pattern is wrong.
        cause: PatternError,
    },
    /// Two options of the job conflict.
    Conflict {
        /// Name of the job.
        job: String,
        /// Reason, and a way to fix it.
        fix: &'static str,
    },
    /// The path was never looked up: a bug in the caller.
    NoFile(FilePath),
    /// A job that writes names a snapshot of the file system.
    Snapshot {
        /// Path of the file.
        file: FilePath,
    },
    /// A part of the file has no bytes on the disk.
    Hole {
        /// Path of the file.
        file: FilePath,
        /// Offset of the hole in the file, in bytes.
        offset: u64,
    },
    /// A block of the job is split between two places on the disk, or begins inside a disk sector.
    Broken {
        /// Path of the file.
        file: FilePath,
        /// Offset in the file at which a new piece begins, in bytes.
        offset: u64,
        /// Block size of the job, in bytes.
        bs_bytes: u32,
        /// Largest block size that would fit, in bytes; 0 if there is none.
        fits_bytes: u64,
    },
    /// The value is not a multiple of the disk's sector size.
    NotSectors {
        /// Name of the option.
        option: &'static str,
        /// Value of the option.
        value: String,
        /// Name of the disk.
        disk: String,
        /// Logical sector size of the disk, in bytes.
        sector_bytes: u32,
    },
    /// The region starts or ends beyond the disk.
    BeyondEnd {
        /// Name of the option.
        option: &'static str,
        /// Value of the option.
        value: String,
        /// Name of the disk.
        disk: String,
        /// Length of the disk, in bytes.
        disk_bytes: u64,
        /// Bytes from the job's offset to the end of the disk.
        room_bytes: u64,
    },
    /// There is not enough memory to record the last write to each block.
    NoMemory {
        /// Name of the job.
        job: String,
    },
    /// There is not enough memory for a random map.
    NoMap {
        /// Name of the job.
        job: String,
        /// Memory that the map takes, in bytes.
        map_bytes: u64,
    },
    /// The region is smaller than one block.
    NoBlock {
        /// Block size, in bytes.
        bs_bytes: u32,
        /// Name of the disk.
        disk: String,
    },
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { number, cause } => write!(f, "line {number}: {cause}"),
            Self::NoSection => f.write_str(
                "an option comes before the first section; begin with [global] or [job1]",
            ),
            Self::OpenSection => f.write_str(NO_END),
            Self::Include { file } => write!(f, "include {file}: {NO_FILES}"),
            Self::Variable { variable } => write!(f, "{variable}: {NO_ENVIRONMENT}"),
            Self::NoJob => f.write_str(NO_JOB),
            Self::TooManyJobs { job } => {
                write!(
                    f,
                    "job {job}: more than {NUMJOBS_MAX} jobs; leave some out, or lower numjobs"
                )
            }
            Self::Character(character) => {
                write!(f, "{character:?} is not allowed; use printable ASCII only")
            }
            Self::OpenQuote => f.write_str("a \" has no closing \"; add it"),
            Self::Unknown { option, nearest: None } => {
                write!(f, "unknown option {:?}; see help for the supported options", cut(option))
            }
            Self::Unknown { option, nearest: Some(nearest) } => {
                write!(f, "unknown option {:?}; did you mean {nearest}?", cut(option))
            }
            Self::Unsupported { option, fix } => {
                write!(f, "fio option {option} is not supported; {fix}")
            }
            Self::NoValue(option) => write!(f, "{option} needs a value; write {option}=..."),
            Self::Number { option, value, cause } => fmt_value(f, option, value, cause),
            Self::Value { option, value, fix } => fmt_value(f, option, value, fix),
            Self::Pattern { option, value, cause } => fmt_value(f, option, value, cause),
            Self::Conflict { job, fix } => write!(f, "job {job}: {fix}"),
            Self::NoFile(file) => write!(f, "{file} was never looked up, a bug in ringmark"),
            Self::Snapshot { file } => write!(
                f,
                "{file} is a snapshot, which shares blocks with the live files; it can only be read"
            ),
            Self::Hole { file, offset } => write!(
                f,
                "{file} has a hole at byte {offset}; choose another part with offset= and size="
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
                fmt_room(f, *room_bytes)
            }
            Self::NoMemory { job } => write!(f, "job {job}: {NO_MEMORY}"),
            Self::NoMap { job, map_bytes } => write!(
                f,
                "job {job}: not enough memory for a random map of {} KiB, a bit for each of the \
                 smallest blocks; give the guest more memory, raise the smallest size, lower size, \
                 or add norandommap",
                map_bytes.div_ceil(1024)
            ),
            Self::NoBlock { bs_bytes, disk } => write!(
                f,
                "not even one block of {bs_bytes} bytes fits the job's region on {disk}; \
                 raise size, or lower offset or bs"
            ),
        }
    }
}

fn fmt_value(
    f: &mut fmt::Formatter<'_>,
    option: &str,
    value: &str,
    why: &dyn fmt::Display,
) -> fmt::Result {
    let gap = if cut(value).len() < value.len() { ".." } else { "" };
    write!(f, "{option}={}{gap}: {why}", cut(value))
}

/// Returns the beginning of a text, which is all of it if it is short.
fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(SHOWN_BYTES_MAX)).unwrap_or(text)
}

fn fmt_room(f: &mut fmt::Formatter<'_>, room_bytes: u64) -> fmt::Result {
    match room_bytes {
        0 => Ok(()),
        room => write!(f, "; at most {room} bytes fit there"),
    }
}

fn fmt_broken(
    f: &mut fmt::Formatter<'_>,
    file: &FilePath,
    offset: u64,
    bs_bytes: u32,
    fits_bytes: u64,
) -> fmt::Result {
    let bs = Bytes(bs_bytes.into());
    write!(
        f,
        "{file} is stored in several pieces, and a block of {bs} would cross from one to the \
         next at byte {offset}; "
    )?;
    match fits_bytes {
        0 => f.write_str(
            "no bs= avoids this: the pieces start inside disk sectors, or blocks begin anywhere; \
             choose one piece with offset= and size=",
        ),
        fits => write!(f, "use bs={} or less", Bytes(fits)),
    }
}

impl core::error::Error for JobError {}
