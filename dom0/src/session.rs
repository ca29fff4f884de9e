//! One guest from start to end: create it, hand over the job, unpause it, wait for its result,
//! destroy it.

use std::collections::VecDeque;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use guest_protocol::job_node::JOB_NODE;
use xl_config::Config;

use crate::console::{Console, Received};
use crate::guest::Guest;
use crate::job;
use crate::signals::{Interrupt, SignalListener};
use crate::status::{Eta, StatusLine, eprint_line};
use crate::xl::State;

/// Silence after which `xl` is asked for the domain's state. While the silence lasts, it is asked
/// less and less often: dom0's time is the backend's.
const STATE_AFTER: Duration = Duration::from_secs(3);
/// Longest time between two such queries.
const STATE_EVERY: Duration = Duration::from_secs(60);
/// Longest silence of a guest that reports progress.
const SILENCE_MAX: Duration = Duration::from_secs(120);
/// Longest time to any guest's first line.
const BOOT_MAX: Duration = Duration::from_secs(600);
/// Longest time to the result of a guest that was asked to report early.
const REPORT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time from the end of the console to the end of the domain.
const TEARDOWN_MAX: Duration = Duration::from_secs(3);
/// Number of console lines quoted when a guest ends without a result.
const LAST_LINES: usize = 12;

/// A line of the console, by its meaning.
#[derive(Debug)]
pub enum Line {
    /// Progress of the job.
    Status,
    /// One line of the result, which is not complete yet.
    ResultPart,
    /// The last line of the result; holds the whole text.
    Result(String),
    /// Anything else.
    Other,
}

/// Parser of a guest's console.
pub trait Reader {
    /// Parses the next line.
    ///
    /// # Errors
    /// A result that was damaged on its way.
    fn line(&mut self, line: &str) -> Result<Line>;

    /// Returns whether the guest prints something every second while it works, and reports early
    /// when it receives Ctrl-C on its console.
    fn reports_progress(&self) -> bool;
}

/// A guest to run, and its job.
#[derive(Clone, Copy, Debug)]
pub struct Session<'a> {
    /// Configuration of the guest.
    pub config: &'a Config,
    /// Job file to hand over through xenstore.
    pub job: Option<&'a str>,
    /// Longest time from unpausing to the result.
    pub limit: Option<Duration>,
}

impl Session<'_> {
    /// Runs the guest and destroys it, then passes its result to `then`.
    ///
    /// # Errors
    /// Errors of xl and of `then`; a guest that ends without a result or exceeds a time limit; an
    /// interrupt; a domain that can't be destroyed, even if its result is good.
    pub fn run<T>(
        self,
        reader: &mut dyn Reader,
        signals: &SignalListener,
        eta: Eta,
        then: impl FnOnce(&str) -> Result<T>,
    ) -> Result<T> {
        let guest = Guest::create(self.config)?;
        let text = self.result(&guest, reader, signals, &mut StatusLine::new(eta));
        let destroyed = guest.destroy();
        match (text.and_then(|text| then(&text)), destroyed) {
            (Err(error), Err(left)) => {
                eprint_line(&format!("ringmark: {left:#}"));
                Err(error)
            }
            (done, destroyed) => destroyed.and(done),
        }
    }

    /// Hands over the job, unpauses the guest, and waits for its result.
    fn result(
        self,
        guest: &Guest,
        reader: &mut dyn Reader,
        signals: &SignalListener,
        status: &mut StatusLine,
    ) -> Result<String> {
        if let Some(text) = self.job {
            guest.write_pieces(JOB_NODE, text.len(), &job::pieces(text))?;
        }
        let console = guest.console()?;
        if signals.interrupt() != Interrupt::None {
            bail!("interrupted before the guest ran");
        }
        guest.unpause()?;
        let now = Instant::now();
        let last_lines = VecDeque::new();
        Monitor {
            guest,
            console,
            signals,
            started: now,
            last_line_at: now,
            report_requested: None,
            last_lines,
        }
        .watch(reader, self.limit, status)
    }
}

/// Watch over a running guest.
struct Monitor<'a> {
    guest: &'a Guest,
    console: Console,
    signals: &'a SignalListener,
    /// Time of unpausing.
    started: Instant,
    /// Time of the last line; `started` before the first.
    last_line_at: Instant,
    /// Time at which it was asked to report early.
    report_requested: Option<Instant>,
    /// Last lines, for error messages.
    last_lines: VecDeque<String>,
}

impl Monitor<'_> {
    fn watch(
        &mut self,
        reader: &mut dyn Reader,
        limit: Option<Duration>,
        status: &mut StatusLine,
    ) -> Result<String> {
        let mut ask_after = STATE_AFTER;
        loop {
            match self.console.recv(Duration::from_millis(200)) {
                Received::Line(line) => {
                    (self.last_line_at, ask_after) = (Instant::now(), STATE_AFTER);
                    if let Some(result) = self.take_line(&line, reader, status)? {
                        return Ok(result);
                    }
                }
                Received::Timeout if self.last_line_at.elapsed() < ask_after => {}
                Received::Timeout => {
                    self.check_state()?;
                    let silence = self.last_line_at.elapsed();
                    ask_after = silence + silence.min(STATE_EVERY);
                }
                Received::Closed => self.explain_close()?,
            }
            self.handle_signals(reader.reports_progress(), status)?;
            self.check_time(reader.reports_progress(), limit)?;
        }
    }

    /// Checks that the guest has not taken too long, nor been silent for too long.
    fn check_time(&self, reports_progress: bool, limit: Option<Duration>) -> Result<()> {
        if let Some(limit) = limit.filter(|limit| self.started.elapsed() >= *limit) {
            let what = format!("the guest was not done after {} s", limit.as_secs());
            bail!("{what}; --timeout=SECONDS sets another limit; {}", self.quote());
        }
        let silence = self.last_line_at.elapsed();
        let booting = self.last_line_at == self.started;
        if reports_progress && silence >= SILENCE_MAX || booting && silence >= BOOT_MAX {
            bail!("the guest printed nothing for {} s; {}", silence.as_secs(), self.quote());
        }
        Ok(())
    }

    fn take_line(
        &mut self,
        line: &str,
        reader: &mut dyn Reader,
        status: &mut StatusLine,
    ) -> Result<Option<String>> {
        match reader.line(line)? {
            Line::Status => status.show(line),
            Line::ResultPart => {}
            Line::Result(text) => return Ok(Some(text)),
            Line::Other => {
                if self.last_lines.len() == LAST_LINES {
                    self.last_lines.pop_front();
                }
                self.last_lines.push_back(line.to_owned());
            }
        }
        Ok(None)
    }

    /// Returns the reason why the console closed, as an error: in most cases the domain has ended.
    fn explain_close(&self) -> Result<()> {
        let closed = Instant::now();
        while closed.elapsed() < TEARDOWN_MAX {
            self.check_state()?;
            thread::sleep(Duration::from_millis(100));
        }
        bail!("the guest's console was closed; is xenconsoled running? {}", self.quote())
    }

    /// Checks that the guest has not ended: all of its output has been read.
    fn check_state(&self) -> Result<()> {
        let how = match self.guest.state()? {
            State::Alive => return Ok(()),
            State::ShutDown => "has ended",
            State::Crashed => "has crashed",
            // Not by this program, which still waits for it.
            State::Gone => "was destroyed by another program",
        };
        bail!("the guest {how} without a result; {}", self.quote())
    }

    /// Acts on the signals that have arrived.
    fn handle_signals(&mut self, reports_progress: bool, status: &mut StatusLine) -> Result<()> {
        match (self.signals.interrupt(), self.report_requested) {
            (Interrupt::None, _) => Ok(()),
            (Interrupt::Stop, _) => bail!("interrupted"),
            (Interrupt::Report, _) if !reports_progress => bail!("interrupted"),
            (Interrupt::Report, None) => {
                self.report_requested = Some(Instant::now());
                status.print_line(
                    "ringmark: ending early with the results so far; press Ctrl-C again to stop now",
                );
                self.console.interrupt()
            }
            (Interrupt::Report, Some(since)) if since.elapsed() < REPORT_TIMEOUT => Ok(()),
            (Interrupt::Report, Some(_)) => {
                bail!("interrupted, and the guest did not report in time")
            }
        }
    }

    /// Returns the last lines, for an error message.
    fn quote(&self) -> String {
        if self.last_lines.is_empty() {
            return "its console is empty".to_owned();
        }
        let lines: Vec<String> =
            self.last_lines.iter().map(|line| format!("\n  | {line}")).collect();
        format!("last lines of its console:{}", lines.concat())
    }
}
