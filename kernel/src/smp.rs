//! The vCPUs besides the boot vCPU: each comes up when there is work for it, does it, hands the
//! result back by value, and goes down until there is more.
//!
//! What such a vCPU shares with the boot vCPU while it works is up to the work; this file adds
//! nothing to it.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;
use core::sync::atomic::AtomicU32;

use drivers::Vcpu as _;
use drivers::patience::Patience;
use protocols::crash;
use protocols::handover::Handover;
use spin::{Mutex, Once};
use xen_abi::Errno;
use xen_abi::vcpu::HVM_MAX_VCPUS;

use crate::hypercall::HypercallEntry;
use crate::vcpu::Vcpu;
use crate::vcpu_tables::{BOOT_VCPU, Loaded, Ready, VCPUS_MAX};
use crate::xen::Xen;
use crate::{cpu, xen};

/// Longest wait for a vCPU to come up or to go down, in nanoseconds.
const PATIENCE_NS: u64 = 10_000_000_000;
/// Time between two looks at what another vCPU does, in nanoseconds.
const LOOK_AGAIN_NS: u64 = 500_000;
/// Longest wait for the other vCPUs to stop for a crash, in ticks of the time stamp counter: some
/// seconds, whatever the processor.
const STOP_TICKS: u64 = 1 << 33;

/// Why another vCPU is of no use.
#[derive(Clone, Copy, Debug)]
pub enum VcpuError {
    /// There is no memory for all vCPUs that are wanted.
    Memory {
        /// Number of vCPUs, the boot vCPU included.
        count: u32,
    },
    /// The domain has no such vCPU, or it was not made ready.
    Absent {
        /// Its number.
        vcpu: u32,
    },
    /// Xen refuses it.
    Xen {
        /// Its number.
        vcpu: u32,
        /// Xen's reason.
        errno: Errno,
    },
    /// Nothing is heard of it.
    Silent {
        /// Its number.
        vcpu: u32,
    },
}

impl fmt::Display for VcpuError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory { count } => {
                write!(f, "no memory for {count} vCPUs; set vcpus= lower or memory= higher")
            }
            Self::Absent { vcpu } => write!(f, "there is no vCPU {vcpu}; set vcpus= higher"),
            Self::Xen { vcpu, errno } => write!(f, "vCPU {vcpu} cannot be started: {errno}"),
            Self::Silent { vcpu } => write!(
                f,
                "vCPU {vcpu} did not come up within {} s; xl vcpu-list shows where it may run",
                PATIENCE_NS / 1_000_000_000
            ),
        }
    }
}

/// Work for a vCPU.
type Work = Box<dyn FnOnce(&Vcpu) + Send>;

/// Meeting place of a vCPU and the boot vCPU.
struct Seat {
    id: u32,
    xen: &'static Xen,
    /// Whether it takes the work, or comes too late for it.
    handover: Handover<AtomicU32>,
    /// Work that it has not taken yet.
    work: Mutex<Option<Work>>,
    /// Why it can't do any, if so.
    refusal: Once<Errno>,
}

/// The vCPUs besides the boot vCPU, which alone gives them work: whoever stops all vCPUs looks at
/// that one first, so that none it has seen stopped is started again.
pub struct Crew {
    /// Keeps it on its vCPU.
    _not_send: PhantomData<*const ()>,
    xen: &'static Xen,
    /// A place for each, from vCPU 1 on; with what it has of its own before its first work.
    seats: Vec<(&'static Seat, Option<Ready>)>,
}

impl fmt::Debug for Crew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crew").finish_non_exhaustive()
    }
}

/// Result of a vCPU's work, when there is one.
#[derive(Debug)]
pub struct Pending<T> {
    result: Arc<Mutex<Option<T>>>,
}

/// Returns the number of vCPUs that the domain has.
pub fn all(entry: HypercallEntry) -> u32 {
    let others = BOOT_VCPU + 1..HVM_MAX_VCPUS;
    1 + others.take_while(|&id| xen::is_let_run(entry, id).is_ok()).count() as u32
}

/// Returns whether the domain has another vCPU that Xen has no operation to start: QEMU's own Xen,
/// under KVM, lacks VCPUOP_initialise, up, down and is_up.
pub fn are_out_of_reach(entry: HypercallEntry) -> bool {
    xen::is_let_run(entry, BOOT_VCPU + 1) == Err(Errno::ENOSYS)
}

/// Returns the number of vCPUs that can be used of those that the domain has: at most
/// [`VCPUS_MAX`].
pub fn count(entry: HypercallEntry) -> u32 {
    all(entry).min(VCPUS_MAX as u32)
}

impl Crew {
    /// Makes the other vCPUs of `count` ready; none runs yet. To be called once.
    ///
    /// # Errors
    /// [`VcpuError::Memory`].
    pub fn new(xen: &'static Xen, tables: &mut Loaded, count: u32) -> Result<Self, VcpuError> {
        let ready = tables.make_others(xen, count).ok_or(VcpuError::Memory { count })?;
        let seat = |ready: Ready| {
            let (id, handover) = (ready.id(), Handover::new(AtomicU32::new(0)));
            let (work, refusal) = (Mutex::new(None), Once::new());
            (&*Box::leak(Box::new(Seat { id, xen, handover, work, refusal })), Some(ready))
        };
        Ok(Self { _not_send: PhantomData, xen, seats: ready.into_iter().map(seat).collect() })
    }

    /// Gives vCPU `id` work, lets it run, and waits until it has taken the work; `here` is the vCPU
    /// that asks. If the vCPU still has work, the end of that is waited for, too.
    ///
    /// # Errors
    /// [`VcpuError`]; then the work is not done, nor will it be.
    pub fn start<T: Send + 'static>(
        &mut self,
        here: &Vcpu,
        id: u32,
        work: impl FnOnce(&Vcpu) -> T + Send + 'static,
    ) -> Result<Pending<T>, VcpuError> {
        let entry = self.xen.entry();
        let refused = |errno| VcpuError::Xen { vcpu: id, errno };
        let place = id.checked_sub(1).and_then(|place| self.seats.get_mut(place as usize));
        let (seat, ready) = place.ok_or(VcpuError::Absent { vcpu: id })?;
        if let Some(ready) = ready.take() {
            ready.begin_at(self.xen, begin, *seat).map_err(refused)?;
        }
        // It takes its work and then goes down: what came in between would be left.
        let silent = VcpuError::Silent { vcpu: id };
        wait_for(here, || xen::is_let_run(entry, id) == Ok(false)).ok_or(silent)?;
        let result = Arc::new(Mutex::new(None));
        let give = Arc::clone(&result);
        *seat.work.lock() = Some(Box::new(move |vcpu: &Vcpu| *give.lock() = Some(work(vcpu))));
        seat.handover.offer();
        let taken = xen::let_run(entry, id).map_err(refused).and_then(|()| {
            wait_for(here, || seat.handover.is_taken() || seat.refusal.is_completed())
                .ok_or(silent)?;
            seat.refusal.get().map_or(Ok(()), |&errno| Err(refused(errno)))
        });
        match taken {
            // It may come up later still, and is to do nothing then.
            Err(error) if seat.handover.withdraw() => {
                seat.work.lock().take();
                Err(error)
            }
            _ => Ok(Pending { result }),
        }
    }
}

impl<T> Pending<T> {
    /// Returns the result, once, if the work is done. Never waits.
    pub fn try_take(&self) -> Option<T> {
        self.result.try_lock()?.take()
    }

    /// Waits some seconds for the result of work that takes no longer; `None` if it goes on.
    pub fn wait_briefly(&self, here: &Vcpu) -> Option<T> {
        let mut taken = None;
        let is_done = || {
            taken = self.try_take();
            taken.is_some()
        };
        wait_for(here, is_done)?;
        taken
    }
}

/// Sleeps between looks until one finds it done; `None` if it takes too long.
pub fn wait_for(here: &Vcpu, mut is_done: impl FnMut() -> bool) -> Option<()> {
    let mut patience = Patience::new(here.now_ns(), PATIENCE_NS);
    loop {
        patience.count(here.now_ns());
        if is_done() {
            return Some(());
        }
        if patience.is_over() {
            return None;
        }
        here.prepare_wait();
        here.wait(here.now_ns().saturating_add(LOOK_AGAIN_NS));
    }
}

/// Runs on a vCPU from its beginning.
fn begin(tables: Loaded, seat: &'static Seat) -> ! {
    let vcpu = Vcpu::here(seat.xen, &tables);
    if let Err(errno) = vcpu {
        seat.refusal.call_once(|| errno);
    }
    loop {
        if let Ok(vcpu) = &vcpu
            && seat.handover.take()
        {
            let work = seat.work.lock().take();
            work.into_iter().for_each(|work| work(vcpu));
        }
        // Goes on here when there is work again.
        let _ = xen::stop(seat.xen.entry(), seat.id);
    }
}

/// Stops all vCPUs but the one that this runs on, for good; returns whether they have stopped.
pub fn stop_others(entry: HypercallEntry) -> bool {
    let here = cpu::vcpu_id();
    let others = || (0..VCPUS_MAX as u32).filter(|&id| id != here);
    let start = cpu::tsc();
    while cpu::tsc().wrapping_sub(start) < STOP_TICKS {
        // One that has not stopped yet may let another run.
        for id in others().filter(|&id| xen::is_let_run(entry, id) == Ok(true)) {
            let _ = xen::stop(entry, id);
        }
        if others().all(|id| has_stopped(entry, id)) {
            return true;
        }
        xen::give_way(entry);
    }
    false
}

/// Returns whether a vCPU is known not to run, or there is none of this number.
fn has_stopped(entry: HypercallEntry, id: u32) -> bool {
    let state = || xen::runstate(entry, id).ok().map(|info| info.state);
    crash::has_stopped(xen::is_let_run(entry, id), state)
}
