//! Messages on the wire: a header and a payload, collected from the ring piece by piece.

use alloc::vec::Vec;

use protocols::byte_ring::Reader;
use xen_abi::xenstore::{Header, PAYLOAD_MAX};
use zerocopy::IntoBytes;

use super::Error;

/// A message that is being received.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    header: Header,
    header_len: usize,
    /// Payload of the message that [`collect`](Self::collect) returned last.
    pub(super) body: Vec<u8>,
}

impl Incoming {
    /// Returns an empty message with room for any payload.
    pub(super) fn new() -> Self {
        Self { body: Vec::with_capacity(PAYLOAD_MAX), ..Self::default() }
    }

    /// Begins with a new message.
    pub(super) fn forget(&mut self) {
        self.header_len = 0;
        self.body.clear();
    }

    /// Collects what is there; returns the header once the whole message has come. The payload then
    /// stays in `body` until the next call.
    ///
    /// # Errors
    /// [`Error::Broken`] when the ring's indices are absurd or the message is too long.
    pub(super) fn collect(&mut self, ring: &mut Reader<'_>) -> Result<Option<Header>, Error> {
        if self.header_len < Header::SIZE {
            self.body.clear();
            self.header_len += ring.read(&mut self.header.as_mut_bytes()[self.header_len..])?;
            if self.header_len < Header::SIZE {
                return Ok(None);
            }
        }
        let header = self.header;
        let len = header.len as usize;
        if len > PAYLOAD_MAX {
            return Err(Error::Broken("a message is longer than 4096 bytes"));
        }
        while self.body.len() < len {
            let mut piece = [0; 256];
            let wanted = piece.len().min(len - self.body.len());
            let count = ring.read(&mut piece[..wanted])?;
            if count == 0 {
                return Ok(None);
            }
            self.body.extend_from_slice(&piece[..count]);
        }
        self.header_len = 0;
        Ok(Some(header))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::sync::atomic::{AtomicU8, AtomicU32};
    use protocols::byte_ring::Writer;

    struct Ring {
        bytes: [AtomicU8; 1024],
        prod: AtomicU32,
        cons: AtomicU32,
    }

    fn ring() -> Ring {
        let bytes = [const { AtomicU8::new(0) }; 1024];
        Ring { bytes, prod: AtomicU32::new(u32::MAX - 500), cons: AtomicU32::new(u32::MAX - 500) }
    }

    fn message(len: usize) -> Vec<u8> {
        let header = Header { kind: 2, req_id: 5, tx_id: 0, len: len as u32 };
        let mut bytes = header.as_bytes().to_vec();
        bytes.extend((0..len).map(|n| n as u8));
        bytes
    }

    #[test]
    fn a_reply_longer_than_the_ring_is_collected_in_pieces() {
        let shared = ring();
        let mut server: Writer<'_> = Writer::new(&shared.bytes, &shared.prod, &shared.cons);
        let mut client: Reader<'_> = Reader::new(&shared.bytes, &shared.prod, &shared.cons);
        let mut incoming = Incoming::default();
        for len in [0, 1, 1008, 1009, 4096] {
            let sent = message(len);
            let mut rest = &sent[..];
            let header = loop {
                rest = &rest[server.write(rest).unwrap()..];
                if let Some(header) = incoming.collect(&mut client).unwrap() {
                    break header;
                }
            };
            assert_eq!(header.len as usize, len);
            assert_eq!(incoming.body, sent[16..]);
            assert_eq!(incoming.collect(&mut client), Ok(None));
        }
    }

    #[test]
    fn one_byte_at_a_time_is_enough() {
        let shared = ring();
        let mut server: Writer<'_> = Writer::new(&shared.bytes, &shared.prod, &shared.cons);
        let mut client: Reader<'_> = Reader::new(&shared.bytes, &shared.prod, &shared.cons);
        let mut incoming = Incoming::default();
        let sent = message(3);
        for (place, byte) in sent.iter().enumerate() {
            server.write(&[*byte]).unwrap();
            let done = incoming.collect(&mut client).unwrap().is_some();
            assert_eq!(done, place == sent.len() - 1);
        }
    }

    #[test]
    fn a_length_beyond_the_limit_breaks_the_stream() {
        for len in [4097, u32::MAX - 15, u32::MAX] {
            let shared = ring();
            let mut server: Writer<'_> = Writer::new(&shared.bytes, &shared.prod, &shared.cons);
            let mut client: Reader<'_> = Reader::new(&shared.bytes, &shared.prod, &shared.cons);
            let header = Header { kind: 2, req_id: 1, tx_id: 0, len };
            server.write(header.as_bytes()).unwrap();
            let result = Incoming::default().collect(&mut client);
            assert!(matches!(result, Err(Error::Broken(_))), "{len}: {result:?}");
        }
    }
}
