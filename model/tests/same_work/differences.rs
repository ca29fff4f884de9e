//! Differences that are meant.

/// Files that we do other work of than fio: name, what the comparison says, the reason.
pub const DIFFERENT: &[(&str, &str, &str)] = &[];
