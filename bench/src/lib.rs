//! The load generator: what to do, what to do next, and what came of it.
//!
//! The crate knows fio's option names, meanings and output; of Xen it knows the queue pair that
//! [`engine`] drives. Data flows one way through it:
//!
//! ```text
//! text         -> job::parse -> Job -> Job::resolve (to a disk) -> Region
//! Job, Region  -> Pattern    -> next_io: direction and offset; verify: the data there
//! latencies    -> Histogram  -> JobResult -> table (people), Report (fio's forms; over a console)
//! ```
//!
//! The text is a command line, or a job file ([`job::parse_file`]).
//! `parse`, `resolve` and everything in [`result`] belong to set-up and reporting and may allocate.
//! [`Pattern::next_io`], [`Histogram::record`] and what [`verify`] does to a block belong to the
//! loop: they allocate nothing and cannot fail.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod command_line;
pub mod engine;
pub mod file_map;
pub mod histogram;
pub mod job;
pub mod pattern;
pub mod persistent;
pub mod reader;
pub mod result;
pub mod size;
pub mod status;
pub mod verify;
pub mod wait;

pub use command_line::CommandLine;
pub use histogram::Histogram;
pub use job::{GrantMode, Job, JobError, Poll, Region, Rw};
pub use pattern::{Direction, Io, Pattern};
pub use result::{Counters, JobResult};
pub use verify::{Mismatch, VerifyPattern};
