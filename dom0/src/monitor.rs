//! Watch over a running guest: what it prints, how long it takes, whether it is still there.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Error, Result, anyhow, bail};

use crate::console::{Console, Received};
use crate::display;
use crate::event::Event;
use crate::exit::Exit;
use crate::wait::Wait;
use crate::xl::State;

/// Silence after which `xl` is asked for the domain's state. While the silence lasts, it is asked
/// less and less often: dom0's time is the backend's.
const STATE_AFTER: Duration = Duration::from_secs(3);
/// Longest time between two such queries.
const STATE_EVERY: Duration = Duration::from_secs(60);
/// Time between such queries once the console is closed, or the domain is said to be gone.
const STATE_SOON: Duration = Duration::from_millis(100);
/// Queries in a row that may fail.
const STATE_FAILURES_MAX: u32 = 3;
/// Longest silence of a guest that reports progress.
const SILENCE_MAX: Duration = Duration::from_secs(120);
/// Longest time to any guest's first line.
const BOOT_MAX: Duration = Duration::from_secs(600);
/// Longest time to the next piece of the result of a guest that was asked to report early.
const REPORT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time to the end of that result.
const REPORT_MAX: Duration = Duration::from_secs(120);
/// Longest time from the end of the console to the end of the domain.
const TEARDOWN_MAX: Duration = Duration::from_secs(3);
/// Number of console lines quoted when a guest ends without a result.
const LAST_LINES: usize = 12;
/// Most warnings of a guest that are shown: a disk may have two in each of several stages.
const WARNINGS_MAX: usize = 16;

/// A line of the console, by its meaning.
#[derive(Debug)]
pub enum Line {
    /// Progress of the job.
    Status,
    /// Wait for others, to start this stage together.
    Ready(u32),
    /// One line of the result, which is not complete yet.
    ResultPart,
    /// The last line of the result; holds the whole text.
    Result(String),
    /// Warning, safe to show.
    Warning(String),
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

    /// Returns the longest line that it parses, in bytes; the rest of a longer one is dropped.
    fn line_bytes_max(&self) -> usize;
}

/// Time that a guest may take: its waits for others are not part of it.
#[derive(Debug)]
struct Allowance {
    limit: Option<Duration>,
    /// Time from which on it counts, later by the waits so far.
    since: Instant,
    /// Begin of a wait that lasts.
    waiting: Option<Instant>,
}

impl Allowance {
    /// Returns when it is used up, if nothing is waited for.
    fn deadline(&self) -> Option<Instant> {
        self.limit.filter(|_| !self.is_stopped()).map(|limit| self.since + limit)
    }

    fn is_stopped(&self) -> bool {
        self.waiting.is_some()
    }

    /// Notes that the guest waits for others.
    fn stop(&mut self, now: Instant) {
        self.waiting.get_or_insert(now);
    }

    /// Notes that it waits no more.
    fn go_on(&mut self, now: Instant) {
        if let Some(begin) = self.waiting.take() {
            self.since += now.saturating_duration_since(begin);
        }
    }
}

/// Watch over a guest from its unpausing to its result.
#[derive(Debug)]
pub struct Monitor {
    console: Console,
    allowance: Allowance,
    /// Time of unpausing.
    started: Instant,
    /// Time of the last line; `started` before the first.
    last_line_at: Instant,
    /// Time of the last line of the result.
    last_part_at: Option<Instant>,
    /// Time at which it was asked to report early.
    report_requested: Option<Instant>,
    /// Last lines, for error messages.
    last_lines: VecDeque<String>,
    /// Number of warnings that are still to be shown, with one that there are more.
    warnings_left: usize,
    closed: Option<Instant>,
    /// Time of the next query for the domain's state.
    ask_at: Instant,
    state_failures: u32,
    /// Whether the domain was said to be gone. It is asked for once more.
    is_gone: bool,
}

impl Monitor {
    /// Begins the watch.
    pub fn new(console: Console, limit: Option<Duration>) -> Self {
        let started = Instant::now();
        Self {
            console,
            allowance: Allowance { limit, since: started, waiting: None },
            started,
            last_line_at: started,
            last_part_at: None,
            report_requested: None,
            last_lines: VecDeque::new(),
            warnings_left: WARNINGS_MAX + 1,
            closed: None,
            ask_at: started + STATE_AFTER,
            state_failures: 0,
            is_gone: false,
        }
    }

    /// Reads the console; returns the result once it is complete. Notes what it shows in `events`.
    ///
    /// # Errors
    /// A damaged result; a guest that takes too long, or has been silent for too long.
    pub fn read(
        &mut self,
        reader: &mut dyn Reader,
        events: &mut VecDeque<Event>,
    ) -> Result<Option<String>> {
        if self.closed.is_none() {
            match self.console.recv() {
                Received::Lines(lines) => {
                    for line in lines {
                        if let Some(result) = self.take_line(line, reader, events)? {
                            return Ok(Some(result));
                        }
                    }
                }
                Received::Closed => {
                    (self.closed, self.ask_at) = (Some(Instant::now()), Instant::now());
                }
            }
        }
        match self.overdue(reader.reports_progress()) {
            Some(error) => Err(error),
            None => Ok(None),
        }
    }

    fn take_line(
        &mut self,
        line: String,
        reader: &mut dyn Reader,
        events: &mut VecDeque<Event>,
    ) -> Result<Option<String>> {
        self.last_line_at = Instant::now();
        self.ask_at = self.last_line_at + STATE_AFTER;
        (self.is_gone, self.state_failures) = (false, 0);
        match reader.line(&line)? {
            // Only the newest is worth showing.
            Line::Status => {
                events.retain(|event| !matches!(event, Event::Status(_)));
                events.push_back(Event::Status(display::text(&line)));
            }
            Line::Ready(stage) => {
                self.allowance.stop(self.last_line_at);
                events.push_back(Event::Ready(stage));
            }
            Line::ResultPart => self.last_part_at = Some(self.last_line_at),
            Line::Result(text) => return Ok(Some(text)),
            Line::Warning(text) => {
                let is_last = self.warnings_left == 1;
                let text = if is_last { "more were left out" } else { &*text };
                if self.warnings_left != 0 {
                    self.warnings_left -= 1;
                    events.push_back(Event::Note(format!("warning: {text}")));
                }
            }
            Line::Other => {
                if self.last_lines.len() == LAST_LINES {
                    self.last_lines.pop_front();
                }
                self.last_lines.push_back(display::text(&line));
            }
        }
        Ok(None)
    }

    /// Returns an error if a time limit is over.
    fn overdue(&self, reports_progress: bool) -> Option<Error> {
        let now = Instant::now();
        let deadline = self.deadline(reports_progress).filter(|deadline| now >= *deadline)?;
        let text = if Some(deadline) == self.report_deadline() {
            "interrupted, and the guest did not report in time".to_owned()
        } else if Some(deadline) == self.allowance.deadline() {
            let limit = self.allowance.limit.unwrap_or_default();
            let what = format!("the guest was not done after {} s", limit.as_secs());
            format!("{what}; --timeout=SECONDS sets another limit; {}", self.quote())
        } else {
            let silence = now.duration_since(self.last_line_at).as_secs();
            format!("the guest printed nothing for {silence} s; {}", self.quote())
        };
        let is_report = self.report_requested.is_some();
        Some(if is_report { anyhow!(text) } else { Exit::TimedOut(text).into() })
    }

    /// Returns the earliest time limit.
    fn deadline(&self, reports_progress: bool) -> Option<Instant> {
        let is_booting = self.last_line_at == self.started;
        let silence = reports_progress.then_some(SILENCE_MAX);
        let silence =
            silence.or(is_booting.then_some(BOOT_MAX)).filter(|_| !self.allowance.is_stopped());
        let deadlines = [
            self.report_deadline(),
            self.allowance.deadline(),
            silence.map(|silence| self.last_line_at + silence),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Returns the end of the wait for a report that was asked for: each piece extends it.
    fn report_deadline(&self) -> Option<Instant> {
        let asked = self.report_requested?;
        let last = self.last_part_at.map_or(asked, |part| part.max(asked));
        Some((last + REPORT_TIMEOUT).min(asked + REPORT_MAX))
    }

    /// Notes that what it waits for is there: from now on it is not to be silent.
    pub fn go(&mut self) {
        self.last_line_at = Instant::now();
        self.allowance.go_on(self.last_line_at);
        self.ask_at = self.last_line_at + STATE_AFTER;
    }

    /// Types an empty line on the guest's console.
    pub fn type_line(&mut self) {
        self.console.type_line();
    }

    /// Returns whether the console was closed.
    pub fn is_closed(&self) -> bool {
        self.closed.is_some()
    }

    /// Asks the guest to report early.
    pub fn request_report(&mut self) {
        if self.report_requested.is_none() {
            self.report_requested = Some(Instant::now());
            self.console.interrupt();
        }
    }

    /// Returns whether `xl` is to be asked for the domain's state.
    pub fn wants_state(&self) -> bool {
        Instant::now() >= self.ask_at
    }

    /// Adds what [`wants_state`](Self::wants_state) is to be called for.
    pub fn wait_for_state(&self, wait: &mut Wait<'_>) {
        wait.until(self.ask_at);
    }

    /// Takes the domain's state, or what kept `xl` from reporting it.
    ///
    /// # Errors
    /// A guest that has ended: all of its output has been read. A state that stays unknown.
    pub fn take_state(&mut self, state: Result<State>) -> Result<()> {
        let now = Instant::now();
        let silence = now.duration_since(self.last_line_at);
        self.ask_at = now
            + match self.closed {
                Some(_) => STATE_SOON,
                None => silence.clamp(STATE_AFTER, STATE_EVERY),
            };
        let how = match state {
            Ok(State::Alive) => {
                (self.is_gone, self.state_failures) = (false, 0);
                return self.explain_close();
            }
            Ok(State::ShutDown) => "has ended",
            Ok(State::Crashed) => "has crashed",
            Ok(State::Gone) if !self.is_gone => {
                (self.is_gone, self.ask_at) = (true, now + STATE_SOON);
                return Ok(());
            }
            // Not by this program, which still waits for it.
            Ok(State::Gone) => "was destroyed by another program",
            Err(error) => {
                self.state_failures += 1;
                if self.state_failures < STATE_FAILURES_MAX {
                    return Ok(());
                }
                return Err(error);
            }
        };
        Err(self.ended(how))
    }

    /// Returns the error of a guest that has ended in this state: all of its output has been read.
    pub fn end(&self, state: State) -> Error {
        self.ended(if state == State::Crashed { "has crashed" } else { "has ended" })
    }

    fn ended(&self, how: &str) -> Error {
        let what =
            if self.last_part_at.is_some() { "with half a result" } else { "without a result" };
        anyhow!("the guest {how} {what}; {}", self.quote())
    }

    /// Returns whether the guest has printed anything.
    pub fn has_heard(&self) -> bool {
        self.last_line_at != self.started
    }

    /// Returns an error if the console was closed, and the domain goes on without it.
    fn explain_close(&self) -> Result<()> {
        match self.closed {
            Some(closed) if closed.elapsed() >= TEARDOWN_MAX => {
                bail!("the guest's console was closed; is xenconsoled running? {}", self.quote())
            }
            _ => Ok(()),
        }
    }

    /// Returns the last lines, for an error message.
    pub fn quote(&self) -> String {
        if self.last_lines.is_empty() {
            let also = if self.last_part_at.is_some() { " but for its result" } else { "" };
            return format!("its console is empty{also}");
        }
        let lines: Vec<String> =
            self.last_lines.iter().map(|line| format!("\n  | {line}")).collect();
        format!("last lines of its console:{}", lines.concat())
    }

    /// Adds what [`read`](Self::read) is to be called for.
    pub fn wait_for<'a>(&'a self, reports_progress: bool, wait: &mut Wait<'a>) {
        if self.closed.is_none() {
            self.console.wait_for(wait);
        }
        if let Some(deadline) = self.deadline(reports_progress) {
            wait.until(deadline);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_for_others_do_not_count() {
        let (since, second) = (Instant::now(), Duration::from_secs(1));
        let mut allowance = Allowance { limit: Some(5 * second), since, waiting: None };
        assert_eq!(allowance.deadline(), Some(since + 5 * second));
        allowance.stop(since + 2 * second);
        allowance.stop(since + 3 * second);
        assert!(allowance.is_stopped() && allowance.deadline().is_none());
        allowance.go_on(since + 9 * second);
        allowance.go_on(since + 20 * second);
        assert_eq!(allowance.deadline(), Some(since + 12 * second));
        let unlimited = Allowance { limit: None, since, waiting: None };
        assert_eq!(unlimited.deadline(), None);
    }
}
