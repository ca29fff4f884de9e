//! Target: the command line of jobs, as any text and as options that nearly go together.

use arbitrary::{Result, Unstructured};
use bench::job::{Job, parse};

use crate::draw::{bytes, number, seldom, several};

/// Options, with values that are right for some of them.
#[rustfmt::skip]
const OPTIONS: [(&str, &[&str]); 22] = [
    ("name", &["a", "global", "b-1"]),
    ("rw", &["read", "write", "rw", "randread", "randwrite", "randrw"]),
    ("rwmixread", &["0", "70", "100"]),
    ("rwmixwrite", &["1", "50", "99"]),
    ("bs", &["512", "4k", "44k", "1536", "8KiB"]),
    ("iodepth", &["1", "7", "32"]),
    ("runtime", &["1", "10s", "1500ms", "3m", "1h", "30d", "999us"]),
    ("time_based", &["1", "0"]),
    ("size", &["1g", "50%", "100%", "4096", "1"]),
    ("io_size", &["3m", "1%", "18446744073709551615"]),
    ("offset", &["0", "1m", "10%", "0%"]),
    ("filename", &["/dev/xvda", "xvda:xvdb", "/dev/xvda:/dev/xvdc"]),
    ("stonewall", &["1", "0"]),
    ("randseed", &["0", "9", "18446744073709551615"]),
    ("randrepeat", &["0", "1"]),
    ("ioengine", &["libaio", "psync", "sync"]),
    ("verify", &["pattern", "crc32c"]),
    ("verify_pattern", &["%o", "0xff%o\"a; b\"-12", "\"%o\"", "1", "0xdeadbeef"]),
    ("do_verify", &["0", "1"]),
    ("verify_fatal", &["0", "1"]),
    ("grants", &["persistent", "persistent-copy", "per-request"]),
    ("ringmark_poll_us", &["auto", "0", "20", "1000000"]),
];

/// What command lines are made of.
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
];

fn nearly_right(u: &mut Unstructured<'_>) -> Result<String> {
    let option = |u: &mut Unstructured<'_>| {
        let (name, values) = *u.choose(&OPTIONS)?;
        let value = match seldom(u, 24)? {
            false => (*u.choose(values)?).to_string(),
            true if u.arbitrary()? => number(u)?.to_string(),
            true => String::from_utf8_lossy(&bytes(u, 8)?).into_owned(),
        };
        let end = if seldom(u, 16)? { ";" } else { "" };
        Ok(format!(" --{name}={value}{end}"))
    };
    let options = several(u, 10, option)?;
    Ok(["filename=xvda", &*options.concat()].concat())
}

/// Tries the bytes as text, and the options that they decode to.
pub fn target(data: &[u8]) -> &'static str {
    let as_text = check(&String::from_utf8_lossy(data));
    nearly_right(&mut Unstructured::new(data)).map_or(as_text, |line| check(&line))
}

/// Jobs are refused in one line of printable text, or mean the same when they are spelled out.
fn check(text: &str) -> &'static str {
    match parse(text) {
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
    let line = format!("--name={} {}", job.name, words.join(" "));
    assert_eq!(parse(&line).as_deref(), Ok(std::slice::from_ref(job)), "{line}");
}
