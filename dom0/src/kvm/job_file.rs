//! The job of a guest without a Xen host: a file that QEMU loads beside the kernel, as the guest's
//! boot module.

use std::env;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::display;
use crate::uuid;

/// A file with a job, for as long as this value lives.
#[derive(Debug)]
pub struct JobFile {
    path: PathBuf,
}

impl JobFile {
    /// Makes it in the directory for temporary files, under a name that nobody can foresee.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn new(job: &str) -> Result<Self> {
        let path = env::temp_dir().join(format!("ringmark-job-{}.fio", uuid::random()?));
        let cannot = || format!("cannot make {}", display::path(&path));
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(&path);
        let mut file = file.with_context(cannot)?;
        let made = Self { path: path.clone() };
        file.write_all(job.as_bytes()).with_context(cannot)?;
        Ok(made)
    }

    /// Returns its path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for JobFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn it_is_ours_and_goes() {
        let file = JobFile::new("[job]\nrw=read\n").unwrap();
        let path = file.path().to_owned();
        assert_eq!(fs::read_to_string(&path).unwrap(), "[job]\nrw=read\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        drop(file);
        assert!(!path.exists());
    }
}
