//! Connection of blkback to the frontend's rings, and its end.

use std::rc::Rc;

use drivers::grant::Access;
use xen_abi::Port;

use super::cache::Cache;
use super::disk::Disk;
use super::io::Link;
use super::ring::BackRing;
use crate::agenda::Actor;
use crate::xen::Xen;
use crate::xenstored::Xenstored;

/// Nodes that a frontend wrote to xenstore for the backend of a disk.
pub(super) struct Frontend<'a> {
    pub(super) directory: &'a str,
    pub(super) store: &'a Xenstored,
    pub(super) disk: &'a Disk,
    /// The number of the disk's backend.
    pub(super) index: usize,
}

impl Frontend<'_> {
    /// `connect_ring`: all rings, or none.
    pub(super) fn connect_rings(&self, xen: &mut Xen) -> Result<Vec<Link>, &'static str> {
        if self.key("protocol") != "x86_64-abi" {
            return Err("protocol is not ours");
        }
        let mut links = Vec::new();
        for directory in self.ring_directories()? {
            match self.connect_ring(xen, &directory) {
                Ok(link) => links.push(link),
                Err(why) => {
                    links.into_iter().for_each(|link| unlink(self.disk, xen, link));
                    return Err(why);
                }
            }
        }
        Ok(links)
    }

    /// Returns the directories of the rings' nodes, below the frontend's; never in both places.
    fn ring_directories(&self) -> Result<Vec<String>, &'static str> {
        let has = |key| !self.key(key).is_empty();
        let at_top = has("ring-ref") || has("event-channel");
        let in_queues = has("queue-0/event-channel");
        let count = match &*self.key("multi-queue-num-queues") {
            "" => 1,
            count => count.parse().map_err(|_| "multi-queue-num-queues is no number")?,
        };
        match count {
            1 if in_queues => Err("queue-0 stands beside a single ring"),
            1 => Ok(vec![String::new()]),
            _ if count == 0 || count > self.disk.queues_max => {
                Err("multi-queue-num-queues is not from 1 to the most")
            }
            _ if at_top => Err("a single ring stands beside queue-0"),
            _ => Ok((0..count).map(|number| format!("queue-{number}/")).collect()),
        }
    }

    fn connect_ring(&self, xen: &mut Xen, directory: &str) -> Result<Link, &'static str> {
        let port = self.key(&format!("{directory}event-channel"));
        let port = port.parse().map(Port).map_err(|_| "event-channel is missing")?;
        let memory = Rc::clone(&xen.memory);
        let (backend, mut ring_pages) = (self.disk.backend, Vec::new());
        let mapped = self.ring_grefs(directory)?.into_iter().try_for_each(|gref| {
            ring_pages.push(xen.grants.map(&memory, backend, gref, Access::ReadWrite).ok()?);
            Some(())
        });
        let bound = match mapped {
            None => Err("the ring can't be mapped"),
            Some(()) => xen
                .events
                .bind(port, backend, Actor::Disk(self.index))
                .map_err(|_| "the event channel can't be bound"),
        };
        if let Err(why) = bound {
            ring_pages.into_iter().for_each(|page| xen.grants.unmap(&memory, page));
            return Err(why);
        }
        let persistent = self.is_persistent();
        let gfns = ring_pages.iter().map(|page| xen.grants.gfn(page)).collect();
        let ring = BackRing::attach(&memory, gfns);
        let entries = ring.entries() as usize;
        Ok(Link {
            ring,
            ring_pages,
            port,
            cache: Cache::new(if persistent { self.disk.persistent_max } else { 0 }),
            jobs: Vec::with_capacity(entries),
            ids: vec![[0; 2]; entries],
            stuck: Vec::new(),
            hoard: Vec::new(),
            broken: false,
        })
    }

    /// The references of a ring's pages (`read_per_ring_refs`): numbered ones with an order, a
    /// single one without, and never both.
    fn ring_grefs(&self, directory: &str) -> Result<Vec<u32>, &'static str> {
        let key = |name: &str| self.key(&format!("{directory}{name}"));
        let gref = |name: &str| key(name).parse().map_err(|_| "a ring reference is missing");
        match (&*self.key("ring-page-order"), &*key("ring-ref")) {
            ("", _) => Ok(vec![gref("ring-ref")?]),
            (order, "") => {
                let order: u32 = order.parse().map_err(|_| "ring-page-order is no number")?;
                if order > self.disk.ring_order_max {
                    return Err("ring-page-order is too large");
                }
                (0..1 << order).map(|n| gref(&format!("ring-ref{n}"))).collect()
            }
            _ => Err("ring-ref stands beside ring-page-order"),
        }
    }

    /// Returns whether persistent grants were agreed on.
    pub(super) fn is_persistent(&self) -> bool {
        self.disk.persistent && self.key("feature-persistent") == "1"
    }

    /// A node of the frontend's; empty if there is none.
    fn key(&self, key: &str) -> String {
        self.store.tree.text(&format!("{}/{key}", self.directory))
    }
}

/// Lets a ring go, and what is kept for it unless the backend clings to that.
pub(super) fn unlink(disk: &Disk, xen: &mut Xen, mut link: Link) {
    if !disk.clings {
        link.cache.clear(xen);
        link.ring_pages.into_iter().for_each(|page| xen.grants.unmap(&xen.memory, page));
    }
    xen.events.unbind(link.port, disk.backend);
}
