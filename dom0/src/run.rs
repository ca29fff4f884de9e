//! `run`: one job on one guest.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, anyhow};
use clap::{Args, ValueEnum};
use fio_output::take_logs;
use xl_config::{Config, setting};

use crate::job;
use crate::output::Output;
use crate::plan::Plan;
use crate::result::{self, Format, LogOutputs, OurReader, first_error};
use crate::session::Session;
use crate::signals::SignalListener;
use crate::status::Eta;
use crate::usage::Usage;

/// Way of the job to the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Delivery {
    /// Xenstore, before the guest runs.
    Xenstore,
    /// Boot module (`ramdisk=`): the unchanged file.
    Module,
}

/// Options of a guest.
#[derive(Args, Debug)]
pub struct GuestOptions {
    /// Disk to measure: phy:/dev/vg/lv, or a full disk specification of xl: phy:/dev/vg/lv,xvda,r
    #[arg(long = "disk", value_name = "DISK", required = true)]
    disks: Vec<String>,
    /// The guest's kernel
    #[arg(long, value_name = "PATH", default_value = "/usr/local/lib/ringmark/ringmark")]
    kernel: PathBuf,
    /// Name of the domain
    #[arg(long, default_value = "ringmark")]
    name: String,
    /// Memory of the guest, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 64)]
    #[arg(value_parser = clap::value_parser!(u32).range(16..=1 << 20))]
    memory: u32,
    /// Number of vCPUs
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=128))]
    vcpus: u32,
    /// Host CPUs that the vCPUs may run on, in xl's syntax
    #[arg(long, value_name = "LIST")]
    cpus: Option<String>,
    /// One more setting of xl.cfg(5), for example tsc_mode="native"
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = setting::parse)]
    settings: Vec<String>,
    /// Longest time for the guest, in seconds. Default: twice the time of its jobs plus ten
    /// minutes, if each has a runtime=
    #[arg(long, value_name = "SECONDS")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    timeout: Option<u32>,
    /// Progress display: when to show it
    #[arg(long, value_enum, default_value = "auto")]
    pub eta: Eta,
}

impl GuestOptions {
    /// Returns the number of disks of the guest.
    pub fn disk_count(&self) -> usize {
        self.disks.len()
    }

    /// Returns the longest time for a guest with this plan.
    pub fn time_limit(&self, plan: &Plan) -> Option<Duration> {
        let asked = self.timeout.map(|seconds| Duration::from_secs(seconds.into()));
        asked.or_else(|| plan.time_limit())
    }

    /// The guest that runs this command line.
    ///
    /// # Errors
    /// [`Usage`]: a setting would replace it.
    pub fn config(&self, extra: String) -> Result<Config> {
        let replaced = self.settings.iter().any(|one| setting::has_command_line(one));
        if replaced && !extra.is_empty() {
            let why =
                format!("--set extra= would replace the command line {extra:?}; leave it out");
            return Err(Usage(why).into());
        }
        Ok(Config {
            name: self.name.clone(),
            uuid: None,
            kernel: self.kernel.clone(),
            ramdisk: None,
            memory_mib: self.memory,
            vcpus: self.vcpus,
            cpus: self.cpus.clone(),
            disks: self.disks.clone(),
            extra,
            settings: self.settings.clone(),
        })
    }
}

/// Run a job in a guest, and print its result as fio does
#[derive(Args, Debug)]
pub struct Run {
    /// Job file in fio's format; without one, the options after -- define the jobs
    job: Option<PathBuf>,
    #[command(flatten)]
    guest: GuestOptions,
    /// Way in which the job file is passed to the guest
    #[arg(long, value_enum, default_value = "xenstore")]
    delivery: Delivery,
    /// Output format; several are separated by commas
    #[arg(long, value_enum, value_delimiter = ',', default_value = "normal")]
    output_format: Vec<Format>,
    /// Output file, instead of standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Options as on fio's command line: defaults for the job file, or the jobs themselves
    #[arg(last = true, value_name = "OPTION=VALUE")]
    options: Vec<String>,
}

impl Run {
    /// Runs the job and prints its result.
    ///
    /// # Errors
    /// [`Usage`]; what kept the guest from a result; what the result says went wrong.
    pub fn run(&self) -> Result<()> {
        let (config, job, plan) = self.guest_and_job()?;
        // Before there is a guest: who cannot have the result need not measure.
        let output = Output::open(self.output.as_deref())?;
        let logs = LogOutputs::open(&plan)?;
        let signals = SignalListener::new()?;
        let mut reader = OurReader::new(&plan);
        let tell = |text: &str| self.tell(text, &plan, output, logs);
        let limit = self.guest.time_limit(&plan);
        let session = Session { config: &config, job: job.as_deref(), limit };
        session.run(&mut reader, &signals, self.guest.eta, tell)
    }

    /// Tells what the guest sent.
    fn tell(&self, text: &str, plan: &Plan, output: Output, logs: LogOutputs) -> Result<()> {
        let mut report = result::read(text)?;
        let log_files = take_logs(&mut report, plan.jobs())?;
        let written = output.write_or_print(&result::print(&report, &self.output_format));
        let written = first_error(written, logs.write(&log_files));
        let failed = result::failure(&report).map(|reason| anyhow!("the guest reports: {reason}"));
        first_error(written, failed.map_or(Ok(()), Err))
    }

    /// The guest, what it is given by xenstore, and what it is to do.
    fn guest_and_job(&self) -> Result<(Config, Option<String>, Plan)> {
        let Some(path) = &self.job else {
            if self.options.is_empty() {
                return Err(
                    Usage("nothing to do; name a job file, or options after --".into()).into()
                );
            }
            let line = self.options.join(" ");
            let plan = Plan::of_line(&line, self.guest.disk_count())?;
            return Ok((self.guest.config(line)?, None, plan));
        };
        let text = job::read(path, &self.options)?;
        let plan = Plan::of_file(path, &text)?;
        let config = self.guest.config(String::new())?;
        match self.delivery {
            Delivery::Xenstore => Ok((config, Some(text), plan)),
            Delivery::Module if self.options.is_empty() => {
                Ok((Config { ramdisk: Some(path.clone()), ..config }, None, plan))
            }
            Delivery::Module => {
                let why = "--delivery=module passes the job file unchanged; write the options into the file";
                Err(Usage(why.into()).into())
            }
        }
    }
}
