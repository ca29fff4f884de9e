//! The hypercall instruction (docs/guest-guide/x86/hypercall-abi.rst).

use core::arch::x86_64::__cpuid;
use core::arch::{asm, global_asm};
use core::fmt;
use core::ptr::{self, addr_of};

use boot_info::cpuid::HYPERCALL_LEAF;
use x86_64::registers::model_specific::Msr;
use xen_abi::{Errno, PAGE_SIZE, hypercall};

// Xen writes the hypercall page, past our page tables: so it is text like any other, which nobody
// can write. Until then it is made of breakpoints.
global_asm!(
    r#".pushsection .text.hypercall, "ax", @progbits"#,
    ".balign {size}",
    "hypercall_page: .skip {size}, {breakpoint}",
    ".popsection",
    size = const PAGE_SIZE,
    breakpoint = const BREAKPOINT,
);

/// The instruction `int3`.
const BREAKPOINT: u8 = 0xcc;

unsafe extern "C" {
    static hypercall_page: u8;
}

/// The way into Xen. Whoever has one can rely on Xen being there.
#[derive(Clone, Copy, Debug)]
pub struct HypercallEntry {
    way: Way,
    /// Distance from an address to where Xen reads the same memory soonest.
    read_alias: u64,
}

/// Instruction, or page, by which the guest enters Xen.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// `vmcall`, on Intel's processors and their kin.
    Vmcall,
    /// `vmmcall`, on AMD's and Hygon's.
    Vmmcall,
    /// Through the stubs that Xen wrote into the hypercall page at this address.
    Page(usize),
}

impl HypercallEntry {
    /// Chooses how to enter Xen. Unless the hypercall page is asked for, Xen is not made to write
    /// one, because of XSA-466.
    ///
    /// # Safety
    /// `leaves` is the first of Xen's CPUID leaves, so Xen is there.
    pub unsafe fn open(leaves: u32, use_page: bool) -> Self {
        if use_page {
            let page = addr_of!(hypercall_page).addr();
            // SAFETY: the MSR that Xen names for this (the caller's promise) takes the physical
            // address of a page, which is its address here; nobody else uses that page.
            unsafe { Msr::new(__cpuid(leaves + HYPERCALL_LEAF).ebx).write(page as u64) };
            return Self::by(Way::Page(page));
        }
        Self::by(match &__cpuid(0).ebx.to_le_bytes() {
            b"Auth" | b"Hygo" => Way::Vmmcall,
            _ => Way::Vmcall,
        })
    }

    fn by(way: Way) -> Self {
        Self { way, read_alias: boot::read_alias() }
    }

    /// Returns whether calls go through the hypercall page.
    pub fn uses_page(self) -> bool {
        matches!(self.way, Way::Page(_))
    }

    /// Returns whether Xen has written the hypercall page.
    pub fn has_written_page(self) -> bool {
        // SAFETY: the page is there for good; the compiler must not assume that nobody wrote it.
        unsafe { addr_of!(hypercall_page).read_volatile() != BREAKPOINT }
    }

    /// Returns the address at which Xen is to find a structure that it only reads: for those of
    /// the hot path, as Xen walks our page tables to it.
    #[inline]
    pub fn to_read<T>(self, argument: &T) -> u64 {
        ptr::from_ref(argument).expose_provenance() as u64 + self.read_alias
    }

    /// Makes a hypercall with two arguments.
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

    /// Makes a hypercall with three arguments.
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
        // SAFETY: the caller vouches for the operation; registers that Xen may change are clobbers.
        unsafe {
            match self.way {
                Way::Vmcall => asm!(
                    "vmcall", inlateout("rax") rax, inlateout("rdi") first => _,
                    inlateout("rsi") second => _, inlateout("rdx") third => _,
                ),
                Way::Vmmcall => asm!(
                    "vmmcall", inlateout("rax") rax, inlateout("rdi") first => _,
                    inlateout("rsi") second => _, inlateout("rdx") third => _,
                ),
                Way::Page(page) => asm!(
                    "call {stub}",
                    stub = in(reg) page + number as usize * hypercall::PAGE_STUB_SIZE,
                    inlateout("rax") rax, inlateout("rdi") first => _,
                    inlateout("rsi") second => _, inlateout("rdx") third => _,
                    out("rcx") _, out("r11") _,
                ),
            }
        }
        Errno::check(rax)
    }
}

impl fmt::Display for HypercallEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.way {
            Way::Vmcall => "vmcall",
            Way::Vmmcall => "vmmcall",
            Way::Page(_) => "the hypercall page",
        })
    }
}
