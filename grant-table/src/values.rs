//! Values that the operations take and return.

use core::fmt;

/// Right that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// To read only (`GNTMAP_readonly`).
    Read,
    /// To read and to write.
    Write,
}

/// Form of a table's entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Version {
    /// Marks of use are in the word of the permission.
    #[default]
    One,
    /// Marks of use are in a word of their own.
    Two,
}

/// Number of a mapping, of the domain that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Handle(pub u32);

/// Mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mapping {
    /// Its number, by which it is ended.
    pub handle: Handle,
    /// Frame that is mapped.
    pub frame: u32,
}

/// Size of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Size {
    /// Frames that it has.
    pub frames: u32,
    /// Frames that it may have.
    pub frames_max: u32,
}

/// Reason why an operation is refused, in the words of `GNTST_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// There is no such domain (`GNTST_bad_domain`).
    BadDomain,
    /// The table has no such entry (`GNTST_bad_gntref`).
    BadRef,
    /// The entry permits nothing, or not to this domain (`GNTST_general_error`).
    NotGranted,
    /// The entry permits to read only (`GNTST_general_error`).
    ReadOnly,
    /// There is no such mapping (`GNTST_bad_handle`).
    BadHandle,
    /// All handles are in use, or an entry is in use as often as can be counted
    /// (`GNTST_no_space`).
    Full,
    /// The grantor changed its entry again and again (`GNTST_general_error`).
    Unstable,
    /// An entry is in use (`-EBUSY`).
    Busy,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadDomain => "there is no such domain",
            Self::BadRef => "the table has no such entry",
            Self::NotGranted => "the entry grants this domain nothing",
            Self::ReadOnly => "the entry grants reading only",
            Self::BadHandle => "there is no such mapping",
            Self::Full => "no handle or no pin is left",
            Self::Unstable => "the entry changes all the time",
            Self::Busy => "an entry is in use",
        })
    }
}

impl core::error::Error for Status {}
