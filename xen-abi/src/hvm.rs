//! HVM operations and parameters (hvm/hvm_op.h, hvm/params.h).

use core::mem::{offset_of, size_of};

/// `HVMOP_set_param`.
pub const SET_PARAM: u64 = 0;
/// `HVMOP_get_param`.
pub const GET_PARAM: u64 = 1;

/// Way in which Xen delivers event upcalls (`HVM_PARAM_CALLBACK_IRQ`).
pub const PARAM_CALLBACK_IRQ: u32 = 0;
/// Frame of the xenstore page (`HVM_PARAM_STORE_PFN`).
pub const PARAM_STORE_PFN: u32 = 1;
/// Event channel of xenstore (`HVM_PARAM_STORE_EVTCHN`).
pub const PARAM_STORE_EVTCHN: u32 = 2;
/// Frame of the console page (`HVM_PARAM_CONSOLE_PFN`).
pub const PARAM_CONSOLE_PFN: u32 = 17;
/// Event channel of the console (`HVM_PARAM_CONSOLE_EVTCHN`).
pub const PARAM_CONSOLE_EVTCHN: u32 = 18;

/// Returns the value for [`PARAM_CALLBACK_IRQ`]: each vCPU gets the vector directly, with no APIC
/// acknowledge (`HVM_PARAM_CALLBACK_TYPE_VECTOR`).
pub const fn callback_vector(vector: u8) -> u64 {
    (2 << 56) | vector as u64
}

/// Argument of [`SET_PARAM`] and [`GET_PARAM`] (`xen_hvm_param`).
#[repr(C)]
#[derive(Debug)]
pub struct HvmParam {
    /// Domain that has the parameter.
    pub domid: u16,
    /// Padding; 0.
    pub pad: u16,
    /// `PARAM_*`.
    pub index: u32,
    /// Value, in or out.
    pub value: u64,
}

const _: () = {
    assert!(size_of::<HvmParam>() == 16);
    assert!(offset_of!(HvmParam, index) == 4);
    assert!(offset_of!(HvmParam, value) == 8);
};
