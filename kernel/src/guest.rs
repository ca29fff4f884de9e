//! Resources that a run works with, from its first disk to its last.

use alloc::vec::Vec;

use drivers::grant::GrantTable;
use drivers::xenstore::{self, WatchToken, Xenstore};

use crate::barrier::Barrier;
use crate::control::Control;
use crate::smp::Crew;
use crate::vcpu::Vcpu;
use crate::xen::Xen;

/// The guest's side of what disks are connected by, and of requests to end.
#[derive(Debug)]
pub struct Guest<'a> {
    /// Xen.
    pub xen: &'a Xen,
    /// The boot vCPU, which does all of it.
    pub vcpu: &'a Vcpu,
    /// The grant table.
    pub grants: GrantTable<'a, Xen>,
    /// The xenstore client.
    pub store: Xenstore<'a, Vcpu>,
    /// Requests to end.
    pub control: Control,
    /// vCPUs that the guest may use, from the boot vCPU on.
    pub vcpus: Vec<u32>,
    /// vCPUs besides the boot vCPU that jobs may need, once that is known.
    pub crew: Option<Crew>,
    /// Barrier before each stage, if the guest is to wait there.
    pub barrier: Option<Barrier>,
    /// Watch that fires when the backend of a connected disk changes its state.
    pub backend_watch: WatchToken,
}

impl<'a> Guest<'a> {
    /// Begins to listen for requests to end.
    ///
    /// # Errors
    /// xenstore's.
    pub fn new(
        xen: &'a Xen,
        vcpu: &'a Vcpu,
        mut store: Xenstore<'a, Vcpu>,
        vcpus: Vec<u32>,
    ) -> Result<Self, xenstore::Error> {
        let control = Control::new(&mut store)?;
        let backend_watch = store.new_watch()?;
        let grants = GrantTable::new(xen);
        Ok(Self {
            xen,
            vcpu,
            grants,
            store,
            control,
            vcpus,
            crew: None,
            barrier: None,
            backend_watch,
        })
    }
}
