//! Names of fio's options that cannot change the measurement, with the values that fio takes.
//!
//! They are about Linux, fio's files, its threads, its own random numbers, and forms of its output.

use crate::error::JobError;
use crate::value::Value;

/// Options that take the same values.
pub(super) struct Ignored {
    /// Values.
    pub(super) takes: Takes,
    /// Names, with blanks between them.
    pub(super) names: &'static str,
}

/// Values of an option, as fio checks them.
#[derive(Clone, Copy)]
pub(super) enum Takes {
    /// A number, or no value.
    Flag,
    /// A number from 0 to 1.
    Bool,
    /// A number.
    Number,
    /// A number from the one to the other.
    Within(u64, u64),
    /// `-20` to `19`.
    Nice,
    /// One of these words; after a colon may be more.
    Word(&'static [&'static str]),
    /// Any text.
    Text,
    /// Any text, or none.
    TextOrNone,
    /// This value alone, which is fio's default. Any other is refused, with a reason.
    Only(&'static str, &'static str),
}

impl Takes {
    /// Checks a value.
    ///
    /// # Errors
    /// A [`JobError`] that names the right values.
    pub(super) fn check(self, value: Value<'_>) -> Result<(), JobError> {
        match self {
            Self::Flag if value.is_alone() => Ok(()),
            Self::Flag | Self::Number => value.count().map(|_| ()),
            Self::Bool => match value.count()? {
                0 | 1 => Ok(()),
                _ => Err(value.wrong("use 0 or 1")),
            },
            Self::Within(least, most) => match value.count()? {
                number if number < least => Err(value.wrong("less than fio takes")),
                number if number > most => Err(value.wrong("more than fio takes")),
                _ => Ok(()),
            },
            Self::Nice => {
                let number = value.text()?.parse::<i8>().ok();
                let known = number.filter(|number| (-20..20).contains(number));
                known.map(|_| ()).ok_or_else(|| value.wrong("use -20 to 19"))
            }
            Self::Word(words) => {
                let word = value.text()?.split([':', ',']).next().unwrap_or_default();
                let is_known = words.contains(&word);
                is_known.then_some(()).ok_or_else(|| value.wrong("not one of fio's words for it"))
            }
            Self::Text => value.text().map(|_| ()),
            Self::TextOrNone => Ok(()),
            Self::Only(right, fix) => value.must_be(right, fix),
        }
    }

    /// Returns whether the value is worth a warning: what is the default is not.
    pub(super) fn warns(self) -> bool {
        !matches!(self, Self::Only(..))
    }
}

const fn ignored(takes: Takes, names: &'static str) -> Ignored {
    Ignored { takes, names }
}

/// Options without effect, by the values that they take.
pub(super) const IGNORED: &[Ignored] = &[
    ignored(Takes::Flag, "fixedbufs hipri registerfiles sqthread_poll thread userspace_reap"),
    ignored(
        Takes::Bool,
        "allow_file_create allow_mounted_write allrandrepeat block_error_percentiles
        cgroup_nodelete create_fsync create_on_open create_serialize disable_bw
        disable_bw_measurement disable_clat disable_lat disable_slat disk_util error_dump
        experimental_verify file_append gtod_reduce invalidate log_store_compressed overwrite
        per_job_logs slat_percentiles softrandommap stats trim_verify_zero unique_filename unlink
        unlink_each_loop verify_dump verify_state_save verifysort",
    ),
    ignored(
        Takes::Number,
        "buffer_compress_chunk cmdprio cmdprio_class cmdprio_percentage force_async
        gid gtod_cpu hipri_percentage hugepage-size iomem_align lockmem
        log_alternate_epoch_clock_id log_hist_coarseness log_hist_msec mem_align nonvectored nowait
        sqthread_poll_cpu uid uncached verify_async verifysort_nr write_barrier",
    ),
    ignored(Takes::Within(0, 7), "prio"),
    ignored(Takes::Within(0, 3), "prioclass"),
    ignored(Takes::Within(1, 10), "significant_figures"),
    ignored(Takes::Within(0, 1000), "cgroup_weight"),
    ignored(Takes::Within(1024, u64::MAX), "log_compression log_entries"),
    ignored(Takes::Word(&["wait_before", "write", "wait_after"]), "sync_file_range"),
    ignored(Takes::Nice, "nice"),
    ignored(Takes::Word(&["gettimeofday", "clock_gettime", "cpu"]), "clocksource"),
    ignored(Takes::Word(&["0", "1", "random", "sequential"]), "fadvise_hint"),
    ignored(Takes::Word(&["none", "native", "posix", "keep", "truncate", "0", "1"]), "fallocate"),
    ignored(Takes::Word(&["none", "exclusive", "readwrite"]), "lockfile"),
    ignored(
        Takes::Word(&["malloc", "shm", "shmhuge", "mmap", "mmapshared", "mmaphuge"]),
        "iomem mem",
    ),
    ignored(Takes::Word(&["none", "short", "medium", "long", "extreme"]), "write_hint"),
    ignored(Takes::Word(&["0", "1", "8"]), "unit_base"),
    ignored(
        Takes::Text,
        "cgroup description filename_format ioscheduler log_compression_cpus
        numa_cpu_nodes numa_mem_policy verify_async_cpus write_iolog",
    ),
    ignored(Takes::TextOrNone, "write_hist_log"),
    ignored(Takes::Only("0", "no write here is atomic beyond a sector; leave it out"), "atomic"),
    ignored(
        Takes::Only("0", "it would do no I/O, as there are no files to make; leave it out"),
        "create_only",
    ),
    ignored(
        Takes::Only("0", "add a job that reads the disk, and stonewall to the next, instead"),
        "pre_read",
    ),
    ignored(
        Takes::Only("0", "written data has no repeats; use buffer_pattern= for equal blocks"),
        "dedupe_percentage",
    ),
    ignored(
        Takes::Only("0", "writes and trims do not mix in a job; use two jobs, one with rw=trim"),
        "trim_percentage",
    ),
    ignored(Takes::Only("0", "pauses are slept; leave it out"), "thinktime_spin"),
    ignored(
        Takes::Only("0", "pauses are part of the time of a rate; leave it out"),
        "rate_ignore_thinktime",
    ),
    ignored(Takes::Only("none", "a disk here has no zones; leave it out"), "zonemode"),
    ignored(
        Takes::Only("0", "samples of logs are means; use percentile_list= for the worst latency"),
        "log_max_value",
    ),
    ignored(
        Takes::Only("500", "samples of bandwidth and IOPS are of 500 ms; leave it out"),
        "bwavgtime iopsavgtime",
    ),
];
