//! `curve`: which guests it makes, what it prints, keeps and draws, and what is left of one that is
//! ended.

use std::fs;

use results::{Delays, Extra, JobReport, Latency, OpenLoop, OpenSide, Report};

use crate::report::check_classes;
use crate::run::kill;
use crate::stack::{Stack, emit, report};

const LEVELS: [f64; 10] = [10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 95.0];

const CURVE: [&str; 4] = ["curve", "job.fio", "--save=curve.json", "--plot=curve.html"];

/// A level of a disk that is an M/M/1 queue of 1,000 I/Os a second, or collapses at 75 %.
fn level(index: usize, percent: f64, collapses: bool) -> JobReport {
    let rho = percent / 100.0;
    let is_above = collapses && rho > 0.75;
    let done = if is_above { 750.0 } else { rho * 1000.0 };
    let mut job = report(done, None).jobs.remove(0);
    let quantile = |share: f64| (-(1.0 - share).ln() / (1.0 - rho) * 1e6) as u64;
    let shares = [("50.000000", 0.5), ("99.000000", 0.99), ("99.900000", 0.999)];
    let flat = |share: f64| (share * 1e5) as u64;
    let ns = |share| if collapses && !is_above { flat(share) } else { quantile(share) };
    let percentile = shares.map(|(of, share)| (of.to_owned(), ns(share)));
    let percentile = percentile.into_iter().collect();
    let lat_ns = Latency { count: 9, max: ns(0.99999), percentile, ..Latency::default() };
    let backlog = if is_above { 1500 } else { 0 };
    let held = Delays { count: backlog, ..Delays::default() };
    let side = OpenSide { due: 9999, backlog, held, lat_ns, ..OpenSide::default() };
    let open_loop = Some(OpenLoop { read: Some(side), ..OpenLoop::default() });
    job.ringmark = Some(Extra { members: 1, open_loop, ..Extra::default() });
    (job.jobname, job.groupid) = (format!("job@{percent}%"), index as u64);
    (job.job_runtime, job.read.runtime, job.read.total_ios) = (10_000, 10_000, done as u64 * 10);
    job
}

fn levels(collapses: bool) -> Report {
    let jobs = LEVELS.iter().enumerate().map(|(n, percent)| level(n, *percent, collapses));
    Report { jobs: jobs.collect(), ..report(1.0, None) }
}

/// A guest that tells saturation, or these levels.
fn guest(levels: &Report) -> String {
    let (closed, open) = (emit(&report(1000.0, None)), emit(levels));
    format!(
        "case $(grep ^xenstore-write calls | tail -n 1) in\n\
         *rate_iops=*)\n{open};;\n\
         *)\n{closed};;\n\
         esac\n"
    )
}

#[test]
fn a_curve_has_its_levels_and_its_knee() {
    let stack = Stack::new("curve_levels", &guest(&levels(false)));
    let (code, stdout, stderr) = stack.run(&CURVE);
    assert_eq!(code, Some(0), "{stderr}");
    let lines: Vec<&str> = stdout.lines().collect();
    assert!(lines[0].starts_with("job, read: 1000 IOPS at saturation (closed loop, iodepth 1)"));
    let row: Vec<&str> = lines[3].split_whitespace().collect();
    assert_eq!(
        row,
        ["10", "%", "100", "100", "770.2", "5116.9", "7675.3", "12792.1", "0", "0"],
        "{stdout}"
    );
    let knee = "knee: 55 %, from where on 99 % take more than twice their least (5116.9 us)";
    assert_eq!((lines.len(), lines[13]), (14, knee), "{stdout}");
    for said in [
        "ringmark: the job has no runtime=; each level takes 10 s\n",
        "ringmark: run 1 of 2: saturation, 2 min left\n",
        "ringmark: saturation: job read 1000 IOPS\n",
        "ringmark: run 2 of 2: 10, 20, 30, 40, 50, 60, 70, 80, 90, 95 % of saturation, ",
    ] {
        assert!(stderr.contains(said), "{said}: {stderr}");
    }
    let calls = stack.calls();
    assert_eq!((calls.matches("xl create").count(), stack.has_domain()), (2, false));
    let job = "[job@95%]\\x0arw=randread\\x0abs=4k\\x0aiodepth=256\\x0aruntime=10\\x0a";
    for text in [job, "rate_iops=950\\x0arate_process=poisson\\x0alatency_from=due\\x0a"] {
        assert!(calls.contains(text), "{text}: {calls}");
    }
    let page = fs::read_to_string(stack.0.join("curve.html")).unwrap();
    assert!(page.contains(">knee 55%<") && page.contains(">99.9%<"), "{page}");
    check_classes(&page);
    let (code, _, stderr) = stack.report(&["curve.json"]);
    assert_eq!(code, Some(0), "{stderr}");
    let page = fs::read_to_string(stack.0.join("page.html")).unwrap();
    assert!(page.contains("<h2>Latency by load, job, read</h2>") && page.contains(">knee 55%<"));
    assert!(page.contains("job@95%, read"), "{page}");
    assert_eq!(stack.diff(&["curve.json", "curve.json", "--gate=1"]).0, Some(0));
}

#[test]
fn a_disk_that_collapses_is_above_saturation() {
    let stack = Stack::new("curve_collapse", &guest(&levels(true)));
    let (code, stdout, stderr) = stack.run(&[&CURVE[..3], &["--plot=curve.svg"]].concat());
    assert_eq!(code, Some(0), "{stderr}");
    let above: Vec<&str> =
        stdout.lines().filter(|line| line.ends_with("  above saturation")).collect();
    assert_eq!(above.len(), 3, "{stdout}");
    assert!(above[0].starts_with("  80 %       800       750"), "{stdout}");
    assert!(
        stdout.contains("\nknee: 70 %, the last load that the disk kept up with; "),
        "{stdout}"
    );
    let image = fs::read_to_string(stack.0.join("curve.svg")).unwrap();
    assert!(image.starts_with("<svg xmlns=") && image.contains("class=\"beyond\""), "{image}");
    // It is replaced, as is any that this tool made.
    let (code, ..) = stack.run(&[&CURVE[..2], &["--plot=curve.svg"]].concat());
    assert_eq!(code, Some(0));
}

#[test]
fn levels_that_no_guest_has_time_for_have_guests_of_their_own() {
    let one = Report { jobs: vec![level(0, 50.0, false)], ..report(1.0, None) };
    let other = Report { jobs: vec![level(0, 90.0, false)], ..report(1.0, None) };
    let (closed, one, other) = (emit(&report(1000.0, None)), emit(&one), emit(&other));
    let script = format!(
        "case $(grep ^xenstore-write calls | tail -n 1) in\n\
         *rate_iops=500*)\n{one};;\n*rate_iops=900*)\n{other};;\n*)\n{closed};;\nesac\n"
    );
    let stack = Stack::new("curve_guests", &script);
    let arguments = ["curve", "job.fio", "--levels=50,90", "--timeout=15"];
    let (code, stdout, stderr) = stack.run(&arguments);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("run 3 of 3: 90 % of saturation"), "{stderr}");
    assert!(stdout.contains("\nknee: 67 %"), "{stdout}");
    assert_eq!(stack.calls().matches("xl create").count(), 3);
}

#[test]
fn what_is_measured_until_an_interrupt_is_kept() {
    let mut early = levels(false);
    early.jobs.truncate(4);
    early.jobs[3].job_runtime = 4000;
    early.ringmark =
        Some(results::Run { error: Some("ended early".into()), ..results::Run::default() });
    // It reports when it is asked to, by a line that is typed.
    let script = guest(&early).replace(
        "*rate_iops=*)\n",
        "*rate_iops=*)\nprintf 'ringmark: status\\n'; touch waits; while [ ! -e go ]; do sleep 0.1; done\n",
    );
    let stack = Stack::new("curve_interrupt", &script);
    let child = stack.start(&CURVE);
    stack.wait_for_calls("xl unpause", 2);
    while !stack.0.join("waits").exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    kill("INT", child.id());
    stack.write("go", "");
    let (code, stdout, stderr) = stack.end(child);
    assert_eq!(code, Some(3), "{stderr}");
    assert!(stderr.ends_with("error: the guest reports: ended early\n"), "{stderr}");
    assert!(stdout.ends_with("\nincomplete: 3 of 10 levels\n"), "{stdout}");
    assert!(stdout.contains("\nno knee below 30 %: "), "{stdout}");
    let saved = fs::read_to_string(stack.0.join("curve.json")).unwrap();
    assert!(saved.contains("\"levels\":[10.0,20.0,30.0]") && !saved.contains("job@40%"), "{saved}");
    assert_eq!(stack.report(&["curve.json"]).0, Some(0));
}

#[test]
fn a_level_that_ends_early_is_told() {
    let mut short = levels(false);
    short.jobs[3].job_runtime = 4000;
    let stack = Stack::new("curve_short", &guest(&short));
    let (code, stdout, stderr) = stack.run(&CURVE);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.ends_with("error: 1 of 10 levels ended before their time\n"), "{stderr}");
    assert!(stdout.ends_with("\nincomplete: 9 of 10 levels\n"), "{stdout}");
}

#[test]
fn a_curve_that_cannot_be_is_refused_before_a_guest() {
    let stack = Stack::new("curve_refused", "");
    stack.write("two.fio", "[a]\nrw=read\n[b]\nrw=read\n");
    stack.write("notes.html", "<p>notes");
    for (arguments, told) in [
        (&["two.fio"][..], "2 jobs (a, b); a load curve is of one: write a file for each"),
        (&["job.fio", "--levels=0"], "\"0\" is no level; write per cent of saturation"),
        (&["job.fio", "--levels=5,5"], "5 is there twice"),
        (&["job.fio", "--plot=x.png"], "name a file that ends in .html or .svg"),
        (&["job.fio", "--plot=notes.html"], "notes.html is there and is no page"),
        (&["job.fio", "--save=disk"], "would replace the input"),
        (&["job.fio", "--save=a.svg", "--plot=a.svg"], "name the same file; name two"),
        (&["job.fio", "--depth=0"], "0 is not in 1..=65536"),
        (&["job.fio", "--timeout=5", "--", "runtime=9"], "would end the guest before its jobs"),
        (&["job.fio", "--memory=1"], "--memory=1 is not enough"),
        (&["job.fio", "--", "number_ios=3"], "leave number_ios= out"),
    ] {
        let (code, _, stderr) = stack.run(&[&["curve"], arguments].concat());
        assert_eq!(code, Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains(told), "{arguments:?}: {stderr}");
    }
    let (code, stdout, _) = stack.run(&["curve", "job.fio", "--dry-run", "--levels=50,90"]);
    assert_eq!((code, stack.calls().as_str()), (Some(0), ""));
    let end = "# then, in one guest, open loop at iodepth=256: 50, 90 % of saturation\n\
               # 30 s at least\n";
    assert!(stdout.ends_with(end), "{stdout}");
}

#[test]
fn a_guest_that_fails_leaves_the_levels_before() {
    let mut failed = levels(false);
    failed.jobs.truncate(2);
    failed.ringmark =
        Some(results::Run { error: Some("xvda is gone".into()), ..results::Run::default() });
    let stack = Stack::new("curve_fails", &guest(&failed));
    let (code, stdout, stderr) = stack.run(&CURVE);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.ends_with("error: the guest reports: xvda is gone\n"), "{stderr}");
    assert!(stdout.ends_with("\nincomplete: 2 of 10 levels\n"), "{stdout}");
    let stack = Stack::new("curve_fails_first", &emit(&report(5.0, Some("no xvda"))));
    let (code, stdout, stderr) = stack.run(&CURVE);
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    assert!(stderr.ends_with("error: the guest reports: no xvda\n"), "{stderr}");
    assert!(!stack.0.join("curve.html").exists() && !stack.0.join("curve.json").exists());
}
