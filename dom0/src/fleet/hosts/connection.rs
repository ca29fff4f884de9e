//! The connections to all hosts: the system's ssh, which keeps one for all that is run there.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use openssh::{ControlPersist, KnownHosts, Session, SessionBuilder};
use tokio::runtime::{Builder, Runtime};

use super::host::Host;
use crate::display;

/// Longest time until a host takes a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// Time between questions to a host that says nothing; after three of them it is lost.
const ALIVE_EVERY: Duration = Duration::from_secs(5);
/// Seconds after which a connection ends that nobody uses, as where this program was killed.
const IDLE_SECONDS: usize = 10;

/// Connections, in the order of their hosts.
#[derive(Debug)]
pub struct Connections {
    runtime: Runtime,
    sessions: Vec<Session>,
}

impl Connections {
    /// Connects to all hosts at once. Whom ssh trusts, with which key, and by which way it goes is
    /// its own configuration's; it asks nothing, and takes no host that it does not know.
    ///
    /// # Errors
    /// The first host that cannot be connected to, in ssh's words.
    pub fn open(hosts: &[Host]) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("cannot wait for ssh")?;
        let mut builder = SessionBuilder::default();
        builder.known_hosts_check(KnownHosts::Strict);
        builder.connect_timeout(CONNECT_TIMEOUT).server_alive_interval(ALIVE_EVERY);
        if let Some(idle) = std::num::NonZeroUsize::new(IDLE_SECONDS) {
            builder.control_persist(ControlPersist::IdleFor(idle));
        }
        let connect = |host: &Host| {
            let (builder, destination) = (builder.clone(), host.destination().to_owned());
            runtime.spawn(async move { builder.connect(destination).await })
        };
        let tasks: Vec<_> = hosts.iter().map(connect).collect();
        let found = runtime.block_on(async {
            let mut found = Vec::new();
            for task in tasks {
                found.push(task.await);
            }
            found
        });
        let mut sessions = Vec::new();
        let mut first = None;
        for (host, found) in hosts.iter().zip(found) {
            match found {
                Ok(Ok(session)) => sessions.push(session),
                Ok(Err(error)) => first = first.or(Some(refused(host, &error))),
                Err(error) => first = first.or(Some(anyhow!("{host}: {error}"))),
            }
        }
        match first {
            Some(error) => Err(error),
            None => Ok(Self { runtime, sessions }),
        }
    }

    /// Returns the words after `ssh` that run a command of the remote shell over a host's
    /// connection. The crate would start them in the group of this program, where Ctrl-C at the
    /// terminal ends them, and with them the guests.
    pub fn words(&self, index: usize, command: &str) -> Option<Vec<String>> {
        let socket = self.sessions.get(index)?.control_socket().to_str()?;
        // Neither host nor port is used, unless the connection is gone: then there is none.
        let words = ["-S", socket, "-o", "BatchMode=yes", "-T", "-p", "9", "none", "--", command];
        Some(words.map(str::to_owned).to_vec())
    }

    /// Ends all connections.
    pub fn close(self) {
        for session in self.sessions {
            // One that is lost cannot be ended.
            let _ = self.runtime.block_on(session.close());
        }
    }
}

/// Returns why a host cannot be connected to, in one line.
fn refused(host: &Host, error: &openssh::Error) -> anyhow::Error {
    let words =
        std::error::Error::source(error).map_or_else(|| error.to_string(), |e| e.to_string());
    // The last line is why; what comes before it are warnings and banners.
    let line = words.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
    let line = if line.is_empty() { "ssh says nothing" } else { line };
    let advice = "try `ssh -o BatchMode=yes";
    let (line, target) = (display::text(line), host.destination());
    anyhow!("cannot connect to {host}: {line}; {advice} {target} true`")
}

/// Returns a word as a POSIX shell takes it.
pub fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_shell_takes_words_as_they_are() {
        for word in ["", "a b", "it's", "''", "$(false) `x` \\ \" \n #", "-n"] {
            let script = format!("printf %s {}", quoted(word));
            let output = Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), word);
        }
    }

    #[test]
    fn the_last_line_of_ssh_is_why() {
        let host = Host::parse("root@a").unwrap();
        let said = "@@@ WARNING @@@\nHost key verification failed.\r\n\n";
        let error = openssh::Error::Connect(std::io::Error::other(said));
        let expected = "cannot connect to root@a: Host key verification failed.; try `ssh -o \
                        BatchMode=yes root@a true`";
        assert_eq!(refused(&host, &error).to_string(), expected);
    }
}
