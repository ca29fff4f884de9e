//! The conversation with a machine that works off steps: what it reports, from its start to its
//! end, each part within its time.

use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::progress::Progress;
use crate::qemu::Qemu;
use crate::steps::{Outcome, Report, Seen, Step};

/// Longest time for the end of QEMU after the last report.
const POWER_OFF: Duration = Duration::from_secs(30);

/// Sees what comes of each step, told by its index, as it comes; an error ends the run.
pub(crate) type Watch<'a> = &'a mut dyn FnMut(usize, Seen) -> Result<()>;

/// A machine that is running.
pub(crate) struct Conversation<'a> {
    /// Told of the stages.
    pub(crate) progress: &'a Progress,
    /// The machine, with the time for its start.
    pub(crate) qemu: Qemu,
    /// Name of the system that works the steps off.
    pub(crate) system: &'static str,
    /// Factor by which a deadline is longer than it says.
    pub(crate) patience: u32,
}

impl Conversation<'_> {
    /// Follows the machine through these steps until it has powered off.
    ///
    /// # Errors
    /// When it does not come up, ends early, a step's deadline passes, or `watch` is not content.
    pub(crate) fn all(&mut self, steps: &[Step], watch: Watch) -> Result<()> {
        self.boot().with_context(|| format!("starting {}", self.system))?;
        for (index, step) in steps.iter().enumerate() {
            self.progress.stage(&format!("{}/{} {}", index + 1, steps.len(), step.name));
            self.allow(step.deadline);
            self.step(index, watch).with_context(|| format!("step {:?}", step.name))?;
        }
        self.allow(POWER_OFF);
        match self.next()? {
            Some(Report::Done) => {}
            other => bail!("expected the end of all steps, found {other:?}"),
        }
        while self.next().context("powering off")?.is_some() {}
        self.progress.stage("powered off");
        Ok(())
    }

    fn boot(&mut self) -> Result<()> {
        loop {
            match self.report()? {
                Report::Stage(text) => self.progress.stage(&format!("{}: {text}", self.system)),
                Report::Ready => return Ok(()),
                Report::Fail(text) => bail!("{text}"),
                Report::Line(_) => {} // from before the system had the port to itself
                other => bail!("unexpected {other:?} before {} was up", self.system),
            }
        }
    }

    fn step(&mut self, index: usize, watch: Watch) -> Result<()> {
        match self.report()? {
            Report::Begin => {}
            other => bail!("expected the start of the step, found {other:?}"),
        }
        let mut lines = Vec::new();
        loop {
            match self.report()? {
                Report::Line(line) => {
                    watch(index, Seen::Line(&line))?;
                    lines.push(line);
                }
                Report::End(status) => return watch(index, Seen::End(Outcome { lines, status })),
                other => bail!("unexpected {other:?} during the step"),
            }
        }
    }

    fn allow(&mut self, time: Duration) {
        self.qemu.allow(time * self.patience);
    }

    fn report(&self) -> Result<Report> {
        self.next()?.context("the machine has stopped")
    }

    /// The next line of the report; none when QEMU has ended.
    fn next(&self) -> Result<Option<Report>> {
        self.qemu.line()?.map(|line| Report::parse(&line)).transpose()
    }
}
