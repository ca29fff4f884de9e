//! `hold`: disks stay connected after the jobs, for who looks at the backend's counters.

use alloc::vec::Vec;

use drivers::Vcpu as _;
use drivers::xenstore;
use xen_abi::xenbus::XenbusState;

use crate::disks::{self, Connected};
use crate::guest::Guest;
use crate::say;

/// Interval at which a guest that holds its disks looks around, in nanoseconds.
const LOOK_AGAIN_NS: u64 = 500_000_000;

/// Keeps disks connected until the guest is to end. One that the tool stack wants back is given up
/// at once.
///
/// # Errors
/// A xenstore by which nobody could ask for anything any more.
pub fn hold<'a>(
    guest: &mut Guest<'a>,
    connected: &mut Vec<Connected<'a>>,
) -> Result<(), xenstore::Error> {
    say!("ringmark: holding the disks; end with xl shutdown, or Ctrl-C on the console");
    while !guest.control.is_asked(&mut guest.store) {
        // A watch is a hint, and keys make none fire: so all is looked at anyhow.
        let wanted = guest.store.in_time(|store| {
            connected.iter().position(|disk| {
                let state = disk.device.backend().state(store);
                state.is_ok_and(|state| state != XenbusState::Connected)
            })
        });
        if let Some(place) = wanted {
            let disk = connected.remove(place);
            say!("ringmark: {}: disconnected, because its backend is closing", disk.plan.name);
            disks::disconnect(guest, disk);
            continue;
        }
        let look_again_ns = guest.vcpu.now_ns().saturating_add(LOOK_AGAIN_NS);
        guest.store.wait_fired(guest.backend_watch, look_again_ns)?;
        // A read that failed may succeed the next time.
        if let Err(error @ xenstore::Error::Broken(_)) = guest.control.read(&mut guest.store) {
            return Err(error);
        }
    }
    Ok(())
}
