//! Statistics that figures are judged by: whether a run was steady, how far its mean can be off,
//! whether one system is faster than another, and whether something disturbed them.
//!
//! Pure functions of slices of numbers, for the guest and for dom0. Whatever they are given, they
//! end, and do not panic: what is not finite is refused. Rules and measured error rates:
//! docs/statistics.md.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod comparison;
mod correlation;
mod moments;
mod mser;
pub mod noise;
pub mod pairs;
mod rank;
pub mod samples;
pub mod steady;
pub mod student;

pub use comparison::{Comparison, Method, Verdict};
