//! `compare`: one job on our guest and on a Linux guest with fio, on the same disks, by turns.

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use results::{Report, Spread};
use serde::{Deserialize, Serialize};
use xl_config::Config;

use crate::figures::{Doubts, Figures};
use crate::job;
use crate::output::Output;
use crate::peer::{self, Initramfs, PeerReader};
use crate::plan::Plan;
use crate::printable;
use crate::result::{self, OurReader};
use crate::run::GuestOptions;
use crate::session::{Reader, Session};
use crate::signals::SignalListener;
use crate::status::eprint_line;

/// Compare ringmark with fio in a Linux guest: the same job on the same disks, by turns
#[derive(Args, Debug)]
pub struct Compare {
    /// Job file in fio's format; its grants= and ringmark_..= apply to ringmark only
    job: PathBuf,
    #[command(flatten)]
    guest: GuestOptions,
    /// Number of runs on each system
    #[arg(long, value_name = "COUNT", default_value_t = 3)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,
    /// The Linux guest's kernel
    #[arg(long, value_name = "PATH")]
    peer_kernel: PathBuf,
    /// The Linux guest's initramfs: prints something on its console, runs fio on /job.fio, and
    /// prints `peer-result: {json}`
    #[arg(long, value_name = "PATH")]
    peer_initramfs: PathBuf,
    /// Memory of the Linux guest, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 400)]
    #[arg(value_parser = clap::value_parser!(u32).range(64..=1 << 20))]
    peer_memory: u32,
    /// Save all results, for `ringmark report`
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Options as on fio's command line: defaults for the job file
    #[arg(last = true, value_name = "OPTION=VALUE")]
    options: Vec<String>,
}

/// A system under comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum System {
    /// The ringmark guest.
    Ringmark,
    /// The Linux guest with fio.
    Linux,
}

impl System {
    fn name(self) -> &'static str {
        match self {
            Self::Ringmark => "ringmark",
            Self::Linux => "linux",
        }
    }
}

/// Contents of the `--save` file.
#[derive(Debug, Serialize, Deserialize)]
pub struct Saved {
    /// All runs, in the order in which they ran.
    pub runs: Vec<Run>,
}

/// A run on one of the systems.
#[derive(Debug, Serialize, Deserialize)]
pub struct Run {
    /// System that ran it.
    #[serde(rename = "who")]
    pub system: System,
    /// fio's report.
    pub result: Report,
}

impl Compare {
    /// Runs the comparison and prints its table.
    ///
    /// # Errors
    /// When a guest or its job fails; when the results do not match.
    pub fn run(&self) -> Result<()> {
        let text = job::read(&self.job, &self.options)?;
        let plan = Plan::of_file(&self.job, &text)?;
        let peer_job = peer::job(&text, self.guest.disk_count());
        // Before the guest is created: without a place for the result there is no need to measure.
        let output = self.save.as_deref().map(|path| Output::open(Some(path))).transpose()?;
        let signals = SignalListener::new()?;
        let initramfs = Initramfs::new(&self.peer_initramfs, &peer_job)?;
        let ours = self.guest.config(String::new())?;
        let peer = Config {
            kernel: self.peer_kernel.clone(),
            ramdisk: Some(initramfs.path().to_owned()),
            memory_mib: self.peer_memory,
            ..self.guest.config("console=hvc0 quiet".to_owned())?
        };
        let mut saved = Saved { runs: Vec::new() };
        for turn in 0..self.runs {
            // The first of the two may find a quieter host.
            let order = [System::Ringmark, System::Linux];
            for system in if turn % 2 == 0 { order } else { [System::Linux, System::Ringmark] } {
                let (config, job, reader): (_, _, &mut dyn Reader) = match system {
                    System::Ringmark => (&ours, Some(&*text), &mut OurReader::new(&plan)),
                    System::Linux => (&peer, None, &mut PeerReader),
                };
                let session = Session { config, job, limit: self.guest.time_limit(&plan) };
                let of_which = || format!("{}, run {} of {}", system.name(), turn + 1, self.runs);
                let read = |text: &str| read(system, text);
                let result =
                    session.run(reader, &signals, self.guest.eta, read).with_context(of_which)?;
                let summary = summary(&Figures::of(&result).with_context(of_which)?);
                eprint_line(&format!("{}: {summary}", of_which()));
                saved.runs.push(Run { system, result });
            }
        }
        let printed = table(&saved.runs).and_then(|text| Output::open(None)?.write(&text));
        let Some(output) = output else { return printed };
        let text = serde_json::to_string(&saved).context("cannot write the results as JSON")?;
        result::first_error(printed, output.write_or_print(&(text + "\n")))
    }
}

/// Reads a result, which must be good.
fn read(system: System, text: &str) -> Result<Report> {
    if system == System::Linux {
        let report = printable::check(text).and_then(|()| Report::from_json(text));
        return report.context("fio's result can't be read");
    }
    let report = result::read(text)?;
    match result::failure(&report) {
        Some(reason) => bail!("the guest reports: {reason}"),
        None => Ok(report),
    }
}

fn summary(all: &[Figures]) -> String {
    let one = |of: &Figures| format!("{} {} {:.0} IOPS", of.job, of.direction, of.iops);
    all.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// A figure of a job.
type Figure = fn(&Figures) -> Option<f64>;

/// Rows of the table for each job and direction.
const FIGURES: [(&str, Figure); 4] = [
    ("IOPS", |side| Some(side.iops)),
    ("bandwidth, MiB/s", |side| Some(side.bytes_per_second / f64::from(1 << 20))),
    ("mean latency, us", |side| Some(side.mean_ns / 1e3)),
    ("99 % within, us", |side| side.percentile_ns(99.0).map(|ns| ns / 1e3)),
];

/// The figures of both for each job and direction.
fn table(runs: &[Run]) -> Result<String> {
    let read = |run: &Run| Ok((run.system, Figures::of(&run.result)?));
    let runs: Vec<(System, Vec<Figures>)> = runs.iter().map(read).collect::<Result<_>>()?;
    let (first_system, first) = runs.first().context("no runs")?;
    for (system, all) in &runs {
        let same = |(one, other): (&Figures, &Figures)| {
            one.job == other.job && one.direction == other.direction
        };
        ensure!(
            all.len() == first.len() && all.iter().zip(first).all(same),
            "the results have different jobs: {} of {}, {} of {}",
            summary(first),
            first_system.name(),
            summary(all),
            system.name()
        );
    }
    let mut text = row(["median (least .. greatest)", "ringmark", "Linux, fio", "ratio"]);
    let mut marks = String::new();
    for (index, Figures { job, direction, .. }) in first.iter().enumerate() {
        let ours = runs.iter().filter(|(system, _)| *system == System::Ringmark);
        let doubts = Doubts::about(ours.filter_map(|(_, all)| all.get(index))).marks();
        let mark = if doubts.is_empty() { "" } else { " *" };
        text.push_str(&format!("{job}, {direction}{mark}\n"));
        marks.extend(doubts.iter().map(|doubt| format!("* {job}, {direction}: {doubt}\n")));
        for (name, figure) in FIGURES {
            let of = |wanted: System| {
                let all = runs.iter().filter(|(system, _)| *system == wanted);
                let all = all.filter_map(|(_, all)| all.get(index).and_then(figure));
                Spread::of(all)
            };
            let (ours, theirs) = (of(System::Ringmark), of(System::Linux));
            let shown = |spread: Option<Spread>| spread.map_or("-".into(), |s| s.to_string());
            let ratio = ours.zip(theirs).map(|(ours, theirs)| ours.median / theirs.median);
            let ratio = ratio.map_or("-".into(), |ratio| format!("{ratio:.2}"));
            text.push_str(&row([&format!("  {name}"), &shown(ours), &shown(theirs), &ratio]));
        }
    }
    Ok(text + &marks)
}

fn row([name, ours, theirs, ratio]: [&str; 4]) -> String {
    format!("{name:<27} {ours:>30} {theirs:>30} {ratio:>8}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::sample;

    fn run(system: System, job: &str, iops: f64) -> Run {
        Run {
            system,
            result: sample(job, (system == System::Ringmark).then_some("persistent"), iops),
        }
    }

    #[test]
    fn medians_and_their_ratio_are_told() {
        let runs = [
            run(System::Ringmark, "a", 3000.0),
            run(System::Linux, "a", 1000.0),
            run(System::Linux, "a", 1200.0),
            run(System::Ringmark, "a", 1000.0),
            run(System::Ringmark, "a", 2200.0),
            run(System::Linux, "a", 1100.0),
        ];
        let expected = "\
median (least .. greatest)                        ringmark                     Linux, fio    ratio
a, read
  IOPS                                 2200 (1000 .. 3000)            1100 (1000 .. 1200)     2.00
  bandwidth, MiB/s                    8.59 (3.91 .. 11.72)            4.30 (3.91 .. 4.69)     2.00
  mean latency, us                     2.00 (2.00 .. 2.00)            2.00 (2.00 .. 2.00)     1.00
  99 % within, us                      4.10 (4.10 .. 4.10)            4.10 (4.10 .. 4.10)     1.00
";
        assert_eq!(table(&runs).unwrap(), expected);
    }

    #[test]
    fn a_row_that_is_not_of_its_grant_mode_is_marked() {
        let mut ours = run(System::Ringmark, "a", 3000.0);
        if let Some(extra) = &mut ours.result.jobs[0].ringmark {
            (extra.backend_pages_kept, extra.pages_used) = (Some(1006), Some(2112));
        }
        let runs = [ours, run(System::Linux, "a", 1000.0), run(System::Ringmark, "a", 3100.0)];
        let text = table(&runs).unwrap();
        assert!(text.contains("\na, read *\n"), "{text}");
        assert!(text.contains("\n* a, read: the backend keeps 1006 of 2112 pages"), "{text}");
    }

    #[test]
    fn results_of_different_jobs_are_not_compared() {
        let error =
            table(&[run(System::Ringmark, "a", 1.0), run(System::Linux, "b", 1.0)]).unwrap_err();
        assert!(error.to_string().contains("different jobs"), "{error}");
    }

    #[test]
    fn what_is_saved_can_be_read() {
        let saved =
            Saved { runs: vec![run(System::Ringmark, "a", 1.0), run(System::Linux, "a", 2.0)] };
        let text = serde_json::to_string(&saved).unwrap();
        let again: Saved = serde_json::from_str(&text).unwrap();
        assert_eq!(again.runs[1].system, System::Linux);
        assert_eq!(again.runs[0].result, saved.runs[0].result);
    }
}
