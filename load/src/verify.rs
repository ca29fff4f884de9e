//! Data of fio's `verify=`, which shows, when it is read, whether it is what was written.
//!
//! - `verify=pattern`: data that follows from its place, without a header
//!   ([`VerifyPattern`](fio_job::VerifyPattern)).
//! - [`header`], [`checksum`]: `verify=crc32c`, `md5` and the like, a header with a checksum in
//!   front of each block, or inside it.
//! - [`written`]: which write a block had last, so that a lost one is noticed.
//!
//! Faults that each method finds:
//!
//! | fault | `pattern` with `%o` | `crc32c`, `md5`, .. | `meta` |
//! |---|---|---|---|
//! | corrupted | yes | yes | in the header |
//! | misdirected on the disk | yes | yes | yes |
//! | misdirected to another disk | no | yes, in the job that wrote | as `crc32c` |
//! | torn | unless it had the pattern before | yes | if the header is |
//! | lost, stale | unless it had the pattern before | yes, in the job that wrote | as `crc32c` |
//!
//! None trusts anything but the bytes read, and each byte is looked at once. As in fio, of
//! jobs that run together and write the same blocks, a block's write is known by its number in its
//! job only, and by nothing where sizes differ or only time ends the job. fio's `sha512` covers
//! both ends of a block only; of what a job wrote itself, the rest is compared as well.

pub mod checksum;
pub mod header;
mod mismatch;
pub mod written;

pub use checksum::Sum;
pub use header::{Header, Known};
pub use mismatch::{Field, Mismatch};
pub use written::{Written, has_headroom};
