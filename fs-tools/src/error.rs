//! Errors as a command prints them: one line each.

use alloc::string::String;
use core::fmt::Display;

/// Outcome of a command; the error is one line.
pub type Result<T> = core::result::Result<T, String>;

/// Names the path that an error is about.
pub(crate) fn at<E: Display>(path: &[u8]) -> impl Fn(E) -> String {
    move |error| alloc::format!("{}: {error}", path.escape_ascii())
}
