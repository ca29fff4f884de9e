//! States of a frontend or a backend (io/xenbus.h).

use core::fmt;

/// `enum xenbus_state`, as it stands in a device's `state` node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XenbusState {
    /// No such node, or nothing known.
    Unknown = 0,
    /// Waiting for the other end to come.
    Initialising = 1,
    /// The backend waits for the frontend's keys.
    InitWait = 2,
    /// The keys are there.
    Initialised = 3,
    /// I/O may flow.
    Connected = 4,
    /// Going away, after what is in flight.
    Closing = 5,
    /// Gone.
    Closed = 6,
    /// The backend is being changed.
    Reconfiguring = 7,
    /// The backend has been changed.
    Reconfigured = 8,
}

impl XenbusState {
    /// Returns the state with this number; `None` above 8.
    pub const fn from_number(number: u64) -> Option<Self> {
        Some(match number {
            0 => Self::Unknown,
            1 => Self::Initialising,
            2 => Self::InitWait,
            3 => Self::Initialised,
            4 => Self::Connected,
            5 => Self::Closing,
            6 => Self::Closed,
            7 => Self::Reconfiguring,
            8 => Self::Reconfigured,
            _ => return None,
        })
    }
}

impl fmt::Display for XenbusState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?} ({})", *self as u8)
    }
}
