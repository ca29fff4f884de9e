//! Event channel operations (event_channel.h).

use core::mem::{offset_of, size_of};

/// `EVTCHNOP_bind_virq`.
pub const BIND_VIRQ: u64 = 1;
/// `EVTCHNOP_close`.
pub const CLOSE: u64 = 3;
/// `EVTCHNOP_send`.
pub const SEND: u64 = 4;
/// `EVTCHNOP_alloc_unbound`.
pub const ALLOC_UNBOUND: u64 = 6;
/// `EVTCHNOP_bind_ipi`.
pub const BIND_IPI: u64 = 7;
/// `EVTCHNOP_bind_vcpu`.
pub const BIND_VCPU: u64 = 8;

/// `VIRQ_TIMER` (xen.h): a timer of this vCPU fired.
pub const VIRQ_TIMER: u32 = 0;

/// Ports of the 2-level ABI on 64-bit guests (`EVTCHN_2L_NR_CHANNELS`).
pub const PORTS_2L: u32 = 4096;

/// Argument of [`ALLOC_UNBOUND`] (`evtchn_alloc_unbound`).
#[repr(C)]
#[derive(Debug)]
pub struct AllocUnbound {
    /// Domain that gets the port.
    pub dom: u16,
    /// Domain that may bind to it.
    pub remote_dom: u16,
    /// Out: new port.
    pub port: u32,
}

/// Argument of [`BIND_VIRQ`] (`evtchn_bind_virq`).
#[repr(C)]
#[derive(Debug)]
pub struct BindVirq {
    /// Virtual interrupt, `VIRQ_*`.
    pub virq: u32,
    /// vCPU that it is for.
    pub vcpu: u32,
    /// Out: the port.
    pub port: u32,
}

/// Argument of [`BIND_IPI`] (`evtchn_bind_ipi`).
#[repr(C)]
#[derive(Debug)]
pub struct BindIpi {
    /// vCPU that its events come to.
    pub vcpu: u32,
    /// Out: the port.
    pub port: u32,
}

/// Argument of [`BIND_VCPU`] (`evtchn_bind_vcpu`).
#[repr(C)]
#[derive(Debug)]
pub struct BindVcpu {
    /// Local port.
    pub port: u32,
    /// vCPU that its events come to from now on.
    pub vcpu: u32,
}

/// Argument of [`SEND`] and [`CLOSE`] (`evtchn_send`, `evtchn_close`).
#[repr(C)]
#[derive(Debug)]
pub struct PortArgument {
    /// Local port.
    pub port: u32,
}

const _: () = {
    assert!(size_of::<AllocUnbound>() == 8);
    assert!(offset_of!(AllocUnbound, port) == 4);
    assert!(size_of::<BindVirq>() == 12);
    assert!(offset_of!(BindVirq, port) == 8);
    assert!(size_of::<BindIpi>() == 8);
    assert!(offset_of!(BindIpi, port) == 4);
    assert!(size_of::<BindVcpu>() == 8);
    assert!(offset_of!(BindVcpu, vcpu) == 4);
    assert!(size_of::<PortArgument>() == 4);
};
