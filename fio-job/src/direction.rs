//! The way that the data of an I/O goes.

/// Which way the data goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the disk.
    Read,
    /// To the disk.
    Write,
    /// Nowhere: what is there is given up.
    Trim,
}

impl Direction {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Trim];
}
