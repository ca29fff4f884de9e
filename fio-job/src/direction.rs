//! Direction of an I/O's data.

/// Direction of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Read: data comes from the disk.
    Read,
    /// Write: data goes to the disk.
    Write,
    /// Trim: no data moves, and the contents are discarded.
    Trim,
}

impl Direction {
    /// Every direction, in order.
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Trim];
}
