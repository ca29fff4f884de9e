//! A tool stack of shell scripts for several domains.
//!
//! As `stack`, but the domain `ringmark-3` has the number 3, and is there while the file `domain.3`
//! is; its console is `tty.3`, its state in `state.3` or else in `state`, and its `ringmark/start`
//! in `local/domain/3/ringmark/start`. `guest.sh` finds its number in `$id`. Trouble comes at the
//! first call that has the text of the file `trouble-at`, of the kind in `trouble-kind`. A guest
//! that reads its console (`FleetStack::terminal`) has a terminal in `pty.3`, its end of which is
//! `in.3` and `out.3`. A guest ends with its domain.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::ops::Deref;
use std::os::unix::fs::symlink;
use std::process::{Child, Command};
use std::thread;

use nix::pty::openpty;
use nix::unistd::ttyname;

use crate::stack::Stack;

/// Beginning of each program.
const PROGRAM: &str = r#"#!/bin/sh
here=$(dirname "$0")
words="$(basename "$0") $*"
printf '%s\n' "$words" >>"$here/calls"
late=
at=$(cat "$here/trouble-at" 2>/dev/null)
if [ -n "$at" ] && case $words in *"$at"*) mkdir "$here/struck" 2>/dev/null ;; *) false ;; esac; then
    kind=$(cat "$here/trouble-kind")
    case $kind in
    hang) sleep 1000 ;;
    fail) echo 'libxl: error: no reply' >&2; exit 1 ;;
    die) kill -9 $$ ;;
    INT | TERM) kill "-$kind" $PPID ;;
    twice) kill -TERM $PPID; sleep 0.2; kill -INT $PPID; sleep 1000 ;;
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
gone() { [ -e "$here/domain.$1" ] && return 1; echo "$1 is an invalid domain identifier (rc=-6)" >&2; }
case $1 in
domid) id=${2##*-}; gone "$id" && exit 1; echo "$id" ;;
create) id=${words#*name=\"ringmark-}; id=${id%%\"*}
    [ ! -e "$here/refuse.$id" ] || { cat "$here/refuse.$id" >&2; exit 3; }
    echo "$words" >"$here/new.$id"; mv "$here/new.$id" "$here/domain.$id"
    mkdir -p "$here/local/domain/$id"
    [ -e "$here/pty.$id" ] && cp -P "$here/pty.$id" "$here/tty.$id" || mkfifo "$here/tty.$id" ;;
info | vcpu-list) ;;
unpause) gone "$2" && exit 1; mkdir "$here/begun.$2" 2>/dev/null || exit 0
    cd "$here"; in=/dev/null out=tty.$2; [ ! -e "pty.$2" ] || { in=in.$2 out=out.$2; }
    id=$2 setsid sh guest.sh <$in >$out 2>/dev/null & echo $! >"begun.$2/pid" ;;
list) [ -e "$here/domain.$2" ] || { echo "Error: Domain '$2' does not exist." >&2; exit 1; }
    state=$here/state.$2; [ -e "$state" ] || state=$here/state
    echo 'Name ID Mem VCPUs State Time(s)'; echo "ringmark-$2 $2 16 1 $(cat "$state") 0.1" ;;
vm-list) echo 'UUID  ID  name'
    for domain in "$here"/domain.*; do
        [ ! -e "$domain" ] || echo "$(sed 's/.*uuid="\([^"]*\)".*/\1/' "$domain")  ${domain##*.}  ringmark-${domain##*.}"
    done ;;
destroy) gone "$2" && exit 1; pid=$(cat "$here/begun.$2/pid" 2>/dev/null); rm -rf "$here/local/domain/$2" "$here/tty.$2" "$here/begun.$2"
    rm "$here/domain.$2"; [ -z "$pid" ] || { kill -s KILL -- "-$pid" || kill -s KILL "$pid"; } 2>/dev/null ;;
esac
"#;

/// `xenstore-read`, `xenstore-write` and `xenstore-ls`.
const XENSTORE: &str = r#"
case $(basename "$0") in
xenstore-read) id=${1#/local/domain/}; echo "$here/tty.${id%%/*}" ;;
xenstore-write) shift
    while [ $# -ge 2 ]; do
        case $1 in
        */ringmark/start) mkdir -p "$here${1%/start}"; echo "$2" >"$here$1.new"; mv "$here$1.new" "$here$1" ;;
        esac
        shift 2
    done ;;
esac
"#;

/// Beginning of all guests: they can wait for the others.
const GUEST: &str = r#"
ready() {
    echo "ringmark: ready to start stage $1"
    while [ "$(cat "local/domain/$id/ringmark/start")" -lt "$1" ]; do
        [ -e "domain.$id" ] || exit
        [ ! -e asked ] || return
        sleep 0.02
    done
}
"#;

/// A directory with the scripts, a job file and what they note.
pub struct FleetStack(Stack);

impl Deref for FleetStack {
    type Target = Stack;

    fn deref(&self) -> &Stack {
        &self.0
    }
}

impl FleetStack {
    /// A tool stack whose guests are this script.
    pub fn new(name: &str, guest: &str) -> Self {
        let stack = Stack::new(name, &[GUEST, guest].concat());
        for (name, script) in [
            ("xl", XL),
            ("xenstore-read", XENSTORE),
            ("xenstore-write", XENSTORE),
            ("xenstore-ls", XENSTORE),
        ] {
            stack.program(name, &[PROGRAM, script, END].concat());
        }
        (1..=9).for_each(|n| stack.write(&format!("disk{n}"), "data"));
        Self(stack)
    }

    /// Plans trouble of this kind at the first call with this text.
    pub fn trouble(&self, at: &str, kind: &str) {
        self.write("trouble-at", at);
        self.write("trouble-kind", kind);
    }

    /// Lets the guest of this number read its console, too.
    pub fn terminal(&self, id: u32) {
        let path = |name: &str| self.0.0.join(format!("{name}.{id}"));
        let pty = openpty(None, None).unwrap();
        symlink(ttyname(&pty.slave).unwrap(), path("pty")).unwrap();
        let fifos = [path("in"), path("out")];
        assert!(Command::new("mkfifo").args(&fifos).status().unwrap().success());
        let mut both = OpenOptions::new();
        let [mut input, mut output] =
            fifos.map(|fifo| both.read(true).write(true).open(fifo).unwrap());
        let (mut to, mut from) =
            (File::from(pty.master.try_clone().unwrap()), File::from(pty.master));
        thread::spawn(move || {
            // Else its end would be that of the terminal.
            let _slave = pty.slave;
            io::copy(&mut output, &mut to)
        });
        thread::spawn(move || io::copy(&mut from, &mut input));
    }

    /// Waits for the end of a fleet that keeps its domains; removes these as it says.
    pub fn kept(&self, child: Child) -> (Option<i32>, String, String) {
        let (code, stdout, stderr) = self.end(child);
        let commands = stderr.lines().filter_map(|line| line.split_once("remove with: "));
        let commands: Vec<&str> = commands.map(|(_, command)| command).collect();
        assert!(!commands.is_empty(), "{stderr}");
        commands.into_iter().for_each(|command| self.remove_with(command));
        self.check_clean(&stderr);
        (code, stdout, stderr)
    }

    /// Removes domains with a command that was told.
    pub fn remove_with(&self, command: &str) {
        let script = format!("PATH={}:$PATH\n{command}", self.0.0.display());
        let removed = Command::new("sh").args(["-ec", &script]).output().unwrap();
        assert!(removed.status.success() && removed.stderr.is_empty(), "{removed:?}");
    }

    /// Starts a fleet with these arguments.
    pub fn begin(&self, arguments: &[&str]) -> Child {
        let disk = format!("phy:{}", self.path("disk{n}"));
        let guests = ["fleet", "--kernel=kernel", "--disk", &disk, "-n", "3"];
        self.spawn(&[&guests, arguments].concat())
    }

    /// Runs a fleet with these arguments; afterwards nothing of it is there.
    pub fn fleet(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        self.finish(self.begin(arguments))
    }

    /// Waits for the end of a fleet, after which nothing of it is there.
    pub fn finish(&self, child: Child) -> (Option<i32>, String, String) {
        let ended = self.end(child);
        self.check_clean(&ended.2);
        ended
    }

    /// Checks that nothing of a fleet is there.
    fn check_clean(&self, stderr: &str) {
        assert_eq!(self.left(), [""; 0], "{stderr}\n{}", self.calls());
    }

    /// The names of what is there of guests.
    pub fn left(&self) -> Vec<String> {
        let is_left = |name: &String| {
            ["domain.", "tty.", "begun.", ".ringmark", "ringmark-peer"]
                .iter()
                .any(|begin| name.starts_with(begin))
        };
        let nodes = fs::read_dir(self.0.0.join("local/domain")).into_iter().flatten();
        let nodes = nodes.map(|node| node.unwrap().file_name().into_string().unwrap());
        self.names().into_iter().filter(is_left).chain(nodes).collect()
    }

    /// The calls of one program and command, in their order.
    pub fn calls_of(&self, call: &str) -> Vec<String> {
        self.calls().lines().filter(|line| line.starts_with(call)).map(str::to_owned).collect()
    }
}
