//! What a job writes, where nobody checks it.

use crate::verify_pattern::VerifyPattern;
use alloc::string::{String, ToString};

/// The data of writes without `verify=`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Buffers {
    /// Noise, and every sector with a stamp of its own (fio's `scramble_buffers`): no two sectors
    /// are alike.
    #[default]
    Stamped,
    /// `buffer_pattern=`; `zero_buffers` is the pattern 0x00.
    Pattern(VerifyPattern),
    /// `refill_buffers`, `buffer_compress_percentage=`: new noise for each write, with so many
    /// per cent of each sector zeros, 0 to 100.
    Refilled {
        /// Zeros at the end of each 512 bytes, in per cent.
        zeros_percent: u8,
    },
}

impl Buffers {
    /// The option that makes this.
    pub(crate) fn option(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Stamped => None,
            Self::Pattern(pattern) => Some(("buffer_pattern", pattern.to_string())),
            Self::Refilled { zeros_percent: 0 } => Some(("refill_buffers", "1".to_string())),
            Self::Refilled { zeros_percent } => {
                Some(("buffer_compress_percentage", zeros_percent.to_string()))
            }
        }
    }
}
