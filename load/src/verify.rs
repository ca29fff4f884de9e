//! Data of fio's `verify=`, which shows, when it is read, whether it is what was written.
//!
//! - `verify=pattern`: data that follows from its place, without a header
//!   ([`VerifyPattern`](fio_job::VerifyPattern)).
//! - [`header`]: `verify=crc32c`, a header with checksums in front of each block.
//! - [`written`]: which write a block had last, so that a lost one is noticed.
//!
//! Faults that each method finds:
//!
//! | fault | `pattern` with `%o` | `crc32c` |
//! |---|---|---|
//! | corrupted | yes | yes |
//! | misdirected on the disk | yes | yes |
//! | misdirected to another disk | no | yes, in the job that wrote |
//! | torn | unless it had the pattern before | yes |
//! | lost write, stale read | unless it had the pattern before | yes, in the job that wrote |
//!
//! Neither trusts anything but the bytes read, and each byte is looked at once. As in fio, jobs
//! that run together and write the same blocks find each other's data wrong.

pub mod header;
mod mismatch;
pub mod written;

pub use header::Header;
pub use mismatch::{Field, Mismatch};
pub use written::{Written, has_headroom};
