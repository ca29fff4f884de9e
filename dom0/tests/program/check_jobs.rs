//! `check`, and jobs as fio's users write them: files with variables and includes, fio's command
//! line.

use std::io::Write;
use std::process::Stdio;

use crate::stack::{Stack, emit, report};

/// Runs the tool with these words and variables of the environment.
fn say(stack: &Stack, words: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let child = stack.tool(words).envs(variables.iter().copied()).spawn().unwrap();
    stack.end(child)
}

#[test]
fn job_files_are_shown_as_fio_would() {
    let stack = Stack::new("job_files_are_shown_as_fio_would", "");
    stack.write("a.fio", "[global]\nbs=8k\n[a]\nrw=randread\nnumjobs=2\n[b]\nfilename=xvda\n");
    stack.write("wrong.fio", "[a]\nrw=read\n\niodpeth=4\n");
    stack.write("note.fio", "[a]\nnice=3\n");
    let seed = " --randseed=8244241983374193259";
    let shown = format!(
        "fio --direct=1 --ioengine=libaio --name=a --rw=randread --bs=8k --iodepth=1{seed} \
         --numjobs=2 --name=b --rw=read --bs=8k --iodepth=1 --filename=/dev/xvda{seed}\n"
    );
    assert_eq!(say(&stack, &["check", "a.fio"], &[]), (Some(0), shown.clone(), String::new()));
    let (code, stdout, stderr) = say(&stack, &["check", "a.fio", "wrong.fio", "no.fio"], &[]);
    assert_eq!((code, stdout), (Some(2), shown.clone()));
    let told = "wrong.fio:4: error: unknown option \"iodpeth\"; did you mean iodepth?\n\
                no.fio: error: cannot be read: No such file or directory (os error 2)\n\
                ringmark: error: 2 of 3 job files are refused\n";
    assert_eq!(stderr, told);
    let noted = "note.fio:2: warning: nice has no effect here\n";
    for (words, code, told) in [
        (&["check", "-q", "note.fio"][..], 0, noted.to_owned()),
        (
            &["check", "-q", "note.fio", "--warnings-fatal"],
            2,
            noted.replace("warning", "error") + "ringmark: error: the job file is refused\n",
        ),
    ] {
        assert_eq!(say(&stack, words, &[]), (Some(code), String::new(), told), "{words:?}");
    }
    assert_eq!(stack.calls(), "");
}

#[test]
fn a_directory_is_all_its_job_files() {
    let stack = Stack::new("a_directory_is_all_its_job_files", "");
    std::fs::create_dir_all(stack.0.join("jobs/empty")).unwrap();
    for (name, text) in [("b", "[b]\nbs=5\n"), ("a", "[a]\n"), ("c", "[c]\nbs=7\n"), ("d", "")] {
        stack.write(&format!("jobs/{name}.fio"), text);
    }
    stack.write("jobs/other", "no job");
    let (code, stdout, stderr) = say(&stack, &["check", "--summary", "jobs"], &[]);
    assert_eq!(code, Some(2));
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(lines[0], "1 of 4 job files are taken (25.0 %)");
    assert!(lines[1].starts_with("    2  bs | bs=5: ") && lines.len() == 3, "{stdout}");
    let places: Vec<&str> = stderr.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(places, ["jobs/b.fio:2:", "jobs/c.fio:2:", "jobs/d.fio:", "ringmark:"]);
    let (code, _, stderr) = say(&stack, &["check", "jobs/empty"], &[]);
    assert_eq!((code, stderr.contains("has no files *.fio")), (Some(2), true), "{stderr}");
}

#[test]
fn jobs_come_from_options_and_standard_input_too() {
    let stack = Stack::new("jobs_come_from_options_and_standard_input_too", "");
    let words = "check -- --name a -rw write --filename=xvda --name=b --output-format=json";
    let (code, stdout, stderr) = say(&stack, &words.split(' ').collect::<Vec<_>>(), &[]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(stdout.contains(" --name=a --rw=write ") && stdout.contains(" --name=b --rw=read "));
    let mut child = stack.tool(&["check", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"[a]\nrw=${NO}\n").unwrap();
    let (code, _, stderr) = stack.end(child);
    assert_eq!(code, Some(2));
    assert!(stderr.starts_with("standard input:2: error: ${NO} is not set"), "{stderr}");
    for words in [&["check"][..], &["check", "--section=a", "--", "bs=4k", "--", "x"]] {
        assert_eq!(say(&stack, words, &[]).0, Some(2), "{words:?}");
    }
}

#[test]
fn the_guest_is_handed_one_flat_job() {
    let stack = Stack::new("the_guest_is_handed_one_flat_job", &emit(&report(1.0, None)));
    stack.write("job.fio", "[job]\ninclude part.inc\nnumjobs=$ncpus-2\nbs=${BS} # all\n");
    stack.write("part.inc", "rw=randread\n");
    let disk = format!("--disk=phy:{}", stack.path("disk"));
    let run = ["run", "job.fio", "--kernel=kernel", &disk, "--vcpus=3", "--delivery=xenstore"];
    let (code, _, stderr) = say(&stack, &run, &[("BS", "8k")]);
    assert_eq!(code, Some(0), "{stderr}");
    let job = "ringmark/job/0 [job]\\x0arw=randread\\x0anumjobs=1\\x0abs=8k\\x0a\n";
    assert!(stack.calls().contains(job), "{}", stack.calls());
    let module = [&run[..5], &["--delivery=module"]].concat();
    let (code, _, stderr) = say(&stack, &module, &[("BS", "8k")]);
    assert_eq!((code, stderr.contains("passes the job file unchanged")), (Some(2), true));
    for (value, told) in [
        ("8k\n[evil]\nrw=write", "job.fio: line 4: the value of ${BS} has a line break"),
        ("8k # x", "job.fio: line 4: the value of ${BS} has a ; or a #"),
        ("\"", "job.fio: line 4: a \" has no closing \""),
        ("\u{1b}[2J", "job.fio: line 4: the value of ${BS} has a line break or a control"),
        ("8\u{202e}k", "job.fio: line 4: '\\u{202e}' is not allowed"),
        ("${BS}", "job.fio: line 4: ${BS}: a guest has no environment"),
        ("9", "job.fio: line 4: bs=9: not a multiple"),
    ] {
        let (code, _, stderr) = say(&stack, &run, &[("BS", value)]);
        assert_eq!(code, Some(2), "{value:?}");
        assert!(stderr.starts_with(&format!("ringmark: error: {told}")), "{value:?}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
    stack.write("part.inc", "\nrw=scan\n");
    let (code, _, stderr) = say(&stack, &run, &[("BS", "8k")]);
    assert!(code == Some(2) && stderr.contains("error: part.inc: line 2: rw=scan: "), "{stderr}");
}

#[test]
fn fios_options_work_on_either_side() {
    let test = "fios_options_work_on_either_side";
    for words in [
        &["--output-format=json", "--", "--name", "job", "--rw", "read"][..],
        &["--", "--name=job", "--rw=read", "-output-format", "json"],
        &["--", "job.fio", "--output-format=normal", "--output-format=json", "--eta=never"],
        &["--max-jobs=5", "--", "--section=job", "job.fio", "--output-format=json", "--readonly"],
    ] {
        let stack = Stack::new(test, &emit(&report(1.0, None)));
        let (code, stdout, stderr) = stack.run(&[&["run"], words].concat());
        assert_eq!(code, Some(0), "{words:?}: {stderr}");
        assert!(stdout.starts_with('{') && stdout.ends_with("}\n"), "{words:?}: {stdout}");
        let noted = stderr.contains("ringmark: --max-jobs has no effect: ");
        assert_eq!(noted, words[0].contains("max-jobs"), "{stderr}");
    }
    let stack = Stack::new(test, &emit(&report(1.0, None)));
    let (code, stdout, _) = stack.run(&["run", "job.fio", "--", "--minimal", "--output=out"]);
    assert_eq!((code, stdout.as_str()), (Some(0), ""));
    let text = std::fs::read_to_string(stack.path("out")).unwrap();
    assert!(text.starts_with("3;ringmark-") || text.contains(";job;"), "{text}");
}

#[test]
fn what_fio_would_not_run_is_not_run() {
    let stack = Stack::new("what_fio_would_not_run_is_not_run", "");
    stack.write("w.fio", "[global]\nfilename=xvda\n[r]\n[w]\nrw=randwrite\nnice=3\n");
    for (words, code, told) in [
        (&["w.fio", "--readonly"][..], 2, "job w has rw=randwrite, and --readonly is given"),
        (&["--", "--rw=trim", "filename=xvda", "--readonly"], 2, "job job1 has rw=trim"),
        (&["w.fio", "--", "--warnings-fatal"], 2, "--warnings-fatal makes it an error"),
        (&["--", "nice=3", "--warnings-fatal"], 2, "--warnings-fatal makes it an error"),
        (&["w.fio", "--section=x"], 2, "w.fio has no section [x]"),
        (&["w.fio", "--section=global"], 2, "[global] has no job"),
        (&["--", "w.fio", "--parse-only"], 0, ""),
        (&["w.fio", "--section=r", "--parse-only", "--readonly", "--warnings-fatal"], 0, ""),
        (&["--", "--bandwidth-log", "w.fio"], 2, "--bandwidth-log: there is no log of all jobs"),
        (&["--", "--client=a", "w.fio"], 2, "--client: `ringmark fleet --host`"),
    ] {
        let (code_found, stdout, stderr) = stack.run(&[&["run"], words].concat());
        assert_eq!((code_found, stdout.as_str()), (Some(code), ""), "{words:?}: {stderr}");
        assert!(stderr.contains(told), "{words:?}: {stderr}");
    }
    let (code, stdout, _) = stack.end(stack.spawn(&["run", "w.fio", "--showcmd"]));
    assert!(code == Some(0) && stdout.contains(" --name=w --rw=randwrite "), "{stdout}");
    let compare = ["compare", "w.fio", "--peer-kernel=vmlinux", "--peer-initramfs=vmlinux"];
    for words in [
        [&compare[..], &["--", "--output-format=json"]].concat(),
        [&compare[..], &["--warnings-fatal"]].concat(),
        vec!["sweep", "w.fio", "--vary=bs=4k,8k", "--", "-warnings-fatal"],
        vec!["ab", "w.fio", "--readonly"],
        vec!["curve", "w.fio", "--", "--readonly"],
        vec!["fleet", "-n1", "w.fio", "--", "--warnings-fatal"],
    ] {
        let (code, stdout, stderr) = stack.run(&words);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{words:?}: {stderr}");
    }
    stack.write("m.fio", "[a]\nnumjobs=$ncpus\n");
    for words in [&["sweep", "m.fio", "--vary=vcpus=1,2"][..], &["ab", "m.fio", "--b=vcpus=2"]] {
        let (code, _, stderr) = stack.run(words);
        assert!(code == Some(2) && stderr.contains("write numbers"), "{words:?}: {stderr}");
    }
    assert_eq!(stack.calls(), "");
}
