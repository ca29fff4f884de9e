//! A small guest: the drivers at rest, and a device with one way to wait.

use drivers::blkfront::{
    Blkfront, Broken, Completion, ConnectError, Disconnected, GrantMode, Operation, Setup, Slot,
    Vdev,
};
use drivers::grant::GrantTable;
use drivers::hypervisor::Hypervisor;
use drivers::xenstore::Xenstore;

use crate::hypervisor::ModelXen;

/// How long a guest waits for any completion, in nanoseconds.
const PATIENCE_NS: u64 = 5_000_000_000;

/// A guest after start-up.
pub struct Guest<'a> {
    xen: &'a ModelXen,
    /// Its grant table.
    pub grants: GrantTable<'a, ModelXen>,
    /// Its xenstore client.
    pub store: Xenstore<'a, ModelXen>,
}

/// A device of the guest.
pub type Device<'a> = Blkfront<'a, ModelXen>;

/// All slots, one page each.
pub fn setup(grants: GrantMode) -> Setup {
    Setup { grants, slots: drivers::ring::ENTRIES, pages_per_slot: 1 }
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
        Blkfront::connect(self.xen, &mut self.grants, &mut self.store, Vdev(vdev), setup)
    }

    /// Closes a VBD.
    pub fn disconnect(&mut self, device: Device<'a>) -> Disconnected {
        device.disconnect(self.xen, &mut self.grants, &mut self.store)
    }
}

/// The next completion, asleep until it comes; `None` when none came within the guest's patience.
///
/// # Errors
/// [`Broken`].
pub fn await_completion(
    xen: &ModelXen,
    device: &mut Device<'_>,
) -> Result<Option<Completion>, Broken> {
    let deadline_ns = xen.now_ns() + PATIENCE_NS;
    loop {
        if let Some(completion) = device.queue.poll()? {
            return Ok(Some(completion));
        }
        if xen.now_ns() >= deadline_ns {
            return Ok(None);
        }
        xen.prepare_wait();
        if let Some(until_ns) = device.queue.arm() {
            xen.wait(deadline_ns.min(until_ns));
        }
    }
}

/// One request from its start to its end.
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
    device.queue.submit(slot, operation, sector, bytes);
    device.queue.kick()?;
    await_completion(xen, device)
}
