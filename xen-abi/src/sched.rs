//! Scheduler operations (sched.h).

use core::mem::size_of;

/// `SCHEDOP_yield`.
pub const YIELD: u64 = 0;
/// `SCHEDOP_shutdown`.
pub const SHUTDOWN: u64 = 2;

/// Reason for which a domain shuts down (`SHUTDOWN_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum ShutdownReason {
    /// Done; the domain goes away.
    Poweroff = 0,
    /// Start it again.
    Reboot = 1,
    /// Save it; the call returns after the restore.
    Suspend = 2,
    /// Failure of the guest; `on_crash` of the configuration decides.
    Crash = 3,
}

/// Argument of [`SHUTDOWN`] (`sched_shutdown`).
#[repr(C)]
#[derive(Debug)]
pub struct Shutdown {
    /// A [`ShutdownReason`].
    pub reason: u32,
}

const _: () = assert!(size_of::<Shutdown>() == 4);
