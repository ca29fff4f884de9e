//! Places of stacks that have a guard page.

use core::fmt;
use core::ops::Range;

use xen_abi::PAGE_SIZE;

/// Place of a stack whose guard page is not mapped.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Name of what runs on it.
    pub name: &'static str,
    /// Number of the vCPU that has it.
    pub vcpu: u32,
    /// Its lowest address, in bytes. The page below it is the guard.
    pub bottom: usize,
    /// One past its highest address, where its use begins.
    pub top: usize,
}

impl Place {
    /// Returns the addresses of the guard page.
    pub fn guard(&self) -> Range<usize> {
        self.bottom.saturating_sub(PAGE_SIZE)..self.bottom
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, vcpu, bottom, top } = self;
        write!(f, "the {name} stack of vCPU {vcpu} at {bottom:#x}..{top:#x}")
    }
}
