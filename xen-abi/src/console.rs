//! The console's page (io/console.h).

use core::mem::{offset_of, size_of};
use core::sync::atomic::{AtomicU8, AtomicU32};

/// Bytes in the ring towards the guest.
pub const IN_SIZE: usize = 1024;
/// Bytes in the ring from the guest.
pub const OUT_SIZE: usize = 2048;

/// Layout of the page (`xencons_interface`). Indices run freely, modulo 2^32.
#[repr(C)]
#[derive(Debug)]
pub struct Interface {
    /// Ring towards the guest: what is typed on the console.
    pub input: [AtomicU8; IN_SIZE],
    /// Ring from the guest: what the console is to show.
    pub output: [AtomicU8; OUT_SIZE],
    /// Bytes of `input` that the guest has taken.
    pub in_cons: AtomicU32,
    /// Bytes of `input` that the console has put.
    pub in_prod: AtomicU32,
    /// Bytes of `output` that the console has taken.
    pub out_cons: AtomicU32,
    /// Bytes of `output` that the guest has put.
    pub out_prod: AtomicU32,
}

const _: () = {
    assert!(offset_of!(Interface, output) == 1024);
    assert!(offset_of!(Interface, in_cons) == 3072);
    assert!(offset_of!(Interface, out_prod) == 3084);
    assert!(size_of::<Interface>() == 3088);
};
