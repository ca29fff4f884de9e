//! What the tests on whole volumes share.

#![allow(dead_code, reason = "each test uses a part")]

pub mod listing;
pub mod source;
