//! Table of the options: names, values, help, effects and documentation.

use crate::affinity::CpuPolicy;
use crate::blocks::BlockMix;
use crate::buffers::Buffers;
use crate::builder::JobBuilder;
use crate::error::JobError;
use crate::grant_mode::GrantMode;
use crate::job::Job;
use crate::keyword::{IoEngine, LatencyFrom, OnError, RateProcess, Rw, VerifyWord};
use crate::limits::{
    BS_BYTES_MAX, EVENT_AFTER_MAX, IODEPTH_MAX, NUMJOBS_MAX, POLL_US_MAX, QUEUES_MAX,
    RUNTIME_NS_MAX, SECTOR_BYTES, SEGMENTS_MAX,
};
use crate::number::US_PER_SECOND;
use crate::option_doc::Initial::{self, Nothing, Value as Same, Words};
use crate::option_doc::Values::{self, Flag, NumbersOr, OneOf, Text};
use crate::option_doc::{Numbers, OptionDoc, Unit};
use crate::pace::Rate;
use crate::random_distribution::Distribution;
use crate::value::Value;

/// Function that applies an option's value to a job.
type Set = fn(&mut JobBuilder, Value<'_>) -> Result<(), JobError>;

/// Option as the guest needs it.
#[derive(Clone, Copy)]
pub(crate) struct OptionSpec {
    /// fio's names.
    pub(crate) names: &'static [&'static str],
    /// Word for the value.
    pub(crate) value: &'static str,
    /// Line of help.
    pub(crate) help: &'static str,
    /// Default; empty if there is none.
    pub(crate) default: &'static str,
    /// Words for values, if it takes no others.
    pub(crate) words: &'static [&'static str],
    /// Effect.
    pub(crate) set: Set,
}

/// Option with all that documentation says of it.
struct Row {
    spec: OptionSpec,
    default: Initial,
    values: Values,
    unlike_fio: &'static str,
}

const fn row(
    names: &'static [&'static str],
    value: &'static str,
    help: &'static str,
    set: Set,
    default: Initial,
    values: Values,
    unlike_fio: &'static str,
) -> Row {
    let words: &[&str] = match values {
        OneOf(words) => words,
        _ => &[],
    };
    let spec = OptionSpec { names, value, help, default: default.text(), words, set };
    Row { spec, default, values, unlike_fio }
}

/// Supported options without their documentation, which so takes no room in the guest.
pub(crate) static OPTIONS: [OptionSpec; ROWS.len()] = {
    let mut specs = [ROWS[0].spec; ROWS.len()];
    let mut index = 0;
    while index < specs.len() {
        specs[index] = ROWS[index].spec;
        index += 1;
    }
    specs
};

/// Returns the documentation of all options.
pub fn option_docs() -> impl Iterator<Item = OptionDoc> {
    ROWS.iter().map(|Row { spec, default, values, unlike_fio }| {
        let OptionSpec { names, value, help, .. } = *spec;
        OptionDoc { names, value, help, default: *default, values: *values, unlike_fio }
    })
}

const fn numbers(unit: Unit, least: u64, greatest: u64) -> Values {
    Values::Numbers(Numbers::new(unit, least, greatest))
}

/// Returns the words of a list of keywords.
const fn words<T: Copy, const COUNT: usize>(
    keywords: &[(&'static str, T); COUNT],
) -> [&'static str; COUNT] {
    let mut words = [""; COUNT];
    let mut index = 0;
    while index < COUNT {
        words[index] = keywords[index].0;
        index += 1;
    }
    words
}

const fn grant_modes() -> [&'static str; 3] {
    let [one, two, three] = GrantMode::ALL;
    [one.name(), two.name(), three.name()]
}

const BLOCK: Values = Values::Numbers(Numbers {
    unit: Unit::Bytes,
    least: SECTOR_BYTES as u64,
    greatest: BS_BYTES_MAX as u64,
    step: SECTOR_BYTES as u64,
});
const PERCENT: Values = numbers(Unit::Count, 0, 100);
const BATCH: Values = numbers(Unit::Count, 0, IODEPTH_MAX as u64);
const COUNT: Values = numbers(Unit::Count, 0, u64::MAX);
const POSITIVE: Values = numbers(Unit::Count, 1, u64::MAX);
const DELAY: Values = numbers(Unit::Seconds, 0, RUNTIME_NS_MAX / 1_000);
const SECONDS: Numbers = Numbers {
    unit: Unit::Seconds,
    least: US_PER_SECOND,
    greatest: RUNTIME_NS_MAX / 1_000,
    step: US_PER_SECOND,
};
const AMOUNT: Values = numbers(Unit::BytesOrPercent, 0, u64::MAX);
const LENGTH: Values = numbers(Unit::BytesOrPercent, 1, u64::MAX);
const PATTERN: Values = Text {
    form: "numbers, 0x.. (hexadecimal), \"text\" and %o (the block's offset) in any order, up to 512 bytes",
    example: "0xdeadbeef",
};
const PREFIX: Values = Text {
    form: "letters, digits, -, _ and ., which is not the first; alone it is the job's name",
    example: "fast",
};

/// Supported options, each in one place.
#[rustfmt::skip]
const ROWS: &[Row] = &[
    row(&["name"], "NAME", "the job's name; begins a new job on a command line",
        |d, v| v.name().map(|name| d.job.name = name),
        Words("jobN"), Text { form: "printable ASCII without \"; within \" if it has blanks", example: "\"my job\"" }, ""),
    row(&["rw", "readwrite"], "WORD", "kind of I/O",
        |d, v| v.rw().map(|rw| d.job.rw = rw),
        Same("read"), OneOf(&words(&Rw::NAMES)), "no trimwrite, and no :N after the word"),
    row(&["rwmixread"], "PERCENT", "share of reads in a mixed job",
        |d, v| v.percent().map(|reads| d.job.rwmixread = reads),
        Same("50"), PERCENT, ""),
    row(&["rwmixwrite"], "PERCENT", "share of writes in a mixed job",
        |d, v| v.percent().map(|writes| d.job.rwmixread = 100 - writes),
        Same("50"), PERCENT, ""),
    row(&["bs", "blocksize"], "BYTES", "size of an I/O, or of reads,writes,trims",
        |d, v| BlockMix::read_bs(v, Job::default().bs_bytes).map(|blocks| d.set_blocks(blocks)),
        Same("4k"), BLOCK, "fio takes any size; a random job with several sizes needs norandommap"),
    row(&["bssplit"], "LIST", "several block sizes and their shares, or lists of reads,writes",
        |d, v| BlockMix::read_bssplit(v).map(|blocks| d.set_blocks(blocks)),
        Nothing, Text { form: "SIZE/PERCENT:.., up to 64 sizes as in bs=", example: "4k/30:8k/70" },
        "a random job needs norandommap; trims need a single size"),
    row(&["iodepth"], "N", "I/Os in flight over all disks of the job",
        |d, v| v.iodepth().map(|depth| d.job.iodepth = depth),
        Same("1"), numbers(Unit::Count, 1, IODEPTH_MAX as u64), "fio has no upper limit; what finds no room on the ring waits, as in Linux"),
    row(&["iodepth_batch", "iodepth_batch_submit"], "N", "I/Os to submit at a time; 0 means iodepth",
        |d, v| v.batch().map(|count| d.batch_submit = Some(count)),
        Nothing, BATCH, "as in fio the default is 1, but without any option of batches all that completed is taken"),
    row(&["iodepth_batch_complete_min", "iodepth_batch_complete"], "N", "completions to wait for at a time",
        |d, v| v.batch().map(|count| d.batch_min = Some(count)),
        Nothing, BATCH, "as in fio the default is 1; latencies end when a completion is there, even if it is taken later"),
    row(&["iodepth_batch_complete_max"], "N", "most completions to take at a time; at least the least",
        |d, v| v.batch().map(|count| d.batch_max = Some(count)),
        Words("iodepth_batch_complete_min"), BATCH, ""),
    row(&["iodepth_low"], "N", "I/Os in flight down to which to wait once all are; 0 means iodepth",
        |d, v| v.batch().map(|count| d.low = Some(count)),
        Words("iodepth"), BATCH, ""),
    row(&["ioengine"], "WORD", "all use the ring; sync and psync with iodepth 1",
        |d, v| v.engine().map(|engine| d.job.ioengine = Some(engine)),
        Nothing, OneOf(&words(&IoEngine::NAMES)), "fio has more, and its default is psync"),
    row(&["numjobs"], "N", "copies of the job that run together",
        |d, v| v.numjobs().map(|count| d.numjobs = count),
        Same("1"), numbers(Unit::Count, 1, NUMJOBS_MAX as u64), "all jobs together are limited to 512"),
    row(&["runtime", "timeout"], "TIME", "ends after this time, or earlier once all bytes are done",
        |d, v| v.runtime_ns().map(|ns| d.job.runtime_ns = Some(ns)),
        Words("no limit"), numbers(Unit::Seconds, 1, RUNTIME_NS_MAX / 1_000), "0 is refused; fio has no upper limit"),
    row(&["time_based"], "0|1", "runs for the whole runtime, whatever the size",
        |d, v| v.flag().map(|on| d.job.time_based = on),
        Same("0"), Flag, "refused without runtime=; fio ignores it then"),
    row(&["steadystate", "ss"], "RULE", "ends the job once it is steady: auto, iops:2%, bw_slope:1%",
        |d, v| d.steady.set_rule(v),
        Same("iops_slope:0.01%"), Text { form: "auto, or iops, bw, iops_slope or bw_slope, a colon, and a limit of more than 0, which may be in per cent", example: "iops:2%" },
        "auto is not fio's; no lat and no lat_slope; refused without steadystate_duration=, fio ignores it then"),
    row(&["steadystate_duration", "ss_dur"], "TIME", "time that steadystate= looks at",
        |d, v| v.delay_ns(false).map(|ns| d.steady.duration_ns = ns),
        Nothing, DELAY, "at most 3600 samples; whole seconds; fio's default is 0, no rule"),
    row(&["steadystate_ramp_time", "ss_ramp"], "TIME", "time before its first sample",
        |d, v| v.delay_ns(false).map(|ns| d.steady.ramp_ns = ns),
        Same("0"), DELAY, "refused without steadystate_duration="),
    row(&["steadystate_check_interval", "ss_interval"], "TIME", "time between two samples; not fio's before 3.34",
        |d, v| v.sample_interval_ns().map(|ns| d.steady.interval_ns = Some(ns)),
        Words("1"), Values::Numbers(SECONDS), "whole seconds"),
    row(&["startdelay"], "TIME", "time to wait before the job starts",
        |d, v| v.delay_ns(false).map(|ns| d.job.pace.start_delay_ns = ns),
        Same("0"), DELAY, "no ranges; fio has no upper limit"),
    row(&["ramp_time"], "TIME", "time to run before measuring begins",
        |d, v| v.delay_ns(false).map(|ns| d.job.pace.ramp_ns = ns),
        Same("0"), DELAY, "a job that ends before that fails; fio has no upper limit"),
    row(&["rate"], "BYTES", "limit of bytes per second, or of reads,writes",
        |d, v| Rate::read(v, false).map(|rate| d.rate = Some(rate)),
        Words("no limit"), numbers(Unit::Bytes, 1, u64::MAX), "not with trims, and not with rate_iops="),
    row(&["rate_iops"], "N", "limit of I/Os per second, or of reads,writes",
        |d, v| Rate::read(v, true).map(|rate| d.rate_iops = Some(rate)),
        Words("no limit"), POSITIVE, "not with trims, and not with rate="),
    row(&["rate_process"], "WORD", "I/Os at even (linear) or exponential (poisson) intervals",
        |d, v| v.rate_process().map(|process| d.job.pace.process = process),
        Same("linear"), OneOf(&words(&RateProcess::NAMES)), "the first I/O of poisson comes after an interval, too; its bytes are those of each I/O, not of the smallest"),
    row(&["latency_from"], "WORD", "latencies from due times besides fio's; not fio's",
        |d, v| v.latency_from().map(|from| d.latency_from = Some(from)),
        Words("due with a rate and no thinktime, or else submit"), OneOf(&words(&LatencyFrom::NAMES)), ""),
    row(&["thinktime"], "TIME", "pause, in microseconds, after every thinktime_blocks I/Os",
        |d, v| v.delay_ns(true).map(|ns| d.think_ns = ns),
        Same("0"), numbers(Unit::Microseconds, 0, RUNTIME_NS_MAX / 1_000), "at most 30d"),
    row(&["thinktime_blocks"], "N", "I/Os between two pauses",
        |d, v| v.positive().map(|blocks| d.think_blocks = blocks),
        Same("1"), POSITIVE, "0 is refused"),
    row(&["fsync", "fdatasync"], "N", "flushes after every N writes; 0 is never",
        |d, v| v.count().map(|writes| d.job.pace.flush_after = (writes != 0).then_some(writes)),
        Same("0"), COUNT, "both names mean the same; other I/Os in flight go on"),
    row(&["size"], "BYTES|%", "length of the region",
        |d, v| v.length().map(|size| d.job.size = Some(size)),
        Words("to the end of the disk"), LENGTH, "0 is refused"),
    row(&["io_size", "io_limit"], "BYTES|%", "amount to transfer",
        |d, v| v.length().map(|size| d.job.io_size = Some(size)),
        Words("size"), LENGTH, "0 is refused"),
    row(&["number_ios"], "N", "ends after N I/Os",
        |d, v| v.positive().map(|ios| d.job.number_ios = Some(ios)),
        Words("no limit"), POSITIVE, "0 is refused"),
    row(&["loops"], "N", "times to repeat the whole transfer",
        |d, v| v.positive().map(|loops| d.job.loops = loops),
        Same("1"), POSITIVE, "0 is refused"),
    row(&["offset", "fileoffset"], "BYTES|%", "start of the region",
        |d, v| v.amount().map(|offset| d.job.offset = offset),
        Same("0"), AMOUNT, ""),
    row(&["offset_increment"], "BYTES|%", "shift of the region from copy to copy of numjobs",
        |d, v| v.amount().map(|step| d.offset_increment = step),
        Same("0"), AMOUNT, "bytes and per cent do not mix with those of offset="),
    row(&["filename"], "DISKS", "/dev/xvda, several as xvda:xvdb, or a file as xvda:/path",
        |d, v| v.filename().map(|(disks, file)| (d.job.disks, d.job.file) = (disks, file)),
        Words("every writable disk"), Text { form: "names of disks, or a disk and the path of a file in an FFS", example: "/dev/xvda" },
        "a job that writes has no default"),
    row(&["allow_file_overwrite"], "0|1", "lets a job write into a file; not fio's",
        |d, v| v.flag().map(|on| d.job.allow_file_overwrite = on),
        Same("0"), Flag, ""),
    row(&["stonewall", "wait_for_previous"], "0|1", "starts once all jobs before it are done",
        |d, v| v.flag().map(|on| d.job.stonewall = on),
        Same("0"), Flag, ""),
    row(&["randseed"], "N", "seed of the random sequence",
        |d, v| v.count().map(|seed| d.randseed = Some(seed)),
        Same("8244241983374193259"), COUNT, "the same for all jobs, as their numbers are not mixed in; fio's default is 0x89"),
    row(&["randrepeat"], "0|1", "the same random sequence on every run",
        |d, v| v.flag().map(|repeat| d.new_seed = !repeat),
        Same("1"), Flag, ""),
    row(&["norandommap"], "0|1", "draws random blocks independently, not each once per pass",
        |d, v| v.flag().map(|on| d.job.norandommap = on),
        Same("0"), Flag, "without it a permutation orders the blocks, which takes no memory"),
    row(&["random_distribution"], "LAW", "random, zipf:1.2, pareto:0.2, normal:10 or zoned:60/10:40/90",
        |d, v| Distribution::read(v).map(|law| d.job.distribution = law),
        Same("random"), Text {
            form: "random, zipf:T (T more than 0, up to 100, not 1), pareto:H (between 0 and 1), \
                   normal:D (0 to 100), zoned:IOS/SIZE:.. (up to 64 zones)",
            example: "zipf:1.2",
        }, "no zoned_abs, no centre as in zipf:1.2:0.5, one law for reads and writes"),
    row(&["buffer_pattern"], "PATTERN", "data to write, in the form of verify_pattern",
        |d, v| v.pattern().map(|pattern| d.job.buffers = Buffers::Pattern(pattern)),
        Words("random data"), PATTERN, "no names of files"),
    row(&["zero_buffers"], "0|1", "writes zeros",
        |d, v| v.flag().map(|on| d.zero_buffers = on),
        Same("0"), Flag, ""),
    row(&["refill_buffers"], "0|1", "new random data for each write",
        |d, v| v.flag().map(|on| d.refill_buffers = on),
        Same("0"), Flag, ""),
    row(&["buffer_compress_percentage"], "PERCENT", "share of zeros in each 512 bytes; the rest is random",
        |d, v| v.percent().map(|zeros_percent| d.compress_percent = zeros_percent),
        Same("0"), PERCENT, "not with buffer_pattern="),
    row(&["continue_on_error"], "WORD", "failures that do not end the job",
        |d, v| v.on_error().map(|on_error| d.job.on_error = on_error),
        Same("none"), OneOf(&words(&OnError::NAMES)), ""),
    row(&["exitall_on_error"], "0|1", "a failure ends all running jobs",
        |d, v| v.flag().map(|on| d.job.exitall_on_error = on),
        Same("0"), Flag, ""),
    row(&["verify"], "WORD", "checks the data",
        |d, v| v.verify().map(|word| d.verify = word),
        Same("0"), OneOf(&words(&VerifyWord::NAMES)), "no other checksums"),
    row(&["verify_pattern"], "PATTERN", "data for verify=pattern, e.g. 0xff, \"text\" or %o (the offset)",
        |d, v| v.pattern().map(|bytes| d.verify_pattern = Some(bytes)),
        Nothing, PATTERN, "no names of files"),
    row(&["verify_interval"], "BYTES", "bytes per header with verify=crc32c",
        |d, v| v.block_bytes().map(|bytes| d.verify_interval = Some(bytes)),
        Words("one block"), BLOCK, "it must divide bs=; fio takes sizes from 80 bytes on"),
    row(&["verify_fatal"], "0|1", "ends the job at the first wrong block",
        |d, v| v.flag().map(|on| d.verify_fatal = on),
        Same("0"), Flag, ""),
    row(&["do_verify"], "0|1", "reads back and checks what was written",
        |d, v| v.flag().map(|on| d.no_verify_after_write = !on),
        Same("1"), Flag, ""),
    row(&["group_reporting"], "0|1", "reports jobs that run together as one",
        |d, v| v.flag().map(|on| d.job.reporting.with_group = on),
        Same("0"), Flag, ""),
    row(&["clat_percentiles"], "0|1", "reports percentiles of completion latency",
        |d, v| v.flag().map(|on| d.job.reporting.clat_percentiles = on),
        Same("1"), Flag, ""),
    row(&["lat_percentiles"], "0|1", "reports percentiles of total latency",
        |d, v| v.flag().map(|on| d.job.reporting.lat_percentiles = on),
        Same("0"), Flag, "the same figures as those of completion latency"),
    row(&["percentile_list"], "P:P..", "percentiles to report, e.g. 50:99.9",
        |d, v| v.percentiles().map(|list| d.job.reporting.percentiles = list),
        Same("1:5:10:20:30:40:50:60:70:80:90:95:99:99.5:99.9:99.95:99.99"),
        Text { form: "up to 20, each more than 0 and up to 100, with up to six decimals", example: "50:99.9" }, "0 is refused"),
    row(&["log_avg_msec"], "MS", "window of each log sample",
        |d, v| v.log_window_ms().map(|ms| d.job.reporting.log_avg_ms = ms),
        Same("0"), numbers(Unit::Count, 0, u32::MAX as u64), "logs need one, such that there are at most 8192 samples"),
    row(&["write_bw_log"], "PREFIX", "logs bandwidth to PREFIX_bw.N.log",
        |d, v| v.log_prefix().map(|prefix| d.job.reporting.logs[0] = Some(prefix)),
        Nothing, PREFIX, "needs log_avg_msec="),
    row(&["write_iops_log"], "PREFIX", "logs IOPS to PREFIX_iops.N.log",
        |d, v| v.log_prefix().map(|prefix| d.job.reporting.logs[1] = Some(prefix)),
        Nothing, PREFIX, "needs log_avg_msec="),
    row(&["write_lat_log"], "PREFIX", "logs latency to PREFIX_lat.N.log",
        |d, v| v.log_prefix().map(|prefix| d.job.reporting.logs[2] = Some(prefix)),
        Nothing, PREFIX, "needs log_avg_msec=; the same in PREFIX_clat.N.log, no _slat"),
    row(&["grants"], "WORD", "way to grant pages; not fio's",
        |d, v| v.grants().map(|grants| d.job.grants = grants),
        Same("persistent"), OneOf(&grant_modes()), ""),
    row(&["ringmark_poll_us"], "auto|N", "microseconds to poll before sleeping; not fio's",
        |d, v| v.poll().map(|poll| d.job.poll = poll),
        Same("auto"), NumbersOr(Numbers::new(Unit::Count, 0, POLL_US_MAX as u64), "auto"), ""),
    row(&["ringmark_event_after"], "N", "completions on a queue for one event; not fio's",
        |d, v| v.event_after().map(|completions| d.job.event_after = completions),
        Same("1"), numbers(Unit::Count, 1, EVENT_AFTER_MAX as u64), ""),
    row(&["ringmark_queues"], "auto|N", "most queues per disk, auto is one per vCPU; not fio's",
        |d, v| v.queues().map(|queues| d.job.queues = queues),
        Same("auto"), NumbersOr(Numbers::new(Unit::Count, 1, QUEUES_MAX as u64), "auto"), ""),
    row(&["ringmark_indirect"], "auto|N", "most segments of an indirect request, 0 is none; not fio's",
        |d, v| v.indirect().map(|segments| d.job.indirect = segments),
        Same("auto"), NumbersOr(Numbers::new(Unit::Count, 0, SEGMENTS_MAX as u64), "auto"), "up to 11, which any request has, means none"),
    row(&["ringmark_bind"], "0|1", "events of a queue to its vCPU, not all to vCPU 0; not fio's",
        |d, v| v.flag().map(|bind| d.job.bind = bind),
        Same("1"), Flag, ""),
    row(&["ringmark_secure_discard"], "0|1", "trims leave nothing of the old data; not fio's",
        |d, v| v.flag().map(|secure| d.job.secure_discard = secure),
        Same("0"), Flag, "refused where the backend does not offer discard-secure"),
    row(&["cpus_allowed"], "LIST", "vCPUs that the job may run on, such as 0-3,6",
        |d, v| v.cpus().map(|cpus| d.job.cpus = Some(cpus)),
        Nothing, Text { form: "numbers from 0 to 65535 and ranges, with commas", example: "0-3,6" },
        "a job with none of the guest's vCPUs runs on any, and the guest says so"),
    row(&["cpumask"], "MASK", "the same as a mask of bits",
        |d, v| v.cpu_mask().map(|cpus| d.job.cpus = Some(cpus)),
        Nothing, numbers(Unit::Count, 1, u64::MAX), "as cpus_allowed"),
    row(&["cpus_allowed_policy"], "WORD", "whether each job gets one of the vCPUs, in turn",
        |d, v| v.cpu_policy().map(|policy| d.job.cpu_policy = policy),
        Same("shared"), OneOf(&words(&CpuPolicy::NAMES)), ""),
    // These options are accepted with the only value that holds here.
    row(&["direct"], "1", "there is no page cache",
        |_, v| v.must_be("1", "there is no page cache; use direct=1"),
        Same("1"), OneOf(&["1"]), "fio's default is 0"),
    row(&["buffered"], "0", "there is no page cache",
        |_, v| v.must_be("0", "there is no page cache; use buffered=0"),
        Same("0"), OneOf(&["0"]), "fio's default is 1"),
    row(&["scramble_buffers"], "1", "no two written sectors are alike",
        |_, v| v.must_be("1", "use buffer_pattern= to write equal data"),
        Same("1"), OneOf(&["1"]), "0 is refused"),
    row(&["io_submit_mode"], "inline", "one loop submits and completes I/Os",
        |_, v| v.must_be("inline", "use inline, or leave it out"),
        Same("inline"), OneOf(&["inline"]), "no offload"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;
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
            &["512/100", "1m/1:4k/99", "4k:8k"],
            &["513/100", "16385k/100", "4k/99", "4k/101"],
        ),
        ("filename", &["xvda", "xvda:/dev/xvdb", "xvda:/a b"], &["", "/tmp/x", "xvda:xvdb:/a"]),
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
            ],
            &[
                "zipf:0",
                "zipf:1",
                "zipf:100.000001",
                "pareto:0",
                "pareto:1",
                "normal:100.000001",
                "zoned:99/100",
                "zoned:100/99",
                "zoned_abs:100/1g",
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
            &["0.000001", "100", "1:2:3:4:5:6:7:8:9:10:11:12:13:14:15:16:17:18:19:20"],
            &[
                "0",
                "100.000001",
                "1.0000001",
                "1:2:3:4:5:6:7:8:9:10:11:12:13:14:15:16:17:18:19:20:21",
            ],
        ),
        ("cpus_allowed", &["0", "0-65535", "7,3-4"], &["", "65536", "1-0", "a", "0,"]),
        ("write_bw_log", &["", "a-_.9"], &[".a", "a/b", "a b"]),
        ("write_iops_log", &["", "a-_.9"], &[".a", "a/b", "a b"]),
        ("write_lat_log", &["", "a-_.9"], &[".a", "a/b", "a b"]),
    ];

    /// Returns values at the edges of what an option takes, and those just beyond.
    fn edges(row: &Row) -> (Vec<String>, Vec<String>) {
        let own = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        match row.values {
            Flag => (own(&["0", "1", ""]), own(&["2", "-1", "yes"])),
            OneOf(words) => (own(words), own(&["", "2", "nothing"])),
            Values::Numbers(numbers) => number_edges(numbers),
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
        for row in ROWS {
            let (inside, beyond) = edges(row);
            for text in inside {
                assert!(takes(&row.spec, &text), "{}={text:?} is refused", row.spec.names[0]);
            }
            for text in beyond {
                assert!(!takes(&row.spec, &text), "{}={text:?} is taken", row.spec.names[0]);
            }
        }
        let forms = ROWS.iter().filter(|row| matches!(row.values, Text { .. })).count();
        assert_eq!(FORMS.len(), forms);
    }

    /// Jobs in which each option with a default makes a difference.
    const JOBS: [&str; 7] = [
        "name=x rate_iops=9",
        "name=x runtime=90 steadystate_duration=60",
        "name=x rw=randrw filename=xvda iodepth=8 thinktime=5 runtime=9",
        "name=x rw=rw filename=xvda verify=crc32c bs=16k",
        "name=x rw=write filename=xvda verify_pattern=1 verify=pattern",
        "name=x numjobs=2 filename=xvda",
        "name=x log_avg_msec=500 runtime=1 write_bw_log",
    ];

    /// Returns the jobs of a command line that already has the option, or none with this value.
    fn jobs_with(line: &str, option: &str, value: &str) -> Option<Vec<Job>> {
        let has = line.contains(&format!(" {option}="));
        (!has).then(|| parse(&format!("{line} {option}={value}")).ok()).flatten()
    }

    #[test]
    fn a_default_is_the_value_of_a_job_without_the_option() {
        for row in ROWS {
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
                assert_eq!(jobs, parse(line).unwrap(), "{line}: {name}={default}");
                let other = others.iter().filter_map(|value| jobs_with(line, name, value));
                differs |= other.into_iter().any(|other| other != jobs);
            }
            assert!(differs, "no job shows the default of {name}");
        }
    }
}
