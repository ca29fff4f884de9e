//! Frontends for Xen's paravirtual devices, for a guest with one loop for each vCPU.
//!
//! From the bottom to the top; nobody knows what stands after it:
//! - [`hypervisor`] and [`vcpu`]: the seam. Everything that needs a hypercall, a page or the time
//!   goes through [`Hypervisor`], for what the domain has, or [`Vcpu`], for what a vCPU has, so the
//!   same drivers run in the guest and against a model on a host.
//! - [`page`]: memory that the other side may change at any moment; [`grant_frame`], [`grant`]:
//!   pages and entries of the grant table; [`shared`]: memory and entry together, which is what can
//!   be shared.
//! - [`ring`]: requests and responses in such memory. Only `page` and `ring` hold `unsafe` code;
//!   `grant_frame` says what the one that makes its values has to promise.
//! - [`patience`]: how long a peer is waited for.
//! - [`console`], [`xenstore`]: the two byte streams that every guest has; [`control`]: what the
//!   tool stack asks by the latter; [`availability`]: the vCPUs that it grants there.
//! - [`blkfront`]: the block device: [`blkfront::handshake`] agrees with the backend on
//!   everything, [`blkfront::queue`] moves the blocks.
//!
//! The lock-free steps between the two sides, and what decides on events, are in `protocols`.
//!
//! Rules: a driver has one owner and no globals; nothing allocates after a device is connected;
//! what the other side says is copied once and checked before use, and a lie becomes an error
//! value, never a panic.
#![no_std]
#![deny(unsafe_code)]

extern crate alloc;

pub mod availability;
pub mod blkfront;
pub mod console;
pub mod control;
pub mod grant;
#[allow(unsafe_code, reason = "where a page of the grant table gets its one owner")]
pub mod grant_frame;
pub mod hypervisor;
#[allow(unsafe_code, reason = "the one place that touches shared data pages")]
pub mod page;
pub mod patience;
#[allow(unsafe_code, reason = "the one place that touches a shared request ring")]
pub mod ring;
pub mod shared;
pub mod vcpu;
pub mod xenstore;

pub use hypervisor::Hypervisor;
pub use page::{Page, PageRun};
pub use vcpu::Vcpu;
