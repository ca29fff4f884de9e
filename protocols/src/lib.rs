//! The lock-free steps of Xen's interfaces, without memory and without drivers.
//!
//! Two sides share words, and each takes its steps at any time: it stores its own word, looks at
//! the other's, and decides from what it saw whether to send an event, to sleep, or to trust what
//! it read. Each such step is here once, generic over [`Atomics`], so that the same code runs on
//! the processor's words in the guest and on a checker's words in tests.
//! - [`ring`]: publish, look, arm, of the frontend's half of a request ring.
//! - [`byte_ring`]: the byte queues of the console and of xenstore.
//! - [`clock`]: system time out of a TSC value and a line that Xen rewrites.
//! - [`events`]: the order in which a waiter clears event channels; [`timer`]: the timer behind a
//!   sleep.
//! - [`grant`]: permit and revoke of a grant entry.
//! - [`crash`]: which of several vCPUs reports a crash; [`handover`]: whether a vCPU takes the work
//!   that it is given, or comes too late; [`run_words`]: what loops on several vCPUs and the boot
//!   vCPU tell each other during a run.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod atomics;
pub mod byte_ring;
pub mod clock;
pub mod crash;
pub mod events;
pub mod grant;
pub mod handover;
pub mod ring;
pub mod run_words;
pub mod timer;

pub use atomics::{Atomic, Atomics, Native};
