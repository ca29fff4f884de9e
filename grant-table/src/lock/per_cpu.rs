//! A read-write lock whose readers write only to a word of their own processor.

use core::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

use crossbeam_utils::CachePadded;
use protocols::Atomic;

use super::{RwLock, TableLock};
use crate::cpu::Cpu;
use crate::words::Words;

/// No lock, in a processor's word.
const NONE: u32 = 0;

/// Read-write lock: a reader says in its processor's word that it reads, and looks whether there is
/// a writer, who says so and then looks at the words of all processors.
#[derive(Debug)]
pub struct PerCpu<W: Words> {
    /// Lock of writers, and of readers who find one.
    lock: RwLock<W>,
    /// Whether there is a writer.
    has_writer: W::U32,
    /// Name of the lock in processors' words.
    name: u32,
}

/// Words of processors, each with the lock that it reads under.
pub type Readers<W> = Box<[CachePadded<<W as protocols::Atomics>::U32>]>;

impl<W: Words> PerCpu<W> {
    /// Takes the lock for a reader; returns whether the processor's word says so.
    #[inline]
    fn lock_read(&self, own: &W::U32) -> bool {
        if own.load(Relaxed) != NONE {
            // It reads under another lock; one word names one. No design reads under two tables'
            // locks of this kind, but a lock has to hold whoever takes it, and Xen's looks, too.
            self.lock.lock_read();
            return false;
        }
        // Release: a writer of the lock that the word named before may read this name only, and
        // must find that reading done. Relaxed would do if only one lock were ever read.
        own.store(self.name, Release);
        // Against the fence of the writer: one of the two sees the other's store.
        W::fence(SeqCst);
        if self.has_writer.load(Acquire) != 0 {
            // Release: for the writer of an earlier reading's lock, as above.
            own.store(NONE, Release);
            // Until the writer is done.
            self.lock.lock_read();
            own.store(self.name, Release);
            self.lock.unlock_read();
        }
        true
    }
}

impl<W: Words> TableLock<W> for PerCpu<W> {
    type Shared = Readers<W>;

    fn shared(cpus: usize) -> Self::Shared {
        (0..cpus).map(|_| CachePadded::default()).collect()
    }

    fn new(domain: u16) -> Self {
        Self {
            lock: RwLock::new(domain),
            has_writer: W::U32::default(),
            name: u32::from(domain) + 1,
        }
    }

    #[inline]
    fn read<R>(
        &self,
        readers: &Self::Shared,
        cpu: &mut Cpu,
        work: impl FnOnce(&mut Cpu) -> R,
    ) -> R {
        cpu.takes(self.lock.rank());
        let own = &readers[cpu.number()];
        let is_told = self.lock_read(own);
        let done = work(cpu);
        if is_told {
            own.store(NONE, Release);
        } else {
            self.lock.unlock_read();
        }
        cpu.gives_back();
        done
    }

    fn write<R>(
        &self,
        readers: &Self::Shared,
        cpu: &mut Cpu,
        work: impl FnOnce(&mut Cpu) -> R,
    ) -> R {
        cpu.takes(self.lock.rank());
        self.lock.lock_write();
        self.has_writer.store(1, Relaxed);
        W::fence(SeqCst);
        for reader in readers {
            while reader.load(Acquire) == self.name {
                W::pause();
            }
        }
        let done = work(cpu);
        self.has_writer.store(0, Release);
        self.lock.unlock_write();
        cpu.gives_back();
        done
    }
}
