//! Trials: jobs that a Linux guest runs one after the other, each with its own settings of the
//! disk's queue. Those with other words on the kernel's command line are another guest's.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};

use crate::archive::Archive;
use crate::guest::{ConsoleLine, Guest};
use crate::machine::Clock;
use crate::scenario::side::Side;
use crate::setting::Setting;
use crate::steps::{Outcome, Step};
use crate::workload::{Fio, Workload};

/// Prefix of a line with what a trial has measured.
const RESULT: &str = "peer-trial: ";
/// Virtual seconds that a trial takes besides its job, at most.
const BESIDE_S: u32 = 3;

/// A workload in a setting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Trial {
    pub(super) workload: Workload,
    pub(super) setting: Setting,
}

/// A guest and its trials.
pub(super) struct Batch {
    pub(super) guest: Guest,
    trials: Vec<Trial>,
    runtime_ms: u32,
}

impl Batch {
    /// The guests that these trials need.
    pub(super) fn all(trials: &[Trial], runtime_ms: u32) -> Vec<Self> {
        let mut by_words: BTreeMap<String, Vec<Trial>> = BTreeMap::new();
        for &trial in trials {
            by_words.entry(trial.setting.words()).or_default().push(trial);
        }
        let batch = |(number, (words, trials)): (usize, (String, Vec<Trial>))| {
            let name = format!("peer-{number}");
            let mut guest = Side::Linux(Fio::Default).guest(name, Clock::Instructions, "");
            guest.extra = format!("console=hvc0 quiet {words}trials=/trials/{number}");
            Self { guest, trials, runtime_ms }
        };
        by_words.into_iter().enumerate().map(batch).collect()
    }

    /// Adds the list of its trials to what goes into the guest's initramfs.
    pub(super) fn add(&self, archive: &mut Archive) {
        let path = self.guest.extra.rsplit('=').next().unwrap_or_default();
        let line = |(number, Trial { workload, setting }): (usize, &Trial)| {
            let job = workload.trial(self.runtime_ms, &setting.fio(*workload));
            format!("{number};{};{job}\n", setting.queue())
        };
        let lines: String = self.trials.iter().enumerate().map(line).collect();
        archive.add(path, 0o644, lines);
    }

    /// The step that runs it.
    pub(super) fn step(&self) -> Step {
        let each_s = self.runtime_ms.div_ceil(1000) + BESIDE_S;
        let allowed_s = 60 + u32::try_from(self.trials.len()).unwrap_or(u32::MAX) * each_s;
        let name = &self.guest.name;
        let title = format!("guest {name}, {} trials", self.trials.len());
        Step::new(title, u64::from(allowed_s) + 40, format!("guest {name} {allowed_s}"))
    }

    /// Returns the trial that a line tells of, and how it ended.
    ///
    /// # Errors
    /// When it tells of no trial that there is, or of no I/O.
    pub(super) fn read(&self, line: &str) -> Result<Option<(Trial, Ended)>> {
        let Some(line) = ConsoleLine::parse(line) else { return Ok(None) };
        let Some(text) = line.text.strip_prefix(RESULT) else { return Ok(None) };
        let read = || -> Result<_> {
            let (number, rest) = text.split_once(' ').context("no result")?;
            let trial = self.trials.get(number.parse::<usize>()?).context("no such trial")?;
            Ok((*trial, Ended::read(rest, trial.workload)?))
        };
        read().map(Some).with_context(|| format!("{text:?}"))
    }

    /// Checks that there is a result of each trial.
    ///
    /// # Errors
    /// When one is missing.
    pub(super) fn check(&self, outcome: &Outcome) -> Result<()> {
        let lines = outcome.lines.iter().filter(|line| line.contains(RESULT)).count();
        let all = self.trials.len();
        ensure!(lines == all, "{}: {lines} of {all} trials ended", self.guest.name);
        Ok(())
    }
}

/// End of a trial.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Ended {
    /// Instructions that it took for each I/O.
    Cost(f64),
    /// Linux or fio did not want it.
    Refused(String),
}

impl Ended {
    /// Reads fields of fio's terse output: the error; KiB read, and in how many ms; KiB written,
    /// and in how many ms.
    fn read(text: &str, workload: Workload) -> Result<Self> {
        if let Some(reason) = text.strip_prefix("refused: ") {
            return Ok(Self::Refused(reason.to_owned()));
        }
        let fields: Vec<f64> =
            text.split(';').map(str::parse).collect::<Result<_, _>>().context("not numbers")?;
        let [error, read_kib, read_ms, written_kib, write_ms] = fields[..] else {
            bail!("{} fields instead of 5", fields.len());
        };
        ensure!(error == 0.0, "fio had error {error}");
        let (kib, other, ms) = match workload.direction() {
            "write" => (written_kib, read_kib, write_ms),
            _ => (read_kib, written_kib, read_ms),
        };
        ensure!(other == 0.0, "fio did I/O in the other direction");
        let ios = kib * 1024.0 / workload.block_bytes() as f64;
        ensure!(ios > 0.0 && ms > 0.0, "fio did no I/O");
        // Of the virtual clock a millisecond is a million instructions.
        Ok(Self::Cost(ms * 1e6 / ios))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READS: Workload = Workload::MAIN[0];

    fn batches() -> Vec<Batch> {
        let fixed = Setting::fixed(READS);
        let trial = |setting| Trial { workload: READS, setting };
        let other = fixed.with("mitigations", "auto").unwrap();
        let queue = fixed.with("iostats", "1").unwrap();
        Batch::all(&[trial(fixed), trial(other), trial(queue)], 250)
    }

    #[test]
    fn other_words_for_the_kernel_are_another_guest() {
        let batches = batches();
        let extras: Vec<&str> = batches.iter().map(|batch| batch.guest.extra.as_str()).collect();
        assert_eq!(
            extras,
            [
                "console=hvc0 quiet trials=/trials/0",
                "console=hvc0 quiet mitigations=off trials=/trials/1"
            ]
        );
        assert_eq!(batches[1].trials.len(), 2);
        let mut archive = Archive::new();
        batches[1].add(&mut archive);
        assert!(archive.contains("/trials/1"));
    }

    #[test]
    fn a_trial_costs_what_fio_says() {
        let batch = &batches()[1];
        let read = |text: &str| batch.read(&format!("[peer-1 3.0] peer-trial: {text}\r"));
        let (trial, ended) = read("1 0;80000;250;0;0").unwrap().unwrap();
        assert_eq!((trial, ended), (batch.trials[1], Ended::Cost(12_500.0)));
        let refused = Ended::Refused("cannot tune: io_poll 1".into());
        assert_eq!(read("0 refused: cannot tune: io_poll 1").unwrap().unwrap().1, refused);
        assert!(batch.read("[peer-1 3.0] something else").unwrap().is_none());
        for wrong in ["2 0;80000;250;0;0", "1", "1 0;0;250;0;0", "1 0;80000;250;0", "x 0", "0 a;b"]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        for wrong in ["1 5;80000;250;0;0", "1 0;80000;250;4;250", "1 0;80000;0;0;0"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn each_trial_must_have_ended() {
        let batch = &batches()[1];
        let line = |number| format!("[peer-1 3.0] peer-trial: {number} 0;80000;250;0;0");
        assert!(batch.check(&Outcome::printed([line(0)])).is_err());
        batch.check(&Outcome::printed([line(0), line(1)])).unwrap();
    }
}
