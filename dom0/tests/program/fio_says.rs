//! fio itself (Debian's package `fio`) on what is made of job files and command lines.

use std::process::Command;

use crate::stack::Stack;

/// Job files that both take: their text, and the variables that they use.
const FILES: &[(&str, &[(&str, &str)])] = &[
    ("[a]\nbs=${BS}\n", &[("BS", "8k")]),
    ("[global]\n${OPTION}\n[a]\nrw=${KIND}write\n", &[("OPTION", "bs=16k"), ("KIND", "rand")]),
    ("[a]\nnumjobs=$ncpus\niodepth=($ncpus + 1)*3\n", &[]),
    ("[a]\nsize=$mb_memory*1024*1024/2\nbs=$pagesize\n", &[]),
    ("[a]\nbs=$pagesize,$pagesize\n", &[]),
    ("[a]\niodepth=${CPUS}+1\n", &[("CPUS", "$ncpus")]),
    ("[a]\niodepth = $ncpus*2 ; $ncpus ${NO}\n# include no\n", &[]),
    ("[a]\ninclude part.inc\nbs=8k\n", &[]),
    ("[global]\ninclude sub/outer.inc\n[a]\n[b]\ninclude part.inc\n", &[("DEPTH", "4")]),
    ("[globals]\nbs=8k\n[global_x]\nrw=randread\n[a]\n[b]\niodepth=2\n", &[]),
];

/// Job files that both refuse.
const REFUSED: &[&str] = &[
    "[a]\nbs=${NO_SUCH_VARIABLE}\n",
    "[a]\n${NO_SUCH_VARIABLE}\n",
    "[a]\nsize=$mb_memory*2m\n",
    "[a]\nbs=$pagesize,$pagesize*2\n",
    "[a]\niodepth=$ncpus/0\n",
    "[a]\niodepth=($ncpus+1\n",
    "[a]\nfilename=/dev/xvda$ncpus/b\n",
    "[a]\ninclude missing.inc\n",
    "[a]\ninclude loop.inc\n",
    "[a]\ninclude section.inc\n",
    "include part.inc\n[a]\n",
];

/// Command lines that both take.
const LINES: &[&str] = &[
    "-name=a -rw=randread -bs=8k",
    "--name a --rw randread -bs 8k --iodepth 4",
    "--bs=8k --name=a --rw=read --name=b --iodepth=2",
    "--name=global --bs=8k --name=a --name=globals --iodepth=3 --name=b",
    "--name=a --time_based --runtime 5 --group_reporting --direct 1",
    "--name=a --thread --invalidate 1 --numjobs 2 --output-format=json+ --eta=never",
    "--max-jobs=5 --name=a --rw=write --filename=/dev/xvda --minimal --status-interval 1",
    "--name=a --runtime=5 --readonly --warnings-fatal",
    "g.fio --section=b",
    "--section=b --section c g.fio",
    "g.fio --bs=2k",
];

/// Command lines that both refuse.
const LINES_REFUSED: &[&str] = &[
    "--readonly --name=a --rw=write",
    "--name=a --rw",
    "--name=a --iodpeth 4",
    "--name=a --group_reporting 1",
    "--name=a --output-format=xml",
    "--name=a --eta-newline=0",
    "--name=a --terse-version=9",
    "--latency-log=x --name=a",
    "missing.fio",
    "g.fio --section=global",
];

fn files(test: &str) -> Stack {
    let stack = Stack::new(test, "");
    std::fs::create_dir_all(stack.0.join("sub")).unwrap();
    for (name, text) in [
        ("part.inc", "; part\n\nrw=randread\n"),
        ("sub/outer.inc", "iodepth=${DEPTH}\ninclude inner.inc\n"),
        ("sub/inner.inc", "number_ios=9\n"),
        ("loop.inc", "include loop.inc\n"),
        ("section.inc", "[b]\n"),
        ("g.fio", "[global]\nbs=8k\n[a]\nrw=randread\n[b]\niodepth=2\n[c]\niodepth=3\n"),
    ] {
        stack.write(name, text);
    }
    stack
}

/// Runs fio; returns whether it takes it, and what it prints.
fn fio(stack: &Stack, words: &[&str], variables: &[(&str, &str)]) -> (bool, String) {
    let mut fio = Command::new("fio");
    fio.args(words).current_dir(&stack.0).envs(variables.iter().copied());
    let output =
        fio.output().unwrap_or_else(|e| panic!("cannot run fio: {e}; apt-get install fio"));
    // It says so, and ends well, if a file that is included is wrong.
    let told = String::from_utf8(output.stderr).unwrap();
    let is_wrong = told.contains("rror") || told.contains("No new sections");
    (output.status.success() && !is_wrong, String::from_utf8(output.stdout).unwrap())
}

/// Runs `check` for a guest that is like this host.
fn check(stack: &Stack, words: &[&str], variables: &[(&str, &str)]) -> (bool, String, String) {
    let number = |name: &str| {
        let output = Command::new("getconf").arg(name).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().parse::<u64>().unwrap()
    };
    let mib = number("_PHYS_PAGES") * number("PAGE_SIZE") / 1024 / 1024;
    let memory = format!("--memory={mib}");
    let vcpus = format!("--vcpus={}", number("_NPROCESSORS_CONF"));
    let mut tool = stack.tool(&[&["check", &memory, &vcpus], words].concat());
    let (code, stdout, stderr) = stack.end(tool.envs(variables.iter().copied()).spawn().unwrap());
    (code == Some(0), stdout, stderr)
}

/// Returns the jobs of a line that `--showcmd` printed, without what `check` adds to it.
fn jobs(line: &str) -> Vec<fio_job::Job> {
    let line = line.trim().trim_start_matches("fio ").replace("--ioengine=libaio ", "");
    fio_job::parse(&line).unwrap_or_else(|error| panic!("{line}: {error}"))
}

#[test]
fn files_are_what_fio_makes_of_them() {
    let stack = files("files_are_what_fio_makes_of_them");
    for (text, variables) in FILES {
        let text = text.replace("[a]\n", "[a]\nfilename=/dev/xvda\n");
        stack.write("x.fio", &text);
        let (takes, theirs) = fio(&stack, &["--showcmd", "x.fio"], variables);
        assert!(takes, "{text}");
        let (takes, ours, stderr) = check(&stack, &["x.fio"], variables);
        assert!(takes, "{text}{stderr}");
        assert_eq!(jobs(&ours), jobs(&theirs), "{text}");
        // What is printed fio takes as well.
        let words: Vec<&str> = ours.split_whitespace().skip(1).collect();
        assert!(fio(&stack, &[&["--parse-only"], &words[..]].concat(), &[]).0, "{ours}");
    }
}

#[test]
fn files_that_fio_refuses_are_refused() {
    let stack = files("files_that_fio_refuses_are_refused");
    for text in REFUSED {
        stack.write("x.fio", text);
        assert!(!fio(&stack, &["--parse-only", "x.fio"], &[]).0, "{text}");
        let (takes, _, stderr) = check(&stack, &["x.fio"], &[]);
        assert!(!takes && stderr.contains(": error: "), "{text}{stderr}");
    }
}

#[test]
fn command_lines_are_what_fio_makes_of_them() {
    let stack = files("command_lines_are_what_fio_makes_of_them");
    for line in LINES {
        let words: Vec<&str> = line.split(' ').collect();
        let (takes, theirs) = fio(&stack, &[&["--showcmd"], &words[..]].concat(), &[]);
        assert!(takes, "{line}");
        let (takes, ours, stderr) = check(&stack, &[&["--"], &words[..]].concat(), &[]);
        assert!(takes, "{line}: {stderr}");
        // Of a command line fio shows nothing.
        let theirs = match theirs.trim() {
            "" => normal(line),
            theirs => theirs.to_owned(),
        };
        assert_eq!(jobs(&ours), jobs(&theirs), "{line}");
    }
}

/// Returns a line of the table with each value behind a `=`, and no option of fio's own.
fn normal(line: &str) -> String {
    let line = line.replace("--name a ", "--name=a ").replace("--rw ", "--rw=");
    let line = line.replace("-bs 8k", "-bs=8k").replace("--iodepth 4", "--iodepth=4");
    let line = line.replace("--runtime 5", "--runtime=5").replace("--direct 1", "--direct=1");
    let line = line.replace("--invalidate 1", "").replace("--numjobs 2", "--numjobs=2");
    let line = line.replace("--status-interval 1", "");
    let own = ["--output", "--eta", "--max", "--minimal", "--readonly", "--warnings"];
    let words = line.split(' ').filter(|word| !own.iter().any(|own| word.starts_with(own)));
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn command_lines_that_fio_refuses_are_refused() {
    let stack = files("command_lines_that_fio_refuses_are_refused");
    for line in LINES_REFUSED {
        let words: Vec<&str> = line.split(' ').collect();
        assert!(!fio(&stack, &[&["--parse-only"], &words[..]].concat(), &[]).0, "{line}");
        let (takes, _, stderr) = check(&stack, &[&["--"], &words[..]].concat(), &[]);
        // Of a check there is no output: what is wrong with that `run` says.
        let of_output = ["--output-format", "--eta"].iter().any(|option| line.contains(option));
        let takes = match of_output {
            true => stack.run(&[&["run", "--"], &words[..]].concat()).0 != Some(2),
            false => takes,
        };
        assert!(!takes, "{line}: {stderr}");
    }
}
