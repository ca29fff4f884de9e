//! `verify=` and what belongs to it: which data can be checked, and when.

use crate::verify_pattern::VerifyPattern;

/// fio's `verify=` and what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    /// `verify=pattern`, with its `verify_pattern=`.
    Pattern(VerifyPattern),
    /// `verify=crc32c`.
    Crc32c {
        /// `verify_interval=`: bytes from one header to the next, a multiple of 512 that divides
        /// the job's block.
        interval_bytes: u32,
    },
}

/// Data that can be checked. A read job checks what it reads. A job that writes fills what it
/// writes; when it is done and [`after_write`](Self::after_write), its blocks are read and checked:
/// the same [`Pattern`](crate::Pattern), run again.
///
/// With [`Method::Crc32c`] a job that writes knows which of its writes a block had last, at 4 bytes
/// of memory for each block or up to 48 for each I/O, whichever is less. It puts no I/O to a block
/// that has one in flight but takes the next instead, checks what it reads of its own writes at
/// once, and reads back each block once. A job that only reads takes the block of any writer, fio's
/// too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verify {
    /// `verify=`, with `verify_pattern=` or `verify_interval=`.
    pub method: Method,
    /// `do_verify=`: read back after writing.
    pub after_write: bool,
    /// `verify_fatal=`: the job ends at the first wrong block. Otherwise it counts them.
    pub fatal: bool,
}
