//! Seam 2: all that drivers ask of the vCPU that they run on.
//!
//! Time, events and sleep belong to one vCPU each, so whoever needs them is lent the value of the
//! vCPU that runs it, and what may move to another vCPU ([`QueuePair`](crate::blkfront::QueuePair))
//! holds none.

use xen_abi::{Errno, Port};

/// A vCPU, as the code that runs on it sees it: one value for each, and no other vCPU's business.
///
/// # Waiting without losing an event
/// The order is fixed: [`prepare_wait`](Self::prepare_wait), then [`take_event`](Self::take_event)
/// for each port of interest, then arm and look at the shared rings, and only when they have no
/// work [`wait`](Self::wait). An event that comes after its `take_event` ends the `wait` at once.
/// Whoever has a single port and no ring to arm does all of it by
/// [`wait_unless`](Self::wait_unless).
pub trait Vcpu {
    /// System time in nanoseconds; never goes backwards.
    fn now_ns(&self) -> u64;

    /// Returns how long the vCPU wanted to run and did not, since it was made, in nanoseconds:
    /// another had its processor, or the domain was paused. The time that it sleeps does not count.
    /// `None` if the hypervisor does not tell (VCPUOP_get_runstate_info).
    fn stolen_ns(&self) -> Option<u64>;

    /// Tells that the caller has dealt with a completed request. On Xen the time for that has
    /// passed by itself; a simulator lets it pass here, and its backends run.
    #[inline]
    fn has_completed(&self) {}

    /// Sends an event (EVTCHNOP_send).
    ///
    /// # Errors
    /// Xen's, such as `EINVAL` for a port that is closed.
    fn send(&self, port: Port) -> Result<(), Errno>;

    /// Lets other vCPUs run that wait for this processor (SCHEDOP_yield), for as long as they
    /// please; no ring need be armed.
    fn yield_now(&self);

    /// Clears the port's pending bit and says whether it was set.
    fn take_event(&self, port: Port) -> bool;

    /// First step of waiting: forgets upcalls so far, so that any later event makes a new one.
    fn prepare_wait(&self);

    /// Sleeps until an event comes or `deadline_ns` has passed; may return early.
    fn wait(&self, deadline_ns: u64);

    /// All of that for one port: sleeps until an event comes there or `deadline_ns` has passed,
    /// unless `has_work` finds something that came before; may return early.
    fn wait_unless(&self, port: Port, deadline_ns: u64, has_work: impl FnOnce() -> bool) {
        self.prepare_wait();
        self.take_event(port);
        if !has_work() {
            self.wait(deadline_ns);
        }
    }
}
