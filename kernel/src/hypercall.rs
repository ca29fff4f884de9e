//! The hypercall instruction (docs/guest-guide/x86/hypercall-abi.rst).

use core::arch::asm;
use core::arch::x86_64::__cpuid;
use core::mem::MaybeUninit;
use core::ptr::addr_of;

use boot_info::cpuid::HYPERCALL_LEAF;
use x86_64::registers::model_specific::Msr;
use xen_abi::{Errno, PAGE_SIZE, hypercall};

/// How the guest enters Xen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// `vmcall`, on Intel's processors and their kin.
    Vmcall,
    /// `vmmcall`, on AMD's and Hygon's.
    Vmmcall,
    /// Through the stubs that Xen wrote into the hypercall page at this address.
    Page(usize),
}

impl Gate {
    /// Brings the hypercall page up, which also tells Xen that this guest is 64-bit, and chooses
    /// the gate: the page itself only if asked to, because of XSA-466.
    pub fn open(leaves: u32, use_page: bool) -> Self {
        #[repr(align(4096))]
        struct HypercallPage(MaybeUninit<[u8; PAGE_SIZE]>);
        static PAGE: spin::Mutex<HypercallPage> =
            spin::Mutex::new(HypercallPage(MaybeUninit::uninit()));
        let page = addr_of!(spin::MutexGuard::leak(PAGE.lock()).0).addr();
        // SAFETY: the MSR that Xen names for this takes the physical address of a page, which is
        // its address here; the page is ours, whole, and from now on nobody else's.
        unsafe { Msr::new(__cpuid(leaves + HYPERCALL_LEAF).ebx).write(page as u64) };
        let vendor = __cpuid(0);
        match (use_page, &vendor.ebx.to_le_bytes()) {
            (true, _) => Self::Page(page),
            (false, b"Auth" | b"Hygo") => Self::Vmmcall,
            (false, _) => Self::Vmcall,
        }
    }

    /// A hypercall with two arguments.
    ///
    /// # Errors
    /// Xen's.
    ///
    /// # Safety
    /// The hypercall, with these arguments, must be sound: a structure that `argument` points to
    /// has the operation's type and is writable where Xen writes, and no memory that Rust uses
    /// changes its meaning.
    #[inline]
    pub unsafe fn call2(self, number: u64, operation: u64, argument: u64) -> Result<u64, Errno> {
        // SAFETY: the caller's promise; Xen ignores arguments that an operation does not have.
        unsafe { self.call3(number, [operation, argument, 0]) }
    }

    /// A hypercall with three arguments.
    ///
    /// # Errors
    /// Xen's.
    ///
    /// # Safety
    /// As [`call2`](Self::call2).
    #[inline]
    pub unsafe fn call3(self, number: u64, args: [u64; 3]) -> Result<u64, Errno> {
        let [first, second, third] = args;
        let mut rax = number;
        // SAFETY: the caller answers for the operation; registers that Xen may change are clobbers.
        unsafe {
            match self {
                Self::Vmcall => asm!(
                    "vmcall", inlateout("rax") rax, inlateout("rdi") first => _,
                    inlateout("rsi") second => _, inlateout("rdx") third => _,
                ),
                Self::Vmmcall => asm!(
                    "vmmcall", inlateout("rax") rax, inlateout("rdi") first => _,
                    inlateout("rsi") second => _, inlateout("rdx") third => _,
                ),
                Self::Page(page) => asm!(
                    "call {stub}",
                    stub = in(reg) page + number as usize * hypercall::PAGE_STUB_SIZE,
                    inlateout("rax") rax, inlateout("rdi") first => _,
                    inlateout("rsi") second => _, inlateout("rdx") third => _,
                    out("rcx") _, out("r11") _,
                ),
            }
        }
        check(rax)
    }
}

/// Xen answers -errno, at most 4095 below 0.
fn check(rax: u64) -> Result<u64, Errno> {
    match (rax as i64).checked_neg() {
        Some(errno @ 1..=4095) => Err(Errno(errno as u16)),
        _ => Ok(rax),
    }
}
