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

// The instructions, each with a return, in a page that is text of no other use: it is moved to
// where few tables lead (`xen::go_far`), and not called before.
global_asm!(
    r#".pushsection .text.hypercall, "ax", @progbits"#,
    ".balign {size}",
    "hypercall_far: vmcall; ret",
    ".balign {stub}, {breakpoint}",
    "vmmcall; ret",
    ".balign {size}, {breakpoint}",
    ".popsection",
    size = const PAGE_SIZE,
    stub = const FAR_STUB_SIZE,
    breakpoint = const BREAKPOINT,
);

/// Bytes from one stub of the far page to the next.
const FAR_STUB_SIZE: usize = 16;
/// The instruction `int3`.
const BREAKPOINT: u8 = 0xcc;

unsafe extern "C" {
    static hypercall_page: u8;
    static hypercall_far: u8;
}

/// Returns the address that the page with the stubs is linked at.
pub fn far_page_origin() -> usize {
    addr_of!(hypercall_far).addr()
}

/// The way into Xen. Whoever has one can rely on Xen being there.
#[derive(Clone, Copy, Debug)]
pub struct HypercallEntry {
    way: Way,
    /// Distance from an address to where Xen reads the same memory soonest.
    read_alias: u64,
}

/// Instruction by which the guest enters Xen.
#[derive(Clone, Copy, Debug)]
enum Instruction {
    /// `vmcall`, on Intel's processors and their kin.
    Vmcall,
    /// `vmmcall`, on AMD's and Hygon's.
    Vmmcall,
}

/// Place of that instruction.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// Wherever a hypercall is made.
    Here(Instruction),
    /// In a stub at this address, in the page that was moved.
    Far(Instruction, usize),
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
        Self::by(Way::Here(match &__cpuid(0).ebx.to_le_bytes() {
            b"Auth" | b"Hygo" => Instruction::Vmmcall,
            _ => Instruction::Vmcall,
        }))
    }

    /// Returns whether the instruction can be found sooner elsewhere: in the page at
    /// [`far_page_origin`], once that is mapped by a huge page.
    pub fn can_go_far(self) -> bool {
        matches!(self.way, Way::Here(_)) && self.read_alias != 0
    }

    /// Enters Xen by the stubs in the page that was moved, from here on.
    ///
    /// # Safety
    /// The page is mapped at `page`, for good, to be executed.
    pub unsafe fn in_far_page(self, page: usize) -> Self {
        let Way::Here(instruction) = self.way else { return self };
        Self { way: Way::Far(instruction, page + instruction as usize * FAR_STUB_SIZE), ..self }
    }

    /// Returns the address of the instruction if it was moved.
    pub fn far_stub(self) -> Option<usize> {
        match self.way {
            Way::Far(_, stub) => Some(stub),
            Way::Here(_) | Way::Page(_) => None,
        }
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
                Way::Here(Instruction::Vmcall) => asm!(
                    "vmcall", inlateout("rax") rax, inlateout("rdi") first => _,
                    inlateout("rsi") second => _, inlateout("rdx") third => _,
                ),
                Way::Here(Instruction::Vmmcall) => asm!(
                    "vmmcall", inlateout("rax") rax, inlateout("rdi") first => _,
                    inlateout("rsi") second => _, inlateout("rdx") third => _,
                ),
                Way::Far(_, stub) => asm!(
                    "call {stub}", stub = in(reg) stub,
                    inlateout("rax") rax, inlateout("rdi") first => _,
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
            Way::Here(Instruction::Vmcall) | Way::Far(Instruction::Vmcall, _) => "vmcall",
            Way::Here(Instruction::Vmmcall) | Way::Far(Instruction::Vmmcall, _) => "vmmcall",
            Way::Page(_) => "the hypercall page",
        })
    }
}
