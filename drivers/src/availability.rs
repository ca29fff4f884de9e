//! vCPUs that the tool stack lets the domain use: the nodes `cpu/N/availability`
//! (docs/misc/xenstore-paths.pandoc).
//!
//! Where a configuration has `maxvcpus` above `vcpus`, the domain has the former number of vCPUs,
//! and `xl` says of those beyond the latter that they are offline. Xen itself would let the domain
//! run them.

use alloc::format;
use alloc::vec::Vec;

use crate::vcpu::Vcpu;
use crate::xenstore::{Error, Transaction, Xenstore};

/// Returns the vCPUs below `count` that may be used, in order: the boot vCPU, 0, which runs
/// already, and each that is not said to be offline.
///
/// # Errors
/// xenstore's.
pub fn usable_vcpus<V: Vcpu>(store: &mut Xenstore<'_, V>, count: u32) -> Result<Vec<u32>, Error> {
    let mut usable = Vec::from([0]);
    store.in_time(|store| {
        for id in 1..count {
            match store.read(Transaction::NONE, &format!("cpu/{id}/availability")) {
                Ok(value) if value == "offline" => {}
                Ok(_) | Err(Error::Malformed(_)) => usable.push(id),
                Err(error) if error.is_out_of_sight() => usable.push(id),
                Err(error) => return Err(error),
            }
        }
        Ok(usable)
    })
}
