//! xenstore's page and its messages (io/xs_wire.h).

use core::mem::{offset_of, size_of};
use core::sync::atomic::{AtomicU8, AtomicU32};

use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Bytes in each ring (`XENSTORE_RING_SIZE`).
pub const RING_SIZE: usize = 1024;
/// Most bytes after a header (`XENSTORE_PAYLOAD_MAX`).
pub const PAYLOAD_MAX: usize = 4096;
/// Longest absolute path, in bytes (`XENSTORE_ABS_PATH_MAX`).
pub const ABS_PATH_MAX: usize = 3072;
/// Server feature: `error` says why the server closed the ring.
pub const FEATURE_ERROR: u32 = 2;
/// Value of `connection` while the ring is being connected (`XENSTORE_RECONNECT`).
pub const RECONNECT: u32 = 1;

/// Layout of the page (`xenstore_domain_interface`). Indices run freely, modulo 2^32.
#[repr(C)]
#[derive(Debug)]
pub struct Interface {
    /// Ring of requests to xenstored.
    pub req: [AtomicU8; RING_SIZE],
    /// Ring of replies and watch events.
    pub rsp: [AtomicU8; RING_SIZE],
    /// Bytes of `req` taken.
    pub req_cons: AtomicU32,
    /// Bytes of `req` put.
    pub req_prod: AtomicU32,
    /// Bytes of `rsp` taken.
    pub rsp_cons: AtomicU32,
    /// Bytes of `rsp` put.
    pub rsp_prod: AtomicU32,
    /// Features of the server, `FEATURE_*`.
    pub server_features: AtomicU32,
    /// 0 connected, [`RECONNECT`] while that is under way.
    pub connection: AtomicU32,
    /// Reason for which the server closed the ring; 0 if it did not. Valid with [`FEATURE_ERROR`].
    pub error: AtomicU32,
}

/// Kinds of message (`xsd_sockmsg_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum MessageType {
    /// List a node's children.
    Directory = 1,
    /// Read a node's value.
    Read = 2,
    /// Report changes at and below a path.
    Watch = 4,
    /// End a watch.
    Unwatch = 5,
    /// Open a transaction.
    TransactionStart = 6,
    /// Commit it ("T") or drop it ("F").
    TransactionEnd = 7,
    /// Set a node's value.
    Write = 11,
    /// Make a node.
    Mkdir = 12,
    /// Remove a node and all below it.
    Rm = 13,
    /// From the server: a watch fired.
    WatchEvent = 15,
    /// From the server: the request failed; the payload is an errno's name.
    Error = 16,
    /// List a node's children from an offset in bytes on, with the list's generation.
    DirectoryPart = 22,
}

/// Header before each payload (`xsd_sockmsg`).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, Immutable, IntoBytes)]
pub struct Header {
    /// A [`MessageType`].
    pub kind: u32,
    /// Number that the client gave the request, echoed.
    pub req_id: u32,
    /// Transaction, or 0.
    pub tx_id: u32,
    /// Bytes of payload, 0 to [`PAYLOAD_MAX`].
    pub len: u32,
}

impl Header {
    /// Size on the wire, in bytes.
    pub const SIZE: usize = size_of::<Self>();
}

const _: () = {
    assert!(offset_of!(Interface, rsp) == 1024);
    assert!(offset_of!(Interface, req_cons) == 2048);
    assert!(offset_of!(Interface, rsp_cons) == 2056);
    assert!(offset_of!(Interface, server_features) == 2064);
    assert!(offset_of!(Interface, error) == 2072);
    assert!(size_of::<Header>() == 16);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_survives_the_wire() {
        let header = Header { kind: 2, req_id: 0x0102_0304, tx_id: 7, len: 4096 };
        let bytes = header.as_bytes();
        assert_eq!(bytes[4..8], [4, 3, 2, 1]);
        assert_eq!(Header::read_from_bytes(bytes), Ok(header));
    }
}
