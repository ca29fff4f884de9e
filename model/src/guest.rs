//! A small guest: the drivers at rest, and a device with one way to wait.

use std::ops::Deref;

use drivers::blkfront::{
    Blkfront, Broken, Completion, ConnectError, Disconnected, GrantMode, Offer, Operation,
    QueuePair, Room, Setup, Slot,
};
use drivers::grant::GrantTable;
use drivers::shared::SharedRun;
use drivers::xenstore::Xenstore;
use drivers::{Hypervisor, Vcpu};
use load::engine;
use xen_abi::vdev::Vdev;

use crate::hypervisor::ModelXen;

/// Time for which a guest waits for any completion, in nanoseconds.
const PATIENCE_NS: u64 = 5_000_000_000;

/// A guest after start-up.
pub struct Guest<'a> {
    xen: &'a ModelXen,
    /// Its grant table.
    pub grants: GrantTable<'a, ModelXen>,
    /// Its xenstore client.
    pub store: Xenstore<'a, ModelXen>,
}

/// A device of the guest, with the queues that it lends.
#[derive(Debug)]
pub struct Device<'a> {
    /// Its control path.
    pub front: Blkfront<'a>,
    /// Its data path.
    pub queues: Vec<QueuePair<'a>>,
}

impl<'a> Deref for Device<'a> {
    type Target = Blkfront<'a>;

    fn deref(&self) -> &Self::Target {
        &self.front
    }
}

impl<'a> Device<'a> {
    /// Lends it to the load generator, without files, by the name that its number stands for.
    pub fn lend(&mut self) -> engine::Disk<'a> {
        engine::Disk {
            name: self.vdev().to_string(),
            info: *self.info(),
            queues: std::mem::take(&mut self.queues),
            files: Vec::new(),
        }
    }
}

/// One queue with all slots, one page each.
pub fn setup(grants: GrantMode) -> Setup {
    Setup { grants, slots: drivers::ring::ENTRIES, ..Setup::ONE }
}

/// Pages that can be shared, with nothing granted yet, by entries of a table of their own.
pub fn shared_run(xen: &ModelXen, count: usize) -> SharedRun<'_> {
    let mut table = GrantTable::new(xen);
    let mut grants = table.reserve(count).expect("a new page of the table");
    grants.truncate(count);
    SharedRun::new(xen.alloc_run(count).expect("enough pages"), grants)
}

/// Frees pages that nobody has mapped.
pub fn free_run(xen: &ModelXen, run: SharedRun<'_>) {
    for shared in run.into_pages() {
        xen.free_page(shared.into_parts().expect("nobody has it mapped").0);
    }
}

impl<'a> Guest<'a> {
    /// Brings up what every guest has.
    pub fn boot(xen: &'a ModelXen) -> Self {
        let (port, page) = xen.store_channel();
        Self { xen, grants: GrantTable::new(xen), store: Xenstore::new(xen, port, page) }
    }

    /// Connects a VBD.
    ///
    /// # Errors
    /// The driver's.
    pub fn connect(&mut self, vdev: u32, setup: &Setup) -> Result<Device<'a>, ConnectError> {
        self.connect_in(vdev, setup, Room { pages: u64::MAX, grants: u64::MAX }, None)
    }

    /// Connects a VBD in no more than `room`, if its backend has the offer that was `planned` with.
    ///
    /// # Errors
    /// The driver's.
    pub fn connect_in(
        &mut self,
        vdev: u32,
        setup: &Setup,
        room: Room,
        planned: Option<Offer>,
    ) -> Result<Device<'a>, ConnectError> {
        let (grants, store) = (&mut self.grants, &mut self.store);
        let mut front =
            Blkfront::connect(self.xen, grants, store, Vdev(vdev), setup, room, planned)?;
        let queues = front.take_queues();
        Ok(Device { front, queues })
    }

    /// Closes a VBD.
    pub fn disconnect(&mut self, device: Device<'a>) -> Disconnected {
        let Device { front, queues } = device;
        front.disconnect(queues, self.xen, &mut self.grants, &mut self.store)
    }
}

/// The next completion and the number of its queue, asleep until it comes; `None` when none came
/// within the guest's patience.
///
/// # Errors
/// [`Broken`].
pub fn await_any(
    xen: &ModelXen,
    device: &mut Device<'_>,
) -> Result<Option<(usize, Completion)>, Broken> {
    let deadline_ns = xen.now_ns() + PATIENCE_NS;
    loop {
        for (number, queue) in device.queues.iter_mut().enumerate() {
            if let Some(completion) = queue.poll()? {
                return Ok(Some((number, completion)));
            }
        }
        if xen.now_ns() >= deadline_ns {
            return Ok(None);
        }
        xen.prepare_wait();
        // All of them, also behind one that has work: each must be armed anew.
        let mut until_ns = Some(deadline_ns);
        for queue in &mut device.queues {
            let armed = queue.arm(xen);
            until_ns = until_ns.zip(armed).map(|(until, one)| until.min(one));
        }
        if let Some(until_ns) = until_ns {
            xen.wait(until_ns);
        }
    }
}

/// Waits as [`await_any`] does, for a caller that knows the queue.
///
/// # Errors
/// [`Broken`].
pub fn await_completion(
    xen: &ModelXen,
    device: &mut Device<'_>,
) -> Result<Option<Completion>, Broken> {
    Ok(await_any(xen, device)?.map(|(_, completion)| completion))
}

/// One request on the first queue, from its start to its end.
///
/// # Errors
/// [`Broken`].
pub fn perform(
    xen: &ModelXen,
    device: &mut Device<'_>,
    slot: Slot,
    operation: Operation,
    sector: u64,
    bytes: u32,
) -> Result<Option<Completion>, Broken> {
    device.queues[0].submit(slot, operation, sector, bytes);
    device.queues[0].kick(xen)?;
    await_completion(xen, device)
}
