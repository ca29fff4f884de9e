//! Seam 1: all that drivers ask of Xen and of the kernel below them.
//!
//! Typed, one method for each need, `&self` so that a model can hold its own state. The guest
//! implements it with hypercalls, the model by stepping simulated backends.

use xen_abi::{DomId, Errno, Port};

use crate::grant::GrantFrame;
use crate::page::{Page, PageRun};

/// What drivers need from below.
///
/// # Waiting without losing an event
/// The order is fixed: [`prepare_wait`](Self::prepare_wait), then [`take_event`](Self::take_event)
/// for each port of interest, then arm and look at the shared rings, and only when they have no
/// work [`wait`](Self::wait). An event that comes after its `take_event` ends the `wait` at once.
pub trait Hypervisor {
    /// System time in nanoseconds; never goes backwards.
    fn now_ns(&self) -> u64;

    /// How long the vCPU wanted to run and did not, since it was made, in nanoseconds: another had
    /// its processor, or the domain was paused. The time that it sleeps does not count. `None` if
    /// the hypervisor does not tell (VCPUOP_get_runstate_info).
    fn stolen_ns(&self) -> Option<u64>;

    /// Tells that the caller has dealt with a completed request. On Xen the time for that has
    /// passed by itself; a simulator lets it pass here, and its backends run.
    #[inline]
    fn has_completed(&self) {}

    /// A zeroed page of the guest's own memory, or `None` when there is none left.
    fn alloc_page(&self) -> Option<Page>;

    /// So many zeroed pages that lie one behind the other, or `None` when there are none. They go
    /// back one by one.
    fn alloc_run(&self, count: usize) -> Option<PageRun>;

    /// Takes back a page that nobody else can reach any more.
    ///
    /// A page that is dropped instead is lost on purpose: that is how a page which the backend
    /// refuses to let go is kept out of use for ever.
    fn free_page(&self, page: Page);

    /// The next page of the grant table, which was not handed out before
    /// (XENMEM_add_to_physmap).
    ///
    /// # Errors
    /// When the table is as large as Xen lets this domain's be, or as the guest has room for.
    fn grant_frame(&self) -> Result<GrantFrame<'_>, NoFrame>;

    /// A new port that `remote` may bind to (EVTCHNOP_alloc_unbound).
    ///
    /// # Errors
    /// Xen's, such as `ENOSPC`.
    fn evtchn_alloc_unbound(&self, remote: DomId) -> Result<Port, Errno>;

    /// Sends an event (EVTCHNOP_send).
    ///
    /// # Errors
    /// Xen's, such as `EINVAL` for a port that is closed.
    fn evtchn_send(&self, port: Port) -> Result<(), Errno>;

    /// Closes a port (EVTCHNOP_close).
    ///
    /// # Errors
    /// Xen's, such as `EINVAL` for a port that is closed already.
    fn evtchn_close(&self, port: Port) -> Result<(), Errno>;

    /// Clears the port's pending bit and says whether it was set.
    fn take_event(&self, port: Port) -> bool;

    /// First step of waiting: forgets upcalls so far, so that any later event makes a new one.
    fn prepare_wait(&self);

    /// Sleeps until an event comes or `deadline_ns` has passed; may return early.
    fn wait(&self, deadline_ns: u64);
}

/// Why the grant table gets no further page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoFrame {
    /// Xen refuses it.
    Xen(Errno),
    /// The guest has set no more address space aside.
    Room,
}

/// Who may touch a granted page, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The grantee may read and write.
    ReadWrite,
    /// The grantee may only read.
    ReadOnly,
}
