//! Guests as xl wants them described (xl.cfg(5)): the one place that writes configurations, and
//! reads the settings that a user adds.
#![forbid(unsafe_code)]

mod config;
pub mod setting;

pub use config::Config;
