//! The backends of the disks that jobs use: whether one is gone, or the tool stack wants one back.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use drivers::blkfront::{Backend, ConnectError};
use drivers::xenstore::{Due, WatchToken, Xenstore};
use xen_abi::xenbus::XenbusState;

use crate::console;
use crate::failure::Failure;
use crate::vcpu::Vcpu;

/// The backends, and when to look at their states.
#[derive(Debug)]
pub struct Backends {
    all: Vec<Watched>,
    look: Due,
}

/// A backend whose disk a job uses.
#[derive(Debug)]
struct Watched {
    name: String,
    backend: Backend,
    /// Notice that has found no room on the console yet.
    notice: Option<String>,
    /// Flag: the tool stack is known to want the disk back.
    is_wanted: bool,
}

impl Backends {
    /// Keeps an eye on the backends of disks with these names. No state has been read yet.
    pub fn new(disks: impl Iterator<Item = (String, Backend)>) -> Self {
        let watched = |(name, backend)| Watched { name, backend, notice: None, is_wanted: false };
        Self { all: disks.map(watched).collect(), look: Due::default() }
    }

    /// Reads the states if `watch` has fired, or if the read after that failed; returns the
    /// failure, if a backend is gone. Reads memory only otherwise.
    pub fn look_if_due(
        &mut self,
        store: &mut Xenstore<'_, Vcpu>,
        watch: WatchToken,
    ) -> Option<Failure> {
        let is_due = self.look.is_due(store, watch).unwrap_or(false);
        if is_due { self.look(store) } else { None }
    }

    /// Reads all states in the time of one request; returns the failure, if a backend is gone.
    pub fn look(&mut self, store: &mut Xenstore<'_, Vcpu>) -> Option<Failure> {
        let (mut gone, mut seen) = (None, true);
        store.in_time(|store| {
            for watched in &mut self.all {
                match watched.look(store) {
                    Ok(failure) => gone = gone.take().or(failure),
                    Err(_) => seen = false,
                }
            }
        });
        self.look.note(store, seen);
        gone
    }

    /// Prints the notices for which the console has room now.
    pub fn say(&mut self) {
        for watched in &mut self.all {
            watched.notice.take_if(|notice| console::try_print(notice));
        }
    }

    /// Returns the state of this disk's backend, if it can be read.
    pub fn state(&self, disk: &str, store: &mut Xenstore<'_, Vcpu>) -> Option<XenbusState> {
        self.all.iter().find(|watched| watched.name == disk)?.backend.state(store).ok()
    }
}

impl Watched {
    fn look(&mut self, store: &mut Xenstore<'_, Vcpu>) -> Result<Option<Failure>, ConnectError> {
        Ok(match self.backend.state(store)? {
            state @ (XenbusState::Closed | XenbusState::Unknown) => {
                Some(Failure::BackendGone(self.name.clone(), state))
            }
            XenbusState::Closing if !self.is_wanted => {
                self.is_wanted = true;
                self.notice = Some(format!(
                    "ringmark: {}: xl block-detach asks for this disk, but a job uses it; the \
                     disk is disconnected when the job ends (xl shutdown ends it early)",
                    self.name
                ));
                None
            }
            _ => None,
        })
    }
}
