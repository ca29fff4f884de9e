//! Output of a [`Report`](results::Report) as fio prints it: `normal`, `terse`, `json` and `json+`,
//! and its logs as fio's files; and as `csv`. For hosts only: a guest prints none of them.
#![forbid(unsafe_code)]

mod csv;
mod json;
mod logs;
mod normal;
mod number;
mod origin;
mod terse;

pub use csv::csv;
pub use json::{json, json_plus};
pub use logs::{LogFile, LogsError, log_names, take_logs};
pub use normal::normal;
pub use terse::terse;
