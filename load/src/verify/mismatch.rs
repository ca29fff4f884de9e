//! Differences found on a disk, and their text for the user.

use core::fmt;

use fio_job::Difference;

/// Field of a block that differs from what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// No header, or another program's.
    Magic,
    /// Header of another `verify=`.
    Type,
    /// Header that was changed.
    HeaderChecksum,
    /// Block written with another `bs=` or `verify_interval=`.
    Length,
    /// Block of another place: misdirected.
    Offset,
    /// Block of another run: the write was lost, or the read is stale.
    Run,
    /// Block of another job: misdirected.
    Job,
    /// Block of an earlier write, or of another disk: lost, stale or misdirected.
    Write,
    /// Data that was changed, or is of several writes: corrupted or torn.
    DataChecksum,
}

impl Field {
    /// Returns whether it is bits rather than a number.
    pub(super) fn is_bits(self) -> bool {
        matches!(self, Self::Magic | Self::HeaderChecksum | Self::DataChecksum)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Magic => "magic",
            Self::Type => "verify type",
            Self::HeaderChecksum => "header checksum",
            Self::Length => "length",
            Self::Offset => "offset",
            Self::Run => "start of the run in ns",
            Self::Job => "number of the job",
            Self::Write => "number of the write",
            Self::DataChecksum => "data checksum",
        })
    }
}

/// Difference between the disk and what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// A byte is not the pattern's.
    Byte(Difference),
    /// A block with a header is not the one that should be there.
    Block {
        /// Offset of its header from the start of the disk, in bytes.
        offset_bytes: u64,
        /// Field that is wrong.
        field: Field,
        /// Expected value.
        expected: u64,
        /// Value found.
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
