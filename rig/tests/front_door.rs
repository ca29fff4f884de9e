//! `run.sh` on a machine where nothing is installed: what it says of what it installs.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Tools that `run.sh` itself is made of.
const TOOLS: [&str; 10] =
    ["bash", "cat", "dirname", "env", "id", "mktemp", "readlink", "rm", "sh", "tail"];

/// A directory that is all of a machine's path, and goes with its owner.
struct Machine(PathBuf);

impl Machine {
    /// Makes a machine whose `apt-get` is this script.
    fn new(name: &str, apt_get: &str) -> Self {
        let place = format!("front-door-{name}-{}", std::process::id());
        let machine = Self(Path::new(env!("CARGO_TARGET_TMPDIR")).join(place));
        fs::create_dir_all(machine.0.join("release")).unwrap();
        for tool in TOOLS {
            let real = Command::new("sh").args(["-c", &format!("command -v {tool}")]).output();
            let real = String::from_utf8(real.unwrap().stdout).unwrap();
            symlink(real.trim(), machine.0.join(tool)).unwrap();
        }
        machine.script("apt-get", apt_get);
        machine.script("sudo", "shift; exec \"$@\"");
        machine.script("cargo", "");
        machine.script("release/rig", "echo the rig runs");
        machine
    }

    fn script(&self, name: &str, text: &str) {
        let path = self.0.join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Exit code, standard output, standard error of `run.sh`.
    fn run(&self) -> (Option<i32>, String, String) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../run.sh");
        let output = Command::new(self.0.join("bash"))
            .arg(script)
            .env("PATH", &self.0)
            .env("TMPDIR", &self.0)
            .env("CARGO_TARGET_DIR", &self.0)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn what_is_installed_is_one_line() {
    let apt_get = "echo 'debconf: delaying package configuration' >&2; echo Unpacking qemu ...";
    let (code, stdout, stderr) = Machine::new("good", apt_get).run();
    assert_eq!((code, stdout.as_str()), (Some(0), "the rig runs\n"), "{stderr}");
    assert!(stderr.starts_with("installing ") && stderr.contains("qemu-system-x86"), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

#[test]
fn what_apt_says_is_shown_when_it_fails() {
    let apt_get = "for n in $(echo 1 2 3); do echo \"noise $n\"; done\n\
                   echo 'E: Unable to locate package' >&2; exit 100";
    let machine = Machine::new("bad", apt_get);
    let (code, stdout, stderr) = machine.run();
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(stderr.contains("noise 3\nE: Unable to locate package\nerror: could not run: "));
    let left = fs::read_dir(&machine.0).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(!left.into_iter().any(|name| name.to_string_lossy().starts_with("tmp.")));
}
