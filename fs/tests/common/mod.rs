//! What the tests on whole volumes share.

#![allow(dead_code, reason = "each test uses a part")]

pub mod fields;
pub mod listing;
pub mod newfs;
pub mod source;
pub mod tables;
