//! Checks of data: `verify=` and its companions.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use crate::number::Bytes;
use crate::verify_pattern::VerifyPattern;

/// Length of fio's `verify_header`, which the value of a [`Checksum`] follows, in bytes.
pub const HEADER_BYTES: usize = 40;

/// Method of fio's `verify=`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    /// Pattern of `verify_pattern=` (`verify=pattern`).
    Pattern(VerifyPattern),
    /// Header in each block (`verify=md5` and the like).
    Headers(Headers),
    /// Reads without a check (`verify=null`).
    Null,
}

/// Headers that stand in blocks and cover their data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headers {
    /// Checksum of what a header covers.
    pub checksum: Checksum,
    /// Bytes from one header to the next, a multiple of 512 that divides the job's writes
    /// (`verify_interval=`).
    pub interval_bytes: u32,
    /// Bytes by which headers are moved behind the start of their interval, where the data from
    /// there stands then (`verify_offset=`): 0, or at least the length of a header and as much
    /// less than the interval.
    pub offset_bytes: u32,
    /// Data that is covered, if not noise (`verify_pattern=`).
    pub pattern: Option<VerifyPattern>,
}

/// Word of `verify=`, which takes its meaning from other options.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum VerifyWord {
    Off,
    Pattern,
    Null,
    Checksum(Checksum),
}

impl VerifyWord {
    pub(crate) const NAMES: [(&str, Self); 19] = [
        ("crc32c", Self::Checksum(Checksum::Crc32c)),
        ("crc32c-intel", Self::Checksum(Checksum::Crc32c)),
        ("pattern", Self::Pattern),
        ("md5", Self::Checksum(Checksum::Md5)),
        ("sha1", Self::Checksum(Checksum::Sha1)),
        ("sha256", Self::Checksum(Checksum::Sha256)),
        ("sha512", Self::Checksum(Checksum::Sha512)),
        ("sha3-224", Self::Checksum(Checksum::Sha3_224)),
        ("sha3-256", Self::Checksum(Checksum::Sha3_256)),
        ("sha3-384", Self::Checksum(Checksum::Sha3_384)),
        ("sha3-512", Self::Checksum(Checksum::Sha3_512)),
        ("crc64", Self::Checksum(Checksum::Crc64)),
        ("crc32", Self::Checksum(Checksum::Crc32)),
        ("crc16", Self::Checksum(Checksum::Crc16)),
        ("crc7", Self::Checksum(Checksum::Crc7)),
        ("xxhash", Self::Checksum(Checksum::Xxhash)),
        ("meta", Self::Checksum(Checksum::Meta)),
        ("null", Self::Null),
        ("0", Self::Off),
    ];
}

/// Checksum behind a header of fio's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// No checksum: the header alone is checked, and the data if it is a pattern.
    Meta,
    /// MD5.
    Md5,
    /// CRC-64 of Jones.
    Crc64,
    /// CRC-32 of `cksum`, without the length.
    Crc32,
    /// CRC-32 of Castagnoli.
    Crc32c,
    /// CRC-16 of the polynomial 0x8005.
    Crc16,
    /// CRC-7 of the polynomial 9.
    Crc7,
    /// SHA-256, as fio has it.
    Sha256,
    /// SHA-512, as fio has it: the bytes at both ends of the data.
    Sha512,
    /// SHA3-224.
    Sha3_224,
    /// SHA3-256.
    Sha3_256,
    /// SHA3-384.
    Sha3_384,
    /// SHA3-512.
    Sha3_512,
    /// XXH32.
    Xxhash,
    /// SHA-1.
    Sha1,
}

impl Checksum {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Meta,
        Self::Md5,
        Self::Crc64,
        Self::Crc32,
        Self::Crc32c,
        Self::Crc16,
        Self::Crc7,
        Self::Sha256,
        Self::Sha512,
        Self::Sha3_224,
        Self::Sha3_256,
        Self::Sha3_384,
        Self::Sha3_512,
        Self::Xxhash,
        Self::Sha1,
    ];

    /// Returns the number that a header has for it (`verify_type`, in fio's verify.h).
    pub fn number(self) -> u16 {
        match self {
            Self::Meta => 1,
            Self::Md5 => 2,
            Self::Crc64 => 3,
            Self::Crc32 => 4,
            Self::Crc32c => 5,
            Self::Crc16 => 7,
            Self::Crc7 => 8,
            Self::Sha256 => 9,
            Self::Sha512 => 10,
            Self::Sha3_224 => 11,
            Self::Sha3_256 => 12,
            Self::Sha3_384 => 13,
            Self::Sha3_512 => 14,
            Self::Xxhash => 15,
            Self::Sha1 => 16,
        }
    }

    /// Returns the length of its value behind a header, in bytes.
    pub fn bytes(self) -> usize {
        match self {
            Self::Meta => 0,
            Self::Crc7 => 1,
            Self::Crc16 => 2,
            Self::Crc32 | Self::Crc32c | Self::Xxhash => 4,
            Self::Crc64 => 8,
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha3_224 => 28,
            Self::Sha3_256 => 32,
            Self::Sha3_384 => 48,
            Self::Sha256 | Self::Sha3_512 => 64,
            Self::Sha512 => 128,
        }
    }

    /// Returns the length of a header and its value, in bytes.
    pub fn header_bytes(self) -> usize {
        HEADER_BYTES + self.bytes()
    }
}

impl fmt::Display for Checksum {
    /// Prints its word.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = VerifyWord::Checksum(*self);
        let known = VerifyWord::NAMES.iter().find(|(_, known)| *known == word);
        f.write_str(known.map_or("", |(name, _)| name))
    }
}

/// Number of writes after which some are read back while others are still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// Writes that are not read back yet, at which reading begins, at least 1 (`verify_backlog=`).
    pub writes: u64,
    /// Reads then, at least [`writes`](Self::writes) (`verify_backlog_batch=`).
    pub batch: u64,
}

/// Check of a job's data. A read job checks what it reads. A job that writes fills its blocks;
/// after each pass, if [`after_write`](Self::after_write) is set, it reads and checks them in the
/// same order.
///
/// With [`Method::Headers`] a job that writes records the last write to each block, at 4 bytes of
/// memory for each block or up to 48 for each I/O, whichever is less; for blocks of several sizes,
/// as much for what divides all of them, and for those that begin anywhere, for each sector. Of
/// writes that overlap only the last is known and read back, as in fio. It skips a block that has
/// an I/O in flight and takes the next instead, checks reads of its own writes at once, and reads
/// back each block once. A job that only reads accepts the blocks of any writer, fio included. With
/// a [`Backlog`], or writes that may overlap, it does so whatever the method is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verify {
    /// Method (`verify=`, with `verify_pattern=`, `verify_interval=` and `verify_offset=`).
    pub method: Method,
    /// Whether to read back after writing (`do_verify=`).
    pub after_write: bool,
    /// Whether the job ends at the first wrong block (`verify_fatal=`). Otherwise it counts them.
    pub fatal: bool,
    /// Reads between the writes, if there are any.
    pub backlog: Option<Backlog>,
}

impl Verify {
    /// Returns the options that give this check.
    pub(crate) fn options(&self) -> Vec<(&'static str, String)> {
        let (word, pattern) = match &self.method {
            Method::Pattern(pattern) => ("pattern".to_string(), Some(pattern)),
            Method::Headers(headers) => (headers.checksum.to_string(), headers.pattern.as_ref()),
            Method::Null => ("null".to_string(), None),
        };
        let mut options = vec![("verify", word)];
        options.extend(pattern.map(|pattern| ("verify_pattern", pattern.to_string())));
        if let Method::Headers(Headers { interval_bytes, offset_bytes, .. }) = self.method {
            options.push(("verify_interval", Bytes(interval_bytes.into()).to_string()));
            if offset_bytes != 0 {
                options.push(("verify_offset", offset_bytes.to_string()));
            }
        }
        options.push(("do_verify", u8::from(self.after_write).to_string()));
        options.extend(self.fatal.then(|| ("verify_fatal", "1".to_string())));
        if let Some(Backlog { writes, batch }) = self.backlog {
            options.push(("verify_backlog", writes.to_string()));
            options.push(("verify_backlog_batch", batch.to_string()));
        }
        options
    }
}
