//! Names of fio's options that cannot change the result.

/// Options about Linux, fio's files, its threads and its own random numbers. There are none of
/// these here, so the options are accepted with any value.
pub(super) const WITHOUT_EFFECT: &str = "
    allow_file_create allow_mounted_write allrandrepeat cgroup cgroup_nodelete cgroup_weight
    clocksource create_fsync create_on_open create_serialize description disk_util error_dump
    experimental_verify fadvise_hint fallocate gid gtod_cpu hugepage-size invalidate iomem
    ioscheduler lockfile lockmem mem nice numa_cpu_nodes numa_mem_policy nr_files nrfiles openfiles
    overwrite per_job_logs prio prioclass slat_percentiles softrandommap sync_file_range thread
    trim_verify_zero uid unique_filename unlink unlink_each_loop verify_async verify_async_cpus
    verify_dump verify_state_save verifysort verifysort_nr write_barrier
";
