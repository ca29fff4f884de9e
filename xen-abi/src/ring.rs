//! The header of a shared request/response ring (io/ring.h).

use core::mem::{offset_of, size_of};
use core::sync::atomic::AtomicU32;

/// The first 64 bytes of a ring (`struct *_sring`); the entries follow.
///
/// All four indices run freely, modulo 2^32.
#[repr(C)]
#[derive(Debug)]
pub struct SringHeader {
    /// Requests that the frontend has published.
    pub req_prod: AtomicU32,
    /// The backend wants an event when `req_prod` passes this.
    pub req_event: AtomicU32,
    /// Responses that the backend has published.
    pub rsp_prod: AtomicU32,
    /// The frontend wants an event when `rsp_prod` passes this.
    pub rsp_event: AtomicU32,
    pad: [AtomicU32; 12],
}

const _: () = {
    assert!(size_of::<SringHeader>() == 64);
    assert!(offset_of!(SringHeader, req_event) == 4);
    assert!(offset_of!(SringHeader, rsp_prod) == 8);
    assert!(offset_of!(SringHeader, rsp_event) == 12);
};
