//! Forms of fio's JSON: of its versions from 2.21 on, with all directions in one, of a client of
//! several servers, and of a run that told of itself each second. The members are those that each
//! version writes, the figures are made up: 1,500 reads and 300 writes of 4 KiB in 1.5 s.

use std::path::Path;

use crate::figures::Figures;
use crate::report::load::Data;

const FIO_2_21: &str = include_str!("forms/fio-2.21.json");
const FIO_3_1: &str = include_str!("forms/fio-3.1.json");
const FIO_3_13: &str = include_str!("forms/fio-3.13.json");
const FIO_3_41: &str = include_str!("forms/fio-3.41.json");
const MIXED: &str = include_str!("forms/mixed.json");
const STATUS_INTERVAL: &str = include_str!("forms/status-interval.json");
const CLIENT_3_13: &str = include_str!("forms/client-3.13.json");
const CLIENT_3_41: &str = include_str!("forms/client-3.41.json");

/// All forms.
pub const ALL: [&str; 8] =
    [FIO_2_21, FIO_3_1, FIO_3_13, FIO_3_41, MIXED, STATUS_INTERVAL, CLIENT_3_13, CLIENT_3_41];

/// Reads a text; returns the figures of its only run.
fn figures(text: &str) -> Vec<Figures> {
    let mut data = Data::default();
    data.add_text(Path::new("x"), text).unwrap();
    let [run] = &data.runs[..] else { panic!("{} runs", data.runs.len()) };
    run.figures.clone()
}

/// Returns why a text is refused.
fn refusal(text: &str) -> String {
    let read = Data::default().add_text(Path::new("x"), text);
    format!("{:#}", read.unwrap_err())
}

#[test]
fn each_version_is_read_alike() {
    for (text, has_bins) in [(FIO_2_21, true), (FIO_3_1, true), (FIO_3_13, false), (FIO_3_41, true)]
    {
        let all = figures(text);
        let [read, write] = &all[..] else { panic!("{all:?}") };
        assert_eq!([read.direction, write.direction], ["read", "write"]);
        assert_eq!([read.iops, write.iops], [1000.0, 200.0]);
        assert_eq!(read.bytes_per_second, 4_096_000.0);
        assert_eq!([read.mean_ns, write.mean_ns], [Some(122_000.0), Some(202_000.0)]);
        assert_eq!(read.percentiles, [(50.0, 120_000.0), (99.0, 240_000.0)]);
        let bins = [(120_000.0, 1498), (240_000.0, 2)];
        assert_eq!(read.bins, if has_bins { &bins[..] } else { &[] });
        assert_eq!((read.iodepth(), read.options["rw"].as_ref()), (8, "randrw"));
    }
}

#[test]
fn a_latency_without_a_number_of_values_may_be_none() {
    // disable_lat=1: then there is that of the completion.
    let none = "\"min\" : 0,\n          \"max\" : 0,\n          \"mean\" : 0.000000,";
    let some = "\"min\" : 61000,\n          \"max\" : 366000,\n          \"mean\" : 122000.000000,";
    assert!(FIO_3_13.contains(some));
    assert_eq!(figures(&FIO_3_13.replace(some, none))[0].mean_ns, Some(120_000.0));
}

/// Returns a text in which each member of a latency is 0, as of a fio with `gtod_reduce=1`.
fn without_latencies(text: &str) -> String {
    let is_of_it = |line: &&str| !line.contains("\"N\" : 0");
    let zero = |line: &str| match line.trim_start() {
        of if ["\"min\"", "\"max\"", "\"mean\"", "\"stddev\"", "\"N\""]
            .iter()
            .any(|name| of.starts_with(name)) =>
        {
            let (name, value) = line.split_once(':').unwrap();
            format!("{name}: 0{}", if value.ends_with(',') { "," } else { "" })
        }
        _ => line.to_owned(),
    };
    text.lines().filter(is_of_it).map(zero).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_was_not_measured_is_no_latency_of_0() {
    let text = without_latencies(FIO_3_13);
    let all = figures(&text);
    assert_eq!(
        all.iter().map(|of| (of.iops, of.mean_ns)).collect::<Vec<_>>(),
        [(1000.0, None), (200.0, None)]
    );
}

/// A job of fio with `stats=0`, as fio 3.33 writes it, but for figures that are all 0.
const NO_STATS: &str = r#"{"groupid": 4294967295, "error": 0, "eta": 2147483647, "elapsed": 2,
    "job_runtime": 0, "usr_cpu": 0.0, "sys_cpu": 0.0, "ctx": 0, "majf": 0, "minf": 0}"#;

#[test]
fn a_job_without_figures_leaves_those_of_others() {
    let (head, tail) = FIO_3_13.split_once("\"jobs\" : [").unwrap();
    let with = |tail: &str| format!("{head}\"jobs\" : [{NO_STATS}{tail}");
    assert_eq!(figures(&with(&format!(", {tail}"))), figures(FIO_3_13));
    let alone = refusal(&with("]}"));
    assert!(alone.contains("stats=0"), "{alone}");
    // One that did something has a name.
    let nameless = FIO_3_13.replacen("\"jobname\" :", "\"x\" :", 1);
    assert!(refusal(&nameless).contains("missing field `jobname`"), "{}", refusal(&nameless));
}

#[test]
fn json_that_fio_spoils_is_told_by_the_figure() {
    for value in ["-nan", "nan", "inf", "-inf", "NaN", "Infinity"] {
        let text = FIO_3_13.replacen(
            "\"usr_cpu\" :",
            &format!("\"sys_cpu\" : {value},\n\"usr_cpu\" :"),
            1,
        );
        let told = refusal(&text);
        let expected = format!("sys_cpu is {value}, which is no figure");
        assert!(told.contains(&expected), "{told}");
    }
    let (before, after) = FIO_3_13.split_once("\"jobname\" : \"").unwrap();
    let told = refusal(&format!("{before}\"jobname\" : \"\t{after}"));
    assert!(told.contains("jobname has a tab or another control character"), "{told}");
    assert!(told.contains("line "), "{told}");
    for (text, reason) in [
        ("null", "JSON without a result"),
        ("[]", "a list in JSON"),
        ("[{\"a\": 1}]\n", "a list in JSON"),
        ("\"x\"", "JSON without a result"),
        ("[a]\nbs=4k\n", "a job file"),
    ] {
        assert!(refusal(text).starts_with(reason), "{text}: {}", refusal(text));
    }
}

#[test]
fn directions_in_one_are_one() {
    let all = figures(MIXED);
    let [mixed] = &all[..] else { panic!("{all:?}") };
    assert_eq!((mixed.direction, mixed.iops, mixed.mean_ns), ("mixed", 1000.0, Some(122_000.0)));
    // `unified_rw_reporting=both`: the sum of what is there says nothing more.
    let (_, side) = MIXED.split_once("\"mixed\" :").unwrap();
    let (side, _) = side.split_once("\"job_runtime\"").unwrap();
    let (before, after) = FIO_3_13.split_once("\"job_runtime\"").unwrap();
    let both = format!("{before}\"mixed\" : {side}\"job_runtime\"{after}");
    assert_eq!(figures(&both), figures(FIO_3_13));
}

#[test]
fn of_a_run_that_told_of_itself_the_end_counts() {
    let all = figures(STATUS_INTERVAL);
    assert_eq!(all.iter().map(|of| of.iops).collect::<Vec<_>>(), [1000.0]);
    assert_eq!(all[0].bytes_per_second, 4_096_000.0);
}

#[test]
fn each_server_of_a_client_has_its_figures() {
    for text in [CLIENT_3_13, CLIENT_3_41] {
        let all = figures(text);
        let host = |of: &Figures| of.options.get("hostname").map(|host| host.to_string());
        let found: Vec<_> = all.iter().map(|of| (of.job.as_str(), host(of), of.iops)).collect();
        let [one, two] = ["host-1", "host-2"].map(|host| Some(host.to_owned()));
        let expected = [
            ("a", one.clone(), 1000.0),
            ("a", one, 200.0),
            ("a", two.clone(), 1000.0),
            ("a", two, 200.0),
            ("All clients", None, 2000.0),
            ("All clients", None, 400.0),
        ];
        assert_eq!(found, expected);
        assert_eq!(all[0].options["ioengine"].as_ref(), "libaio");
    }
    let options = &figures(CLIENT_3_41)[0].options;
    assert_eq!((options["size"].as_ref(), options["size (host-2)"].as_ref()), ("1g", "2g"));
    assert!(!options.contains_key("port"));
}

#[test]
fn what_is_no_such_form_is_named() {
    let old = FIO_2_21.replace("\"io_kbytes\" : 6000,", "");
    assert!(refusal(&old).contains("a fio before 2.21"), "{}", refusal(&old));
    let bare = FIO_3_13.replace("\"fio version\"", "\"version\"");
    assert!(refusal(&bare).contains("without \"fio version\""), "{}", refusal(&bare));
    for (field, name) in [("jobs", "client_stats"), ("clat_ns", "`clat`"), ("write", "`mixed`")] {
        let text = FIO_3_13.replace(&format!("\"{field}\" :"), "\"x\" :");
        assert!(refusal(&text).contains(name), "{}", refusal(&text));
    }
    let terse = refusal("3;fio-3.33;a;0;0;1024;1024000;256000;1;0\n");
    assert!(terse.contains("--output-format=json"), "{terse}");
}
