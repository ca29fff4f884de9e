//! Tests of all options at once: their values, edges and defaults.

use super::*;
use crate::builder::JobBuilder;
use crate::option_doc::Initial::Value as Same;
use crate::option_doc::Values::{self, Bool, Flag, NumbersOr, OneOf, Text};
use crate::option_doc::{Numbers, Unit};
use crate::parse::{check_line, parse};
use crate::value::Value;
use crate::warning::Checked;
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

/// Returns whether the option takes a value; an empty text is no value.
fn takes(spec: &OptionSpec, text: &str) -> bool {
    let value = Value::new(spec.names[0], Some(text).filter(|text| !text.is_empty()));
    (spec.set)(&mut JobBuilder::default(), value).is_ok()
}

/// Texts just inside and just outside of what each option's form says.
const FORMS: &[(&str, &[&str], &[&str])] = &[
    ("name", &["a", "a b"], &["", "a\"b"]),
    (
        "bssplit",
        &[
            "512/100",
            "1m/1:4k/99",
            "4k:8k",
            "4k/99",
            "4k/101",
            "4k/60:8k/60",
            "4k,,",
            "4k:",
            "4k/50%:8k",
        ],
        &["513/100", "4g/100", "4k/100:8k/1:16k", "4k,4k,4k,4k", "/50", "4k/x"],
    ),
    (
        "bsrange",
        &["512-512", "4k:16m", "16m-4k", "4k-8k,", ",4k-8k", "4k-8k,4k-8k,4k-8k"],
        &["", "4k", "0-4k", "4k-4g", "4k-", "4k-8k,4k-8k,4k-8k,4k-8k", "4k-8k-16k", "513-4k"],
    ),
    (
        "percentage_random",
        &["0", "100", "0,100", "1,2,3", ",5", "25,", "1:2:3", "1-2"],
        &["", "101", "1,101", "1,2,3,4", "a"],
    ),
    (
        "filename",
        &[
            "xvda",
            "xvda:/dev/xvdb",
            "xvda:/a b",
            "xvda@s1a:/a",
            "/dev/xvda@p2:/dev/x",
            "xvda@d:/",
            "/dev/xvda:",
            ":xvda::xvdb",
        ],
        &[
            "",
            ":",
            "/tmp/x",
            "xvda:xvdb:/a",
            "xvda@s1a",
            "xvda@:/a",
            "xvda@s1 a:/a",
            "xvda:xvdb@a:/x",
        ],
    ),
    (
        "random_distribution",
        &[
            "random",
            "zipf:0.000001",
            "zipf:100",
            "pareto:0.000001",
            "pareto:0.999999",
            "normal:0",
            "normal:100",
            "zoned:100/100",
            "zoned:100/99",
            "zoned:50/5:30/15:20/",
            "zoned:50:50",
            "zoned_abs:100/1g",
            "zoned_abs:60/512:40/1t",
            "zipf",
            "zipf:1.2:0",
            "pareto:0.2:1",
            "normal:1:0.5",
        ],
        &[
            "zipf:0",
            "zipf:1",
            "zipf:100.000001",
            "pareto:0",
            "pareto:1",
            "normal:100.000001",
            "zipf:1.2:",
            "zipf:",
            "zipf:1.2:1.000001",
            "zipf::0.5",
            "zoned:99/100",
            "zoned:101/100",
            "zoned:100/101",
            "zoned:100/60:0/60",
            "zoned:100/",
            "zoned:50/100:50/0",
            "zoned:50/50,50/50",
            "zoned",
            "zoned_abs:99/1g",
            "zoned_abs:100",
        ],
    ),
    (
        "steadystate",
        &["auto", "iops:0.000001", "iops_slope:1%", "bw:1", "bw:1k", "bw_slope:0.5%"],
        &["iops", "iops:0", "bw:0", "bw:0.5", "lat:1%", "iops:-1", "iops:1%%", "autos"],
    ),
    ("buffer_pattern", &["0x0", "1%o", "\"a\"-1"], &["", "a", "'a'"]),
    ("verify_pattern", &["0x0", "1%o", "\"a\"-1"], &["", "a", "'a'"]),
    (
        "percentile_list",
        &["0.000001", "100", "1:2:3:4:5:6:7:8:9:10:11:12:13:14:15:16:17:18:19:20:21"],
        &["0", "100.000001", "1.0000001", "1:2:3:4:5:6:7:8:9:10:11:12:13:14:15:16:17:18:19:0"],
    ),
    ("cpus_allowed", &["0", "0-65535", "7,3-4"], &["", "65536", "1-0", "a", "0,"]),
    ("write_bw_log", &["", "a-_.9"], &[".a", "a/b", "a b"]),
    ("write_iops_log", &["", "a-_.9"], &[".a", "a/b", "a b"]),
    (
        "file_service_type",
        &["roundrobin", "roundrobin:0", "sequential:3", "random", "random:4294967295"],
        &["", "any", "random:", "random:-1", "random:4294967296"],
    ),
    ("write_lat_log", &["", "a-_.9"], &[".a", "a/b", "a b"]),
];

/// Returns values at the edges of what an option takes, and those just beyond.
fn edges(row: &Row) -> (Vec<String>, Vec<String>) {
    let own = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    match row.values {
        // fio 3.33 takes any number for the first, but for the second 0 and 1 and no option alone.
        Flag => (own(&["0", "1", "", "2", "01"]), own(&["-1", "yes"])),
        Bool => (own(&["0", "1", "01", "0x1"]), own(&["", "2", "-1", "yes"])),
        OneOf(words) => {
            let mut beyond = own(&["", "2", "nothing"]);
            beyond.retain(|word| !words.contains(&word.as_str()));
            (own(words), beyond)
        }
        Values::Numbers(numbers) => {
            let (inside, mut beyond) = number_edges(numbers);
            // fio takes seeds below 0, and such numbers here are seeds like others.
            beyond.retain(|text| row.spec.names[0] != "randseed" || text != "-1");
            (inside, beyond)
        }
        NumbersOr(numbers, word) => {
            let (mut inside, beyond) = number_edges(numbers);
            inside.push(word.to_owned());
            (inside, beyond)
        }
        Text { form, example } => {
            let name = row.spec.names[0];
            let known = FORMS.iter().find(|(option, ..)| *option == name);
            let (_, inside, beyond) = known.unwrap_or_else(|| panic!("{name}: {form}"));
            (own(&[inside, &[example][..]].concat()), own(beyond))
        }
    }
}

fn number_edges(numbers: Numbers) -> (Vec<String>, Vec<String>) {
    let Numbers { unit, least, greatest, step } = numbers;
    let unit_ends = if matches!(unit, Unit::Seconds | Unit::Microseconds) { "us" } else { "" };
    let above = u128::from(greatest) + u128::from(step);
    let mut inside = vec![numbers.value(least), numbers.value(greatest)];
    let mut beyond = vec![format!("{above}{unit_ends}"), "-1".to_owned(), String::new()];
    beyond.extend(least.checked_sub(step).map(|below| numbers.value(below)));
    if step > 1 {
        beyond.extend([least + 1, greatest - 1].map(|number| numbers.value(number)));
    }
    if unit == Unit::BytesOrPercent {
        inside.extend([format!("{least}%"), "100%".to_owned()]);
        beyond.push("101%".to_owned());
        beyond.extend(least.checked_sub(1).map(|below| format!("{below}%")));
    }
    (inside, beyond)
}

#[test]
fn values_are_taken_up_to_their_edges_and_not_beyond() {
    for row in rows() {
        let (inside, beyond) = edges(row);
        for text in inside {
            assert!(takes(&row.spec, &text), "{}={text:?} is refused", row.spec.names[0]);
        }
        for text in beyond {
            assert!(!takes(&row.spec, &text), "{}={text:?} is taken", row.spec.names[0]);
        }
    }
    let forms = rows().filter(|row| matches!(row.values, Text { .. })).count();
    assert_eq!(FORMS.len(), forms);
}

/// Jobs in which each option with a default makes a difference.
const JOBS: [&str; 17] = [
    "name=x offset=10%",
    "name=x numjobs=2 group_reporting",
    "name=x exitall=1",
    "name=x ioengine=sync iodepth=9",
    "name=x size=1m",
    "name=x rate_iops=9",
    "name=x rate_iops_min=9",
    "name=x filename=xvda:xvdb",
    "name=x runtime=90 steadystate_duration=60",
    "name=x rw=randrw filename=xvda iodepth=8 thinktime=5 runtime=9",
    "name=x rw=rw filename=xvda verify=crc32c bs=16k",
    "name=x rw=write filename=xvda verify_pattern=1 verify=pattern",
    "name=x numjobs=2 filename=xvda",
    "name=x rw=randread:4",
    "name=x rw=randread norandommap=1 bssplit=4k:6k",
    "name=x rw=rw filename=xvda bs=4k,8k",
    "name=x log_avg_msec=500 runtime=1 write_bw_log",
];

/// Returns the jobs of a command line with this value of the option, and the warnings; nothing if
/// the line has the option, or does not go with the value.
fn jobs_with(line: &str, option: &str, value: &str) -> Option<Checked> {
    let has = line.contains(&format!(" {option}="));
    let with = line.replacen("name=x", &format!("name=x {option}={value}"), 1);
    (!has).then(|| check_line(&with).ok()).flatten()
}

#[test]
fn a_default_is_the_value_of_a_job_without_the_option() {
    for row in rows() {
        let name = row.spec.names[0];
        let Same(default) = row.default else {
            let job = &parse("name=x").unwrap()[0];
            assert!(job.options().iter().all(|(option, _)| *option != name), "{name}");
            continue;
        };
        let mut others = edges(row).0;
        others.retain(|value| value != default && !value.is_empty());
        let mut differs = others.is_empty();
        for line in JOBS {
            let Some(jobs) = jobs_with(line, name, default) else { continue };
            assert_eq!(jobs, check_line(line).unwrap(), "{line}: {name}={default}");
            let other = others.iter().filter_map(|value| jobs_with(line, name, value));
            differs |= other.into_iter().any(|other| other != jobs);
        }
        assert!(differs, "no job shows the default of {name}");
    }
}
