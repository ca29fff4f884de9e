//! `fleet`: guests that start together, what is summed up, and who is missing.

use std::fs;
use std::time::Duration;

use results::{Extra, JobLog, Log, Report, Sample};
use serde_json::Value;

use crate::fleet_stack::FleetStack;
use crate::run::kill;
use crate::stack::{emit, report};

pub const STATUS: &str = "Jobs: 1 (f=1): [r(1)][33.3%][r=449MiB/s][r=115k IOPS][eta 00m:02s]";
const S: u64 = 1_000_000_000;

/// A result of a guest that measured from and to these seconds of Xen's time, and has a log of it.
pub fn result(iops: f64, begin_s: u64, end_s: u64) -> Report {
    let mut report = report(iops, None);
    let sample = |n: u64| Sample::from([n * 500, 4 * iops as u64, iops as u64, 5]);
    let samples = (1..=(end_s - begin_s) * 2).map(sample).collect();
    let job = &mut report.jobs[0];
    job.read.bw_bytes = iops as u64 * 4096;
    job.options = [("write_iops_log".to_owned(), "fleet".to_owned())].into_iter().collect();
    job.ringmark = Some(Extra {
        members: 1,
        grants: "persistent".to_owned(),
        begin_ns: Some(begin_s * S),
        end_ns: Some(end_s * S),
        logs: vec![JobLog { read: Log { samples, dropped: 0 }, write: Log::default() }],
        ..Extra::default()
    });
    report
}

/// A guest that does the first of these, or the second, or the third, by its number.
pub fn by_number(scripts: [&str; 3]) -> String {
    let [one, two, three] = scripts;
    format!("case $id in\n1) {one} ;;\n2) {two} ;;\n*) {three} ;;\nesac\n")
}

/// Scripts that print the results of three guests.
fn results() -> [String; 3] {
    [1000.0, 2000.0, 3000.0].map(|iops| emit(&result(iops, 10, 20)))
}

/// Guests whose runs go well.
pub fn good() -> String {
    let [one, two, three] = results();
    format!("ready 1\necho '{STATUS}'\n{}", by_number([&one, &two, &three]))
}

/// Guests that go well, but for the second.
pub fn but_second(script: &str) -> String {
    let [one, _, three] = results();
    let [one, three] = [one, three].map(|end| format!("ready 1\n{end}"));
    by_number([&one, script, &three])
}

pub const JOB: [&str; 3] = ["job.fio", "--", "--runtime=10"];

pub fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn guests_are_made_and_start_together() {
    let stack = FleetStack::new("fleet_together", &good());
    let (code, stdout, stderr) = stack.fleet(&JOB);
    assert_eq!(code, Some(0), "{stderr}");
    let expected = "\
job, read: 3 of 3 guests
guest               IOPS  bandwidth, MiB/s  mean latency, us  99 % within, us
ringmark-1          1000              3.91              0.01                -
ringmark-2          2000              7.81              0.01                -
ringmark-3          3000             11.72              0.01                -
sum                 6000             23.44              0.01                -
least               1000              3.91                 -                -
greatest            3000             11.72                 -                -
fairness 0.8571 (1: all alike, 0.3333: one has all), begun within 0.000 ms, 100.0 % of the time \
measured by all
";
    assert_eq!(stdout, expected);
    let calls = stack.calls();
    let at = |text: &str| calls.find(text).unwrap_or_else(|| panic!("no {text} in {calls}"));
    let last = |text: &str| calls.rfind(text).unwrap_or_else(|| panic!("no {text} in {calls}"));
    assert_eq!(calls.matches("xl create").count(), 3);
    assert!(last("xl create") < at("xl unpause"), "{calls}");
    assert_eq!(calls.matches("xl unpause").count(), 3);
    for n in 1..=3 {
        let domain = format!("/local/domain/{n}/ringmark");
        let prepared = format!("runtime=10\\x0a[job]\\x0arw=randread\\x0a {domain}/start 0\n");
        assert!(at(&prepared) < at(&format!("xl unpause {n}")), "{calls}");
        let disk = format!("access=w,target={}\"]", stack.path(&format!("disk{n}")));
        assert!(calls.contains(&disk), "{calls}");
    }
    // All are told by one write.
    let [one, two, three] = [1, 2, 3].map(|n| format!("/local/domain/{n}/ringmark/start 1"));
    let start = format!("\nxenstore-write -- {one} {two} {three}\n");
    assert!(last("xl unpause") < at(&start) && at(&start) < at("xl destroy"), "{calls}");
    assert_eq!(calls.matches("ringmark/start 1").count(), 3, "{calls}");
    let create = &stack.calls_of("xl create")[0];
    assert!(create.contains(" memory=16 ") && create.contains(" extra=\"barrier\" "), "{create}");
}

#[test]
fn progress_is_that_of_all() {
    let stack = FleetStack::new("fleet_progress", &good());
    let (code, _, stderr) = stack.fleet(&[&["--progress=json"], &JOB[..]].concat());
    assert_eq!(code, Some(0), "{stderr}");
    let objects: Vec<Value> = stderr.lines().map(json).collect();
    let texts: Vec<&str> = objects.iter().filter_map(|object| object["text"].as_str()).collect();
    assert!(texts.contains(&"Fleet: created 3/3, ready 0/3 for stage 1"), "{stderr}");
    assert!(texts.contains(&"Fleet: created 3/3, ready 3/3 for stage 1"), "{stderr}");
    assert!(texts.iter().any(|text| text.contains("/3 at work: [33.3%][")), "{stderr}");
    let started = |n: usize| {
        let name = format!("ringmark-{n}");
        objects.iter().any(|object| object["event"] == "started" && object["guest"] == *name)
    };
    assert!((1..=3).all(started), "{stderr}");
}

#[test]
fn json_has_an_entry_for_each_guest_and_the_sums() {
    let stack = FleetStack::new("fleet_json", &good());
    let formats = ["--output-format=json", "--output=out"];
    let (code, _, stderr) = stack.fleet(&[&formats, &JOB[..]].concat());
    assert_eq!(code, Some(0), "{stderr}");
    let text = fs::read_to_string(stack.0.join("out")).unwrap();
    let out = json(&text);
    let names: Vec<_> =
        (0..3).map(|n| (&out["jobs"][n]["jobname"], &out["jobs"][n]["groupid"])).collect();
    assert_eq!(format!("{names:?}").matches("ringmark-").count(), 3);
    for n in 0..3 {
        assert_eq!(out["jobs"][n]["jobname"], format!("ringmark-{}/job", n + 1));
        assert_eq!(out["jobs"][n]["groupid"], n + 1);
    }
    assert!(!text.contains("write_iops_log") && !text.contains("\"logs\""), "{text}");
    let fleet = &out["ringmark"]["fleet"];
    assert_eq!((&fleet["guests"], &fleet["started"]), (&3.into(), &3.into()));
    assert_eq!((&fleet["complete"], &fleet["missing"]), (&true.into(), &Value::Array(vec![])));
    let sum = &fleet["sums"][0];
    assert_eq!((&sum["jobname"], &sum["basis"]), (&"job".into(), &"whole".into()));
    let figures = [&sum["sum"], &sum["least"], &sum["greatest"]].map(|rate| rate["iops"].as_f64());
    assert_eq!(figures, [Some(6000.0), Some(1000.0), Some(3000.0)]);
    assert_eq!(sum["sum"]["bw_bytes"].as_f64(), Some(6000.0 * 4096.0));
    assert!((sum["fairness"].as_f64().unwrap() - 36.0 / 42.0).abs() < 1e-5, "{sum}");
    assert_eq!(sum["overlap_percent"].as_f64(), Some(100.0));
    assert_eq!(sum["start_spread_ns"], 0);
    assert_eq!(out["ringmark"]["ok"], true);
    assert_eq!(stack.report(&["out"]).0, Some(0));
    assert_eq!(stack.diff(&["out", "out", "--gate=1"]).0, Some(0));
}

#[test]
fn a_sum_is_of_the_time_of_all() {
    let ends = [(1000.0, 10, 16), (2000.0, 12, 18), (3000.0, 12, 18)];
    let ends = ends.map(|(iops, begin, end)| emit(&result(iops, begin, end)));
    let guest = format!("ready 1\n{}", by_number([&ends[0], &ends[1], &ends[2]]));
    let stack = FleetStack::new("fleet_overlap", &guest);
    let (code, stdout, stderr) = stack.fleet(&JOB);
    assert_eq!(code, Some(0), "{stderr}");
    let told = "begun within 2000.000 ms, 50.0 % of the time measured by all\n\
                rates are of the time that all measured, from logs\n";
    assert!(stdout.ends_with(told) && stdout.contains("\nsum                 6000 "), "{stdout}");
    // Without runtime= there are no logs, and the sum says what it is.
    let without = emit(&report(7.0, None));
    let stack = FleetStack::new("fleet_overlap", &format!("ready 1\n{without}"));
    let (code, stdout, _) = stack.fleet(&["job.fio"]);
    assert!(!stack.calls().contains("write_iops_log"), "{}", stack.calls());
    let told = "* sum: rates are of each guest's own time, and not all say when they measured\n";
    assert!(code == Some(0) && stdout.ends_with(told), "{stdout}");
}

#[test]
fn each_stage_starts_together() {
    let [end, ..] = results();
    let stack =
        FleetStack::new("fleet_stages", &format!("ready 1\necho '{STATUS}'\nready 2\n{end}"));
    stack.write("job.fio", "[job]\nrw=randread\n[second]\nstonewall\n");
    let (code, _, stderr) = stack.fleet(&["job.fio"]);
    // What these guests send is of one job.
    let why = "ringmark-1: the guest reports 1 of 2 jobs; use guest and tool of the same version";
    assert!(code == Some(1) && stderr.contains(why), "{stderr}");
    let starts = stack.calls_of("xenstore-write -- /local/domain/1/ringmark/start");
    let counts: Vec<_> = [1, 2]
        .iter()
        .map(|n| {
            starts
                .iter()
                .map(|call| call.matches(&format!("/start {n}")).count())
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(counts, [[3, 0], [0, 3]], "{starts:?}");
}

#[test]
fn others_start_without_one_that_is_not_ready() {
    let stack = FleetStack::new("fleet_not_ready", &but_second("echo connecting; sleep 1000"));
    let arguments = ["--ready-timeout=1", "--output-format=normal,json"];
    let (code, stdout, stderr) = stack.fleet(&[&arguments, &JOB[..]].concat());
    assert_eq!(code, Some(1), "{stderr}");
    let why = "ringmark-2: the guest was not ready to start stage 1 within 1 s; \
               --ready-timeout=SECONDS gives it longer; last lines of its console: | connecting";
    assert!(
        stderr.contains(&format!("error: 1 of 3 guests have no result:\n  {why}\n")),
        "{stderr}"
    );
    assert!(stdout.contains("job, read: 2 of 3 guests\n"), "{stdout}");
    assert!(stdout.contains("\nsum                4000* "), "{stdout}");
    assert!(stdout.contains("\n* sum: incomplete, of 2 of 3 guests\n"), "{stdout}");
    assert!(stdout.contains(&format!("\nno result: {why}\n")), "{stdout}");
    let out = json(&stdout[stdout.find('{').unwrap()..]);
    let fleet = &out["ringmark"]["fleet"];
    assert_eq!((&fleet["complete"], &fleet["started"]), (&false.into(), &2.into()));
    assert_eq!((&out["jobs"][1]["groupid"], &out["ringmark"]["ok"]), (&3.into(), &false.into()));
    assert_eq!(fleet["missing"][0]["guest"], "ringmark-2");
    // It is gone before the others start, and is not told to.
    let calls = stack.calls();
    let starts = stack.calls_of("xenstore-write -- /local/domain/1/ringmark/start");
    let told = "/local/domain/1/ringmark/start 1 /local/domain/3/ringmark/start 1";
    assert_eq!(starts, [format!("xenstore-write -- {told}")]);
    assert!(calls.find("xl destroy 2").unwrap() < calls.find(told).unwrap(), "{calls}");
}

/// Guests that wait for one that is not ready have their own time for that.
#[test]
fn a_wait_for_others_is_not_of_the_time_that_a_guest_has() {
    let stack = FleetStack::new("fleet_time", &but_second("echo connecting; sleep 1000"));
    let (code, stdout, stderr) = stack.fleet(&["--timeout=4", "job.fio"]);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("error: 1 of 3 guests have no result:\n"), "{stderr}");
    assert!(stderr.contains("  ringmark-2: the guest was not done after 4 s"), "{stderr}");
    assert!(stdout.contains("job, read: 2 of 3 guests\n"), "{stdout}");
}

#[test]
fn one_that_dies_is_named_with_its_reason() {
    for (state, script, why) in [
        ("----c-", "ready 1; echo oops", "the guest has crashed without a result; last lines of"),
        ("---s--", "ready 1", "the guest has ended without a result; its console is empty"),
        ("-b----", "ready 1; rm domain.2", "the guest was destroyed by another program without a"),
        ("----c-", "echo oops", "the guest has crashed without a result; last lines of"),
        (
            "-b----",
            &format!("ready 1; {}", emit(&report(1.0, Some("no xvdz")))),
            "the guest reports: no xvdz",
        ),
        ("-b----", &emit(&result(1.0, 10, 20)), "the guest did not wait for the others; use guest"),
        (
            "-b----",
            "ready 2; sleep 9",
            "the guest is out of step: it waits to start stage 2 of 1, but 1",
        ),
        ("-b----", "echo 'ringmark-result-begin 9'", "the result was damaged on the console"),
    ] {
        let stack = FleetStack::new("fleet_dies", &but_second(script));
        stack.write("state.2", state);
        let (code, stdout, stderr) = if script.contains("rm domain") {
            // Nobody removes the rest of it.
            let ended = stack.end(stack.begin(&JOB));
            fs::remove_dir_all(stack.0.join("local/domain/2")).unwrap();
            ended
        } else {
            stack.fleet(&JOB)
        };
        assert_eq!(code, Some(1), "{why}: {stderr}");
        assert!(stderr.contains(&format!("no result:\n  ringmark-2: {why}")), "{why}: {stderr}");
        assert!(stdout.contains("job, read: 2 of 3 guests\n"), "{why}: {stdout}");
        assert!(stdout.contains(&format!("\nno result: ringmark-2: {why}")), "{why}: {stdout}");
    }
}

#[test]
fn one_that_cannot_be_made_is_missing() {
    let stack = FleetStack::new("fleet_refused", &good());
    stack.write("refuse.2", "libxl: error: not enough memory");
    let (code, stdout, stderr) = stack.fleet(&JOB);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stdout.contains("\nno result: ringmark-2: xl create failed"), "{stdout}");
    assert!(stdout.contains("\nsum                4000* "), "{stdout}");
    // Nobody has a result: nothing is printed.
    (1..=3).for_each(|n| stack.write(&format!("refuse.{n}"), "libxl: error: not enough memory"));
    let (code, stdout, stderr) = stack.fleet(&JOB);
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    assert!(stderr.contains("error: 3 of 3 guests have no result:\n  ringmark-1: xl"), "{stderr}");
    let stack = FleetStack::new("fleet_refused", "sleep 1000");
    let (code, _, stderr) = stack.fleet(&["--timeout=1", "job.fio"]);
    assert_eq!(code, Some(4), "{stderr}");
}

#[test]
fn what_cannot_work_is_refused_before_there_is_a_guest() {
    let stack = FleetStack::new("fleet_wrong", "");
    stack.write("write.fio", "[job]\nrw=randwrite\nfilename=xvdb\n");
    let shared = format!("--disk=phy:{},xvdb", stack.path("disk"));
    let shared = [format!("{shared},w"), format!("{shared},r")];
    let [writable, read_only] = shared.each_ref().map(String::as_str);
    for (arguments, told) in [
        (&["job.fio", writable][..], "would be a disk of ringmark-1 and of ringmark-2; write {n}"),
        (&["write.fio", read_only], "job job writes /dev/xvdb, which its --disk makes read-only"),
        (&["job.fio", "--guests=4"], "cannot be used multiple times"),
        (&["job.fio", "--keep", "--runs=2"], "in the way of the next; leave out --runs"),
        (&["job.fio", "--memory=0"], "0 is not in 1.."),
        (&["job.fio", "--ready-timeout=0"], "0 is not in 1.."),
        (&["job.fio", "--", "--write_iops_log=x", "--log_avg_msec=500"], "fleet keeps no logs"),
        (&["job.fio", "--set=extra='hold'"], "would replace the command line \"barrier\""),
        (&["job.fio", "--name=a/b"], "has a slash"),
        (&["job.fio", "--output=disk2"], "would replace the input"),
        (&["job.fio", "--timeout=5", "--", "--runtime=9", "--time_based"], "would end the guest"),
        (&[], "nothing to do"),
    ] {
        let (code, stdout, stderr) = stack.fleet(arguments);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains(told), "{arguments:?}: {stderr}");
    }
    let (code, stdout, stderr) = stack.fleet(&["--dry-run", read_only, "job.fio"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(
        stdout.contains("name = \"ringmark-1\"") && stdout.contains("\n# ringmark-2\n"),
        "{stdout}"
    );
    let (code, _, stderr) = stack.end(stack.spawn(&["fleet", "--disk=phy:disk", "--", "rw=read"]));
    assert_eq!(code, Some(2));
    assert!(stderr.contains("how many guests? name their number"), "{stderr}");
    assert_eq!(stack.calls(), "");
}

#[test]
fn help_says_what_stands_for_a_number() {
    let stack = FleetStack::new("fleet_help", "");
    for words in [&["fleet", "--help"][..], &["man", "fleet"], &["completion", "fish"]] {
        let (code, stdout, _) = stack.end(stack.spawn(words));
        assert_eq!(code, Some(0));
        assert!(
            stdout.contains("lv{n}, where {n} is the guest") && !stdout.contains('\x1b'),
            "{stdout}"
        );
    }
    let (_, help, _) = stack.end(stack.spawn(&["fleet", "--help"]));
    assert!(help.contains("(fleet: 16)"), "{help}");
}

#[test]
fn each_guest_has_memory_for_its_job() {
    let stack = FleetStack::new("fleet_memory", "");
    let told = |job: &[&str]| {
        let (code, stdout, stderr) = stack.fleet(&[&["--dry-run"], job].concat());
        assert_eq!(code, Some(0), "{stderr}");
        let lines = stdout.lines().filter_map(|line| line.strip_prefix("memory = "));
        lines.map(|mib| mib.parse().unwrap()).collect::<Vec<u32>>()
    };
    assert_eq!(told(&JOB), [16, 16, 16]);
    let more = told(&[&JOB[..], &["--bs=4m", "--iodepth=8"]].concat());
    assert!(more.len() == 3 && more.iter().all(|&mib| mib > 16), "{more:?}");
}

#[test]
fn runs_are_repeated_and_their_sums_spread() {
    let stack = FleetStack::new("fleet_runs", &good());
    let (code, stdout, stderr) = stack.fleet(&[&["--runs=2"], &JOB[..]].concat());
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(stdout.matches("job, read: 3 of 3 guests\n").count(), 2, "{stdout}");
    let told = "sums of 2 runs: mean (least .. greatest), deviation\n\
                job, read, IOPS: 6000 (6000 .. 6000), 0\n";
    assert!(stdout.contains(told), "{stdout}");
    let formats = ["--runs=2", "--output-format=json"];
    let (code, stdout, _) = stack.fleet(&[&formats, &JOB[..]].concat());
    let out = json(&stdout);
    assert_eq!((code, out["runs"].as_array().map(Vec::len)), (Some(0), Some(2)));
    assert_eq!(out["runs"][1]["result"]["ringmark"]["fleet"]["started"], 3);
    stack.write("runs.json", &stdout);
    assert_eq!(stack.report(&["runs.json"]).0, Some(0));
    let (_, terse, _) = stack.fleet(&[&["--output-format=terse"], &JOB[..]].concat());
    assert_eq!(terse.lines().filter(|line| line.contains(";ringmark-")).count(), 3, "{terse}");
}

/// Guests that report early when they are asked to, which they are told by a file.
pub fn endless() -> String {
    let stopped = emit(&{
        let mut stopped = result(500.0, 10, 12);
        let run = stopped.ringmark.as_mut().unwrap();
        (run.ok, run.error) = (false, Some("stopped before the end, as asked".to_owned()));
        stopped
    });
    format!("ready 1; echo '{STATUS}'; while [ ! -e asked ]; do sleep 0.1; done\n{stopped}")
}

#[test]
fn the_first_signal_ends_all_early_with_their_figures() {
    for signal in ["INT", "TERM"] {
        let stack = FleetStack::new("fleet_early", &endless());
        let child = stack.begin(&JOB);
        stack.wait_for_call("/local/domain/3/ringmark/start 1");
        std::thread::sleep(Duration::from_millis(300));
        kill(signal, child.id());
        std::thread::sleep(Duration::from_millis(300));
        stack.write("asked", "");
        let (code, stdout, stderr) = stack.finish(child);
        assert_eq!(code, Some(3), "{stderr}");
        assert_eq!(stderr.matches("ending early").count(), 1, "{stderr}");
        assert!(stderr.ends_with("interrupted, with 3 of 3 results\n"), "{stderr}");
        assert!(stdout.contains("\nsum                 1500 "), "{stdout}");
    }
}

#[test]
fn the_second_signal_ends_all_at_once() {
    let stack = FleetStack::new("fleet_at_once", &endless());
    let child = stack.begin(&JOB);
    stack.wait_for_call("/local/domain/3/ringmark/start 1");
    for signal in ["TERM", "INT"] {
        std::thread::sleep(Duration::from_millis(300));
        kill(signal, child.id());
    }
    let (code, stdout, stderr) = stack.finish(child);
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    assert!(stderr.contains("\n  ringmark-1: interrupted\n"), "{stderr}");
}

/// Points of a run: where guests are found, made, known, handed their job, looked at, let go,
/// started and ended.
const POINTS: [&str; 11] = [
    "xl domid ringmark-2",
    "xl info",
    "name=\"ringmark-2\"",
    "xl vm-list",
    "/local/domain/3/ringmark/start 0",
    "xenstore-read /local/domain/2/console/tty",
    "xl unpause 1",
    "xl unpause 3",
    "/local/domain/3/ringmark/start 1",
    "xl destroy 1",
    "xl destroy 3",
];

/// Trouble of each kind at each point leaves nothing behind, whatever comes of it.
#[test]
fn nothing_is_left_whatever_happens_when() {
    let kinds =
        ["hang", "fail", "die", "INT", "TERM", "twice", "late-hang", "late-fail", "late-die"];
    let cases: Vec<(&str, &str)> =
        POINTS.iter().flat_map(|at| kinds.map(|kind| (*at, kind))).collect();
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while let Some(&(at, kind)) =
                    cases.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
                {
                    strike(at, kind);
                }
            });
        }
    });
}

fn strike(at: &str, kind: &str) {
    let number = POINTS.iter().position(|point| *point == at).unwrap();
    // After a signal guests that wait are asked to report, and end.
    let is_signal = ["INT", "TERM", "twice"].contains(&kind);
    let asked = if is_signal { "[ ! -e struck ] || touch asked" } else { "" };
    let stack =
        FleetStack::new(&format!("fleet_strike-{number}-{kind}"), &format!("{asked}\n{}", good()));
    stack.trouble(at, kind);
    let limits = ["--xl-timeout=1", "--timeout=20", "--ready-timeout=15"];
    let (code, stdout, stderr) = stack.fleet(&[&limits, &JOB[..]].concat());
    let what = format!("{at} {kind}: {stderr}\n{stdout}\n{}", stack.calls());
    assert!(stack.0.join("struck").exists(), "{what}");
    assert!(code.is_some_and(|code| [0, 1, 3].contains(&code)), "{code:?}: {what}");
    assert_eq!(code == Some(0), !stderr.contains("error: "), "{what}");
    if !is_signal && !at.ends_with("start 1") {
        assert!(stdout.contains("sum "), "figures are lost: {what}");
    }
    let _ = fs::remove_dir_all(&stack.0);
}
