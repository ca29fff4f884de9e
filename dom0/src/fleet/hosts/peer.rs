//! A host, from the copy of the tool to the last word of its guests.

use std::collections::VecDeque;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, anyhow, bail};
use serde::Deserialize;

use super::clock::{Clock, now_ns};
use super::connection::{Connections, quoted, ssh};
use super::errand::Errand;
use super::found::{self, Guests};
use super::host::Host;
use super::start::Start;
use super::talk::Talk;
use super::words::{self, Order, Word};
use crate::child::Child;
use crate::display;
use crate::event::Event;
use crate::exit::Exit;
use crate::session::ENDING_EARLY;
use crate::wait::Wait;

/// Keeps a directory there for as long as its input has no end, and runs the tool in it once that
/// was looked at. What it runs reads the same input.
const SCRIPT: &str = "PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin; \
    d=$(mktemp -d \"${TMPDIR:-/tmp}/ringmark.XXXXXXXXXX\") || exit; \
    trap 'rm -rf \"$d\"' EXIT; trap 'exit 1' HUP INT TERM; echo \"$d\"; \
    read -r sent || exit; chmod 700 \"$d/ringmark\"; \"$d/ringmark\" --version 2>&1 </dev/null; \
    read -r go || exit; \"$d/ringmark\" \"$@\" \"--kernel=$d/kernel\" \"$d/job\"";
/// Words that tell the script to go on.
const GO_ON: &str = "go\n";
/// Questions for the time before a start.
const QUESTIONS: u32 = 16;
/// Exit code of the tool there where a disk or an option is wrong ([`Exit::Usage`]).
const USAGE_CODE: i32 = 2;
/// Longest path of a directory, in bytes.
const DIRECTORY_BYTES_MAX: usize = 500;
/// Longest time for an answer what time it is.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Greatest error of a clock in nanoseconds with which a start is still one with the others'.
const CLOCK_ERROR_MAX_NS: u64 = 1_000_000_000;
/// Beginning of the line that says why the tool failed.
const FAILED: &str = "ringmark: error: ";
/// Exit code of ssh where the connection is gone.
const SSH_CODE: i32 = 255;
/// Words of ssh where a host takes no more sessions, and what these words mean.
const REFUSED: &str = "Session open refused by peer";
const REFUSED_ADVICE: &str = "its sshd takes too few sessions over a connection; four are needed \
                              (MaxSessions of sshd_config(5))";
/// Words for the domains of a lost host, if domains are to stay.
const LEFT: &str = "domains of its guests may be left there; `xl list` tells";

/// A host at work.
#[derive(Debug)]
pub struct Peer<'a> {
    errand: &'a Errand<'a>,
    host: &'a Host,
    index: usize,
    talk: Talk,
    step: Step,
    /// Last line of its error output, or that which says why its tool failed.
    last_words: Option<String>,
    /// Progress of its guests, in the words of its tool.
    pub progress: Option<String>,
    /// Remarks and calls of its tool that were not shown yet.
    pub events: Vec<Event>,
    /// Outcomes of its guests.
    guests: Guests,
    /// Stage that its guests wait to start.
    ready: Option<u32>,
    /// Last stage that they have waited to start.
    stage: u32,
    /// Its clock, from the questions before the stage that comes next.
    clock: Option<Clock>,
    question: Option<Question>,
    /// Time of the agreed start by its own clock, once it was told.
    agreed: Option<(u32, u64)>,
    /// Clock and start of the first stage.
    pub start: Start,
    /// Reason why it is lost.
    lost: Option<String>,
}

/// Question for the time that is under way.
#[derive(Clone, Copy, Debug)]
struct Question {
    number: u32,
    asked: Instant,
    asked_ns: u64,
}

#[derive(Debug)]
enum Step {
    /// Waits for the name of the directory.
    Directory,
    /// Copies files into it.
    Copy(Vec<Child>),
    /// Waits for the version of what will run.
    Version,
    /// Waits until all is checked there.
    Checks,
    /// Ready to make guests.
    Prepared,
    Running,
    Ended,
}

/// A line of `--progress=json`, as far as it is shown.
#[derive(Deserialize)]
struct Progress {
    event: String,
    text: Option<String>,
}

impl<'a> Peer<'a> {
    /// Begins with a host of a connection.
    ///
    /// # Errors
    /// ssh cannot be run.
    pub fn begin(
        errand: &'a Errand<'a>,
        index: usize,
        host: &'a Host,
        connections: &Connections,
    ) -> Result<Self> {
        let first = errand.first_guest(index) + 1;
        let mut command = format!("sh -c {} ringmark fleet --follow={first}", quoted(SCRIPT));
        command.push_str(&format!(" --guests={}", errand.guests));
        errand.arguments.iter().for_each(|word| command.push_str(&format!(" {}", quoted(word))));
        let words = connections.words(index, &command).context("ssh has no connection")?;
        Ok(Self {
            errand,
            host,
            index,
            talk: Talk::start(&words, errand.line_bytes_max())?,
            step: Step::Directory,
            last_words: None,
            progress: None,
            events: Vec::new(),
            guests: Guests::new(errand.guests),
            ready: None,
            stage: 0,
            clock: None,
            question: None,
            agreed: None,
            start: Start::default(),
            lost: None,
        })
    }

    /// Goes on with the preparation; returns whether guests can be made.
    ///
    /// # Errors
    /// Reason why they cannot.
    pub fn prepare(&mut self, connections: &Connections) -> Result<bool> {
        self.take_errors();
        for line in self.talk.lines()? {
            self.take_early(&line, connections)?;
        }
        if let Step::Copy(children) = &mut self.step {
            let mut is_done = true;
            for child in children {
                match child.poll() {
                    None => is_done = false,
                    Some(done) if done.is_success() => {}
                    Some(done) if done.stderr.contains(REFUSED) => bail!(REFUSED_ADVICE),
                    Some(done) => return Err(done.failure().context("a file cannot be copied")),
                }
            }
            if is_done {
                self.talk.say(GO_ON);
                self.step = Step::Version;
            }
        }
        match self.talk.end() {
            // It found what a look at the command line would have found here.
            Some(status) if self.is_checking() && status.code() == Some(USAGE_CODE) => {
                Err(Exit::Usage(self.ending().to_string()).into())
            }
            Some(_) => Err(self.ending()),
            None => Ok(self.is_prepared()),
        }
    }

    fn take_early(&mut self, line: &str, connections: &Connections) -> Result<()> {
        match self.step {
            Step::Directory => self.copy(line, connections),
            Step::Version => {
                let ours = format!("ringmark {}", env!("CARGO_PKG_VERSION"));
                if line != ours {
                    let said = display::text(line);
                    bail!("what runs there is not this tool: it says {said:?}, not {ours:?}");
                }
                self.talk.say(GO_ON);
                self.step = Step::Checks;
                Ok(())
            }
            Step::Checks if words::read::<Word>(line)? == Word::Hello => {
                self.step = Step::Prepared;
                Ok(())
            }
            _ => Err(out_of_step(line)),
        }
    }

    /// Copies tool, kernel and job.
    fn copy(&mut self, directory: &str, connections: &Connections) -> Result<()> {
        if !directory.starts_with('/') || directory.len() > DIRECTORY_BYTES_MAX {
            let said = display::text(directory);
            bail!("its shell says {said:?}, and no directory; let it print nothing for commands");
        }
        let mut children = Vec::new();
        for (name, file) in self.errand.files.open()? {
            let command = format!("cat >{}", quoted(&format!("{directory}/{name}")));
            let words = connections.words(self.index, &command).context("no connection")?;
            let limit = self.errand.call_limit;
            children.push(ssh(&words, Stdio::from(file), limit)?);
        }
        self.step = Step::Copy(children);
        Ok(())
    }

    /// Takes what it says while guests run; returns whether there was anything.
    pub fn run(&mut self) -> bool {
        if self.is_ended() {
            return false;
        }
        self.take_errors();
        let lines = self.talk.lines().and_then(|lines| self.take_all(lines));
        match lines {
            Ok(false) => {}
            Ok(true) => return true,
            Err(error) => {
                self.lose(format!("{error:#}"));
                return true;
            }
        }
        let is_late = |question: Question| question.asked.elapsed() >= ANSWER_TIMEOUT;
        if self.question.is_some_and(is_late) {
            let secs = ANSWER_TIMEOUT.as_secs();
            self.lose(format!("it was asked what time it is, and said nothing for {secs} s"));
            return true;
        }
        if self.talk.end().is_none() {
            return false;
        }
        // The last words of its tool name what stays there.
        while self.take_errors() {}
        if !self.guests.is_complete() {
            let error = self.ending();
            self.lose(format!("{error:#}"));
        }
        self.step = Step::Ended;
        true
    }

    fn take_all(&mut self, lines: VecDeque<String>) -> Result<bool> {
        let is_any = !lines.is_empty();
        for line in lines {
            self.take(&line)?;
        }
        Ok(is_any)
    }

    fn take(&mut self, line: &str) -> Result<()> {
        match words::read(line)? {
            Word::Clock { number, ns } => self.take_clock(number, ns),
            Word::Ready(stage) if stage > self.stage && stage <= self.errand.plan.stage_count() => {
                (self.stage, self.ready) = (stage, Some(stage));
                Ok(())
            }
            Word::Told { stage, begun_ns, done_ns } => {
                let Some((_, at_ns)) = self.agreed.take().filter(|(agreed, _)| *agreed == stage)
                else {
                    return Err(out_of_step(line));
                };
                if stage == 1 {
                    let write = Some((begun_ns, done_ns.max(begun_ns)));
                    let late_ns = Some(begun_ns.saturating_sub(at_ns));
                    self.start = Start { late_ns, write, ..self.start };
                }
                Ok(())
            }
            Word::Guest(found) => self.guests.take(*found),
            Word::End => {
                self.guests.end();
                self.talk.hang_up();
                Ok(())
            }
            Word::Hello | Word::Ready(_) => Err(out_of_step(line)),
        }
    }

    fn take_clock(&mut self, number: u32, ns: u64) -> Result<()> {
        let question = self.question.take().filter(|question| question.number == number);
        let question = question.context("it tells the time unasked")?;
        let clock = Clock::of(question.asked_ns, question.asked.elapsed(), ns);
        let clock = clock.context("its clock cannot be right")?;
        self.clock = Some(clock.better(self.clock));
        if number < QUESTIONS {
            self.ask(number + 1);
        }
        Ok(())
    }

    /// Asks for the time.
    fn ask(&mut self, number: u32) {
        let (asked, asked_ns) = (Instant::now(), now_ns());
        self.question = Some(Question { number, asked, asked_ns });
        self.say(Order::Clock(number));
    }

    /// Returns the stage that its guests wait to start; `None` if they do not wait.
    pub fn ready(&self) -> Option<u32> {
        self.ready
    }

    /// Returns its clock, once all was asked; begins to ask if nothing was.
    pub fn clock(&mut self) -> Option<Clock> {
        if self.clock.is_none() && self.question.is_none() {
            self.ask(1);
        }
        self.clock.filter(|_| self.question.is_none())
    }

    /// Lets its guests start the stage that they wait for, at this time of our clock.
    pub fn start(&mut self, at_ns: u64) {
        let (Some(stage), Some(clock)) = (self.ready.take(), self.clock.take()) else { return };
        if clock.error_ns > CLOCK_ERROR_MAX_NS {
            let secs = clock.error_ns as f64 / 1e9;
            self.lose(format!("its clock is known to {secs:.1} s only: the network is too slow"));
            return;
        }
        let Some(at_ns) = clock.theirs(at_ns) else {
            self.lose("its clock cannot be right".to_owned());
            return;
        };
        if stage == 1 {
            self.start.clock = Some(clock);
        }
        self.agreed = Some((stage, at_ns));
        self.say(Order::Start { stage, at_ns });
    }

    /// Gives it an order.
    pub fn say(&mut self, order: Order) {
        if order == Order::Begin {
            self.step = Step::Running;
        }
        match words::line(&order) {
            Ok(line) => self.talk.say(&line),
            Err(_) => self.talk.hang_up(),
        }
    }

    fn is_checking(&self) -> bool {
        matches!(self.step, Step::Checks)
    }

    /// Returns whether it waits for the others before it makes guests.
    pub fn is_prepared(&self) -> bool {
        matches!(self.step, Step::Prepared)
    }

    /// Gives it up: the end of its input has its guests destroyed.
    pub fn lose(&mut self, why: String) {
        self.talk.hang_up();
        self.ready = None;
        self.lost.get_or_insert(why);
        self.step = Step::Ended;
    }

    /// Returns whether guests of it may still start.
    pub fn comes(&self) -> bool {
        matches!(self.step, Step::Running) && !self.guests.is_any()
    }

    /// Returns whether there is nothing more to come from it.
    pub fn is_ended(&self) -> bool {
        matches!(self.step, Step::Ended)
    }

    /// Ends its input: it undoes all that was done there.
    pub fn hang_up(&mut self) {
        self.talk.hang_up();
    }

    /// Ends it, with all that was done there, before that is over.
    pub fn finish(&mut self, is_over: &dyn Fn() -> bool) {
        self.talk.finish(is_over);
    }

    /// Returns why it is lost, if it is, and what came of its guests.
    pub fn found(self, is_ending: bool) -> found::Found<'a> {
        let Self { errand, host, index, guests, start, lost, .. } = self;
        let lost = lost.map(|why| if errand.keeps { format!("{why}; {LEFT}") } else { why });
        let outcomes = guests.outcomes(errand, index, lost.as_deref(), is_ending);
        found::Found { host, outcomes, start, lost }
    }

    /// Returns why its tool ended.
    fn ending(&mut self) -> Error {
        self.take_errors();
        let is_ssh = self.talk.end().is_some_and(|status| status.code() == Some(SSH_CODE));
        match self.last_words.as_deref() {
            Some(words) if words.starts_with(FAILED) => {
                anyhow!(words.trim_start_matches(FAILED).to_owned())
            }
            Some(words) if words.contains(REFUSED) => anyhow!(REFUSED_ADVICE),
            Some(words) if is_ssh => anyhow!("the connection ended: {words}"),
            Some(words) => anyhow!(words.to_owned()),
            None => anyhow!("the connection ended"),
        }
    }

    /// Takes what it has printed to its error output by now; returns whether that was anything.
    fn take_errors(&mut self) -> bool {
        let lines = self.talk.errors();
        let is_any = !lines.is_empty();
        for line in lines {
            if let Ok(progress) = serde_json::from_str::<Progress>(&line) {
                match (progress.event.as_str(), progress.text) {
                    ("status", Some(text)) => self.progress = Some(display::text(&text)),
                    // That is said once, for all.
                    ("note", Some(text)) if text == ENDING_EARLY => {}
                    ("note", Some(text)) => {
                        // A host begins no line of ours.
                        let text = display::line(&text.replace('\n', " | "));
                        self.events.push(Event::Note(format!("{}: {text}", self.host)));
                    }
                    _ => {}
                }
            } else if let Some(call) = line.strip_prefix("+ ") {
                let call = display::line(call);
                self.events.push(Event::Call(format!("{}: {call}", self.host)));
            } else if !line.trim().is_empty() {
                self.take_words(display::text(line.trim()));
            }
        }
        is_any
    }

    /// Takes words that may be why it fails.
    fn take_words(&mut self, words: String) {
        let is_better = |old: &String| {
            [FAILED, REFUSED].into_iter().any(|why| old.contains(why) && !words.contains(why))
        };
        if !self.last_words.as_ref().is_some_and(is_better) {
            self.last_words = Some(words);
        }
    }

    /// Adds what it is to be asked again for.
    pub fn wait_for<'w>(&'w self, wait: &mut Wait<'w>) {
        if self.is_ended() {
            return;
        }
        self.talk.wait_for(wait);
        if let Step::Copy(children) = &self.step {
            children.iter().for_each(|child| child.wait_for(wait));
        }
        // The end of a program can be missed between two looks.
        wait.until(Instant::now() + Duration::from_secs(1));
    }
}

fn out_of_step(line: &str) -> Error {
    anyhow!("it is out of step: it says {}", display::text(line))
}
