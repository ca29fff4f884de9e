//! A spinlock.

use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use protocols::Atomic;

use super::{Lock, TableLock};
use crate::cpu::{Cpu, Rank};
use crate::words::Words;

const FREE: u32 = 0;
const HELD: u32 = 1;

/// Spinlock.
#[derive(Debug)]
pub struct Spin<W: Words> {
    word: W::U32,
}

impl<W: Words> Default for Spin<W> {
    fn default() -> Self {
        Self { word: W::U32::default() }
    }
}

impl<W: Words> Lock<W> for Spin<W> {
    #[inline]
    fn hold<R>(&self, rank: Rank, cpu: &mut Cpu, work: impl FnOnce(&mut Cpu) -> R) -> R {
        cpu.takes(rank);
        while self.word.compare_exchange(FREE, HELD, Acquire, Relaxed).is_err() {
            // Without a write, while it is another's: the line stays shared.
            while self.word.load(Relaxed) != FREE {
                W::pause();
            }
        }
        let done = work(cpu);
        self.word.store(FREE, Release);
        cpu.gives_back();
        done
    }
}

/// Lock of a table that all operations hold alone.
#[derive(Debug)]
pub struct Exclusive<W: Words> {
    lock: Spin<W>,
    domain: u16,
}

impl<W: Words> TableLock<W> for Exclusive<W> {
    type Shared = ();

    fn shared(_cpus: usize) {}

    fn new(domain: u16) -> Self {
        Self { lock: Spin::default(), domain }
    }

    #[inline]
    fn read<R>(&self, shared: &(), cpu: &mut Cpu, work: impl FnOnce(&mut Cpu) -> R) -> R {
        self.write(shared, cpu, work)
    }

    #[inline]
    fn write<R>(&self, _shared: &(), cpu: &mut Cpu, work: impl FnOnce(&mut Cpu) -> R) -> R {
        self.lock.hold(Rank::Table(self.domain), cpu, work)
    }
}
