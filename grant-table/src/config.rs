//! Sizes of the tables.

/// Sizes of the tables of all domains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Number of domains, whose ids are 0 and up.
    pub domains: u16,
    /// Number of processors. Each runs one vCPU of each domain.
    pub cpus: usize,
    /// Entries of a frame of a table, 512 for Xen's version 1.
    pub entries_per_frame: u32,
    /// Frames that a table has at first.
    pub frames: u32,
    /// Frames that a table may have (`gnttab_max_frames`, 64 by default).
    pub frames_max: u32,
    /// Handles of a frame of a maptrack table, 256 for Xen's 16-byte records.
    pub handles_per_frame: u32,
    /// Frames that a maptrack table may have (`gnttab_max_maptrack_frames`, 1024 by default).
    pub handle_frames_max: u32,
}

impl Config {
    /// Returns the sizes that Xen has by default.
    pub fn xen(domains: u16, cpus: usize) -> Self {
        Self {
            domains,
            cpus,
            entries_per_frame: 512,
            frames: 1,
            frames_max: 64,
            handles_per_frame: 256,
            handle_frames_max: 1024,
        }
    }

    /// Returns the number of entries that a table may have.
    pub fn entries_max(&self) -> u32 {
        self.frames_max.saturating_mul(self.entries_per_frame)
    }

    /// Returns the number of handles that a domain may have.
    pub fn handles_max(&self) -> u32 {
        self.handle_frames_max.saturating_mul(self.handles_per_frame)
    }
}
