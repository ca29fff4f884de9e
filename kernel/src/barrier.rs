//! `barrier`: before each stage the guest waits until dom0 lets it begin, together with others.

use drivers::Vcpu as _;
use drivers::xenstore::{self, Transaction, WatchToken, Xenstore};
use guest_protocol::barrier::{Ready, START_NODE, may_start};

use crate::control::Control;
use crate::say;
use crate::vcpu::Vcpu;

/// Time between two looks when no watch fires, in nanoseconds.
const LOOK_AGAIN_NS: u64 = 500_000_000;

/// The barrier before the next stage.
#[derive(Debug)]
pub struct Barrier {
    watch: WatchToken,
    /// Number of the last stage that came to it, from 1.
    stage: u32,
}

impl Barrier {
    /// Begins to watch for what dom0 says.
    ///
    /// # Errors
    /// xenstore's.
    pub fn new(store: &mut Xenstore<'_, Vcpu>) -> Result<Self, xenstore::Error> {
        Ok(Self { watch: store.watch(START_NODE)?, stage: 0 })
    }

    /// Says that the next stage is ready, and waits until it may begin; returns false if the guest
    /// is to end instead.
    ///
    /// # Errors
    /// xenstore's.
    pub fn wait(
        &mut self,
        store: &mut Xenstore<'_, Vcpu>,
        control: &mut Control,
    ) -> Result<bool, xenstore::Error> {
        self.stage = self.stage.saturating_add(1);
        say!("{}", Ready(self.stage));
        while !self.is_open(store)? {
            if control.is_asked(store) {
                return Ok(false);
            }
            let look_again_ns = store.vcpu().now_ns().saturating_add(LOOK_AGAIN_NS);
            store.wait_fired(self.watch, look_again_ns)?;
        }
        Ok(true)
    }

    fn is_open(&mut self, store: &mut Xenstore<'_, Vcpu>) -> Result<bool, xenstore::Error> {
        match store.read(Transaction::NONE, START_NODE) {
            Ok(value) => Ok(may_start(&value, self.stage)),
            Err(error) if error.is_out_of_sight() => Ok(false),
            // Nothing that dom0 would write.
            Err(xenstore::Error::Malformed(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
