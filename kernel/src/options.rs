//! The source of the jobs: fio's options on the command line, or a job file, by xenstore or as the
//! module that is loaded beside the kernel (`ramdisk=`). One of these only, so that none is
//! overlooked.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use drivers::xenstore::{TextError, Xenstore};
use fio_job::{Checked, JobError};
use guest_protocol::CommandLine;
use guest_protocol::job_file::{JobFileError, Sources};
use guest_protocol::job_node::{JOB_FILE_BYTES_MAX, JOB_NODE};

use crate::vcpu::Vcpu;

/// The task of the guest.
#[derive(Debug)]
pub struct Options {
    /// The command line, with jobs or without.
    pub line: CommandLine,
    /// The job file, if there is one.
    file: Option<String>,
}

/// Reason why a job file is refused.
#[derive(Debug)]
pub enum DeliveryError {
    /// xenstore can't be read, or what is there does not add up.
    Store(TextError),
    /// The file, or that there is one, is wrong.
    File(JobFileError),
}

impl fmt::Display for DeliveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::File(error) => error.fmt(f),
        }
    }
}

impl Options {
    /// Collects the options of a command line and of the job file, if there is one, in the bytes of
    /// the module beside the kernel or in xenstore.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub fn collect(
        line: CommandLine,
        module: Option<Vec<u8>>,
        store: &mut Xenstore<'_, Vcpu>,
    ) -> Result<Self, DeliveryError> {
        let stored = store.read_text(JOB_NODE, JOB_FILE_BYTES_MAX).map_err(DeliveryError::Store)?;
        let sources = Sources { has_line: !line.jobs.is_empty(), module, stored };
        Ok(Self { file: sources.job_file().map_err(DeliveryError::File)?, line })
    }

    /// Returns the jobs, and the warnings about them.
    ///
    /// # Errors
    /// The first thing that is wrong with them.
    pub fn jobs(&self) -> Result<Checked, JobError> {
        match &self.file {
            Some(file) => fio_job::check_file(file),
            None => fio_job::check_line(&self.line.jobs),
        }
    }
}
