//! The load generator: what to do next, on which queue, and whether it came out right.
//!
//! ```text
//! Job, Region -> Pattern -> next_io: direction and offset; verify: the data there
//! engine      -> queue pairs, one request for each I/O -> JobResult
//! ```
//!
//! Of Xen it knows the queue pair that [`engine`] drives. [`Pattern::next_io`] and what [`verify`]
//! does to a block belong to the loop: they allocate nothing and cannot fail.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod engine;
pub mod file_map;
pub mod pattern;
pub mod plan;
pub mod reader;
pub mod status;
pub mod verify;
pub mod wait;

pub use pattern::{Io, Pattern};
pub use verify::Mismatch;
