//! Stacks with a guard page: an overflow faults, instead of writing into what lies below.
//!
//! A guard is not mapped, so no reference may cover it: who has a [`Stack`], or what holds one, has
//! a raw pointer to it, and makes references to other fields alone.

use core::mem::offset_of;

use boot_info::stack::Place;
use xen_abi::PAGE_SIZE;

/// Layout of a stack and, below it, its guard page.
#[repr(C, align(4096))]
pub struct Stack<const SIZE: usize> {
    guard: [u8; PAGE_SIZE],
    memory: [u8; SIZE],
}

impl<const SIZE: usize> Stack<SIZE> {
    /// Returns the address of the guard page.
    pub fn guard(stack: *mut Self) -> usize {
        stack.addr() + offset_of!(Self, guard)
    }

    /// Makes a stack of the memory, for vCPU `vcpu`: from here on the guard page is not mapped.
    ///
    /// # Panics
    /// When the guard lies in a large page, of which no part can be unmapped.
    ///
    /// # Safety
    /// `stack` points to such memory, which lives for ever. Nobody else uses it, and no reference
    /// that covers any of it is used from here on. No other vCPU runs.
    pub unsafe fn install(stack: *mut Self, name: &'static str, vcpu: u32) -> Place {
        const { assert!(SIZE > 0 && SIZE.is_multiple_of(PAGE_SIZE)) };
        // What runs on it, and its handlers, have its address alone.
        let bottom = stack.expose_provenance() + offset_of!(Self, memory);
        // SAFETY: the guard is a page of its own, which nobody uses; no other vCPU runs (the
        // caller's promises).
        unsafe { boot::unmap(Self::guard(stack)) };
        Place { name, vcpu, bottom, top: bottom + SIZE }
    }
}
