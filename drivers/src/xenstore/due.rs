//! A read of what a watch is about, tried again when it fails.

use super::{Error, WatchToken, Xenstore};
use crate::vcpu::Vcpu;

/// Time from a read that failed to the next one, in nanoseconds: as long as one may take.
const RETRY_NS: u64 = super::error::REQUEST_TIMEOUT_NS;

/// Time of the next read of what a watch is about: due once it fired, until a read succeeded.
#[derive(Debug, Default)]
pub struct Due {
    /// Time of the next read in nanoseconds; `None` when nothing has changed since the last.
    at_ns: Option<u64>,
}

impl Due {
    /// Returns whether to read now. Reads memory only, not xenstore.
    ///
    /// # Errors
    /// [`Error::Broken`].
    pub fn is_due<V: Vcpu>(
        &mut self,
        store: &mut Xenstore<'_, V>,
        watch: WatchToken,
    ) -> Result<bool, Error> {
        if store.take_fired(watch)? {
            self.at_ns.get_or_insert(0);
        }
        Ok(self.at_ns.is_some_and(|at_ns| store.vcpu.now_ns() >= at_ns))
    }

    /// Notes how a read ended: after one that failed another is due.
    pub fn note<V: Vcpu>(&mut self, store: &Xenstore<'_, V>, succeeded: bool) {
        let again_ns = || store.vcpu.now_ns().saturating_add(RETRY_NS);
        self.at_ns = (!succeeded).then(again_ns);
    }
}
