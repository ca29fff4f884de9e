//! A QEMU plugin (docs/devel/tcg-plugins.rst, version 1 of the interface) that counts executed
//! instructions by whose they are: Xen's, the PV dom0's, or an HVM guest's, for one processor.
//!
//! `-plugin libqemu_count.so,out=FILE` keeps the counts in FILE, which has [`SIZE`] bytes and may
//! be read at any time: four 64-bit words, as [`Counts`] orders them.

mod counts;
#[cfg(not(test))]
mod plugin;

pub use counts::{Counts, SIZE};
