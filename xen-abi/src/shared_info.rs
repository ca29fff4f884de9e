//! The page that Xen and the guest share (xen.h, arch-x86/xen.h).

use core::mem::{offset_of, size_of};
use core::sync::atomic::{AtomicI8, AtomicU8, AtomicU32, AtomicU64};

/// vCPUs that have their [`VcpuInfo`] in [`SharedInfo`] (`XEN_LEGACY_MAX_VCPUS`).
pub const LEGACY_MAX_VCPUS: usize = 32;

/// Line that turns a TSC value into Xen's system time (`vcpu_time_info`).
#[repr(C)]
#[derive(Debug, Default)]
pub struct VcpuTimeInfo {
    /// Version of the line: odd while Xen writes, another after each update.
    pub version: AtomicU32,
    pad0: AtomicU32,
    /// TSC when `system_time` was taken.
    pub tsc_timestamp: AtomicU64,
    /// Nanoseconds since Xen booted.
    pub system_time: AtomicU64,
    /// Nanoseconds = ((TSC << shift) * mul) >> 32.
    pub tsc_to_system_mul: AtomicU32,
    /// Left shift of the TSC difference; a right shift when negative.
    pub tsc_shift: AtomicI8,
    /// Bit 0: stable over vCPUs.
    pub flags: AtomicU8,
    pad1: [AtomicU8; 2],
}

/// Words that Xen and one vCPU share (`vcpu_info`).
#[repr(C)]
#[derive(Debug)]
pub struct VcpuInfo {
    /// Non-zero while an upcall is due.
    pub evtchn_upcall_pending: AtomicU8,
    /// Mask of upcalls; not used by HVM guests.
    pub evtchn_upcall_mask: AtomicU8,
    pad0: [AtomicU8; 6],
    /// Bit for each word of [`SharedInfo::evtchn_pending`] that has news.
    pub evtchn_pending_sel: AtomicU64,
    arch: [AtomicU64; 2],
    /// Clock.
    pub time: VcpuTimeInfo,
}

/// The shared page (`shared_info`).
#[repr(C)]
#[derive(Debug)]
pub struct SharedInfo {
    /// Words of each of the first vCPUs.
    pub vcpu_info: [VcpuInfo; LEGACY_MAX_VCPUS],
    /// Bit for each port that an event came to.
    pub evtchn_pending: [AtomicU64; 64],
    /// Bit for each port that raises no upcall.
    pub evtchn_mask: [AtomicU64; 64],
    /// Version of the wall clock: odd while Xen writes it.
    pub wc_version: AtomicU32,
    /// Wall clock at system time 0, in seconds since 1970, low word.
    pub wc_sec: AtomicU32,
    /// Nanoseconds of the wall clock.
    pub wc_nsec: AtomicU32,
    /// Seconds of the wall clock, high word.
    pub wc_sec_hi: AtomicU32,
    arch: [AtomicU64; 6],
}

const _: () = {
    assert!(size_of::<VcpuTimeInfo>() == 32);
    assert!(offset_of!(VcpuTimeInfo, tsc_timestamp) == 8);
    assert!(offset_of!(VcpuTimeInfo, system_time) == 16);
    assert!(offset_of!(VcpuTimeInfo, tsc_to_system_mul) == 24);
    assert!(offset_of!(VcpuTimeInfo, tsc_shift) == 28);
    assert!(size_of::<VcpuInfo>() == 64);
    assert!(offset_of!(VcpuInfo, evtchn_pending_sel) == 8);
    assert!(offset_of!(VcpuInfo, time) == 32);
    assert!(size_of::<SharedInfo>() == 3136);
    assert!(offset_of!(SharedInfo, evtchn_pending) == 2048);
    assert!(offset_of!(SharedInfo, evtchn_mask) == 2560);
    assert!(offset_of!(SharedInfo, wc_version) == 3072);
    assert!(offset_of!(SharedInfo, wc_sec) == 3076);
};
