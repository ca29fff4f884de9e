//! fio's `verify=`: data that shows, when it is read, whether it is what was written.
//!
//! - `verify=pattern`: data that is known from where it stands, without a header
//!   ([`VerifyPattern`](fio_job::VerifyPattern)).
//! - [`header`]: `verify=crc32c`, a header with checksums in front of each block.
//! - [`written`]: which write a block had last, so that a lost one is noticed.
//!
//! What each method finds:
//!
//! | fault | `pattern` with `%o` | `crc32c` |
//! |---|---|---|
//! | corrupted | yes | yes |
//! | misdirected on the disk | yes | yes |
//! | misdirected to another disk | no | yes, in the job that wrote |
//! | torn | unless it had the pattern before | yes |
//! | lost write, stale read | unless it had the pattern before | yes, in the job that wrote |
//!
//! Neither trusts anything but the bytes that came, and each is looked at once. As in fio, jobs
//! that run together and write the same blocks find each other's data wrong.

use core::fmt;

use fio_job::Difference;

pub mod header;
pub mod written;

pub use header::{Field, Header};
pub use written::Written;

/// Something on the disk that is not what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// A byte is not the pattern's.
    Byte(Difference),
    /// A block with a header is not the one that should be there.
    Block {
        /// The offset of its header from the start of the disk.
        offset_bytes: u64,
        /// What is wrong with it.
        field: Field,
        /// What it should be.
        expected: u64,
        /// What it is.
        found: u64,
    },
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Byte(Difference { offset_bytes, expected, found }) => {
                write!(f, "verify: byte {offset_bytes} is {found:#04x}, should be {expected:#04x}")
            }
            Self::Block { offset_bytes, field, expected, found } if field.is_bits() => write!(
                f,
                "verify: block at byte {offset_bytes}: {field} is {found:#x}, should be {expected:#x}"
            ),
            Self::Block { offset_bytes, field, expected, found } => write!(
                f,
                "verify: block at byte {offset_bytes}: {field} is {found}, should be {expected}"
            ),
        }
    }
}

impl core::error::Error for Mismatch {}

impl From<Difference> for Mismatch {
    fn from(difference: Difference) -> Self {
        Self::Byte(difference)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_wrong_byte_is_named() {
        let difference = Difference { offset_bytes: 12388, expected: 0, found: 0x0f };
        let mismatch = Mismatch::from(difference);
        assert_eq!(mismatch.to_string(), "verify: byte 12388 is 0x0f, should be 0x00");
    }
}
