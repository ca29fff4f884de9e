//! Options that are not fio's, and those about vCPUs.

use super::row::{Row, numbers, row, words};
use crate::affinity::CpuPolicy;
use crate::grant_mode::GrantMode;
use crate::limits::{EVENT_AFTER_MAX, POLL_US_MAX, QUEUES_MAX, SEGMENTS_MAX};
use crate::option_doc::Initial::{Nothing, Value as Same};
use crate::option_doc::Values::{Flag, NumbersOr, OneOf, Text};
use crate::option_doc::{Numbers, Unit};

/// Returns the names of the grant modes.
const fn grant_modes() -> [&'static str; 3] {
    let [one, two, three] = GrantMode::ALL;
    [one.name(), two.name(), three.name()]
}

/// Options of this topic.
#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
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
];
