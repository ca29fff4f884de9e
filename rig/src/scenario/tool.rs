//! `ab` and `curve`: dom0's tool compares our guest with itself, or measures its latency against
//! load, on a ramdisk.

use std::process::ExitCode;

use anyhow::{Context, Result, ensure};

use crate::image::Image;
use crate::machine::Clock;
use crate::progress::print_line;
use crate::ramdisk::Ramdisks;
use crate::rig::{GUEST_KERNEL, Rig};
use crate::steps::{Outcome, Seen, Step};

/// Job of all measurements.
const JOB: &str = "[job]\nfilename=/dev/xvda\nrw=randread\nbs=4k\nnorandommap\ntime_based\n";
/// Its iodepth where two variants are compared.
const DEPTH: u32 = 32;
/// Pairs of grant modes that are compared.
const MODES: [[&str; 2]; 2] = [["persistent", "per-request"], ["persistent", "persistent-copy"]];
/// Time for a guest besides its job, in seconds.
const GUEST_S: u64 = 30;

/// Compares the grant modes.
///
/// # Errors
/// When the machine or a command fails.
pub(crate) fn grant_modes(rig: &Rig, clock: Clock, pairs: u32, runtime_s: u32) -> Result<ExitCode> {
    let commands = MODES.map(|[a, b]| {
        let rest = format!("--pairs {pairs} --a grants={a} --b grants={b}");
        Command::new("ab", &rest, DEPTH, runtime_s, 2 * pairs)
    });
    for outcome in run(rig, clock, &commands)? {
        ensure!(outcome.status == 0, "the tool ended with status {}", outcome.status);
    }
    Ok(ExitCode::SUCCESS)
}

/// Compares the guest with itself so many times, and counts how often a difference is shown.
///
/// # Errors
/// When the machine or a command fails.
pub(crate) fn same(
    rig: &Rig,
    clock: Clock,
    times: u32,
    pairs: u32,
    runtime_s: u32,
) -> Result<ExitCode> {
    let command = || Command::new("ab", &format!("--pairs {pairs}"), DEPTH, runtime_s, 2 * pairs);
    let commands: Vec<Command> = (0..times).map(|_| command()).collect();
    let mut claims = 0;
    for outcome in run(rig, clock, &commands)? {
        ensure!(outcome.status == 0, "the tool ended with status {}", outcome.status);
        claims += u32::from(claims_difference(&outcome)?);
    }
    print_line(format_args!(
        "{claims} of {times} comparisons of equal guests show a difference in IOPS; 1 in 20 are to \
         be expected"
    ));
    Ok(ExitCode::SUCCESS)
}

/// Measures latency against load; by executed instructions twice, and compares the two to the
/// digit.
///
/// # Errors
/// When the machine or a command fails, or what should repeat does not.
pub(crate) fn curve(rig: &Rig, clock: Clock, runtime_s: u32) -> Result<ExitCode> {
    let command = || Command::new("curve", "", 4, runtime_s, 14);
    let measure = || -> Result<Outcome> {
        let outcome = run(rig, clock, &[command()])?.pop().context("no step")?;
        ensure!(outcome.status == 0, "the tool ended with status {}", outcome.status);
        Ok(outcome)
    };
    let first = measure()?;
    if clock == Clock::Instructions {
        let again = measure()?;
        let differs = first.lines.iter().zip(&again.lines).find(|(one, other)| one != other);
        ensure!(
            differs.is_none() && first.lines.len() == again.lines.len(),
            "the second boot printed something else: {differs:?}"
        );
        print_line(format_args!("the second boot printed the same {} lines", first.lines.len()));
    }
    Ok(ExitCode::SUCCESS)
}

/// Command of the tool.
struct Command {
    /// Its words before those on guest and disk.
    text: String,
    deadline_s: u64,
}

impl Command {
    /// Returns a command on the job at an iodepth, with these words behind, which runs so many
    /// guests' worth of jobs.
    fn new(name: &str, rest: &str, depth: u32, runtime_s: u32, guests: u32) -> Self {
        let job = format!("{JOB}iodepth={depth}\nruntime={runtime_s}\n");
        let text =
            format!("cat >/tmp/job.fio <<'END'\n{job}END\nringmark {name} /tmp/job.fio {rest}");
        let deadline_s = 60 + u64::from(guests) * (u64::from(runtime_s) + GUEST_S);
        Self { text, deadline_s }
    }

    fn step(&self, cpu: Option<u32>) -> Step {
        let cpus = cpu.map_or(String::new(), |cpu| format!("--cpus {cpu} "));
        let command = format!(
            "{} --disk phy:/dev/ram0 --kernel {GUEST_KERNEL} {cpus}--set 'tsc_mode=\"native\"' \
             --eta never",
            self.text
        );
        Step::new("the tool", self.deadline_s, command)
    }
}

/// Runs commands of the tool in one boot, and shows what they print.
fn run(rig: &Rig, clock: Clock, commands: &[Command]) -> Result<Vec<Outcome>> {
    let image = Image::build(&rig.cache, &rig.progress)?;
    let (directory, _lock) = rig.directory("tool")?;
    let mut machine = rig.machine(&image, directory, Ramdisks::MEASURED);
    machine.clock = clock;
    let mut overlay = rig.overlay(&[])?;
    rig.add_tool(&mut overlay)?;
    let steps: Vec<Step> = commands.iter().map(|command| command.step(clock.guest_cpu())).collect();
    let mut outcomes = Vec::new();
    machine.run(overlay, &steps, &mut |_, event| {
        match event {
            Seen::Line(line) => rig.progress.output(line),
            Seen::End(outcome) => outcomes.push(outcome),
        }
        Ok(())
    })?;
    Ok(outcomes)
}

/// Returns whether a comparison's verdict on IOPS is a difference.
fn claims_difference(outcome: &Outcome) -> Result<bool> {
    let mut lines = outcome.lines.iter().map(|line| line.trim());
    let verdict = lines.find(|line| line.starts_with("IOPS ")).and_then(|_| lines.next());
    let verdict = verdict.context("there is no verdict on IOPS")?;
    let is_none = verdict.starts_with("no difference shown");
    ensure!(is_none || verdict.contains("er than "), "{verdict:?} is no verdict");
    Ok(!is_none)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_are_read() {
        let claims = |verdict: &str| {
            let lines =
                ["job, read", "  IOPS    1000 (900 .. 1100)", verdict, "  mean latency, us"];
            claims_difference(&Outcome::printed(lines))
        };
        assert!(!claims("    no difference shown (between -2.0 % and 1.4 %); a").unwrap());
        assert!(claims("    A is faster than B by 1.1 % .. 2.4 %").unwrap());
        assert!(claims("    A is slower than B by 1.1 % .. 2.4 %").unwrap());
        for wrong in ["    one pair does not tell how far chance goes", "  bandwidth, MiB/s"] {
            assert!(claims(wrong).is_err(), "{wrong}");
        }
        assert!(claims_difference(&Outcome::printed(["a"])).is_err());
    }
}
