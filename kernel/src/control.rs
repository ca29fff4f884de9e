//! What the outside may ask of a running guest: `xl shutdown`, and Ctrl-C on its console
//! (docs/misc/xenstore-paths, `control/shutdown`).

use drivers::xenstore::{self, Transaction, WatchToken, Xenstore};
use xen_abi::sched::ShutdownReason;

use crate::console;
use crate::xen::Xen;

const SHUTDOWN: &str = "control/shutdown";
const CTRL_C: u8 = 3;

/// Listens for requests to end.
#[derive(Debug)]
pub struct Control {
    watch: WatchToken,
    /// What was asked for, once it was.
    asked: Option<ShutdownReason>,
}

impl Control {
    /// Tells the tool stack that the guest listens, and begins to.
    ///
    /// # Errors
    /// xenstore's.
    pub fn new(store: &mut Xenstore<'_, Xen>) -> Result<Self, xenstore::Error> {
        for feature in ["control/feature-poweroff", "control/feature-reboot"] {
            // Some tool stacks don't let a guest write here, and then don't read it either.
            match store.write(Transaction::NONE, feature, "1") {
                Ok(()) | Err(xenstore::Error::Refused(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self { watch: store.watch(SHUTDOWN)?, asked: None })
    }

    /// Whether the guest is to end, and how; cheap when nothing happened.
    ///
    /// # Errors
    /// xenstore's.
    pub fn poll(
        &mut self,
        store: &mut Xenstore<'_, Xen>,
    ) -> Result<Option<ShutdownReason>, xenstore::Error> {
        let mut keys = [0; 64];
        let count = console::read(&mut keys);
        if keys[..count].contains(&CTRL_C) {
            self.asked = Some(ShutdownReason::Poweroff);
        }
        if self.asked.is_none() && store.take_fired(self.watch)? {
            self.asked = read_request(store)?;
        }
        Ok(self.asked)
    }

    /// Sleeps until the guest is to end.
    ///
    /// # Errors
    /// xenstore's.
    pub fn wait(
        &mut self,
        xen: &Xen,
        store: &mut Xenstore<'_, Xen>,
    ) -> Result<ShutdownReason, xenstore::Error> {
        use drivers::Hypervisor;
        /// Watches are hints, and keys make no watch fire.
        const LOOK_AGAIN_NS: u64 = 500_000_000;
        loop {
            if let Some(reason) = self.poll(store)? {
                return Ok(reason);
            }
            if store.wait_fired(self.watch, xen.now_ns().saturating_add(LOOK_AGAIN_NS))? {
                self.asked = read_request(store)?;
            }
        }
    }
}

/// Reads the request and acknowledges it.
fn read_request(store: &mut Xenstore<'_, Xen>) -> Result<Option<ShutdownReason>, xenstore::Error> {
    let request = match store.read(Transaction::NONE, SHUTDOWN) {
        Ok(request) => request,
        Err(error) if error.is_not_found() => return Ok(None),
        Err(error) => return Err(error),
    };
    let reason = match request.as_str() {
        "poweroff" | "halt" => ShutdownReason::Poweroff,
        "reboot" => ShutdownReason::Reboot,
        _ => return Ok(None),
    };
    store.write(Transaction::NONE, SHUTDOWN, "")?;
    Ok(Some(reason))
}
