//! Registers that a vCPU begins with (hvm/hvm_vcpu.h).

use core::mem::{offset_of, size_of};

/// Mode: 64 bits, with flat segments (`VCPU_HVM_MODE_64B`).
pub const MODE_64: u32 = 1;

/// Registers of a vCPU in 64-bit mode (`vcpu_hvm_x86_64`).
#[repr(C)]
#[derive(Debug, Default)]
pub struct Registers64 {
    /// General register.
    pub rax: u64,
    /// General register.
    pub rcx: u64,
    /// General register.
    pub rdx: u64,
    /// General register.
    pub rbx: u64,
    /// Stack pointer.
    pub rsp: u64,
    /// General register.
    pub rbp: u64,
    /// General register.
    pub rsi: u64,
    /// General register.
    pub rdi: u64,
    /// First instruction.
    pub rip: u64,
    /// Flags.
    pub rflags: u64,
    /// Control register; paging is on.
    pub cr0: u64,
    /// Address of the page tables.
    pub cr3: u64,
    /// Control register; physical addresses are extended (PAE).
    pub cr4: u64,
    /// Extended features; long mode is on (LME).
    pub efer: u64,
}

/// Argument of `VCPUOP_initialise` (`vcpu_hvm_context`). The registers are a union of C's, whose
/// other member, for 32 bits, is the larger.
#[repr(C)]
#[derive(Debug, Default)]
pub struct HvmContext {
    /// [`MODE_64`].
    pub mode: u32,
    /// Padding; 0.
    pub pad: u32,
    /// Registers.
    pub registers: Registers64,
    /// Rest of the union; 0.
    pub rest: u64,
}

const _: () = {
    assert!(size_of::<Registers64>() == 112);
    assert!(offset_of!(Registers64, rsp) == 32);
    assert!(offset_of!(Registers64, rip) == 64);
    assert!(offset_of!(Registers64, cr0) == 80);
    assert!(offset_of!(Registers64, efer) == 104);
    assert!(size_of::<HvmContext>() == 128);
    assert!(offset_of!(HvmContext, registers) == 8);
};
