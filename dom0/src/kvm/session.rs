//! One guest under KVM from start to end: start QEMU, read its console, take its result, see QEMU
//! end.
//!
//! Like a session with a tool stack it is a step and not a loop: it never waits.

use std::collections::VecDeque;
use std::mem;
use std::time::{Duration, Instant};

use anyhow::{Error, Result, anyhow, bail};
use results::Origin;

use super::failure;
use crate::child::{Child, Finished};
use crate::console::Console;
use crate::display;
use crate::drive::Step;
use crate::event::Event;
use crate::monitor::{Monitor, Reader};
use crate::session::ENDING_EARLY;
use crate::signals::{Interrupts, Request};
use crate::wait::Wait;
use crate::xl::State;

/// Longest life of a QEMU: its guest's time is bounded by itself.
const LIFE_MAX: Duration = Duration::from_secs(u32::MAX as u64);
/// Longest time from the result to QEMU's end: the guest powers off by itself.
const POWER_OFF_MAX: Duration = Duration::from_secs(10);
/// Longest time that QEMU has to write out what it holds of images, before it is killed.
const FLUSH_MAX: Duration = Duration::from_secs(30);
/// Longest time from the end of the console to QEMU's.
const TEARDOWN_MAX: Duration = Duration::from_secs(10);
/// Time between two looks at a QEMU that is about to end.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A guest to run.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// QEMU's program.
    pub program: &'a str,
    /// Its arguments.
    pub arguments: &'a [String],
    /// Longest time to the result.
    pub limit: Option<Duration>,
    /// Origin of the result.
    pub origin: &'a Origin,
}

/// A guest that is being run.
pub struct Session<'a> {
    order: Order<'a>,
    reader: &'a mut dyn Reader,
    stage: Stage,
    events: VecDeque<Event>,
    /// Signals that were taken into account.
    heeded: Interrupts,
}

enum Stage {
    Start,
    Watch(Box<Watched>),
    /// QEMU is to end, by itself until that time if there is one, else on request.
    End {
        qemu: Box<Child>,
        request_at: Instant,
        is_requested: bool,
        error: Option<Error>,
    },
    Ended,
}

/// A guest that runs.
struct Watched {
    qemu: Child,
    monitor: Monitor,
    /// End of QEMU, once it has.
    done: Option<Finished>,
    /// Time at which the console was found closed.
    closed: Option<Instant>,
}

impl<'a> Session<'a> {
    /// Begins a session.
    pub fn new(order: Order<'a>, reader: &'a mut dyn Reader) -> Self {
        let (events, heeded) = (VecDeque::new(), Interrupts::default());
        Self { order, reader, stage: Stage::Start, events, heeded }
    }

    /// Returns whether it went on.
    fn advance(&mut self, interrupts: Interrupts) -> Result<bool> {
        let heeded = mem::replace(&mut self.heeded, interrupts);
        if interrupts.since(heeded).count != 0 {
            self.take_signal()?;
        }
        match &mut self.stage {
            Stage::Start => self.start().map(|()| true),
            Stage::Watch(watched) => {
                let Some(text) = watched.look(self.reader, &mut self.events)? else {
                    return Ok(false);
                };
                let origin = Box::new(self.order.origin.clone());
                self.events.push_back(Event::Result { text, origin });
                self.end(POWER_OFF_MAX, None);
                Ok(true)
            }
            Stage::End { .. } => Ok(self.see_end()),
            Stage::Ended => Ok(false),
        }
    }

    /// Acts on signals that have just arrived.
    fn take_signal(&mut self) -> Result<()> {
        match &mut self.stage {
            Stage::Start => bail!("interrupted before the guest ran"),
            Stage::Watch(_) if self.heeded.request() == Some(Request::Stop) => bail!("interrupted"),
            Stage::Watch(watched) => {
                watched.monitor.request_report();
                self.events.push_back(Event::Note(ENDING_EARLY.to_owned()));
            }
            Stage::End { request_at, .. } => *request_at = Instant::now(),
            Stage::Ended => {}
        }
        Ok(())
    }

    fn start(&mut self) -> Result<()> {
        let Order { program, arguments, limit, .. } = self.order;
        let (console, terminal) = Console::pair(self.reader.line_bytes_max())?;
        let shown = [&[program.to_owned()], arguments].concat().join(" ");
        self.events.push_back(Event::Call(display::line(&shown)));
        let qemu = Child::start_on(program, arguments, terminal, LIFE_MAX)?;
        self.events.push_back(Event::Started);
        let monitor = Monitor::new(console, limit);
        let watched = Watched { qemu, monitor, done: None, closed: None };
        self.stage = Stage::Watch(Box::new(watched));
        Ok(())
    }

    /// Sees QEMU end, by itself within that time.
    fn end(&mut self, by_itself: Duration, error: Option<Error>) {
        self.stage = match mem::replace(&mut self.stage, Stage::Ended) {
            Stage::Watch(watched) if watched.done.is_none() => {
                let (qemu, request_at) = (Box::new(watched.qemu), Instant::now() + by_itself);
                Stage::End { qemu, request_at, is_requested: false, error }
            }
            _ => {
                self.say_end(error);
                Stage::Ended
            }
        };
    }

    /// Returns whether QEMU has ended.
    fn see_end(&mut self) -> bool {
        let Stage::End { qemu, request_at, is_requested, error } = &mut self.stage else {
            return false;
        };
        if qemu.poll().is_some() {
            let error = error.take();
            self.stage = Stage::Ended;
            self.say_end(error);
            return true;
        }
        if !*is_requested && Instant::now() >= *request_at {
            *is_requested = true;
            qemu.ask_to_end();
            qemu.interrupt_in(FLUSH_MAX);
        }
        false
    }

    fn say_end(&mut self, error: Option<Error>) {
        self.events.push_back(Event::End { error, left: None, kept: None, is_hopeless: false });
    }
}

impl Step for Session<'_> {
    fn step(&mut self, interrupts: Interrupts) -> Option<Event> {
        while self.events.is_empty() {
            match self.advance(interrupts) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => self.end(Duration::ZERO, Some(error)),
            }
        }
        self.events.pop_front()
    }

    fn wait_for<'w>(&'w self, wait: &mut Wait<'w>) {
        match &self.stage {
            Stage::Watch(watched) => {
                watched.monitor.wait_for(self.reader.reports_progress(), wait);
                watched.qemu.wait_for(wait);
                if watched.done.is_some() || watched.closed.is_some() {
                    wait.until(Instant::now() + LOOK_EVERY);
                }
            }
            Stage::End { qemu, .. } => {
                qemu.wait_for(wait);
                wait.until(Instant::now() + LOOK_EVERY);
            }
            Stage::Start | Stage::Ended => {}
        }
    }
}

impl Watched {
    /// Reads the console; returns the result once it is complete.
    fn look(
        &mut self,
        reader: &mut dyn Reader,
        events: &mut VecDeque<Event>,
    ) -> Result<Option<String>> {
        if self.done.is_none() {
            self.done = self.qemu.poll();
        }
        // After the look at its end, so that all that it printed is there.
        if let Some(text) = self.monitor.read(reader, events)? {
            return Ok(Some(text));
        }
        if !self.monitor.is_closed() {
            return Ok(None);
        }
        let closed = *self.closed.get_or_insert_with(Instant::now);
        match &self.done {
            Some(done) => Err(self.without_result(done)),
            None if closed.elapsed() < TEARDOWN_MAX => Ok(None),
            None => bail!("QEMU closed the guest's console; {}", self.monitor.quote()),
        }
    }

    /// Returns the error of a QEMU that ended before its guest's result.
    fn without_result(&self, done: &Finished) -> Error {
        if !self.monitor.has_heard() && !done.is_success() {
            return anyhow!(failure::explain(&done.stderr));
        }
        let state = if done.is_success() { State::ShutDown } else { State::Crashed };
        let error = self.monitor.end(state);
        // A crash makes QEMU print the registers, which are of no use here.
        match done.stderr.lines().find(|line| line.starts_with("qemu")) {
            Some(line) => anyhow!("{error:#}\nQEMU says: {}", display::text(line)),
            None => error,
        }
    }
}
