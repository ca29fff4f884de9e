//! The guest's machine as data: what the loader and Xen say at its start, copied and checked;
//! what memory is whose, and the rights of each page; the report of an exception.
//!
//! Nothing here touches the machine: memory, CPUID, registers and hypercalls are the caller's, so
//! that a test on a host can lie about every one of them.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod cpuid;
pub mod exception;
pub mod frames;
pub mod layout;
pub mod memory_map;
pub mod paging;
pub mod special_page;
pub mod stack;
pub mod start_info;
