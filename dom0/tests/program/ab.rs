//! `ab`: whose turn it is, what each is given, what is shown of them, what is left.

use std::fs;

use results::Report;
use serde_json::Value;

use crate::stack::{Stack, emit, report};

/// Two guests in one, whose job is that of B if it has the word. Each is slower by one than the one
/// before of its kind.
fn guest(word: &str, [a, b]: [f64; 2]) -> String {
    let of = |iops: f64| {
        let runs = (0..12_u32).map(|run| {
            let told = emit(&result(iops - f64::from(run)));
            format!("{run})\n{told};;\n")
        });
        runs.collect::<String>()
    };
    format!(
        "cd \"$(dirname \"$0\")\"\n\
         next() {{ number=$(cat \"$1\" 2>/dev/null || echo 0); echo $((number + 1)) >\"$1\"; }}\n\
         case $(cat domain; grep ^xenstore-write calls | tail -n 1) in\n\
         *{word}*) next of-b\ncase $number in\n{}esac ;;\n\
         *) next of-a\ncase $number in\n{}esac ;;\nesac\n",
        of(b),
        of(a)
    )
}

fn result(iops: f64) -> Report {
    let mut report = report(iops, None);
    report.jobs[0].options = [("iodepth".to_owned(), "8".to_owned())].into_iter().collect();
    report.jobs[0].read.bw_bytes = (iops * 4096.0) as u64;
    report.jobs[0].read.lat_ns.mean = 8e9 / iops;
    report
}

const AB: [&str; 5] = ["ab", "job.fio", "--a=bs=4k", "--b=bs=8k iodepth=4", "--save=all.json"];

/// The variants of the runs in the file.
fn variants(stack: &Stack) -> String {
    let text = fs::read_to_string(stack.0.join("all.json")).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    let runs = file["runs"].as_array().unwrap().iter();
    runs.map(|run| run["variant"].as_str().unwrap()).collect()
}

/// The jobs that the guests were given.
fn jobs(stack: &Stack) -> Vec<String> {
    let calls = stack.calls();
    let jobs = calls.lines().filter(|call| call.starts_with("xenstore-write"));
    jobs.map(|call| call.split_once("[global]").unwrap().1.to_owned()).collect()
}

#[test]
fn variants_alternate_and_the_slower_is_told() {
    let stack = Stack::new("ab_alternate", &guest("bs=8k", [1050.0, 1000.0]));
    let (code, stdout, stderr) = stack.run(&AB);
    assert_eq!(code, Some(0), "{stderr}");
    let heads = "A: job.fio, bs=4k\nB: job.fio, bs=8k, iodepth=4\nmedian (least .. greatest) ";
    assert!(stdout.starts_with(heads), "{stdout}");
    let iops = stdout.lines().find(|line| line.starts_with("  IOPS")).unwrap();
    let expected = "IOPS 1048 (1045 .. 1050) 997.5 (995.0 .. 1000.0) 1.050 (1.050 .. 1.050)";
    assert_eq!(iops.split_whitespace().collect::<Vec<_>>().join(" "), expected);
    assert!(stdout.contains("\n    A is faster than B by 5.0 % .. 5.0 %\n"), "{stdout}");
    assert!(stdout.contains("\n    A is lower than B by 4.8 % .. 4.8 %\n"), "{stdout}");
    assert_eq!(variants(&stack), "abbaabbaabba");
    let jobs = jobs(&stack);
    let is_b: Vec<bool> = jobs.iter().map(|job| job.contains("bs=8k\\x0aiodepth=4")).collect();
    assert_eq!(is_b, [[false, true, true, false]; 3].concat());
    assert!(stderr.contains("ringmark: A, run 1 of 6: job read 1050 IOPS\n"), "{stderr}");
    assert!(!stack.has_domain());
    // What was saved is read again, and the variants are no repeats of one another.
    let (code, stdout, stderr) = stack.diff(&["all.json", "all.json", "--fail-if-slower=1%"]);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    assert!(stdout.contains("fail-if-slower: 2 figures judged, none is slower"), "{stdout}");
    let (code, _, stderr) = stack.report(&["all.json"]);
    assert_eq!(code, Some(0), "{stderr}");
    let page = fs::read_to_string(stack.0.join("page.html")).unwrap();
    for (variant, iops) in [("A", "1048"), ("B", "997.5")] {
        assert!(page.contains(&format!("variant={variant}")) && page.contains(iops), "{variant}");
    }
}

#[test]
fn files_kernels_and_settings_are_variants() {
    let stack = Stack::new("ab_files", &guest("kernel=\"vmlinux\"", [1000.0, 1000.0]));
    stack.write("b.fio", "[job]\nrw=randread\nbs=64k\n");
    let more = ["--b-kernel=vmlinux", "--b=vcpus=2 --memory=96", "--pairs=2", "--save=all.json"];
    let (code, stdout, stderr) = stack.run(&[&["ab", "job.fio", "b.fio"], &more[..]].concat());
    assert_eq!(code, Some(0), "{stderr}");
    let heads = "A: job.fio\nB: b.fio, kernel vmlinux, vcpus=2, --memory=96\n";
    assert!(stdout.starts_with(heads), "{stdout}");
    assert!(stdout.contains("\n    no difference shown (between -1.3 % and 1.3 %)"), "{stdout}");
    let calls = stack.calls();
    let created = calls.lines().filter(|call| call.starts_with("xl create"));
    let of_b =
        |call: &str| call.contains("kernel=\"vmlinux\"") && call.contains("memory=96 vcpus=2");
    let is_b: Vec<bool> = created.map(of_b).collect();
    assert_eq!(is_b, [false, true, true, false], "{calls}");
    assert_eq!(variants(&stack), "abba");
    assert_eq!(calls.matches("bs=64k").count(), 2);
}

#[test]
fn nothing_that_differs_is_a_test_of_the_host() {
    let stack = Stack::new("ab_same", &guest("no-such-word", [1000.0, 0.0]));
    let (code, stdout, stderr) = stack.run(&["ab", "job.fio", "--pairs=2"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.starts_with("A: job.fio\nB: job.fio\n"), "{stdout}");
    assert!(stdout.contains("\n    no difference shown (between "), "{stdout}");
}

#[test]
fn what_cannot_be_compared_is_refused_before_the_first_guest() {
    let stack = Stack::new("ab_refused", "");
    stack.write("other.fio", "[other]\nrw=randread\n");
    stack.write("more.fio", "[job]\nrw=randread\n[more]\nrw=randread\n");
    stack.write("write.fio", "[job]\nrw=write\nfilename=xvda\n");
    for (more, told) in [
        (&["other.fio"][..], "job 1 is job in A and other in B; give both the same jobs"),
        (&["more.fio"], "job 2 is missing in A and more in B; give both the same jobs"),
        (&["write.fio"], "job job reads in A and writes in B: nothing to compare"),
        (&["--a=iodpeth=4"], "--a: unknown option \"iodpeth\"; did you mean iodepth?"),
        (&["--b=vcpus=0"], "--b: 0 is not in 1..=128"),
        (&["--b=vcpus=1,2"], "--b: vcpus=1,2 has one value"),
        (&["--a=bs=4k", "--b=bs=4096"], "are the same job in the same guest"),
        (&["--a=bs=4k"], "are the same job in the same guest"),
        (&["--a=write_iops_log=x log_avg_msec=500"], "ab keeps no logs"),
        (&["--b-kernel=none"], "none: No such file or directory"),
        (&["--b-kernel=none"], "name the guest's kernel with --b-kernel"),
        (&["--pairs=3"], "write an even number"),
        (&["--pairs=0"], "write an even number"),
        (&["--resolve=0"], "not in 0.01 to 100 per cent"),
        (&["--limit=0"], "write a time"),
        (&["--by=iops"], "--resolve"),
        (&["--save=disk"], "would replace the input"),
        (&["--limit=30s", "--", "runtime=9", "time_based"], "--limit: the first 2 pairs take 36 s"),
    ] {
        let (code, stdout, stderr) = stack.run(&[&["ab", "job.fio"], more].concat());
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{more:?}: {stderr}");
        assert!(stderr.contains(told), "{more:?}: {stderr}");
    }
    assert_eq!(stack.calls(), "");
}

#[test]
fn as_many_pairs_as_the_spread_needs() {
    let resolve = |name: &str, more: &[&str]| {
        let stack = Stack::new(name, &guest("bs=8k", [1050.0, 1000.0]));
        let (code, stdout, stderr) = stack.run(&[&AB[..], more].concat());
        assert_eq!(code, Some(0), "{stderr}");
        let last = stdout.lines().last().unwrap().to_owned();
        (variants(&stack).len() / 2, last, stderr)
    };
    let (pairs, last, stderr) = resolve("ab_resolve", &["--resolve=2%"]);
    assert_eq!((pairs, last.as_str()), (6, "--resolve: 6 pairs show a difference of 2 %"));
    assert!(stderr.contains("A, run 1 of 6 or more: job read"), "{stderr}");
    let (pairs, last, _) = resolve("ab_most", &["--resolve=0.01", "--pairs=2", "--by=iops,clat"]);
    let expected = "--resolve: ended after 2 pairs, the most; about 4 are needed to show a difference \
                    of 0.01 %";
    assert_eq!((pairs, last.as_str()), (2, expected));
    let (pairs, last, _) = resolve("ab_limit", &["--resolve=2", "--limit=1ms"]);
    let expected =
        "--limit: ended after 2 of about 6 pairs that are needed to show a difference of 2 %";
    assert_eq!((pairs, last.as_str()), (2, expected));
    let (pairs, last, _) = resolve("ab_late", &["--limit=1ms"]);
    assert_eq!((pairs, last.as_str()), (2, "--limit: ended after 2 of 6 pairs"));
}

#[test]
fn a_figure_that_is_not_there_cannot_be_resolved() {
    let stack = Stack::new("ab_no_figure", &guest("bs=8k", [1050.0, 1000.0]));
    let (code, stdout, stderr) = stack.run(&[&AB[..], &["--resolve=2", "--by=p99"]].concat());
    assert_eq!(code, Some(1), "{stderr}");
    let told = "--by: the results of job, read, do not tell 99 % within, us";
    assert!(stderr.contains(told), "{stderr}");
    assert!(stdout.ends_with("\nincomplete: 4 of 12 runs\n"), "{stdout}");
}

#[test]
fn doubts_are_told_of_the_variant_that_has_them() {
    let mut doubted = result(1000.0);
    let extra = results::Extra {
        members: 1,
        backend_pages_kept: Some(1006),
        pages_used: Some(2112),
        ..results::Extra::default()
    };
    doubted.jobs[0].ringmark = Some(extra);
    let guest = format!(
        "cd \"$(dirname \"$0\")\"\ncase $(grep ^xenstore-write calls | tail -n 1) in\n\
         *bs=8k*) {} ;;\n*) {} ;;\nesac\n",
        emit(&doubted),
        emit(&result(1000.0))
    );
    let stack = Stack::new("ab_doubts", &guest);
    let (code, stdout, stderr) = stack.run(&[&AB[..], &["--pairs=2"]].concat());
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("\njob, read *\n"), "{stdout}");
    assert!(stdout.contains(" would have been seen *\n"), "{stdout}");
    assert!(stdout.contains("\n* job, read, B: the backend keeps 1006 of 2112 pages"), "{stdout}");
}

/// A run in the middle fails, or is interrupted: those before it are shown and saved.
#[test]
fn no_run_is_lost() {
    let good = guest("bs=8k", [1050.0, 1000.0]);
    let bad = emit(&report(1.0, Some("no memory")));
    let sixth = format!("[ $(grep -c unpause calls) != 6 ] || {{ {bad} exit; }}\n");
    let (place, rest) = good.split_once('\n').unwrap();
    let stack = Stack::new("ab_fails", &format!("{place}\n{sixth}{rest}"));
    let (code, stdout, stderr) = stack.run(&AB);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.ends_with("error: B, run 3 of 6: the guest reports: no memory\n"), "{stderr}");
    assert!(stdout.ends_with("\nincomplete: 5 of 12 runs\n"), "{stdout}");
    assert!(stdout.contains("\n    A is faster than B by 5.0 % .. 5.0 %\n"), "two pairs: {stdout}");
    assert_eq!(variants(&stack), "abbaa");
    let calls = stack.calls().lines().count();
    let each = calls / 6;
    for (number, kind) in [(2, "INT"), (each + 3, "TERM"), (3 * each - 2, "twice"), (calls, "INT")]
    {
        let stack = Stack::new("ab_interrupted", &good);
        stack.write("trouble", &format!("{number} {kind}\n"));
        let (code, stdout, stderr) = stack.run(&[&AB[..], &["--pairs=2"]].concat());
        let told = format!("{number} {kind}: {stderr}\n{stdout}");
        assert!(!stack.has_domain(), "{told}");
        if number == calls {
            // More than four runs make.
            assert_eq!((code, variants(&stack).as_str()), (Some(0), "abba"), "{told}");
            continue;
        }
        // How many calls a run makes depends on its time.
        let done = stdout.matches("incomplete: ").count();
        assert_eq!(code, Some(if done == 0 { 1 } else { 3 }), "{told}");
        if done != 0 {
            let kept = variants(&stack);
            assert!("abba".starts_with(&kept) && kept.len() >= (number - 1) / each - 1, "{told}");
            let end = format!("incomplete: {} of 4 runs\n", kept.len());
            assert!(stdout.ends_with(&end), "{told}");
        }
    }
}
