//! Lines that the guest prints for programs to recognize.

/// First letters of all lines of the guest itself: lines of a result and of an error.
pub const OUR_LINES: &str = "ringmark";
/// First letters of the line that reports the progress of a run.
pub const STATUS_PREFIX: &str = "Jobs: ";
/// First letters of a line that warns, before a job runs, that its figures may not be what they
/// seem.
pub const WARNING_PREFIX: &str = "ringmark: warning: ";
/// Line that reports that the first I/O is done.
pub const FIRST_IO: &str = "ringmark: first I/O completed";
