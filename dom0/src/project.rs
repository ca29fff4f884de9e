//! `project`: what a host of another size would do, computed and not measured. It needs no guest.

mod grant_locks;

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result, anyhow, bail, ensure};
use clap::builder::RangedI64ValueParser;
use clap::{Args, ValueEnum};
use projection::grants::{LOCK_CPUS_MAX, SOCKETS_MAX};
use projection::{
    CPUS_MAX, Checked, Costs, Disk, GUESTS_MAX, IN_FLIGHT_MAX, Load, Operations, PER_CENT_MAX,
    Projection, SHIPPED, Setup, System, check, check_text, projection_text,
};
use results::Report;
use serde::Serialize;

use crate::display;
use crate::exit::{self, Exit};
use crate::report::input::{self, Input};
use crate::result::failure;
use crate::stdout;

/// Longest table of costs, in bytes.
const COSTS_BYTES_MAX: usize = 1 << 20;

/// Form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Tables.
    Text,
    /// JSON.
    Json,
}

/// Disk of a guest, as the command line has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DiskKind {
    /// Memory, from or to which each I/O is copied.
    Ramdisk,
    /// Linux's null_blk, which does nothing.
    Null,
}

/// Project what a host of another size would do with several guests, from measured and published
/// costs
///
/// Nothing is measured, and nothing of this host is used: a simulation lets I/Os of 4 KiB wait for
/// processors, threads and locks. How far it is from published figures, --check shows.
#[derive(Args, Debug)]
#[command(after_long_help = exit::help(exit::PROJECT))]
pub struct Project {
    /// Numbers of guests, or one number
    #[arg(long, value_name = "FIRST..LAST", default_value = "1..15", value_parser = parse_guests)]
    guests: RangeInclusive<u32>,
    /// Processors of the host: threads, where cores have several
    #[arg(long, value_name = "COUNT", default_value_t = 24, value_parser = up_to(CPUS_MAX))]
    cpus: u32,
    /// vCPUs of dom0; as many as processors, unless given
    #[arg(long, value_name = "COUNT", value_parser = up_to(CPUS_MAX))]
    dom0_vcpus: Option<u32>,
    /// vCPUs of each guest, each with a job of its own
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = up_to(CPUS_MAX))]
    vcpus: u32,
    /// Queues of each guest's disk
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = up_to(CPUS_MAX))]
    queues: u32,
    /// I/Os in flight of each job, of which a queue's ring has room for 32
    #[arg(long, value_name = "COUNT", default_value_t = 32, value_parser = up_to(IN_FLIGHT_MAX))]
    iodepth: u32,
    /// Disk behind the backend
    #[arg(long, value_enum, value_name = "DISK", default_value = "ramdisk")]
    disk: DiskKind,
    /// Result of ringmark, JSON, whose counters tell how many requests, grants and copies an I/O of
    /// 4 KiB takes in each of its grant modes
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Costs that replace those of the program, in the form of --print-costs
    #[arg(long, value_name = "FILE")]
    costs: Option<PathBuf>,
    /// Seed of the simulation
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// Form of the output
    #[arg(long, value_enum, value_name = "FORM", default_value = "text")]
    format: Form,
    /// Project published figures instead, and show how far off that is
    #[arg(long, conflicts_with_all = [
        "guests", "cpus", "dom0_vcpus", "vcpus", "queues", "iodepth", "disk", "from",
    ])]
    check: bool,
    /// Project five designs of Xen's grant tables instead, for up to so many processors of dom0,
    /// and show how far off published figures of these are
    #[arg(long, value_name = "CPUS", num_args = 0..=1, default_missing_value = "256")]
    #[arg(value_parser = up_to(LOCK_CPUS_MAX), conflicts_with_all = [
        "guests", "cpus", "dom0_vcpus", "vcpus", "queues", "iodepth", "disk", "from", "check",
    ])]
    grant_locks: Option<u32>,
    /// Sockets of the host of --grant-locks
    #[arg(long, value_name = "COUNT", default_value_t = 2, requires = "grant_locks",
        value_parser = up_to(SOCKETS_MAX))]
    sockets: u32,
    /// HTML file to write with plots of --grant-locks; an older page there is replaced, any other
    /// file is not
    #[arg(long, value_name = "FILE", requires = "grant_locks")]
    report: Option<PathBuf>,
    /// Print the costs of the program with their sources, for --costs
    #[arg(long, exclusive = true)]
    print_costs: bool,
}

/// Outcome of a check, as JSON.
#[derive(Serialize)]
struct Check<'a> {
    projected: bool,
    seed: u64,
    met_within_percent: f64,
    figures: &'a [Checked],
}

impl Project {
    /// Prints the projection.
    ///
    /// # Errors
    /// [`Exit::Usage`] for a number or a file that makes no sense; [`Exit::Output`].
    pub fn run(&self) -> Result<()> {
        let text = match (self.print_costs, self.check, self.grant_locks) {
            (true, ..) => SHIPPED.to_owned(),
            (_, true, _) => self.checked()?,
            (.., Some(cpus)) => self.grant_locks(cpus)?,
            _ => self.projected()?,
        };
        stdout::print(&text)
    }

    fn checked(&self) -> Result<String> {
        let checked = check(&self.costs()?, self.seed)?;
        if self.format == Form::Text {
            return Ok(check_text(&checked));
        }
        json(&Check {
            projected: true,
            seed: self.seed,
            met_within_percent: PER_CENT_MAX,
            figures: &checked,
        })
    }

    fn projected(&self) -> Result<String> {
        let costs = self.costs()?;
        let measured = match &self.from {
            Some(path) => read(path, operations)?,
            None => Vec::new(),
        };
        let (guests, seed) = (self.guests.clone(), self.seed);
        let projection = Projection::new(&costs, &self.setup(), guests, &measured, seed);
        // Each number is in its range, so it is of what they make together.
        let advice = "lower --guests, --vcpus, --queues or --iodepth";
        let projection = projection.map_err(|error| usage(&anyhow!("{error}; {advice}")))?;
        match self.format {
            Form::Text => Ok(projection_text(&costs, &projection)),
            Form::Json => json(&projection),
        }
    }

    fn setup(&self) -> Setup {
        let disk = match self.disk {
            DiskKind::Ramdisk => Disk::Ramdisk,
            DiskKind::Null => Disk::Null,
        };
        let load = Load { vcpus: self.vcpus, queues: self.queues, iodepth: self.iodepth, disk };
        let dom0_vcpus = self.dom0_vcpus.unwrap_or(self.cpus);
        Setup { cpus: self.cpus, dom0_vcpus, guests: *self.guests.end(), load }
    }

    fn costs(&self) -> Result<Costs> {
        let mut costs = Costs::shipped()?;
        if let Some(path) = &self.costs {
            read(path, |text| {
                let most = COSTS_BYTES_MAX;
                ensure!(
                    text.len() <= most,
                    "longer than {} MiB; it is no table of costs",
                    most >> 20
                );
                Ok(costs.replace(text)?)
            })?;
        }
        Ok(costs)
    }
}

/// Reads a file, and what it has. Its name and its words are escaped in errors.
fn read<T>(path: &Path, parse: impl FnOnce(&str) -> Result<T>) -> Result<T> {
    let read = input::read(path).and_then(|text| parse(&text));
    read.map_err(|error| usage(&error.context(path.display().to_string())))
}

fn usage(error: &Error) -> Error {
    Exit::Usage(display::text(&format!("{error:#}"))).into()
}

/// Returns what the last result in a text counted.
fn operations(text: &str) -> Result<Vec<(System, Operations)>> {
    let Input::Results(texts) = input::split(text)? else { bail!("no JSON of ringmark") };
    let json = texts.last().context("no JSON of ringmark")?;
    ensure!(!json.has_runs, "it has several runs; give the result of one `ringmark run`");
    let report = Report::from_json(json.text)?;
    if let Some(why) = failure(&report) {
        bail!("that run failed: {why}");
    }
    Ok(Operations::measured(&report)?)
}

fn json(of: &impl Serialize) -> Result<String> {
    let text = serde_json::to_string_pretty(of).map_err(|error| anyhow!(error))?;
    Ok(text + "\n")
}

/// Returns the parser of a number that is not 0.
fn up_to(most: u32) -> RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=most.into())
}

fn parse_guests(text: &str) -> Result<RangeInclusive<u32>, String> {
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    let ends = first.parse().ok().zip(last.parse().ok());
    ends.filter(|(first, last)| (1..=GUESTS_MAX).contains(first) && first <= last)
        .filter(|(_, last)| *last <= GUESTS_MAX)
        .map(|(first, last)| first..=last)
        .ok_or_else(|| format!("write numbers from 1 to {GUESTS_MAX}, such as 1..15"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_are_a_number_or_a_range() {
        for (text, expected) in
            [("1..15", 1..=15), ("4", 4..=4), ("7..7", 7..=7), ("128", 128..=128)]
        {
            assert_eq!(parse_guests(text), Ok(expected));
        }
        for text in ["", "0", "0..3", "3..2", "1..129", "-1", "1..", "..5", "1..2..3", "x", "1.5"] {
            let error = parse_guests(text).unwrap_err();
            assert_eq!(error, "write numbers from 1 to 128, such as 1..15", "{text}");
        }
    }
}
