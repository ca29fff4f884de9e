//! `doctor`: what this host is, and what of it would spoil a measurement, before there is one.
//!
//! `seen` looks, by `ask` and in files; what it has is judged by part of the host (`xen`, `cpus`,
//! `driver`, `disk`), each a `finding`. Nothing is changed.

mod ask;
mod cpus;
mod disk;
mod driver;
mod finding;
mod seen;
mod xen;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;
use results::{OriginDisk, OriginHost};
use serde::Serialize;
use xl_config::Disk;

use crate::exit;
use crate::root::Root;
use crate::stdout;
use finding::Finding;
use seen::Seen;

/// Tell what this host is, and what would spoil a measurement on it
#[derive(Args, Debug)]
#[command(after_long_help = exit::help(exit::DOCTOR))]
pub struct Doctor {
    /// Disk to look at, too, as for `run`; can be repeated
    #[arg(long = "disk", value_name = "DISK", value_parser = Disk::parse)]
    disks: Vec<Disk>,
    /// Print JSON: the facts, as results have them, and the findings
    #[arg(long)]
    json: bool,
    /// Look at a copy of /proc, /sys and /dev below this directory
    #[arg(long, value_name = "DIRECTORY", default_value = "/", hide = true)]
    root: PathBuf,
}

/// All that is told.
#[derive(Debug, Serialize)]
struct Told {
    host: OriginHost,
    disks: Vec<OriginDisk>,
    findings: Vec<Finding>,
}

impl Doctor {
    /// Looks, and prints what was found.
    ///
    /// # Errors
    /// Something that spoils a measurement; a signal; [`Exit::Output`](exit::Exit::Output).
    pub fn run(&self) -> Result<()> {
        let told = self.told()?;
        let text = match self.json {
            true => serde_json::to_string_pretty(&told)? + "\n",
            false => told.findings.iter().map(Finding::line).collect(),
        };
        stdout::print(&text)?;
        let spoiling = told.findings.iter().filter(|finding| finding.spoils()).count();
        let findings = if spoiling == 1 { "1 finding spoils" } else { "findings spoil" };
        let count = if spoiling == 1 { String::new() } else { format!("{spoiling} ") };
        ensure!(spoiling == 0, "{count}{findings} a measurement on this host");
        Ok(())
    }

    fn told(&self) -> Result<Told> {
        let seen = Seen::look(Root::new(&self.root))?;
        let is_xen = seen.info.is_ok();
        let mut findings: Vec<Finding> = user(&seen.root).into_iter().collect();
        findings.extend(xen::findings(&seen));
        findings.extend(cpus::findings(&seen));
        findings.extend(driver::findings(&seen.host, is_xen));
        findings.extend(kvm(&seen.root));
        let mut disks = Vec::new();
        for disk in &self.disks {
            let (facts, found) = disk::look(&seen.root, disk, seen.backends.as_deref().ok());
            disks.push(facts);
            findings.extend(found);
        }
        Ok(Told { host: seen.host, disks, findings })
    }
}

/// Tells whether this program may see all.
fn user(root: &Root) -> Option<Finding> {
    let is_root = fs::metadata(root.path("/proc/self")).is_ok_and(|found| found.uid() == 0);
    (!is_root).then(|| {
        let text = "not root: much of what Xen's tools tell cannot be seen";
        Finding::note("user", text).with("run this as root")
    })
}

fn kvm(root: &Root) -> Option<Finding> {
    let text = "/dev/kvm is there, so `run --kvm` may run guests without Xen; their figures are no \
                Xen host's";
    root.has("/dev/kvm").then(|| Finding::note("kvm", text))
}
