//! Files that a host is given: this tool itself, the guest's kernel and the job.

use std::fs::File;
use std::io::{Seek, Write};
use std::path::Path;

use anyhow::{Context, Result};
use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::display;

/// Files, by the names that they have there.
#[derive(Debug)]
pub struct Files<'a> {
    /// The guest's kernel.
    pub kernel: &'a Path,
    /// Text of the job.
    pub job: &'a str,
}

impl Files<'_> {
    /// Opens all.
    ///
    /// # Errors
    /// One that cannot be read.
    pub fn open(&self) -> Result<[(&'static str, File); 3]> {
        let open = |path: &Path| {
            File::open(path).with_context(|| format!("cannot read {}", display::path(path)))
        };
        // The file that runs, even if another has its name by now.
        let tool = open(Path::new("/proc/self/exe"))?;
        Ok([("ringmark", tool), ("kernel", open(self.kernel)?), ("job", self.job_file()?)])
    }

    /// Returns the job as a file without a name.
    fn job_file(&self) -> Result<File> {
        let write = || {
            let mut file = File::from(memfd_create(c"job", MFdFlags::MFD_CLOEXEC)?);
            file.write_all(self.job.as_bytes())?;
            file.rewind()?;
            Ok::<_, std::io::Error>(file)
        };
        write().context("cannot keep the job for the hosts")
    }
}
