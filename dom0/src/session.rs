//! One guest from start to end: create it, hand over the job, unpause it, wait for its result,
//! destroy it.
//!
//! A session is a step and not a loop: it never waits, so many can run in one thread.

use std::collections::VecDeque;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Error, Result, anyhow, bail};
use guest_protocol::barrier::START_NODE;
use results::Origin;

use crate::child::{Finished, NotStarted};
use crate::console::Console;
use crate::drive::Step;
use crate::event::Event;
use crate::inquiry::{ANSWER_TIMEOUT, Inquiry};
use crate::job;
use crate::monitor::{Monitor, Reader};
use crate::signals::{Interrupts, Request};
use crate::uuid;
use crate::wait::Wait;
use crate::xl::{self, Call, Programs, Running, State};
use xl_config::Config;

/// Longest time that xenconsoled may take to give a new domain its terminal.
const TERMINAL_TIMEOUT: Duration = Duration::from_secs(10);
/// Time between looks for it.
const TERMINAL_EVERY: Duration = Duration::from_millis(50);
/// Times that a domain is destroyed that is still there after that.
const DESTROYS_MAX: u32 = 3;
/// Programs that a session alone runs at a time: each of its calls waits for the one before.
const PROGRAMS_MAX: usize = 1;
/// Remark on the first signal.
pub const ENDING_EARLY: &str =
    "ending early with the results so far; press Ctrl-C again to stop now";

/// A guest to run, and its job.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// Configuration of the guest.
    pub config: &'a Config,
    /// Job file to hand over through xenstore.
    pub job: Option<&'a str>,
    /// Longest time from unpausing to the result.
    pub limit: Option<Duration>,
    /// Longest time for a program of the tool stack.
    pub call_limit: Duration,
    /// Origin of the result, as far as it is known.
    pub origin: &'a Origin,
    /// Bound on the programs of a fleet, if the guest is of one: then it waits to be let go before
    /// it runs, and at the barrier before each stage of its jobs.
    pub fleet: Option<&'a Programs>,
    /// Whether its domain stays, whatever becomes of it.
    pub keep: bool,
}

/// A guest that is being run.
pub struct Session<'a> {
    order: Order<'a>,
    reader: &'a mut dyn Reader,
    stage: Stage,
    programs: Programs,
    /// The program that is under way in this stage.
    running: Option<Running>,
    events: VecDeque<Event>,
    inquiry: Inquiry,
    /// The domain, from its creation to its end.
    domain: Option<u32>,
    uuid: String,
    /// Signals that were taken into account.
    heeded: Interrupts,
    is_cleaning: bool,
    /// Times that a domain may be destroyed that is still there after that.
    destroys_left: u32,
    error: Option<Error>,
    /// Flag: `xl` did not answer yet, or the name is taken, or a program cannot be started.
    is_hopeless: bool,
}

/// Stages of a session; each but `Watch` is one call.
#[derive(Debug)]
enum Stage {
    /// Is the name free?
    Find,
    Inquire,
    Create,
    /// Which number has the domain?
    Identify,
    /// Did a creation that failed leave a domain? One of its name may be another's.
    Recover,
    HandOver,
    Terminal {
        since: Instant,
    },
    /// Wait for the others of its fleet.
    Hold(Console),
    Unpause(Console),
    Watch(Monitor),
    /// Did other guests of the host take CPU time, beside this one with its result?
    Others(u32, String),
    Destroy,
    /// Is it gone, whatever `xl destroy` said?
    Confirm(Result<()>),
    /// Is what is left of it only about to go?
    Linger(Result<()>),
    Ended,
}

impl<'a> Session<'a> {
    /// Begins a session.
    ///
    /// # Errors
    /// A configuration that `xl` cannot read.
    pub fn new(order: Order<'a>, reader: &'a mut dyn Reader) -> Result<Self> {
        let programs = order.fleet.cloned().unwrap_or_else(|| Programs::new(PROGRAMS_MAX));
        let find = Call::domid(&order.config.name);
        Ok(Self {
            running: Some(Running::new(find, order.call_limit, &programs)),
            order,
            reader,
            programs,
            stage: Stage::Find,
            events: VecDeque::new(),
            inquiry: Inquiry::new(order.origin.clone(), order.fleet.is_none()),
            domain: None,
            uuid: uuid::random()?,
            heeded: Interrupts::default(),
            is_cleaning: false,
            destroys_left: DESTROYS_MAX,
            error: None,
            is_hopeless: true,
        })
    }

    /// Lets a guest run that is [`Prepared`](Event::Prepared).
    pub fn release(&mut self) {
        let done = match std::mem::replace(&mut self.stage, Stage::Ended) {
            Stage::Hold(console) => {
                let id = self.domain.unwrap_or_default();
                self.begin(Stage::Unpause(console), Call::unpause(id))
            }
            stage => {
                self.stage = stage;
                Ok(())
            }
        };
        done.unwrap_or_else(|error| self.fail(error));
    }

    /// Notes that the guest, which waited at the barrier, may start.
    pub fn go(&mut self) {
        if let Stage::Watch(monitor) = &mut self.stage {
            monitor.go();
        }
    }

    /// Types an empty line on the guest's console, if it runs.
    pub fn type_line(&mut self) {
        if let Stage::Watch(monitor) = &mut self.stage {
            monitor.type_line();
        }
    }

    /// Gives the guest up for this reason: it is destroyed, and the session ends with an error.
    pub fn give_up(&mut self, why: &str) {
        let last = match &self.stage {
            Stage::Ended => return,
            Stage::Watch(monitor) => format!("; {}", monitor.quote()),
            _ => String::new(),
        };
        if !self.is_cleaning {
            self.fail(anyhow!("{why}{last}"));
        }
    }

    /// Lets its domain, which was to stay, not stay after all. Returns whether the session had
    /// ended and goes on, to destroy it.
    pub fn keep_no_more(&mut self) -> bool {
        if !std::mem::take(&mut self.order.keep) {
            return false;
        }
        let Some(id) = self.domain.filter(|_| matches!(self.stage, Stage::Ended)) else {
            return false;
        };
        if let Err(error) = self.destroy(id) {
            self.fail(error);
        }
        true
    }

    /// Returns whether the guest runs, as far as is known: one whose console is closed is gone, or
    /// about to be.
    pub fn is_running(&self) -> bool {
        matches!(&self.stage, Stage::Watch(monitor) if !monitor.is_closed())
    }

    /// Returns whether it went on.
    fn advance(&mut self, interrupts: Interrupts) -> Result<bool> {
        if interrupts.since(std::mem::replace(&mut self.heeded, interrupts)).count != 0 {
            self.take_signal()?;
        }
        if matches!(self.stage, Stage::Watch(_)) {
            return self.watch();
        }
        let Some(running) = &mut self.running else { return Ok(false) };
        let Some(done) = running.poll(&mut self.events)? else { return Ok(false) };
        self.running = None;
        self.take(&done)?;
        Ok(true)
    }

    /// Acts on signals that have just arrived.
    fn take_signal(&mut self) -> Result<()> {
        if let Stage::Watch(monitor) = &mut self.stage {
            if self.heeded.request() == Some(Request::Stop) || !self.reader.reports_progress() {
                bail!("interrupted");
            }
            monitor.request_report();
            self.events.push_back(Event::Note(ENDING_EARLY.to_owned()));
        } else if self.is_idle() {
            self.check_interrupt()?;
        } else if let Some(running) = &mut self.running {
            running.heed(self.heeded);
        }
        Ok(())
    }

    /// Returns whether it waits for others, and nothing has to be undone but the domain, if any.
    fn is_idle(&self) -> bool {
        match self.stage {
            Stage::Find => self.running.as_ref().is_some_and(Running::is_due),
            Stage::Hold(_) => true,
            _ => false,
        }
    }

    /// Begins the call of a stage.
    fn begin(&mut self, stage: Stage, call: Call) -> Result<()> {
        self.stage = stage;
        let running = Running::new(call, self.order.call_limit, &self.programs);
        self.running.insert(running).start(&mut self.events)
    }

    /// Takes the end of a stage's call, and begins the next stage.
    fn take(&mut self, done: &Finished) -> Result<()> {
        match std::mem::replace(&mut self.stage, Stage::Ended) {
            Stage::Find => {
                let name = &self.order.config.name;
                if let Some(id) = xl::domid(done)? {
                    bail!(
                        "domain {name} already exists (id {id}); \
                         end it with `xl destroy {name}`, or choose another name with --name"
                    );
                }
                self.is_hopeless = false;
                self.inquire()
            }
            Stage::Inquire => {
                self.inquiry.take(self.domain, Some(done));
                self.inquire()
            }
            Stage::Create if done.is_success() => self.begin(Stage::Identify, Call::vm_list()),
            Stage::Create => self.recover(advised(done.failure())),
            Stage::Identify => match self.find_ours(done) {
                Ok(Some(id)) => self.take_domain(id),
                Ok(None) => self.recover(anyhow!(
                    "domain {} vanished right after it was created; see /var/log/xen",
                    self.order.config.name
                )),
                Err(error) => self.recover(error),
            },
            Stage::Recover => self.take_recovered(done),
            Stage::HandOver => {
                xl::was_there(done)?;
                self.find_terminal(Instant::now(), Instant::now())
            }
            Stage::Terminal { since } => self.take_terminal(since, done),
            Stage::Unpause(console) => {
                match xl::was_there(done) {
                    Ok(true) => {}
                    Ok(false) => {
                        bail!("the guest was destroyed by another program before it ran")
                    }
                    Err(error) if done.is_exit() => return Err(error),
                    // Nobody knows how far it came: the guest may run.
                    Err(error) => self.events.push_back(Event::Note(format!("{error:#}"))),
                }
                self.events.push_back(Event::Started);
                self.stage = Stage::Watch(Monitor::new(console, self.order.limit));
                // Signals may have arrived in the meantime.
                if self.heeded.count == 0 { Ok(()) } else { self.take_signal() }
            }
            Stage::Others(id, text) => {
                self.inquiry.take_last(id, done);
                self.give_result(id, text)
            }
            Stage::Destroy => {
                let destroyed = xl::was_there(done).map(drop);
                self.begin(Stage::Confirm(destroyed), Call::vm_list())
            }
            Stage::Confirm(destroyed) => self.take_domains(destroyed, done),
            Stage::Linger(destroyed) => self.take_rest(destroyed, done),
            stage @ (Stage::Hold(_) | Stage::Watch(_) | Stage::Ended) => {
                self.stage = stage;
                Ok(())
            }
        }
    }

    /// Finds out whether a creation that failed left a domain behind.
    fn recover(&mut self, error: Error) -> Result<()> {
        self.error = Some(error);
        self.is_cleaning = true;
        self.begin(Stage::Recover, Call::vm_list())
    }

    /// Ends the domain, if there is one.
    fn take_recovered(&mut self, done: &Finished) -> Result<()> {
        match self.find_ours(done) {
            Ok(Some(id)) => return self.destroy(id),
            Ok(None) => self.end(None),
            Err(error) => self.end(Some(error)),
        }
        Ok(())
    }

    /// Returns the number of the domain in a list of all, which is known by its UUID.
    fn find_ours(&self, done: &Finished) -> Result<Option<u32>> {
        let domains = xl::domains(done)?;
        Ok(domains.into_iter().find(|(uuid, _)| *uuid == self.uuid).map(|(_, id)| id))
    }

    /// Goes on with a domain that was created.
    fn take_domain(&mut self, id: u32) -> Result<()> {
        self.domain = Some(id);
        self.events.push_back(Event::Created(id));
        self.inquire()
    }

    /// Asks the next question about the host or the guest, or else goes on: no answer is needed.
    fn inquire(&mut self) -> Result<()> {
        self.check_interrupt()?;
        while let Some(call) = self.inquiry.next_call(self.domain) {
            let limit = self.order.call_limit.min(ANSWER_TIMEOUT);
            let mut running = Running::new(call, limit, &self.programs).once();
            if running.start(&mut self.events).is_ok() {
                (self.stage, self.running) = (Stage::Inquire, Some(running));
                return Ok(());
            }
            self.inquiry.take(self.domain, None);
        }
        match self.domain {
            Some(id) => self.hand_over(id),
            None => self.create(),
        }
    }

    fn create(&mut self) -> Result<()> {
        let uuid = Some(self.uuid.clone());
        let config = Config { uuid, ..self.order.config.clone() };
        self.begin(Stage::Create, Call::create(config.arguments()?))
    }

    fn hand_over(&mut self, id: u32) -> Result<()> {
        let mut nodes = self.order.job.map(|text| job::nodes(id, text)).unwrap_or_default();
        nodes.extend(self.order.fleet.map(|_| start_node(id, 0)));
        match nodes.is_empty() {
            false => self.begin(Stage::HandOver, Call::write_nodes(nodes)),
            true => self.find_terminal(Instant::now(), Instant::now()),
        }
    }

    /// Looks for the guest's terminal at that time.
    fn find_terminal(&mut self, since: Instant, at: Instant) -> Result<()> {
        self.check_interrupt()?;
        self.stage = Stage::Terminal { since };
        let call = Call::read_node(&self.terminal_node());
        let running = Running::new(call, self.order.call_limit, &self.programs).at(at);
        self.running.insert(running).start(&mut self.events)
    }

    fn terminal_node(&self) -> String {
        format!("/local/domain/{}/console/tty", self.domain.unwrap_or_default())
    }

    fn take_terminal(&mut self, since: Instant, done: &Finished) -> Result<()> {
        self.check_interrupt()?;
        let path = done.stdout.trim();
        if done.is_success() && !path.is_empty() {
            let console = Console::open(Path::new(path), self.reader.line_bytes_max())?;
            self.stage = Stage::Hold(console);
            match self.order.fleet {
                Some(_) => self.events.push_back(Event::Prepared),
                None => self.release(),
            }
            return Ok(());
        }
        if since.elapsed() < TERMINAL_TIMEOUT && done.is_exit() {
            // xenconsoled writes the node when it has noticed the domain.
            return self.find_terminal(since, Instant::now() + TERMINAL_EVERY);
        }
        let error = if done.is_success() { anyhow!("it is empty") } else { done.failure() };
        let node = self.terminal_node();
        Err(error.context(format!("no terminal in {node} yet; is xenconsoled running?")))
    }

    /// Watches the guest; returns whether it went on.
    fn watch(&mut self) -> Result<bool> {
        let (Stage::Watch(monitor), Some(id)) = (&mut self.stage, self.domain) else {
            return Ok(false);
        };
        let done = match &mut self.running {
            Some(running) => running.poll(&mut self.events)?,
            None => None,
        };
        // After the answer to a query for its state: what it printed before it ended is there.
        if let Some(text) = monitor.read(self.reader, &mut self.events)? {
            self.ask_last(id, text)?;
            return Ok(true);
        }
        if let Some(done) = done {
            self.running = None;
            monitor.take_state(xl::state(id, &done))?;
        }
        if self.running.is_none() && monitor.wants_state() {
            let limit = self.order.call_limit;
            self.running = Some(Running::new(Call::list(id), limit, &self.programs));
            return Ok(true);
        }
        Ok(false)
    }

    /// Asks the last question, if there is one; no answer is needed.
    fn ask_last(&mut self, id: u32, text: String) -> Result<()> {
        if let Some(call) = self.inquiry.last_call() {
            let limit = self.order.call_limit.min(ANSWER_TIMEOUT);
            let mut running = Running::new(call, limit, &self.programs).once();
            if running.start(&mut self.events).is_ok() {
                (self.stage, self.running) = (Stage::Others(id, text), Some(running));
                return Ok(());
            }
        }
        self.give_result(id, text)
    }

    fn give_result(&mut self, id: u32, text: String) -> Result<()> {
        self.destroy(id)?;
        let origin = Box::new(self.inquiry.origin().clone());
        self.events.push_back(Event::Result { text, origin });
        Ok(())
    }

    /// Takes a list of all domains. Ends the session if it lacks ours, as it should.
    fn take_domains(&mut self, destroyed: Result<()>, done: &Finished) -> Result<()> {
        let ours = self.find_ours(done);
        if self.order.keep {
            // One that cannot be listed is more likely there than not.
            self.domain = ours.unwrap_or(self.domain);
            self.end(None);
            return Ok(());
        }
        let is_listed = ours.is_ok();
        let ours = ours.unwrap_or_default();
        match ours.or(self.domain) {
            Some(id) if ours.is_some() || destroyed.is_err() || !is_listed => {
                self.domain = Some(id);
                self.begin(Stage::Linger(destroyed), Call::list(id))
            }
            _ => {
                self.end(None);
                Ok(())
            }
        }
    }

    /// Takes the state of a domain that is still listed: one that is dying will be gone as soon as
    /// its backends let go of its pages.
    fn take_rest(&mut self, destroyed: Result<()>, done: &Finished) -> Result<()> {
        let id = self.domain.unwrap_or_default();
        match (xl::state(id, done), destroyed) {
            (Ok(State::Gone), _) => self.end(None),
            (_, Ok(())) if self.destroys_left > 0 => return self.destroy(id),
            (_, Ok(())) => self.end(Some(anyhow!("xl destroy ended well, but it is still there"))),
            (_, Err(error)) => self.end(Some(error)),
        }
        Ok(())
    }

    /// Begins to destroy the domain, or to look whether it is there, if it is to stay.
    fn destroy(&mut self, id: u32) -> Result<()> {
        self.is_cleaning = true;
        self.domain = Some(id);
        if self.order.keep {
            return self.begin(Stage::Confirm(Ok(())), Call::vm_list());
        }
        self.destroys_left = self.destroys_left.saturating_sub(1);
        self.begin(Stage::Destroy, Call::destroy(id))
    }

    /// Ends the session after an error, and first the domain, if there is one.
    fn fail(&mut self, error: Error) {
        self.running = None;
        self.is_hopeless |= error.is::<NotStarted>();
        if self.is_cleaning {
            self.end(Some(error));
            return;
        }
        // What went wrong first is what matters.
        self.error.get_or_insert(error);
        match self.domain.map(|id| self.destroy(id)) {
            None => self.end(None),
            Some(Err(error)) => self.end(Some(error)),
            Some(Ok(())) => {}
        }
    }

    /// Ends the session; `left` is the reason why the domain may still be there.
    fn end(&mut self, left: Option<Error>) {
        self.stage = Stage::Ended;
        let name = &self.order.config.name;
        let what = || format!("domain {name} may be left behind; end it with `xl destroy {name}`");
        let kept = self.domain.filter(|_| self.order.keep);
        let left = left.filter(|_| kept.is_none()).map(|error| error.context(what()));
        let (error, is_hopeless) = (self.error.take(), self.is_hopeless);
        self.events.push_back(Event::End { error, left, kept, is_hopeless });
    }

    /// Checks that nobody wants the guest to end before it runs.
    fn check_interrupt(&self) -> Result<()> {
        match self.heeded.count {
            0 => Ok(()),
            _ => bail!("interrupted before the guest ran"),
        }
    }
}

impl Step for Session<'_> {
    fn step(&mut self, interrupts: Interrupts) -> Option<Event> {
        while self.events.is_empty() {
            match self.advance(interrupts) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => self.fail(error),
            }
        }
        self.events.pop_front()
    }

    fn wait_for<'w>(&'w self, wait: &mut Wait<'w>) {
        if let Stage::Watch(monitor) = &self.stage {
            monitor.wait_for(self.reader.reports_progress(), wait);
            // While it is asked for, its time is past: that would be no wait.
            if self.running.is_none() {
                monitor.wait_for_state(wait);
            }
        }
        if let Some(running) = &self.running {
            running.wait_for(wait);
        }
    }
}

/// Returns the node that tells the domain of this number which stage of its jobs to start, with its
/// value.
pub fn start_node(id: u32, stage: u32) -> (String, String) {
    (format!("/local/domain/{id}/{START_NODE}"), stage.to_string())
}

/// Message of libxl when Xen has no memory for a guest's own page tables (`shadow_memory`): with 16
/// MiB and a number of vCPUs that xl did not know, it was so.
const NO_ROOM: &str = "could not allocate special pages";

/// Returns the error of `xl create`, with what to do about it where its words do not tell.
fn advised(error: Error) -> Error {
    match error.to_string().contains(NO_ROOM) {
        true => {
            error.context("Xen has too little memory for this guest's page tables; raise --memory")
        }
        false => error,
    }
}
