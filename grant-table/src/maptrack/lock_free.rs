//! A list for each vCPU, each in one word, which is changed by compare-and-swap.
//!
//! Nobody waits while there are frames to begin, or handles in any list. After the last frame was
//! begun, who finds all lists empty waits until all frames that others have begun are linked: only
//! then does it know that no handle is left. A processor that stops in between holds up these.

use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crossbeam_utils::CachePadded;
use protocols::Atomic;

use super::{END, FreeHandles, Records};
use crate::config::Config;
use crate::cpu::Cpu;
use crate::values::Handle;
use crate::words::Words;

/// A list for each vCPU, in a word each.
#[derive(Debug)]
pub struct LockFree<W: Words> {
    lists: Box<[CachePadded<List<W>>]>,
    /// Frames that are in use.
    frames: W::U32,
    /// Frames whose handles are in the lists, or have been.
    linked: W::U32,
    config: Config,
}

/// List of free handles: its first, and the number of times that one was taken, so that a list
/// whose first handle came back meanwhile is not taken for the same list.
#[derive(Debug)]
struct List<W: Words> {
    word: W::U64,
}

fn word(takes: u32, head: u32) -> u64 {
    u64::from(takes) << 32 | u64::from(head)
}

impl<W: Words> List<W> {
    fn new() -> Self {
        let new = W::U64::default();
        new.store(word(0, END), Relaxed);
        Self { word: new }
    }

    #[inline]
    fn pop(&self, records: &Records<W>) -> Option<u32> {
        // Acquire, here and after a failure: the link of the first handle.
        let mut found = self.word.load(Acquire);
        loop {
            let head = found as u32;
            if head == END {
                return None;
            }
            let takes = ((found >> 32) as u32).wrapping_add(1);
            let after = word(takes, records.next(head));
            // Relaxed: what was found is still there, and that was acquired.
            match self.word.compare_exchange(found, after, Relaxed, Acquire) {
                Ok(_) => return Some(head),
                Err(now) => found = now,
            }
        }
    }

    #[inline]
    fn push(&self, records: &Records<W>, first: u32, last: u32) {
        let mut found = self.word.load(Relaxed);
        loop {
            records.set_next(last, found as u32);
            let after = word((found >> 32) as u32, first);
            // Release: who takes the handle sees its link.
            match self.word.compare_exchange(found, after, Release, Relaxed) {
                Ok(_) => return,
                Err(now) => found = now,
            }
        }
    }
}

impl<W: Words> LockFree<W> {
    fn grow(&self, records: &Records<W>, own: usize) -> Option<u32> {
        let mut frame = self.frames.load(Relaxed);
        loop {
            if frame == self.config.handle_frames_max {
                return None;
            }
            match self.frames.compare_exchange(frame, frame + 1, Relaxed, Relaxed) {
                Ok(_) => break,
                Err(now) => frame = now,
            }
        }
        let (first, last) = records.link(&self.config, frame, own);
        if first != last {
            self.lists[own].push(records, first + 1, last);
        }
        // Release: who finds the frame here finds its handles in the list.
        self.linked.fetch_add(1, Release);
        Some(first)
    }

    /// Takes a handle from another list. There is none only after all lists were looked at with the
    /// handles of all frames in them: those of a frame that another processor has just begun are
    /// free, too, and waited for.
    fn steal(&self, records: &Records<W>, own: usize) -> Option<u32> {
        loop {
            let all_linked = self.linked.load(Acquire) == self.config.handle_frames_max;
            let mut others = (1..self.lists.len()).map(|step| (own + step) % self.lists.len());
            if let Some(stolen) = others.find_map(|other| self.lists[other].pop(records)) {
                records.set_list(stolen, own);
                return Some(stolen);
            }
            if all_linked {
                return None;
            }
            W::pause();
        }
    }

    #[cold]
    fn get_elsewhere(&self, records: &Records<W>, own: usize) -> Option<u32> {
        self.grow(records, own).or_else(|| self.steal(records, own))
    }
}

impl<W: Words> FreeHandles<W> for LockFree<W> {
    fn new(config: &Config) -> Self {
        Self {
            lists: (0..config.cpus).map(|_| CachePadded::new(List::new())).collect(),
            frames: W::U32::default(),
            linked: W::U32::default(),
            config: *config,
        }
    }

    #[inline]
    fn get(&self, cpu: &mut Cpu, records: &Records<W>) -> Option<Handle> {
        let own = cpu.number();
        match self.lists[own].pop(records) {
            Some(head) => Some(Handle(head)),
            None => self.get_elsewhere(records, own).map(Handle),
        }
    }

    #[inline]
    fn put(&self, _cpu: &mut Cpu, records: &Records<W>, handle: Handle) {
        self.lists[records.list(handle.0)].push(records, handle.0, handle.0);
    }
}
