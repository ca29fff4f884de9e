//! Rule by which a job file becomes small, for fio and for us alike.
//!
//! Sizes are divided by one power of two, so that the largest is some hundred blocks; the disk is
//! as large as they then need. What says when work is done, and for how long, is left out: what is
//! left is the work; or all jobs go on for some time, at the pace that they have. Larger blocks
//! become as large as the largest may be.

use fio_job::number::parse_bytes;

/// Most bytes of the largest size, unless two blocks have more.
const SIZE_MAX: u64 = 512 << 10;
/// Blocks of the largest size, about.
const BLOCKS: u64 = 192;
/// Largest block in bytes: fio's files are in memory.
const BLOCK_MAX: u64 = 4 << 20;
/// Most copies of a job.
const CLONES_MAX: u64 = 3;
/// Most I/Os in flight of a job.
const DEPTH_MAX: u64 = 8;
/// Most passes.
const LOOPS_MAX: u64 = 2;

/// Options that are sizes or places in bytes.
const SIZES: [&str; 7] =
    ["size", "filesize", "io_size", "io_limit", "offset", "offset_increment", "fill_device"];

/// Options that are sizes of an I/O.
const BLOCK_SIZES: [&str; 5] = ["bs", "blocksize", "bsrange", "blocksize_range", "bssplit"];

/// Beginnings of options that say at what pace.
const PACES: [&str; 2] = ["thinktime", "rate"];

/// Options by which results are added up.
const GROUPS: [&str; 2] = ["group_reporting", "unified_rw_reporting"];

/// Beginnings of options that say when.
const TIMES: [&str; 16] = [
    "runtime",
    "timeout",
    "time_based",
    "ramp_time",
    "startdelay",
    "start_delay",
    "latency_",
    "steadystate",
    "ss",
    "ss_",
    "randrepeat",
    "allrandrepeat",
    "max_latency",
    "exitall",
    "exit_what",
    "write_iolog",
];

/// A job file that is small.
#[derive(Debug)]
pub struct Small {
    /// Its text.
    pub text: String,
    /// Length of each disk in bytes.
    pub disk_bytes: u64,
}

impl Small {
    /// Returns whether a job trims.
    pub fn trims(&self) -> bool {
        options(&self.text)
            .any(|(name, value)| matches!(name, "rw" | "readwrite") && value.contains("trim"))
    }
}

/// Returns a job file as small as the rule has it; `None` if it takes values from outside. Its jobs
/// go on for so many milliseconds, if that is given.
pub fn small(text: &str, runtime_ms: Option<u64>) -> Option<Small> {
    if text.contains('$') {
        return None;
    }
    let of = |names: &'static [&str]| {
        let values = options(text).filter(move |(name, _)| names.contains(name));
        values.flat_map(|(_, value)| numbers(value))
    };
    let blocks: Vec<u64> = of(&BLOCK_SIZES).filter(|&bytes| bytes >= 512).collect();
    let least = blocks.iter().copied().chain([4096]).min().unwrap_or(4096);
    let most = blocks.iter().copied().chain([4096]).max().unwrap_or(4096).min(BLOCK_MAX);
    // Checksums take most of the time.
    let checks = options(text).any(|(name, value)| name == "verify" && value != "0");
    let few = if checks { 4 } else { 1 };
    let size_max = ((BLOCKS * least).min(SIZE_MAX) / few).max(2 * most);
    let largest = of(&SIZES).max().unwrap_or(0);
    let divisor = largest.div_ceil(size_max).next_power_of_two();
    let increments = options(text).filter(|(name, _)| *name == "offset_increment");
    let increment = increments.flat_map(|(_, value)| numbers(value)).max().unwrap_or(0) / divisor;
    let parts =
        options(text).filter(|(name, _)| *name == "size").filter_map(|(_, value)| per_cent(value));
    let part = parts.filter(|&part| part > 0).min().unwrap_or(100);
    // The least part of the disk has two blocks, too.
    let disk_bytes = (2 * size_max).max((2 * most * 100).div_ceil(part).next_multiple_of(most));
    let disk_bytes = disk_bytes + CLONES_MAX * increment;
    // Copies that check what others write fail by chance.
    let clones_max = if checks { 1 } else { CLONES_MAX };
    let timed = runtime_ms.map(|ms| format!("[global]\ntime_based\nruntime={ms}ms"));
    let is_left_out = |name: &str| {
        is_any(name, &TIMES) || is_any(name, if timed.is_none() { &PACES } else { &GROUPS })
    };
    let lines =
        text.lines().filter(|line| !option(line).is_some_and(|(name, _)| is_left_out(name)));
    let lines = lines.map(|line| small_line(line, divisor, most, clones_max));
    let lines = timed.clone().into_iter().chain(lines);
    Some(Small { text: lines.map(|line| line + "\n").collect(), disk_bytes })
}

/// Options of a file, with the names of its lines and their values.
fn options(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(option)
}

/// Reads a line that has an option.
pub fn option(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    let is_option = !line.is_empty() && !line.starts_with(['[', ';', '#']);
    is_option.then(|| {
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        (name.trim(), value.trim())
    })
}

/// Reads a value that is per cent.
pub fn per_cent(value: &str) -> Option<u64> {
    value.strip_suffix('%')?.parse().ok()
}

/// Numbers of bytes in a value; per cent and counts of shares are none.
fn numbers(value: &str) -> impl Iterator<Item = u64> {
    let parts = value.split([',', ':', '-']).map(|part| part.split('/').next().unwrap_or(part));
    parts.filter(|part| !part.ends_with('%')).filter_map(|part| parse_bytes(part.trim()).ok())
}

/// Returns whether an option is one of those with these beginnings.
fn is_any(name: &str, beginnings: &[&str]) -> bool {
    beginnings.iter().any(|of| match *of {
        "ss" | "timeout" | "runtime" => name == *of,
        of => name.starts_with(of),
    })
}

/// Returns a line with what it has in small.
fn small_line(line: &str, divisor: u64, most: u64, clones_max: u64) -> String {
    let Some((name, value)) = option(line) else { return line.to_owned() };
    let at_most = |most: u64| match value.parse::<u64>() {
        Ok(number) if number > most => format!("{name}={most}"),
        _ => line.to_owned(),
    };
    match name {
        "numjobs" => at_most(clones_max),
        "iodepth" => at_most(DEPTH_MAX),
        "loops" => at_most(LOOPS_MAX),
        _ if BLOCK_SIZES.contains(&name) => match parse_bytes(value) {
            Ok(bytes) if bytes > BLOCK_MAX => format!("{name}={BLOCK_MAX}"),
            _ => line.to_owned(),
        },
        _ if SIZES.contains(&name) && !value.ends_with('%') => match parse_bytes(value) {
            Ok(bytes) if bytes > 0 && divisor > 1 => {
                // Whole blocks stay whole.
                let unit = if bytes.is_multiple_of(most) { most } else { 512 };
                let small = bytes / divisor / unit * unit;
                let is_place = name.starts_with("offset");
                format!("{name}={}", if is_place { small } else { small.max(most) })
            }
            _ => line.to_owned(),
        },
        _ => line.to_owned(),
    }
}
