//! The connections to all hosts: the system's ssh, which keeps one for all that is run there.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Error, Result, anyhow};

use super::host::Host;
use crate::display;
use crate::uuid;

/// Options of the connections: longest time in seconds until a host takes one; seconds between
/// questions to a host that says nothing, of which three make it lost; seconds after which one ends
/// that nobody uses, as where this program was killed.
const OPTIONS: [&str; 5] = [
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",
    "ConnectTimeout=30",
    "ServerAliveInterval=5",
    "ControlPersist=10",
];
/// Host whose connection is named by its socket.
const NONE: &str = "none";

/// Connections, in the order of their hosts.
#[derive(Debug)]
pub struct Connections {
    /// Directory of their sockets and of what ssh says.
    directory: PathBuf,
    count: usize,
}

impl Connections {
    /// Connects to all hosts at once. Whom ssh trusts, with which key, and by which way it goes is
    /// its own configuration's; it asks nothing, and takes no host that it does not know.
    ///
    /// # Errors
    /// The first host that cannot be connected to, in ssh's words.
    pub fn open(hosts: &[Host]) -> Result<Self> {
        // Short: the name of a socket has an end after 107 bytes, and ssh adds to it.
        let name: String = uuid::random()?.chars().take(8).collect();
        let directory = std::env::temp_dir().join(format!("ringmark-ssh.{name}"));
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&directory)
            .with_context(|| format!("cannot make {}", display::path(&directory)))?;
        let connections = Self { directory, count: hosts.len() };
        let begin = |(index, host)| (index, host, connections.begin(index, host));
        let begun: Vec<_> = hosts.iter().enumerate().map(begin).collect();
        let mut first = None;
        // All are waited for: none connects behind our back.
        for (index, host, child) in begun {
            let error = match child.and_then(|mut child| child.wait()) {
                Ok(status) if status.success() => continue,
                Ok(_) => {
                    refused(host, &fs::read_to_string(connections.log(index)).unwrap_or_default())
                }
                Err(error) => Error::new(error).context("cannot run ssh"),
            };
            first = first.or(Some(error));
        }
        match first {
            None => Ok(connections),
            Some(error) => {
                connections.close();
                Err(error)
            }
        }
    }

    /// Begins to connect to a host: ssh ends once the connection is there, which stays.
    fn begin(&self, index: usize, host: &Host) -> io::Result<Child> {
        let mut ssh = ssh(&self.socket(index));
        ssh.args(["-f", "-N", "-M", "-E"]).arg(self.log(index));
        ssh.args(OPTIONS.iter().flat_map(|option| ["-o", option]))
            .arg("--")
            .arg(host.destination());
        ssh.spawn()
    }

    /// Returns the words after `ssh` that run a command of the remote shell over a host's
    /// connection.
    pub fn words(&self, index: usize, command: &str) -> Option<Vec<String>> {
        let socket = self.socket(index);
        // Neither host nor port is used, unless the connection is gone: then there is none.
        let words =
            ["-S", socket.to_str()?, "-o", "BatchMode=yes", "-T", "-p", "9", NONE, "--", command];
        (index < self.count).then(|| words.map(str::to_owned).to_vec())
    }

    /// Ends all connections.
    pub fn close(self) {
        for index in 0..self.count {
            // One that is lost cannot be ended.
            let _ = ssh(&self.socket(index)).args(["-O", "exit", NONE]).status();
        }
        // Where that fails, what is left is small, and nobody's secret.
        let _ = fs::remove_dir_all(&self.directory);
    }

    fn socket(&self, index: usize) -> PathBuf {
        self.directory.join(index.to_string())
    }

    fn log(&self, index: usize) -> PathBuf {
        self.directory.join(format!("{index}.log"))
    }
}

/// Returns a call of ssh for the connection of a socket, in a process group of its own: Ctrl-C at
/// the terminal is for this program, which needs the connections to end what is on the hosts.
fn ssh(socket: &Path) -> Command {
    let mut ssh = Command::new("ssh");
    ssh.process_group(0).arg("-S").arg(socket);
    ssh.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    ssh
}

/// Returns why a host cannot be connected to, in one line, of what ssh said.
fn refused(host: &Host, said: &str) -> Error {
    // The last line is why; what comes before it are warnings and banners.
    let line = said.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
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
        let expected = "cannot connect to root@a: Host key verification failed.; try `ssh -o \
                        BatchMode=yes root@a true`";
        assert_eq!(refused(&host, said).to_string(), expected);
    }
}
