//! The options: one table of names and what each does to a job, and fio's others by name.

use super::value::{Value, VerifyWord};
use super::{Job, JobError, RANDSEED, Verify};
use crate::verify::{Method, VerifyPattern};
use alloc::borrow::ToOwned;
use alloc::vec::Vec;

/// A job on its way: with the options that mean something only next to others, in any order.
#[derive(Clone, Default)]
pub(super) struct Draft {
    pub(super) job: Job,
    randseed: Option<u64>,
    new_seed: bool,
    one_at_a_time: bool,
    verify: Option<VerifyWord>,
    verify_pattern: Option<VerifyPattern>,
    verify_interval: Option<u32>,
    verify_fatal: bool,
    no_verify_after_write: bool,
}

type Set = fn(&mut Draft, Value<'_>) -> Result<(), JobError>;

/// Every option but `name`: fio's names for it, and its effect.
const OPTIONS: &[(&[&str], Set)] = &[
    (&["rw", "readwrite"], |d, v| v.rw().map(|rw| d.job.rw = rw)),
    (&["rwmixread"], |d, v| v.percent().map(|reads| d.job.rwmixread = reads)),
    (&["rwmixwrite"], |d, v| v.percent().map(|writes| d.job.rwmixread = 100 - writes)),
    (&["bs", "blocksize"], |d, v| v.block_bytes().map(|bytes| d.job.bs_bytes = bytes)),
    (&["iodepth"], |d, v| v.iodepth().map(|depth| d.job.iodepth = depth)),
    (&["runtime"], |d, v| v.runtime_ns().map(|ns| d.job.runtime_ns = Some(ns))),
    (&["time_based"], |d, v| v.flag().map(|on| d.job.time_based = on)),
    (&["size"], |d, v| v.length().map(|size| d.job.size = Some(size))),
    (&["io_size", "io_limit"], |d, v| v.length().map(|size| d.job.io_size = Some(size))),
    (&["offset"], |d, v| v.amount().map(|offset| d.job.offset = offset)),
    (&["filename"], |d, v| v.disks().map(|disks| d.job.disks = disks)),
    (&["stonewall", "wait_for_previous"], |d, v| v.flag().map(|on| d.job.stonewall = on)),
    (&["randseed"], |d, v| v.count().map(|seed| d.randseed = Some(seed))),
    (&["randrepeat"], |d, v| v.flag().map(|repeat| d.new_seed = !repeat)),
    (&["ioengine"], |d, v| v.one_at_a_time().map(|on| d.one_at_a_time = on)),
    (&["verify"], |d, v| v.verify().map(|word| d.verify = word)),
    (&["verify_pattern"], |d, v| v.pattern().map(|bytes| d.verify_pattern = Some(bytes))),
    (&["verify_interval"], |d, v| v.block_bytes().map(|bytes| d.verify_interval = Some(bytes))),
    (&["verify_fatal"], |d, v| v.flag().map(|on| d.verify_fatal = on)),
    (&["do_verify"], |d, v| v.flag().map(|on| d.no_verify_after_write = !on)),
    (&["grants"], |d, v| v.grants().map(|grants| d.job.grants = grants)),
    (&["ringmark_poll_us"], |d, v| v.poll().map(|poll| d.job.poll = poll)),
    // These say what is so anyway; they are here for fio's command lines.
    (&["direct"], |_, v| v.must_be_on("there is no page cache to go through; use direct=1")),
    (&["norandommap"], |_, v| v.must_be_on("a random map is not kept; leave the option out")),
    (&["group_reporting"], |_, v| v.flag().map(drop)),
];

/// fio's other options (fio's manual, HOWTO).
const UNSUPPORTED: &str = "
    allow_file_create allow_mounted_write block_error_percentiles blockalign bs_is_seq_rand
    bs_unaligned bsrange bssplit buffer_compress_chunk buffer_compress_percentage buffer_pattern
    buffered clat_percentiles clocksource continue_on_error cpumask cpus_allowed
    cpus_allowed_policy create_on_open create_only create_serialize dedupe_percentage
    description directory disable_clat disable_lat disable_slat end_fsync eta exec_postrun
    exec_prerun exitall fallocate fdatasync file_service_type filename_format filesize
    fill_device fixedbufs flow fsync fsync_on_close gtod_cpu gtod_reduce hipri ignore_error
    invalidate io_submit_mode iodepth_batch iodepth_batch_complete iodepth_batch_complete_max
    iodepth_batch_complete_min iodepth_batch_submit iodepth_low iomem iomem_align ioscheduler
    kb_base lat_percentiles latency_percentile latency_target latency_window lockfile lockmem
    log_avg_msec loops max_latency mem mem_align minimal new_group nice nrfiles numa_cpu_nodes
    numa_mem_policy number_ios numjobs offset_align offset_increment opendir openfiles output
    output-format overwrite per_job_logs percentage_random percentile_list pre_read prio
    prioclass ramp_time random_distribution random_generator rate rate_cycle rate_iops
    rate_iops_min rate_min rate_process readonly refill_buffers registerfiles rw_sequencer
    scramble_buffers serialize_overlap significant_figures softrandommap sqthread_poll
    startdelay status-interval steadystate sync thinktime thinktime_blocks thread
    trim_percentage unified_rw_reporting unit_base unlink use_os_rand verify_async
    verify_backlog verify_backlog_batch verify_dump verify_offset verify_only verify_state_load
    verify_state_save verifysort write_bw_log write_hist_log write_iops_log write_lat_log
    zero_buffers zonemode zonerange zonesize zoneskip
";

/// Does what `option` says to `draft`.
pub(super) fn set(draft: &mut Draft, option: &str, value: Option<&str>) -> Result<(), JobError> {
    for (names, set) in OPTIONS {
        if let Some(name) = names.iter().find(|name| **name == option) {
            return set(draft, Value::new(name, value));
        }
    }
    if let Some(name) = UNSUPPORTED.split_ascii_whitespace().find(|name| *name == option) {
        return Err(JobError::Unsupported(name));
    }
    Err(JobError::Unknown { option: option.to_owned(), nearest: nearest(option) })
}

impl Draft {
    /// The job, if its options go together.
    pub(super) fn finish(self) -> Result<Job, JobError> {
        if let Some(fix) = self.conflict() {
            return Err(JobError::Conflict { job: self.job.name, fix });
        }
        let mixed = self.job.rw.reads() && self.job.rw.writes();
        Ok(Job {
            // What a job does not use it does not carry.
            rwmixread: if mixed { self.job.rwmixread } else { Job::default().rwmixread },
            randseed: self.randseed.or((!self.new_seed).then_some(RANDSEED)),
            verify: self.method().map(|method| Verify {
                method,
                after_write: !self.no_verify_after_write,
                fatal: self.verify_fatal,
            }),
            ..self.job
        })
    }

    fn method(&self) -> Option<Method> {
        match self.verify? {
            VerifyWord::Pattern => self.verify_pattern.clone().map(Method::Pattern),
            VerifyWord::Crc32c => {
                let interval_bytes = self.verify_interval.unwrap_or(self.job.bs_bytes);
                Some(Method::Crc32c { interval_bytes })
            }
        }
    }

    /// What does not go together, and the way out.
    fn conflict(&self) -> Option<&'static str> {
        let Self { job, verify, verify_pattern, verify_interval, .. } = self;
        let rules = [
            (
                self.one_at_a_time && job.iodepth != 1,
                "ioengine=sync and psync have one I/O in flight; use iodepth=1 or ioengine=libaio",
            ),
            (
                job.time_based && job.runtime_ns.is_none(),
                "time_based needs runtime=, for example runtime=10",
            ),
            (
                job.rw.writes() && job.disks.is_empty(),
                "a job that writes names its disks; add for example filename=/dev/xvda",
            ),
            (
                *verify == Some(VerifyWord::Pattern) && verify_pattern.is_none(),
                "verify=pattern needs verify_pattern=, for example verify_pattern=%o",
            ),
            (
                *verify != Some(VerifyWord::Pattern) && verify_pattern.is_some(),
                "verify_pattern= needs verify=pattern",
            ),
            (
                *verify != Some(VerifyWord::Crc32c) && verify_interval.is_some(),
                "verify_interval= needs verify=crc32c",
            ),
            (
                verify_interval.is_some_and(|interval| !job.bs_bytes.is_multiple_of(interval)),
                "verify_interval= must divide bs=; leave it out for one header a block",
            ),
        ];
        rules.into_iter().find_map(|(broken, fix)| broken.then_some(fix))
    }
}

/// The option that is at most two letters away, if there is one.
fn nearest(option: &str) -> Option<&'static str> {
    let names = OPTIONS.iter().flat_map(|(names, _)| names.iter().copied()).chain(["name"]);
    names
        .map(|name| (distance(option, name), name))
        .filter(|&(distance, name)| distance <= 2 && distance < name.len())
        .min()
        .map(|(_, name)| name)
}

/// Levenshtein's distance: the letters to add, drop or change on the way from `a` to `b`.
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
