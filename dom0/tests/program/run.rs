//! `run`: what it asks of `xl` in which order, that no domain is left, exit codes.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Command;
use std::time::Duration;

use results::{Extra, JobLog, Log, Report, Sample};

use crate::stack::{Stack, emit, emit_text, one_line, report};

/// A guest whose run goes well.
fn good() -> String {
    emit(&report(115_000.0, None))
}

const STATUS: &str = "Jobs: 1 (f=1): [r(1)][33.3%][r=449MiB/s][r=115k IOPS][eta 00m:02s]";

#[test]
fn a_job_runs() {
    let stack =
        Stack::new("a_job_runs", &format!("echo 'ringmark 0.1.0'; echo '{STATUS}'; {}", good()));
    let (code, stdout, stderr) = stack.run(&["run", "job.fio", "--", "--bs=8k"]);
    assert_eq!((code, stderr.trim()), (Some(0), STATUS), "{stdout}");
    assert!(stdout.contains("read: IOPS=115k, BW="), "{stdout}");
    assert!(!stack.has_domain());
    let calls = stack.calls();
    let lines: Vec<&str> = calls.lines().collect();
    let [domid, info, create, domains, vcpus, disks, others, give, terminal, unpause, end @ ..] =
        &lines[..]
    else {
        panic!("{calls}");
    };
    assert_eq!([*domid, *domains], ["xl domid ringmark", "xl vm-list"]);
    assert_eq!([*info, *vcpus], ["xl info", "xl vcpu-list 0 7"]);
    assert_eq!(*disks, "xenstore-ls -f /local/domain/7/device/vbd");
    assert!(create.starts_with("xl create -p -e /dev/null name=\"ringmark\" type=\"pvh\""));
    let disk = format!(" disk=[\"vdev=xvda,access=w,target={}\"] ", stack.path("disk"));
    assert!(create.contains(&disk), "{create}");
    let text = "[global]\\x0abs=8k\\x0a[job]\\x0arw=randread\\x0a";
    let node = "/local/domain/7/ringmark/job";
    assert_eq!(*give, format!("xenstore-write -- {node} 33 {node}/0 {text}"));
    assert_eq!(*terminal, "xenstore-read /local/domain/7/console/tty");
    assert_eq!(*unpause, "xl unpause 7");
    assert_eq!((*others, end), ("xl list", &["xl list", "xl destroy 7", "xl vm-list"][..]));
}

#[test]
fn runs_are_repeated_and_their_spread_told() {
    let stack = Stack::new("runs_are_repeated_and_their_spread_told", &good());
    let arguments = ["run", "job.fio", "--repeat=3"];
    let (code, stdout, stderr) = stack.run(&arguments);
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(stdout.matches("read: IOPS=115k, BW=").count(), 3, "{stdout}");
    assert!(stdout.contains("\nmedian (least .. greatest)"), "{stdout}");
    assert!(stdout.contains("115000 (115000 .. 115000)"), "{stdout}");
    assert_eq!(stack.calls().matches("xl create").count(), 3);
    let (code, stdout, _) = stack.run(&[&arguments[..], &["--output-format=json"]].concat());
    let json: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, json["runs"].as_array().map(Vec::len)), (Some(0), Some(3)));
    stack.write("runs.json", &stdout);
    assert_eq!(stack.report(&["runs.json"]).0, Some(0));
}

/// Keeps what was measured before a run that fails.
#[test]
fn a_repetition_that_fails_loses_nothing() {
    let second = "[ -e first ] && { echo sorry; exit; }; touch first; ";
    for output in [&[][..], &["--output=out"]] {
        let stack =
            Stack::new("a_repetition_that_fails_loses_nothing", &format!("{second}{}", good()));
        stack.write("state", "----c-");
        let (code, stdout, stderr) =
            stack.run(&[&["run", "job.fio", "--repeat=3"], output].concat());
        assert_eq!(code, Some(1));
        assert!(stderr.contains("run 2 of 3: the guest has crashed"), "{stderr}");
        let text = fs::read_to_string(stack.0.join("out")).unwrap_or(stdout);
        assert_eq!(text.matches("read: IOPS=115k, BW=").count(), 1, "{text}");
    }
    // Ctrl-C, before the guest of the second run is made.
    let interrupted = format!("{}\nkill -INT \"$(cat \"$(dirname \"$0\")/id\")\"\n", good());
    let stack = Stack::new("a_repetition_that_fails_loses_nothing", &interrupted);
    let child = stack.start(&["run", "job.fio", "--repeat=3"]);
    stack.write("id", &child.id().to_string());
    let (code, stdout, stderr) = stack.end(child);
    assert_eq!(code, Some(3), "{stderr}");
    assert!(stdout.contains("read: IOPS=115k, BW="), "{stdout}");
    let stack = Stack::new("a_repetition_that_fails_loses_nothing", "");
    let logs = ["run", "job.fio", "--repeat=2", "--", "--write_iops_log=x", "--log_avg_msec=500"];
    let (code, _, stderr) = stack.run(&logs);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("--repeat keeps no logs"), "{stderr}");
}

#[test]
fn progress_comes_as_json() {
    let stack = Stack::new("progress_comes_as_json", &format!("echo '{STATUS}'; {}", good()));
    let (code, _, stderr) = stack.run(&["run", "job.fio", "--progress=json"]);
    let objects: Vec<serde_json::Value> =
        stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let events: Vec<_> = objects.iter().filter_map(|object| object["event"].as_str()).collect();
    assert_eq!((code, events), (Some(0), vec!["created", "started", "status"]));
    let [created, _, status] = &objects[..] else { panic!("{stderr}") };
    assert_eq!(created["domid"], 7);
    assert_eq!((&status["text"], &status["percent"]), (&STATUS.into(), &33.3.into()));
}

#[test]
fn a_guests_warnings_are_shown_but_not_without_end() {
    let warn = "for n in $(seq 20); do echo \"ringmark: warning: xvda $n\"; done";
    let stack = Stack::new("a_guests_warnings_are_shown", &format!("{warn}; {}", good()));
    let (code, _, stderr) = stack.run(&["run", "job.fio"]);
    let expected: String = (1..=16).map(|n| format!("ringmark: warning: xvda {n}\n")).collect();
    let expected = expected + "ringmark: warning: more were left out\n";
    assert_eq!((code, stderr), (Some(0), expected));
    assert_eq!(stack.run(&["run", "job.fio", "--quiet"]).2, "");
}

#[test]
fn a_dry_run_tells_what_would_be_done() {
    let stack = Stack::new("a_dry_run_tells_what_would_be_done", "");
    let (code, stdout, stderr) =
        stack.run(&["run", "job.fio", "--dry-run", "--memory=32", "--", "runtime=5"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    for expected in ["\nname = \"ringmark\"\n", "\nmemory = 32\n", ",target=/", "\n[job]\n"] {
        assert!(stdout.contains(expected), "{expected}: {stdout}");
    }
    for expected in ["\nrw=randread\n", "\nruntime=5\n", "\n# time: 610 s,"] {
        assert!(stdout.contains(expected), "{expected}: {stdout}");
    }
    assert_eq!(stack.calls(), "");
    let wrong = ["run", "job.fio", "--dry-run", "--", "runtime=x"];
    assert_eq!(stack.run(&wrong).0, Some(2));
}

#[test]
fn quiet_says_nothing_and_verbose_each_call() {
    let stack = Stack::new("quiet_says_nothing", &format!("echo '{STATUS}'; {}", good()));
    assert_eq!(stack.run(&["run", "job.fio", "--quiet"]).2, "");
    fs::remove_file(stack.0.join("calls")).unwrap();
    let (_, _, stderr) = stack.run(&["run", "job.fio", "--verbose", "--eta=never"]);
    let calls = stderr.lines().filter_map(|line| line.strip_prefix("+ "));
    let calls: String = calls.map(|call| format!("{call}\n")).collect();
    assert_eq!(calls, stack.calls(), "{stderr}");
}

#[test]
fn options_alone_are_the_guests_command_line() {
    let stack = Stack::new("options_alone_are_the_guests_command_line", &good());
    let (code, ..) = stack.run(&["run", "--", "--name=job", "--bs=4k"]);
    assert_eq!(code, Some(0));
    assert!(stack.calls().contains(" extra=\"--name=job --bs=4k\" "), "{}", stack.calls());
    assert!(!stack.calls().contains("xenstore-write"));
}

#[test]
fn a_job_file_leaves_the_command_line_to_the_guests_own_words() {
    let stack = Stack::new("a_job_file_leaves_the_command_line_to_the_guests_own_words", &good());
    let extra = "extra=\"hypercall=page\"";
    assert_eq!(stack.run(&["run", "job.fio", "--set", extra]).0, Some(0));
    assert!(stack.calls().contains(&format!(" {extra}\n")), "{}", stack.calls());
}

#[test]
fn a_module_is_the_file_itself() {
    let stack = Stack::new("a_module_is_the_file_itself", &good());
    assert_eq!(stack.run(&["run", "job.fio", "--delivery=module"]).0, Some(0));
    assert!(stack.calls().contains(" ramdisk=\"job.fio\" "), "{}", stack.calls());
}

#[test]
fn a_result_goes_to_a_file() {
    let stack = Stack::new("a_result_goes_to_a_file", &good());
    let (code, stdout, _) =
        stack.run(&["run", "job.fio", "--output=out.json", "--output-format=json"]);
    assert_eq!((code, stdout.as_str()), (Some(0), ""));
    let written = fs::read_to_string(stack.0.join("out.json")).unwrap();
    assert!(written.starts_with("{\n"), "{written}");
}

#[test]
fn an_output_that_cannot_be_written_makes_no_domain() {
    let stack = Stack::new("an_output_that_cannot_be_written_makes_no_domain", &good());
    stack.write("file", "");
    fs::create_dir(stack.0.join("x_iops.1.log")).unwrap();
    let log = ["--", "--write_iops_log=x", "--log_avg_msec=500"];
    for (arguments, named) in [
        (&["run", "job.fio", "--output=/no/such/dir/x.json"][..], "/no/such/dir/x.json: No such"),
        (&["run", "job.fio", "--output=file/x.json"], "file/x.json: Not a directory"),
        (&["run", "job.fio", "--output=."], ".: Is a directory"),
        (&[&["run", "job.fio"], &log[..]].concat(), "x_iops.1.log: Is a directory"),
        (&[&COMPARE[..], &["--save=/no/such/dir/x.json"]].concat(), "/no/such/dir/x.json: No such"),
    ] {
        let (code, stdout, stderr) = stack.run(arguments);
        assert_eq!((code, stdout.as_str()), (Some(5), ""), "{arguments:?}");
        assert!(stderr.starts_with(&format!("ringmark: error: cannot write {named}")), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
    assert_eq!(stack.calls(), "");
    let mut names = stack.names();
    names.retain(|name| name.starts_with(".ringmark"));
    assert_eq!(names, [""; 0]);
}

pub const COMPARE: [&str; 4] =
    ["compare", "job.fio", "--peer-kernel=vmlinux", "--peer-initramfs=/dev/null"];

/// `/dev/full` takes nothing, as a full file system.
#[test]
fn a_result_that_finds_no_room_is_printed() {
    let stack = Stack::new("a_result_that_finds_no_room_is_printed", &good());
    let (code, stdout, stderr) = stack.run(&["run", "job.fio", "--output=/dev/full"]);
    let expected = "ringmark: error: its contents were printed to standard output instead: \
                    cannot write /dev/full: No space left on device (os error 28)\n";
    assert_eq!((code, stderr.as_str()), (Some(5), expected));
    assert!(stdout.contains("read: IOPS=115k, BW="), "{stdout}");
    assert!(!stack.has_domain());

    // A failed run says so, too.
    let failed = emit(&report(1.0, Some("no xvdz")));
    let stack = Stack::new("a_result_that_finds_no_room_is_printed", &failed);
    let (code, stdout, stderr) = stack.run(&["run", "job.fio", "--output=/dev/full"]);
    assert_eq!(code, Some(5));
    assert!(stdout.contains("read: IOPS=1,"), "{stdout}");
    assert!(stderr.contains("/dev/full") && stderr.contains("no xvdz"), "{stderr}");
}

#[test]
fn a_log_that_finds_no_room_is_printed_and_the_others_written() {
    let stack = Stack::new("a_log_that_finds_no_room_is_printed", &logger());
    std::os::unix::fs::symlink("/dev/full", stack.0.join("x_iops.1.log")).unwrap();
    let options = ["run", "job.fio", "--output=out", "--", "--write_iops_log=x"];
    let (code, stdout, stderr) = stack.run(&[&options[..], &["--log_avg_msec=500"]].concat());
    assert_eq!((code, stdout.as_str()), (Some(5), "500, 100, 0, 0, 0\n"), "{stderr}");
    assert!(stderr.contains("cannot write x_iops.1.log"), "{stderr}");
    assert!(fs::read_to_string(stack.0.join("out")).unwrap().contains("read: IOPS=115k"));
}

#[test]
fn an_output_is_whole_or_as_it_was() {
    let killed = format!("while :; do echo '{STATUS}'; sleep 1; done");
    let stack = Stack::new("an_output_is_whole_or_as_it_was", &killed);
    stack.write("out", "the last result");
    let child = stack.start(&["run", "job.fio", "--output=out"]);
    stack.wait_for_call("xl unpause 7");
    assert_eq!(fs::read_to_string(stack.0.join("out")).unwrap(), "the last result");
    kill("TERM", child.id());
    assert_eq!(stack.end(child).0, Some(1));
    assert_eq!(fs::read_to_string(stack.0.join("out")).unwrap(), "the last result");
    assert!(!stack.names().iter().any(|name| name.starts_with(".ringmark")), "{:?}", stack.names());
    stack.write("guest.sh", &good());
    let _ = fs::remove_file(stack.0.join("domain"));
    assert_eq!(stack.run(&["run", "job.fio", "--output=out"]).0, Some(0));
    assert!(fs::read_to_string(stack.0.join("out")).unwrap().contains("read: IOPS=115k"));
}

#[test]
fn a_result_goes_to_pipes_and_standard_output_by_name() {
    let stack = Stack::new("a_result_goes_to_pipes_and_standard_output_by_name", &good());
    let (code, stdout, stderr) = stack.run(&["run", "job.fio", "--output=/dev/stdout"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("read: IOPS=115k, BW="), "{stdout}");
    assert_eq!(stack.run(&["run", "job.fio", "--output=/dev/null"]).0, Some(0));
    let pipe = stack.0.join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = std::thread::spawn(move || fs::read_to_string(pipe).unwrap());
    assert_eq!(stack.run(&["run", "job.fio", "--output=pipe"]).0, Some(0));
    assert!(reader.join().unwrap().contains("read: IOPS=115k, BW="));
}

#[test]
fn a_result_is_printed_in_all_forms() {
    let stack = Stack::new("a_result_is_printed_in_all_forms", &good());
    let (code, stdout, _) = stack.run(&["run", "job.fio", "--output-format=json+,terse,normal"]);
    assert_eq!(code, Some(0));
    let json = stdout.find("\"iops\" : 115000.000000").expect("JSON");
    let terse = stdout.find("3;ringmark-0.1.0;job;0;0;").expect("terse");
    let normal = stdout.find("job: (groupid=0, jobs=1): err= 0:").expect("normal");
    assert!(json < terse && terse < normal, "{stdout}");
}

/// A guest that sends a log of its only job.
fn logger() -> String {
    let mut report = report(115_000.0, None);
    let sample = Sample { end_ms: 500, bw: 400, iops: 100, latency_ns: 9000 };
    let log = JobLog { read: Log { samples: vec![sample], dropped: 2 }, ..JobLog::default() };
    let job = report.jobs.first_mut().expect("a job");
    job.options = [("write_iops_log".to_owned(), "theirs".to_owned())].into_iter().collect();
    job.ringmark = Some(Extra { members: 1, logs: vec![log], ..Extra::default() });
    emit(&report)
}

#[test]
fn logs_become_files() {
    let stack = Stack::new("logs_become_files", &logger());
    let options = ["run", "job.fio", "--", "--write_iops_log=x", "--log_avg_msec=500"];
    let (code, _, stderr) = stack.run(&options);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("x_iops.1.log: the guest had no room for 2 samples"), "{stderr}");
    let text = fs::read_to_string(stack.0.join("x_iops.1.log")).unwrap();
    assert_eq!(text, "500, 100, 0, 0, 0\n");
    assert!(!stack.0.join("theirs_iops.1.log").exists());
}

#[test]
fn a_guest_makes_no_files_of_its_own() {
    let stack = Stack::new("a_guest_makes_no_files_of_its_own", &logger());
    let (code, stdout, stderr) = stack.run(&["run", "job.fio"]);
    let expected = "ringmark: error: job job sent 1 logs, 0 were requested; \
                    use guest and tool of the same version\n";
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (Some(1), "", expected));
    let files = fs::read_dir(&stack.0).unwrap().filter_map(Result::ok);
    let files: Vec<_> = files.map(|entry| entry.file_name().into_string().unwrap()).collect();
    assert!(!files.iter().any(|name| name.ends_with(".log")), "{files:?}");
}

#[test]
fn a_result_that_is_too_long_for_its_jobs_is_refused() {
    let json = format!("{{\"jobs\":[],\"a\":\"{}", "x".repeat(1 << 20));
    let guest = emit_text(&json);
    let stack = Stack::new("a_result_that_is_too_long_for_its_jobs_is_refused", &guest);
    let (code, stdout, stderr) = stack.run(&["run", "job.fio"]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(
        stderr.contains("the result was damaged on the console: it has more than 1048576 bytes")
    );
    assert!(!stack.has_domain());
}

#[test]
fn a_spoiled_result_is_none() {
    let spoiled = good().replace("115000", "215000");
    let stack = Stack::new("a_spoiled_result_is_none", &spoiled);
    let (code, stdout, stderr) = stack.run(&["run", "job.fio"]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(stderr.contains("the result was damaged on the console: its checksum"), "{stderr}");
    assert!(!stack.has_domain());
}

#[test]
fn no_result_moves_the_cursor() {
    let json = one_line(&report(1.0, Some("why")));
    for escape in ["\\u001b[2J", "\\u009b2J", "\\n"] {
        for (good, evil) in [
            ("ringmark-0.1.0", escape.to_owned()),
            ("\"job\"", format!("\"{escape}\"")),
            ("iodepth_level\":{", format!("iodepth_level\":{{\"{escape}\":1")),
            ("why", escape.to_owned()),
        ] {
            assert!(json.contains(good), "{json}");
            let guest = emit_text(&json.replace(good, &evil));
            let stack = Stack::new("no_result_moves_the_cursor", &guest);
            let formats = "--output-format=normal,terse,json";
            let (code, stdout, stderr) = stack.run(&["run", "job.fio", formats]);
            assert_eq!((code, stdout.as_str()), (Some(1), ""), "{evil}");
            let expected = "ringmark: error: the guest's result can't be read: control character";
            assert!(stderr.starts_with(expected) && stderr.lines().count() == 1, "{stderr:?}");
            assert!(!stderr.trim_end().contains(char::is_control), "{stderr:?}");
        }
    }
}

#[test]
fn a_failed_run_is_a_failure_that_prints_its_figures() {
    let stack = Stack::new(
        "a_failed_run_is_a_failure_that_prints_its_figures",
        &emit(&report(1.0, Some("no xvdz"))),
    );
    let (code, stdout, stderr) = stack.run(&["run", "job.fio"]);
    assert_eq!((code, stderr.as_str()), (Some(1), "ringmark: error: the guest reports: no xvdz\n"));
    assert!(stdout.contains("read: IOPS=1,"));
    assert!(!stack.has_domain());
}

#[test]
fn a_result_that_does_not_say_how_it_went_is_refused() {
    let silent = Report { ringmark: None, ..report(1.0, None) };
    let stack = Stack::new("a_result_that_does_not_say_how_it_went_is_refused", &emit(&silent));
    let (code, stdout, stderr) = stack.run(&["run", "job.fio"]);
    let expected = "ringmark: error: the guest's result does not say whether the run succeeded\n";
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (Some(1), "", expected));
    assert!(!stack.has_domain());
}

#[test]
fn a_guest_that_ends_without_a_result_is_quoted_and_destroyed() {
    let stack = Stack::new(
        "a_guest_that_ends_without_a_result_is_quoted_and_destroyed",
        "echo 'ringmark: not enough memory'",
    );
    stack.write("state", "----c-");
    let (code, _, stderr) = stack.run(&["run", "job.fio"]);
    assert_eq!(code, Some(1));
    let expected = "ringmark: error: the guest has crashed without a result; last lines of \
                    its console:\n  \
                    | ringmark: not enough memory\n";
    assert_eq!(stderr, expected);
    assert!(!stack.has_domain());
}

#[test]
fn a_guest_that_only_talks_is_given_up() {
    let stack = Stack::new(
        "a_guest_that_only_talks_is_given_up",
        &format!("while :; do echo '{STATUS}'; echo on and on; sleep 0.1; done"),
    );
    let (code, stdout, stderr) = stack.run(&["run", "job.fio", "--timeout=2", "--eta=never"]);
    assert_eq!((code, stdout.as_str()), (Some(4), ""));
    let expected = "ringmark: error: the guest was not done after 2 s; --timeout=SECONDS sets \
                    another limit; last lines of its console:\n  | on and on\n";
    assert!(stderr.starts_with(expected), "{stderr}");
    assert!(!stack.has_domain());
}

#[test]
fn a_domain_of_that_name_is_left_alone() {
    let stack = Stack::new("a_domain_of_that_name_is_left_alone", "");
    stack.write("domain", "");
    let (code, _, stderr) = stack.run(&["run", "job.fio"]);
    assert_eq!(code, Some(1));
    let expected = "ringmark: error: domain ringmark already exists (id 7); end it with \
                    `xl destroy ringmark`, or choose another name with --name\n";
    assert_eq!(stderr, expected);
    assert!(stack.has_domain());
    assert!(!stack.calls().contains("create"));
}

#[test]
fn a_guest_that_cannot_work_is_not_made() {
    let stack = Stack::new("a_guest_that_cannot_work_is_not_made", &good());
    stack.write("empty", "");
    let empty = format!("--disk=phy:{}", stack.path("empty"));
    for (arguments, expected) in [
        (&["--kernel=none"][..], "none: No such file or directory (os error 2); name the guest's"),
        (&["--kernel=job.fio"], "job.fio: it is no kernel that xl loads; name the guest's kernel"),
        (&["--kernel=."], ".: it is no file; name the guest's kernel with --kernel"),
        (&["--disk=phy:/dev/none"], "/dev/none: No such file or directory (os error 2); name a"),
        (&["--disk=/dev/null"], "/dev/null: it is neither a block device nor a file; name a"),
        (&[&empty], "empty: it is empty; name a block device or a file with --disk"),
        (&["--", "filename=xvdb"], "filename=/dev/xvdb: no such disk; the guest has xvda"),
        (&["--timeout=5", "--", "runtime=5", "time_based"], "--timeout=5 would end the guest"),
    ] {
        let (code, stdout, stderr) = stack.run(&[&["run", "job.fio"], arguments].concat());
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains(expected), "{arguments:?}: {stderr}");
    }
    assert_eq!(stack.calls(), "");
    assert!(!stack.names().iter().any(|name| name.starts_with(".ringmark")));
}

#[test]
fn what_xl_says_is_passed_on() {
    let stack = Stack::new("what_xl_says_is_passed_on", "");
    stack.write("refuse", "libxl: error: Device vbd 51712 hotplug status: /dev/vg/lv\n");
    let (code, _, stderr) = stack.run(&["run", "job.fio"]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("xl create failed (exit status: 3): libxl: error: Device vbd"));
}

#[test]
fn signals_destroy_the_guest() {
    for signal in ["TERM", "HUP", "QUIT"] {
        let stack = Stack::new(
            "signals_destroy_the_guest",
            &format!("while :; do echo '{STATUS}'; sleep 1; done"),
        );
        let child = stack.start(&["run", "job.fio"]);
        stack.wait_for_call("xl unpause 7");
        kill(signal, child.id());
        let (code, _, stderr) = stack.end(child);
        assert_eq!(code, Some(1), "{signal}");
        assert!(stderr.ends_with("ringmark: error: interrupted\n"), "{stderr}");
        assert!(!stack.has_domain(), "{}", stack.calls());
    }
}

#[test]
fn a_guest_that_is_left_behind_is_a_failure() {
    let left = "domain ringmark may be left behind; end it with `xl destroy ringmark`: \
                xl destroy failed (exit status: 1): libxl: error: no reply\n";
    let stack = Stack::new("a_guest_that_is_left_behind_is_a_failure", &good());
    stack.write("keep", "");
    let (code, stdout, stderr) = stack.run(&["run", "job.fio"]);
    assert_eq!((code, stderr), (Some(1), format!("ringmark: error: {left}")));
    assert!(stdout.contains("read: IOPS=115k"), "{stdout}");
    // One error does not hide the other.
    let stack = Stack::new(
        "a_guest_that_is_left_behind_is_a_failure",
        &emit(&report(1.0, Some("no xvdz"))),
    );
    stack.write("keep", "");
    let (code, _, stderr) = stack.run(&["run", "job.fio"]);
    let expected = format!("ringmark: {left}ringmark: error: the guest reports: no xvdz\n");
    assert_eq!((code, stderr), (Some(1), expected));
}

#[test]
fn a_guest_that_somebody_else_destroys_is_not_left_behind() {
    // `xl destroy` from elsewhere: the domain is gone.
    let destroyed = "echo begun; rm \"$(dirname \"$0\")/domain\"";
    let stack = Stack::new("a_guest_that_somebody_else_destroys_is_not_left_behind", destroyed);
    let (code, stdout, stderr) = stack.run(&["run", "job.fio"]);
    let expected = "ringmark: error: the guest was destroyed by another program without a \
                    result; last lines of its console:\n  | begun\n";
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (Some(1), "", expected));
    // With its result there is nothing to complain of.
    let stack = Stack::new(
        "a_guest_that_somebody_else_destroys_is_not_left_behind",
        &format!("rm \"$(dirname \"$0\")/domain\"; {}", good()),
    );
    let (code, stdout, stderr) = stack.run(&["run", "job.fio"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
}

/// An `xl list` that fails tells nothing of the domain.
#[test]
fn a_guest_that_cannot_be_looked_for_may_be_left_behind() {
    let stack = Stack::new("a_guest_that_cannot_be_looked_for_may_be_left_behind", "echo begun");
    stack.write("dumb", "");
    stack.write("keep", "");
    let (code, _, stderr) = stack.run(&["run", "job.fio"]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("may be left behind"), "{stderr}");
    assert!(stderr.contains("xl list failed (exit status: 1): xc: error: no memory"), "{stderr}");
}

#[test]
fn ctrl_c_asks_for_a_report_first() {
    // The guest's end of the pipe cannot be read here, so it is told by a file.
    let stopped = emit(&report(1.0, Some("stopped before the end, as asked")));
    let stack = Stack::new(
        "ctrl_c_asks_for_a_report_first",
        &format!("while [ ! -e asked ]; do sleep 0.1; done; {stopped}"),
    );
    let mut child = stack.start(&["run", "job.fio"]);
    stack.wait_for_call("xl unpause 7");
    kill("INT", child.id());
    let mut said = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut said).unwrap();
    assert!(said.contains("ending early"), "{said}");
    stack.write("asked", "");
    let (code, stdout, _) = stack.end(child);
    assert_eq!(code, Some(3));
    assert!(stdout.contains("read: IOPS=1,"), "{stdout}");
    assert!(!stack.has_domain());
}

#[test]
fn two_ctrl_c_end_at_once() {
    let stack = Stack::new("two_ctrl_c_end_at_once", "sleep 1000");
    let child = stack.start(&["run", "job.fio"]);
    stack.wait_for_call("xl unpause 7");
    for _ in 0..2 {
        kill("INT", child.id());
        std::thread::sleep(Duration::from_millis(300));
    }
    let (code, _, stderr) = stack.end(child);
    assert_eq!(code, Some(1));
    assert!(stderr.ends_with("ringmark: error: interrupted\n"), "{stderr}");
    assert!(!stack.has_domain());
}

#[test]
fn a_wrong_command_line_makes_no_domain() {
    let stack = Stack::new("a_wrong_command_line_makes_no_domain", "");
    stack.write("wrong.fio", "[job]\niodpeth=4\n");
    for arguments in [
        &["run"][..],
        &["run", "none.fio"],
        &["run", "job.fio", "--memory=many"],
        &["run", "wrong.fio"],
        &["run", "wrong.fio", "--delivery=module"],
        &["run", "job.fio", "--", "--iodpeth=4"],
        &["run", "--", "--iodpeth=4"],
        &["run", "job.fio", "--set", "word"],
        &["run", "job.fio", "--set", "name=\"other\""],
        &["run", "job.fio", "--set", "maxmem=99; name = \"other\""],
        &["run", "job.fio", "--set", "type=\"pv\""],
        &["run", "job.fio", "--set", "on_poweroff=\"destroy\""],
        &["run", "job.fio", "--set", "ramdisk=\"other.fio\""],
        &["run", "job.fio", "--set", "extra=\"bs=4k\""],
        &["run", "--set", "extra=\"hypercall=page\"", "--", "bs=4k"],
        &["run", "job.fio", "--output-format=xml"],
        &["run", "job.fio", "--", "--name=a"],
        &["run", "job.fio", "--delivery=module", "--", "bs=4k"],
    ] {
        let (code, _, stderr) = stack.run(arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains("error: "), "{arguments:?}: {stderr}");
    }
    assert_eq!(stack.calls(), "");
}

pub fn kill(signal: &str, id: u32) {
    let status = Command::new("kill").args([&format!("-{signal}"), &id.to_string()]).status();
    assert!(status.unwrap().success());
}
