//! Ours: what the hypervisor knows of an entry's use is one word, and using a table takes no lock.
//!
//! - The word is its own lock: who uses the entry, or no longer does, swaps in
//!   `TAKEN`, changes the entry's marks and the handle's record if need be, and stores the
//!   outcome. That is one locked instruction, and one transfer of a cache line that another
//!   processor has changed.
//! - A table only grows, and its entries stay where they are, so who uses one needs no lock for it:
//!   it looks how many there are. Who pins an entry and who asks for the size read the number of
//!   frames, one word, without a lock; who grows the table stores it, under the lock of growth.
//! - Only a change of the version concerns all entries: it takes their words one by one, and gives
//!   all back if one is in use.
//! - Handles come from a list of the vCPU, which is one word. After the last frame of handles was
//!   begun, who finds none may have to wait for another processor ([`LockFree`]). A mapping ends
//!   once, since its record is looked at and struck out by who has the entry's word.

mod word;

use core::fmt;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crossbeam_utils::CachePadded;
use protocols::Atomic;
use xen_abi::{DomId, GrantRef};

use crate::config::Config;
use crate::cpu::{Cpu, Rank};
use crate::entry::Entry;
use crate::lock::{Lock, Spin};
use crate::maptrack::{FreeHandles, LockFree, Mapped, Records};
use crate::tables::GrantTables;
use crate::values::{Access, Handle, Mapping, Size, Status, Version};
use crate::words::Words;

use word::{Use, UseWord};

/// Grant tables whose users take no lock of a table, only the word of an entry.
pub struct PackedWords<W: Words> {
    domains: Box<[CachePadded<Domain<W>>]>,
    config: Config,
}

/// Tables of a domain: what it grants, and what it has mapped.
struct Domain<W: Words> {
    number: u16,
    /// Lock of growth, and of the version's change.
    admin: Spin<W>,
    /// Whether the entries are of version 2: for who holds an entry of the table.
    is_two: W::U32,
    /// Frames of the table.
    frames: W::U32,
    entries: Box<[Entry<W>]>,
    active: Box<[Active<W>]>,
    records: Records<W>,
    free: LockFree<W>,
}

/// Use of an entry. It is the hypervisor's own, so it can't lie beside the entry.
///
/// Neither of its words crosses a cache line.
#[repr(align(16))]
struct Active<W: Words> {
    word: UseWord<W>,
    /// Frame that is in use, for who has the word.
    frame: W::U32,
}

/// Entry, and its use.
struct Slot<'a, W: Words> {
    entry: &'a Entry<W>,
    active: &'a Active<W>,
    is_two: &'a W::U32,
}

impl<W: Words> Active<W> {
    fn new() -> Self {
        Self { word: UseWord::default(), frame: W::U32::default() }
    }
}

impl<W: Words> Slot<'_, W> {
    /// Takes the word, and gives it back as the outcome of `work`, which is given its use.
    #[inline]
    fn hold<R>(&self, cpu: &mut Cpu, work: impl FnOnce(Use) -> (Use, R)) -> R {
        cpu.takes(Rank::Entry);
        let (outcome, done) = work(self.active.word.take());
        self.active.word.give_back(outcome);
        cpu.gives_back();
        done
    }

    /// Uses the entry once more; returns its frame.
    #[inline]
    fn pin(&self, cpu: &mut Cpu, by: DomId, access: Access) -> Result<u32, Status> {
        self.hold(cpu, |found| {
            let pinned = self.pin_taken(found, by, access);
            (pinned.map_or(found, |(more, _)| more), pinned.map(|(_, frame)| frame))
        })
    }

    /// Returns a use with one more pin, whose marks are made, and the frame.
    #[inline]
    fn pin_taken(&self, found: Use, by: DomId, access: Access) -> Result<(Use, u32), Status> {
        let more = found.more(by, access)?;
        if found.lacks_marks(access) {
            self.entry.mark(self.version(), by, access)?;
        }
        if !found.is_free() {
            return Ok((more, self.active.frame.load(Relaxed)));
        }
        let frame = self.entry.frame();
        self.active.frame.store(frame, Relaxed);
        Ok((more, frame))
    }

    /// Ends a use of the entry, if `is_there` says that there is one, which it is asked by one
    /// caller at a time.
    #[inline]
    fn unpin(&self, cpu: &mut Cpu, access: Access, is_there: impl FnOnce() -> bool) -> bool {
        self.hold(cpu, |found| {
            let is_there = is_there();
            let left = if is_there { found.less(access) } else { found };
            if is_there && let Some(marks) = left.clears(access) {
                self.entry.clear(self.version(), marks);
            }
            (left, is_there)
        })
    }

    /// Returns the version, which stays while the caller holds an entry of the table.
    #[inline]
    fn version(&self) -> Version {
        version_of(self.is_two.load(Relaxed))
    }
}

fn version_of(is_two: u32) -> Version {
    if is_two == 0 { Version::One } else { Version::Two }
}

impl<W: Words> Domain<W> {
    fn new(number: u16, config: &Config) -> Self {
        let frames = W::U32::default();
        frames.store(config.frames, Relaxed);
        Self {
            number,
            admin: Spin::default(),
            is_two: W::U32::default(),
            frames,
            entries: (0..config.entries_max()).map(|_| Entry::default()).collect(),
            active: (0..config.entries_max()).map(|_| Active::new()).collect(),
            records: Records::new(config),
            free: LockFree::new(config),
        }
    }

    #[inline]
    fn pin(
        &self,
        cpu: &mut Cpu,
        config: &Config,
        by: DomId,
        gref: GrantRef,
        access: Access,
    ) -> Result<u32, Status> {
        // Acquire: the entries of a new frame are clear.
        if gref.0 >= self.frames.load(Acquire) * config.entries_per_frame {
            return Err(Status::BadRef);
        }
        self.slot(gref).ok_or(Status::BadRef)?.pin(cpu, by, access)
    }

    #[inline]
    fn unpin(
        &self,
        cpu: &mut Cpu,
        gref: GrantRef,
        access: Access,
        is_there: impl FnOnce() -> bool,
    ) -> bool {
        self.slot(gref).is_some_and(|slot| slot.unpin(cpu, access, is_there))
    }

    #[inline]
    fn slot(&self, gref: GrantRef) -> Option<Slot<'_, W>> {
        let place = gref.0 as usize;
        let (entry, active) = (self.entries.get(place)?, self.active.get(place)?);
        Some(Slot { entry, active, is_two: &self.is_two })
    }

    /// Runs `work` with the words of all entries, unless one is in use.
    fn hold_all(&self, cpu: &mut Cpu, work: impl FnOnce()) -> Result<(), Status> {
        // One note for all words: they are taken in one order, by one processor at a time.
        cpu.takes(Rank::Entry);
        let in_use = self.active.iter().position(|active| !active.word.freeze());
        if in_use.is_none() {
            work();
        }
        self.thaw(in_use.unwrap_or(self.active.len()));
        cpu.gives_back();
        if in_use.is_none() { Ok(()) } else { Err(Status::Busy) }
    }

    /// Gives back the words of the first entries.
    fn thaw(&self, count: usize) {
        self.active.iter().take(count).for_each(|active| active.word.give_back(Use::default()));
    }
}

impl<W: Words> PackedWords<W> {
    /// Creates the tables of all domains, of version 1 and with nothing in them.
    pub fn new(config: Config) -> Self {
        Self {
            domains: (0..config.domains)
                .map(|number| CachePadded::new(Domain::new(number, &config)))
                .collect(),
            config,
        }
    }

    #[inline]
    fn domain(&self, number: DomId) -> Result<&Domain<W>, Status> {
        Ok(self.domains.get(usize::from(number.0)).ok_or(Status::BadDomain)?)
    }
}

impl<W: Words> GrantTables<W> for PackedWords<W> {
    fn map(
        &self,
        cpu: &mut Cpu,
        by: DomId,
        of: DomId,
        gref: GrantRef,
        access: Access,
    ) -> Result<Mapping, Status> {
        let (local, remote) = (self.domain(by)?, self.domain(of)?);
        let handle = local.free.get(cpu, &local.records).ok_or(Status::Full)?;
        match remote.pin(cpu, &self.config, by, gref, access) {
            Ok(frame) => {
                local.records.set(handle, Mapped { of, gref, access });
                Ok(Mapping { handle, frame })
            }
            Err(why) => {
                local.free.put(cpu, &local.records, handle);
                Err(why)
            }
        }
    }

    fn unmap(&self, cpu: &mut Cpu, by: DomId, handle: Handle) -> Result<(), Status> {
        let local = self.domain(by)?;
        let mapped = local.records.get(handle).ok_or(Status::BadHandle)?;
        let strike = || local.records.strike(handle, mapped);
        if !self.domain(mapped.of)?.unpin(cpu, mapped.gref, mapped.access, strike) {
            return Err(Status::BadHandle);
        }
        local.free.put(cpu, &local.records, handle);
        Ok(())
    }

    fn copy(
        &self,
        cpu: &mut Cpu,
        by: DomId,
        (from, source): (DomId, GrantRef),
        (to, target): (DomId, GrantRef),
        work: &mut dyn FnMut(u32, u32),
    ) -> Result<(), Status> {
        self.domain(by)?;
        let (from, to) = (self.domain(from)?, self.domain(to)?);
        let read = from.pin(cpu, &self.config, by, source, Access::Read)?;
        let written = to.pin(cpu, &self.config, by, target, Access::Write);
        if let Ok(written) = written {
            work(read, written);
            to.unpin(cpu, target, Access::Write, || true);
        }
        from.unpin(cpu, source, Access::Read, || true);
        written.map(|_| ())
    }

    fn size(&self, _cpu: &mut Cpu, of: DomId) -> Result<Size, Status> {
        let frames = self.domain(of)?.frames.load(Relaxed);
        Ok(Size { frames, frames_max: self.config.frames_max })
    }

    fn grow(&self, cpu: &mut Cpu, of: DomId, frames: u32) -> Result<(), Status> {
        let domain = self.domain(of)?;
        if frames > self.config.frames_max {
            return Err(Status::Full);
        }
        domain.admin.hold(Rank::Table(domain.number), cpu, |_| {
            let before = domain.frames.load(Relaxed);
            if frames > before {
                let per_frame = self.config.entries_per_frame;
                let new = (before * per_frame) as usize..(frames * per_frame) as usize;
                domain.entries.get(new).into_iter().flatten().for_each(Entry::wipe);
                // Release: who finds the entries finds them clear.
                domain.frames.store(frames, Release);
            }
        });
        Ok(())
    }

    fn set_version(&self, cpu: &mut Cpu, of: DomId, version: Version) -> Result<(), Status> {
        let domain = self.domain(of)?;
        domain.admin.hold(Rank::Table(domain.number), cpu, |cpu| {
            if version_of(domain.is_two.load(Relaxed)) == version {
                return Ok(());
            }
            domain.hold_all(cpu, || {
                domain.entries.iter().for_each(Entry::wipe);
                domain.is_two.store((version == Version::Two).into(), Relaxed);
            })
        })
    }

    fn entry(&self, of: DomId, gref: GrantRef) -> Option<&Entry<W>> {
        self.domain(of).ok()?.entries.get(gref.0 as usize)
    }
}

impl<W: Words> fmt::Debug for PackedWords<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PackedWords").field("config", &self.config).finish_non_exhaustive()
    }
}
