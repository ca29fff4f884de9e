//! Names of fio's options that are refused, with the reason (fio 3.33, `--cmdhelp=all`, with their
//! aliases, and the options of its command line).

/// Options that are refused for one reason.
pub(super) struct Refused {
    /// Reason, and a way to fix it.
    pub(super) fix: &'static str,
    /// Names, with blanks between them.
    pub(super) names: &'static str,
}

const LEAVE_OUT: &str = "leave it out";

/// Refused options, by topic.
pub(super) const REFUSED: &[Refused] = &[
    // Beginnings, ends and rates.
    Refused { fix: "I/Os go to the disks in turn; leave it out", names: "file_service_type" },
    Refused {
        fix: "jobs do not slow each other down; give each a rate=",
        names: "flow flow_id flow_sleep",
    },
    Refused {
        fix: "the depth is not searched for; use ringmark curve, which finds latency against load",
        names: "latency_percentile latency_run latency_target latency_window",
    },
    Refused {
        fix: "latencies do not end a job; leave it out, and look at the report",
        names: "max_latency",
    },
    Refused {
        fix: "a rate that is too low does not end a job; leave it out, and look at the report",
        names: "rate_cycle rate_iops_min rate_min ratecycle ratemin",
    },
    Refused {
        fix: "pauses are part of the time of a rate, and are slept; leave it out",
        names: "rate_ignore_thinktime thinktime_blocks_type thinktime_iotime thinktime_spin",
    },
    Refused { fix: "a job waits for all before it or for none; use stonewall", names: "wait_for" },
    // All others.
    Refused {
        fix: LEAVE_OUT,
        names: "atomic block_error_percentiles buffer_compress_chunk bwavgtime create_only
            dedupe_global dedupe_mode dedupe_percentage dedupe_working_set_percentage directory
            disable_bw disable_bw_measurement disable_clat disable_lat disable_slat eta
            exec_postrun exec_prerun file_append filename_format filesize fill_device fill_fs
            fixedbufs gtod_reduce hipri ignore_error ignore_zone_limits include iomem_align
            iopsavgtime job_max_open_zones kb_base log_alternate_epoch
            log_alternate_epoch_clock_id log_compression log_compression_cpus log_entries
            log_hist_coarseness log_hist_msec log_max_value log_offset log_prio
            log_store_compressed log_unix_epoch max_open_zones mem_align merge_blktrace_file
            merge_blktrace_iters merge_blktrace_scalars minimal offset_align opendir output
            output-format pre_read profile read_beyond_wp read_iolog read_iolog_chunked readonly
            registerfiles replay_align replay_no_stall replay_redirect replay_scale replay_skip
            replay_time_scale significant_figures sqthread_poll stats status-interval
            trim_backlog trim_backlog_batch trim_percentage unified_rw_reporting unit_base
            use_os_rand write_hint write_hist_log write_iolog zone_reset_frequency
            zone_reset_threshold zonecapacity zonemode zonerange zonesize zoneskip",
    },
];
