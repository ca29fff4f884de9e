//! Options of a guest.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use fio_job::Job;
use results::Origin;
use xl_config::{Config, Disk, Settings};

use crate::check_jobs;
use crate::exit::Exit;
use crate::fio_options::FioOptions;
use crate::installed;
use crate::job::{JobText, Machine};
use crate::memory::Need;
use crate::origin;
use crate::plan::Plan;
use crate::session::Order;
use crate::status::StatusOptions;

/// Memory of a guest whose jobs need no more, in MiB.
const MEMORY_MIB: u32 = 64;
/// Arguments beside which there need be no disk: who asks for help, or checks jobs, has none.
const UNLESS: [&str; 3] = ["options", "showcmd", "parse_only"];

/// Options of a guest.
#[derive(Args, Debug)]
pub struct GuestOptions {
    /// Disk to measure: phy:/dev/vg/lv, or a full disk specification of xl: phy:/dev/vg/lv,xvda,r;
    /// can be repeated
    #[arg(long = "disk", value_name = "DISK", required_unless_present_any = UNLESS)]
    #[arg(value_parser = Disk::parse)]
    disks: Vec<Disk>,
    /// The guest's kernel, by default the one that came with this program
    #[arg(long, value_name = "PATH", default_value_os_t = installed::kernel())]
    kernel: PathBuf,
    /// Name of the domain
    #[arg(long, default_value = "ringmark")]
    name: String,
    /// Memory of the guest, in MiB; without it 64 (fleet: 16), or what the job needs if that is
    /// more
    #[arg(long, value_name = "MIB")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    memory: Option<u32>,
    /// Number of vCPUs
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=128))]
    vcpus: u32,
    /// Host CPUs that the vCPUs may run on, in xl's syntax
    #[arg(long, value_name = "LIST")]
    cpus: Option<String>,
    /// One more setting of xl.cfg(5), for example tsc_mode="native"; can be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = Settings::parse)]
    settings: Vec<Settings>,
    /// Longest time for the guest, in seconds; without it, twice the time of its jobs plus ten
    /// minutes if each has a runtime=, else no limit
    #[arg(long, value_name = "SECONDS")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    timeout: Option<u32>,
    /// Longest time for each call of xl and of xenstore's programs, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=86_400))]
    xl_timeout: u32,
    /// Words about this run, to be kept with its result
    #[arg(long, value_name = "TEXT", value_parser = origin::parse_label)]
    label: Option<String>,
    #[command(flatten)]
    pub status: StatusOptions,
    #[command(flatten)]
    pub fio: FioOptions,
}

impl GuestOptions {
    /// Returns the name of the domain.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the guest's kernel.
    pub fn kernel(&self) -> &Path {
        &self.kernel
    }

    /// Returns the job file, or the jobs that the options make.
    ///
    /// # Errors
    /// [`Exit::Usage`]: the first thing that is wrong with it, or there is neither.
    pub fn job(&self, path: Option<&Path>, options: &[String]) -> Result<JobText> {
        self.job_with(path, options, MEMORY_MIB)
    }

    /// Returns the same for a guest that has `usual_mib` if nothing is said.
    ///
    /// # Errors
    /// Those of [`job`](Self::job).
    pub fn job_with(
        &self,
        path: Option<&Path>,
        options: &[String],
        usual_mib: u32,
    ) -> Result<JobText> {
        self.fio.job(path, options, self.machine(usual_mib))
    }

    /// Returns what a job may ask of the guest.
    fn machine(&self, usual_mib: u32) -> Machine {
        Machine { vcpus: self.vcpus, memory_mib: self.memory.unwrap_or(usual_mib) }
    }

    /// Reads the jobs and no more, if that is what is wanted.
    ///
    /// # Errors
    /// [`Exit::Usage`]: the first thing that is wrong with them; [`Exit::Output`].
    pub fn only_parse(&self, path: Option<&Path>, options: &[String]) -> Result<bool> {
        if self.fio.only_parses() {
            check_jobs::tell(&self.fio, path, options, self.machine(MEMORY_MIB))?;
        }
        Ok(self.fio.only_parses())
    }

    /// Returns the longest time for a program of the tool stack.
    pub fn call_limit(&self) -> Duration {
        Duration::from_secs(self.xl_timeout.into())
    }

    /// Returns the longest time for a guest with this plan.
    pub fn time_limit(&self, plan: &Plan) -> Option<Duration> {
        self.time_limit_with(plan, Duration::ZERO)
    }

    /// Returns the longest time for a guest with this plan that also waits for others for as long
    /// as `waits`; `--timeout`, if it is given, holds all the same.
    pub fn time_limit_with(&self, plan: &Plan, waits: Duration) -> Option<Duration> {
        let asked = self.timeout.map(|seconds| Duration::from_secs(seconds.into()));
        asked.or_else(|| Some(plan.time_limit()?.saturating_add(waits)))
    }

    /// Checks that the guest has time for its jobs.
    ///
    /// # Errors
    /// [`Exit::Usage`]: `--timeout` would end it before they can be done.
    pub fn check_limit(&self, plan: &Plan) -> Result<()> {
        let least = plan.least_time().as_secs();
        match self.timeout {
            Some(limit) if u64::from(limit) <= least => {
                let what = format!("--timeout={limit} would end the guest before its jobs");
                let advice = format!("they take {least} s at least; leave it out, or raise it");
                Err(Exit::Usage(format!("{what}; {advice}")).into())
            }
            _ => Ok(()),
        }
    }

    /// Returns the order to run a guest of this configuration, which is handed the job; and the
    /// origin of its result.
    pub fn order<'a>(
        &self,
        config: &'a Config,
        job: Option<&'a str>,
        plan: &Plan,
        origin: &'a Origin,
    ) -> Order<'a> {
        let call_limit = self.call_limit();
        let (limit, keep) = (self.time_limit(plan), false);
        Order { config, job, limit, call_limit, origin, fleet: None, keep }
    }

    /// Returns the origin of runs of this job in guests of this configuration.
    pub fn origin(&self, config: &Config, job: &str) -> Origin {
        origin::given(config, job, self.label.as_deref())
    }

    /// Returns the guest with the memory that these jobs need, unless the user has said how much.
    pub fn with_memory_for(&self, jobs: &[Job], config: Config) -> Config {
        self.with_memory(jobs, config, MEMORY_MIB)
    }

    /// Returns the same for one that has `usual_mib` if the jobs need no more.
    pub fn with_memory(&self, jobs: &[Job], config: Config, usual_mib: u32) -> Config {
        let given = |need: Need| need.given(usual_mib);
        let needed = || Need::of(&config, jobs).map_or(usual_mib, given);
        Config { memory_mib: self.memory.unwrap_or_else(needed), ..config }
    }

    /// Returns the guest that runs this command line.
    ///
    /// # Errors
    /// [`Exit::Usage`]: it has no disk, or one that xl could not make.
    pub fn config(&self, extra: String) -> Result<Config> {
        if self.disks.is_empty() {
            let why = "no disk; name one, for example --disk phy:/dev/vg0/test";
            return Err(Exit::Usage(why.to_owned()).into());
        }
        checked(Config {
            name: self.name.clone(),
            kernel: self.kernel.clone(),
            memory_mib: self.memory.unwrap_or(MEMORY_MIB),
            vcpus: self.vcpus,
            cpus: self.cpus.clone(),
            disks: self.disks.clone(),
            extra,
            settings: self.settings.clone(),
            ..Config::default()
        })
    }
}

/// Passes a configuration on that xl can be told.
///
/// # Errors
/// [`Exit::Usage`]: the first thing that is wrong with it.
pub fn checked(config: Config) -> Result<Config> {
    config.check().map_err(|error| Exit::Usage(error.to_string()))?;
    Ok(config)
}
