//! Xen, xenstored, the console's daemon and blkback as one deterministic simulator.
//!
//! The drivers run unchanged on [`ModelXen`], which implements their seam, [`drivers::Hypervisor`]
//! and [`drivers::Vcpu`].
//! There is one thread. Other domains run whenever the guest enters the hypervisor or sleeps; who
//! runs next, how far it gets and how long its messages take is drawn from the seed. The same seed
//! gives the same run, byte for byte, and time is simulated.
//!
//! From the bottom to the top: [`memory`], [`grants`], [`events`] and [`agenda`] are the machine;
//! [`xen`] is the hypervisor; [`xenstored`], [`console`] and [`blkback`] are the peers; [`world`]
//! steps them; [`hypervisor`] is the seam for one vCPU, [`vcpus`] for several; [`guest`] is a small
//! guest for tests, [`workload`] its checked I/O, and [`soak`] a whole life of it; [`fixture`] is
//! what tests begin with.
//!
//! The model is strict: a guest that frees a page which somebody can still reach, writes to a page
//! after it freed it, or sends what no backend may be sent, fails its test.
//!
//! ```text
//! cargo test -p model                 everything
//! cargo test -p model --test faults   the 124 classes of faults, a line for each; with `-- B13`
//!                                     one of them, with `-- ring` a group
//! cargo run --release -p model -- soak --seeds 1000
//! cargo run --release -p model -- mutants   breaks the code, and shows that the tests notice
//! ```
#![deny(unsafe_code)]

pub mod agenda;
pub mod blkback;
pub mod callgrind;
pub mod console;
pub mod events;
pub mod fixture;
pub mod grants;
pub mod guest;
pub mod hypervisor;
#[allow(unsafe_code, reason = "the one place that touches simulated guest memory")]
pub mod memory;
mod report;
pub mod soak;
pub mod vcpus;
pub mod workload;
pub mod world;
pub mod xen;
pub mod xenstored;

pub use blkback::Disk;
pub use guest::Guest;
pub use hypervisor::ModelXen;
pub use report::report;
pub use workload::{Failure, Workload};
pub use xen::{Config, GRANT_FRAMES_ROOM, GUEST};
