//! `ab`: two jobs, options, or guests against each other, on the same disks, by turns.

use std::iter::zip;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use fio_job::{Job, words};
use fio_output::log_names;
use xl_config::Config;

use crate::check;
use crate::display;
use crate::dry_run;
use crate::exit::{self, Exit};
use crate::guest::{GuestOptions, checked};
use crate::job;
use crate::output::Output;
use crate::paired::options::{UntilOptions, parse_pairs};
use crate::paired::{PAIRS, Paired, Side};
use crate::plan::Plan;
use crate::saved::{System, Variant};
use crate::signals::Signals;
use crate::status;
use crate::sweep::axis;

/// Words of `--help` on what differs, before the exit codes.
const HELP: &str = "\
What A and B differ in, alone or together:
  ringmark ab a.fio b.fio ..             two job files, with jobs of the same names
  --a 'grants=persistent' --b 'grants=per-request'
                                         options that hold for all jobs, whatever the file says;
                                         vcpus= and memory= (in MiB) are the guest's
  --a-kernel old --b-kernel new          two guests
  nothing                                A/A: how far equal runs differ on this host
";

/// Compare two variants of a job, options or guests, by turns, with an interval and a verdict
#[derive(Args, Debug)]
#[command(after_long_help = format!("{HELP}\n{}", exit::help(exit::RUN)))]
#[command(override_usage = "ringmark ab [OPTIONS] --disk <DISK> <JOB> [JOB_OF_B] \
                            [-- <OPTION=VALUE>...]")]
pub struct Ab {
    /// Job file in fio's format, or - for standard input
    job: PathBuf,
    /// Job file of B; without one it is that of A
    #[arg(value_name = "JOB_OF_B")]
    job_b: Option<PathBuf>,
    #[command(flatten)]
    guest: GuestOptions,
    /// Options of A, which hold for all its jobs, separated by blanks; can be repeated
    #[arg(long, value_name = "OPTION=VALUE")]
    a: Vec<String>,
    /// Options of B
    #[arg(long, value_name = "OPTION=VALUE")]
    b: Vec<String>,
    /// Kernel of A's guest; without one it is that of --kernel
    #[arg(long, value_name = "PATH")]
    a_kernel: Option<PathBuf>,
    /// Kernel of B's guest
    #[arg(long, value_name = "PATH")]
    b_kernel: Option<PathBuf>,
    /// Number of pairs of runs, even, 6 without it; with --resolve the most
    #[arg(long, value_name = "COUNT", value_parser = parse_pairs)]
    pairs: Option<u32>,
    #[command(flatten)]
    until: UntilOptions,
    /// Save all results, for `ringmark report` and `ringmark diff`
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Options as on fio's command line: defaults for both
    #[arg(last = true, value_name = "OPTION=VALUE")]
    options: Vec<String>,
}

/// A variant, as far as it is known before its first run.
struct Given {
    variant: Variant,
    /// Its own part of the command line.
    shown: String,
    job: String,
    plan: Plan,
    config: Config,
}

impl Given {
    fn side(&self, guest: &GuestOptions) -> Side<'_> {
        Side {
            name: self.variant.name(),
            system: System::Ringmark,
            variant: Some(self.variant),
            config: &self.config,
            job: Some(&self.job),
            plan: &self.plan,
            origin: guest.origin(&self.config, &self.job),
        }
    }
}

impl Ab {
    /// Runs the comparison and prints its table.
    ///
    /// # Errors
    /// [`Exit::Usage`]; when a guest or its job fails; when the results do not match.
    pub fn run(&self) -> Result<()> {
        if self.guest.only_parse(Some(&self.job), &self.options)? {
            return Ok(());
        }
        let mut both = [self.given(Variant::A)?, self.given(Variant::B)?];
        status::warn(both.iter().flat_map(|of| of.plan.warnings()));
        self.check(&mut both)?;
        let signals = Signals::listen()?;
        // Before there is a guest: without a place for the result there is no need to measure.
        let output = self.save.as_deref().map(|path| Output::open(Some(path))).transpose()?;
        let head = both.each_ref().map(|of| format!("{}: {}\n", of.variant.name(), of.shown));
        Paired {
            guest: &self.guest,
            sides: both.each_ref().map(|of| of.side(&self.guest)),
            rule: self.until.rule(self.pairs, PAIRS),
            by: &self.until.by,
            head: head.concat(),
            output,
            counted: None,
            signals: &signals,
        }
        .run()
    }

    /// Returns a variant as the command line has it.
    fn given(&self, variant: Variant) -> Result<Given> {
        let (options, kernel) = match variant {
            Variant::A => (&self.a, &self.a_kernel),
            Variant::B => (&self.b, &self.b_kernel),
        };
        let path = self.job_of(variant);
        let options: Vec<String> =
            options.iter().flat_map(|text| words(text)).map(str::to_owned).collect();
        let (of_guest, of_job): (Vec<String>, Vec<String>) =
            options.iter().cloned().partition(|word| axis::is_of_guest(name(word)));
        let option = format!("--{}", variant.name().to_lowercase());
        let wrong = |error: String| Exit::Usage(format!("{option}: {error}"));
        let text = self.guest.job(Some(path), &self.options)?;
        if text.has_machine() && !of_guest.is_empty() {
            let why = "the job has $ncpus or $mb_memory, which are the guest's; write numbers";
            return Err(wrong(why.to_owned()).into());
        }
        let text = text.overlaid(&of_job).map_err(|error| wrong(format!("{error:#}")))?;
        let plan = self.guest.fio.plan(&text)?;
        if !log_names(plan.jobs()).is_empty() {
            let why = "ab keeps no logs; leave out the write_.._log options";
            return Err(Exit::Usage(why.to_owned()).into());
        }
        let mut config = self.guest.with_memory_for(plan.jobs(), self.guest.config(String::new())?);
        for word in &of_guest {
            let axis = axis::parse(word).map_err(wrong)?;
            let [value] = &axis.values[..] else {
                return Err(wrong(format!("{} has one value", display::text(word))).into());
            };
            axis::set(&mut config, &axis.name, value)?;
        }
        if let Some(kernel) = kernel {
            config.kernel.clone_from(kernel);
        }
        let kernel = kernel.iter().map(|path| format!("kernel {}", display::path(path)));
        let file = [display::path(job::label(path))].into_iter();
        let parts = file.chain(kernel).chain(options.iter().map(|word| display::text(word)));
        let shown = parts.collect::<Vec<_>>().join(", ");
        Ok(Given { variant, shown, job: text.as_str().to_owned(), plan, config: checked(config)? })
    }

    fn job_of(&self, variant: Variant) -> &Path {
        match (variant, &self.job_b) {
            (Variant::B, Some(path)) => path,
            _ => &self.job,
        }
    }

    /// Checks all that can be checked without a guest.
    fn check(&self, both: &mut [Given; 2]) -> Result<()> {
        let [a, b] = both;
        check_pairs(&a.plan, &b.plan)?;
        // A guest with more memory than the other is another guest.
        let memory_mib = a.config.memory_mib.max(b.config.memory_mib);
        if !self.a.iter().chain(&self.b).flat_map(|text| words(text)).any(is_memory) {
            (a.config.memory_mib, b.config.memory_mib) = (memory_mib, memory_mib);
        }
        let text =
            |of: &Given| -> Result<_> { Ok((dry_run::jobs(of.plan.jobs()), of.config.text()?)) };
        let is_given = self.job_b.is_some() || !self.a.is_empty() || !self.b.is_empty();
        let is_given = is_given || self.a_kernel.is_some() || self.b_kernel.is_some();
        if is_given && text(a)? == text(b)? {
            let what =
                format!("A ({}) and B ({}) are the same job in the same guest", a.shown, b.shown);
            let advice = "change one, or leave out what differs, for A/A";
            return Err(Exit::Usage(format!("{what}; {advice}")).into());
        }
        let kernels = [(&self.a_kernel, "--a-kernel"), (&self.b_kernel, "--b-kernel")];
        for (of, (kernel, option)) in zip([&*a, &*b], kernels) {
            let option = if kernel.is_some() { option } else { "--kernel" };
            check::guest(&of.config, of.plan.jobs(), option)?;
            let inputs = [Some(self.job.as_path()), self.job_b.as_deref()];
            check::output(self.save.as_deref(), &inputs, &of.config)?;
            self.guest.check_limit(&of.plan)?;
        }
        self.until.check([&a.plan, &b.plan])
    }
}

/// Returns the name in a word `NAME=VALUE`.
fn name(word: &str) -> &str {
    word.strip_prefix("--").unwrap_or(word).split('=').next().unwrap_or_default().trim()
}

fn is_memory(word: &str) -> bool {
    name(word) == "memory"
}

/// Checks that the jobs of both make pairs: the same names in the same order, and figures of the
/// same directions.
///
/// # Errors
/// [`Exit::Usage`]: the first that has none of its like.
fn check_pairs(a: &Plan, b: &Plan) -> Result<()> {
    let first = |plan: &Plan| -> Vec<Job> {
        let reported = results::reported(plan.jobs());
        reported.filter_map(|(_, jobs)| jobs.first().cloned()).collect()
    };
    let [a, b] = [a, b].map(first);
    let wrong = |what: String| Err(Exit::Usage(what).into());
    let named =
        |job: Option<&Job>| job.map_or("missing".to_owned(), |job| display::text(&job.name));
    for index in 0..a.len().max(b.len()) {
        let (a, b) = (a.get(index), b.get(index));
        let number = index + 1;
        let Some((one, other)) = a.zip(b).filter(|(a, b)| a.name == b.name) else {
            let what = format!("job {number} is {} in A and {} in B", named(a), named(b));
            return wrong(format!("{what}; give both the same jobs, in the same order"));
        };
        let kinds = [one, other].map(|of| (of.rw.reads(), of.rw.writes(), of.rw.trims()));
        if kinds[0] != kinds[1] {
            let name = display::text(&one.name);
            let rw = [one, other].map(directions);
            return wrong(format!(
                "job {name} {} in A and {} in B: nothing to compare; give it the same directions",
                rw[0], rw[1]
            ));
        }
    }
    Ok(())
}

fn directions(job: &Job) -> &'static str {
    match (job.rw.reads(), job.rw.writes()) {
        (true, true) => "reads and writes",
        (true, false) => "reads",
        (false, true) => "writes",
        (false, false) => "trims",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_make_pairs_by_name_order_and_direction() {
        let check = |a: &str, b: &str| {
            let plan = |text: &str| {
                let text = format!("[global]\nfilename=xvda\n{text}");
                Plan::of_file(Path::new("x"), &text).unwrap()
            };
            let [a, b] = [plan(a), plan(b)];
            check_pairs(&a, &b).map_err(|error| error.to_string())
        };
        assert_eq!(check("[a]\nrw=read\n[b]\nbs=4k\n", "[a]\nrw=randread\n[b]\nbs=8k\n"), Ok(()));
        assert_eq!(check("[a]\nrw=rw\n", "[a]\nrw=randrw\nrwmixread=3\n"), Ok(()));
        let advice = "; give both the same jobs, in the same order";
        for (a, b, told) in [
            ("[a]\n", "[b]\n", "job 1 is a in A and b in B"),
            ("[a]\n[b]\n", "[a]\n", "job 2 is b in A and missing in B"),
            ("[a]\n", "[a]\nnumjobs=2\n", "job 2 is missing in A and a in B"),
        ] {
            assert_eq!(check(a, b), Err(format!("{told}{advice}")), "{b}");
        }
        let error = check("[a]\nrw=read\n", "[a]\nrw=randrw\n").unwrap_err();
        assert!(error.starts_with("job a reads in A and reads and writes in B: "), "{error}");
        let grouped = "[a]\nnumjobs=3\ngroup_reporting\n";
        assert_eq!(check("[a]\n", grouped), Ok(()));
    }
}
