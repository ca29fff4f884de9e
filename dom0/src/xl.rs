//! Words of Xen's tool stack: calls of `xl` and of the xenstore clients, and how their answers are
//! read.

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use crate::child::{Child, Finished};
use crate::display;
use crate::event::Event;
use crate::signals::Interrupts;
use crate::wait::Wait;

/// Tries of a call that fails without an answer, such as `libxl: error: no reply`.
const TRIES: u32 = 3;
/// Time between two tries.
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// Time that a program still has after the first signal; a second one ends it at once.
const INTERRUPT_GRACE: Duration = Duration::from_secs(10);

/// A domain's state as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// A domain that runs, or could.
    Alive,
    /// A domain that has shut down by itself.
    ShutDown,
    /// A domain that has crashed.
    Crashed,
    /// There is no such domain.
    Gone,
}

/// A call of a program, not begun.
#[derive(Clone, Debug)]
pub struct Call {
    program: &'static str,
    words: Vec<String>,
    /// Whether the end of a call is an answer; a call without one is tried again.
    is_answer: fn(&Finished) -> bool,
}

fn call(
    program: &'static str,
    words: impl IntoIterator<Item = impl Into<String>>,
    is_answer: fn(&Finished) -> bool,
) -> Call {
    Call { program, words: words.into_iter().map(Into::into).collect(), is_answer }
}

impl Call {
    /// Asks for the number of the domain of this name: [`domid`].
    pub fn domid(name: &str) -> Self {
        call("xl", ["domid", name], is_about_domain)
    }

    /// Creates a paused domain of these settings, `KEY=VALUE` each. Never tried again: nobody knows
    /// how far it came.
    pub fn create(settings: Vec<String>) -> Self {
        // -e is not to watch the domain: that is done here.
        let words = ["create", "-p", "-e", "/dev/null"].map(str::to_owned);
        call("xl", words.into_iter().chain(settings), |_| true)
    }

    /// Lists all domains with their UUIDs: [`domains`].
    pub fn vm_list() -> Self {
        call("xl", ["vm-list"], is_success_or_killed)
    }

    /// Asks for a domain's state: [`state`].
    pub fn list(id: u32) -> Self {
        call("xl", ["list", &id.to_string()], is_about_domain)
    }

    /// Lists all domains with the CPU time that they took: [`cpu_times`]. Never tried again.
    pub fn list_all() -> Self {
        call("xl", ["list"], |_| true)
    }

    /// Unpauses a domain.
    pub fn unpause(id: u32) -> Self {
        call("xl", ["unpause", &id.to_string()], is_about_domain)
    }

    /// Destroys a domain. Tried again even when it hung: there is nothing better to do.
    pub fn destroy(id: u32) -> Self {
        call("xl", ["destroy", &id.to_string()], |done| done.is_success() || is_absent(done))
    }

    /// Asks for facts about the host. Never tried again, as all questions that need no answer.
    pub fn info() -> Self {
        call("xl", ["info"], |_| true)
    }

    /// Asks what sets the clock of the processors.
    pub fn power() -> Self {
        call("xenpm", ["get-cpufreq-para"], |_| true)
    }

    /// Asks for the messages of Xen.
    pub fn messages() -> Self {
        call("xl", ["dmesg"], |_| true)
    }

    /// Asks where the vCPUs of dom0 and of a domain may run.
    pub fn vcpu_list(id: u32) -> Self {
        call("xl", ["vcpu-list", "0", &id.to_string()], |_| true)
    }

    /// Asks where dom0's vCPUs may run.
    pub fn dom0_vcpu_list() -> Self {
        call("xl", ["vcpu-list", "0"], |_| true)
    }

    /// Lists all nodes below these paths of xenstore: a line `PATH = "VALUE"` for each.
    pub fn list_nodes(paths: &[String]) -> Self {
        let words = ["-f".to_owned()].into_iter().chain(paths.iter().cloned());
        call("xenstore-ls", words, |_| true)
    }

    /// Reads a node of xenstore.
    pub fn read_node(path: &str) -> Self {
        // One that is not there yet is an answer, too.
        call("xenstore-read", [path], |_| true)
    }

    /// Writes nodes, each a path and its value, all at once: nobody sees some without the others.
    pub fn write_nodes(nodes: impl IntoIterator<Item = (String, String)>) -> Self {
        let words = nodes.into_iter().flat_map(|(path, value)| [path, value]);
        call("xenstore-write", ["--".to_owned()].into_iter().chain(words), is_success_or_killed)
    }

    /// Returns its words as a shell would take them, the long ones cut.
    pub fn shown(&self) -> String {
        let mut shown = self.program.to_owned();
        for word in &self.words {
            let end = word.floor_char_boundary(200);
            let cut = if end < word.len() { ".." } else { "" };
            shown.push_str(&format!(" {}{cut}", word.get(..end).unwrap_or_default()));
        }
        display::line(&shown)
    }
}

/// Bound on the programs that run at a time: a clone shares it.
#[derive(Clone, Debug)]
pub struct Programs {
    left: Rc<Cell<usize>>,
}

/// Permission to run a program, given back when it is dropped.
#[derive(Debug)]
struct Permit(Programs);

impl Programs {
    /// Lets so many run at a time.
    pub fn new(most: usize) -> Self {
        Self { left: Rc::new(Cell::new(most)) }
    }

    fn has_room(&self) -> bool {
        self.left.get() != 0
    }

    fn permit(&self) -> Option<Permit> {
        self.left.set(self.left.get().checked_sub(1)?);
        Some(Permit(self.clone()))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.left.set(self.0.left.get() + 1);
    }
}

/// A call that is under way.
#[derive(Debug)]
pub struct Running {
    call: Call,
    limit: Duration,
    programs: Programs,
    tries_left: u32,
    attempt: Attempt,
}

#[derive(Debug)]
enum Attempt {
    Due(Instant),
    Child { child: Child, _permit: Permit },
}

impl Running {
    /// Begins a call, each try of which may take as long as `limit`, and waits for its turn among
    /// `programs`.
    pub fn new(call: Call, limit: Duration, programs: &Programs) -> Self {
        let (programs, attempt) = (programs.clone(), Attempt::Due(Instant::now()));
        Self { call, limit, programs, tries_left: TRIES, attempt }
    }

    /// Puts its begin off until that time.
    pub fn at(self, time: Instant) -> Self {
        Self { attempt: Attempt::Due(time), ..self }
    }

    /// Leaves it at one try, even if its program cannot be started.
    pub fn once(self) -> Self {
        Self { tries_left: 1, ..self }
    }

    /// Starts its program if that is due. Notes in `started` what was run.
    ///
    /// # Errors
    /// A program that cannot be started, not even later: dom0 may be out of memory for a moment.
    pub fn start(&mut self, started: &mut VecDeque<Event>) -> Result<()> {
        if let Attempt::Due(at) = self.attempt
            && Instant::now() >= at
            && let Some(permit) = self.programs.permit()
        {
            started.push_back(Event::Call(self.call.shown()));
            let Call { program, words, .. } = &self.call;
            self.tries_left -= 1;
            self.attempt = match Child::start(program, words, self.limit) {
                Ok(child) => Attempt::Child { child, _permit: permit },
                Err(error) if self.tries_left == 0 => return Err(error),
                Err(_) => Attempt::Due(Instant::now() + RETRY_AFTER),
            };
        }
        Ok(())
    }

    /// Goes on with it; returns how it ended, once it has.
    ///
    /// # Errors
    /// A program that cannot be started.
    pub fn poll(&mut self, started: &mut VecDeque<Event>) -> Result<Option<Finished>> {
        self.start(started)?;
        let Attempt::Child { child, .. } = &mut self.attempt else { return Ok(None) };
        let Some(done) = child.poll() else { return Ok(None) };
        if self.tries_left == 0 || (self.call.is_answer)(&done) {
            return Ok(Some(done));
        }
        self.attempt = Attempt::Due(Instant::now() + RETRY_AFTER);
        Ok(None)
    }

    /// Returns whether its program has not been started.
    pub fn is_due(&self) -> bool {
        matches!(self.attempt, Attempt::Due(_))
    }

    /// Gives the program that runs less time after signals.
    pub fn heed(&mut self, interrupts: Interrupts) {
        if let Attempt::Child { child, .. } = &mut self.attempt {
            let is_first = interrupts.count == 1;
            child.interrupt_in(if is_first { INTERRUPT_GRACE } else { Duration::ZERO });
        }
    }

    /// Adds what [`poll`](Self::poll) is to be called for.
    pub fn wait_for<'a>(&'a self, wait: &mut Wait<'a>) {
        match &self.attempt {
            // Its turn comes when another program ends, which wakes all.
            Attempt::Due(_) if !self.programs.has_room() => {}
            Attempt::Due(at) => wait.until(*at),
            Attempt::Child { child, .. } => child.wait_for(wait),
        }
    }
}

fn is_success_or_killed(done: &Finished) -> bool {
    done.is_success() || !done.is_exit()
}

fn is_about_domain(done: &Finished) -> bool {
    is_success_or_killed(done) || is_absent(done)
}

/// Returns whether a program says that there is no such domain. Any other failure, such as of a
/// hypercall, tells nothing of the domain.
fn is_absent(done: &Finished) -> bool {
    let words = ["does not exist", "invalid domain"];
    done.is_exit() && !done.is_success() && words.iter().any(|word| done.stderr.contains(word))
}

/// Reads the answer of `xl domid`: `None` if there is no domain of that name.
///
/// # Errors
/// A call that failed, or an answer that is no number.
pub fn domid(done: &Finished) -> Result<Option<u32>> {
    if is_absent(done) {
        return Ok(None);
    }
    if !done.is_success() {
        return Err(done.failure());
    }
    let text = done.stdout.trim();
    text.parse()
        .map(Some)
        .map_err(|_| anyhow!("xl domid printed no number: {}", display::text(text)))
}

/// Reads the list of `xl vm-list`, a line `UUID  ID  NAME` for each domain: returns their UUIDs and
/// numbers.
///
/// # Errors
/// A call that failed.
pub fn domains(done: &Finished) -> Result<Vec<(String, u32)>> {
    if !done.is_success() {
        return Err(done.failure());
    }
    let domain = |line: &str| {
        let mut fields = line.split_whitespace();
        Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
    };
    Ok(done.stdout.lines().filter_map(domain).collect())
}

/// Reads the list of `xl list`: returns the CPU time that each domain took so far, in seconds, by
/// its number.
pub fn cpu_times(list: &str) -> BTreeMap<u32, f64> {
    let domain = |line: &str| {
        // A name may have blanks, so the fields are counted from the end.
        let mut fields = line.split_whitespace().rev();
        let time: f64 = fields.next()?.parse().ok()?;
        let id = fields.nth(3)?.parse().ok()?;
        (0.0..=1e12).contains(&time).then_some((id, time))
    };
    list.lines().filter_map(domain).collect()
}

/// Reads a domain's state from the answer of `xl list ID`.
///
/// # Errors
/// A call that failed, or a list without the domain.
pub fn state(id: u32, done: &Finished) -> Result<State> {
    if is_absent(done) {
        return Ok(State::Gone);
    }
    if !done.is_success() {
        return Err(done.failure());
    }
    let text = &done.stdout;
    let none = || anyhow!("xl list has no line for domain {id}: {}", display::text(text));
    parse_state(text, id).ok_or_else(none)
}

/// Checks the answer of a call that ends a domain or wakes it; a domain that is gone is `false`.
///
/// # Errors
/// A call that failed.
pub fn was_there(done: &Finished) -> Result<bool> {
    if done.is_success() || is_absent(done) { Ok(done.is_success()) } else { Err(done.failure()) }
}

/// Reads `NAME ID MEM VCPUS STATE TIME`, where `STATE` has a letter or `-` for each of running,
/// blocked, paused, shut down, crashed, dying (xl(1)).
fn parse_state(list: &str, id: u32) -> Option<State> {
    let id = id.to_string();
    // A name may have blanks, so the fields are counted from the end.
    let mut rows = list.lines().map(|line| line.rsplit(' ').filter(|field| !field.is_empty()));
    rows.find_map(|mut fields| {
        let (flags, _vcpus, _memory) = (fields.nth(1)?, fields.next()?, fields.next()?);
        (fields.next()? == id).then(|| match flags {
            _ if flags.contains('c') => State::Crashed,
            _ if flags.contains('s') => State::ShutDown,
            _ if flags.contains('d') => State::Gone,
            _ => State::Alive,
        })
    })
}
