//! Jobs in fio's sense: options, values, units, defaults, and the rules for combining them.
//!
//! [`parse()`] reads jobs from a command line, [`parse_file`] from a job file; [`check_line`] and
//! [`check_file`] also say what was asked for and does not happen. [`Job::resolve`] fits a job to a
//! disk, and [`Job::options`] prints it again. A job that was read holds only values
//! that the load generator can run. Nothing here runs a job, and all of it may allocate.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod affinity;
mod blocks;
mod bounds;
mod buffers;
mod builder;
mod direction;
mod error;
mod file;
mod file_path;
mod file_service;
mod grant_mode;
mod job;
mod keyword;
mod limits;
pub mod number;
mod option_doc;
mod options;
mod order;
mod pace;
mod parse;
mod print;
mod random_distribution;
mod rate;
mod region;
mod reporting;
mod stages;
mod steady_state;
mod table;
mod text;
mod value;
mod verify;
mod verify_options;
mod verify_pattern;
mod warning;

pub use affinity::{CpuPolicy, CpuSet};
pub use blocks::{BlockMix, Share, Sizes};
pub use bounds::Bounds;
pub use buffers::Buffers;
pub use direction::Direction;
pub use error::JobError;
pub use file::{KEYWORDS, check_file, included, parse_file};
pub use file_path::FilePath;
pub use file_service::{FileOrder, FileService};
pub use grant_mode::GrantMode;
pub use job::Job;
pub use keyword::{ExitWhat, IoEngine, LatencyFrom, OnError, Poll, RateProcess, Rw};
pub use limits::{
    BLOCK_BYTES_MAX, BS_BYTES_MAX, EVENT_AFTER_MAX, IODEPTH_MAX, LOG_SAMPLES_MAX, NUMJOBS_MAX,
    QUEUES_MAX, RANDSEED, RUNTIME_NS_MAX, SECTOR_BYTES, SEGMENTS_MAX,
};
pub use option_doc::{Initial, Numbers, OptionDoc, Unit, Values};
pub use options::{find_option, help, refused_names, without_effect};
pub use order::Order;
pub use pace::{Batch, Pace, Think};
pub use parse::{check_line, parse, words};
pub use random_distribution::{Distribution, Zone, ZoneAbs};
pub use rate::Rate;
pub use region::Region;
pub use reporting::{PERCENTILES, Percentile, Reporting};
pub use stages::stages;
pub use steady_state::{Criterion, Judged, STEADY_SAMPLES_MAX, SteadyState};
pub use table::option_docs;
pub use verify::{Backlog, Checksum, HEADER_BYTES, Headers, Method, Verify};
pub use verify_pattern::{Difference, PatternError, VerifyPattern};
pub use warning::{About, Checked, Warning, summary};
