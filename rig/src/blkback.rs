//! Linux's block backend in dom0, and the parameters of it that steps set.

/// Directory of its parameters.
pub(crate) const PARAMETERS: &str = "/sys/module/xen_blkback/parameters";

/// Most pages that it keeps mapped for a ring (`max_persistent_grants`, by default).
pub(crate) const KEEPS_MAX: u32 = 1056;

/// Returns a command that lets it offer so many queues to guests that connect from then on, and
/// tell it when their disks appear.
pub(crate) fn offer_queues(count: u32) -> String {
    format!("echo {count} >{PARAMETERS}/max_queues")
}

/// Returns a command that lets it offer so many queues while `command` runs, and after it one, as
/// by default in a dom0 with one vCPU.
pub(crate) fn with_queues(count: u32, command: &str) -> String {
    format!("{}\n{command}\n{}", offer_queues(count), offer_queues(1))
}
