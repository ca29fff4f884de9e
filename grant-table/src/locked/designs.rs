//! The locks of the four designs with locks.

use core::fmt::Debug;

use crate::lock::{Covered, Exclusive, Lock, PerCpu, RwLock, Spin, TableLock};
use crate::maptrack::{FreeHandles, OneList, PerVcpu};
use crate::words::Words;

/// Locks of a design.
pub trait Design<W: Words>: Debug + 'static {
    /// Lock of a domain's table.
    type TableLock: TableLock<W>;
    /// Lock of an entry in use.
    type EntryLock: Lock<W>;
    /// Free handles of a domain.
    type FreeHandles: FreeHandles<W>;
    /// Whether the table's lock covers all else of its domain.
    const ONE_LOCK: bool = false;
}

/// Locks of [`SingleLock`](super::SingleLock).
#[derive(Debug)]
pub enum Single {}

impl<W: Words> Design<W> for Single {
    type TableLock = Exclusive<W>;
    type EntryLock = Covered;
    type FreeHandles = OneList<W, Covered>;
    const ONE_LOCK: bool = true;
}

/// Locks of [`SplitLocks`](super::SplitLocks).
#[derive(Debug)]
pub enum Split {}

impl<W: Words> Design<W> for Split {
    type TableLock = RwLock<W>;
    type EntryLock = Spin<W>;
    type FreeHandles = OneList<W, Spin<W>>;
}

/// Locks of [`PerVcpuHandles`](super::PerVcpuHandles).
#[derive(Debug)]
pub enum PerVcpuLists {}

impl<W: Words> Design<W> for PerVcpuLists {
    type TableLock = RwLock<W>;
    type EntryLock = Spin<W>;
    type FreeHandles = PerVcpu<W>;
}

/// Locks of [`PerCpuRwLock`](super::PerCpuRwLock).
#[derive(Debug)]
pub enum PerCpuReaders {}

impl<W: Words> Design<W> for PerCpuReaders {
    type TableLock = PerCpu<W>;
    type EntryLock = Spin<W>;
    type FreeHandles = PerVcpu<W>;
}
