//! Look-up of options in the table of those that are supported, and the names of fio's others.

use crate::builder::JobBuilder;
use crate::error::JobError;
use crate::option_doc::OptionDoc;
use crate::table::{OPTIONS, OptionSpec, option_docs};
use crate::value::Value;
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Options about Linux, fio's files, its threads and its own random numbers. There are none of
/// these here, so the options cannot change the result and are accepted with any value.
const WITHOUT_EFFECT: &str = "
    allow_file_create allow_mounted_write cgroup cgroup_nodelete cgroup_weight clocksource
    create_fsync create_on_open create_serialize description disk_util error_dump fadvise_hint
    fallocate gid gtod_cpu hugepage-size invalidate iomem ioscheduler lockfile lockmem mem nice
    numa_cpu_nodes numa_mem_policy
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
    file_service_type filename_format filesize fill_device fill_fs fixedbufs flow
    flow_id flow_sleep fsync_on_close gtod_reduce hipri ignore_error ignore_zone_limits
    include iomem_align iopsavgtime job_max_open_zones kb_base
    latency_percentile latency_run latency_target latency_window log_alternate_epoch
    log_alternate_epoch_clock_id log_compression log_compression_cpus log_entries
    log_hist_coarseness log_hist_msec log_max_value log_offset log_prio log_store_compressed
    log_unix_epoch max_latency max_open_zones mem_align merge_blktrace_file
    merge_blktrace_iters merge_blktrace_scalars minimal new_group nr_files nrfiles
    offset_align opendir output output-format percentage_random pre_read profile rate_cycle
    rate_ignore_thinktime rate_iops_min rate_min ratecycle ratemin read_beyond_wp read_iolog
    read_iolog_chunked readonly registerfiles replay_align replay_no_stall replay_redirect
    replay_scale replay_skip replay_time_scale rw_sequencer serialize_overlap
    significant_figures softrandommap sqthread_poll stats status-interval sync sync_file_range
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
    for OptionSpec { names, set, .. } in &OPTIONS {
        if let Some(name) = names.iter().find(|name| **name == option) {
            return set(builder, Value::new(name, value));
        }
    }
    without_spec(option)
}

/// Checks that an option without a place in the table may be left out.
fn without_spec(option: &str) -> Result<(), JobError> {
    if listed(WITHOUT_EFFECT, option).is_some() {
        return Ok(());
    }
    if let Some(name) = listed(UNSUPPORTED, option) {
        return Err(JobError::Unsupported(name));
    }
    Err(JobError::Unknown { option: option.to_owned(), nearest: nearest(option) })
}

/// Returns the documentation of an option; `None` if it is accepted without effect.
///
/// # Errors
/// A [`JobError`] if jobs cannot have the option.
pub fn find_option(option: &str) -> Result<Option<OptionDoc>, JobError> {
    match option_docs().find(|doc| doc.names.contains(&option)) {
        Some(doc) => Ok(Some(doc)),
        None => without_spec(option).map(|()| None),
    }
}

/// Returns the names of fio's options that are accepted without effect.
pub fn without_effect() -> impl Iterator<Item = &'static str> {
    WITHOUT_EFFECT.split_ascii_whitespace()
}

/// Returns the help: a line for each option, with its default; a second one has the words that it
/// takes. Then the names of fio's options without effect.
pub fn help() -> String {
    let lines: String = OPTIONS.iter().map(help_lines).collect();
    let ignored: Vec<&str> = without_effect().collect();
    format!("{lines}  accepted without effect: {}", ignored.join(", "))
}

fn help_lines(spec: &OptionSpec) -> String {
    const COLUMNS: usize = 96;
    const NEXT: &str = "\n                              ";
    let line =
        format!("  {:28} {}", format!("{}={}", spec.names.join(", "), spec.value), spec.help);
    let default = match spec.default {
        "" => String::new(),
        default => format!(" ({default})"),
    };
    let gap = if line.len() + default.len() > COLUMNS { NEXT } else { "" };
    match spec.words {
        [] | [_] => format!("{line}{gap}{default}\n"),
        words => format!("{line}{gap}{default}{NEXT} {}\n", words.join(", ")),
    }
}

/// Returns the closest option that is at most two letters away, if there is one.
fn nearest(option: &str) -> Option<&'static str> {
    let names = OPTIONS.iter().flat_map(|spec| spec.names.iter().copied());
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
        let own = OPTIONS.iter().flat_map(|spec| spec.names.iter().copied());
        let lists = [WITHOUT_EFFECT, UNSUPPORTED].map(str::split_ascii_whitespace);
        let mut all: Vec<&str> = own.chain(lists.into_iter().flatten()).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn help_has_all_options_in_lines_that_fit() {
        let help = help();
        assert!(help.lines().rev().skip(1).all(|line| line.len() <= 104), "{help}");
        let lines: Vec<&str> = help.lines().filter(|line| !line.starts_with("   ")).collect();
        assert_eq!(lines.len(), OPTIONS.len() + 1);
        for (line, OptionSpec { names, .. }) in lines.iter().zip(&OPTIONS) {
            assert!(names.iter().all(|name| line.contains(name)), "{line}");
        }
    }
}
