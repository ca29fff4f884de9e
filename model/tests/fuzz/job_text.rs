//! Target: command lines and job files, as any text and as options that nearly go together.

use arbitrary::{Result, Unstructured};
use fio_job::{Job, JobError, parse, parse_file};

use crate::draw::{bytes, number, seldom, several};

/// Options, with values that are right for some of them.
#[rustfmt::skip]
const OPTIONS: [(&str, &[&str]); 53] = [
    ("name", &["a", "global", "b-1"]),
    ("rw", &["read", "write", "rw", "randread", "randwrite", "randrw", "trim", "randtrim"]),
    ("rwmixread", &["0", "70", "100"]),
    ("rwmixwrite", &["1", "50", "99"]),
    ("bs", &["512", "4k", "44k", "1536", "8KiB"]),
    ("iodepth", &["1", "7", "32"]),
    ("runtime", &["1", "10s", "1500ms", "3m", "1h", "30d", "999us"]),
    ("time_based", &["1", "0"]),
    ("size", &["1g", "50%", "100%", "4096", "1"]),
    ("io_size", &["3m", "1%", "18446744073709551615"]),
    ("offset", &["0", "1m", "10%", "0%"]),
    ("filename", &["/dev/xvda", "xvda:xvdb", "/dev/xvda:/dev/xvdc", "xvda:/a/b"]),
    ("stonewall", &["1", "0"]),
    ("randseed", &["0", "9", "18446744073709551615"]),
    ("randrepeat", &["0", "1"]),
    ("ioengine", &["libaio", "psync", "sync", "io_uring"]),
    ("numjobs", &["1", "2", "512"]),
    ("loops", &["1", "3", "18446744073709551615"]),
    ("number_ios", &["1", "5k"]),
    ("offset_increment", &["0", "64k", "10%"]),
    ("bs", &["4k,8k", ",512", "1k,2k,4k"]),
    ("bssplit", &["4k/50:8k/50", "512:4k/30,8k", "4k/100"]),
    ("iodepth_batch", &["0", "4", "32"]),
    ("iodepth_batch_complete_min", &["0", "2"]),
    ("iodepth_batch_complete_max", &["0", "3", "32"]),
    ("startdelay", &["1", "20ms"]),
    ("ramp_time", &["0", "3", "500ms"]),
    ("rate", &["1m", "1m,2m", ",500k", "1,1,1"]),
    ("rate_iops", &["100", "7,", "18446744073709551615"]),
    ("thinktime", &["0", "50", "3ms"]),
    ("thinktime_blocks", &["1", "8"]),
    ("fsync", &["0", "1", "32"]),
    ("fdatasync", &["9"]),
    ("norandommap", &["0", "1"]),
    ("random_distribution", &["random", "zipf:1.2", "pareto:0.2", "normal:10", "zoned:60/10:40/90"]),
    ("buffer_pattern", &["0xab", "\"x\""]),
    ("zero_buffers", &["0", "1"]),
    ("refill_buffers", &["0", "1"]),
    ("buffer_compress_percentage", &["0", "50", "100"]),
    ("continue_on_error", &["none", "read", "write", "io", "verify", "all", "0", "1"]),
    ("exitall_on_error", &["0", "1"]),
    ("verify_interval", &["512", "4k"]),
    ("group_reporting", &["1", "0"]),
    ("description", &["\"a b\"", "x"]),
    ("unlink", &["1"]),
    ("verify", &["pattern", "crc32c"]),
    ("verify_pattern", &["%o", "0xff%o\"a; b\"-12", "\"%o\"", "1", "0xdeadbeef"]),
    ("do_verify", &["0", "1"]),
    ("verify_fatal", &["0", "1"]),
    ("grants", &["persistent", "persistent-copy", "per-request"]),
    ("ringmark_poll_us", &["auto", "0", "20", "1000000"]),
    ("ringmark_queues", &["1", "2", "32"]),
    ("ringmark_indirect", &["auto", "0", "12", "4096"]),
];

/// Words that command lines are made of.
pub const WORDS: &[&str] = &[
    " --name=",
    " name=global ",
    "; ",
    "\"",
    " rw=randrw",
    " bs=",
    " iodepth=",
    " size=",
    "%o",
    " offset=",
    " filename=/dev/xvda",
    ":xvdb",
    " verify_pattern=",
    "0x",
    "4k",
    "100%",
    "-1",
    "18446744073709551616",
    "30d",
    "999ms",
    "\n[",
    "]\n",
    "[global]\n",
    "\nbs=",
    "\ntime_based\n",
    "\n\t rw = randread # x\r\n",
];

/// A command line and a job file of the same jobs.
fn nearly_right(u: &mut Unstructured<'_>) -> Result<(String, String)> {
    let option = |u: &mut Unstructured<'_>| {
        let (name, values) = *u.choose(&OPTIONS)?;
        let value = match seldom(u, 24)? {
            false => (*u.choose(values)?).to_string(),
            true if u.arbitrary()? => number(u)?.to_string(),
            // White space ends a word of a command line, but no line of a file.
            true => String::from_utf8_lossy(&bytes(u, 8)?).split_whitespace().collect(),
        };
        Ok((name, value))
    };
    let options = several(u, 10, option)?;
    let end = if seldom(u, 4)? { "; bs=512" } else { "" };
    let word = |(name, value): &(&str, String)| format!(" --{name}={value}");
    let words: String = options.iter().map(word).collect();
    let line = |(name, value): &(&str, String)| match *name {
        "name" => format!("[{value}]\n"),
        name => format!("\t{name} = {value}\n"),
    };
    let lines: String = options.iter().map(line).collect();
    Ok((
        format!("--name=first filename=xvda{words}{end}"),
        format!("[first]\nfilename=xvda\n{lines}"),
    ))
}

/// Tries the bytes as text, and the options that they decode to.
pub fn target(data: &[u8]) -> &'static str {
    let text = String::from_utf8_lossy(data);
    check(parse_file(&text));
    let as_text = check(parse(&text));
    let Ok((line, file)) = nearly_right(&mut Unstructured::new(data)) else { return as_text };
    let (jobs, jobs_of_file) = (parse(&line), parse_file(&file));
    // What separates and comments differs between the two.
    if !line.contains([';', '#', '\n', '\r']) {
        assert_eq!(jobs.as_ref().ok(), jobs_of_file.as_ref().ok(), "{line}\n{file}");
    }
    check(jobs_of_file);
    check(jobs)
}

/// Jobs are refused in one line of printable text, or mean the same when they are spelled out.
fn check(jobs: core::result::Result<Vec<Job>, JobError>) -> &'static str {
    match jobs {
        Err(error) => {
            let line = error.to_string();
            assert!(!line.is_empty() && !line.contains(char::is_control), "{line:?}");
            "refused"
        }
        Ok(jobs) if jobs.is_empty() => "no job",
        Ok(jobs) => {
            jobs.iter().for_each(spells_itself);
            "jobs"
        }
    }
}

fn spells_itself(job: &Job) {
    let options = job.options();
    let words: Vec<String> =
        options.iter().map(|(name, value)| format!("--{name}={value}")).collect();
    let line = format!("--name=\"{}\" {}", job.name, words.join(" "));
    assert_eq!(parse(&line).as_deref(), Ok(std::slice::from_ref(job)), "{line}");
}
