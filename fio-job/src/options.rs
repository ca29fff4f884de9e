//! Table of the options: names, values, help and effects; and the names of fio's other options.

use crate::blocks::BlockMix;
use crate::buffers::Buffers;
use crate::builder::JobBuilder;
use crate::error::JobError;
use crate::job::Job;
use crate::pace::Rate;
use crate::random_distribution::Distribution;
use crate::value::Value;
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Function that applies an option's value to a job.
type Set = fn(&mut JobBuilder, Value<'_>) -> Result<(), JobError>;

/// Option: fio's names for it, the kind of its value, a line of help, and its effect.
struct OptionSpec(&'static [&'static str], &'static str, &'static str, Set);

/// Supported options, each in one place.
#[rustfmt::skip]
const OPTIONS: &[OptionSpec] = &[
    OptionSpec(&["name"], "NAME", "the job's name; begins a new job on a command line",
        |d, v| v.name().map(|name| d.job.name = name)),
    OptionSpec(&["rw", "readwrite"], "WORD", "read, write, trim, rw, randread, randwrite, randtrim or randrw",
        |d, v| v.rw().map(|rw| d.job.rw = rw)),
    OptionSpec(&["rwmixread"], "PERCENT", "share of reads in a mixed job (50)",
        |d, v| v.percent().map(|reads| d.job.rwmixread = reads)),
    OptionSpec(&["rwmixwrite"], "PERCENT", "share of writes in a mixed job (50)",
        |d, v| v.percent().map(|writes| d.job.rwmixread = 100 - writes)),
    OptionSpec(&["bs", "blocksize"], "BYTES", "size of an I/O (4k), or of reads,writes",
        |d, v| BlockMix::read_bs(v, Job::default().bs_bytes).map(|blocks| d.set_blocks(blocks))),
    OptionSpec(&["bssplit"], "LIST", "several block sizes and their shares, e.g. 4k/30:8k/70",
        |d, v| BlockMix::read_bssplit(v).map(|blocks| d.set_blocks(blocks))),
    OptionSpec(&["iodepth"], "N", "I/Os in flight over all disks of the job (1)",
        |d, v| v.iodepth().map(|depth| d.job.iodepth = depth)),
    OptionSpec(&["iodepth_batch", "iodepth_batch_submit"], "N", "I/Os to submit at a time (1; 0 means iodepth)",
        |d, v| v.batch().map(|count| d.batch_submit = Some(count))),
    OptionSpec(&["iodepth_batch_complete_min", "iodepth_batch_complete"], "N", "completions to wait for at a time (1)",
        |d, v| v.batch().map(|count| d.batch_min = Some(count))),
    OptionSpec(&["iodepth_batch_complete_max"], "N", "most I/Os to submit at once (iodepth)",
        |d, v| v.batch().map(|count| d.batch_max = Some(count))),
    OptionSpec(&["ioengine"], "WORD", "libaio, io_uring, sync or psync: all use the ring",
        |d, v| v.engine().map(|engine| d.job.ioengine = Some(engine))),
    OptionSpec(&["numjobs"], "N", "copies of the job that run together (1)",
        |d, v| v.numjobs().map(|count| d.numjobs = count)),
    OptionSpec(&["runtime", "timeout"], "TIME", "ends after this time, or earlier once all bytes are done",
        |d, v| v.runtime_ns().map(|ns| d.job.runtime_ns = Some(ns))),
    OptionSpec(&["time_based"], "0|1", "runs for the whole runtime, whatever the size",
        |d, v| v.flag().map(|on| d.job.time_based = on)),
    OptionSpec(&["startdelay"], "TIME", "time to wait before the job starts (0)",
        |d, v| v.delay_ns(false).map(|ns| d.job.pace.start_delay_ns = ns)),
    OptionSpec(&["ramp_time"], "TIME", "time to run before measuring begins (0)",
        |d, v| v.delay_ns(false).map(|ns| d.job.pace.ramp_ns = ns)),
    OptionSpec(&["rate"], "BYTES", "limit of bytes per second, or of reads,writes",
        |d, v| Rate::read(v, false).map(|rate| d.rate = Some(rate))),
    OptionSpec(&["rate_iops"], "N", "limit of I/Os per second, or of reads,writes",
        |d, v| Rate::read(v, true).map(|rate| d.rate_iops = Some(rate))),
    OptionSpec(&["rate_process"], "linear", "I/Os at even intervals",
        |_, v| v.must_be("linear", "use linear, or leave it out")),
    OptionSpec(&["thinktime"], "TIME", "pause, in microseconds, after every thinktime_blocks I/Os (0)",
        |d, v| v.delay_ns(true).map(|ns| d.think_ns = ns)),
    OptionSpec(&["thinktime_blocks"], "N", "I/Os between two pauses (1)",
        |d, v| v.positive().map(|blocks| d.think_blocks = blocks)),
    OptionSpec(&["fsync", "fdatasync"], "N", "flushes after every N writes (0: never)",
        |d, v| v.count().map(|writes| d.job.pace.flush_after = (writes != 0).then_some(writes))),
    OptionSpec(&["size"], "BYTES|%", "length of the region (up to the end of the disk)",
        |d, v| v.length().map(|size| d.job.size = Some(size))),
    OptionSpec(&["io_size", "io_limit"], "BYTES|%", "amount to transfer (the length of the region)",
        |d, v| v.length().map(|size| d.job.io_size = Some(size))),
    OptionSpec(&["number_ios"], "N", "ends after N I/Os",
        |d, v| v.positive().map(|ios| d.job.number_ios = Some(ios))),
    OptionSpec(&["loops"], "N", "times to repeat the whole transfer (1)",
        |d, v| v.positive().map(|loops| d.job.loops = loops)),
    OptionSpec(&["offset"], "BYTES|%", "start of the region (0)",
        |d, v| v.amount().map(|offset| d.job.offset = offset)),
    OptionSpec(&["offset_increment"], "BYTES|%", "shift of the region from each copy of numjobs to the next (0)",
        |d, v| v.amount().map(|step| d.offset_increment = step)),
    OptionSpec(&["filename"], "DISKS", "/dev/xvda, several as xvda:xvdb, or a file as xvda:/path",
        |d, v| v.filename().map(|(disks, file)| (d.job.disks, d.job.file) = (disks, file))),
    OptionSpec(&["allow_file_overwrite"], "0|1", "lets a job write into a file (not fio's)",
        |d, v| v.flag().map(|on| d.job.allow_file_overwrite = on)),
    OptionSpec(&["stonewall", "wait_for_previous"], "0|1", "starts once all jobs before it are done",
        |d, v| v.flag().map(|on| d.job.stonewall = on)),
    OptionSpec(&["randseed"], "N", "seed of the random sequence",
        |d, v| v.count().map(|seed| d.randseed = Some(seed))),
    OptionSpec(&["randrepeat"], "0|1", "the same random sequence on every run (1)",
        |d, v| v.flag().map(|repeat| d.new_seed = !repeat)),
    OptionSpec(&["norandommap"], "0|1", "draws random blocks independently, not each once per pass",
        |d, v| v.flag().map(|on| d.job.norandommap = on)),
    OptionSpec(&["random_distribution"], "LAW", "random, zipf:1.2, pareto:0.2, normal:10 or zoned:60/10:40/90",
        |d, v| Distribution::read(v).map(|law| d.job.distribution = law)),
    OptionSpec(&["buffer_pattern"], "PATTERN", "data to write, in the form of verify_pattern",
        |d, v| v.pattern().map(|pattern| d.job.buffers = Buffers::Pattern(pattern))),
    OptionSpec(&["zero_buffers"], "0|1", "writes zeros",
        |d, v| v.flag().map(|on| d.zero_buffers = on)),
    OptionSpec(&["refill_buffers"], "0|1", "new random data for each write",
        |d, v| v.flag().map(|on| d.refill_buffers = on)),
    OptionSpec(&["buffer_compress_percentage"], "PERCENT", "share of zeros in each 512 bytes; the rest is random data",
        |d, v| v.percent().map(|zeros_percent| d.compress_percent = zeros_percent)),
    OptionSpec(&["continue_on_error"], "WORD", "none, read, write, io, verify or all (none)",
        |d, v| v.on_error().map(|on_error| d.job.on_error = on_error)),
    OptionSpec(&["exitall_on_error"], "0|1", "a failure ends all running jobs",
        |d, v| v.flag().map(|on| d.job.exitall_on_error = on)),
    OptionSpec(&["verify"], "WORD", "crc32c or pattern: checks the data",
        |d, v| v.verify().map(|word| d.verify = word)),
    OptionSpec(&["verify_pattern"], "PATTERN", "data for verify=pattern, e.g. 0xff, \"text\" or %o (the offset)",
        |d, v| v.pattern().map(|bytes| d.verify_pattern = Some(bytes))),
    OptionSpec(&["verify_interval"], "BYTES", "bytes per header with verify=crc32c (one block)",
        |d, v| v.block_bytes().map(|bytes| d.verify_interval = Some(bytes))),
    OptionSpec(&["verify_fatal"], "0|1", "ends the job at the first wrong block",
        |d, v| v.flag().map(|on| d.verify_fatal = on)),
    OptionSpec(&["do_verify"], "0|1", "reads back and checks what was written (1)",
        |d, v| v.flag().map(|on| d.no_verify_after_write = !on)),
    OptionSpec(&["group_reporting"], "0|1", "reports jobs that run together as one",
        |d, v| v.flag().map(|on| d.job.reporting.with_group = on)),
    OptionSpec(&["clat_percentiles"], "0|1", "reports percentiles of completion latency (1)",
        |d, v| v.flag().map(|on| d.job.reporting.clat_percentiles = on)),
    OptionSpec(&["lat_percentiles"], "0|1", "reports percentiles of total latency, here the same (0)",
        |d, v| v.flag().map(|on| d.job.reporting.lat_percentiles = on)),
    OptionSpec(&["percentile_list"], "P:P..", "percentiles to report, e.g. 50:99.9",
        |d, v| v.percentiles().map(|list| d.job.reporting.percentiles = list)),
    OptionSpec(&["log_avg_msec"], "MS", "window of each log sample, in milliseconds",
        |d, v| v.log_window_ms().map(|ms| d.job.reporting.log_avg_ms = ms)),
    OptionSpec(&["write_bw_log"], "PREFIX", "logs bandwidth to PREFIX_bw.N.log",
        |d, v| v.log_prefix().map(|prefix| d.job.reporting.logs[0] = Some(prefix))),
    OptionSpec(&["write_iops_log"], "PREFIX", "logs IOPS to PREFIX_iops.N.log",
        |d, v| v.log_prefix().map(|prefix| d.job.reporting.logs[1] = Some(prefix))),
    OptionSpec(&["write_lat_log"], "PREFIX", "logs latency to PREFIX_lat.N.log",
        |d, v| v.log_prefix().map(|prefix| d.job.reporting.logs[2] = Some(prefix))),
    OptionSpec(&["grants"], "WORD", "persistent, persistent-copy or per-request (not fio's)",
        |d, v| v.grants().map(|grants| d.job.grants = grants)),
    OptionSpec(&["ringmark_poll_us"], "auto|N", "microseconds to poll before sleeping (auto; not fio's)",
        |d, v| v.poll().map(|poll| d.job.poll = poll)),
    OptionSpec(&["ringmark_queues"], "N", "queues per disk (1; not fio's)",
        |d, v| v.queues().map(|queues| d.job.queues = queues)),
    // These options are accepted with the only value that holds here.
    OptionSpec(&["direct"], "1", "there is no page cache",
        |_, v| v.must_be("1", "there is no page cache; use direct=1")),
    OptionSpec(&["buffered"], "0", "there is no page cache",
        |_, v| v.must_be("0", "there is no page cache; use buffered=0")),
    OptionSpec(&["scramble_buffers"], "1", "no two written sectors are alike",
        |_, v| v.must_be("1", "use buffer_pattern= to write equal data")),
    OptionSpec(&["io_submit_mode"], "inline", "one loop submits and completes I/Os",
        |_, v| v.must_be("inline", "use inline, or leave it out")),
];

/// Options about Linux, fio's files, its threads and its own random numbers. There are none of
/// these here, so the options cannot change the result and are accepted with any value.
const WITHOUT_EFFECT: &str = "
    allow_file_create allow_mounted_write cgroup cgroup_nodelete cgroup_weight clocksource
    cpumask cpus_allowed cpus_allowed_policy create_fsync create_on_open create_serialize
    description disk_util error_dump fadvise_hint fallocate gid gtod_cpu hugepage-size
    invalidate iomem ioscheduler lockfile lockmem mem nice numa_cpu_nodes numa_mem_policy
    openfiles overwrite per_job_logs prio prioclass random_generator slat_percentiles thread uid
    unique_filename unlink unlink_each_loop
";

/// Other options of fio that are refused (fio 3.33, `--cmdhelp=all`, with their aliases, and the
/// options of its command line).
const UNSUPPORTED: &str = "
    allrandrepeat atomic ba block_error_percentiles blockalign blocksize_range
    blocksize_unaligned bs_is_seq_rand bs_unaligned bsrange buffer_compress_chunk bwavgtime
    create_only dedupe_global dedupe_mode dedupe_percentage dedupe_working_set_percentage
    directory disable_bw disable_bw_measurement disable_clat disable_lat disable_slat
    end_fsync eta exec_postrun exec_prerun exit_what exitall experimental_verify file_append
    file_service_type filename_format fileoffset filesize fill_device fill_fs fixedbufs flow
    flow_id flow_sleep fsync_on_close gtod_reduce hipri ignore_error ignore_zone_limits
    include iodepth_low iomem_align iopsavgtime job_max_open_zones kb_base
    latency_percentile latency_run latency_target latency_window log_alternate_epoch
    log_alternate_epoch_clock_id log_compression log_compression_cpus log_entries
    log_hist_coarseness log_hist_msec log_max_value log_offset log_prio log_store_compressed
    log_unix_epoch max_latency max_open_zones mem_align merge_blktrace_file
    merge_blktrace_iters merge_blktrace_scalars minimal new_group nr_files nrfiles
    offset_align opendir output output-format percentage_random pre_read profile rate_cycle
    rate_ignore_thinktime rate_iops_min rate_min ratecycle ratemin read_beyond_wp read_iolog
    read_iolog_chunked readonly registerfiles replay_align replay_no_stall replay_redirect
    replay_scale replay_skip replay_time_scale rw_sequencer serialize_overlap
    significant_figures softrandommap sqthread_poll ss ss_dur ss_ramp stats status-interval
    steadystate steadystate_duration steadystate_ramp_time sync sync_file_range
    thinktime_blocks_type thinktime_iotime thinktime_spin trim_backlog trim_backlog_batch
    trim_percentage trim_verify_zero unified_rw_reporting unit_base use_os_rand verify_async
    verify_backlog verify_backlog_batch verify_dump verify_offset verify_only
    verify_state_load verify_state_save verifysort wait_for write_barrier write_hint
    write_hist_log write_iolog zone_reset_frequency zone_reset_threshold zonecapacity
    zonemode zonerange zonesize zoneskip
";

/// Returns the listed name that is `option`, if there is one.
fn listed(list: &'static str, option: &str) -> Option<&'static str> {
    list.split_ascii_whitespace().find(|name| *name == option)
}

/// Applies `option` to `builder`.
///
/// # Errors
/// A [`JobError`] for an option that is unknown or not supported, or for a wrong value.
pub(crate) fn set(
    builder: &mut JobBuilder,
    option: &str,
    value: Option<&str>,
) -> Result<(), JobError> {
    for OptionSpec(names, _, _, set) in OPTIONS {
        if let Some(name) = names.iter().find(|name| **name == option) {
            return set(builder, Value::new(name, value));
        }
    }
    if listed(WITHOUT_EFFECT, option).is_some() {
        return Ok(());
    }
    if let Some(name) = listed(UNSUPPORTED, option) {
        return Err(JobError::Unsupported(name));
    }
    Err(JobError::Unknown { option: option.to_owned(), nearest: nearest(option) })
}

/// Returns the help: a line for each option, and the names of fio's options without effect.
pub fn help() -> String {
    let rows = OPTIONS.iter().map(|OptionSpec(names, value, help, _)| {
        format!("  {:28} {help}\n", format!("{}={value}", names.join(", ")))
    });
    let rows: String = rows.collect();
    let ignored: Vec<&str> = WITHOUT_EFFECT.split_ascii_whitespace().collect();
    format!("{rows}  accepted without effect: {}", ignored.join(", "))
}

/// Returns the closest option that is at most two letters away, if there is one.
fn nearest(option: &str) -> Option<&'static str> {
    let names = OPTIONS.iter().flat_map(|OptionSpec(names, ..)| names.iter().copied());
    names
        .map(|name| (distance(option, name), name))
        .filter(|&(distance, name)| distance <= 2 && distance < name.len())
        .min()
        .map(|(_, name)| name)
}

/// Returns the Levenshtein distance: letters to add, drop or change to turn `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (1..=b.len()).collect();
    for (index, x) in a.bytes().enumerate() {
        let (mut corner, mut left) = (index, index + 1);
        for (above, y) in row.iter_mut().zip(b.bytes()) {
            let here = (corner + usize::from(x != y)).min(left + 1).min(*above + 1);
            corner = *above;
            *above = here;
            left = here;
        }
    }
    row.last().copied().unwrap_or(a.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_has_one_place() {
        let own = OPTIONS.iter().flat_map(|OptionSpec(names, ..)| names.iter().copied());
        let lists = [WITHOUT_EFFECT, UNSUPPORTED].map(str::split_ascii_whitespace);
        let mut all: Vec<&str> = own.chain(lists.into_iter().flatten()).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn help_has_a_line_for_each_option() {
        let help = help();
        assert_eq!(help.lines().count(), OPTIONS.len() + 1);
        for (line, OptionSpec(names, ..)) in help.lines().zip(OPTIONS) {
            assert!(line.len() <= 96 && names.iter().all(|name| line.contains(name)), "{line}");
        }
    }
}
