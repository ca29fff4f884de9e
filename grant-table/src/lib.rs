//! The hypervisor's side of grant tables, as a concurrent component with five lock designs.
//!
//! A domain shares pages by the entries of its grant table ([`Entry`]), which it changes at any
//! time by plain stores. Other domains map, copy and unmap them by hypercalls ([`GrantTables`]),
//! which run on many processors at once. What the hypervisor knows of an entry that is in use, its
//! pins, and the handles that it gave out are its own, and have to agree with the entry's marks.
//!
//! | design | table | an entry in use | handles | where from |
//! |---|---|---|---|---|
//! | [`SingleLock`] | a lock for all | | | Xen up to 4.5 |
//! | [`SplitLocks`] | [`RwLock`](lock::RwLock) | a lock each | a list | the mail of 2013 |
//! | [`PerVcpuHandles`] | the same | a lock each | a list a vCPU, stealing | Xen 4.6 |
//! | [`PerCpuRwLock`] | [`PerCpu`](lock::PerCpu) | a lock each | the same | Xen 4.7 |
//! | [`PackedWords`] | none to use it | one word | a list for each vCPU, in one word | ours |
//!
//! Left out are page tables, IOMMUs, transitive and sub-page grants, transfers, and status frames.
//! So are the 8 entries of the tool stack, which Xen keeps when the form changes, even in use:
//! their marks would have to move from one word to another while the domain stores to both, for
//! entries that no lock design treats in another way. Here they are cleared as all are, and keep
//! the form from changing while they are in use.
//!
//! The lists of 4.6 had no locks, which let a handle be stolen twice (XSA-228); these have.
//!
//! The first four are one engine ([`LockedTables`]) with other locks. All are generic over
//! [`Words`], so that a checker's words can take the place of the processor's.
#![forbid(unsafe_code)]

mod config;
mod cpu;
mod entry;
pub mod lock;
mod locked;
pub mod maptrack;
mod packed;
mod pins;
mod tables;
mod values;
mod words;

pub use config::Config;
pub use cpu::{Cpu, Rank};
pub use entry::{Entry, StillMapped};
pub use locked::{Design, LockedTables, PerCpuRwLock, PerVcpuHandles, SingleLock, SplitLocks};
pub use packed::PackedWords;
pub use tables::GrantTables;
pub use values::{Access, Handle, Mapping, Size, Status, Version};
pub use words::Words;
