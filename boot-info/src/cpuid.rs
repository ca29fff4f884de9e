//! Facts from CPUID: where Xen's leaves are (arch-x86/cpuid.h), and which pages there are.

use core::arch::x86_64::CpuidResult;

use xen_abi::hypercall::{CPUID_END, CPUID_FIRST, CPUID_SIGNATURE, CPUID_STEP};

/// The leaf with the hypercall page's MSR, counted from the first: the last that we need.
pub const HYPERCALL_LEAF: u32 = 2;

/// Returns the first of Xen's leaves; `None` when this is no Xen guest.
///
/// Another hypervisor's interface, such as Viridian's, may come first, so each place is tried; one
/// with too few leaves does not count.
pub fn xen_leaves(cpuid: impl Fn(u32) -> CpuidResult) -> Option<u32> {
    (CPUID_FIRST..CPUID_END).step_by(CPUID_STEP as usize).find(|&base| {
        let CpuidResult { eax, ebx, ecx, edx } = cpuid(base);
        [ebx, ecx, edx] == CPUID_SIGNATURE && eax >= base + HYPERCALL_LEAF
    })
}

/// Returns whether the processor can forbid the execution of a page (AMD64 APM volume 3,
/// Fn8000_0001_EDX).
///
/// Every 64-bit processor that Xen runs on can, but a tool stack may mask it.
pub fn has_nx(cpuid: impl Fn(u32) -> CpuidResult) -> bool {
    const NX: u32 = 1 << 20;
    extended_features(cpuid) & NX != 0
}

/// Returns whether the processor has pages of 1 GiB (`Page1GB`, as above).
pub fn has_huge_pages(cpuid: impl Fn(u32) -> CpuidResult) -> bool {
    const PAGE_1GB: u32 = 1 << 26;
    extended_features(cpuid) & PAGE_1GB != 0
}

/// Returns Fn8000_0001_EDX; 0 where there is no such leaf.
fn extended_features(cpuid: impl Fn(u32) -> CpuidResult) -> u32 {
    const EXTENDED: u32 = 0x8000_0000;
    if cpuid(EXTENDED).eax > EXTENDED { cpuid(EXTENDED + 1).edx } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_is_there_only_where_its_leaf_is() {
        let processor = |last, edx| {
            move |leaf| match leaf {
                0x8000_0000 => CpuidResult { eax: last, ebx: 0, ecx: 0, edx: 0 },
                0x8000_0001 => CpuidResult { eax: 0, ebx: 0, ecx: 0, edx },
                _ => panic!("leaf {leaf:#x} is not needed"),
            }
        };
        let nx = |last, edx| has_nx(processor(last, edx));
        let huge = |last, edx| has_huge_pages(processor(last, edx));
        for (has, bit) in [(&nx as &dyn Fn(u32, u32) -> bool, 1 << 20), (&huge, 1 << 26)] {
            assert!(has(0x8000_0001, bit) && has(0x8000_001f, u32::MAX));
            assert!(!has(0x8000_0001, !bit));
            // A processor without the leaf returns another's.
            assert!(!has(0x8000_0000, u32::MAX) && !has(0, u32::MAX));
        }
    }
}
