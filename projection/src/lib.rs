//! Projection: what a host of another size would do with several guests that do I/O of 4 KiB
//! through blkback, computed and not measured.
//!
//! What software costs was measured and what hardware costs was published ([`Costs`]). How often an
//! I/O needs it is known or taken from a result ([`Operations`]). Who waits for whom, for
//! processors, threads and Xen's locks, is found out by a discrete-event [`simulation`] of a closed
//! network, which `network` builds. [`Projection`] has the outcome by guests, [`check`] holds it to
//! published figures. docs/projection.md has the model, its sources and its errors.
//!
//! [`grants`] is another question: what five designs of grant tables do on hosts of up to 256
//! processors, which wait for each other's cache [`lines`]; docs/grant-locking.md has its answer.
#![forbid(unsafe_code)]

mod anchors;
mod cause;
mod costs;
mod crossing;
mod curve;
pub mod grants;
pub mod lines;
mod network;
mod operations;
mod projection;
mod setup;
pub mod simulation;
mod text;

pub use anchors::{Anchor, Checked, PER_CENT_MAX, anchors, check};
pub use cause::{Cause, Whose};
pub use costs::{Costs, CostsError, Key, SHIPPED};
pub use crossing::Crossing;
pub use curve::{Curve, Limit, Point, Share};
pub use operations::{MeasuredError, Operations};
pub use projection::Projection;
pub use setup::{CPUS_MAX, Disk, GUESTS_MAX, IN_FLIGHT_MAX, Load, Setup, SetupError, System};
pub use text::{check_text, projection_text};
