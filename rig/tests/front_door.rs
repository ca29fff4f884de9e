//! `run.sh` on a machine of stand-ins: what it builds and installs for which command line, what it
//! says meanwhile, and which rig it runs.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Tools that `run.sh` itself is made of.
const TOOLS: [&str; 11] =
    ["bash", "cat", "dirname", "env", "id", "mktemp", "readlink", "rm", "sed", "sh", "tail"];

/// A rig that takes every command line but `help` and `tset`.
const RIG: &str = "case \"$*\" in\n\
    '--parse-only help') echo the help ;;\n\
    '--parse-only tset') echo 'did you mean test?' >&2; exit 2 ;;\n\
    --parse-only*) exit 3 ;;\n\
    *) echo the rig runs \"$@\" ;;\n\
    esac";

/// A directory that is all of a machine's path, and goes with its owner.
struct Machine(PathBuf);

impl Machine {
    /// Makes a machine with a compiler, whose `apt-get` is this script.
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
        machine.script("cc", "");
        machine.script("release/rig", RIG);
        machine.cargo("release/rig", "");
        machine
    }

    /// Makes a cargo that tells of a rig at this place, notes what it is asked for, and does more.
    fn cargo(&self, rig: &str, more: &str) {
        let rig = self.0.join(rig).to_str().unwrap().replace('\\', "\\\\").replace('"', "\\\"");
        let told = format!(
            "{{\"reason\":\"compiler-artifact\",\"executable\":null,\"fresh\":true}}\n\
             {{\"reason\":\"compiler-artifact\",\"executable\":\"{rig}\",\"fresh\":false}}\n\
             {{\"reason\":\"build-finished\",\"success\":true}}"
        );
        fs::write(self.0.join("told"), told).unwrap();
        self.script("cargo", &format!("echo \"$@\" >>$TMPDIR/asked\n{more}\ncat $TMPDIR/told"));
    }

    fn script(&self, name: &str, text: &str) {
        let path = self.0.join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../run.sh");
        let mut command = Command::new(self.0.join("bash"));
        command.arg(script).args(arguments).env("PATH", &self.0).env("TMPDIR", &self.0);
        command.env("HOME", &self.0).env("CARGO_TARGET_DIR", &self.0).stdin(Stdio::null());
        command
    }

    /// Returns exit code, standard output and standard error of `run.sh`.
    fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let output = self.command(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    /// Returns what cargo was asked for, a line each time.
    fn asked(&self) -> String {
        fs::read_to_string(self.0.join("asked")).unwrap_or_default()
    }

    /// Returns whether `run.sh` has left something of its own.
    fn is_littered(&self) -> bool {
        let left = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name());
        left.into_iter().any(|name| name.to_string_lossy().starts_with("tmp."))
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
    let machine = Machine::new("good", apt_get);
    let (code, stdout, stderr) = machine.run(&["run", "--", "bs=4k"]);
    assert_eq!((code, stdout.as_str()), (Some(0), "the rig runs run -- bs=4k\n"), "{stderr}");
    assert!(stderr.starts_with("installing ") && stderr.contains("qemu-system-x86"), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(machine.asked().contains("--package kernel"), "{}", machine.asked());
    assert!(machine.asked().contains("--bin ringmark-dom0"), "{}", machine.asked());
    assert!(!machine.is_littered());
}

#[test]
fn what_apt_says_is_shown_when_it_fails() {
    let apt_get = "for n in $(echo 1 2 3); do echo \"noise $n\"; done\n\
                   echo 'E: Unable to locate package' >&2; exit 100";
    let machine = Machine::new("bad", apt_get);
    let (code, stdout, stderr) = machine.run(&[]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(stderr.contains("noise 3\nE: Unable to locate package\nerror: could not run: "));
    assert!(!machine.is_littered());
}

#[test]
fn help_and_mistakes_install_nothing_and_build_the_rig_only() {
    let machine = Machine::new("help", "echo installed; exit 1");
    let expected =
        [("help", Some(0), "the help\n", ""), ("tset", Some(2), "", "did you mean test?\n")];
    for (word, code, stdout, stderr) in expected {
        assert_eq!(machine.run(&[word]), (code, stdout.into(), stderr.into()), "{word}");
    }
    let asked = machine.asked();
    assert!(asked.lines().all(|line| line.contains("--package rig")), "{asked}");
    assert!(!machine.is_littered());
}

#[test]
fn a_compiler_is_installed_for_commands_only() {
    let machine = Machine::new("compiler", "echo apt-get \"$@\"; exit 1");
    fs::remove_file(machine.0.join("cc")).unwrap();
    for arguments in [&["help"][..], &["--version"], &["tset"], &["test", "--help"]] {
        let (code, stdout, stderr) = machine.run(arguments);
        assert_eq!((code, stdout.as_str()), (Some(1), ""), "{arguments:?}");
        assert!(stderr.starts_with("error: cc was not found: install gcc libc6-dev"), "{stderr}");
    }
    for arguments in [&[][..], &["test"], &["run", "--", "bs=4k"]] {
        let (code, _, stderr) = machine.run(arguments);
        assert!(stderr.starts_with("installing gcc libc6-dev\napt-get update"), "{stderr}");
        assert_eq!(code, Some(1), "{arguments:?}");
    }
    assert_eq!(machine.asked(), "");
}

#[test]
fn without_cargo_there_is_a_hint() {
    let machine = Machine::new("cargo", "");
    fs::remove_file(machine.0.join("cargo")).unwrap();
    let (code, _, stderr) = machine.run(&["help"]);
    let hint = "error: cargo was not found: install stable Rust from https://rustup.rs\n";
    assert_eq!((code, stderr.as_str()), (Some(1), hint));
}

#[test]
fn the_rig_is_where_cargo_says() {
    let machine = Machine::new("where", "");
    machine.script("release/rig", "echo a stale rig");
    let elsewhere = r#"else"where\ \"x86_64"#;
    fs::create_dir(machine.0.join(elsewhere)).unwrap();
    machine.script(&format!("{elsewhere}/rig"), RIG);
    machine.cargo(&format!("{elsewhere}/rig"), "");
    let (code, stdout, stderr) = machine.run(&["selftest"]);
    assert_eq!((code, stdout.as_str()), (Some(0), "the rig runs selftest\n"), "{stderr}");

    fs::remove_file(machine.0.join(elsewhere).join("rig")).unwrap();
    let (code, stdout, stderr) = machine.run(&["selftest"]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    assert_eq!(stderr, "error: cargo does not tell where it has built the rig\n");
}

#[test]
fn errors_of_a_build_are_shown_in_full() {
    let machine = Machine::new("errors", "");
    let errors: String = (0..100).map(|number| format!("error[E{number:04}]\n")).collect();
    fs::write(machine.0.join("errors"), &errors).unwrap();
    machine.cargo("release/rig", "cat $TMPDIR/errors >&2; exit 101");
    let expected = errors + "error: the build failed\n";
    assert_eq!(machine.run(&["help"]), (Some(1), String::new(), expected));
}

#[test]
fn a_long_build_is_told_of() {
    let machine = Machine::new("long", "");
    // It ends as soon as it was told of twice.
    let wait = "case \"$*\" in *rig*) for n in $(seq 300); do\n\
                [ $(grep -c 'building the rig: ' $TMPDIR/said) -lt 2 ] || break; sleep 0.1\n\
                done ;; esac";
    machine.cargo("release/rig", &format!("PATH=/usr/bin:/bin\n{wait}"));
    let said = machine.0.join("said");
    let status = machine.command(&["selftest"]).stderr(File::create(&said).unwrap()).status();
    assert!(status.unwrap().success());
    let said = fs::read_to_string(said).unwrap();
    let times = said.lines().filter_map(|line| line.strip_prefix("building the rig: "));
    let times = times.map(|time| time.strip_suffix(" s").unwrap().parse::<u32>().unwrap());
    assert!(times.clone().is_sorted() && times.count() == 2, "{said:?}");
    assert!(!said.contains('\r'), "{said:?}");
}

#[test]
fn a_closed_standard_output_is_no_success() {
    let machine = Machine::new("closed", "");
    let mut shell = Command::new("sh");
    let closed = shell.args(["-c", "exec \"$@\" >&-", "sh"]).arg(machine.0.join("bash"));
    let run = machine.command(&["help"]);
    let output = closed.args(run.get_args()).env("PATH", &machine.0).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "error: standard output is closed\n");
}
