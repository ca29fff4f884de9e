//! Names of fio's options that are refused, with the reason (fio 3.33, `--cmdhelp=all`, with their
//! aliases, and the options of its command line).

/// Options that are refused for one reason.
pub(super) struct Refused {
    /// Reason, and a way to fix it.
    pub(super) fix: &'static str,
    /// Value that is taken, as it changes nothing: fio's default. Empty if there is none.
    pub(super) unless: &'static str,
    /// Names, with blanks between them.
    pub(super) names: &'static str,
}

/// Refused options, by topic.
pub(super) const REFUSED: &[Refused] = &[
    // Beginnings, ends and rates.
    Refused {
        fix: "jobs do not slow each other down; give each a rate=",
        unless: "0",
        names: "flow flow_id flow_sleep",
    },
    Refused {
        fix: "the depth is not searched for; use ringmark curve, which finds latency against load",
        unless: "0",
        names: "latency_run latency_target latency_window",
    },
    Refused {
        fix: "the depth is not searched for; leave it out",
        unless: "100",
        names: "latency_percentile",
    },
    Refused {
        fix: "a job waits for all before it or for none; use stonewall",
        unless: "",
        names: "wait_for",
    },
    // All others.
    Refused {
        fix: "there are no directories; name a disk, for example filename=/dev/xvda",
        unless: "",
        names: "directory opendir",
    },
    Refused {
        fix: "a guest has no programs; run it in dom0, before or after",
        unless: "",
        names: "exec_postrun exec_prerun",
    },
    Refused {
        fix: "no recorded I/O is repeated here; describe the load with rw=, bssplit= and rate=",
        unless: "",
        names: "merge_blktrace_file merge_blktrace_iters merge_blktrace_scalars read_iolog
            replay_align replay_redirect replay_skip",
    },
    Refused {
        fix: "no recorded I/O is repeated here; leave it out",
        unless: "0",
        names: "read_iolog_chunked replay_no_stall",
    },
    Refused {
        fix: "no recorded I/O is repeated here; leave it out",
        unless: "1",
        names: "replay_scale",
    },
    Refused {
        fix: "no recorded I/O is repeated here; leave it out",
        unless: "100",
        names: "replay_time_scale",
    },
    Refused {
        fix: "a disk here has no zones; random_distribution=zoned: makes some places more likely",
        unless: "0",
        names: "ignore_zone_limits job_max_open_zones max_open_zones read_beyond_wp
            zone_reset_frequency zone_reset_threshold zonecapacity zonerange zonesize zoneskip",
    },
    Refused {
        fix: "written data has no repeats; use buffer_pattern= for equal blocks",
        unless: "0",
        names: "dedupe_global",
    },
    Refused {
        fix: "written data has no repeats; use buffer_pattern= for equal blocks",
        unless: "repeat",
        names: "dedupe_mode",
    },
    Refused {
        fix: "written data has no repeats; use buffer_pattern= for equal blocks",
        unless: "5",
        names: "dedupe_working_set_percentage",
    },
    Refused {
        fix: "writes and trims do not mix in a job; use two jobs, one with rw=trim",
        unless: "0",
        names: "trim_backlog trim_backlog_batch",
    },
    Refused {
        fix: "use continue_on_error= to go on after errors",
        unless: "",
        names: "ignore_error",
    },
    Refused { fix: "write out the jobs of the profile", unless: "", names: "profile" },
    Refused {
        fix: "it stands on a command line, not in a job",
        unless: "",
        names: "eta include minimal output output-format readonly status-interval",
    },
];
