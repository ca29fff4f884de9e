//! Attribution of instructions to Xen, dom0 and guests.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Bytes of [`Counts`].
pub const SIZE: usize = 32;

/// Addresses that no guest may use (`HYPERVISOR_VIRT_START` and `_END`, arch-x86/xen-x86_64.h): the
/// code that runs there is Xen.
const XEN: std::ops::Range<u64> = 0xffff_8000_0000_0000..0xffff_8800_0000_0000;
/// The instruction that enters an HVM guest (AMD64 manual, volume 3).
const VMRUN: [u8; 3] = [0x0f, 0x01, 0xd8];

/// Instructions since the start. A block of code that a fault or an exit ends early counts whole.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Counts {
    /// Executed by Xen.
    pub xen: AtomicU64,
    /// Executed outside of Xen and of HVM guests: by dom0, which is PV, kernel and processes.
    pub dom0: AtomicU64,
    /// Executed by HVM and PVH guests.
    pub guest: AtomicU64,
    /// Entries into HVM and PVH guests: as many as exits.
    pub entries: AtomicU64,
}

/// Facts about a block of code, known when it is translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    instructions: u32,
    is_xen: bool,
    enters_guest: bool,
}

impl Block {
    /// The block of so many instructions at an address that ends with these bytes.
    pub(crate) fn new(address: u64, instructions: u32, last: &[u8]) -> Self {
        let is_xen = XEN.contains(&address);
        Self { instructions, is_xen, enters_guest: is_xen && last == VMRUN }
    }

    /// In one word, which is never 0.
    pub(crate) fn pack(self) -> usize {
        let flag = |is: bool, bit: u32| usize::from(is) << bit;
        self.instructions as usize | flag(self.is_xen, 32) | flag(self.enters_guest, 33) | 1 << 34
    }

    pub(crate) fn unpack(word: usize) -> Self {
        let flag = |bit: u32| word >> bit & 1 != 0;
        Self { instructions: word as u32, is_xen: flag(32), enters_guest: flag(33) }
    }
}

impl Counts {
    /// The block is about to be executed; `in_guest` is the state between calls.
    pub(crate) fn execute(&self, block: Block, in_guest: &AtomicBool) {
        let counter = match (block.is_xen, in_guest.load(Ordering::Relaxed)) {
            (true, _) => {
                in_guest.store(block.enters_guest, Ordering::Relaxed);
                &self.xen
            }
            (false, true) => &self.guest,
            (false, false) => &self.dom0,
        };
        counter.fetch_add(u64::from(block.instructions), Ordering::Relaxed);
        self.entries.fetch_add(u64::from(block.enters_guest), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const XEN_TEXT: u64 = 0xffff_82d0_4020_0000;
    const LINUX_TEXT: u64 = 0xffff_ffff_8100_0000;

    #[test]
    fn each_block_is_somebodys() {
        assert_eq!(size_of::<Counts>(), SIZE);
        let (counts, in_guest) = (Counts::default(), AtomicBool::new(false));
        let run = |address, instructions, last: &[u8]| {
            let block = Block::new(address, instructions, last);
            assert_eq!(Block::unpack(block.pack()), block);
            counts.execute(block, &in_guest);
        };
        run(0x40_1000, 5, &[0x90]); // a process of dom0
        run(XEN_TEXT, 7, &[0x0f, 0x07]);
        run(LINUX_TEXT, 11, &[0x90]); // dom0's kernel
        run(XEN_TEXT, 13, &VMRUN);
        run(LINUX_TEXT, 17, &[0x90]); // the guest's kernel
        run(0x10_0000, 19, &VMRUN); // no Xen, no entry
        run(XEN_TEXT, 23, &[0x90]);
        run(LINUX_TEXT, 29, &[0x90]); // dom0 again
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        assert_eq!(read(&counts.xen), 7 + 13 + 23);
        assert_eq!(read(&counts.dom0), 5 + 11 + 29);
        assert_eq!(read(&counts.guest), 17 + 19);
        assert_eq!(read(&counts.entries), 1);
    }
}
