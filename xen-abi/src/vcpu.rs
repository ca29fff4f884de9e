//! vCPU operations (vcpu.h).

use core::mem::{offset_of, size_of};

/// `VCPUOP_set_singleshot_timer`: raise VIRQ_TIMER once.
pub const SET_SINGLESHOT_TIMER: u64 = 8;

/// Argument of [`SET_SINGLESHOT_TIMER`] (`vcpu_set_singleshot_timer`).
#[repr(C)]
#[derive(Debug)]
pub struct SetSingleshotTimer {
    /// When, in nanoseconds of Xen's system time; a time in the past fires at once.
    pub timeout_abs_ns: u64,
    /// 0, or 1 to get an error for a time in the past.
    pub flags: u32,
}

const _: () = {
    assert!(size_of::<SetSingleshotTimer>() == 16);
    assert!(offset_of!(SetSingleshotTimer, flags) == 8);
};
