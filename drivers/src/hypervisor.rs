//! Seam 1: all that drivers ask of Xen and of the kernel below them for the domain as a whole.
//!
//! Typed, one method for each need, `&self` so that a model can hold its own state. The guest
//! implements it with hypercalls, the model by stepping simulated backends. What belongs to one
//! vCPU is [`Vcpu`](crate::Vcpu)'s.

use xen_abi::{DomId, Errno, Port};

use crate::grant_frame::GrantFrame;
use crate::page::{Page, PageRun};

/// Interface to the hypervisor that drivers need, whichever vCPU they run on.
pub trait Hypervisor {
    /// A zeroed page of the guest's own memory, or `None` when there is none left.
    fn alloc_page(&self) -> Option<Page>;

    /// Returns `count` zeroed pages that lie one behind the other, or `None` when there are none.
    /// They go back one by one.
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

    /// Closes a port (EVTCHNOP_close).
    ///
    /// # Errors
    /// Xen's, such as `EINVAL` for a port that is closed already.
    fn evtchn_close(&self, port: Port) -> Result<(), Errno>;

    /// Delivers the events of a port to `vcpu`; those of a new one come to vCPU 0
    /// (EVTCHNOP_bind_vcpu). An event that came before is not delivered again, and while it is
    /// pending none is: so the port is to be taken, and its ring looked at, after this and before
    /// `vcpu` sleeps.
    ///
    /// # Errors
    /// Xen's, such as `ENOENT` for a vCPU that the domain does not have, and `EINVAL` for a port
    /// that is closed or another vCPU's for good.
    fn evtchn_bind_vcpu(&self, port: Port, vcpu: u32) -> Result<(), Errno>;

    /// A new port by which any vCPU of the domain wakes `vcpu`, for good (EVTCHNOP_bind_ipi). Who
    /// takes it only after a look at rings has to look again if it was pending: another wake-up may
    /// have come since, which it kept away.
    ///
    /// # Errors
    /// Xen's, such as `ENOENT` for a vCPU that the domain does not have.
    fn evtchn_bind_ipi(&self, vcpu: u32) -> Result<Port, Errno>;
}

/// Why the grant table gets no further page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoFrame {
    /// Xen refuses it.
    Xen(Errno),
    /// The guest has set no more address space aside.
    Room,
}
