//! Data that a job writes without `verify=`.

use crate::verify_pattern::VerifyPattern;
use alloc::string::{String, ToString};

/// Data of writes without `verify=`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Buffers {
    /// Random data with a different stamp in every sector (fio's `scramble_buffers`): no two
    /// sectors are alike.
    #[default]
    Stamped,
    /// Pattern of `buffer_pattern=`; `zero_buffers` is the pattern 0x00.
    Pattern(VerifyPattern),
    /// New random data for each write, with a share of zeros in each sector: `refill_buffers`,
    /// `buffer_compress_percentage=`.
    Refilled {
        /// Share of zeros, at the end of each 512 bytes, in per cent, 0 to 100.
        zeros_percent: u8,
    },
}

impl Buffers {
    /// Returns the option that gives this data.
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
