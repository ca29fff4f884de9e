//! Hypercall numbers and how a guest finds Xen (xen.h, arch-x86/cpuid.h).

/// `__HYPERVISOR_memory_op`.
pub const MEMORY_OP: u64 = 12;
/// `__HYPERVISOR_xen_version`.
pub const XEN_VERSION: u64 = 17;
/// `__HYPERVISOR_grant_table_op`.
pub const GRANT_TABLE_OP: u64 = 20;
/// `__HYPERVISOR_vcpu_op`.
pub const VCPU_OP: u64 = 24;
/// `__HYPERVISOR_sched_op`.
pub const SCHED_OP: u64 = 29;
/// `__HYPERVISOR_event_channel_op`.
pub const EVENT_CHANNEL_OP: u64 = 32;
/// `__HYPERVISOR_hvm_op`.
pub const HVM_OP: u64 = 34;

/// `XENVER_version`: returns major << 16 | minor.
pub const XENVER_VERSION: u64 = 0;

/// The first CPUID leaf at which Xen's leaves may start.
pub const CPUID_FIRST: u32 = 0x4000_0000;
/// Xen's leaves start at [`CPUID_FIRST`] plus a multiple of this.
pub const CPUID_STEP: u32 = 0x100;
/// One past the last leaf at which Xen's leaves may start.
pub const CPUID_END: u32 = 0x4001_0000;
/// EBX, ECX, EDX of Xen's first leaf: "XenVMMXenVMM".
pub const CPUID_SIGNATURE: [u32; 3] = [0x566e_6558, 0x6558_4d4d, 0x4d4d_566e];

/// Size of one entry of the hypercall page, in bytes; hypercall `n` is at `n` times this.
pub const PAGE_STUB_SIZE: usize = 32;
