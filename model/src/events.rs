//! The guest's event channels, with the 2-level bookkeeping of Xen (event_channel.c, event_2l.c).
//!
//! An upcall is raised only when a port's pending bit, then its word's selector bit, then the
//! upcall flag go from 0 to 1. So a driver that forgets to clear a bit before it sleeps misses
//! its event here exactly as it would on Xen.

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
}

/// All ports of the guest.
#[derive(Debug)]
pub struct Events {
    channels: Vec<Channel>,
    pending: [u64; 64],
    selector: u64,
    upcall: bool,
}

impl Events {
    /// The tool stack's two ports, and no other.
    pub(crate) fn new() -> Self {
        let mut channels = vec![Channel::Closed; PORTS_2L as usize];
        channels[STORE_PORT.0 as usize] = Channel::Bound(Actor::Store);
        channels[CONSOLE_PORT.0 as usize] = Channel::Bound(Actor::Console);
        Self { channels, pending: [0; 64], selector: 0, upcall: false }
    }

    /// EVTCHNOP_alloc_unbound.
    pub(crate) fn alloc_unbound(&mut self, remote: DomId) -> Result<Port, Errno> {
        let closed = |channel: &Channel| *channel == Channel::Closed;
        let free = self.channels.iter().skip(1).position(closed).ok_or(Errno::ENOSPC)? + 1;
        self.channels[free] = Channel::Unbound(remote);
        self.pending[free / 64] &= !(1 << (free % 64));
        Ok(Port(free as u32))
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

    /// EVTCHNOP_send, by the guest: whom it wakes, if anybody is there.
    pub(crate) fn send(&mut self, port: Port) -> Result<Option<Actor>, Errno> {
        match self.channel(port)? {
            Channel::Closed => Err(Errno::EINVAL),
            Channel::Unbound(_) => Ok(None),
            Channel::Bound(actor) => Ok(Some(*actor)),
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
            if self.selector & (1 << word) == 0 {
                self.selector |= 1 << word;
                self.upcall = true;
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

    /// The guest clears the upcall flag and then the selector.
    pub(crate) fn forget_upcalls(&mut self) {
        self.upcall = false;
        self.selector = 0;
    }

    /// Returns whether an upcall is due, which ends a sleep.
    pub(crate) fn upcall(&self) -> bool {
        self.upcall
    }

    /// Ports that are not closed, the tool stack's two included.
    pub fn open_ports(&self) -> usize {
        let open = |channel: &&Channel| **channel != Channel::Closed;
        self.channels.iter().filter(open).count()
    }
}
