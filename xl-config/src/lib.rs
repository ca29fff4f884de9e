//! Guests as xl wants them described (xl.cfg(5)): the one place that writes configurations, and
//! that reads the settings and disks which a user adds.
//!
//! What a user gives is parsed, and written anew: `lexer` and `settings` read as libxlutil does,
//! `disk` its specifications of disks, and refuse what they can't read exactly. So xl sees a
//! `value` in one spelling only, and a [`Config`] says all that is in it.
#![forbid(unsafe_code)]

mod config;
mod disk;
mod lexer;
mod name;
mod settings;
mod value;

pub use config::{Config, ConfigError};
pub use disk::{Disk, DiskError};
pub use name::NameError;
pub use settings::{SettingError, Settings};
