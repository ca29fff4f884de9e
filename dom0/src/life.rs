//! A guest's whole life: made, given its job, let go, listened to until its result, destroyed.

use std::collections::VecDeque;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use guest_protocol::job_node::JOB_NODE;

use crate::console::{Console, Heard};
use crate::guest::{Config, Guest};
use crate::interrupt::{Interrupt, Wish};
use crate::job;
use crate::status::{Eta, StatusLine, complain};
use crate::xl::State;

/// Where the guest looks for a job file, below its own path.
/// After so long without a line `xl` is asked whether the guest still lives: one that speaks does.
/// While it stays silent it is asked less and less often, because dom0's time is the backend's.
const ASK_AFTER: Duration = Duration::from_secs(3);
/// The longest time between two such questions.
const ASK_EVERY: Duration = Duration::from_secs(60);
/// A lively guest that says nothing for so long is given up.
const SILENCE_MAX: Duration = Duration::from_secs(120);
/// Any guest is given up whose first line takes so long.
const BOOT_MAX: Duration = Duration::from_secs(600);
/// How long a guest that was asked to report early may take.
const REPORT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a domain whose console is closed may take to be gone.
const GOING_MAX: Duration = Duration::from_secs(3);
/// Console lines that are quoted when a guest ends without a result.
const LAST_LINES: usize = 12;

/// What a line of the console means.
#[derive(Debug)]
pub enum Meaning {
    /// How far the job is.
    Status,
    /// A part of the result.
    Part,
    /// All of the result is there: its text.
    Result(String),
    /// Anything else.
    Words,
}

/// Reads a guest's lines.
pub trait Reader {
    /// Takes the next line.
    ///
    /// # Errors
    /// When the result is spoiled.
    fn line(&mut self, line: &str) -> Result<Meaning>;

    /// Whether the guest says something every second while it works, and reports what there is when
    /// Ctrl-C is typed at its console.
    fn is_lively(&self) -> bool;
}

/// What a guest is made for.
#[derive(Clone, Copy, Debug)]
pub struct Life<'a> {
    /// The guest.
    pub config: &'a Config,
    /// The job file that it is given by xenstore.
    pub job: Option<&'a str>,
    /// How long it may take.
    pub limit: Option<Duration>,
}

impl Life<'_> {
    /// Makes the guest, gives it its job, waits for its result, destroys it, and does with the
    /// result what there is to do.
    ///
    /// # Errors
    /// xl's; when the guest ends without a result, is given up, or somebody wants to end the run at
    /// once; when it can't be destroyed, even with a good result.
    pub fn live<T>(
        self,
        reader: &mut dyn Reader,
        interrupt: &Interrupt,
        eta: Eta,
        then: impl FnOnce(&str) -> Result<T>,
    ) -> Result<T> {
        let guest = Guest::create(self.config)?;
        let text = self.listen(&guest, reader, interrupt, &mut StatusLine::new(eta));
        let gone = guest.destroy();
        match (text.and_then(|text| then(&text)), gone) {
            (Err(error), Err(left)) => {
                complain(&format!("ringmark: {left:#}"));
                Err(error)
            }
            (done, gone) => gone.and(done),
        }
    }

    /// Gives the guest its job, lets it go, and waits for its result.
    fn listen(
        self,
        guest: &Guest,
        reader: &mut dyn Reader,
        interrupt: &Interrupt,
        status: &mut StatusLine,
    ) -> Result<String> {
        if let Some(text) = self.job {
            guest.give(JOB_NODE, text.len(), &job::pieces(text))?;
        }
        let console = guest.console()?;
        if interrupt.wish() != Wish::GoOn {
            bail!("interrupted before the guest ran");
        }
        guest.unpause()?;
        let now = Instant::now();
        let last = VecDeque::new();
        Vigil { guest, console, interrupt, begun: now, heard: now, asked: None, last }
            .keep(reader, self.limit, status)
    }
}

/// Listens to a guest that runs.
struct Vigil<'a> {
    guest: &'a Guest,
    console: Console,
    interrupt: &'a Interrupt,
    /// When it was let go.
    begun: Instant,
    /// When it said something; like `begun` before it did.
    heard: Instant,
    /// When it was asked to report early.
    asked: Option<Instant>,
    /// What it said last.
    last: VecDeque<String>,
}

impl Vigil<'_> {
    fn keep(
        &mut self,
        reader: &mut dyn Reader,
        limit: Option<Duration>,
        status: &mut StatusLine,
    ) -> Result<String> {
        let mut ask_after = ASK_AFTER;
        loop {
            match self.console.hear(Duration::from_millis(200)) {
                Heard::Line(line) => {
                    (self.heard, ask_after) = (Instant::now(), ASK_AFTER);
                    if let Some(result) = self.take(&line, reader, status)? {
                        return Ok(result);
                    }
                }
                Heard::Nothing if self.heard.elapsed() < ask_after => {}
                Heard::Nothing => {
                    self.look()?;
                    let silence = self.heard.elapsed();
                    ask_after = silence + silence.min(ASK_EVERY);
                }
                Heard::End => self.explain_end()?,
            }
            self.heed(reader.is_lively(), status)?;
            self.give_up(reader.is_lively(), limit)?;
        }
    }

    /// Fails when the guest has taken too long, or said nothing for too long.
    fn give_up(&self, is_lively: bool, limit: Option<Duration>) -> Result<()> {
        if let Some(limit) = limit.filter(|limit| self.begun.elapsed() >= *limit) {
            let what = format!("the guest was not done after {} s", limit.as_secs());
            bail!("{what}; --timeout=SECONDS gives it longer; {}", self.quote());
        }
        let silence = self.heard.elapsed();
        if is_lively && silence >= SILENCE_MAX || self.heard == self.begun && silence >= BOOT_MAX {
            bail!("the guest said nothing for {} s; {}", silence.as_secs(), self.quote());
        }
        Ok(())
    }

    fn take(
        &mut self,
        line: &str,
        reader: &mut dyn Reader,
        status: &mut StatusLine,
    ) -> Result<Option<String>> {
        match reader.line(line)? {
            Meaning::Status => status.show(line),
            Meaning::Part => {}
            Meaning::Result(text) => return Ok(Some(text)),
            Meaning::Words => {
                if self.last.len() == LAST_LINES {
                    self.last.pop_front();
                }
                self.last.push_back(line.to_owned());
            }
        }
        Ok(None)
    }

    /// Fails: a console that is closed mostly means that the domain is going, too.
    fn explain_end(&self) -> Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < GOING_MAX {
            self.look()?;
            thread::sleep(Duration::from_millis(100));
        }
        bail!("the guest's console was closed; is xenconsoled running? {}", self.quote())
    }

    /// Fails when the guest has ended: all that it said has been heard.
    fn look(&self) -> Result<()> {
        let how = match self.guest.state()? {
            State::Alive => return Ok(()),
            State::ShutDown => "has ended",
            State::Crashed => "has crashed",
            // Not by us, who listen to it.
            State::Gone => "was destroyed by somebody else",
        };
        bail!("the guest {how} without a result; {}", self.quote())
    }

    /// Does what somebody wants of the run.
    fn heed(&mut self, is_lively: bool, status: &mut StatusLine) -> Result<()> {
        match (self.interrupt.wish(), self.asked) {
            (Wish::GoOn, _) => Ok(()),
            (Wish::Stop, _) => bail!("interrupted"),
            (Wish::Report, _) if !is_lively => bail!("interrupted"),
            (Wish::Report, None) => {
                self.asked = Some(Instant::now());
                status.say("ringmark: ending early, with what there is; once more ends at once");
                self.console.interrupt()
            }
            (Wish::Report, Some(asked)) if asked.elapsed() < REPORT_TIMEOUT => Ok(()),
            (Wish::Report, Some(_)) => bail!("interrupted, and the guest did not report in time"),
        }
    }

    /// What the guest said last.
    fn quote(&self) -> String {
        if self.last.is_empty() {
            return "it said nothing".to_owned();
        }
        let lines: Vec<String> = self.last.iter().map(|line| format!("\n  | {line}")).collect();
        format!("it said last:{}", lines.concat())
    }
}
