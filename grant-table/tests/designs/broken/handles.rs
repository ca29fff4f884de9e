//! Lists of free handles with a fault.

use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

use grant_table::lock::{Lock, Spin};
use grant_table::maptrack::{END, FreeHandles, Records};
use grant_table::{Config, Cpu, Handle, Rank, Words};
use protocols::Atomic;

fn ended<W: Words>() -> W::U32 {
    let head = W::U32::default();
    head.store(END, Relaxed);
    head
}

/// List, and its lock.
#[derive(Debug)]
struct List<W: Words, L> {
    lock: L,
    head: W::U32,
}

impl<W: Words, L: Lock<W>> List<W, L> {
    fn new() -> Self {
        Self { lock: L::default(), head: ended::<W>() }
    }

    fn pop(&self, records: &Records<W>) -> Option<u32> {
        let head = self.head.load(Relaxed);
        (head != END).then(|| {
            self.head.store(records.next(head), Relaxed);
            head
        })
    }

    fn push(&self, records: &Records<W>, first: u32, last: u32) {
        records.set_next(last, self.head.load(Relaxed));
        self.head.store(first, Relaxed);
    }

    /// Runs `work` under the lock, if it is taken at all.
    fn hold<R>(&self, takes: bool, cpu: &mut Cpu, work: impl FnOnce(&Self) -> R) -> R {
        if takes { self.lock.hold(Rank::FreeList, cpu, |_| work(self)) } else { work(self) }
    }
}

/// Lists of which a thief takes handles, or to which they are given back, without the list's lock,
/// as before the fix of XSA-228.
#[derive(Debug)]
pub struct UnlockedLists<W: Words, const STEALS_LOCKED: bool, const GIVES_LOCKED: bool> {
    lists: Box<[List<W, Spin<W>>]>,
    growth: Spin<W>,
    frames: W::U32,
    config: Config,
}

impl<W: Words, const STEALS_LOCKED: bool, const GIVES_LOCKED: bool> FreeHandles<W>
    for UnlockedLists<W, STEALS_LOCKED, GIVES_LOCKED>
{
    fn new(config: &Config) -> Self {
        Self {
            lists: (0..config.cpus).map(|_| List::new()).collect(),
            growth: Spin::default(),
            frames: W::U32::default(),
            config: *config,
        }
    }

    fn get(&self, cpu: &mut Cpu, records: &Records<W>) -> Option<Handle> {
        let own = cpu.number();
        if let Some(head) = self.lists[own].hold(true, cpu, |list| list.pop(records)) {
            return Some(Handle(head));
        }
        let new = self.growth.hold(Rank::Maptrack, cpu, |cpu| {
            let frame = self.frames.load(Relaxed);
            (frame < self.config.handle_frames_max).then(|| {
                self.frames.store(frame + 1, Relaxed);
                let (first, last) = records.link(&self.config, frame, own);
                if first != last {
                    self.lists[own].hold(true, cpu, |list| list.push(records, first + 1, last));
                }
                first
            })
        });
        let steal = |list: &List<W, Spin<W>>| {
            let head = list.hold(STEALS_LOCKED, cpu, |list| list.pop(records))?;
            records.set_list(head, own);
            Some(head)
        };
        new.or_else(|| self.lists.iter().find_map(steal)).map(Handle)
    }

    fn put(&self, cpu: &mut Cpu, records: &Records<W>, Handle(handle): Handle) {
        let list = &self.lists[records.list(handle)];
        list.hold(GIVES_LOCKED, cpu, |list| list.push(records, handle, handle));
    }
}

/// Lists that grow under their own lock, while a handle is given back under that of growth and then
/// the list's.
#[derive(Debug)]
pub struct CrossedLocks<W: Words, L> {
    lists: Box<[List<W, L>]>,
    growth: L,
    frames: W::U32,
    config: Config,
}

impl<W: Words, L: Lock<W>> FreeHandles<W> for CrossedLocks<W, L> {
    fn new(config: &Config) -> Self {
        Self {
            lists: (0..config.cpus).map(|_| List::new()).collect(),
            growth: L::default(),
            frames: W::U32::default(),
            config: *config,
        }
    }

    fn get(&self, cpu: &mut Cpu, records: &Records<W>) -> Option<Handle> {
        let own = cpu.number();
        let list = &self.lists[own];
        let grow = |_: &mut Cpu| {
            let frame = self.frames.load(Relaxed);
            (frame < self.config.handle_frames_max).then(|| {
                self.frames.store(frame + 1, Relaxed);
                let (first, last) = records.link(&self.config, frame, own);
                if first != last {
                    list.push(records, first + 1, last);
                }
                first
            })
        };
        let found = list.lock.hold(Rank::FreeList, cpu, |cpu| {
            list.pop(records).or_else(|| self.growth.hold(Rank::Maptrack, cpu, grow))
        });
        let steal = |list: &List<W, L>| {
            let head = list.lock.hold(Rank::FreeList, cpu, |_| list.pop(records))?;
            records.set_list(head, own);
            Some(head)
        };
        found.or_else(|| self.lists.iter().find_map(steal)).map(Handle)
    }

    fn put(&self, cpu: &mut Cpu, records: &Records<W>, Handle(handle): Handle) {
        let list = &self.lists[records.list(handle)];
        self.growth.hold(Rank::Maptrack, cpu, |cpu| {
            list.lock.hold(Rank::FreeList, cpu, |_| list.push(records, handle, handle));
        });
    }
}

/// Lists without locks, whose words count what was taken if `TAGS`, and which wait for a frame
/// that is being added if `WAITS`.
#[derive(Debug)]
pub struct UntaggedLists<W: Words, const TAGS: bool, const WAITS: bool> {
    lists: Box<[W::U64]>,
    frames: W::U32,
    linked: W::U32,
    config: Config,
}

impl<W: Words, const TAGS: bool, const WAITS: bool> UntaggedLists<W, TAGS, WAITS> {
    fn pop(&self, list: usize, records: &Records<W>) -> Option<u32> {
        loop {
            let found = self.lists[list].load(Acquire);
            let (tag, head) = (found >> 32, found as u32);
            if head == END {
                return None;
            }
            let next = (tag + u64::from(TAGS)) << 32 | u64::from(records.next(head));
            if self.lists[list].compare_exchange(found, next, AcqRel, Relaxed).is_ok() {
                return Some(head);
            }
        }
    }

    fn push(&self, list: usize, records: &Records<W>, first: u32, last: u32) {
        loop {
            let found = self.lists[list].load(Acquire);
            records.set_next(last, found as u32);
            let next = found >> 32 << 32 | u64::from(first);
            if self.lists[list].compare_exchange(found, next, AcqRel, Relaxed).is_ok() {
                return;
            }
        }
    }

    fn grow(&self, records: &Records<W>, own: usize) -> Option<u32> {
        let mut frame = self.frames.load(Relaxed);
        while frame < self.config.handle_frames_max {
            match self.frames.compare_exchange(frame, frame + 1, Relaxed, Relaxed) {
                Ok(_) => {
                    let (first, last) = records.link(&self.config, frame, own);
                    if first != last {
                        self.push(own, records, first + 1, last);
                    }
                    self.linked.fetch_add(1, AcqRel);
                    return Some(first);
                }
                Err(now) => frame = now,
            }
        }
        None
    }
}

impl<W: Words, const TAGS: bool, const WAITS: bool> FreeHandles<W>
    for UntaggedLists<W, TAGS, WAITS>
{
    fn new(config: &Config) -> Self {
        let list = |_| {
            let list = W::U64::default();
            list.store(END.into(), Relaxed);
            list
        };
        Self {
            lists: (0..config.cpus).map(list).collect(),
            frames: W::U32::default(),
            linked: W::U32::default(),
            config: *config,
        }
    }

    fn get(&self, cpu: &mut Cpu, records: &Records<W>) -> Option<Handle> {
        let own = cpu.number();
        if let Some(head) = self.pop(own, records).or_else(|| self.grow(records, own)) {
            return Some(Handle(head));
        }
        while WAITS && self.linked.load(Acquire) != self.config.handle_frames_max {
            W::pause();
        }
        let head = (0..self.lists.len()).find_map(|list| self.pop(list, records))?;
        records.set_list(head, own);
        Some(Handle(head))
    }

    fn put(&self, _: &mut Cpu, records: &Records<W>, Handle(handle): Handle) {
        self.push(records.list(handle), records, handle, handle);
    }
}
