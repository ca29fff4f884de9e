//! `run --kvm`: a guest without a Xen host, on QEMU's own Xen under KVM.
//!
//! `options` reads the command line and refuses what only a tool stack can do; `disk` says how QEMU
//! opens the disks, and looks whether it may; `host` looks whether KVM and QEMU are there;
//! `command` makes QEMU's command line, `job_file` the file by which it passes the job; `session`
//! runs it, and `failure` says in our words why QEMU refuses.

mod command;
mod disk;
mod failure;
mod host;
mod job_file;
mod machine;
mod options;
mod session;

use std::path::Path;

use anyhow::Result;
use results::Origin;
use xl_config::Config;

use crate::drive::{Ended, drive};
use crate::monitor::Reader;
use crate::session::Order;
use crate::signals::Signals;
use crate::status::{Status, warn};
use host::Qemu;
use job_file::JobFile;
pub use options::KvmOptions;
use session::Session;

/// Name that stands for the file with the job where nothing runs.
const SOME_FILE: &str = "JOB";

/// A host on which QEMU can run guests of Xen, as far as that shows before one runs.
#[derive(Debug)]
pub struct Host {
    qemu: Qemu,
    /// QEMU's version.
    version: String,
}

impl Host {
    /// Looks whether KVM and QEMU are there, and whether the disks of a guest may be used.
    ///
    /// # Errors
    /// What is missing; [`Exit::Usage`](crate::exit::Exit::Usage): a disk that may not be used.
    pub fn check(qemu: Qemu, config: &Config) -> Result<Self> {
        disk::check(config)?;
        let version = qemu.check()?;
        let cached = |disk: String| {
            format!("{disk}: its file system allows no direct I/O, so the host caches its data")
        };
        warn(&disk::cached(config).into_iter().map(cached).collect::<Vec<_>>());
        Ok(Self { qemu, version })
    }

    /// Runs a guest to its end, and passes its result to `then`, as [`drive()`] does. Of the order
    /// it follows what is not for a tool stack.
    ///
    /// # Errors
    /// A file that cannot be made, or a disk that is gone.
    pub fn drive<T>(
        &self,
        order: &Order<'_>,
        reader: &mut dyn Reader,
        (signals, status): (&Signals, &mut Status),
        then: impl FnOnce(&str, Origin) -> Result<T>,
    ) -> Result<Ended<T>> {
        let job = order.job.map(JobFile::new).transpose()?;
        let module = job.as_ref().map(JobFile::path).or(order.config.ramdisk.as_deref());
        let arguments = command::arguments(&self.qemu, order.config, module)?;
        let disks = disk::origin(order.config);
        let origin = Origin { disks, ..self.qemu.origin(order.origin.clone(), &self.version) };
        let (program, limit) = (self.qemu.program.as_str(), order.limit);
        let (arguments, origin) = (arguments.as_slice(), &origin);
        let order = session::Order { program, arguments, limit, origin };
        Ok(drive(Session::new(order, reader), signals, status, then))
    }
}

/// Returns the command line that runs a guest, as a shell takes it, but for the file with its job.
///
/// # Errors
/// A disk that is not there.
pub fn command_line(qemu: &Qemu, order: &Order<'_>) -> Result<String> {
    let some = order.job.map(|_| Path::new(SOME_FILE));
    let module = some.or(order.config.ramdisk.as_deref());
    let words = command::arguments(qemu, order.config, module)?;
    let words = [std::slice::from_ref(&qemu.program), &words].concat();
    let quoted: Vec<String> = words.iter().map(|word| command::quoted(word)).collect();
    Ok(quoted.join(" "))
}
