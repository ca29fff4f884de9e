//! Differences that are known.

/// Files that we do other work of than fio: name, what the comparison says, the reason.
pub const DIFFERENT: &[(&str, &str, &str)] = &[("244", "I/Os", PASS), ("245", "Read: ", PASS)];

/// Reason of jobs of random places and others in order: they are `time_based` and go on.
const PASS: &str = "a pass of fio's ends where a step in order meets the end, ours with its bytes";
