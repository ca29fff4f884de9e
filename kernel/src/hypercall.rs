//! The hypercall instruction (docs/guest-guide/x86/hypercall-abi.rst).

use core::arch::x86_64::__cpuid;
use core::arch::{asm, global_asm};
use core::fmt;
use core::ptr::{self, addr_of};

use boot_info::cpuid::HYPERCALL_LEAF;
use boot_info::memory_map::MAPPED_END;
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

// AMD's instruction with a return, in a page that is text of no other use: it is moved to where few
// tables lead (`Xen::go_far`), and not called before.
global_asm!(
    r#".pushsection .text.hypercall, "ax", @progbits"#,
    ".balign {size}",
    "hypercall_far: vmmcall; ret",
    ".balign {size}, {breakpoint}",
    ".popsection",
    size = const PAGE_SIZE,
    breakpoint = const BREAKPOINT,
);

/// The instruction `int3`.
const BREAKPOINT: u8 = 0xcc;

unsafe extern "C" {
    static hypercall_page: u8;
    /// Nothing is read by this name, for the page does not stay.
    static hypercall_far: [u8; 0];
}

/// Returns the address that the page to be moved is linked at.
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
    /// Address of `vmmcall` in the page that was moved.
    Far(usize),
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

    /// Returns whether Xen may find the instruction sooner in the page at [`far_page_origin`], once
    /// that is mapped by a huge page.
    ///
    /// Only AMD's: where Intel's exits, the processor says how long it was. AMD's may say so, too
    /// (`NRIPS`, AMD64 APM volume 3, Fn8000_000A_EDX), but Xen shows that leaf only to a guest that
    /// may have guests of its own.
    pub fn can_go_far(self) -> bool {
        matches!(self.way, Way::Here(Instruction::Vmmcall) | Way::Far(_)) && self.read_alias != 0
    }

    /// Returns the way into Xen by the page that was moved.
    ///
    /// # Safety
    /// The entry [can go](Self::can_go_far). The page is mapped at `page`, for good, to be
    /// executed.
    pub unsafe fn in_far_page(self, page: usize) -> Self {
        Self { way: Way::Far(page), ..self }
    }

    /// Returns the address of the instruction if it was moved.
    pub fn far_stub(self) -> Option<usize> {
        match self.way {
            Way::Far(stub) => Some(stub),
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
    /// the hot path, as Xen walks our page tables to it. All of ours lies below 4 GiB, of which
    /// alone there is an alias.
    #[inline]
    pub fn to_read<T>(self, argument: &T) -> u64 {
        let at = ptr::from_ref(argument).expose_provenance() as u64;
        debug_assert!(at + size_of::<T>() as u64 <= MAPPED_END);
        at + self.read_alias
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
                Way::Far(stub) => asm!(
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
            Way::Here(Instruction::Vmcall) => "vmcall in place",
            Way::Here(Instruction::Vmmcall) => "vmmcall in place",
            Way::Far(_) => "vmmcall in far text",
            Way::Page(_) => "the hypercall page",
        })?;
        f.write_str(if self.read_alias == 0 { ", without alias" } else { ", with alias" })
    }
}
