//! Locks with a fault.

use core::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

use grant_table::lock::{Lock, RwLock, TableLock};
use grant_table::{Cpu, Rank, Words};
use protocols::{Atomic, Atomics};

/// Spinlock that notes no rank, and, if `KEEPS` is not set, lets what was done under it be late.
#[derive(Debug)]
pub struct UnrankedSpin<W: Words, const KEEPS: bool> {
    word: W::U32,
}

impl<W: Words, const KEEPS: bool> Default for UnrankedSpin<W, KEEPS> {
    fn default() -> Self {
        Self { word: W::U32::default() }
    }
}

impl<W: Words, const KEEPS: bool> Lock<W> for UnrankedSpin<W, KEEPS> {
    fn hold<R>(&self, _: Rank, cpu: &mut Cpu, work: impl FnOnce(&mut Cpu) -> R) -> R {
        while self.word.compare_exchange(0, 1, Acquire, Relaxed).is_err() {
            W::pause();
        }
        let done = work(cpu);
        self.word.store(0, if KEEPS { Release } else { Relaxed });
        done
    }
}

/// Lock of a table that its readers do not take.
#[derive(Debug)]
pub struct UnlockedReads<W: Words>(RwLock<W>);

impl<W: Words> TableLock<W> for UnlockedReads<W> {
    type Shared = ();

    fn shared(_: usize) {}

    fn new(number: u16) -> Self {
        Self(RwLock::new(number))
    }

    fn read<R>(&self, _: &(), cpu: &mut Cpu, work: impl FnOnce(&mut Cpu) -> R) -> R {
        work(cpu)
    }

    fn write<R>(&self, shared: &(), cpu: &mut Cpu, work: impl FnOnce(&mut Cpu) -> R) -> R {
        self.0.write(shared, cpu, work)
    }
}

/// Lock with a word for each processor, for one table. A reader stores its own word and looks
/// whether there is a writer, with a fence between if `FENCES`; a writer says that there is one
/// and looks at the readers' words, the other way round unless `SAYS_FIRST`.
#[derive(Debug)]
pub struct UnfencedReaders<W: Words, const FENCES: bool, const SAYS_FIRST: bool> {
    writer: W::U32,
    name: u32,
}

impl<W: Words, const FENCES: bool, const SAYS_FIRST: bool> UnfencedReaders<W, FENCES, SAYS_FIRST> {
    fn wait(&self, readers: &[W::U32]) {
        for reader in readers {
            while reader.load(Acquire) == self.name {
                W::pause();
            }
        }
    }
}

impl<W: Words, const FENCES: bool, const SAYS_FIRST: bool> TableLock<W>
    for UnfencedReaders<W, FENCES, SAYS_FIRST>
{
    type Shared = Box<[<W as Atomics>::U32]>;

    fn shared(cpus: usize) -> Self::Shared {
        (0..cpus).map(|_| W::U32::default()).collect()
    }

    fn new(number: u16) -> Self {
        Self { writer: W::U32::default(), name: u32::from(number) + 1 }
    }

    fn read<R>(&self, all: &Self::Shared, cpu: &mut Cpu, work: impl FnOnce(&mut Cpu) -> R) -> R {
        let own = &all[cpu.number()];
        loop {
            own.store(self.name, Release);
            if FENCES {
                W::fence(SeqCst);
            }
            if self.writer.load(Acquire) == 0 {
                break;
            }
            own.store(0, Release);
            while self.writer.load(Relaxed) != 0 {
                W::pause();
            }
        }
        let done = work(cpu);
        own.store(0, Release);
        done
    }

    fn write<R>(&self, all: &Self::Shared, cpu: &mut Cpu, work: impl FnOnce(&mut Cpu) -> R) -> R {
        if !SAYS_FIRST {
            self.wait(all);
        }
        while self.writer.compare_exchange(0, 1, Acquire, Relaxed).is_err() {
            W::pause();
        }
        if SAYS_FIRST {
            W::fence(SeqCst);
            self.wait(all);
        }
        let done = work(cpu);
        self.writer.store(0, Release);
        done
    }
}
