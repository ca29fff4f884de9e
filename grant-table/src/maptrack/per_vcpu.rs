//! A list for each vCPU, which takes from the others when all handles are in use.

use core::sync::atomic::Ordering::Relaxed;

use crossbeam_utils::CachePadded;
use protocols::Atomic;

use super::{END, FreeHandles, Records};
use crate::config::Config;
use crate::cpu::{Cpu, Rank};
use crate::lock::{Lock, Spin};
use crate::values::Handle;
use crate::words::Words;

/// A list for each vCPU. A handle goes back to the list that it came from; one that is stolen
/// belongs to the thief from then on.
#[derive(Debug)]
pub struct PerVcpu<W: Words> {
    lists: Box<[CachePadded<List<W>>]>,
    growth: Spin<W>,
    /// Frames that are in use.
    frames: W::U32,
    config: Config,
}

/// List of free handles.
#[derive(Debug)]
struct List<W: Words> {
    lock: Spin<W>,
    head: W::U32,
}

impl<W: Words> List<W> {
    fn new() -> Self {
        let head = W::U32::default();
        head.store(END, Relaxed);
        Self { lock: Spin::default(), head }
    }

    #[inline]
    fn pop(&self, cpu: &mut Cpu, records: &Records<W>) -> Option<u32> {
        self.lock.hold(Rank::FreeList, cpu, |_| {
            let head = self.head.load(Relaxed);
            (head != END).then(|| {
                self.head.store(records.next(head), Relaxed);
                head
            })
        })
    }

    #[inline]
    fn push(&self, cpu: &mut Cpu, records: &Records<W>, first: u32, last: u32) {
        self.lock.hold(Rank::FreeList, cpu, |_| {
            records.set_next(last, self.head.load(Relaxed));
            self.head.store(first, Relaxed);
        });
    }
}

impl<W: Words> PerVcpu<W> {
    /// Adds a frame of handles to a list; returns one of them.
    fn grow(&self, cpu: &mut Cpu, records: &Records<W>, own: usize) -> Option<u32> {
        self.growth.hold(Rank::Maptrack, cpu, |cpu| {
            let frame = self.frames.load(Relaxed);
            if frame == self.config.handle_frames_max {
                return None;
            }
            self.frames.store(frame + 1, Relaxed);
            let (first, last) = records.link(&self.config, frame, own);
            if first != last {
                self.lists[own].push(cpu, records, first + 1, last);
            }
            Some(first)
        })
    }

    fn steal(&self, cpu: &mut Cpu, records: &Records<W>, own: usize) -> Option<u32> {
        let others = (1..self.lists.len()).map(|step| (own + step) % self.lists.len());
        let stolen = others.into_iter().find_map(|other| self.lists[other].pop(cpu, records))?;
        records.set_list(stolen, own);
        Some(stolen)
    }

    #[cold]
    fn get_elsewhere(&self, cpu: &mut Cpu, records: &Records<W>, own: usize) -> Option<u32> {
        self.grow(cpu, records, own).or_else(|| self.steal(cpu, records, own))
    }
}

impl<W: Words> FreeHandles<W> for PerVcpu<W> {
    fn new(config: &Config) -> Self {
        Self {
            lists: (0..config.cpus).map(|_| CachePadded::new(List::new())).collect(),
            growth: Spin::default(),
            frames: W::U32::default(),
            config: *config,
        }
    }

    #[inline]
    fn get(&self, cpu: &mut Cpu, records: &Records<W>) -> Option<Handle> {
        let own = cpu.number();
        match self.lists[own].pop(cpu, records) {
            Some(head) => Some(Handle(head)),
            None => self.get_elsewhere(cpu, records, own).map(Handle),
        }
    }

    #[inline]
    fn put(&self, cpu: &mut Cpu, records: &Records<W>, handle: Handle) {
        let list = &self.lists[records.list(handle.0)];
        list.push(cpu, records, handle.0, handle.0);
    }
}
