//! The designs with locks: one engine, with the locks of a design.

mod active;
mod designs;

use core::fmt;
use core::sync::atomic::Ordering::Relaxed;

use crossbeam_utils::CachePadded;
use protocols::Atomic;
use xen_abi::{DomId, GrantRef};

use crate::config::Config;
use crate::cpu::{Cpu, Rank};
use crate::entry::Entry;
use crate::lock::{Lock, TableLock};
use crate::maptrack::{FreeHandles, Mapped, Records};
use crate::tables::GrantTables;
use crate::values::{Access, Handle, Mapping, Size, Status, Version};
use crate::words::Words;

use active::Active;
pub use designs::Design;
use designs::{PerCpuReaders, PerVcpuLists, Single, Split};

/// Grant tables with the locks of a design.
pub struct LockedTables<W: Words, D: Design<W>> {
    domains: Box<[CachePadded<Domain<W, D>>]>,
    shared: <D::TableLock as TableLock<W>>::Shared,
    config: Config,
}

/// Grant tables with a lock for all of a table.
pub type SingleLock<W> = LockedTables<W, Single>;
/// Grant tables with a read-write lock for the table, a lock for each entry in use, and one for all
/// handles.
pub type SplitLocks<W> = LockedTables<W, Split>;
/// Grant tables as [`SplitLocks`], with a list of handles for each vCPU.
pub type PerVcpuHandles<W> = LockedTables<W, PerVcpuLists>;
/// Grant tables as [`PerVcpuHandles`], with a lock for the table whose readers share no word.
pub type PerCpuRwLock<W> = LockedTables<W, PerCpuReaders>;

/// Tables of a domain: what it grants, and what it has mapped.
struct Domain<W: Words, D: Design<W>> {
    lock: D::TableLock,
    /// Whether the entries are of version 2.
    is_two: W::U32,
    /// Frames of the table.
    frames: W::U32,
    entries: Box<[Entry<W>]>,
    active: Box<[Active<W, D::EntryLock>]>,
    records: Records<W>,
    free: D::FreeHandles,
}

/// Entry, and what is known of its use.
type InTable<'a, W, D> = (&'a Entry<W>, &'a Active<W, <D as Design<W>>::EntryLock>);

impl<W: Words, D: Design<W>> Domain<W, D> {
    fn new(number: u16, config: &Config) -> Self {
        let count = config.entries_max();
        let frames = W::U32::default();
        frames.store(config.frames, Relaxed);
        Self {
            lock: TableLock::new(number),
            is_two: W::U32::default(),
            frames,
            entries: (0..count).map(|_| Entry::default()).collect(),
            active: (0..count).map(|_| Active::default()).collect(),
            records: Records::new(config),
            free: FreeHandles::new(config),
        }
    }

    /// Returns the version, under the table's lock.
    #[inline]
    fn version(&self) -> Version {
        if self.is_two.load(Relaxed) == 0 { Version::One } else { Version::Two }
    }

    /// Uses an entry once more, under the table's lock; returns its frame.
    #[inline]
    fn acquire(
        &self,
        cpu: &mut Cpu,
        config: &Config,
        by: DomId,
        gref: GrantRef,
        access: Access,
        then: impl FnOnce(),
    ) -> Result<u32, Status> {
        if gref.0 >= self.frames.load(Relaxed) * config.entries_per_frame {
            return Err(Status::BadRef);
        }
        let place = gref.0 as usize;
        let (entry, active) = self.at(place).ok_or(Status::BadRef)?;
        let version = self.version();
        active.lock.hold(Rank::Entry, cpu, |_| {
            let frame = active.pin(entry, version, by, access)?;
            then();
            Ok(frame)
        })
    }

    /// Ends a use of an entry, under the table's lock, if `is_there` says that there is one.
    #[inline]
    fn release(
        &self,
        cpu: &mut Cpu,
        gref: GrantRef,
        access: Access,
        is_there: impl FnOnce() -> bool,
    ) -> bool {
        let Some((entry, active)) = self.at(gref.0 as usize) else { return false };
        let version = self.version();
        active.lock.hold(Rank::Entry, cpu, |_| {
            let found = is_there();
            if found {
                active.unpin(entry, version, access);
            }
            found
        })
    }

    #[inline]
    fn at(&self, place: usize) -> Option<InTable<'_, W, D>> {
        self.entries.get(place).zip(self.active.get(place))
    }
}

impl<W: Words, D: Design<W>> LockedTables<W, D> {
    /// Creates the tables of all domains, of version 1 and with nothing in them.
    pub fn new(config: Config) -> Self {
        Self {
            domains: (0..config.domains)
                .map(|number| CachePadded::new(Domain::new(number, &config)))
                .collect(),
            shared: <D::TableLock as TableLock<W>>::shared(config.cpus),
            config,
        }
    }

    #[inline]
    fn domain(&self, number: DomId) -> Result<&Domain<W, D>, Status> {
        Ok(self.domains.get(usize::from(number.0)).ok_or(Status::BadDomain)?)
    }

    #[inline]
    fn read<R>(&self, domain: &Domain<W, D>, cpu: &mut Cpu, work: impl FnOnce(&mut Cpu) -> R) -> R {
        domain.lock.read(&self.shared, cpu, work)
    }

    /// Returns a free handle of a domain.
    #[inline]
    fn get(&self, local: &Domain<W, D>, cpu: &mut Cpu) -> Result<Handle, Status> {
        let get = |cpu: &mut Cpu| local.free.get(cpu, &local.records);
        let found = if D::ONE_LOCK { self.read(local, cpu, get) } else { get(cpu) };
        found.ok_or(Status::Full)
    }

    /// Runs `work` under the locks that a mapping's end needs: that of the grantor, or of both.
    #[inline]
    fn ending<R>(
        &self,
        cpu: &mut Cpu,
        [by, of]: [DomId; 2],
        work: impl FnOnce(&mut Cpu) -> R,
    ) -> Result<R, Status> {
        let remote = self.domain(of)?;
        if !D::ONE_LOCK || by == of {
            return Ok(self.read(remote, cpu, work));
        }
        let local = self.domain(by)?;
        let [first, second] = if by.0 < of.0 { [local, remote] } else { [remote, local] };
        Ok(self.read(first, cpu, |cpu| self.read(second, cpu, work)))
    }

    /// Uses an entry for a copy; returns its frame.
    fn acquire(
        &self,
        cpu: &mut Cpu,
        by: DomId,
        (of, gref): (DomId, GrantRef),
        access: Access,
    ) -> Result<u32, Status> {
        let remote = self.domain(of)?;
        self.read(remote, cpu, |cpu| remote.acquire(cpu, &self.config, by, gref, access, || ()))
    }

    /// Ends a use for a copy.
    fn release(&self, cpu: &mut Cpu, (of, gref): (DomId, GrantRef), access: Access) {
        if let Ok(remote) = self.domain(of) {
            self.read(remote, cpu, |cpu| remote.release(cpu, gref, access, || true));
        }
    }
}

impl<W: Words, D: Design<W>> GrantTables<W> for LockedTables<W, D> {
    fn map(
        &self,
        cpu: &mut Cpu,
        by: DomId,
        of: DomId,
        gref: GrantRef,
        access: Access,
    ) -> Result<Mapping, Status> {
        let (local, remote) = (self.domain(by)?, self.domain(of)?);
        let handle = self.get(local, cpu)?;
        let mapped = Mapped { of, gref, access };
        let found = self.read(remote, cpu, |cpu| {
            let write_down = || local.records.set(handle, mapped);
            remote.acquire(cpu, &self.config, by, gref, access, write_down)
        });
        if found.is_err() {
            let put = |cpu: &mut Cpu| local.free.put(cpu, &local.records, handle);
            if D::ONE_LOCK { self.read(local, cpu, put) } else { put(cpu) }
        }
        Ok(Mapping { handle, frame: found? })
    }

    fn unmap(&self, cpu: &mut Cpu, by: DomId, handle: Handle) -> Result<(), Status> {
        let local = self.domain(by)?;
        let mapped = local.records.get(handle).ok_or(Status::BadHandle)?;
        let Mapped { of, gref, access } = mapped;
        // Another processor may have ended it since.
        let is_there = || local.records.strike(handle, mapped);
        let remote = self.domain(of)?;
        let put = |cpu: &mut Cpu| local.free.put(cpu, &local.records, handle);
        let is_ended = self.ending(cpu, [by, of], |cpu| {
            let is_ended = remote.release(cpu, gref, access, is_there);
            if is_ended && D::ONE_LOCK {
                put(cpu);
            }
            is_ended
        })?;
        if !is_ended {
            return Err(Status::BadHandle);
        }
        if !D::ONE_LOCK {
            put(cpu);
        }
        Ok(())
    }

    fn copy(
        &self,
        cpu: &mut Cpu,
        by: DomId,
        from: (DomId, GrantRef),
        to: (DomId, GrantRef),
        work: &mut dyn FnMut(u32, u32),
    ) -> Result<(), Status> {
        // Which domains there are comes before what any of them grants.
        [by, from.0, to.0].into_iter().try_for_each(|number| self.domain(number).map(|_| ()))?;
        let source = self.acquire(cpu, by, from, Access::Read)?;
        let target = self.acquire(cpu, by, to, Access::Write);
        if let Ok(target) = target {
            work(source, target);
            self.release(cpu, to, Access::Write);
        }
        self.release(cpu, from, Access::Read);
        target.map(|_| ())
    }

    fn size(&self, cpu: &mut Cpu, of: DomId) -> Result<Size, Status> {
        let domain = self.domain(of)?;
        let frames = self.read(domain, cpu, |_| domain.frames.load(Relaxed));
        Ok(Size { frames, frames_max: self.config.frames_max })
    }

    fn grow(&self, cpu: &mut Cpu, of: DomId, frames: u32) -> Result<(), Status> {
        let domain = self.domain(of)?;
        if frames > self.config.frames_max {
            return Err(Status::Full);
        }
        domain.lock.write(&self.shared, cpu, |_| {
            let before = domain.frames.load(Relaxed);
            if frames > before {
                let per_frame = self.config.entries_per_frame;
                let new = (before * per_frame) as usize..(frames * per_frame) as usize;
                domain.entries.get(new).into_iter().flatten().for_each(Entry::wipe);
                domain.frames.store(frames, Relaxed);
            }
        });
        Ok(())
    }

    fn set_version(&self, cpu: &mut Cpu, of: DomId, version: Version) -> Result<(), Status> {
        let domain = self.domain(of)?;
        domain.lock.write(&self.shared, cpu, |_| {
            if domain.version() == version {
                return Ok(());
            }
            if domain.active.iter().any(Active::is_in_use) {
                return Err(Status::Busy);
            }
            domain.entries.iter().for_each(Entry::wipe);
            domain.is_two.store((version == Version::Two).into(), Relaxed);
            Ok(())
        })
    }

    fn entry(&self, of: DomId, gref: GrantRef) -> Option<&Entry<W>> {
        self.domain(of).ok()?.entries.get(gref.0 as usize)
    }
}

impl<W: Words, D: Design<W>> fmt::Debug for LockedTables<W, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockedTables").field("config", &self.config).finish_non_exhaustive()
    }
}
