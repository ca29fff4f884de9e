//! The tool on a host that follows another's lead: it takes orders from its standard input, and
//! answers on its standard output. The end of the input is the end of the connection: all guests
//! are destroyed then.

use std::io::{self, Stdin, Write};
use std::time::{Duration, Instant};

use anyhow::{Error, Result, bail};
use results::Origin;

use super::clock::now_ns;
use super::lines::Lines;
use super::words::{self, Found, ORDER_BYTES_MAX, Order, Word};
use crate::exit::Exit;
use crate::fleet::crew::Outcome;
use crate::fleet::lead::Lead;
use crate::signals::Signals;
use crate::wait::Wait;

/// Longest silence of the leader, which says something every few seconds: a network that is gone
/// ends no connection.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// Requests to end early that end all at once.
const AT_ONCE: u32 = 2;
/// Time before a start that is slept through, and not waited for: a wait is as fine as a
/// millisecond.
const CLOSE: Duration = Duration::from_millis(2);

/// Lead of a fleet that follows another.
#[derive(Debug)]
pub struct Follower {
    orders: Lines<Stdin>,
    /// Time when the leader was last heard.
    heard: Instant,
    /// Requests to end early.
    early: u32,
    has_begun: bool,
    is_gone: bool,
    /// Stage that the guests are known to be ready for, from 1.
    ready: u32,
    /// Stage to start, and when: no step of the clock changes that any more.
    start: Option<(u32, Instant)>,
    /// Stage that is being started, and since when.
    opened: Option<(u32, u64)>,
}

impl Follower {
    /// Says that the guests could be made, and waits until they are to be.
    ///
    /// # Errors
    /// The connection ended, or a signal arrived.
    pub fn begin(signals: &Signals) -> Result<Self> {
        let mut follower = Self {
            orders: Lines::new(io::stdin(), ORDER_BYTES_MAX)?,
            heard: Instant::now(),
            early: 0,
            has_begun: false,
            is_gone: false,
            ready: 0,
            start: None,
            opened: None,
        };
        follower.say(&Word::Hello);
        loop {
            let early = follower.heed();
            if follower.is_gone || early != 0 || signals.received().count != 0 {
                bail!("ended before there was a guest");
            }
            if follower.has_begun {
                return Ok(follower);
            }
            let mut wait = Wait::default();
            follower.wait_for(&mut wait);
            wait.wait(signals);
        }
    }

    /// Says what came of the guests.
    ///
    /// # Errors
    /// The connection has ended.
    pub fn report(mut self, outcomes: Vec<Outcome>) -> Result<()> {
        for (index, outcome) in (0..).zip(outcomes) {
            self.say(&Word::Guest(Box::new(found(index, outcome)?)));
        }
        self.say(&Word::End);
        if self.is_gone { bail!("the connection has ended") } else { Ok(()) }
    }

    fn say(&mut self, word: &Word) {
        let said = words::line(word).and_then(|line| {
            let mut stdout = io::stdout().lock();
            Ok(stdout.write_all(line.as_bytes()).and_then(|()| stdout.flush())?)
        });
        self.is_gone |= said.is_err();
    }

    /// Takes an order, if there is one.
    fn take(&mut self) -> Result<bool> {
        let Some(line) = self.orders.next()? else { return Ok(false) };
        self.heard = Instant::now();
        match words::read(&line)? {
            Order::Begin => self.has_begun = true,
            Order::Clock(number) => self.say(&Word::Clock { number, ns: now_ns() }),
            Order::Start { stage, at_ns } => {
                let left = Duration::from_nanos(at_ns.saturating_sub(now_ns()));
                self.start = Instant::now().checked_add(left).map(|at| (stage, at));
            }
            Order::Early => self.early = self.early.saturating_add(1),
            Order::Here => {}
        }
        Ok(true)
    }
}

impl Lead for Follower {
    fn heed(&mut self) -> u32 {
        loop {
            match self.take() {
                Ok(true) => {}
                Ok(false) => break,
                Err(_) => {
                    self.is_gone = true;
                    break;
                }
            }
        }
        self.is_gone |= self.orders.is_closed() || self.heard.elapsed() >= SILENCE_MAX;
        if self.is_gone { self.early.saturating_add(AT_ONCE) } else { self.early }
    }

    fn opens(&mut self, stage: u32) -> bool {
        if self.ready != stage {
            self.ready = stage;
            self.say(&Word::Ready(stage));
        }
        let Some((_, at)) = self.start.filter(|(wanted, _)| *wanted == stage) else {
            return false;
        };
        let left = at.saturating_duration_since(Instant::now());
        if left > CLOSE {
            return false;
        }
        std::thread::sleep(left);
        self.start = None;
        self.opened = Some((stage, now_ns()));
        true
    }

    fn told(&mut self) {
        if let Some((stage, begun_ns)) = self.opened.take() {
            self.say(&Word::Told { stage, begun_ns, done_ns: now_ns() });
        }
    }

    fn is_lost(&self) -> bool {
        self.is_gone
    }

    fn wait_for<'w>(&'w self, wait: &mut Wait<'w>) {
        // One that is gone is done with.
        if !self.is_gone {
            self.orders.wait_for(wait);
            wait.until(self.heard + SILENCE_MAX);
        }
        // A time that is past is waited for no more: what is missing then is a guest.
        if let Some((_, at)) = self.start.filter(|(stage, _)| *stage == self.ready)
            && let Some(left) = at.checked_duration_since(Instant::now())
        {
            wait.until(Instant::now() + left.saturating_sub(CLOSE * 3 / 4));
        }
    }
}

/// Returns what there is to say of a guest.
fn found(index: u32, outcome: Outcome) -> Result<Found> {
    let reason = outcome.report.is_none().then(|| outcome.reason());
    let exit = outcome.error.as_ref().and_then(|error| error.downcast_ref());
    let timed_out = matches!(exit, Some(Exit::TimedOut(_)));
    let left = outcome.left.map(|error: Error| format!("{error:#}"));
    let mut report = outcome.report;
    let run = report.as_mut().and_then(|report| report.ringmark.as_mut());
    let origin: Option<Origin> = run.and_then(|run| run.origin.take());
    Ok(Found {
        index,
        has_started: outcome.has_started,
        report: report.map(|report| serde_json::to_string(&report)).transpose()?,
        origin: origin.map(|origin| serde_json::to_string(&origin)).transpose()?,
        reason,
        timed_out,
        left,
    })
}
