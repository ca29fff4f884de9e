//! A tool stack of shell scripts.
//!
//! The scripts note each call in `calls`. A domain is there while the file `domain` is, which has
//! the words that it was created with; its console is a named pipe, which reads as a terminal whose
//! other end stays open; what the guest says is in `guest.sh`, which `xl unpause` starts, and which
//! ends with the domain. Facts that it is asked for are in `info`, `power`, `vcpus`, `frontends`
//! and `backends`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use guest_protocol::frame::ResultFramer;
use results::{JobReport, Latency, Report, Run, Side};

/// Beginning of each program: notes the call, and gets into the trouble that is planned for it in
/// `trouble`, a line `NUMBER KIND`.
const PROGRAM: &str = r#"#!/bin/sh
here=$(dirname "$0")
printf '%s\n' "$(basename "$0") $*" >>"$here/calls"
late=
read -r number kind <"$here/trouble" 2>/dev/null
if [ "$number" = "$(wc -l <"$here/calls")" ]; then
    case $kind in
    hang) sleep 1000 ;;
    fail) echo 'libxl: error: no reply' >&2; exit 1 ;;
    die) kill -9 $$ ;;
    lie) echo 9; exit 0 ;;
    INT | TERM) kill "-$kind" $PPID ;;
    twice) kill -INT $PPID; sleep 0.2; kill -INT $PPID; sleep 1000 ;;
    late-*) late=${kind#late-} ;;
    esac
fi
"#;

/// End of each program: trouble that comes when it has done its work.
const END: &str = r#"
case $late in hang) sleep 1000 ;; fail) exit 1 ;; die) kill -9 $$ ;; esac
"#;

/// `xl`.
const XL: &str = r#"
gone() { [ -e "$here/domain" ] && [ "$1" = 7 ] && return 1; echo "$1 is an invalid domain identifier (rc=-6)" >&2; }
case $1 in
domid) [ -e "$here/domain" ] || { echo "$2 is an invalid domain identifier (rc=-6)" >&2; exit 1; }; echo 7 ;;
create) [ ! -e "$here/rival" ] || { cp "$here/rival" "$here/domain"; echo "libxl: error: ringmark already exists" >&2; exit 3; }
      [ ! -e "$here/refuse" ] || { cat "$here/refuse" >&2; exit 3; }; echo "$*" >"$here/domain"; rm -f "$here/tty" "$here/begun"; mkfifo "$here/tty" ;;
info) cat "$here/info" ;;
vcpu-list) cat "$here/vcpus" ;;
dmesg) cat "$here/messages" ;;
unpause) gone "$2" && exit 1; [ ! -e "$here/begun" ] || exit 0; touch "$here/begun"; setsid sh "$here/guest.sh" >"$here/tty" 2>/dev/null & echo $! >"$here/begun" ;;
list) [ ! -e "$here/stuck" ] || sleep 1000
      [ ! -e "$here/dumb" ] || { echo 'xc: error: no memory' >&2; exit 1; }
      [ ! -e "$here/busy" ] || [ -n "$2" ] || { echo "busy 9 64 1 r----- $(wc -l <"$here/busy")600.0"; echo 1 >>"$here/busy"; }
      [ -e "$here/domain" ] || [ -z "$2" ] || { echo "Error: Domain '$2' does not exist." >&2; exit 1; }
      echo 'Name ID Mem VCPUs State Time(s)'; [ ! -e "$here/domain" ] || echo "ringmark 7 64 1 $(cat "$here/state") 0.1" ;;
vm-list) [ ! -e "$here/mute" ] || { echo 'libxl: error: no reply' >&2; exit 1; }
      echo 'UUID  ID  name'
      [ ! -e "$here/domain" ] || echo "$(sed 's/.*uuid="\([^"]*\)".*/\1/' "$here/domain")  7  ringmark" ;;
destroy) gone "$2" && exit 1
      [ ! -e "$here/keep" ] || { echo 'libxl: error: no reply' >&2; exit 1; }
      pid=$(cat "$here/begun" 2>/dev/null); rm "$here/domain"
      [ -z "$pid" ] || { kill -s KILL -- "-$pid" || kill -s KILL "$pid"; } 2>/dev/null ;;
esac
"#;

/// `xenpm`.
const XENPM: &str = r#"cat "$here/power""#;

/// `xenstore-read`, `xenstore-write` and `xenstore-ls`.
const XENSTORE: &str = r#"
case $(basename "$0") in
xenstore-read) echo "$here/tty" ;;
xenstore-ls) case $* in */device/vbd) cat "$here/frontends" ;; *) cat "$here/backends" ;; esac ;;
esac
"#;

/// A directory with the scripts, a job file and what they note.
pub struct Stack(pub PathBuf);

impl Stack {
    /// A tool stack whose guest is this script.
    pub fn new(name: &str, guest: &str) -> Self {
        let place = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&place);
        fs::create_dir_all(&place).unwrap();
        let stack = Self(place);
        for (name, script) in [
            ("xl", XL),
            ("xenpm", XENPM),
            ("xenstore-read", XENSTORE),
            ("xenstore-write", XENSTORE),
            ("xenstore-ls", XENSTORE),
        ] {
            stack.program(name, &[PROGRAM, script, END].concat());
        }
        stack.write("trouble", "");
        stack.write("kernel", "\x7fELF");
        stack.write("vmlinux", "\x7fELF");
        stack.write("disk", "data");
        stack.write("guest.sh", guest);
        stack.write("state", "-b----");
        stack.write("job.fio", "[job]\nrw=randread\n");
        stack
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).unwrap();
    }

    /// Makes a program of a script.
    pub fn program(&self, name: &str, script: &str) {
        self.write(name, script);
        fs::set_permissions(self.0.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Returns the path of a file in its directory.
    pub fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    pub fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn().unwrap()
    }

    /// Returns the tool with these arguments, and a disk.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let disk = format!("phy:{}", self.path("disk"));
        let mut guest = vec!["--kernel=kernel", "--disk", &disk];
        // One of its own replaces it.
        if arguments.iter().any(|argument| argument.starts_with("--kernel")) {
            guest.remove(0);
        }
        self.tool(&[&arguments[..1], &guest, &arguments[1..]].concat())
    }

    /// Returns the tool with these arguments only.
    pub fn tool(&self, arguments: &[&str]) -> Command {
        let path = format!("{}:{}", self.0.display(), std::env::var("PATH").unwrap());
        // Whoever runs the tests may ignore signals, and what is ignored would stay so.
        let mut command = Command::new("env");
        command.args(["--default-signal", env!("CARGO_BIN_EXE_ringmark-dom0")]);
        command.args(arguments).current_dir(&self.0).env("PATH", path).env("TMPDIR", &self.0);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Starts the tool with these arguments only.
    pub fn spawn(&self, arguments: &[&str]) -> Child {
        self.tool(arguments).spawn().unwrap()
    }

    /// Makes `page.html` of these files.
    pub fn report(&self, files: &[&str]) -> (Option<i32>, String, String) {
        self.report_to("page.html", files)
    }

    /// Makes a page of these files.
    pub fn report_to(&self, page: &str, files: &[&str]) -> (Option<i32>, String, String) {
        self.end(self.spawn(&[&["report", "-o", page], files].concat()))
    }

    /// Compares two results.
    pub fn diff(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        self.end(self.spawn(&[&["diff"], arguments].concat()))
    }

    pub fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        self.end(self.start(arguments))
    }

    /// Waits for the end, after which there must be no domain of ours.
    pub fn end(&self, child: Child) -> (Option<i32>, String, String) {
        let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (status.code(), text(stdout), text(stderr))
    }

    pub fn calls(&self) -> String {
        fs::read_to_string(self.0.join("calls")).unwrap_or_default()
    }

    /// The names in its directory.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap().map(Result::unwrap);
        entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
    }

    pub fn has_domain(&self) -> bool {
        self.0.join("domain").exists()
    }

    pub fn wait_for_call(&self, call: &str) {
        self.wait_for_calls(call, 1);
    }

    pub fn wait_for_calls(&self, call: &str, count: usize) {
        let start = Instant::now();
        while self.calls().matches(call).count() < count {
            assert!(start.elapsed() < Duration::from_secs(60), "no {call} in: {}", self.calls());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A result with a job that read so fast for a second; `error` is why the run failed.
pub fn report(iops: f64, error: Option<&str>) -> Report {
    let lat_ns = Latency { mean: 5.0, count: 9, ..Latency::default() };
    let total_ios = iops as u64;
    let io_bytes = total_ios * 4096;
    let read = Side { total_ios, io_bytes, runtime: 1000, iops, lat_ns, ..Side::default() };
    let job = JobReport { jobname: "job".to_owned(), read, ..JobReport::default() };
    let run = Run { ok: error.is_none(), error: error.map(str::to_owned), ..Run::default() };
    let version = "ringmark-0.1.0".to_owned();
    Report { version, jobs: vec![job], ringmark: Some(run), ..Report::default() }
}

/// Returns what a guest of ours does at its end, as a shell script.
pub fn emit(report: &Report) -> String {
    emit_text(&one_line(report))
}

/// Returns what a guest does whose result is this text, as a shell script.
pub fn emit_text(text: &str) -> String {
    let mut script = String::new();
    let mut print = |line: std::fmt::Arguments<'_>| {
        script.push_str(&format!("printf '%s\\n' '{line}'\n"));
    };
    let mut frame = ResultFramer::begin(&mut print);
    frame.text(text);
    frame.end();
    script
}

/// Returns what two guests in one do at their end, as a shell script: one of ours that does `ours`,
/// and the Linux guest, which is the one with a ramdisk.
pub fn peers(ours: &str, linux: &Report) -> String {
    let linux = one_line(linux);
    format!(
        "read -r created <\"$(dirname \"$0\")/domain\"\n\
         case $created in\n\
         *ramdisk=*) printf '%s\\n' 'peer-result: {linux}' ;;\n\
         *) {ours} ;;\n\
         esac\n"
    )
}

/// Returns runs as `--save` writes them.
pub fn saved<'a>(runs: impl IntoIterator<Item = (&'a str, &'a Report)>) -> String {
    let run = |(who, report): (&str, &Report)| {
        format!("{{\"who\":\"{who}\",\"result\":{}}}", one_line(report))
    };
    let runs: Vec<String> = runs.into_iter().map(run).collect();
    format!("{{\"runs\":[{}]}}\n", runs.join(","))
}

/// A result without line breaks.
pub fn one_line(report: &Report) -> String {
    serde_json::to_string(report).unwrap()
}
