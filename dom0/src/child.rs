//! A program that runs beside everything else: with a deadline, and never waited for.
//!
//! It runs in a process group of its own: Ctrl-C at the terminal is for this program alone, which
//! then ends what it began in good order.

use std::fmt;
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{self, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Error, Result, anyhow};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::display;
use crate::wait::Wait;

/// Bytes that are kept of a program's output; the rest is read and dropped.
const OUTPUT_BYTES_MAX: usize = 1 << 18;
/// Longest time from SIGKILL to the end of a program. One that hangs in the kernel does not end.
const KILL_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest time between looks at a program that may have ended: a signal can be lost.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A running program. It is killed when this is dropped.
#[derive(Debug)]
pub struct Child {
    name: String,
    process: process::Child,
    stdout: Capture<ChildStdout>,
    stderr: Capture<ChildStderr>,
    limit: Duration,
    started: Instant,
    /// Time at which it is killed on request.
    interrupt_at: Option<Instant>,
    killed: Option<(Instant, Cause)>,
}

/// Cause of the end of a program that was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Deadline,
    Request,
}

/// A program that has ended.
#[derive(Debug)]
pub struct Finished {
    /// Program and its first argument, for messages: `xl create`.
    pub name: String,
    /// Beginning of its output.
    pub stdout: String,
    /// Beginning of its error output.
    pub stderr: String,
    end: End,
}

#[derive(Debug)]
enum End {
    Exited(ExitStatus),
    Killed(Cause, Duration),
}

/// Error of a program that cannot be started.
#[derive(Debug)]
pub struct NotStarted {
    program: String,
    error: io::Error,
}

impl NotStarted {
    /// Returns whether there is no such program.
    pub fn is_missing(&self) -> bool {
        self.error.kind() == ErrorKind::NotFound
    }
}

impl fmt::Display for NotStarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { program, error } = self;
        match self.is_missing() {
            true => {
                write!(f, "{program} was not found; run this in dom0, with Xen's tools on the path")
            }
            false => write!(f, "cannot run {program}: {error}"),
        }
    }
}

impl std::error::Error for NotStarted {}

impl Child {
    /// Starts a program that may take as long as `limit`.
    ///
    /// # Errors
    /// [`NotStarted`].
    pub fn start(program: &str, arguments: &[String], limit: Duration) -> Result<Self> {
        Self::start_with(program, arguments, Stdio::null(), limit)
    }

    /// Starts a program as [`start`](Self::start) does, with this standard input.
    ///
    /// # Errors
    /// [`NotStarted`].
    pub fn start_with(
        program: &str,
        arguments: &[String],
        input: Stdio,
        limit: Duration,
    ) -> Result<Self> {
        Self::spawn(program, arguments, [input, Stdio::piped()], limit)
    }

    /// Starts a program whose standard input and output are this terminal, as
    /// [`start`](Self::start) does; what it prints there is not taken.
    ///
    /// # Errors
    /// [`NotStarted`].
    pub fn start_on(
        program: &str,
        arguments: &[String],
        terminal: OwnedFd,
        limit: Duration,
    ) -> Result<Self> {
        let input = terminal.try_clone()?;
        Self::spawn(program, arguments, [input.into(), terminal.into()], limit)
    }

    fn spawn(
        program: &str,
        arguments: &[String],
        [input, output]: [Stdio; 2],
        limit: Duration,
    ) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(arguments).env("LC_ALL", "C").process_group(0);
        command.stdin(input).stdout(output).stderr(Stdio::piped());
        let spawned = command.spawn();
        let mut process =
            spawned.map_err(|error| NotStarted { program: program.to_owned(), error })?;
        Ok(Self {
            name: name(program, arguments),
            stdout: Capture::new(process.stdout.take())?,
            stderr: Capture::new(process.stderr.take())?,
            process,
            limit,
            started: Instant::now(),
            interrupt_at: None,
            killed: None,
        })
    }

    /// Takes what it printed; returns how it ended, once it has.
    pub fn poll(&mut self) -> Option<Finished> {
        let status = self.process.try_wait().unwrap_or_default();
        // After the look at its end, so that nothing is missed.
        self.stdout.read();
        self.stderr.read();
        let end = match (status, self.killed) {
            (_, Some((at, cause))) if status.is_some() || at.elapsed() >= KILL_TIMEOUT => {
                End::Killed(cause, self.limit)
            }
            (Some(status), _) => End::Exited(status),
            (None, _) => {
                if self.interrupt_at.is_some_and(|at| Instant::now() >= at) {
                    self.kill(Cause::Request);
                } else if self.started.elapsed() >= self.limit {
                    self.kill(Cause::Deadline);
                }
                return None;
            }
        };
        Some(Finished {
            name: self.name.clone(),
            stdout: self.stdout.text(),
            stderr: self.stderr.text(),
            end,
        })
    }

    /// Gives it this much longer before it is killed; [`poll`](Self::poll) does that.
    pub fn interrupt_in(&mut self, time: Duration) {
        let at = Instant::now() + time;
        self.interrupt_at = Some(self.interrupt_at.map_or(at, |other| other.min(at)));
    }

    /// Asks it, and what it started, to end in good order.
    pub fn ask_to_end(&self) {
        self.signal(Signal::SIGTERM);
    }

    fn signal(&self, signal: Signal) {
        let group = i32::try_from(self.process.id()).map(Pid::from_raw);
        let _ = group.map(|group| killpg(group, signal));
    }

    /// Kills it and what it started.
    fn kill(&mut self, cause: Cause) {
        if self.killed.is_none() {
            self.signal(Signal::SIGKILL);
            self.killed = Some((Instant::now(), cause));
        }
    }

    /// Adds what [`poll`](Self::poll) is to be called for.
    pub fn wait_for<'a>(&'a self, wait: &mut Wait<'a>) {
        self.stdout.wait_for(wait);
        self.stderr.wait_for(wait);
        let end = match self.killed {
            Some((at, _)) => at + KILL_TIMEOUT,
            None => {
                let end = self.started + self.limit;
                self.interrupt_at.map_or(end, |at| at.min(end))
            }
        };
        wait.until(end.min(Instant::now() + LOOK_EVERY));
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if let Ok(None) = self.process.try_wait() {
            self.kill(Cause::Request);
            let _ = self.process.try_wait();
        }
    }
}

fn name(program: &str, arguments: &[String]) -> String {
    match arguments.first() {
        Some(first) => format!("{program} {first}"),
        None => program.to_owned(),
    }
}

impl Finished {
    /// Returns whether it ended with exit code 0.
    pub fn is_success(&self) -> bool {
        matches!(&self.end, End::Exited(status) if status.success())
    }

    /// Returns whether it ended by itself, with any exit code.
    pub fn is_exit(&self) -> bool {
        matches!(self.end, End::Exited(_))
    }

    /// Returns an error that says how it failed, in its own words.
    pub fn failure(&self) -> Error {
        // What libxl complains of first is the cause, what follows its consequences.
        let words = self.stderr.lines().map(str::trim).filter(|line| !line.is_empty());
        let words = display::line(&words.collect::<Vec<_>>().join("; "));
        let name = &self.name;
        match &self.end {
            End::Exited(status) => anyhow!("{name} failed ({status}): {words}"),
            End::Killed(Cause::Request, _) => anyhow!("{name} was interrupted"),
            End::Killed(Cause::Deadline, limit) => {
                let secs = limit.as_secs();
                let what = format!("{name} was not done after {secs} s and was killed");
                let words = if words.is_empty() { words } else { format!("; it printed: {words}") };
                anyhow!("{what}; --xl-timeout=SECONDS sets another limit{words}")
            }
        }
    }
}

/// Output of a program as it comes.
#[derive(Debug)]
struct Capture<T> {
    pipe: Option<T>,
    bytes: Vec<u8>,
}

impl<T: Read + AsFd> Capture<T> {
    fn new(pipe: Option<T>) -> Result<Self> {
        if let Some(pipe) = &pipe {
            fcntl(pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))
                .map_err(|error| anyhow!("cannot set up a pipe: {error}"))?;
        }
        Ok(Self { pipe, bytes: Vec::new() })
    }

    /// Reads what is there.
    fn read(&mut self) {
        let Some(pipe) = &mut self.pipe else { return };
        let mut bytes = [0; 4096];
        // Bounded, so that no program that prints without end holds this up.
        for _ in 0..64 {
            match pipe.read(&mut bytes) {
                Ok(count @ 1..) => {
                    let room = OUTPUT_BYTES_MAX - self.bytes.len();
                    self.bytes.extend(bytes.iter().take(count.min(room)));
                }
                Err(error) if is_temporary(&error) => return,
                _ => {
                    self.pipe = None;
                    return;
                }
            }
        }
    }

    fn wait_for<'a>(&'a self, wait: &mut Wait<'a>) {
        if let Some(pipe) = &self.pipe {
            wait.read(pipe.as_fd());
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

fn is_temporary(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
