//! What the guest is to do: its own words on the command line, and the jobs, which come as fio
//! options on that line, or as a job file by xenstore or as the module that is loaded beside the
//! kernel (`ramdisk=`). By one of these ways only, so that none is overlooked.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use bench::{Job, JobError};
use drivers::xenstore::{TextError, Xenstore};

use crate::xen::Xen;

/// Longest job file, in bytes.
pub const JOB_FILE_MAX: usize = 64 << 10;
/// Where xenstore has the job file, below the domain's own path.
const JOB_NODE: &str = "ringmark/job";

/// What the command line asks of the kernel.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `selftest`: test the machine and end.
    pub selftest: bool,
    /// `hold`: stay connected after the report until the tool stack shuts the domain down.
    pub hold: bool,
    /// `mode=`: look into a file system instead of running jobs.
    pub look: Option<Look>,
    /// `help`, `--help`: show the options and end.
    pub help: bool,
    /// The rest: fio options.
    line: String,
    /// The job file, if there is one.
    file: Option<String>,
}

/// What to look at in a file system; `filename=xvda:/path` says where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// `mode=ls`: a directory's names, and those below it.
    List,
    /// `mode=cat`: a file's bytes.
    Bytes,
    /// `mode=sum`: SHA-256 of a file, or of all files below a directory.
    Sums,
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
                "the module beside the kernel is longer than {JOB_FILE_MAX} bytes; \
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

/// The text behind `help`; that of the job options follows it.
pub const HELP: &str = "\
ringmark: IOPS of Xen block devices, measured from inside a guest
jobs come in extra=, or as a job file in ramdisk=, or from the dom0 tool
several jobs: --name=a --rw=read ... --name=b ...   together; with ; one after the other
no job: 4k random reads in the three grant modes, on every writable disk

options, in extra=\"...\" of the guest's configuration:
  hypercall=direct|page        how the guest calls Xen (direct)
  mode=ls|cat|sum              show names, bytes or SHA-256 of filename=xvda:/path on an FFS
  hold                         stay connected after the report, until xl shutdown
  selftest                     test the machine, not the disks";

/// Whether hypercalls are to go through the hypercall page: the last `hypercall=` decides. Known
/// before there is any heap.
pub fn wants_hypercall_page(command_line: &str) -> bool {
    let mut words = command_line.split_ascii_whitespace().rev();
    words.find(|word| word.starts_with("hypercall=")) == Some("hypercall=page")
}

impl Options {
    /// Takes the kernel's words out of the command line.
    ///
    /// # Errors
    /// A message for a word that is the kernel's but has a wrong value.
    pub fn parse(command_line: &str) -> Result<Self, &'static str> {
        let mut options = Self::default();
        for word in command_line.split_ascii_whitespace() {
            match word {
                "selftest" => options.selftest = true,
                "hold" => options.hold = true,
                "help" | "--help" => options.help = true,
                "hypercall=page" | "hypercall=direct" => {}
                _ if word.starts_with("hypercall=") => {
                    return Err("hypercall= is neither direct nor page");
                }
                "mode=ls" => options.look = Some(Look::List),
                "mode=cat" => options.look = Some(Look::Bytes),
                "mode=sum" => options.look = Some(Look::Sums),
                "mode=job" => options.look = None,
                _ if word.starts_with("mode=") => {
                    return Err("mode= is none of job, ls, cat and sum");
                }
                _ => {
                    if !options.line.is_empty() {
                        options.line.push(' ');
                    }
                    options.line.push_str(word);
                }
            }
        }
        Ok(options)
    }

    /// Takes the job file, of the bytes of the module beside the kernel or out of xenstore. Tool
    /// stacks fill a module's last page with zeros: they are no part of the file.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub fn take_job_file(
        &mut self,
        module: Option<Vec<u8>>,
        store: &mut Xenstore<'_, Xen>,
    ) -> Result<(), DeliveryError> {
        let stored = store.read_text(JOB_NODE, JOB_FILE_MAX).map_err(DeliveryError::Store)?;
        let module = module.map(text_of).transpose()?;
        let line = (!self.line.is_empty()).then_some("in extra=");
        let ways =
            [line, module.as_ref().map(|_| "in ramdisk="), stored.as_ref().map(|_| "by xenstore")];
        let mut ways = ways.into_iter().flatten();
        if let (Some(one), Some(other)) = (ways.next(), ways.next()) {
            return Err(DeliveryError::Twice(one, other));
        }
        self.file = module.or(stored);
        Ok(())
    }

    /// The jobs.
    ///
    /// # Errors
    /// The first thing that is wrong with them.
    pub fn jobs(&self) -> Result<Vec<Job>, JobError> {
        match &self.file {
            Some(file) => bench::job::parse_file(file),
            None => bench::job::parse(&self.line),
        }
    }
}

fn text_of(mut module: Vec<u8>) -> Result<String, DeliveryError> {
    if module.len() > JOB_FILE_MAX {
        return Err(DeliveryError::TooLong);
    }
    if let Some(end) = module.iter().position(|&byte| byte == 0) {
        module.truncate(end);
    }
    String::from_utf8(module).map_err(|_| DeliveryError::NotText)
}
