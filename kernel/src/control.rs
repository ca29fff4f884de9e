//! Requests to end a running guest: `xl shutdown`, and Ctrl-C on its console.

use alloc::format;
use alloc::string::String;

use drivers::control::Request;
use drivers::xenstore::{self, Xenstore};
use xen_abi::sched::ShutdownReason;

use crate::console;
use crate::vcpu::Vcpu;

const CTRL_C: u8 = 3;

/// Listens for requests to end.
#[derive(Debug)]
pub struct Control {
    requests: drivers::control::Control,
    /// Way in which the guest is to end, once somebody has asked for it.
    reason: Option<ShutdownReason>,
    /// Notice about a refused request that has found no room on the console yet.
    notice: Option<String>,
}

impl Control {
    /// Tells the tool stack that the guest listens, and begins to.
    ///
    /// # Errors
    /// xenstore's.
    pub fn new(store: &mut Xenstore<'_, Vcpu>) -> Result<Self, xenstore::Error> {
        let requests = drivers::control::Control::new(store)?;
        let mut control = Self { requests, reason: None, notice: None };
        control.read(store)?;
        Ok(control)
    }

    /// Returns whether the guest is to end; [`reason`](Self::reason) says how. Reads memory only,
    /// unless a request has come, so that it can be called while something is measured.
    pub fn is_asked(&mut self, store: &mut Xenstore<'_, Vcpu>) -> bool {
        let mut keys = [0; 64];
        let count = console::read(&mut keys);
        if keys[..count].contains(&CTRL_C) {
            self.reason.get_or_insert(ShutdownReason::Poweroff);
        }
        // A xenstore that fails shows soon enough where it is needed.
        let request = self.requests.poll(store).unwrap_or_default();
        self.accept(request);
        self.reason.is_some()
    }

    /// Reads the request even if no watch has fired, as the last check before a wait is over.
    ///
    /// # Errors
    /// xenstore's.
    pub fn read(&mut self, store: &mut Xenstore<'_, Vcpu>) -> Result<(), xenstore::Error> {
        let request = self.requests.read(store)?;
        self.accept(request);
        Ok(())
    }

    /// Returns how the guest is to end: as requested, or by powering off if nobody asked.
    pub fn reason(&mut self, store: &mut Xenstore<'_, Vcpu>) -> ShutdownReason {
        self.is_asked(store);
        self.reason.unwrap_or(ShutdownReason::Poweroff)
    }

    fn accept(&mut self, request: Option<Request>) {
        match request {
            None => {}
            Some(Request::End(reason)) => drop(self.reason.get_or_insert(reason)),
            Some(Request::Suspend) => {
                self.notice = Some(
                    "ringmark: xl save and xl migrate are refused, as this guest cannot be \
                     suspended; it goes on"
                        .into(),
                );
            }
            Some(Request::Unknown(word)) => {
                let word: String = word.chars().take(32).collect();
                self.notice = Some(format!(
                    "ringmark: control/shutdown says {word:?}, which this guest does not know (it \
                     knows poweroff, halt and reboot); it goes on"
                ));
            }
        }
        // No measurement waits for the console: what finds no room is said at the next look.
        self.notice.take_if(|notice| console::try_print(notice));
    }
}
