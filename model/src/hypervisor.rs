//! The seam: [`Hypervisor`] and [`Vcpu`] as the simulator implements them.
//!
//! Each call takes a little time, in which other domains may run, so every call is a place where
//! the peer can come between two steps of a driver.

use std::cell::{RefCell, RefMut};
use std::fmt;
use std::rc::Rc;

use drivers::grant_frame::GrantFrame;
use drivers::hypervisor::NoFrame;
use drivers::{Hypervisor, Page, PageRun, Vcpu};
use xen_abi::{DomId, Errno, Port, console, xenstore};

use crate::blkback::Disk;
use crate::events::{CONSOLE_PORT, STORE_PORT};
use crate::memory::Memory;
use crate::world::World;
use crate::xen::{Config, GRANT_FRAMES_ROOM, GUEST};

/// A simulated machine with one guest.
pub struct ModelXen {
    memory: Rc<Memory>,
    world: RefCell<World>,
}

impl ModelXen {
    /// A machine with xenstored and a console, and no disk.
    pub fn new(config: Config) -> Self {
        let world = World::new(&config);
        Self { memory: Rc::clone(&world.xen.memory), world: RefCell::new(world) }
    }

    /// A machine for one seed, everything else as usual.
    pub fn seeded(seed: u64) -> Self {
        Self::new(Config::seeded(seed))
    }

    /// Plugs a disk in; returns its index among [`World::disks`].
    pub fn attach(&self, disk: Disk) -> usize {
        self.world().attach(disk)
    }

    /// All but the guest. Not to be held across a call of a driver.
    pub fn world(&self) -> RefMut<'_, World> {
        self.world.borrow_mut()
    }

    /// xenstore's port and page, as start-up finds them.
    pub fn store_channel(&self) -> (Port, &xenstore::Interface) {
        (STORE_PORT, &self.memory.store)
    }

    /// The console's port and page.
    pub fn console_channel(&self) -> (Port, &console::Interface) {
        (CONSOLE_PORT, &self.memory.console)
    }

    /// Lets the other domains run for so long, the guest doing nothing.
    pub fn pass_ns(&self, ns: u64) {
        let mut world = self.world();
        let until_ns = world.xen.agenda.now_ns() + ns;
        world.run(until_ns, &[]);
    }

    /// Takes the guest's processor away for so long, while the others run on.
    pub fn pause_ns(&self, ns: u64) {
        self.pass_ns(ns);
        let stolen_ns = &mut self.world().xen.stolen_ns;
        *stolen_ns = stolen_ns.map(|stolen_ns| stolen_ns + ns);
    }

    /// A call into the hypervisor, with the time that it takes.
    pub(crate) fn enter(&self) -> RefMut<'_, World> {
        let mut world = self.world();
        let mut call_ns = world.xen.rng.u64(50..300) + world.xen.call_ns;
        world.xen.calls += 1;
        let calls = world.xen.calls;
        let here = |(call, _): &(u64, u64)| *call == calls;
        let paused_ns = world.xen.pauses.iter().find(|pause| here(pause)).map_or(0, |(_, ns)| *ns);
        call_ns += paused_ns;
        world.xen.stolen_ns = world.xen.stolen_ns.map(|stolen_ns| stolen_ns + paused_ns);
        let until_ns = world.xen.agenda.now_ns() + call_ns;
        world.run(until_ns, &[]);
        world
    }
}

impl ModelXen {
    /// Enters the hypervisor to set something up.
    fn set_up(&self) -> RefMut<'_, World> {
        let mut world = self.enter();
        world.xen.totals.set_up_calls += 1;
        world
    }

    /// Begins a sleep; returns when it ends at the latest. It may always end early; one in 64 does.
    pub(crate) fn sleep_until(&self, deadline_ns: u64) -> u64 {
        let mut world = self.enter();
        world.xen.totals.sleeps += 1;
        let early = world.xen.rng.u32(0..64) == 0;
        let now_ns = world.xen.agenda.now_ns();
        if early { deadline_ns.min(now_ns + 1_000) } else { deadline_ns }
    }
}

impl fmt::Debug for ModelXen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelXen").finish_non_exhaustive()
    }
}

impl Drop for ModelXen {
    fn drop(&mut self) {
        let world = self.world.get_mut();
        let violations = world.xen.take_violations();
        if world.xen.pages_out() != 0 {
            // A `Page` that is still out may be used for the rest of the program.
            std::mem::forget(Rc::clone(&self.memory));
        }
        if !std::thread::panicking() {
            assert!(violations.is_empty(), "the guest broke the rules: {violations:#?}");
        }
    }
}

impl Hypervisor for ModelXen {
    fn alloc_page(&self) -> Option<Page> {
        let mut world = self.enter();
        if world.xen.fails() { None } else { world.xen.alloc_page() }
    }

    fn alloc_run(&self, count: usize) -> Option<PageRun> {
        let mut world = self.enter();
        if world.xen.fails() { None } else { world.xen.alloc_run(count) }
    }

    fn free_page(&self, page: Page) {
        self.enter().xen.free_page(page);
    }

    fn grant_frame(&self) -> Result<GrantFrame<'_>, NoFrame> {
        let mut world = self.set_up();
        if world.xen.fails() {
            return Err(NoFrame::Xen(Errno::ENOMEM));
        }
        if world.xen.grant_frames >= GRANT_FRAMES_ROOM {
            return Err(NoFrame::Room);
        }
        let frame = self.memory.grant_frame(world.xen.grant_frames);
        let frame = frame.ok_or(NoFrame::Xen(Errno::EINVAL))?;
        world.xen.grant_frames += 1;
        Ok(frame)
    }

    fn evtchn_alloc_unbound(&self, remote: DomId) -> Result<Port, Errno> {
        let mut world = self.set_up();
        if world.xen.fails() {
            return Err(Errno::ENOSPC);
        }
        if remote == GUEST || remote.0 >= DomId::FIRST_RESERVED.0 {
            world.xen.violation(format!("an event channel for domain {remote}"));
        }
        world.xen.events.alloc_unbound(remote)
    }

    fn evtchn_close(&self, port: Port) -> Result<(), Errno> {
        let mut world = self.set_up();
        if world.xen.fails() {
            return Err(Errno::EINVAL);
        }
        world.xen.events.close(port)
    }

    fn evtchn_bind_vcpu(&self, port: Port, vcpu: u32) -> Result<(), Errno> {
        let mut world = self.set_up();
        if world.xen.fails() {
            return Err(Errno::EINVAL);
        }
        world.xen.events.bind_vcpu(port, vcpu)
    }

    fn evtchn_bind_ipi(&self, vcpu: u32) -> Result<Port, Errno> {
        let mut world = self.set_up();
        if world.xen.fails() {
            return Err(Errno::ENOSPC);
        }
        world.xen.events.bind_ipi(vcpu)
    }
}

/// The boot vCPU.
impl Vcpu for ModelXen {
    fn now_ns(&self) -> u64 {
        self.enter().xen.agenda.now_ns()
    }

    fn stolen_ns(&self) -> Option<u64> {
        // It takes no time, so that asking changes nothing else of a run.
        let mut world = self.world();
        world.xen.totals.stolen_calls += 1;
        world.xen.stolen_ns
    }

    fn has_completed(&self) {
        let mut world = self.world();
        if world.xen.completion_ns != 0 {
            let until_ns = world.xen.agenda.now_ns() + world.xen.completion_ns;
            world.run(until_ns, &[]);
        }
    }

    fn send(&self, port: Port) -> Result<(), Errno> {
        let mut world = self.enter();
        if world.xen.fails() {
            return Err(Errno::EINVAL);
        }
        world.xen.totals.sends += 1;
        world.xen.note(b's', port.0.into(), 0);
        if let Some(actor) = world.xen.events.send(port)? {
            world.xen.wake(actor);
        }
        // Who is woken may have done its work before a slow call is back.
        let until_ns = world.xen.agenda.now_ns() + world.xen.call_ns;
        world.run(until_ns, &[]);
        Ok(())
    }

    fn yield_now(&self) {
        let mut world = self.enter();
        world.xen.totals.yields += 1;
        // Others had the processor, for a moment or for longer.
        let lent_ns = world.xen.delay_ns() + world.xen.yield_ns;
        world.xen.stolen_ns = world.xen.stolen_ns.map(|stolen_ns| stolen_ns + lent_ns);
        let until_ns = world.xen.agenda.now_ns() + lent_ns + world.xen.yield_call_ns;
        world.run(until_ns, &[]);
    }

    fn take_event(&self, port: Port) -> bool {
        self.enter().xen.events.take(port)
    }

    fn prepare_wait(&self) {
        self.enter().xen.events.forget_upcalls(0);
    }

    fn wait(&self, deadline_ns: u64) {
        let until_ns = self.sleep_until(deadline_ns);
        let mut world = self.world();
        world.run(until_ns, &[0]);
        if until_ns == deadline_ns && !world.xen.events.upcall(0) {
            world.xen.totals.timeouts += 1;
        }
    }
}
