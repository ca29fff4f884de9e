//! Load generator: chooses each I/O and its queue, and checks the result.
//!
//! ```text
//! Job, Region -> Pattern -> next_io: direction and offset; verify: the data there
//! engine      -> queue pairs, one request for each I/O -> JobResult
//! ```
//!
//! The only part of Xen it uses is the queue pair that [`engine`] drives. [`Pattern::next_io`] and
//! the work of [`verify`] on a block belong to the loop: they allocate nothing and cannot fail.
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
pub mod worker;

pub use pattern::{Io, Pattern};
pub use verify::Mismatch;
