//! Stacks with a guard page: who overflows one faults, instead of writing into what lies below.

use core::fmt;
use core::ops::Range;

use xen_abi::PAGE_SIZE;

/// Memory for a stack and, below it, for its guard page.
#[repr(C, align(4096))]
pub struct Stack<const SIZE: usize> {
    guard: [u8; PAGE_SIZE],
    memory: [u8; SIZE],
}

/// Place of a stack whose guard page is not mapped.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// What runs on it.
    pub name: &'static str,
    /// Its lowest address. The page below it is the guard.
    pub bottom: usize,
    /// One past its highest address, where its use begins.
    pub top: usize,
}

impl<const SIZE: usize> Stack<SIZE> {
    /// Memory of `SIZE` bytes, a number of whole pages.
    pub const fn new() -> Self {
        const { assert!(SIZE > 0 && SIZE.is_multiple_of(PAGE_SIZE)) };
        Self { guard: [0; PAGE_SIZE], memory: [0; SIZE] }
    }

    /// Makes a stack of the memory: from here on the guard page is not mapped.
    ///
    /// # Panics
    /// When the memory lies above the first 2 MiB, whose pages alone can be unmapped one by one.
    pub fn install(&'static mut self, name: &'static str) -> Place {
        let bottom = self.memory.as_ptr().addr();
        // SAFETY: the guard is a page of its own, and with `self` goes the only way to reach it.
        unsafe { boot::unmap(self.guard.as_ptr().addr()) };
        Place { name, bottom, top: bottom + SIZE }
    }
}

impl Place {
    /// The stack that the boot code calls `main` on.
    pub fn boot() -> Self {
        let stack = boot::stack();
        Self { name: "boot", bottom: stack.start as usize, top: stack.end as usize }
    }

    /// Addresses of the guard page.
    pub fn guard(&self) -> Range<usize> {
        self.bottom - PAGE_SIZE..self.bottom
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} stack at {:#x}..{:#x}", self.name, self.bottom, self.top)
    }
}
