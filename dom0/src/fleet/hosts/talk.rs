//! A program on a host, and what is said to it and by it. The end of this end of its input is its
//! order to undo all that it did.

use std::collections::VecDeque;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::lines::Lines;
use crate::wait::Wait;

/// Longest line of its error output, in bytes.
const ERROR_BYTES_MAX: usize = 1 << 18;
/// Lines that are taken at a time, so that one who says much does not hold up the others.
const LINES_MAX: usize = 100;
/// Time between two looks at whether it has ended.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A program on a host.
#[derive(Debug)]
pub struct Talk {
    process: Child,
    /// Its input, until it is closed.
    input: Option<ChildStdin>,
    output: Lines<ChildStdout>,
    errors: Lines<ChildStderr>,
    /// Its end.
    status: Option<ExitStatus>,
}

impl Talk {
    /// Starts ssh with these words; no line of its output may have more than so many bytes.
    ///
    /// # Errors
    /// It cannot be run.
    pub fn start(words: &[String], bytes_max: usize) -> Result<Self> {
        let mut command = Command::new("ssh");
        command.args(words).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().context("cannot run ssh")?;
        let taken = (process.stdin.take(), process.stdout.take(), process.stderr.take());
        let (Some(input), Some(output), Some(errors)) = taken else {
            return Err(anyhow!("ssh has no pipes"));
        };
        // Orders are few and short: who leaves no room for them takes none.
        fcntl(&input, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))
            .map_err(|error| anyhow!("cannot set up a pipe: {error}"))?;
        Ok(Self {
            process,
            input: Some(input),
            output: Lines::new(output, bytes_max)?,
            errors: Lines::new(errors, ERROR_BYTES_MAX)?,
            status: None,
        })
    }

    /// Says something; where that is not possible, the connection has ended, which will be seen.
    pub fn say(&mut self, text: &str) {
        let said = self.input.as_mut().map(|input| input.write_all(text.as_bytes()));
        if said.is_some_and(|said| said.is_err()) {
            self.hang_up();
        }
    }

    /// Ends its input.
    pub fn hang_up(&mut self) {
        self.input = None;
    }

    /// Returns the lines that it has printed by now.
    ///
    /// # Errors
    /// One that is too long, or no text.
    pub fn lines(&mut self) -> Result<VecDeque<String>> {
        let mut lines = VecDeque::new();
        while lines.len() < LINES_MAX
            && let Some(line) = self.output.next()?
        {
            lines.push_back(line);
        }
        Ok(lines)
    }

    /// Returns lines of its error output, as they are. One that is too long or no text is none.
    pub fn errors(&mut self) -> Vec<String> {
        let lines = (0..LINES_MAX).map_while(|_| self.errors.next().transpose());
        lines.filter_map(Result::ok).collect()
    }

    /// Returns how it ended, once it has and all that it said was taken.
    pub fn end(&mut self) -> Option<ExitStatus> {
        if !self.output.is_closed() {
            return None;
        }
        self.exited()
    }

    fn exited(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.process.try_wait().unwrap_or_default();
        }
        self.status
    }

    /// Ends its input, and waits for its end; kills it if that is over before.
    pub fn finish(&mut self, is_over: &dyn Fn() -> bool) {
        self.hang_up();
        while self.exited().is_none() {
            // What it still says is not wanted, but must find room.
            let _ = self.lines();
            self.errors();
            if is_over() {
                self.kill();
                return;
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    fn kill(&mut self) {
        if let Ok(group) = i32::try_from(self.process.id()) {
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
        let _ = self.process.wait();
    }

    /// Adds what [`lines`](Self::lines) and [`errors`](Self::errors) are to be called for. Its end
    /// is a child's, which wakes all who wait.
    pub fn wait_for<'w>(&'w self, wait: &mut Wait<'w>) {
        self.output.wait_for(wait);
        self.errors.wait_for(wait);
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        if self.exited().is_none() {
            self.kill();
        }
    }
}
