//! Everything around the guest: Xen, the daemons and the backends, stepped one at a time.

use xen_abi::DomId;

use crate::agenda::{Actor, Task};
use crate::blkback::{Blkback, Disk};
use crate::console::Consoled;
use crate::xen::{Config, GUEST, Xen};
use crate::xenstored::{Perms, Xenstored};

/// The simulated machine without the guest.
pub struct World {
    /// Hypervisor.
    pub xen: Xen,
    /// xenstored.
    pub store: Xenstored,
    /// The console's daemon.
    pub console: Consoled,
    /// Backends, in the order in which they were attached.
    pub disks: Vec<Blkback>,
}

impl World {
    pub(crate) fn new(config: &Config) -> Self {
        let xen = Xen::new(config);
        let console = Consoled::new(&xen.memory.console);
        let mut store = Xenstored::new(&xen.memory.store);
        let home = format!("/local/domain/{}", GUEST.0);
        store.tree.make(&home, "", Perms::readable_by(DomId(0), GUEST));
        for own in ["device", "control", "data"] {
            store.tree.make(&format!("{home}/{own}"), "", Perms::owned_by(GUEST));
        }
        store.tree.make(
            &format!("{home}/domid"),
            &GUEST.0.to_string(),
            Perms::readable_by(DomId(0), GUEST),
        );
        Self { xen, store, console, disks: Vec::new() }
    }

    /// Plugs a disk in, as the tool stack does, and lets its backend begin.
    pub(crate) fn attach(&mut self, disk: Disk) -> usize {
        let index = self.disks.len();
        self.disks.push(Blkback::new(index, disk, &mut self.store));
        self.xen.wake(Actor::Disk(index));
        index
    }

    /// Sets a node, as somebody in domain 0.
    pub fn set(&mut self, path: &str, value: &str) {
        self.store.set(path, value);
        self.store.wake_watchers(&mut self.xen);
    }

    /// Removes a node, as somebody in domain 0.
    pub fn unset(&mut self, path: &str) {
        self.store.unset(path);
        self.store.wake_watchers(&mut self.xen);
    }

    /// Lets all happen that is due by `until_ns`, or until a vCPU that sleeps gets an upcall.
    pub(crate) fn run(&mut self, until_ns: u64, sleepers: &[usize]) {
        while !sleepers.iter().any(|&vcpu| self.xen.events.upcall(vcpu)) {
            let Some(task) = self.xen.agenda.next(until_ns) else {
                self.xen.agenda.pass(until_ns);
                return;
            };
            self.perform(task);
        }
    }

    fn perform(&mut self, task: Task) {
        match task {
            Task::Deliver(port) => {
                self.xen.note(b'e', port.0.into(), 0);
                self.xen.totals.delivered += 1;
                self.xen.events.deliver(port);
            }
            Task::Storm(port, period_ns) => {
                self.xen.totals.delivered += 1;
                self.xen.events.raise(port);
                self.xen.storm(port, period_ns);
            }
            Task::Run(actor) => {
                self.xen.totals.turns += 1;
                match actor {
                    Actor::Store => self.store.turn(&mut self.xen),
                    Actor::Console => self.console.turn(&mut self.xen),
                    Actor::Disk(index) => self.disks[index].turn(&mut self.xen, &mut self.store),
                }
            }
        }
        self.store.wake_watchers(&mut self.xen);
    }
}
