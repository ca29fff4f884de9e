//! Grant tables of five designs on hosts of many processors.
//!
//! A design is a sequence of accesses to words (`designs`), which are on cache lines (`layout`).
//! `machine` lets processors run programs of these and of work, which `workload` makes. `curves`
//! has the outcome by processors, `figures` holds it to what was published, `text` shows both.

mod curves;
pub mod designs;
mod figures;
pub mod layout;
pub mod machine;
mod text;
pub mod workload;

pub use curves::{
    CASES, GrantLocks, LOCK_CPUS_MAX, LockCurve, LockPoint, LockSetupError, PageTime, SOCKETS_MAX,
};
pub use figures::{CPUS_2013, LockCheck, LockFigure, LockRatio, SEEDS};
pub use text::grant_locks_text;
