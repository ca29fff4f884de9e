//! Requests of the tool stack to the domain: the node `control/shutdown`
//! (docs/misc/xenstore-paths.pandoc).
//!
//! A watch event means "read the node" and nothing else: it may be spurious, and the node may hold
//! a request that this guest cannot follow. Whatever it holds is acknowledged by emptying it, so
//! that the tool stack does not wait for a reply; only some requests end the guest.

use alloc::string::String;

use xen_abi::sched::ShutdownReason;

use crate::vcpu::Vcpu;
use crate::xenstore::{Due, Error, Transaction, WatchToken, Xenstore};

const SHUTDOWN: &str = "control/shutdown";
/// Longest wait for the first event of a new watch, in nanoseconds.
const FIRST_EVENT_NS: u64 = 1_000_000_000;

/// A request of the tool stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Request to end in this way.
    End(ShutdownReason),
    /// `xl save` or `xl migrate`: a request to suspend, which the guest can't.
    Suspend,
    /// Any other request.
    Unknown(String),
}

impl Request {
    /// Returns the request that a value of the node stands for; `None` for an empty value.
    fn parse(value: &str) -> Option<Self> {
        Some(match value {
            "" => return None,
            "poweroff" | "halt" => Self::End(ShutdownReason::Poweroff),
            "reboot" => Self::End(ShutdownReason::Reboot),
            "suspend" => Self::Suspend,
            _ => Self::Unknown(value.into()),
        })
    }
}

/// Listens to the tool stack.
#[derive(Debug)]
pub struct Control {
    watch: WatchToken,
    /// Time of the next read of the node.
    due: Due,
    /// Last request, if the node was not seen to be emptied: it may still be there.
    left: Option<Request>,
}

impl Control {
    /// Announces to the tool stack what the guest understands, and listens from now on.
    ///
    /// # Errors
    /// xenstore's.
    pub fn new<V: Vcpu>(store: &mut Xenstore<'_, V>) -> Result<Self, Error> {
        for feature in ["control/feature-poweroff", "control/feature-reboot"] {
            // Some tool stacks don't let a guest write here, and then don't read it either.
            match store.write(Transaction::NONE, feature, "1") {
                Ok(()) | Err(Error::Refused(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let watch = store.watch(SHUTDOWN)?;
        // Each watch fires once when it is set: better now than while something is measured.
        store.wait_fired(watch, store.vcpu().now_ns().saturating_add(FIRST_EVENT_NS))?;
        Ok(Self { watch, due: Due::default(), left: None })
    }

    /// Returns the request that has come, if any. Reads memory only unless the watch has fired, or
    /// the read after that failed: then it is tried again, though not at each call.
    ///
    /// # Errors
    /// xenstore's.
    pub fn poll<V: Vcpu>(&mut self, store: &mut Xenstore<'_, V>) -> Result<Option<Request>, Error> {
        if self.due.is_due(store, self.watch)? { self.read(store) } else { Ok(None) }
    }

    /// Reads the node, whether the watch has fired or not; acknowledges what it holds.
    ///
    /// # Errors
    /// xenstore's.
    pub fn read<V: Vcpu>(&mut self, store: &mut Xenstore<'_, V>) -> Result<Option<Request>, Error> {
        let found = read_node(store, Transaction::NONE);
        self.due.note(store, found.is_ok());
        let mut found = found?;
        if found.is_none() || found == self.left {
            self.left = found;
            return Ok(None);
        }
        // In a transaction, so that no request is emptied away that was not seen.
        let taken = store.transaction(|store, transaction| {
            found = read_node(store, transaction)?;
            if found.is_some() {
                store.write(transaction, SHUTDOWN, "")?;
            }
            Ok(())
        });
        // One that fails may still empty the node: the request is known from here alone.
        self.left = if taken.is_err() { found.clone() } else { None };
        Ok(found)
    }
}

fn read_node<V: Vcpu>(
    store: &mut Xenstore<'_, V>,
    transaction: Transaction,
) -> Result<Option<Request>, Error> {
    match store.read(transaction, SHUTDOWN) {
        Ok(value) => Ok(Request::parse(&value)),
        Err(error) if error.is_out_of_sight() => Ok(None),
        // A value that is not text is no request that the tool stack knows.
        Err(Error::Malformed(_)) => Ok(Some(Request::Unknown("\u{fffd}".into()))),
        Err(error) => Err(error),
    }
}
