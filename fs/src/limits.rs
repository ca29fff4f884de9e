//! Limits of paths, blocks and the scratch memory.

/// Most symlinks that a path may lead through.
pub const LINKS_MAX: usize = 40;
/// Most bytes of a path, together with the symlinks that it leads through (the BSDs'
/// `MAXPATHLEN`).
pub const PATH_BYTES_MAX: usize = 1024;

/// Most directories that are searched for a path, by their size in that of the volume: a path may
/// lead through a large one hundreds of times.
pub(crate) const SEARCHED_VOLUMES_MAX: u64 = 256;

/// Size of the largest block of FFS.
pub(crate) const BLOCK_BYTES_MAX: usize = 65536;
/// Cached blocks, one for each purpose.
pub(crate) const SLOTS: usize = 5;

/// Size of the scratch memory that a volume needs, in bytes: a block of inodes, an indirect block
/// of each of the three levels, and a block of a directory or of a file's edge.
pub const SCRATCH_BYTES: usize = SLOTS * BLOCK_BYTES_MAX;
