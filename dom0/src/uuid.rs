//! Random UUIDs: names of domains and files that nobody can foresee.

use std::fs;

use anyhow::{Context, Result};

/// Returns a random UUID in its usual form, from the kernel.
///
/// # Errors
/// A /proc that lacks it.
pub fn random() -> Result<String> {
    let path = "/proc/sys/kernel/random/uuid";
    let uuid = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    Ok(uuid.trim().to_owned())
}
