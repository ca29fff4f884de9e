//! blkback: one disk, as Linux 6.12's backend behaves (xenbus.c, blkback.c).
//!
//! This file follows the frontend's state; `link` connects to its rings, `io` serves [`request`]s,
//! [`cache`] keeps persistent grants, [`ring`] is the backend's half of a ring, and `lies` breaks
//! the protocol where a test wants it.

pub mod cache;
mod disk;
mod io;
mod lies;
mod link;
pub mod request;
pub mod ring;
pub mod service;
mod stats;

use std::collections::BTreeMap;

use xen_abi::blkif::{SECTOR_SIZE, VDISK_CDROM, VDISK_READONLY};
use xen_abi::xenbus::XenbusState;
use xen_abi::{Gfn, Port};

use crate::agenda::Actor;
use crate::xen::{GUEST, Xen};
use crate::xenstored::{Perms, Xenstored};

use disk::DOM0;
pub use disk::Disk;
use io::{Link, Medium};
pub use lies::{Lie, Mischief};
use link::Frontend;
use service::{Served, Servers};
pub use stats::Stats;

/// The backend of one disk.
pub struct Blkback {
    index: usize,
    /// The disk that was plugged in; a change takes effect with the next request or connect.
    pub disk: Disk,
    /// Contents of the disk.
    pub data: Vec<u8>,
    /// Counts so far.
    pub stats: Stats,
    /// The lies that it tells.
    pub mischief: Mischief,
    /// Bytes that [`Lie::Snoop`] found.
    pub loot: Vec<u8>,
    /// The requests that it answered and told no lie of, in that order, if the disk is traced.
    pub served: Vec<Served>,
    /// Contents of a disk that is sparse.
    pub sectors: BTreeMap<u64, [u8; SECTOR_SIZE as usize]>,
    servers: Servers,
    state: XenbusState,
    frontend: String,
    frontend_state: String,
    backend: String,
    /// One for each ring.
    links: Vec<Link>,
}

impl Blkback {
    /// The tool stack's half: both directories, and the backend's first step (`xen_blkbk_probe`).
    pub(crate) fn new(index: usize, disk: Disk, store: &mut Xenstored) -> Self {
        let frontend = format!("/local/domain/{}/device/vbd/{}", GUEST.0, disk.vdev);
        let backend =
            format!("/local/domain/{}/backend/vbd/{}/{}", disk.backend.0, GUEST.0, disk.vdev);
        let vdev = disk.vdev.to_string();
        let id = disk.backend.0.to_string();
        let node = Perms::readable_by(GUEST, disk.backend);
        for (key, value) in [
            ("", ""),
            ("/backend", &*backend),
            ("/backend-id", &id),
            ("/virtual-device", &vdev),
            ("/device-type", if disk.cdrom { "cdrom" } else { "disk" }),
            ("/state", "1"),
        ] {
            store.tree.make(&format!("{frontend}{key}"), value, node.clone());
        }
        if let Some(trusted) = disk.trusted {
            store.tree.make(&format!("{frontend}/trusted"), trusted, node.clone());
        }
        store.tree.make(&backend, "", Perms::readable_by(disk.backend, GUEST));
        let mut this = Self {
            index,
            data: vec![
                0;
                if disk.sparse { 0 } else { disk.sectors as usize * SECTOR_SIZE as usize }
            ],
            served: Vec::new(),
            sectors: BTreeMap::new(),
            servers: Servers::default(),
            disk,
            stats: Stats::default(),
            mischief: Mischief::none(),
            loot: Vec::new(),
            state: XenbusState::Initialising,
            frontend_state: format!("{frontend}/state"),
            frontend,
            backend,
            links: Vec::new(),
        };
        let mode = if this.disk.read_only { "r" } else { "w" };
        for (key, value) in [
            ("frontend", this.frontend.clone()),
            ("online", "1".into()),
            ("mode", mode.into()),
            ("feature-max-indirect-segments", this.disk.indirect_max.to_string()),
            ("multi-queue-max-queues", this.disk.queues_max.to_string()),
            ("max-ring-page-order", this.disk.ring_order_max.to_string()),
        ] {
            this.publish(store, key, value);
        }
        store.watch_for(Actor::Disk(index), &this.frontend_state);
        this.switch(store, XenbusState::InitWait);
        this
    }

    /// The backend's directory.
    pub fn path(&self) -> &str {
        &self.backend
    }

    /// Returns the state that the backend's `state` node gives.
    pub fn state(&self) -> XenbusState {
        self.state
    }

    /// Returns whether the ring with this port is ours and has a response at which the frontend
    /// asked for an event last.
    pub fn has_reached_event(&self, port: Port) -> bool {
        self.links.iter().any(|link| link.port == port && link.ring.has_reached_event())
    }

    /// Grants that are kept mapped between requests.
    pub fn kept_grants(&self) -> usize {
        self.links.iter().map(|link| link.cache.len()).sum()
    }

    /// The frames that are kept mapped between requests.
    pub fn kept_frames(&self, xen: &Xen) -> Vec<Gfn> {
        self.links.iter().flat_map(|link| link.cache.frames(xen)).collect()
    }

    /// Returns whether persistent grants were agreed on.
    pub fn is_persistent(&self, store: &Xenstored) -> bool {
        self.frontend_in(store).is_persistent()
    }

    fn frontend_in<'a>(&'a self, store: &'a Xenstored) -> Frontend<'a> {
        Frontend { directory: &self.frontend, store, disk: &self.disk, index: self.index }
    }

    /// Sets one of the backend's nodes, or what stands for it in [`Disk::keys`].
    fn publish(&self, store: &mut Xenstored, key: &'static str, value: String) {
        let path = format!("{}/{key}", self.backend);
        match self.disk.keys.iter().find(|(name, _)| *name == key) {
            None => store.set(&path, &value),
            Some((_, Some(value))) => store.set(&path, value),
            Some((_, None)) => store.unset(&path),
        }
    }

    fn switch(&mut self, store: &mut Xenstored, state: XenbusState) {
        self.state = state;
        // A directory that was removed stays so (`xenbus_switch_state`).
        if store.tree.read(DOM0, &self.backend).is_ok() {
            self.publish(store, "state", (state as u8).to_string());
        }
    }

    /// One turn: the ring, then the frontend's state, which may wait for the ring to be idle.
    pub(crate) fn turn(&mut self, xen: &mut Xen, store: &mut Xenstored) {
        self.serve(xen);
        self.follow_frontend(xen, store);
    }

    /// `frontend_changed`.
    fn follow_frontend(&mut self, xen: &mut Xen, store: &mut Xenstored) {
        use XenbusState::{Closed, Closing, Connected, InitWait, Initialised, Initialising};
        let state = store.tree.read(DOM0, &self.frontend_state).ok();
        let state = state
            .and_then(|value| str::from_utf8(value).ok()?.parse().ok())
            .and_then(XenbusState::from_number);
        if let Some((_, says)) = self.disk.states.iter().find(|(when, _)| Some(*when) == state) {
            let path = format!("{}/state", self.backend);
            if store.tree.text(&path) != *says {
                store.set(&path, says);
            }
            return;
        }
        match state {
            Some(Initialising) if self.state == Closed => self.switch(store, InitWait),
            Some(Initialised | Connected) if self.state == InitWait => self.connect(xen, store),
            Some(Closing) if !matches!(self.state, Closing | Closed) => {
                self.switch(store, Closing);
            }
            Some(Closed) if self.state != Closed && self.disconnect(xen) => {
                self.switch(store, Closed);
            }
            _ => {}
        }
    }

    /// `connect`: the rings, then all about the disk.
    fn connect(&mut self, xen: &mut Xen, store: &mut Xenstored) {
        match self.frontend_in(store).connect_rings(xen) {
            Ok(links) => self.links = links,
            Err(why) => return self.fail(store, why),
        }
        self.stats.connects += 1;
        xen.wake(Actor::Disk(self.index));
        let read_only = if self.disk.read_only { VDISK_READONLY } else { 0 };
        let cdrom = if self.disk.cdrom { VDISK_CDROM } else { 0 };
        let physical = self.disk.physical_sector_bytes.unwrap_or(self.disk.sector_bytes);
        for (key, value) in [
            ("feature-flush-cache", u64::from(self.disk.flush)),
            ("feature-persistent", u64::from(self.disk.persistent)),
            ("feature-barrier", u64::from(self.disk.barrier)),
            ("feature-discard", u64::from(self.disk.discard)),
            ("discard-granularity", u64::from(self.disk.sector_bytes)),
            ("discard-alignment", 0),
            ("discard-secure", u64::from(self.disk.discard)),
            ("sectors", self.disk.sectors),
            ("info", u64::from(read_only | cdrom)),
            ("sector-size", u64::from(self.disk.sector_bytes)),
            ("physical-sector-size", u64::from(physical)),
        ] {
            self.publish(store, key, value.to_string());
        }
        self.switch(store, XenbusState::Connected);
    }

    /// `xenbus_dev_fatal`.
    fn fail(&mut self, store: &mut Xenstored, why: &str) {
        store.set(&format!("{}/error", self.backend), why);
        self.switch(store, XenbusState::Closing);
    }

    /// Lets everything of the frontend's go; returns whether nothing is in flight any more.
    fn disconnect(&mut self, xen: &mut Xen) -> bool {
        if self.links.iter().any(|link| !link.jobs.is_empty() || !link.stuck.is_empty()) {
            return false;
        }
        for link in std::mem::take(&mut self.links) {
            link::unlink(&self.disk, xen, link);
        }
        true
    }

    /// Serves a ring no more; to be said before it has served any request.
    pub fn neglect(&mut self, ring: usize) {
        self.links[ring].broken = true;
    }

    /// The backend's domain dies in the middle of things and starts anew: what it had mapped stays
    /// mapped, and nothing that was asked is ever answered.
    pub fn abandon(&mut self, store: &mut Xenstored) {
        self.links.clear();
        self.switch(store, XenbusState::Closed);
    }

    /// The rings: takes requests, ends jobs that are done, and plans the next turn.
    fn serve(&mut self, xen: &mut Xen) {
        for number in 0..self.links.len() {
            if !self.links[number].broken {
                self.serve_link(number, xen);
            }
        }
    }

    fn serve_link(&mut self, number: usize, xen: &mut Xen) {
        let mut medium = Medium {
            disk: &self.disk,
            data: &mut self.data,
            sectors: &mut self.sectors,
            servers: &mut self.servers,
            stats: &mut self.stats,
            loot: &mut self.loot,
        };
        let more = self.links[number].take(xen, &mut medium);
        let held_back = self.links[number].drains();
        while let Some(job) = self.links[number].finished(xen) {
            if self.disk.grant_copy && job.is_to_copy() {
                self.links[number].begin_copy(xen, &mut medium, job);
                continue;
            }
            match self.mischief.choose(xen, &job) {
                None => {
                    if self.disk.traced {
                        let answered_ns = xen.agenda.now_ns();
                        let (seen_ns, request) = (job.seen_ns, &job.request);
                        self.served.push(Served {
                            ring: number,
                            operation: request.operation,
                            sector: request.sector_number,
                            sectors: request.sectors(),
                            seen_ns,
                            answered_ns,
                        });
                    }
                    self.links[number].conclude(xen, &mut medium, job);
                }
                Some(lie) => lie.tell(&mut self.links, number, xen, &mut medium, job),
            }
        }
        let link = &mut self.links[number];
        link.cache.purge(xen);
        let actor = Actor::Disk(self.index);
        if let Some(late) = self.disk.deaf {
            link.ring.ask_later(late);
            xen.wake_at(actor, xen.agenda.now_ns() + 50_000);
        }
        if more || held_back && !link.drains() {
            xen.wake(actor);
        }
        if let Some(due_ns) = link.next_due_ns() {
            xen.wake_at(actor, due_ns);
        }
    }
}
