//! What the outside may ask of a running guest: `xl shutdown`, and Ctrl-C on its console
//! (docs/misc/xenstore-paths, `control/shutdown`).

use drivers::Hypervisor;
use drivers::xenstore::{self, Transaction, WatchToken, Xenstore};
use xen_abi::sched::ShutdownReason;

use crate::console;
use crate::xen::Xen;

const SHUTDOWN: &str = "control/shutdown";
const CTRL_C: u8 = 3;
/// How long the first event of a new watch may take, in nanoseconds.
const FIRST_EVENT_NS: u64 = 1_000_000_000;
/// How often a waiting guest looks for a request, in nanoseconds.
const LOOK_AGAIN_NS: u64 = 500_000_000;

/// Listens for requests to end.
#[derive(Debug)]
pub struct Control {
    watch: WatchToken,
    /// A key or a watch event said that there is a request.
    asked: bool,
    /// What was asked for, once it was read.
    reason: Option<ShutdownReason>,
}

impl Control {
    /// Tells the tool stack that the guest listens, and begins to.
    ///
    /// # Errors
    /// xenstore's.
    pub fn new(xen: &Xen, store: &mut Xenstore<'_, Xen>) -> Result<Self, xenstore::Error> {
        for feature in ["control/feature-poweroff", "control/feature-reboot"] {
            // Some tool stacks don't let a guest write here, and then don't read it either.
            match store.write(Transaction::NONE, feature, "1") {
                Ok(()) | Err(xenstore::Error::Refused(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let watch = store.watch(SHUTDOWN)?;
        // Each watch fires once when it is set, which asks for nothing.
        store.wait_fired(watch, xen.now_ns().saturating_add(FIRST_EVENT_NS))?;
        Ok(Self { watch, asked: false, reason: read_request(store)? })
    }

    /// Whether the guest is to end. Looks at memory only, so that it can be called while others are
    /// being timed; [`reason`](Self::reason) tells how.
    pub fn is_asked(&mut self, store: &mut Xenstore<'_, Xen>) -> bool {
        let mut keys = [0; 64];
        let count = console::read(&mut keys);
        if keys[..count].contains(&CTRL_C) {
            self.reason = Some(ShutdownReason::Poweroff);
        }
        // A xenstore that fails shows soon enough where it is needed.
        self.asked |= store.take_fired(self.watch).unwrap_or(false);
        self.asked || self.reason.is_some()
    }

    /// How the guest is to end, as far as anybody asked: by powering off, if not.
    pub fn reason(&mut self, store: &mut Xenstore<'_, Xen>) -> ShutdownReason {
        if self.reason.is_none() && self.is_asked(store) {
            self.reason = read_request(store).unwrap_or_default();
        }
        self.reason.unwrap_or(ShutdownReason::Poweroff)
    }

    /// Sleeps until the guest is to end.
    ///
    /// # Errors
    /// xenstore's.
    pub fn wait(
        &mut self,
        xen: &Xen,
        store: &mut Xenstore<'_, Xen>,
    ) -> Result<(), xenstore::Error> {
        while self.reason.is_none() {
            // A watch is a hint, and keys make none fire: so the node is read anyhow.
            store.wait_fired(self.watch, xen.now_ns().saturating_add(LOOK_AGAIN_NS))?;
            self.is_asked(store);
            self.reason = self.reason.or(read_request(store)?);
        }
        Ok(())
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
