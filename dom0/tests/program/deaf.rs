//! Nothing makes the tool deaf: neither readers that do not read, nor signals that it is to ignore.

use std::fs;
use std::io::Read;
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::fcntl::{FcntlArg, fcntl};

use crate::run::kill;
use crate::stack::{Stack, emit, emit_text, one_line, report};

const STATUS: &str = "Jobs: 1 (f=1): [r(1)][33.3%][r=449MiB/s][r=115k IOPS][eta 00m:02s]";

fn good() -> String {
    emit(&report(115_000.0, None))
}

/// A pipe that is full before anything is written into it.
fn full_pipe() -> (std::io::PipeReader, Stdio) {
    let (reader, writer) = std::io::pipe().unwrap();
    let size = fcntl(writer.as_fd(), FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
    std::io::Write::write_all(&mut &writer, &vec![b'x'; size as usize]).unwrap();
    (reader, writer.into())
}

#[test]
fn a_run_ends_though_nobody_reads_its_progress() {
    let guest = format!("for number in 1 2 3 4 5 6 7 8 9; do echo '{STATUS}'; done; {}", good());
    let stack = Stack::new("a_run_ends_though_nobody_reads_its_progress", &guest);
    for progress in ["--progress=text", "--progress=json", "--verbose"] {
        let (reader, full) = full_pipe();
        let mut command = stack.command(&["run", "job.fio", "--output=out", progress]);
        let status = command.stderr(full).status().unwrap();
        assert_eq!(status.code(), Some(0), "{progress}");
        assert!(fs::read_to_string(stack.0.join("out")).unwrap().contains("IOPS=115k"));
        assert!(!stack.has_domain());
        drop(reader);
    }
}

#[test]
fn a_result_that_nobody_reads_waits_for_two_signals() {
    let stack = Stack::new("a_result_that_nobody_reads_waits_for_two_signals", &good());
    let (reader, full) = full_pipe();
    let child = stack.command(&["run", "job.fio"]).stdout(full).spawn().unwrap();
    // The domain is destroyed meanwhile.
    stack.wait_for_call("xl destroy 7");
    let stderr = given_up_at_two_signals(child);
    let expected = "ringmark: error: cannot print: interrupted while nobody read it\n";
    assert!(stderr.ends_with(expected), "{stderr}");
    assert!(!stack.has_domain());
    drop(reader);
}

/// A terminal that has been stopped takes some tens of KiB.
#[test]
fn a_result_on_a_terminal_that_stopped_waits_for_two_signals() {
    let stack = Stack::new("a_result_on_a_terminal_that_stopped", &good());
    let terminal = nix::pty::openpty(None, None).unwrap();
    let formats = format!("--output-format={}", ["json"; 60].join(","));
    let mut command = stack.command(&["run", "job.fio", &formats]);
    let child = command.stdout(terminal.slave.try_clone().unwrap()).spawn().unwrap();
    stack.wait_for_call("xl destroy 7");
    given_up_at_two_signals(child);
    assert!(!stack.has_domain());
}

/// Interrupts a tool that writes its result, which goes on until the second time; returns its error
/// output.
fn given_up_at_two_signals(mut child: Child) -> String {
    for _ in 0..2 {
        std::thread::sleep(Duration::from_millis(300));
        assert!(child.try_wait().unwrap().is_none());
        kill("INT", child.id());
    }
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(5), "{stderr}");
    stderr
}

#[test]
fn a_result_that_is_read_late_is_whole() {
    let stack = Stack::new("a_result_that_is_read_late_is_whole", &good());
    let (mut reader, full) = full_pipe();
    let mut child =
        stack.command(&["run", "job.fio", "--output-format=json"]).stdout(full).spawn().unwrap();
    stack.wait_for_call("xl destroy 7");
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let json = text.trim_start_matches('x');
    assert!(json.starts_with("{\n") && json.ends_with("}\n"), "{json}");
}

#[test]
fn a_pipe_by_name_is_waited_for() {
    let stack = Stack::new("a_pipe_by_name_is_waited_for", &good());
    let pipe = stack.0.join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let child = stack.start(&["run", "job.fio", "--output=pipe"]);
    stack.wait_for_call("xl destroy 7");
    assert!(fs::read_to_string(&pipe).unwrap().contains("IOPS=115k"));
    assert_eq!(stack.end(child).0, Some(0));
    // Nobody reads it: the result is printed.
    let child = stack.start(&["run", "job.fio", "--output=pipe"]);
    stack.wait_for_calls("xl destroy 7", 2);
    kill("TERM", child.id());
    let (code, stdout, stderr) = stack.end(child);
    assert_eq!(code, Some(5), "{stderr}");
    assert!(stdout.contains("IOPS=115k"), "{stdout}");
    assert!(stderr.contains("cannot write pipe: nobody reads it"), "{stderr}");
}

/// `nohup` ignores SIGHUP, a shell's background job SIGINT and SIGQUIT.
#[test]
fn ignored_signals_stay_ignored() {
    let guest = format!("while [ ! -e go ]; do echo '{STATUS}'; sleep 0.1; done; {}", good());
    for signal in ["HUP", "INT", "QUIT", "TERM"] {
        let stack = Stack::new("ignored_signals_stay_ignored", &guest);
        let tool = stack.command(&["run", "job.fio"]);
        let mut command = Command::new("sh");
        command.args(["-c", &format!("trap '' {signal}; exec \"$@\""), "sh"]);
        // Not by way of `env`, which would not let it ignore them.
        command.args(tool.get_args().skip(1)).current_dir(&stack.0);
        command.envs(tool.get_envs().filter_map(|(key, value)| Some((key, value?))));
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        stack.wait_for_call("xl unpause 7");
        kill(signal, child.id());
        std::thread::sleep(Duration::from_millis(300));
        stack.write("go", "");
        let (code, stdout, stderr) = stack.end(child);
        assert_eq!(code, Some(0), "{signal}: {stderr}");
        assert!(stdout.contains("IOPS=115k") && !stderr.contains("ending early"), "{stderr}");
    }
}

/// A long report takes longer than its first piece may; each piece extends the wait.
#[test]
fn a_report_that_is_coming_is_waited_for() {
    let text = one_line(&report(1.0, Some("stopped before the end, as asked")));
    let slow = emit_text(&text).replace('\n', "\nsleep 6\n");
    let guest = format!("while [ ! -e asked ]; do sleep 0.1; done; {slow}");
    let stack = Stack::new("a_report_that_is_coming_is_waited_for", &guest);
    let child = stack.start(&["run", "job.fio"]);
    stack.wait_for_call("xl unpause 7");
    kill("INT", child.id());
    stack.write("asked", "");
    let (code, stdout, stderr) = stack.end(child);
    assert_eq!(code, Some(3), "{stderr}");
    assert!(stdout.contains("read: IOPS=1,"), "{stdout}");
}

#[test]
fn a_failed_query_does_not_end_a_run() {
    // Silent for longer than the first query takes.
    let guest = format!("sleep 4; {}", good());
    let stack = Stack::new("a_failed_query_does_not_end_a_run", &guest);
    stack.write("dumb", "");
    let (code, stdout, stderr) = stack.run(&["run", "job.fio"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stack.calls().contains("xl list 7") && stdout.contains("IOPS=115k"), "{stdout}");
}

/// Returns the processor time of a process, in ticks of 10 ms.
fn ticks(id: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    // After the name: user's and system's time are fields 14 and 15 of the whole.
    let fields = stat.rsplit(')').next().unwrap().split_whitespace();
    fields.skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum()
}

#[test]
fn a_query_that_hangs_costs_no_processor() {
    let stack = Stack::new("a_query_that_hangs_costs_no_processor", "sleep 30");
    stack.write("stuck", "");
    let child = stack.start(&["run", "job.fio"]);
    stack.wait_for_call("xl list 7");
    let before = ticks(child.id());
    std::thread::sleep(Duration::from_secs(3));
    let spent = ticks(child.id()) - before;
    kill("TERM", child.id());
    assert_eq!(stack.end(child).0, Some(1));
    assert!(spent < 10, "{spent} ticks");
}

/// Dom0 may have no memory for one more process for a while.
#[test]
fn a_program_that_cannot_be_started_is_tried_again() {
    let name = "a_program_that_cannot_be_started_is_tried_again";
    let xl = "\"$(dirname \"$0\")/xl\"";
    let stack = Stack::new(name, &format!("chmod -x {xl}; {}sleep 0.2; chmod +x {xl}\n", good()));
    let (code, stdout, stderr) = stack.run(&["run", "job.fio"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(stdout.contains("IOPS=115k") && !stack.has_domain(), "{stdout}");
}

#[test]
fn half_a_result_is_not_silence() {
    let half: String = good().lines().take(2).map(|line| format!("{line}\n")).collect();
    let stack = Stack::new("half_a_result_is_not_silence", &half);
    stack.write("state", "----c-");
    let (code, _, stderr) = stack.run(&["run", "job.fio"]);
    let expected = "ringmark: error: the guest has crashed with half a result; its console is \
                    empty but for its result\n";
    assert_eq!((code, stderr.as_str()), (Some(1), expected));
}
