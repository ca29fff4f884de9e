//! The guest's disks: found, connected as planned, and given back.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use drivers::Vcpu as _;
use drivers::blkfront::{Blkfront, QueuePair, handshake};
use drivers::xenstore::{self, Xenstore};
use fio_job::Job;
use load::engine::Disk;
use load::file_map::FileMap;
use load::plan::{self, Dealing, DiskPlan, Vbd};
use load::reader::BlockReader;
use xen_abi::vdev::Vdev;

use crate::failure::Failure;
use crate::files::Source;
use crate::guest::Guest;
use crate::say;
use crate::vcpu::Vcpu;

/// Time that the first event of a backend's watch is waited for, in nanoseconds.
const FIRST_EVENT_NS: u64 = 500_000_000;

/// A disk that jobs use, connected.
#[derive(Debug)]
pub struct Connected<'a> {
    /// Plan that it was connected for.
    pub plan: DiskPlan,
    /// The connected VBD.
    pub device: Blkfront<'a>,
    /// Its queue pairs, while the engine has none of them.
    pub queues: Vec<QueuePair<'a>>,
    /// Files on it that jobs name.
    pub files: Vec<FileMap>,
}

/// Returns the VBDs of the guest, and, if that matters, whether they are writable.
///
/// # Errors
/// xenstore's.
pub fn vbds(
    store: &mut Xenstore<'_, Vcpu>,
    writable_matters: bool,
) -> Result<Vec<Vbd>, xenstore::Error> {
    let vdevs = handshake::list(store)?;
    store.in_time(|store| {
        let mut vbd = |vdev: Vdev| {
            let is_writable = writable_matters && handshake::is_writable(store, vdev)?;
            Ok(Vbd { vdev, is_writable })
        };
        vdevs.into_iter().map(&mut vbd).collect()
    })
}

/// Connects a disk and shows it.
///
/// # Errors
/// The driver's, and xenstore's.
pub fn connect<'a>(guest: &mut Guest<'a>, plan: DiskPlan) -> Result<Connected<'a>, Failure> {
    let Guest { xen, vcpu, grants, store, backend_watch, .. } = guest;
    let DiskPlan { vdev, name, setup, room, offer, .. } = &plan;
    let mut device = Blkfront::connect(*xen, grants, store, *vdev, setup, *room, *offer)
        .map_err(|error| Failure::Connect(name.clone(), error))?;
    // Where there are more disks than watches, some go unwatched. The first event is waited for: it
    // is not to come while something is measured.
    if device.backend().watch(store, *backend_watch).is_ok() {
        let soon_ns = vcpu.now_ns().saturating_add(FIRST_EVENT_NS);
        store.wait_fired(*backend_watch, soon_ns)?;
    }
    let info = device.info();
    say!(
        "{name}: {} MiB, {}-byte sectors{}{}, grants {}{}{}",
        info.bytes() >> 20,
        info.logical_sector_bytes,
        match info.physical_sector_bytes {
            same if same == info.logical_sector_bytes => String::new(),
            physical => format!(" ({physical} physical)"),
        },
        if info.read_only { ", read-only" } else { "" },
        setup.grants,
        match (setup.grants.is_persistent(), info.persistent) {
            (true, true) => " (backend offers to keep pages mapped)",
            (true, false) => " (backend maps pages for each request)",
            (false, _) => "",
        },
        if info.trusted { "" } else { ", all data copied: the backend is not trusted" },
    );
    let queues = device.take_queues();
    if queues.len() < setup.queues as usize {
        let advice = match device.backend().is_vbd() {
            true => " (max_queues of xen-blkback in its domain)",
            false => "",
        };
        let (here, wanted) = (queues.len(), setup.queues);
        say!(
            "ringmark: {name}: {here} of {wanted} queues: the backend offers no more{advice}, or \
             memory= or max_grant_frames= allow no more"
        );
    }
    Ok(Connected { plan, device, queues, files: Vec::new() })
}

/// Gives a disk back, and says what did not go as it should.
pub fn disconnect<'a>(guest: &mut Guest<'a>, disk: Connected<'a>) {
    let Connected { plan: DiskPlan { name, .. }, device, queues, .. } = disk;
    let _ = device.backend().unwatch(&mut guest.store, guest.backend_watch);
    let left = device.disconnect(queues, guest.xen, &mut guest.grants, &mut guest.store);
    if left.xenstore_failed {
        say!("ringmark: {name}: xenstore failed, so the backend could not be asked to close");
    } else if left.timed_out {
        say!("ringmark: {name}: the backend did not close in time");
    }
    if !left.missing_queues.is_empty() {
        let count = left.missing_queues.len();
        say!("ringmark: {name}: {count} of its queues are lost, with the vCPU that had them");
    }
    if left.quarantined_pages != 0 {
        say!("ringmark: {name}: the backend kept {} pages mapped", left.quarantined_pages);
    }
}

impl<'a> Connected<'a> {
    /// Returns the disk as jobs see it, with its queues; they are to be brought back.
    pub fn lend(&mut self) -> Disk<'a> {
        let (name, info) = (self.plan.name.clone(), *self.device.info());
        Disk { name, info, queues: mem::take(&mut self.queues), files: self.files.clone() }
    }

    /// Returns the disk as what a file system is read from.
    pub fn source<'q>(&'q mut self, guest: &'q mut Guest<'a>) -> Source<'q, 'a> {
        let Self { plan: DiskPlan { name, .. }, device, queues, .. } = self;
        let info = *device.info();
        let reader = BlockReader::new(guest.vcpu, &mut queues[0], &info);
        Source { name, reader, control: &mut guest.control, store: &mut guest.store }
    }

    /// Returns a warning if the backend will hardly keep all pages mapped that it offers to, and
    /// that these jobs use, dealt like this.
    pub fn persistent_warning(&self, jobs: &[Job], dealing: &Dealing) -> Option<String> {
        // The advice is on Linux's backend, and others have no such parameter.
        let offers = self.device.info().persistent && self.device.backend().is_vbd();
        let queues = self.queues.len() as u32;
        let warning = || plan::persistent_warning(&self.plan.name, jobs, dealing, queues);
        offers.then(warning).flatten()
    }
}
