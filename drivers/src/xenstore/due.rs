//! A look at what a watch tells of, that is not forgotten when it fails.

use super::{Error, WatchToken, Xenstore};
use crate::vcpu::Vcpu;

/// How long after a look that failed the next is due, in nanoseconds: as long as it may take.
const LOOK_AGAIN_NS: u64 = super::REQUEST_TIMEOUT_NS;

/// Tells when to look at what a watch tells of: once it fired, and until a look succeeded.
#[derive(Debug, Default)]
pub struct Due {
    /// When to look, in nanoseconds; `None` when nothing has changed since the last look.
    at_ns: Option<u64>,
}

impl Due {
    /// Whether to look now. Reads memory only.
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

    /// Notes how a look ended: after one that failed another is due.
    pub fn note<V: Vcpu>(&mut self, store: &Xenstore<'_, V>, succeeded: bool) {
        let again_ns = || store.vcpu.now_ns().saturating_add(LOOK_AGAIN_NS);
        self.at_ns = (!succeeded).then(again_ns);
    }
}
