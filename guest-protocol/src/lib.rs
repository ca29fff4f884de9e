//! Protocol between the guest and dom0: every string that they exchange.
//!
//! dom0 gives the guest a [`CommandLine`] and a job file ([`job_node`], [`job_file`]), and may let
//! several begin at once ([`barrier`]). The guest
//! prints lines that programs recognize ([`console`]), files whose lines are kept apart from its
//! own ([`Quote`]), and its result in a frame ([`frame`]). Both ends of each are here, so that they
//! change together.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod barrier;
pub mod command_line;
pub mod console;
pub mod frame;
pub mod job_file;
pub mod job_node;
mod quote;

pub use command_line::{CommandLine, Inspect, Selftest};
pub use frame::{Deframer, FrameError, ResultFramer};
pub use quote::Quote;
