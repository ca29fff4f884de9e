//! Job file on its way to the guest, through xenstore or as the module beside the kernel.
//!
//! In xenstore the node holds the file's length in bytes, in decimal, and its children `0`, `1`, ..
//! hold the text in pieces, because a node cannot hold a long text. dom0 writes it before the
//! domain runs.

/// Node of the job file, below the domain's own path.
pub const JOB_NODE: &str = "ringmark/job";
/// Longest job file, in bytes.
pub const JOB_FILE_BYTES_MAX: usize = 64 << 10;
/// Longest piece in a node, in bytes: a quota that only dom0 may exceed.
pub const PIECE_BYTES_MAX: usize = 2048;
