//! Stacks with a guard page: an overflow faults, instead of writing into what lies below.

use boot_info::stack::Place;
use xen_abi::PAGE_SIZE;

/// Memory for a stack and, below it, for its guard page.
#[repr(C, align(4096))]
pub struct Stack<const SIZE: usize> {
    guard: [u8; PAGE_SIZE],
    memory: [u8; SIZE],
}

impl<const SIZE: usize> Stack<SIZE> {
    /// Memory of `SIZE` bytes, a number of whole pages.
    pub const fn new() -> Self {
        const { assert!(SIZE > 0 && SIZE.is_multiple_of(PAGE_SIZE)) };
        Self { guard: [0; PAGE_SIZE], memory: [0; SIZE] }
    }

    /// Returns the address of the guard page.
    pub fn guard(&self) -> usize {
        self.guard.as_ptr().addr()
    }

    /// Makes a stack of the memory, for vCPU `vcpu`: from here on the guard page is not mapped.
    ///
    /// # Panics
    /// When the guard lies in a large page, of which no part can be unmapped.
    ///
    /// # Safety
    /// No other vCPU runs.
    pub unsafe fn install(&'static mut self, name: &'static str, vcpu: u32) -> Place {
        let bottom = self.memory.as_ptr().addr();
        // SAFETY: the guard is a page of its own, and with `self` goes the only way to reach it; no
        // other vCPU runs (the caller's promise).
        unsafe { boot::unmap(self.guard()) };
        Place { name, vcpu, bottom, top: bottom + SIZE }
    }
}
