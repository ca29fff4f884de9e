//! Lines that the guest prints for programs to recognize.

/// First letters of all lines of the guest itself: those of a result and those of an error.
pub const OUR_LINES: &str = "ringmark";
/// First letters of the line that says how far a run is.
pub const STATUS_PREFIX: &str = "Jobs: ";
/// Line that says that the first I/O is done.
pub const FIRST_IO: &str = "ringmark: first I/O completed";
