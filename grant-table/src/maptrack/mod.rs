//! Handles of a domain's mappings, and lists of those that are free.

mod lock_free;
mod one_list;
mod per_vcpu;

use core::fmt::Debug;
use core::sync::atomic::Ordering::Relaxed;

use protocols::Atomic;
use xen_abi::{DomId, GrantRef};

use crate::config::Config;
use crate::cpu::Cpu;
use crate::values::{Access, Handle};
use crate::words::Words;

pub use lock_free::LockFree;
pub use one_list::OneList;
pub use per_vcpu::PerVcpu;

/// End of a list of handles.
pub const END: u32 = u32::MAX;

/// Free handles of a domain, to be had and given back.
pub trait FreeHandles<W: Words>: Debug + Send + Sync {
    /// Creates the lists of a domain.
    fn new(config: &Config) -> Self;

    /// Returns a free handle, which is the caller's until it is put back.
    fn get(&self, cpu: &mut Cpu, records: &Records<W>) -> Option<Handle>;

    /// Takes back a handle.
    fn put(&self, cpu: &mut Cpu, records: &Records<W>, handle: Handle);
}

/// Records of a domain's handles.
#[derive(Debug)]
pub struct Records<W: Words> {
    records: Box<[Record<W>]>,
}

/// Record of a handle, 16 bytes as Xen's.
#[derive(Debug)]
#[repr(align(16))]
struct Record<W: Words> {
    /// Mapping, or 0.
    word: W::U64,
    /// Next free handle of a list.
    next: W::U32,
    /// List that the handle belongs to.
    list: W::U32,
}

/// Mapping that a handle stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// Domain that granted.
    pub of: DomId,
    /// Its entry.
    pub gref: GrantRef,
    /// Right of the mapping.
    pub access: Access,
}

const VALID: u64 = 1 << 63;
const WRITES: u64 = 1 << 62;

impl Mapped {
    fn word(self) -> u64 {
        let writes = if self.access == Access::Write { WRITES } else { 0 };
        VALID | writes | u64::from(self.of.0) << 32 | u64::from(self.gref.0)
    }

    fn of_word(word: u64) -> Option<Self> {
        (word & VALID != 0).then_some(Self {
            of: DomId((word >> 32) as u16),
            gref: GrantRef(word as u32),
            access: if word & WRITES != 0 { Access::Write } else { Access::Read },
        })
    }
}

impl<W: Words> Records<W> {
    /// Creates the records of all handles that a domain may have; all are free, and in no list.
    pub fn new(config: &Config) -> Self {
        let record = |_| Record {
            word: W::U64::default(),
            next: W::U32::default(),
            list: W::U32::default(),
        };
        Self { records: (0..config.handles_max()).map(record).collect() }
    }

    /// Writes down what a handle stands for.
    #[inline]
    pub fn set(&self, handle: Handle, mapped: Mapped) {
        if let Some(record) = self.record(handle.0) {
            // Relaxed: who strikes it out holds the entry, which shows what came before the pin.
            record.word.store(mapped.word(), Relaxed);
        }
    }

    /// Returns what a handle stands for, for who holds the entry of that and strikes it out next.
    #[inline]
    pub fn get(&self, handle: Handle) -> Option<Mapped> {
        Mapped::of_word(self.record(handle.0)?.word.load(Relaxed))
    }

    /// Strikes out what a handle stands for, if it still is `mapped`; returns whether it was. Who
    /// holds the entry of that mapping does this.
    #[inline]
    pub fn strike(&self, handle: Handle, mapped: Mapped) -> bool {
        let Some(record) = self.record(handle.0) else { return false };
        let is_there = record.word.load(Relaxed) == mapped.word();
        if is_there {
            record.word.store(0, Relaxed);
        }
        is_there
    }

    #[inline]
    fn record(&self, handle: u32) -> Option<&Record<W>> {
        self.records.get(handle as usize)
    }

    /// Returns the handle after one in its list.
    #[inline]
    pub fn next(&self, handle: u32) -> u32 {
        self.record(handle).map_or(END, |record| record.next.load(Relaxed))
    }

    /// Sets the handle after one in its list.
    #[inline]
    pub fn set_next(&self, handle: u32, next: u32) {
        if let Some(record) = self.record(handle) {
            record.next.store(next, Relaxed);
        }
    }

    /// Returns the list that a handle belongs to.
    #[inline]
    pub fn list(&self, handle: u32) -> usize {
        self.record(handle).map_or(0, |record| record.list.load(Relaxed) as usize)
    }

    /// Makes a handle belong to a list.
    #[inline]
    pub fn set_list(&self, handle: u32, list: usize) {
        if let Some(record) = self.record(handle) {
            record.list.store(list as u32, Relaxed);
        }
    }

    /// Links the handles of a new frame to a chain of `list`; returns its first and its last.
    pub fn link(&self, config: &Config, frame: u32, list: usize) -> (u32, u32) {
        let first = frame * config.handles_per_frame;
        let last = first + config.handles_per_frame - 1;
        for handle in first..=last {
            self.set_list(handle, list);
            self.set_next(handle, if handle == last { END } else { handle + 1 });
        }
        (first, last)
    }
}
