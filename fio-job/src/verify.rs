//! Checks of data: `verify=` and its companions.

use crate::verify_pattern::VerifyPattern;

/// Method of fio's `verify=`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    /// Pattern of `verify_pattern=` (`verify=pattern`).
    Pattern(VerifyPattern),
    /// Header and checksum in each block (`verify=crc32c`).
    Crc32c {
        /// Bytes from one header to the next, a multiple of 512 that divides the job's block
        /// (`verify_interval=`).
        interval_bytes: u32,
    },
}

/// Check of a job's data. A read job checks what it reads. A job that writes fills its blocks; when
/// it is done and [`after_write`](Self::after_write) is set, it reads and checks them in the same
/// order.
///
/// With [`Method::Crc32c`] a job that writes records the last write to each block, at 4 bytes of
/// memory for each block or up to 48 for each I/O, whichever is less. It skips a block that has an
/// I/O in flight and takes the next instead, checks reads of its own writes at once, and reads back
/// each block once. A job that only reads accepts the blocks of any writer, fio included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verify {
    /// Method (`verify=`, with `verify_pattern=` or `verify_interval=`).
    pub method: Method,
    /// Whether to read back after writing (`do_verify=`).
    pub after_write: bool,
    /// Whether the job ends at the first wrong block (`verify_fatal=`). Otherwise it counts them.
    pub fatal: bool,
}
