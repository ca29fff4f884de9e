//! The byte queues of the console and of xenstore (io/console.h, io/xs_wire.h).
//!
//! Each half keeps its own index privately and publishes it; the other side's index is read once
//! for each look and must not claim more than the ring holds.

use core::fmt;
use core::sync::atomic::Ordering;

use crate::{Atomic, Atomics, Native};

/// The other side's index makes no sense; the stream can't be used any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overrun {
    /// Producer's index.
    pub prod: u32,
    /// Consumer's index.
    pub cons: u32,
}

impl fmt::Display for Overrun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ring indices are absurd (producer {}, consumer {})", self.prod, self.cons)
    }
}

/// Returns the bytes between two free-running indices, if they fit a ring of `size` bytes.
fn filled(prod: u32, cons: u32, size: usize) -> Result<usize, Overrun> {
    let filled = prod.wrapping_sub(cons) as usize;
    if filled <= size { Ok(filled) } else { Err(Overrun { prod, cons }) }
}

/// Producer's end of a byte ring.
#[derive(Debug)]
pub struct Writer<'a, A: Atomics = Native> {
    bytes: &'a [A::U8],
    prod_shared: &'a A::U32,
    cons_shared: &'a A::U32,
    prod: u32,
}

impl<'a, A: Atomics> Writer<'a, A> {
    /// Continues at the ring's current indices.
    ///
    /// # Panics
    /// When `bytes.len()` is not a power of two.
    pub fn new(bytes: &'a [A::U8], prod: &'a A::U32, cons: &'a A::U32) -> Self {
        assert!(bytes.len().is_power_of_two());
        let start = prod.load(Ordering::Relaxed);
        Self { bytes, prod_shared: prod, cons_shared: cons, prod: start }
    }

    /// Writes as much of `bytes` as there is room for; returns how much that was, perhaps 0.
    ///
    /// # Errors
    /// [`Overrun`], when the consumer's index is ahead of ours or too far behind.
    pub fn write(&mut self, bytes: &[u8]) -> Result<usize, Overrun> {
        let count = self.room()?.min(bytes.len());
        for &byte in &bytes[..count] {
            let place = self.prod as usize & (self.bytes.len() - 1);
            self.bytes[place].store(byte, Ordering::Relaxed);
            self.prod = self.prod.wrapping_add(1);
        }
        self.prod_shared.store(self.prod, Ordering::Release);
        // Before the event that tells of it, and before any look at what the consumer does.
        A::fence(Ordering::SeqCst);
        Ok(count)
    }

    /// Returns the room that there is, in bytes.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn room(&self) -> Result<usize, Overrun> {
        let cons = self.cons_shared.load(Ordering::Acquire);
        Ok(self.bytes.len() - filled(self.prod, cons, self.bytes.len())?)
    }

    /// Returns whether all that was written has been taken; an absurd index counts as taken.
    pub fn is_empty(&self) -> bool {
        let cons = self.cons_shared.load(Ordering::Acquire);
        !matches!(filled(self.prod, cons, self.bytes.len()), Ok(1..))
    }

    /// Returns whether there is no room now; an absurd index counts as room, so that `write` gets
    /// to report it.
    pub fn is_full(&self) -> bool {
        self.room() == Ok(0)
    }
}

/// Consumer's end of a byte ring.
#[derive(Debug)]
pub struct Reader<'a, A: Atomics = Native> {
    bytes: &'a [A::U8],
    prod_shared: &'a A::U32,
    cons_shared: &'a A::U32,
    cons: u32,
    /// A full ring got room since this was last asked for.
    made_room: bool,
}

impl<'a, A: Atomics> Reader<'a, A> {
    /// Continues at the ring's current indices.
    ///
    /// # Panics
    /// When `bytes.len()` is not a power of two.
    pub fn new(bytes: &'a [A::U8], prod: &'a A::U32, cons: &'a A::U32) -> Self {
        assert!(bytes.len().is_power_of_two());
        let start = cons.load(Ordering::Relaxed);
        Self { bytes, prod_shared: prod, cons_shared: cons, cons: start, made_room: false }
    }

    /// Takes what is there, at most `bytes.len()`; returns how much that was, perhaps 0.
    ///
    /// # Errors
    /// [`Overrun`], when the producer claims more than the ring holds.
    pub fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Overrun> {
        let prod = self.prod_shared.load(Ordering::Acquire);
        let start = self.cons;
        let count = filled(prod, start, self.bytes.len())?.min(bytes.len());
        for byte in &mut bytes[..count] {
            let place = self.cons as usize & (self.bytes.len() - 1);
            *byte = self.bytes[place].load(Ordering::Relaxed);
            self.cons = self.cons.wrapping_add(1);
        }
        if count != 0 {
            self.cons_shared.store(self.cons, Ordering::Release);
            // The producer looks at our index, finds the ring full, and sleeps; we must see that it
            // was full, even if it filled up only while we were reading.
            A::fence(Ordering::SeqCst);
            let prod = self.prod_shared.load(Ordering::Relaxed);
            self.made_room |= prod.wrapping_sub(start) as usize >= self.bytes.len();
        }
        Ok(count)
    }

    /// Returns whether the producer may have found the ring full before reads that were made since
    /// the last call, and so waits for an event.
    pub fn take_made_room(&mut self) -> bool {
        core::mem::take(&mut self.made_room)
    }

    /// Returns whether there is nothing to read now; an absurd index counts as something, so that
    /// `read` gets to report it.
    pub fn is_empty(&self) -> bool {
        self.prod_shared.load(Ordering::Acquire) == self.cons
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::sync::atomic::{AtomicU8, AtomicU32};
    use std::vec::Vec;

    struct Shared {
        bytes: [AtomicU8; 16],
        prod: AtomicU32,
        cons: AtomicU32,
    }

    fn shared(start: u32) -> Shared {
        Shared { bytes: Default::default(), prod: start.into(), cons: start.into() }
    }

    #[test]
    fn a_stream_passes_in_pieces_across_the_wrap() {
        let shared = shared(u32::MAX - 20);
        let mut writer = Writer::<Native>::new(&shared.bytes, &shared.prod, &shared.cons);
        let mut reader = Reader::<Native>::new(&shared.bytes, &shared.prod, &shared.cons);
        let sent: Vec<u8> = (0..200).collect();
        let (mut rest, mut got) = (&sent[..], Vec::new());
        while got.len() < sent.len() {
            rest = &rest[writer.write(rest).unwrap()..];
            let mut piece = [0; 7];
            let count = reader.read(&mut piece).unwrap();
            got.extend_from_slice(&piece[..count]);
        }
        assert_eq!(got, sent);
        assert!(reader.is_empty());
    }

    #[test]
    fn a_producer_that_found_the_ring_full_is_told() {
        let shared = shared(7);
        let mut writer = Writer::<Native>::new(&shared.bytes, &shared.prod, &shared.cons);
        let mut reader = Reader::<Native>::new(&shared.bytes, &shared.prod, &shared.cons);
        writer.write(&[1; 15]).unwrap();
        assert!(!writer.is_full() && !writer.is_empty());
        reader.read(&mut [0; 4]).unwrap();
        assert!(!reader.take_made_room(), "there was room for one more");
        writer.write(&[1; 5]).unwrap();
        assert!(writer.is_full());
        reader.read(&mut [0; 1]).unwrap();
        assert!(reader.take_made_room());
        assert!(!reader.take_made_room());
    }

    #[test]
    fn absurd_indices_are_errors() {
        let shared = shared(100);
        let mut writer = Writer::<Native>::new(&shared.bytes, &shared.prod, &shared.cons);
        let mut reader = Reader::<Native>::new(&shared.bytes, &shared.prod, &shared.cons);
        for lie in [101, 83, 0, u32::MAX] {
            shared.cons.store(lie, Ordering::Relaxed);
            assert_eq!(writer.write(b"x"), Err(Overrun { prod: 100, cons: lie }));
            assert!(writer.is_empty() && !writer.is_full(), "nobody waits for a liar");
        }
        for lie in [99, 117, u32::MAX] {
            shared.prod.store(lie, Ordering::Relaxed);
            assert_eq!(reader.read(&mut [0; 4]), Err(Overrun { prod: lie, cons: 100 }));
        }
    }

    #[test]
    fn our_own_index_is_never_read_back() {
        let shared = shared(0);
        let mut writer = Writer::<Native>::new(&shared.bytes, &shared.prod, &shared.cons);
        assert_eq!(writer.write(b"abc"), Ok(3));
        shared.prod.store(77, Ordering::Relaxed);
        assert_eq!(writer.write(b"d"), Ok(1));
        assert_eq!(shared.prod.load(Ordering::Relaxed), 4);
    }
}
