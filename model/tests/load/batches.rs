//! Batches are fio's: what it counts of them, for jobs all of whose I/Os have completed whenever
//! its loop looks, as with buffered reads of a file that is cached. And events for several
//! completions.

use model::fixture::Machine;
use model::{Disk, ModelXen};
use results::Report;

use crate::{SECTORS, XVDA, ok, run};

/// Job; and in fio's report of it `iodepth_level`, `iodepth_submit` and `iodepth_complete`, as far
/// as they are not 0.
type Case = (&'static str, &'static str, &'static str, &'static str);

/// Figures of fio 3.33 (Debian 12) with `ioengine=libaio direct=0 bs=4k rw=read size=8m
/// invalidate=0` and a cached file, the same in each of two runs.
const FIO: &[Case] = &[
    (
        "iodepth=64 iodepth_batch=64 number_ios=1600",
        ">=64:100",
        "4:99.935 64:0.1",
        "4:99.935 64:0.1",
    ),
    (
        "iodepth=64 iodepth_batch=64 iodepth_batch_complete_max=64 number_ios=1600",
        ">=64:100",
        "64:100",
        "64:100",
    ),
    ("iodepth=16 iodepth_batch=16 number_ios=1600", "16:100", "4:99.937 16:0.1", "4:99.937 16:0.1"),
    (
        "iodepth=16 iodepth_batch=1 number_ios=800",
        "1:0.125 2:0.25 4:0.5 8:1 16:98.125",
        "4:100",
        "4:99.873 16:0.127",
    ),
    (
        "iodepth=16 iodepth_batch=4 number_ios=1602",
        "4:0.25 8:0.499 16:99.126",
        "4:100",
        "4:99.937 16:0.1",
    ),
    (
        "iodepth=16 iodepth_batch=3 number_ios=100",
        "2:3 4:3 8:9 16:84",
        "4:100",
        "4:98.837 16:1.163",
    ),
    (
        "iodepth=32 iodepth_batch=8 iodepth_batch_complete_min=8 number_ios=1600",
        "8:0.5 16:1 32:98.5",
        "8:100",
        "8:99.495 32:0.505",
    ),
    (
        "iodepth=32 iodepth_low=8 number_ios=800",
        "1:0.125 2:0.25 4:0.5 8:29 16:66 32:4.125",
        "4:100",
        "4:99.874 8:0.126",
    ),
    (
        "iodepth=32 iodepth_low=16 iodepth_batch=16 iodepth_batch_complete_min=5 number_ios=1599",
        "16:79.049 32:20.013",
        "4:24.528 8:25.157 16:50.314",
        "8:99.685 32:0.315",
    ),
    ("iodepth=8 iodepth_batch_complete_min=0 number_ios=1000", "1:100", "4:100", "4:100"),
    (
        "iodepth=8 iodepth_batch=4 iodepth_batch_complete_min=0 number_ios=1001",
        "1:99.9",
        "4:100",
        "4:100",
    ),
    (
        "iodepth=8 iodepth_batch=0 iodepth_batch_complete_min=20 number_ios=1001",
        "8:99.9",
        "4:0.794 8:99.206",
        "4:0.794 8:99.206",
    ),
    (
        "iodepth=16 iodepth_batch_submit=16 iodepth_batch_complete=16 number_ios=1000",
        "16:99.2",
        "8:1.587 16:98.413",
        "8:1.587 16:98.413",
    ),
    (
        "iodepth=128 iodepth_batch=128 iodepth_batch_complete_max=128 number_ios=1000",
        ">=64:89.6",
        ">=64:100",
        ">=64:100",
    ),
    ("iodepth=1 iodepth_batch=4 number_ios=100", "1:100", "4:100", "4:100"),
    (
        "iodepth=16 iodepth_batch=5 iodepth_batch_complete_min=6 iodepth_batch_complete_max=2 iodepth_low=3 number_ios=777",
        "1:5.792 2:12.87 4:25.097 8:50.193 16:5.792",
        "4:40.513 8:59.487",
        "4:33.103 8:66.207 16:0.69",
    ),
    (
        "iodepth=1 iodepth_batch=1 thinktime=1000 thinktime_blocks=7 number_ios=48",
        "1:100",
        "4:100",
        "4:100",
    ),
    (
        "iodepth=4 iodepth_batch=1 thinktime=1000 thinktime_blocks=10 number_ios=204",
        "1:10.294 2:19.608 4:70.098",
        "4:100",
        "4:100",
    ),
    (
        "iodepth=8 iodepth_batch=4 iodepth_batch_complete_min=4 thinktime=1000 thinktime_blocks=10 number_ios=200",
        "4:34 8:66",
        "4:100",
        "4:100",
    ),
    (
        "iodepth=4 iodepth_batch=3 iodepth_batch_complete_max=4 number_ios=1000",
        "1:24.9 2:50.1 4:24.9",
        "4:100",
        "4:100",
    ),
    (
        "iodepth=32 iodepth_batch=8 iodepth_batch_complete_min=4 iodepth_batch_complete_max=16 number_ios=1600",
        "8:0.5 16:50 32:49.5",
        "8:100",
        "16:100",
    ),
    (
        "iodepth=32 iodepth_low=1 iodepth_batch=32 iodepth_batch_complete_max=10 number_ios=1600",
        "32:100",
        "32:100",
        "4:25 16:75",
    ),
    (
        "iodepth=8 iodepth_batch=4 iodepth_batch_complete_min=0 iodepth_batch_complete_max=4 number_ios=1000",
        "4:0.4 8:99.6",
        "4:100",
        "4:100",
    ),
    (
        "iodepth=16 iodepth_batch_complete_max=16 thinktime=1000 thinktime_blocks=20 number_ios=400",
        "1:6.25 2:12.5 4:25 8:50 16:6.25",
        "4:100",
        "16:100",
    ),
    (
        "iodepth=100 iodepth_batch=0 iodepth_batch_complete_max=2 iodepth_low=2 number_ios=1000",
        "4:20 8:40 16:30 >=64:10",
        "4:10.526 8:10.526 16:21.053 32:5.263 >=64:52.632",
        "4:99.796 32:0.204",
    ),
    (
        "iodepth=64 iodepth_batch_complete_min=64 iodepth_batch_complete_max=3 iodepth_low=32 number_ios=200",
        "1:2 2:4 4:8 8:12.5 16:24 32:48 >=64:1.5",
        "4:100",
        "8:25 64:75",
    ),
    (
        "iodepth=100 iodepth_batch=100 iodepth_batch_complete_min=8 iodepth_batch_complete_max=16 iodepth_low=3 number_ios=333",
        ">=64:90.09",
        "64:25 >=64:75",
        "4:13.636 16:81.818 64:4.545",
    ),
    (
        "iodepth=16 iodepth_batch=16 iodepth_batch_complete_min=16 iodepth_batch_complete_max=32 iodepth_low=8 number_ios=1000",
        "16:99.2",
        "8:1.587 16:98.413",
        "8:1.587 16:98.413",
    ),
    (
        "iodepth=16 iodepth_batch=1 iodepth_batch_complete_min=3 iodepth_low=3 number_ios=1601",
        "1:0.1 2:13.367 4:26.733 8:53.217 16:6.621",
        "4:100",
        "4:99.812 16:0.188",
    ),
    (
        "iodepth=16 iodepth_batch_complete_min=0 iodepth_batch_complete_max=32 iodepth_low=64 thinktime=1000 thinktime_blocks=33 number_ios=200",
        "1:6.5 2:13 4:26 8:48.5 16:6",
        "4:100",
        "8:7.692 16:92.308",
    ),
    (
        "iodepth=2 iodepth_batch=32 iodepth_batch_complete_min=8 iodepth_low=1 thinktime=1000 thinktime_blocks=10 number_ios=200",
        "2:100",
        "4:100",
        "4:100",
    ),
    (
        "iodepth=100 iodepth_batch=16 iodepth_batch_complete_min=1 iodepth_low=100 thinktime=1000 thinktime_blocks=33 number_ios=200",
        "1:0.5 16:16 32:32 >=64:50",
        "4:77.778 16:22.222",
        "4:99.254 >=64:0.746",
    ),
];

/// A machine whose disk completes each I/O after this time.
fn machine(service_ns: u64) -> ModelXen {
    let service_ns = service_ns..service_ns + 1;
    Machine::seeded(21).disk(Disk { service_ns, ..Disk::new(XVDA, SECTORS) }).build()
}

fn shown(classes: &results::Pairs<String, f64>) -> String {
    let shares = classes.iter().filter(|(_, percent)| *percent != 0.0);
    let text =
        shares.map(|(class, percent)| format!("{class}:{}", (percent * 1000.0).round() / 1000.0));
    text.collect::<Vec<_>>().join(" ")
}

#[test]
fn batches_are_fios() {
    let mut wrong = Vec::new();
    for &(options, level, submit, complete) in FIO {
        // The loop sleeps until all has completed.
        let sleep = "ringmark_poll_us=0 ringmark_event_after=512";
        let line = format!("{options} rw=read bs=4k filename=xvda io_size=8m {sleep}");
        let outcome = run(&machine(200_000), &line, 1);
        ok(&outcome);
        let mut text = String::new();
        results::emit(&outcome.results, None, None, &mut |part| text += part);
        let job = &Report::from_json(&text).unwrap().jobs[0];
        let ours = [&job.iodepth_level, &job.iodepth_submit, &job.iodepth_complete].map(shown);
        if ours != [level, submit, complete] {
            wrong.push(format!(
                "{options}\n  fio  {:?}\n  ours {ours:?}",
                [level, submit, complete]
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn one_event_serves_as_many_completions_as_asked() {
    for (after, most) in [(1, 2_000), (8, 250), (32, 70), (512, 70)] {
        let line = format!(
            "rw=read bs=4k iodepth=32 number_ios=2000 io_size=8m ringmark_poll_us=0 \
             ringmark_event_after={after} filename=xvda"
        );
        let disk = Disk { service_ns: 50_000..100_000, ..Disk::new(XVDA, SECTORS) };
        let outcome = run(&Machine::seeded(22).disk(disk).build(), &line, 1);
        ok(&outcome);
        let counters = outcome.results[0].counters.unwrap();
        let least = if after == 1 { 400 } else { 2_000 / 32 };
        assert!((least..=most).contains(&counters.events), "{after}: {counters:?}");
    }
}
