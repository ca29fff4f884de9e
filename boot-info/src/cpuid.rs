//! Where Xen's CPUID leaves are (arch-x86/cpuid.h).

use core::arch::x86_64::CpuidResult;

use xen_abi::hypercall::{CPUID_END, CPUID_FIRST, CPUID_SIGNATURE, CPUID_STEP};

/// The leaf that tells the hypercall page's MSR, counted from the first: the last that we need.
pub const HYPERCALL_LEAF: u32 = 2;

/// The first of Xen's leaves; `None` when this is no Xen guest.
///
/// Another hypervisor's interface, such as Viridian's, may come first, so each place is tried; one
/// with too few leaves is none.
pub fn xen_leaves(cpuid: impl Fn(u32) -> CpuidResult) -> Option<u32> {
    (CPUID_FIRST..CPUID_END).step_by(CPUID_STEP as usize).find(|&base| {
        let CpuidResult { eax, ebx, ecx, edx } = cpuid(base);
        [ebx, ecx, edx] == CPUID_SIGNATURE && eax >= base + HYPERCALL_LEAF
    })
}
