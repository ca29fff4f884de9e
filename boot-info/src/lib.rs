//! What the loader and Xen tell a PVH guest at its start, copied and checked.
//!
//! Nothing here touches the machine: memory, CPUID and hypercalls are the caller's, so that every
//! lie can be told to it on a host.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod cpuid;
pub mod memory_map;
pub mod paging;
pub mod special_page;
pub mod start_info;
