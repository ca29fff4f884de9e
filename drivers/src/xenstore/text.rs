//! Text that is longer than one node may be: the node has its length in bytes, in decimal, and its
//! children `0`, `1`, .. have the text in pieces.
//!
//! It is read without a transaction, since it is written before the domain runs.

use alloc::format;
use alloc::string::String;
use core::fmt;

use super::{Error, Transaction, Xenstore};
use crate::vcpu::Vcpu;

/// Reason why a text can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextError {
    /// A request to xenstore failed.
    Store(Error),
    /// The node's value is not a length, or too large.
    Length {
        /// Path of the node.
        path: String,
        /// Value of the node.
        value: String,
        /// Largest length that is allowed, in bytes.
        bytes_max: usize,
    },
    /// A piece is missing, empty, or more than is left of the length.
    Piece {
        /// Path of the piece's node.
        path: String,
        /// Length of the piece in bytes; `None` if it is missing.
        found_bytes: Option<usize>,
        /// Rest of the text's length, in bytes.
        left_bytes: usize,
    },
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Length { path, value, bytes_max } => {
                write!(f, "{path} is \"{}\", not a length of at most ", value.escape_debug())?;
                write!(f, "{bytes_max} bytes; write the text's length there")
            }
            Self::Piece { path, found_bytes: None, left_bytes } => {
                write!(
                    f,
                    "{path} is missing, but {left_bytes} more bytes are expected; write it, too"
                )
            }
            Self::Piece { path, found_bytes: Some(found_bytes), left_bytes } => write!(
                f,
                "{path} has {found_bytes} bytes, expected 1 to {left_bytes}; \
                 write the text's length and pieces again"
            ),
        }
    }
}

impl core::error::Error for TextError {}

impl From<Error> for TextError {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl<V: Vcpu> Xenstore<'_, V> {
    /// Returns the text at `path`, of at most `bytes_max` bytes; `None` when there is no such node.
    /// All pieces together have the time of one request.
    ///
    /// # Errors
    /// [`TextError`].
    pub fn read_text(&mut self, path: &str, bytes_max: usize) -> Result<Option<String>, TextError> {
        self.in_time(|store| store.read_pieces(path, bytes_max))
    }

    fn read_pieces(&mut self, path: &str, bytes_max: usize) -> Result<Option<String>, TextError> {
        let Some(value) = self.read_if_there(path)? else { return Ok(None) };
        let Some(bytes) = value.parse().ok().filter(|&bytes: &usize| bytes <= bytes_max) else {
            return Err(TextError::Length { path: path.into(), value, bytes_max });
        };
        let mut text = String::with_capacity(bytes);
        let mut number = 0_u32;
        // Each turn takes a byte at least.
        while text.len() < bytes {
            let path = format!("{path}/{number}");
            let left_bytes = bytes - text.len();
            let piece = self.read_if_there(&path)?;
            match piece {
                Some(piece) if (1..=left_bytes).contains(&piece.len()) => text.push_str(&piece),
                other => {
                    let found_bytes = other.map(|piece| piece.len());
                    return Err(TextError::Piece { path, found_bytes, left_bytes });
                }
            }
            number += 1;
        }
        Ok(Some(text))
    }

    fn read_if_there(&mut self, path: &str) -> Result<Option<String>, Error> {
        match self.read(Transaction::NONE, path) {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }
}
