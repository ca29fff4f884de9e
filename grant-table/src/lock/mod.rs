//! Locks of the designs, all of which spin: a hypervisor has nobody else to run.

mod per_cpu;
mod rw;
mod spin;

use core::fmt::Debug;

use crate::cpu::{Cpu, Rank};
use crate::words::Words;

pub use per_cpu::PerCpu;
pub use rw::RwLock;
pub use spin::{Exclusive, Spin};

/// Lock of a table.
pub trait TableLock<W: Words>: Debug + Send + Sync {
    /// Words that the locks of all tables share.
    type Shared: Debug + Send + Sync;

    /// Creates what the locks of all tables share, for so many processors.
    fn shared(cpus: usize) -> Self::Shared;

    /// Creates the lock of the table of domain `number`.
    fn new(number: u16) -> Self;

    /// Runs `work` while the table keeps its version and its size.
    fn read<R>(&self, shared: &Self::Shared, cpu: &mut Cpu, work: impl FnOnce(&mut Cpu) -> R) -> R;

    /// Runs `work` while nobody else uses the table.
    fn write<R>(&self, shared: &Self::Shared, cpu: &mut Cpu, work: impl FnOnce(&mut Cpu) -> R)
    -> R;
}

/// Lock within a table.
pub trait Lock<W: Words>: Debug + Default + Send + Sync {
    /// Runs `work` while this processor holds the lock, whose rank is `rank`.
    fn hold<R>(&self, rank: Rank, cpu: &mut Cpu, work: impl FnOnce(&mut Cpu) -> R) -> R;
}

/// No lock: that of the table covers what is in it.
#[derive(Debug, Default)]
pub struct Covered;

impl<W: Words> Lock<W> for Covered {
    #[inline]
    fn hold<R>(&self, _rank: Rank, cpu: &mut Cpu, work: impl FnOnce(&mut Cpu) -> R) -> R {
        work(cpu)
    }
}
