//! vCPU operations (vcpu.h).

use core::mem::{offset_of, size_of};

/// Most vCPUs that an HVM or PVH domain has (`HVM_MAX_VCPUS`, hvm/hvm_info_table.h).
pub const HVM_MAX_VCPUS: u32 = 128;

/// `VCPUOP_initialise`: set a vCPU's registers ([`HvmContext`](crate::hvm_vcpu::HvmContext)); once.
pub const INITIALISE: u64 = 0;
/// `VCPUOP_up`: let a vCPU run.
pub const UP: u64 = 1;
/// `VCPUOP_down`: let a vCPU run no more, until it is let again; the calling one continues there.
pub const DOWN: u64 = 2;
/// `VCPUOP_is_up`: 1 if a vCPU is let run, else 0.
pub const IS_UP: u64 = 3;
/// `VCPUOP_get_runstate_info`: how long a vCPU has been in which state.
pub const GET_RUNSTATE_INFO: u64 = 4;

/// State: it runs (`RUNSTATE_running`).
pub const RUNSTATE_RUNNING: i32 = 0;
/// State: it wants to run, and no processor is free for it (`RUNSTATE_runnable`).
pub const RUNSTATE_RUNNABLE: usize = 1;
/// State: it wants to run, and may not, as when its domain is paused (`RUNSTATE_offline`). A vCPU
/// that sleeps when its domain is paused stays blocked, until an event wakes it.
pub const RUNSTATE_OFFLINE: usize = 3;

/// Result of [`GET_RUNSTATE_INFO`] (`vcpu_runstate_info`), of a guest in 64-bit mode.
#[repr(C)]
#[derive(Debug, Default)]
pub struct RunstateInfo {
    /// `RUNSTATE_*`.
    pub state: i32,
    /// System time at which it came into that state, in nanoseconds.
    pub state_entry_time_ns: u64,
    /// Nanoseconds in each state, since it was created.
    pub time_ns: [u64; 4],
}

/// `VCPUOP_set_singleshot_timer`: raise VIRQ_TIMER once.
pub const SET_SINGLESHOT_TIMER: u64 = 8;

/// Argument of [`SET_SINGLESHOT_TIMER`] (`vcpu_set_singleshot_timer`).
#[repr(C)]
#[derive(Debug)]
pub struct SetSingleshotTimer {
    /// System time at which it fires, in nanoseconds; one in the past fires at once.
    pub timeout_abs_ns: u64,
    /// 0, or 1 to get an error for a time in the past.
    pub flags: u32,
}

const _: () = {
    assert!(size_of::<SetSingleshotTimer>() == 16);
    assert!(offset_of!(SetSingleshotTimer, flags) == 8);
    assert!(size_of::<RunstateInfo>() == 48);
    assert!(offset_of!(RunstateInfo, state_entry_time_ns) == 8);
    assert!(offset_of!(RunstateInfo, time_ns) == 16);
};
