//! `options`, `completion`, `man`, and jobs that need care on their way: what asks nothing of `xl`,
//! and what reaches the guest.

use std::fs::File;
use std::io::{self, Write};
use std::process::{Command, Stdio};

use crate::stack::{Stack, emit, one_line, report};

/// Runs the program with these words only; there must be no call of the tool stack.
fn say(test: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let stack = Stack::new(test, "");
    let said = stack.end(stack.spawn(arguments));
    assert_eq!(stack.calls(), "", "{arguments:?}");
    said
}

#[test]
fn options_are_listed_without_a_guest() {
    let say = |arguments: &[&str]| say("options_are_listed_without_a_guest", arguments);
    let (code, list, stderr) = say(&["options"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(
        list.lines().any(|line| line.starts_with("iodepth=N ") && line.contains("| 1 to 65536 |"))
    );
    // The same on the way that fio's users know.
    for words in [&["--help"][..], &["help"], &["--bs=4k", "--cmdhelp"], &["--cmdhelp=all"]] {
        for before in [&["run", "--disk", "phy:/dev/vg/lv", "--"][..], &["run", "--"]] {
            let asked = [before, words].concat();
            assert_eq!(say(&asked), (Some(0), list.clone(), String::new()), "{asked:?}");
        }
    }
    let (code, full, _) = say(&["options", "bs", "hold"]);
    assert_eq!(code, Some(0));
    assert!(full.starts_with("bs=BYTES\n  aliases     blocksize\n"), "{full}");
    assert_eq!(say(&["run", "--", "--cmdhelp=bs"]).1 + "\n", full.split_once("hold").unwrap().0);
}

#[test]
fn a_name_that_no_option_has_is_a_wrong_command_line() {
    let say =
        |arguments: &[&str]| say("a_name_that_no_option_has_is_a_wrong_command_line", arguments);
    let expected = "ringmark: error: unknown option \"iodpeth\"; did you mean iodepth?\n";
    for asked in [&["options", "bs", "iodpeth"][..], &["run", "--", "--cmdhelp=iodpeth"]] {
        assert_eq!(say(asked), (Some(2), String::new(), expected.to_owned()));
    }
    let (code, _, stderr) = say(&["options", "exec_prerun"]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("fio option exec_prerun is not supported"), "{stderr}");
}

/// `bash -n` reads a script without running it.
#[test]
fn shells_complete_commands() {
    let say = |arguments: &[&str]| say("shells_complete_commands", arguments);
    for shell in ["bash", "zsh", "fish"] {
        let (code, script, _) = say(&["completion", shell]);
        assert_eq!(code, Some(0), "{shell}");
        for word in ["ringmark", "compare", "options", "output-format"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
        if shell == "bash" {
            let mut bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn().unwrap();
            bash.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
            assert!(bash.wait().unwrap().success());
        }
    }
    assert_eq!(say(&["completion", "tcsh"]).0, Some(2));
}

#[test]
fn the_manual_has_all_commands_and_exit_codes() {
    let say = |arguments: &[&str]| say("the_manual_has_all_commands_and_exit_codes", arguments);
    let (code, page, _) = say(&["man"]);
    assert_eq!(code, Some(0));
    for part in [
        ".TH ringmark 1",
        ".SH \"EXIT STATUS\"",
        ".SH EXAMPLES",
        ".SH FILES",
        "ringmark\\-run(1)",
        "\\fB5\\fR",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let (code, help, _) = say(&["--help"]);
    assert_eq!(code, Some(0));
    for meaning in ["the run failed", "interrupted, with a result", "could not be written"] {
        assert!(page.contains(meaning) && help.contains(meaning), "{meaning}");
    }
    let (code, page, _) = say(&["man", "run"]);
    assert_eq!(code, Some(0));
    assert!(page.contains(".TH ringmark-run 1") && page.contains("output\\-format"), "{page}");
    assert_eq!(say(&["man", "runs"]).0, Some(2));
    for (command, meaning) in [
        ("run", "the guest took too long"),
        ("compare", "the guest took too long"),
        ("report", "has nothing to plot"),
        ("diff", "or cannot be judged"),
        ("project", "the projection could not be printed"),
    ] {
        for words in [[command, "--help"], ["man", command]] {
            let (code, text, _) = say(&words);
            assert!(code == Some(0) && text.contains(meaning), "{words:?}: {text}");
        }
    }
}

/// A text that is cut off, as by `head`, is not a failure; one that cannot be written is.
#[test]
fn a_text_may_be_cut_off_but_not_lost() {
    let stack = Stack::new("a_text_may_be_cut_off_but_not_lost", "");
    stack.write("a.json", &one_line(&report(1.0, None)));
    let disk = format!("--disk=phy:{}", stack.path("disk"));
    for arguments in [
        &["options"][..],
        &["diff", "a.json", "a.json"],
        &["run", "job.fio", "--kernel=kernel", &disk, "--dry-run"],
    ] {
        let (reader, cut_off) = io::pipe().unwrap();
        drop(reader);
        let full = File::create("/dev/full").unwrap();
        for (stdout, code) in [(Stdio::from(cut_off), 0), (full.into(), 5)] {
            let child = stack.tool(arguments).stdout(stdout).spawn().unwrap();
            let (said, _, stderr) = stack.end(child);
            assert_eq!(said, Some(code), "{arguments:?}: {stderr}");
        }
    }
}

/// Runs a job from standard input.
fn run_stdin(test: &str, job: &[u8], arguments: &[&str]) -> (Option<i32>, String, String) {
    let stack = Stack::new(test, &emit(&report(115_000.0, None)));
    let mut command = stack.command(&[&["run", "-"], arguments].concat());
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    // A program that refuses the command line does not read.
    let _ = child.stdin.take().unwrap().write_all(job);
    let (code, _, stderr) = stack.end(child);
    (code, stack.calls(), stderr)
}

#[test]
fn a_job_comes_from_standard_input() {
    let run = |job: &[u8], arguments: &[&str]| {
        run_stdin("a_job_comes_from_standard_input", job, arguments)
    };
    let (code, calls, stderr) = run(b"\xef\xbb\xbf[job]\r\nbs=8k\r\n", &[]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(calls.contains("ringmark/job/0 [job]\\x0d\\x0abs=8k\\x0d\\x0a\n"), "{calls}");
    let (code, calls, stderr) = run(b"[job]\nrw=read\n", &["--", "--bs=8k"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(calls.contains("[global]\\x0abs=8k\\x0a[job]\\x0arw=read\\x0a"), "{calls}");
    for (job, arguments, why) in [
        (&b""[..], &[][..], "standard input: the job file has no job"),
        (b"[a]\niodpeth=4\n", &[], "standard input: line 2: unknown option"),
        (b"[a]\n# \xff\n", &[], "standard input is no text in UTF-8"),
        (&[b'#'; 100_000], &[], "standard input is too long"),
        (b"[a]\n", &["--delivery=module"], "--delivery=module needs a file"),
    ] {
        let (code, calls, stderr) = run(job, arguments);
        assert_eq!((code, calls.as_str()), (Some(2), ""), "{stderr}");
        assert!(stderr.contains(why), "{stderr}");
    }
}

#[test]
fn a_name_with_blanks_is_one_word_of_the_command_line() {
    let test = "a_name_with_blanks_is_one_word_of_the_command_line";
    let stack = Stack::new(test, &emit(&report(115_000.0, None)));
    let (_, _, stderr) = stack.run(&["run", "--", "--name=my job", "--rw=read"]);
    let calls = stack.calls();
    assert!(calls.contains("name=\\\"my job\\\" --rw=read"), "{calls}{stderr}");
    for wrong in ["rw=read bs=4k", "--name=my\tjob", "--name=my \"job", ""] {
        let stack = Stack::new(test, "");
        let (code, _, stderr) = stack.run(&["run", "--", wrong, "--bs=8k"]);
        assert_eq!((code, stack.calls().as_str()), (Some(2), ""), "{wrong:?}: {stderr}");
    }
}

/// Unpacked anywhere, also if a link leads there, the tool finds the guest's kernel.
#[test]
fn the_kernel_is_found_beside_the_tool() {
    let stack = Stack::new("the_kernel_is_found_beside_the_tool", "");
    for directory in ["place/bin", "place/lib/ringmark", "links"] {
        std::fs::create_dir_all(stack.0.join(directory)).unwrap();
    }
    let tool = stack.0.join("place/bin/ringmark");
    std::fs::hard_link(env!("CARGO_BIN_EXE_ringmark-dom0"), &tool).unwrap();
    std::os::unix::fs::symlink("../place/bin/ringmark", stack.0.join("links/ringmark")).unwrap();
    let kernel = |path: &str| {
        let mut command = Command::new(stack.0.join(path));
        let disk = format!("--disk={}", stack.path("disk"));
        let words = ["run", "--dry-run", &disk, "--", "rw=read"];
        let said = command.args(words).current_dir(&stack.0).output().unwrap();
        let text = String::from_utf8(said.stdout).unwrap() + &String::from_utf8_lossy(&said.stderr);
        let line = text.lines().find(|line| line.starts_with("kernel")).expect("a configuration");
        (said.status.code(), line.split('"').nth(1).unwrap().to_owned())
    };
    let usual = "/usr/local/lib/ringmark/ringmark".to_owned();
    assert_eq!(kernel("place/bin/ringmark").1, usual);
    stack.write("place/lib/ringmark/ringmark", "\x7fELF");
    let found = stack.0.canonicalize().unwrap().join("place/lib/ringmark/ringmark");
    let found = (Some(0), found.display().to_string());
    assert_eq!((kernel("place/bin/ringmark"), kernel("links/ringmark")), (found.clone(), found));
}
