//! Watches: hints that something below a path has changed, folded into one flag for each watch.

use xen_abi::xenstore::MessageType;

use super::{Error, Transaction, Xenstore};
use crate::vcpu::Vcpu;

/// Token of a watch; at most 32 at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchToken(u8);

impl WatchToken {
    /// Returns its name on the wire: one letter.
    fn name(self) -> [u8; 1] {
        [b'A' + self.0]
    }

    fn bit_of(name: &[u8]) -> Option<u32> {
        match name {
            [letter] => 1u32.checked_shl(u32::from(letter.checked_sub(b'A')?)),
            _ => None,
        }
    }
}

/// Watches of a client, one bit each.
#[derive(Debug, Default)]
pub(super) struct Watches {
    set: u32,
    fired: u32,
}

impl Watches {
    /// Notes a watch event. Its payload is path NUL token NUL; only the token matters to us.
    pub(super) fn note_event(&mut self, payload: &[u8]) {
        let mut strings = payload.split(|&byte| byte == 0);
        if let (Some(_path), Some(token), Some(_)) =
            (strings.next(), strings.next(), strings.next())
            && let Some(bit) = WatchToken::bit_of(token)
        {
            self.fired |= bit & self.set;
        }
    }
}

impl<V: Vcpu> Xenstore<'_, V> {
    /// Sets a watch on `path` and all below. The first event comes at once.
    ///
    /// # Errors
    /// [`Error`]; [`Error::TooLong`] when 32 watches are set already.
    pub fn watch(&mut self, path: &str) -> Result<WatchToken, Error> {
        let token = self.new_watch()?;
        let added = self.watch_also(path, token);
        if added.is_err() {
            self.watches.set &= !(1 << token.0);
        }
        added.map(|()| token)
    }

    /// Makes a watch without a path.
    ///
    /// # Errors
    /// [`Error::TooLong`] when 32 watches are set already.
    pub fn new_watch(&mut self) -> Result<WatchToken, Error> {
        let number = self.watches.set.trailing_ones();
        let bit = 1u32.checked_shl(number).ok_or(Error::TooLong)?;
        self.watches.set |= bit;
        self.watches.fired &= !bit;
        Ok(WatchToken(number as u8))
    }

    /// Adds a path to a watch, which then fires for each of its paths. The first event comes at
    /// once.
    ///
    /// # Errors
    /// [`Error`]; the server's, when the domain has as many watches as it may.
    pub fn watch_also(&mut self, path: &str, token: WatchToken) -> Result<(), Error> {
        let name = token.name();
        let parts = [path.as_bytes(), b"\0", &name, b"\0"];
        match self.request(MessageType::Watch, Transaction::NONE, &parts) {
            // EEXIST: a request that timed out here was still served there.
            Err(error) if !error.is_refused("EEXIST") => Err(error),
            _ => Ok(()),
        }
    }

    /// Removes a watch that has one path.
    ///
    /// # Errors
    /// [`Error`].
    pub fn unwatch(&mut self, path: &str, token: WatchToken) -> Result<(), Error> {
        let removed = self.unwatch_one(path, token);
        self.watches.set &= !(1 << token.0);
        removed
    }

    /// Removes one path of several from a watch.
    ///
    /// # Errors
    /// [`Error`].
    pub fn unwatch_one(&mut self, path: &str, token: WatchToken) -> Result<(), Error> {
        let name = token.name();
        let parts = [path.as_bytes(), b"\0", &name, b"\0"];
        self.request(MessageType::Unwatch, Transaction::NONE, &parts).map(drop)
    }

    /// Returns whether the watch fired since the last call; reads memory only.
    ///
    /// # Errors
    /// [`Error::Broken`].
    pub fn take_fired(&mut self, token: WatchToken) -> Result<bool, Error> {
        self.receive(None)?;
        let bit = 1 << token.0;
        let fired = self.watches.fired & bit != 0;
        self.watches.fired &= !bit;
        Ok(fired)
    }

    /// Sleeps until the watch fires or `deadline_ns` passes; returns whether it fired.
    ///
    /// # Errors
    /// [`Error::Broken`].
    pub fn wait_fired(&mut self, token: WatchToken, deadline_ns: u64) -> Result<bool, Error> {
        loop {
            // The clock first: what comes in while the processor is away is seen.
            let now_ns = self.vcpu.now_ns();
            if self.take_fired(token)? {
                return Ok(true);
            }
            if now_ns >= deadline_ns {
                return Ok(false);
            }
            self.sleep(deadline_ns);
        }
    }
}
