//! State that a vCPU has of its own with Xen: its time, its timer, its pending words and upcall
//! flag.
//!
//! The guest's implementation of [`drivers::Vcpu`]. Only the vCPU itself uses it, so plain cells
//! are enough; what Xen writes is reached through atomics in the shared page.

use core::cell::Cell;

use protocols::clock::TimeLine;
use protocols::events::Events;
use protocols::timer::Timer;
use xen_abi::event_channel::VIRQ_TIMER;
use xen_abi::shared_info::VcpuInfo;
use xen_abi::vcpu::{RUNSTATE_OFFLINE, RUNSTATE_RUNNABLE};
use xen_abi::{Errno, Port};

use crate::cpu::{self, HaltWindow};
use crate::hypercall::HypercallEntry;
use crate::vcpu_tables::Loaded;
use crate::xen::{self, Xen};

/// A vCPU, for the code that runs on it.
#[derive(Debug)]
pub struct Vcpu {
    entry: HypercallEntry,
    /// Xen's number of it.
    id: u32,
    /// Its words in the shared page.
    info: &'static VcpuInfo,
    events: Events<'static>,
    /// The highest time handed out; of no meaning in a restored domain, whose clock may be behind.
    last_ns: Cell<u64>,
    timer_port: Port,
    /// Timer behind each sleep; a restored domain has none that is armed.
    timer: Timer,
    /// Its sleep, which keeps this value on its vCPU.
    halt_window: HaltWindow,
}

impl Vcpu {
    /// The vCPU that this runs on, with its tables; to be called once on each.
    ///
    /// # Errors
    /// Xen's, such as `EEXIST` where it was called before.
    pub fn here(xen: &Xen, tables: &Loaded) -> Result<Self, Errno> {
        let (entry, id, shared) = (xen.entry(), cpu::vcpu_id(), xen.shared());
        let info = &shared.vcpu_info[id as usize];
        let timer_port = xen::bind_virq(entry, VIRQ_TIMER, id)?;
        let halt_window = tables.halt_window(&info.evtchn_upcall_pending);
        let (events, last_ns, timer) = (Events::new(shared, info), Cell::new(0), Timer::default());
        Ok(Self { entry, id, info, events, last_ns, timer_port, timer, halt_window })
    }

    /// Sees to it that no wait sleeps any more. For a vCPU that has stopped for good, and whose
    /// value is used by the one that runs on: a timer is set by its own vCPU alone, and what is set
    /// already would not wake another.
    pub fn lose_timer(&self) {
        self.timer.note_fired();
    }
}

impl drivers::Vcpu for Vcpu {
    #[inline]
    fn now_ns(&self) -> u64 {
        let now_ns =
            TimeLine::from(&self.info.time).system_time_ns(cpu::tsc).max(self.last_ns.get());
        self.last_ns.set(now_ns);
        now_ns
    }

    fn stolen_ns(&self) -> Option<u64> {
        let info = xen::runstate(self.entry, self.id).ok()?;
        let [runnable_ns, offline_ns] =
            [RUNSTATE_RUNNABLE, RUNSTATE_OFFLINE].map(|state| info.time_ns[state]);
        Some(runnable_ns.wrapping_add(offline_ns))
    }

    #[inline]
    fn send(&self, port: Port) -> Result<(), Errno> {
        xen::send(self.entry, port)
    }

    #[inline]
    fn yield_now(&self) {
        xen::give_way(self.entry);
    }

    #[inline]
    fn take_event(&self, port: Port) -> bool {
        self.events.take(port)
    }

    fn prepare_wait(&self) {
        self.events.prepare_wait();
        if self.events.take(self.timer_port) {
            self.timer.note_fired();
        }
    }

    fn wait(&self, deadline_ns: u64) {
        let arm = |at_ns| xen::set_timer(self.entry, self.id, at_ns);
        if self.timer.arm_for_sleep(self.now_ns(), deadline_ns, arm) {
            self.halt_window.sleep();
        }
    }
}
