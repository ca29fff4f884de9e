//! A check on real Xen: guests, a command for dom0, and judges of what it printed.

use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};

use crate::guest::{ConsoleLine, Guest};
use crate::progress::print_line;
use crate::ramdisk::Ramdisks;
use crate::result::GuestResult;
use crate::rig::GUEST_KERNEL;
use crate::steps::{Outcome, Step};

/// The ramdisks of the boot: eight for one guest, and one that only bad input sees.
pub(super) const RAMDISKS: Ramdisks = Ramdisks { count: 9, mib: 32, filled: false };

/// Judges an outcome: the evidence, or what is wrong.
type Judge = Box<dyn Fn(&Outcome) -> Result<String>>;

/// One step of the boot and what is to be true of its outcome.
pub(super) struct Check {
    /// Subject of the check.
    pub(super) name: String,
    /// The guests that the command creates.
    pub(super) guests: Vec<Guest>,
    command: String,
    deadline_s: u64,
    judges: Vec<(String, Judge)>,
}

impl Check {
    /// A check that nobody judges yet.
    pub(super) fn new(
        name: impl Into<String>,
        deadline_s: u64,
        command: impl Into<String>,
    ) -> Self {
        Self {
            name: name.into(),
            guests: Vec::new(),
            command: command.into(),
            deadline_s,
            judges: Vec::new(),
        }
    }

    /// Adds a guest that the check's command creates.
    pub(super) fn with(mut self, guest: Guest) -> Self {
        self.guests.push(guest);
        self
    }

    /// Adds something that must be true.
    pub(super) fn judged(
        mut self,
        name: impl Into<String>,
        judge: impl Fn(&Outcome) -> Result<String> + 'static,
    ) -> Self {
        self.judges.push((name.into(), Box::new(judge)));
        self
    }

    /// The step for dom0.
    pub(super) fn step(&self) -> Step {
        Step::new(self.name.clone(), self.deadline_s, self.command.clone())
    }

    /// Counts what the judges say; shows everything that was printed if one of them is not content.
    pub(super) fn judge(&self, outcome: &Outcome, tally: &mut Tally) {
        let failed_before = tally.failed;
        for (name, judge) in &self.judges {
            tally.count(name, judge(outcome));
        }
        if tally.failed > failed_before {
            for line in &outcome.lines {
                print_line(format_args!("    | {line}"));
            }
        }
    }
}

/// Numbers of checks that passed and failed.
#[derive(Default)]
pub(crate) struct Tally {
    /// Number of checks that passed.
    pub(crate) passed: u32,
    /// Number of checks that failed.
    pub(crate) failed: u32,
}

impl Tally {
    /// Returns success if nothing failed.
    pub(crate) fn verdict(&self) -> ExitCode {
        if self.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    /// Counts a check and prints its evidence.
    pub(crate) fn count(&mut self, name: &str, verdict: Result<String>) {
        match verdict {
            Ok(evidence) => {
                self.passed += 1;
                print_line(format_args!("pass  {name}: {evidence}"));
            }
            Err(error) => {
                self.failed += 1;
                print_line(format_args!("FAIL  {name}: {error:#}"));
            }
        }
    }
}

/// Our guest with these disks (`/dev/ramN` of dom0, in order xvda, xvdb..) and this command line.
pub(super) fn guest(name: &str, ramdisks: &[u32], mode: char, extra: &str) -> Guest {
    let disk =
        |(ramdisk, letter): (&u32, char)| format!("phy:/dev/ram{ramdisk},xvd{letter},{mode}");
    Guest {
        name: name.to_owned(),
        kernel: GUEST_KERNEL,
        ramdisk: None,
        memory_mib: 16,
        vcpus: 1,
        cpu: None,
        disks: ramdisks.iter().zip('a'..='z').map(disk).collect(),
        extra: extra.to_owned(),
        settings: Vec::new(),
    }
}

/// The guest's result, which must be good, of a guest that ended by powering off.
pub(super) fn good_result(outcome: &Outcome, name: &str) -> Result<GuestResult> {
    let result = GuestResult::ours(outcome, name)?;
    if let Err(reason) = result.verdict() {
        bail!("the guest reports: {reason}");
    }
    powered_off(outcome, name)?;
    Ok(result)
}

/// Checks that xl saw the guest shut down by itself, with `SHUTDOWN_poweroff` (0, sched.h).
pub(super) fn powered_off(outcome: &Outcome, name: &str) -> Result<()> {
    let code = shutdown_code(outcome, name)?;
    ensure!(code == "0", "guest {name} shut down for reason {code}, not 0 (poweroff)");
    Ok(())
}

/// Checks that the guest ended as crashed, `SHUTDOWN_crash` (3, sched.h), with these words, in
/// one line of its console. Gives the line.
pub(super) fn crashed_saying(outcome: &Outcome, name: &str, words: &[&str]) -> Result<String> {
    let code = shutdown_code(outcome, name)?;
    ensure!(code == "3", "guest {name} shut down for reason {code}, not 3 (crash)");
    let lines = ConsoleLine::of(outcome, name);
    let says = |line: &&ConsoleLine<'_>| words.iter().all(|word| line.text.contains(word));
    let line = lines.iter().find(says);
    Ok(line.with_context(|| format!("no console line has all of {words:?}"))?.text.to_owned())
}

/// The reason for which xl saw the guest shut down by itself, a number.
fn shutdown_code<'a>(outcome: &'a Outcome, name: &str) -> Result<&'a str> {
    const BEFORE: &str = "has shut down, reason code ";
    let created = format!("create {name}");
    let mut lines =
        ConsoleLine::of(outcome, "xl").into_iter().skip_while(|line| line.text != created);
    let reason = lines
        .find_map(|line| line.text.split_once(BEFORE).map(|(_, reason)| reason))
        .with_context(|| format!("guest {name} did not shut down by itself"))?;
    Ok(reason.split_whitespace().next().unwrap_or_default())
}

/// Returns the values that the step printed as `KEY=VALUE`, each on a line of its own.
pub(super) fn values<'a>(outcome: &'a Outcome, key: &str) -> impl Iterator<Item = &'a str> {
    let value = move |line: &'a String| line.strip_prefix(key)?.strip_prefix('=');
    outcome.lines.iter().filter_map(value).map(str::trim)
}

/// Returns the first of the [`values`] of a key.
pub(super) fn value<'a>(outcome: &'a Outcome, key: &str) -> Result<&'a str> {
    let found = values(outcome, key).next();
    found.filter(|text| !text.is_empty()).with_context(|| format!("the step printed no {key}"))
}

/// A [`value`] that is a number.
pub(super) fn number(outcome: &Outcome, key: &str) -> Result<u64> {
    let text = value(outcome, key)?;
    text.parse().with_context(|| format!("{key}={text} is no number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_poweroff_is_one() {
        let lines = |reason| {
            Outcome::printed([
                "[xl 1.0] create a",
                "[xl 2.0] Domain 1 has shut down, reason code 0 0x0",
                "[xl 3.0] create b",
                reason,
            ])
        };
        assert!(
            powered_off(&lines("[xl 4.0] Domain 2 has shut down, reason code 0 0x0"), "b").is_ok()
        );
        assert!(
            powered_off(&lines("[xl 4.0] Domain 2 has shut down, reason code 3 0x3"), "b").is_err()
        );
        assert!(powered_off(&lines("[xl 4.0] b: not gone within 9 s: destroyed"), "b").is_err());
    }

    #[test]
    fn a_crash_says_why() {
        let lines = |code| {
            let reason = format!("[xl 3.0] Domain 1 has shut down, reason code {code} 0x3");
            Outcome::printed(["[xl 1.0] create a", "[a 2.0] ringmark: set memory=16", &reason])
        };
        let words = ["memory", "16"];
        let line = crashed_saying(&lines(3), "a", &words).unwrap();
        assert_eq!(line, "ringmark: set memory=16");
        assert!(crashed_saying(&lines(3), "a", &["memory", "17"]).is_err());
        assert!(crashed_saying(&lines(0), "a", &words).is_err());
    }

    #[test]
    fn values_are_read() {
        let outcome = Outcome::printed(["rd_req=12", "rd_req_more=3", "empty="]);
        assert_eq!(number(&outcome, "rd_req").unwrap(), 12);
        assert!(value(&outcome, "empty").is_err());
        assert!(number(&outcome, "wr_req").is_err());
    }

    #[test]
    fn disks_are_named_in_order() {
        let guest = guest("a", &[3, 0], 'r', "");
        assert_eq!(guest.disks, ["phy:/dev/ram3,xvda,r", "phy:/dev/ram0,xvdb,r"]);
    }
}
