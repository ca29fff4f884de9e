//! Hosts `a` and `b` with a tool stack of shell scripts each, and one from where the tool is asked.
//! Each has a network namespace of its own, and the two an sshd in it; only their names make them
//! known to one another. Their disks are the same, as on shared storage.

use std::fs;
use std::ops::Deref;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::fleet_stack::FleetStack;

/// A host.
pub struct Host {
    stack: FleetStack,
    namespace: String,
    sshd: Child,
}

impl Deref for Host {
    type Target = FleetStack;

    fn deref(&self) -> &FleetStack {
        &self.stack
    }
}

/// The hosts, and that of the tool that leads.
pub struct Hosts {
    pub a: Host,
    pub b: Host,
    leader: FleetStack,
    namespace: String,
    /// Directory for its temporary files: ssh's sockets, whose names must be short.
    temporary: PathBuf,
}

impl Hosts {
    /// Hosts with these guests. `more` is for the configuration of sshd on `b`.
    pub fn new(name: &str, guest: &str, more: &str) -> Self {
        assert_eq!(run("id", &["-u"]), "0\n", "namespaces are made by root: run this as root");
        let leader = FleetStack::new(&format!("hosts_{name}"), guest);
        let namespace = format!("ringmark-{}-{name}", std::process::id());
        run("ip", &["netns", "add", &namespace]);
        keygen(&leader.path("key"));
        let temporary = Path::new("/tmp").join(&namespace);
        fs::create_dir(&temporary).unwrap();
        fs::create_dir_all("/run/sshd").unwrap();
        let [a, b] = [("a", 1, ""), ("b", 2, more)]
            .map(|(host, n, more)| Host::new(host, n, &namespace, &leader, guest, more));
        let ssh = leader.path("ssh_config");
        let (key, known) = (leader.path("key"), leader.path("known_hosts"));
        leader.write(
            "ssh_config",
            &format!(
                "Host a\nHostName 10.99.1.2\nHost b\nHostName 10.99.2.2\nHost *\nIdentityFile {key}\n\
                 IdentitiesOnly yes\nUserKnownHostsFile {known}\nGlobalKnownHostsFile none\n"
            ),
        );
        leader.program("ssh", &format!("#!/bin/sh\nexec /usr/bin/ssh -F {ssh} \"$@\"\n"));
        Self { a, b, leader, namespace, temporary }
    }

    /// Starts a fleet of two guests on each host, in a process group of its own.
    pub fn begin(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn().unwrap()
    }

    /// Returns the call of such a fleet.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let disk = format!("phy:{}", self.leader.path("disk{n}"));
        let fleet = ["fleet", "--host=root@a", "--host=root@b", "-n2", "--kernel=kernel", "--disk"];
        let tool = self.leader.tool(&[&fleet[..], &[disk.as_str()], arguments].concat());
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace]).arg(tool.get_program());
        command.args(tool.get_args()).current_dir(&self.leader.0);
        command.envs(tool.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("TMPDIR", &self.temporary);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0);
        command
    }

    /// Runs a fleet; afterwards nothing of it is there.
    pub fn fleet(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        self.finish(self.begin(arguments))
    }

    /// Waits for the end of a fleet, and until nothing of it is there: that of a host whose
    /// connection is cut goes by itself.
    pub fn finish(&self, child: Child) -> (Option<i32>, String, String) {
        let ended = self.end(child);
        self.wait_for_nothing(&format!("{ended:?}"));
        ended
    }

    /// Waits for the end of a fleet.
    pub fn end(&self, child: Child) -> (Option<i32>, String, String) {
        self.leader.end(child)
    }

    /// Waits until nothing of a fleet is there.
    pub fn wait_for_nothing(&self, what: &str) {
        let start = Instant::now();
        loop {
            let left = [self.a.everything(), self.b.everything(), names(&self.temporary)].concat();
            if left.is_empty() {
                return;
            }
            let calls = [self.a.calls(), self.b.calls()].concat();
            assert!(start.elapsed() < Duration::from_secs(60), "{left:?}\n{what}\n{calls}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until the connections of a tool that was killed have ended; removes what they leave:
    /// a directory with ssh's logs.
    pub fn forget_sockets(&self) {
        let directories = || names(&self.temporary).into_iter().map(|one| self.temporary.join(one));
        assert_eq!(directories().count(), 1);
        let is_log = |name: &String| name.ends_with(".log");
        let is_left = || directories().all(|place| names(&place).iter().all(is_log));
        wait_until("connections end by themselves", is_left);
        directories().for_each(|place| fs::remove_dir_all(place).unwrap());
    }

    pub fn write(&self, name: &str, text: &str) {
        self.leader.write(name, text);
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn path(&self, name: &str) -> String {
        self.leader.path(name)
    }

    /// Makes a page of a result of the tool that leads.
    pub fn report(&self, files: &[&str]) -> (Option<i32>, String, String) {
        self.leader.report(files)
    }
}

impl Host {
    fn new(
        name: &str,
        number: u32,
        leader: &str,
        stack: &FleetStack,
        guest: &str,
        more: &str,
    ) -> Self {
        let namespace = format!("{leader}-{name}");
        let own = FleetStack::new(&namespace.replace("ringmark", "hosts"), guest);
        let (ours, theirs) = (format!("10.99.{number}.1/24"), format!("10.99.{number}.2"));
        run("ip", &["netns", "add", &namespace]);
        let peer = ["type", "veth", "peer", "name", "eth0", "netns", &namespace];
        run("ip", &[&["link", "add", "name", name, "netns", leader][..], &peer].concat());
        run("ip", &["-n", leader, "address", "add", &ours, "dev", name]);
        run("ip", &["-n", leader, "link", "set", "dev", name, "up"]);
        run("ip", &["-n", &namespace, "address", "add", &format!("{theirs}/24"), "dev", "eth0"]);
        run("ip", &["-n", &namespace, "link", "set", "dev", "eth0", "up"]);
        keygen(&own.path("host_key"));
        own.write("authorized_keys", &fs::read_to_string(stack.path("key.pub")).unwrap());
        let key = fs::read_to_string(own.path("host_key.pub")).unwrap();
        let known = fs::read_to_string(stack.path("known_hosts")).unwrap_or_default();
        stack.write("known_hosts", &format!("{known}{theirs} {key}"));
        fs::create_dir(own.path("tmp")).unwrap();
        let config = format!(
            "AddressFamily inet\nListenAddress {theirs}\nHostKey {}\nAuthorizedKeysFile {}\n\
             PidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin prohibit-password\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nSetEnv PATH={}:/usr/bin:/bin TMPDIR={}\n{more}\n",
            own.path("host_key"),
            own.path("authorized_keys"),
            own.0.display(),
            own.path("tmp"),
        );
        own.write("sshd_config", &config);
        let log = fs::File::create(own.path("sshd.log")).unwrap();
        let mut sshd = Command::new("ip");
        sshd.args(["netns", "exec", &namespace, "/usr/sbin/sshd", "-D", "-e", "-f"]);
        sshd.arg(own.path("sshd_config")).stdin(Stdio::null()).stderr(log);
        let sshd = sshd.spawn().unwrap();
        let host = Self { stack: own, namespace, sshd };
        let is_listening = || host.log().contains("Server listening");
        wait_until("sshd listens: install openssh-server", is_listening);
        host
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("sshd.log")).unwrap_or_default()
    }

    /// Cuts all connections, as the end of the host would.
    pub fn cut(&self) {
        for session in self.sessions() {
            run("kill", &["-9", &session]);
        }
    }

    pub fn sessions(&self) -> Vec<String> {
        let id = self.sshd.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
        children.unwrap_or_default().split_whitespace().map(str::to_owned).collect()
    }

    /// The names of all that a fleet leaves here, and of connections.
    fn everything(&self) -> Vec<String> {
        [self.left(), names(&self.0.join("tmp")), self.sessions()].concat()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.cut();
        let _ = self.sshd.kill();
        let _ = self.sshd.wait();
        let _ = Command::new("ip").args(["netns", "delete", &self.namespace]).status();
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "delete", &self.namespace]).status();
        let _ = fs::remove_dir_all(&self.temporary);
    }
}

/// Waits until something is so.
pub fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(120), "not so: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
    entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

fn keygen(path: &str) {
    run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", path]);
}

/// Runs a program that must end well; returns what it prints.
fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}; install it"));
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}
