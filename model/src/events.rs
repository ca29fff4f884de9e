//! The guest's event channels, with the 2-level bookkeeping of Xen (event_channel.c, event_2l.c).
//!
//! An upcall is raised only when a port's pending bit, then its word's selector bit, then the
//! upcall flag go from 0 to 1; the bit is the domain's, the other two are the vCPU's that the port
//! is bound to. So a driver that forgets to clear a bit before it sleeps misses its event here
//! exactly as it would on Xen, and so does a vCPU that a port is bound to while its bit is set.

use xen_abi::event_channel::PORTS_2L;
use xen_abi::{DomId, Errno, Port};

use crate::agenda::Actor;

/// The tool stack's ports.
pub const STORE_PORT: Port = Port(1);
/// See [`STORE_PORT`].
pub const CONSOLE_PORT: Port = Port(2);

/// The other end of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Channel {
    Closed,
    Unbound(DomId),
    Bound(Actor),
    /// The guest itself, on any vCPU.
    Ipi,
}

/// Words of a vCPU.
#[derive(Clone, Copy, Debug, Default)]
struct VcpuWords {
    selector: u64,
    upcall: bool,
}

/// All ports of the guest.
#[derive(Debug)]
pub struct Events {
    channels: Vec<Channel>,
    /// vCPU that each port's events come to.
    notified: Vec<usize>,
    pending: [u64; 64],
    vcpus: Vec<VcpuWords>,
}

impl Events {
    /// The tool stack's two ports, and no other.
    pub(crate) fn new(vcpus: u32) -> Self {
        let mut channels = vec![Channel::Closed; PORTS_2L as usize];
        channels[STORE_PORT.0 as usize] = Channel::Bound(Actor::Store);
        channels[CONSOLE_PORT.0 as usize] = Channel::Bound(Actor::Console);
        let notified = vec![0; channels.len()];
        let vcpus = vec![VcpuWords::default(); vcpus as usize];
        Self { channels, notified, pending: [0; 64], vcpus }
    }

    /// EVTCHNOP_alloc_unbound.
    pub(crate) fn alloc_unbound(&mut self, remote: DomId) -> Result<Port, Errno> {
        self.open(Channel::Unbound(remote), 0)
    }

    /// EVTCHNOP_bind_ipi.
    pub(crate) fn bind_ipi(&mut self, vcpu: u32) -> Result<Port, Errno> {
        let vcpu = self.vcpu(vcpu)?;
        self.open(Channel::Ipi, vcpu)
    }

    /// EVTCHNOP_bind_vcpu.
    pub(crate) fn bind_vcpu(&mut self, port: Port, vcpu: u32) -> Result<(), Errno> {
        let vcpu = self.vcpu(vcpu)?;
        match self.channel(port)? {
            Channel::Closed | Channel::Ipi => Err(Errno::EINVAL),
            Channel::Unbound(_) | Channel::Bound(_) => {
                self.notified[port.0 as usize] = vcpu;
                Ok(())
            }
        }
    }

    /// A closed port, opened as `channel`, whose events come to `vcpu`.
    fn open(&mut self, channel: Channel, vcpu: usize) -> Result<Port, Errno> {
        let closed = |channel: &Channel| *channel == Channel::Closed;
        let free = self.channels.iter().skip(1).position(closed).ok_or(Errno::ENOSPC)? + 1;
        self.channels[free] = channel;
        self.notified[free] = vcpu;
        self.pending[free / 64] &= !(1 << (free % 64));
        Ok(Port(free as u32))
    }

    fn vcpu(&self, vcpu: u32) -> Result<usize, Errno> {
        let vcpu = vcpu as usize;
        if vcpu < self.vcpus.len() { Ok(vcpu) } else { Err(Errno::ENOENT) }
    }

    /// EVTCHNOP_bind_interdomain, by `actor` in `remote`.
    pub(crate) fn bind(&mut self, port: Port, remote: DomId, actor: Actor) -> Result<(), Errno> {
        let channel = self.channel(port)?;
        if *channel != Channel::Unbound(remote) {
            return Err(Errno::EINVAL);
        }
        *channel = Channel::Bound(actor);
        Ok(())
    }

    /// The peer closed its end: the port is unbound again.
    pub(crate) fn unbind(&mut self, port: Port, remote: DomId) {
        if let Ok(channel @ Channel::Bound(_)) = self.channel(port) {
            *channel = Channel::Unbound(remote);
        }
    }

    /// EVTCHNOP_close, by the guest.
    pub(crate) fn close(&mut self, port: Port) -> Result<(), Errno> {
        match self.channel(port)? {
            Channel::Closed => Err(Errno::EINVAL),
            channel => {
                *channel = Channel::Closed;
                Ok(())
            }
        }
    }

    /// EVTCHNOP_send, by the guest: which peer it wakes, if any is there.
    pub(crate) fn send(&mut self, port: Port) -> Result<Option<Actor>, Errno> {
        match self.channel(port)? {
            Channel::Closed => Err(Errno::EINVAL),
            Channel::Unbound(_) => Ok(None),
            Channel::Bound(actor) => Ok(Some(*actor)),
            Channel::Ipi => {
                self.raise(port);
                Ok(None)
            }
        }
    }

    fn channel(&mut self, port: Port) -> Result<&mut Channel, Errno> {
        self.channels.get_mut(port.0 as usize).ok_or(Errno::EINVAL)
    }

    /// An event reaches the guest; one for a port that is closed by now does not.
    pub(crate) fn deliver(&mut self, port: Port) {
        if self.channel(port).is_ok_and(|channel| *channel != Channel::Closed) {
            self.raise(port);
        }
    }

    /// Sets a port's bits whatever its state (`evtchn_2l_set_pending`).
    pub fn raise(&mut self, port: Port) {
        let (word, bit) = ((port.0 / 64) as usize, 1u64 << (port.0 % 64));
        if self.pending[word] & bit == 0 {
            self.pending[word] |= bit;
            let vcpu = &mut self.vcpus[self.notified[port.0 as usize]];
            if vcpu.selector & (1 << word) == 0 {
                vcpu.selector |= 1 << word;
                vcpu.upcall = true;
            }
        }
    }

    /// The guest clears a port's pending bit.
    pub(crate) fn take(&mut self, port: Port) -> bool {
        let Some(word) = self.pending.get_mut((port.0 / 64) as usize) else {
            return false;
        };
        let bit = 1 << (port.0 % 64);
        let was_set = *word & bit != 0;
        *word &= !bit;
        was_set
    }

    /// A vCPU clears its upcall flag and then its selector.
    pub(crate) fn forget_upcalls(&mut self, vcpu: usize) {
        self.vcpus[vcpu] = VcpuWords::default();
    }

    /// Returns whether an upcall of a vCPU is due, which ends its sleep.
    pub(crate) fn upcall(&self, vcpu: usize) -> bool {
        self.vcpus[vcpu].upcall
    }

    /// Ports that are not closed, the tool stack's two included.
    pub fn open_ports(&self) -> usize {
        let open = |channel: &&Channel| **channel != Channel::Closed;
        self.channels.iter().filter(open).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upcalls(events: &mut Events) -> [bool; 3] {
        [0, 1, 2].map(|vcpu| {
            let upcall = events.upcall(vcpu);
            events.forget_upcalls(vcpu);
            upcall
        })
    }

    #[test]
    fn an_event_comes_to_the_vcpu_that_its_port_is_bound_to() {
        let mut events = Events::new(3);
        let port = events.alloc_unbound(DomId(0)).unwrap();
        events.deliver(port);
        assert_eq!(upcalls(&mut events), [true, false, false]);
        // What is pending stays where it is, and keeps the next one away.
        events.bind_vcpu(port, 2).unwrap();
        events.deliver(port);
        assert_eq!(upcalls(&mut events), [false; 3]);
        assert!(events.take(port));
        events.deliver(port);
        assert_eq!(upcalls(&mut events), [false, false, true]);
        // A port that is opened again is the boot vCPU's.
        events.close(port).unwrap();
        assert_eq!(events.alloc_unbound(DomId(0)), Ok(port));
        events.deliver(port);
        assert_eq!(upcalls(&mut events), [true, false, false]);
    }

    #[test]
    fn a_vcpu_is_woken_by_its_own_port_for_good() {
        let mut events = Events::new(3);
        let port = events.bind_ipi(1).unwrap();
        assert_eq!(events.send(port), Ok(None));
        assert_eq!(upcalls(&mut events), [false, true, false]);
        assert_eq!(events.bind_vcpu(port, 2), Err(Errno::EINVAL));
        assert_eq!(events.bind_ipi(3), Err(Errno::ENOENT));
        assert_eq!(events.bind_vcpu(port, 3), Err(Errno::ENOENT));
        events.close(port).unwrap();
        assert_eq!(events.bind_vcpu(port, 0), Err(Errno::EINVAL));
    }
}
