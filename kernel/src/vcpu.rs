//! What a vCPU has of its own with Xen: its time, its timer, its pending words and upcall flag.
//!
//! The guest's implementation of [`drivers::Vcpu`]. Only the vCPU itself uses it, so plain cells
//! are enough; what Xen writes is reached through atomics in the shared page.

use core::cell::Cell;
use core::sync::atomic::{AtomicU64, Ordering};

use protocols::clock::TimeLine;
use xen_abi::event_channel::VIRQ_TIMER;
use xen_abi::shared_info::{SharedInfo, VcpuInfo};
use xen_abi::vcpu::{RUNSTATE_OFFLINE, RUNSTATE_RUNNABLE};
use xen_abi::{Errno, Port};

use crate::cpu;
use crate::hypercall::HypercallEntry;
use crate::xen::{self, Xen};

/// The only vCPU so far.
const BOOT_VCPU: u32 = 0;
/// The longest sleep, in nanoseconds: a lost event costs at most this delay.
const SLEEP_MAX_NS: u64 = 100_000_000;

/// A vCPU, for the code that runs on it.
#[derive(Debug)]
pub struct Vcpu {
    entry: HypercallEntry,
    /// Xen's number of it.
    id: u32,
    shared: &'static SharedInfo,
    /// Its part of the shared page.
    info: &'static VcpuInfo,
    /// The highest time handed out; of no meaning in a restored domain, whose clock may be behind.
    last_ns: Cell<u64>,
    timer: Port,
    /// When the armed timer fires; [`u64::MAX`] when none is armed. A restored domain has none.
    timer_ns: Cell<u64>,
}

impl Vcpu {
    /// The vCPU that the domain began with, which must be the one that calls this, once.
    ///
    /// # Errors
    /// Xen's.
    pub fn boot(xen: &Xen) -> Result<Self, Errno> {
        let (entry, id, shared) = (xen.entry(), BOOT_VCPU, xen.shared());
        let info = &shared.vcpu_info[id as usize];
        cpu::set_upcall_flag(&info.evtchn_upcall_pending);
        let timer = xen::bind_virq(entry, VIRQ_TIMER, id)?;
        let (last_ns, timer_ns) = (Cell::new(0), Cell::new(u64::MAX));
        Ok(Self { entry, id, shared, info, last_ns, timer, timer_ns })
    }

    /// The pending bit of a port: its word, and the bit in it.
    fn pending(&self, port: Port) -> Option<(&AtomicU64, u64)> {
        let word = self.shared.evtchn_pending.get(port.0 as usize / 64)?;
        Some((word, 1 << (port.0 % 64)))
    }

    /// Sees to it that the timer fires no later than at `deadline_ns`; answers whether it will.
    fn arm_timer(&self, deadline_ns: u64) -> bool {
        if self.timer_ns.get() <= deadline_ns {
            return true;
        }
        let armed = xen::set_timer(self.entry, self.id, deadline_ns);
        if armed.is_ok() {
            self.timer_ns.set(deadline_ns);
        }
        armed.is_ok()
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
    fn take_event(&self, port: Port) -> bool {
        self.pending(port)
            .is_some_and(|(word, bit)| word.fetch_and(!bit, Ordering::SeqCst) & bit != 0)
    }

    fn prepare_wait(&self) {
        // From the top down: Xen sets a lower level first, and goes on to the next only if the bit
        // was clear (event_2l.c). Stale bits at any level would lose the next event.
        self.info.evtchn_upcall_pending.store(0, Ordering::SeqCst);
        self.info.evtchn_pending_sel.swap(0, Ordering::SeqCst);
        if self.take_event(self.timer) {
            self.timer_ns.set(u64::MAX);
        }
    }

    fn wait(&self, deadline_ns: u64) {
        let now_ns = self.now_ns();
        if now_ns >= deadline_ns {
            return;
        }
        // Without a timer behind it a sleep might never end: then look again instead.
        if self.arm_timer(deadline_ns.min(now_ns.saturating_add(SLEEP_MAX_NS))) {
            cpu::halt_window();
        }
    }
}
