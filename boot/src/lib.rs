//! From a PVH loader (`xl`, or QEMU's `-kernel`) to an ordinary [`bootloader_api`] kernel.
//!
//! The entry code goes to long mode with the first 4 GiB mapped one to one; [`boot_info`] copies
//! and checks what the loader told and says what memory is free; then the kernel's `entry_point!`
//! function is called with a [`bootloader_api::BootInfo`]. As that has no command line in it, there
//! is [`command_line`].
//!
//! A kernel links this crate with `use boot as _;` and a linker script that keeps `.note.Xen`,
//! puts the image between `image_start` and `image_end` and all of it below 2 MiB.
#![no_std]

mod entry;

pub use entry::{command_line, memory_map, regions_from};
