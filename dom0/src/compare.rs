//! `compare`: one job on our guest and on a Linux guest with fio, on the same disks, by turns.

use std::path::PathBuf;
use std::slice;

use anyhow::Result;
use clap::Args;

use crate::check;
use crate::counted::CountedJobs;
use crate::exit;
use crate::guest::GuestOptions;
use crate::output::Output;
use crate::paired::options::UntilOptions;
use crate::paired::{PAIRS, Paired, Side};
use crate::peer::{self, Initramfs, PeerOptions};
use crate::saved::System;
use crate::signals::Signals;
use crate::status;

/// Compare ringmark with fio in a Linux guest: the same job on the same disks, by turns
#[derive(Args, Debug)]
#[command(after_long_help = exit::help(exit::RUN))]
#[command(override_usage = "ringmark compare [OPTIONS] --disk <DISK> --peer-kernel <PATH> \
                            --peer-initramfs <PATH> <JOB> [-- <OPTION=VALUE>...]")]
#[command(mut_args(|option| {
    let is_needed = ["peer_kernel", "peer_initramfs"].contains(&option.get_id().as_str());
    if is_needed { option.required(true) } else { option }
}))]
pub struct Compare {
    /// Job file in fio's format, or - for standard input; its grants= and ringmark_..= apply to
    /// ringmark only
    job: PathBuf,
    #[command(flatten)]
    guest: GuestOptions,
    /// Number of runs on each system, 6 without it; with --resolve the most
    #[arg(long, value_name = "COUNT")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: Option<u32>,
    #[command(flatten)]
    until: UntilOptions,
    #[command(flatten)]
    peer: PeerOptions,
    /// Save all results, for `ringmark report` and `ringmark diff`
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Show instructions of an I/O by owner (guest, Xen, dom0) as they were counted elsewhere, for
    /// the jobs that FILE has, of `./run.sh compare --deterministic --costs FILE`
    #[arg(long, value_name = "FILE")]
    costs: Option<PathBuf>,
    /// Options as on fio's command line: defaults for the job file
    #[arg(last = true, value_name = "OPTION=VALUE")]
    options: Vec<String>,
}

impl Compare {
    /// Runs the comparison and prints its table.
    ///
    /// # Errors
    /// When a guest or its job fails; when the results do not match.
    pub fn run(&self) -> Result<()> {
        if self.guest.only_parse(Some(&self.job), &self.options)? {
            return Ok(());
        }
        let text = self.guest.job(Some(&self.job), &self.options)?;
        let plan = self.guest.fio.plan(&text)?;
        status::warn(plan.warnings());
        let text = text.as_str();
        let ours = self.guest.with_memory_for(plan.jobs(), self.guest.config(String::new())?);
        peer::check_jobs(&plan)?;
        let inputs = [Some(&*self.job), self.costs.as_deref()];
        check::output(self.save.as_deref(), &inputs, &ours)?;
        let counted = self.costs.as_deref().map(CountedJobs::read).transpose()?;
        let peer_job = peer::job(text, &ours.linux_disk_names()?);
        let signals = Signals::listen()?;
        // Before the guest is created: without a place for the result there is no need to measure.
        let output = self.save.as_deref().map(|path| Output::open(Some(path))).transpose()?;
        let mut peer = self.peer.config(self.guest.config(peer::COMMAND_LINE.to_owned())?)?;
        let _initramfs = Initramfs::give(slice::from_mut(&mut peer), &peer_job)?;
        check::guest(&ours, plan.jobs(), "--kernel")?;
        check::parts(&peer, plan.jobs(), "--peer-kernel")?;
        self.guest.check_limit(&plan)?;
        self.until.check([&plan, &plan])?;
        let of = |system, config, job, origin_job: &str| Side {
            name: System::name(system),
            system,
            variant: None,
            config,
            job,
            plan: &plan,
            origin: self.guest.origin(config, origin_job),
        };
        Paired {
            guest: &self.guest,
            sides: [
                of(System::Ringmark, &ours, Some(text), text),
                of(System::Linux, &peer, None, &peer_job),
            ],
            rule: self.until.rule(self.runs, PAIRS),
            by: &self.until.by,
            head: String::new(),
            output,
            counted,
            signals: &signals,
        }
        .run()
    }
}
