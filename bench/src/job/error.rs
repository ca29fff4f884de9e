//! What is wrong with a job: one line that names the option, its value and the way out.

use crate::size::NumberError;
use crate::verify::PatternError;
use alloc::string::String;
use core::fmt;

/// Why a command line, or a job on a disk, is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobError {
    /// The command line has a character that is not printable ASCII.
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
    /// `verify_pattern=` cannot be read.
    Pattern {
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
            Self::Character(character) => {
                write!(f, "command line: {character:?} is not allowed; use printable ASCII only")
            }
            Self::OpenQuote => f.write_str("command line: a \" is not closed; add one"),
            Self::Unknown { option, nearest: None } => {
                write!(f, "unknown option {option:?}; see the README for those supported")
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
            Self::Pattern { value, cause } => write!(f, "verify_pattern={value}: {cause}"),
            Self::Conflict { job, fix } => write!(f, "job {job}: {fix}"),
            Self::NotSectors { option, value, disk, sector_bytes } => write!(
                f,
                "{option}={value}: not a multiple of {sector_bytes}, the sector size of {disk}"
            ),
            Self::BeyondEnd { option, value, disk, disk_bytes, room_bytes: 0 } => {
                write!(f, "{option}={value} is beyond the end of {disk} ({disk_bytes} bytes)")
            }
            Self::BeyondEnd { option, value, disk, disk_bytes, room_bytes } => write!(
                f,
                "{option}={value} is beyond the end of {disk} ({disk_bytes} bytes); \
                 at most {room_bytes} bytes fit there"
            ),
            Self::NoMemory { job } => write!(
                f,
                "job {job}: no memory for verify=crc32c, which takes 4 bytes for each block; \
                 lower size, raise bs or give the guest more memory"
            ),
            Self::NoBlock { bs_bytes, disk } => write!(
                f,
                "the job has no room for one block of {bs_bytes} bytes on {disk}; \
                 raise size or lower offset or bs"
            ),
        }
    }
}

impl core::error::Error for JobError {}
