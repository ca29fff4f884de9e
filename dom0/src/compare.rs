//! `compare`: one job on our guest and on a Linux guest with fio, on the same disks, by turns.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::slice;

use anyhow::{Context, Result, bail};
use clap::Args;
use results::Report;

use crate::check;
use crate::counted::CountedJobs;
use crate::drive::drive;
use crate::exit;
use crate::figures::Figures;
use crate::guest::GuestOptions;
use crate::job;
use crate::monitor::Reader;
use crate::origin;
use crate::output::Output;
use crate::peer::{self, Initramfs, PeerOptions, PeerReader};
use crate::plan::Plan;
use crate::result::{self, OurReader, first_error};
use crate::saved::{self, Run, Saved, System};
use crate::session::Session;
use crate::signals::Signals;
use crate::status::Status;
use crate::table::{summary, table};

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
    /// Number of runs on each system
    #[arg(long, value_name = "COUNT", default_value_t = 3)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,
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
        let text = job::read(&self.job, &self.options)?;
        let plan = Plan::of_file(job::label(&self.job), &text)?;
        let ours = self.guest.with_memory_for(plan.jobs(), self.guest.config(String::new())?);
        peer::check_jobs(&plan)?;
        let inputs = [Some(&*self.job), self.costs.as_deref()];
        check::output(self.save.as_deref(), &inputs, &ours)?;
        let counted = self.costs.as_deref().map(CountedJobs::read).transpose()?;
        let peer_job = peer::job(&text, &ours.linux_disk_names()?);
        let signals = Signals::listen()?;
        // Before the guest is created: without a place for the result there is no need to measure.
        let output = self.save.as_deref().map(|path| Output::open(Some(path))).transpose()?;
        let mut peer = self.peer.config(self.guest.config(peer::COMMAND_LINE.to_owned())?)?;
        let _initramfs = Initramfs::give(slice::from_mut(&mut peer), &peer_job)?;
        let our_origin = self.guest.origin(&ours, &text);
        let peer_origin = self.guest.origin(&peer, &peer_job);
        let run_count = self.runs as usize * 2;
        check::guest(&ours, plan.jobs(), "--kernel")?;
        check::parts(&peer, plan.jobs(), "--peer-kernel")?;
        self.guest.check_limit(&plan)?;
        let mut results = Results {
            saved: Saved::default(),
            run_count,
            output,
            counted,
            unknown: BTreeSet::new(),
            is_saved: false,
            signals: &signals,
        };
        let done = (0..self.runs).try_for_each(|turn| {
            // The first of the two may find a quieter host.
            let order = [System::Ringmark, System::Linux];
            let order = if turn % 2 == 0 { order } else { [System::Linux, System::Ringmark] };
            order.into_iter().try_for_each(|system| {
                let (config, job, origin, reader): (_, _, _, &mut dyn Reader) = match system {
                    System::Ringmark => {
                        (&ours, Some(&*text), &our_origin, &mut OurReader::new(&plan))
                    }
                    System::Linux => (&peer, None, &peer_origin, &mut PeerReader::default()),
                };
                let which = format!("{}, run {} of {}", system.name(), turn + 1, self.runs);
                let origin = origin::begun(origin, turn + 1, self.runs);
                let order = self.guest.order(config, job, &plan, &origin);
                let status = &mut Status::new(self.guest.status, &config.name);
                let session = Session::new(order, reader)?;
                let then = |text: &str, origin| {
                    let mut result = read(system, text, &plan)?;
                    origin::attach(&mut result, origin);
                    if let Some(counted) = &results.counted {
                        let unknown = counted.attach(system, &mut result)?;
                        results.unknown.extend(unknown);
                    }
                    results.take(result, system, &which)
                };
                let said = drive(session, &signals, status, then).result();
                let said = said.with_context(|| which.clone())?;
                said.into_iter().for_each(|said| status.remark(&said));
                Ok(())
            })
        });
        let done = saved::interrupted(&results.saved, done, signals.received());
        first_error(done, results.finish())
    }
}

/// Results so far.
struct Results<'a> {
    saved: Saved,
    /// Number of runs that are wanted.
    run_count: usize,
    output: Option<Output>,
    /// Costs of `--costs`.
    counted: Option<CountedJobs>,
    /// Lines about jobs that have no costs there.
    unknown: BTreeSet<String>,
    /// Whether all that is in `saved` is in `output`.
    is_saved: bool,
    signals: &'a Signals,
}

impl Results<'_> {
    /// Takes the result of a run, and saves it with those before it. Returns its summary.
    fn take(&mut self, result: Report, system: System, which: &str) -> Result<String> {
        let summary = summary(&Figures::of(&result)?);
        self.saved.runs.push(Run { system, result });
        // A file that cannot be written now is tried again at the end.
        if let Some(output) = self.output.as_mut().filter(|output| output.replaces()) {
            let written = output.write(&saved::json(&self.saved)?, &self.signals.patience());
            self.is_saved = written.is_ok();
        }
        Ok(format!("{which}: {summary}"))
    }

    /// Prints the table of what there is, and saves what is not saved yet.
    fn finish(mut self) -> Result<()> {
        if self.saved.runs.is_empty() {
            return Ok(());
        }
        let give_up = self.signals.patience();
        let printed = table(&self.saved.runs).and_then(|mut text| {
            text.extend(self.unknown);
            let (count, wanted) = (self.saved.runs.len(), self.run_count);
            if count < wanted {
                text.push_str(&format!("incomplete: {count} of {wanted} runs\n"));
            }
            Output::open(None)?.write(&text, &give_up)
        });
        let saved = match &mut self.output {
            Some(output) if !self.is_saved => {
                let json = saved::json(&self.saved);
                json.and_then(|json| output.write_or_print(&json, &give_up))
            }
            _ => Ok(()),
        };
        first_error(printed, saved)
    }
}

/// Reads a result, which must be good.
fn read(system: System, text: &str, plan: &Plan) -> Result<Report> {
    if system == System::Linux {
        return peer::read(text, plan);
    }
    let report = result::read(text, plan)?;
    match result::failure(&report) {
        Some(reason) => bail!("the guest reports: {reason}"),
        None => Ok(report),
    }
}
