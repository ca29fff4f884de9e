//! From a PVH loader (`xl`, or QEMU's `-kernel`) to an ordinary [`bootloader_api`] kernel.
//!
//! The entry code goes to long mode with the first 4 GiB mapped one to one; [`boot_info`] copies
//! and checks what the loader passed and says what memory is free; pages get their rights, and
//! memory its [read-only alias](read_alias); then the kernel's `entry_point!` function is called
//! with a [`bootloader_api::BootInfo`]. What that has no place for, the command line and what is
//! wrong with the loader's information, is in [`loaded`].
//!
//! A kernel links this crate with `use boot as _;` and a linker script that keeps `.note.Xen` and
//! puts the image between `image_start` and `image_end`, all of it below 4 MiB: first the text,
//! which ends at `text_end`, then constants, which end at `constants_end`, then the rest; each
//! begins a page.
#![no_std]

mod entry;
mod paging;

pub use entry::{loaded, regions_from, stack};
pub use paging::{
    Mapping, Table, has_nx, high_mappings, is_large, map_far_text, mappings, read_alias, split,
    unmap,
};
