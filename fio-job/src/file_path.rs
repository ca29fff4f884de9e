//! Name of a file in a file system on a disk.

use alloc::string::String;
use core::fmt;

/// File in an FFS on a disk: what follows the disk's name in `filename=xvda:/path` or
/// `filename=xvda@s1a:/path`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FilePath {
    /// Partition that has the file system, if one is named. Its name has letters and digits, as
    /// the reader of partition tables has yet to understand it.
    pub partition: Option<String>,
    /// Absolute path.
    pub path: String,
}

impl fmt::Display for FilePath {
    /// Writes the path, behind the partition if there is one: `/path` or `s1a:/path`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(partition) = &self.partition {
            write!(f, "{partition}:")?;
        }
        f.write_str(&self.path)
    }
}

impl From<&str> for FilePath {
    /// Names a file in the file system that is mounted without a partition's name.
    fn from(path: &str) -> Self {
        Self { partition: None, path: path.into() }
    }
}
