//! The connections to all hosts: the system's ssh, which keeps one for all that is run there.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, anyhow, bail};

use super::host::Host;
use crate::child::Child;
use crate::display;
use crate::signals::Signals;
use crate::uuid;
use crate::wait::Wait;

/// Options of the connections: longest time in seconds until a host takes one; seconds between
/// questions to a host that says nothing, and how many without an answer make it lost; seconds
/// after which a connection ends that nobody uses, as where this program was killed.
const OPTIONS: [&str; 6] = [
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",
    "ConnectTimeout=30",
    "ServerAliveInterval=5",
    "ServerAliveCountMax=3",
    "ControlPersist=50",
];
/// Longest time until all hosts are connected to. Shorter than `ControlPersist`: the first must
/// still be there when the last is.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(40);
/// Longest time for ssh to end a connection.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time between two looks at an ssh that ends a connection.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Host whose connection is named by its socket.
const NONE: &str = "none";
/// Options of a call over a connection, which needs no configuration, and makes no other one where
/// that is gone.
const OVER: [&str; 6] = ["-F", "none", "-o", "BatchMode=yes", "-o", "ProxyCommand=false"];
/// Longest name of a socket, in bytes (`sun_path` of unix(7), without the zero at its end).
const SOCKET_BYTES_MAX: usize = 107;
/// Bytes that ssh adds to that name as long as it makes the socket.
const SSH_ADDS_BYTES: usize = 17;
/// Longest part of what ssh says that is read, in bytes.
const LOG_BYTES_MAX: u64 = 1 << 16;

/// Connections, in the order of their hosts. They end when this is dropped.
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
    /// The first host that cannot be connected to, in ssh's words; a signal; a directory for
    /// temporary files whose name ssh does not take.
    pub fn open(hosts: &[Host], signals: &Signals) -> Result<Self> {
        let name: String = uuid::random()?.chars().take(8).collect();
        let directory = std::path::absolute(std::env::temp_dir())?;
        let directory = directory.join(format!("ringmark-ssh.{name}"));
        check_socket(&directory.join(hosts.len().to_string()))?;
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&directory)
            .with_context(|| format!("cannot make {}", display::path(&directory)))?;
        // From here on all is undone in any case.
        let connections = Self { directory, count: hosts.len() };
        let begin = |(index, host)| Ok(Some((host, index, connections.begin(index, host)?)));
        let begun: Result<Vec<_>> = hosts.iter().enumerate().map(begin).collect();
        let mut begun = begun?;
        loop {
            if signals.received().count != 0 {
                bail!("interrupted before there was a guest");
            }
            for one in &mut begun {
                if let Some((host, index, child)) = one
                    && let Some(ended) = child.poll()
                {
                    if !ended.is_success() {
                        return Err(refused(host, &connections.said(*index), ended.is_exit()));
                    }
                    *one = None;
                }
            }
            if begun.iter().all(Option::is_none) {
                break;
            }
            let mut wait = Wait::default();
            begun.iter().flatten().for_each(|(_, _, child)| child.wait_for(&mut wait));
            wait.wait(signals);
        }
        Ok(connections)
    }

    /// Begins to connect to a host: ssh ends once the connection is there, which stays.
    fn begin(&self, index: usize, host: &Host) -> Result<Child> {
        let (socket, log) = (text(&self.socket(index))?, text(&self.log(index))?);
        let options = OPTIONS.iter().flat_map(|option| ["-o", option]);
        let words = ["-S", &socket, "-f", "-N", "-M", "-E", &log].into_iter().chain(options);
        let words = words.chain(["--", host.destination()]).map(str::to_owned);
        ssh(&words.collect::<Vec<_>>(), Stdio::null(), CONNECT_TIMEOUT)
    }

    /// Returns the words after `ssh` that run a command of the remote shell over a host's
    /// connection.
    pub fn words(&self, index: usize, command: &str) -> Option<Vec<String>> {
        let socket = self.socket(index);
        let words = ["-S", socket.to_str()?, "-T", NONE, "--", command];
        let words = OVER.into_iter().chain(words).map(str::to_owned);
        (index < self.count).then(|| words.collect())
    }

    /// Ends a connection, if it is there.
    fn close(&self, index: usize) -> Result<()> {
        let socket = self.socket(index);
        if !socket.exists() {
            return Ok(());
        }
        let words = ["-S", &text(&socket)?, "-O", "exit", NONE];
        let words: Vec<_> = OVER.into_iter().chain(words).map(str::to_owned).collect();
        let mut child = ssh(&words, Stdio::null(), CLOSE_TIMEOUT)?;
        while child.poll().is_none() {
            let mut wait = Wait::default();
            child.wait_for(&mut wait);
            wait.until(Instant::now() + LOOK_EVERY);
            wait.poll();
        }
        Ok(())
    }

    /// Returns the beginning of what ssh said of a connection.
    fn said(&self, index: usize) -> String {
        let mut said = Vec::new();
        // Where nothing can be read, it said nothing.
        let _ = File::open(self.log(index))
            .and_then(|log| log.take(LOG_BYTES_MAX).read_to_end(&mut said));
        String::from_utf8_lossy(&said).into_owned()
    }

    fn socket(&self, index: usize) -> PathBuf {
        self.directory.join(index.to_string())
    }

    fn log(&self, index: usize) -> PathBuf {
        self.directory.join(format!("{index}.log"))
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        for index in 0..self.count {
            // One that is lost cannot be ended.
            let _ = self.close(index);
        }
        // Where that fails, what is left is small, and nobody's secret.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Starts ssh with these words, in a process group of its own: Ctrl-C at the terminal is for this
/// program, which needs the connections to end what is on the hosts.
///
/// # Errors
/// It cannot be run.
pub fn ssh(words: &[String], input: Stdio, limit: Duration) -> Result<Child> {
    Child::start_with("ssh", words, input, limit)
        .map_err(|_| anyhow!("cannot run ssh; install OpenSSH's client on this host"))
}

/// Checks that ssh takes a name for a socket.
fn check_socket(socket: &Path) -> Result<()> {
    let name = socket.as_os_str();
    let why = match name.to_str() {
        None => "its name is no text".to_owned(),
        // ssh would take these for what it is to fill in.
        Some(name) if name.contains('%') || name.contains("${") => {
            "its name has a % or ${ in it".to_owned()
        }
        Some(name) if name.len() + SSH_ADDS_BYTES > SOCKET_BYTES_MAX => {
            let more = name.len() + SSH_ADDS_BYTES - SOCKET_BYTES_MAX;
            format!("its name is {more} bytes too long")
        }
        Some(_) => return Ok(()),
    };
    let directory = socket.ancestors().nth(2).unwrap_or(socket);
    bail!("ssh can keep no socket in {}: {why}; set TMPDIR to another", display::path(directory))
}

fn text(path: &Path) -> Result<String> {
    Ok(path.to_str().with_context(|| format!("{} is no text", display::path(path)))?.to_owned())
}

/// Returns why a host cannot be connected to, in one line, of what ssh said; `is_exit` unless it
/// was not waited for any longer.
fn refused(host: &Host, said: &str, is_exit: bool) -> Error {
    // The last line is why; what comes before it are warnings and banners.
    let line = said.lines().map(str::trim).rfind(|line| !line.is_empty());
    let late = format!("not connected after {} s", CONNECT_TIMEOUT.as_secs());
    let why = match (line, is_exit) {
        (Some(line), true) => display::text(line),
        (None, true) => "ssh says nothing".to_owned(),
        (Some(line), false) => format!("{late}: {}", display::text(line)),
        (None, false) => late,
    };
    let advice = "try `ssh -o BatchMode=yes";
    anyhow!("cannot connect to {host}: {why}; {advice} {} true`", host.destination())
}

/// Returns a word as a POSIX shell takes it.
pub fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
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
        let expected = "cannot connect to root@a: Host key verification failed.; try `ssh -o \
                        BatchMode=yes root@a true`";
        assert_eq!(refused(&host, said, true).to_string(), expected);
        let late = refused(&host, "", false).to_string();
        assert!(late.starts_with("cannot connect to root@a: not connected after 40 s; "), "{late}");
    }

    #[test]
    fn a_socket_has_a_name_that_ssh_takes() {
        let check = |directory: &[u8]| {
            let directory = Path::new(OsStr::from_bytes(directory));
            check_socket(&directory.join("ringmark-ssh.12345678/1")).map_err(|e| e.to_string())
        };
        // The rest of the name has 24 bytes, and ssh adds 17.
        let longest = format!("/{}", "x".repeat(107 - 17 - 24 - 1));
        assert_eq!(check(longest.as_bytes()), Ok(()));
        let long = format!("{longest}x");
        for (directory, why) in [
            (long.as_bytes(), "is 1 bytes too long; set TMPDIR"),
            (b"/a%h", "ssh can keep no socket in /a%h: its name has a %"),
            (b"/a${HOME}", "has a % or ${"),
            (b"/\xff", "no text"),
        ] {
            let error = check(directory).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
