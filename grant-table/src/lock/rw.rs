//! A lock for many readers or one writer.

use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use protocols::Atomic;

use super::TableLock;
use crate::cpu::{Cpu, Rank};
use crate::words::Words;

/// Writer who holds the lock or waits for its readers; below it, their number.
const WRITER: u32 = 1 << 31;

/// Read-write lock, whose readers change one word that they share. A writer who waits keeps new
/// readers out.
#[derive(Debug)]
pub struct RwLock<W: Words> {
    word: W::U32,
    domain: u16,
}

impl<W: Words> RwLock<W> {
    #[inline]
    pub(super) fn lock_read(&self) {
        while self.word.fetch_add(1, Acquire) & WRITER != 0 {
            self.unlock_read();
            while self.word.load(Relaxed) & WRITER != 0 {
                W::pause();
            }
        }
    }

    #[inline]
    pub(super) fn unlock_read(&self) {
        self.word.fetch_add(u32::MAX, Release);
    }

    pub(super) fn lock_write(&self) {
        loop {
            let found = self.word.load(Relaxed);
            let claimed = found & WRITER == 0
                && self.word.compare_exchange(found, found | WRITER, Relaxed, Relaxed).is_ok();
            if claimed {
                break;
            }
            W::pause();
        }
        // Acquire: all changes since the last writer's end were made in one step each, so this sees
        // the end of that writer and of each reader.
        while self.word.load(Acquire) != WRITER {
            W::pause();
        }
    }

    pub(super) fn unlock_write(&self) {
        // A reader who finds the writer has added itself for a moment.
        self.word.fetch_and(!WRITER, Release);
    }

    pub(super) fn rank(&self) -> Rank {
        Rank::Table(self.domain)
    }
}

impl<W: Words> TableLock<W> for RwLock<W> {
    type Shared = ();

    fn shared(_cpus: usize) {}

    fn new(domain: u16) -> Self {
        Self { word: W::U32::default(), domain }
    }

    #[inline]
    fn read<R>(&self, _shared: &(), cpu: &mut Cpu, work: impl FnOnce(&mut Cpu) -> R) -> R {
        cpu.takes(self.rank());
        self.lock_read();
        let done = work(cpu);
        self.unlock_read();
        cpu.gives_back();
        done
    }

    fn write<R>(&self, _shared: &(), cpu: &mut Cpu, work: impl FnOnce(&mut Cpu) -> R) -> R {
        cpu.takes(self.rank());
        self.lock_write();
        let done = work(cpu);
        self.unlock_write();
        cpu.gives_back();
        done
    }
}
