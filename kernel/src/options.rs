//! Where jobs come from: as fio's options on the command line, or as a job file by xenstore or as
//! the module that is loaded beside the kernel (`ramdisk=`). By one of these ways only, so that
//! none is overlooked.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use drivers::xenstore::{TextError, Xenstore};
use fio_job::{Job, JobError};
use guest_protocol::CommandLine;
use guest_protocol::job_node::{JOB_FILE_BYTES_MAX, JOB_NODE};

use crate::vcpu::Vcpu;

/// What the guest is asked to do.
#[derive(Debug)]
pub struct Options {
    /// The command line, with jobs or without.
    pub line: CommandLine,
    /// The job file, if there is one.
    file: Option<String>,
}

/// Why a job file is refused.
#[derive(Debug)]
pub enum DeliveryError {
    /// xenstore can't be read, or what is there does not add up.
    Store(TextError),
    /// The module is too long.
    TooLong,
    /// The module is no text.
    NotText,
    /// There are jobs from two sides.
    Twice(&'static str, &'static str),
}

impl fmt::Display for DeliveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::TooLong => write!(
                f,
                "the module beside the kernel is longer than {JOB_FILE_BYTES_MAX} bytes; \
                 give a job file in ramdisk= of the guest's configuration"
            ),
            Self::NotText => f.write_str(
                "the module beside the kernel is no text; \
                 give a job file in ramdisk= of the guest's configuration",
            ),
            Self::Twice(one, other) => {
                write!(f, "jobs come both {one} and {other}; leave one of them out")
            }
        }
    }
}

impl Options {
    /// Those of a command line and of the job file, if there is one, in the bytes of the module
    /// beside the kernel or in xenstore. Tool stacks fill a module's last page with zeros: they are
    /// no part of the file.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub fn collect(
        line: CommandLine,
        module: Option<Vec<u8>>,
        store: &mut Xenstore<'_, Vcpu>,
    ) -> Result<Self, DeliveryError> {
        let stored = store.read_text(JOB_NODE, JOB_FILE_BYTES_MAX).map_err(DeliveryError::Store)?;
        let module = module.map(text_of).transpose()?;
        let on_line = (!line.jobs.is_empty()).then_some("in extra=");
        let ways = [
            on_line,
            module.as_ref().map(|_| "in ramdisk="),
            stored.as_ref().map(|_| "by xenstore"),
        ];
        let mut ways = ways.into_iter().flatten();
        if let (Some(one), Some(other)) = (ways.next(), ways.next()) {
            return Err(DeliveryError::Twice(one, other));
        }
        Ok(Self { line, file: module.or(stored) })
    }

    /// The jobs.
    ///
    /// # Errors
    /// The first thing that is wrong with them.
    pub fn jobs(&self) -> Result<Vec<Job>, JobError> {
        match &self.file {
            Some(file) => fio_job::parse_file(file),
            None => fio_job::parse(&self.line.jobs),
        }
    }
}

fn text_of(mut module: Vec<u8>) -> Result<String, DeliveryError> {
    if module.len() > JOB_FILE_BYTES_MAX {
        return Err(DeliveryError::TooLong);
    }
    if let Some(end) = module.iter().position(|&byte| byte == 0) {
        module.truncate(end);
    }
    String::from_utf8(module).map_err(|_| DeliveryError::NotText)
}
