//! A QEMU process: its lines on standard output, each awaited no longer than a deadline allows.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Its program.
const PROGRAM: &str = "qemu-system-x86_64";

/// The command that starts it, to be given arguments. However the rig ends, QEMU ends with it.
pub(crate) fn command() -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", PROGRAM]);
    command
}

/// A running QEMU, which ends with its owner.
pub(crate) struct Qemu {
    child: Child,
    lines: Receiver<String>,
    deadline: Instant,
}

impl Qemu {
    /// Starts it, with `allowed` time for what comes first.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn start(command: &mut Command, allowed: Duration) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot run setpriv (package util-linux)")?;
        let output = child.stdout.take().context("no pipe from QEMU")?;
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            let mut reader = BufReader::new(output);
            let mut line = Vec::new();
            while reader.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
                if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    break;
                }
                line.clear();
            }
        });
        Ok(Self { child, lines, deadline: Instant::now() + allowed })
    }

    /// Sets the deadline for what comes next.
    pub(crate) fn allow(&mut self, time: Duration) {
        self.deadline = Instant::now() + time;
    }

    /// The next line; none when QEMU has closed its output.
    ///
    /// # Errors
    /// When the deadline has passed.
    pub(crate) fn line(&self) -> Result<Option<String>> {
        match self.lines.recv_timeout(self.deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => bail!("its deadline has passed; QEMU was stopped"),
        }
    }

    /// Returns its exit status, after its last line.
    ///
    /// # Errors
    /// When the system cannot tell.
    pub(crate) fn status(mut self) -> Result<ExitStatus> {
        Ok(self.child.wait()?)
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
