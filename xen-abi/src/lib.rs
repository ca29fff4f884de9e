//! Numbers and layouts of Xen's public interface, and nothing that runs.
//!
//! One file for each public header under `xen/include/public`; every file names its header and
//! ends with compile-time checks of the sizes and offsets that the header's C structures have on
//! x86-64. Only what ringmark uses is here. Fields that the other side writes while we read are
//! atomics, so that reading them is ordinary code everywhere else.
#![no_std]
#![forbid(unsafe_code)]

pub mod blkif;
pub mod console;
pub mod event_channel;
pub mod grant_table;
pub mod hvm;
pub mod hvm_vcpu;
pub mod hypercall;
pub mod memory;
pub mod ring;
pub mod sched;
pub mod shared_info;
pub mod start_info;
pub mod vcpu;
pub mod vdev;
pub mod xenbus;
pub mod xenstore;

use core::fmt;

/// Size of a page and of a grant, in bytes.
pub const PAGE_SIZE: usize = 4096;

/// A domain's number (`domid_t`, xen.h).
///
/// Numbers from [`DomId::FIRST_RESERVED`] on name no domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DomId(pub u16);

impl DomId {
    /// The calling domain, in hypercall arguments (`DOMID_SELF`).
    pub const SELF: Self = Self(0x7ff0);
    /// The first number that is no domain's (`DOMID_FIRST_RESERVED`).
    pub const FIRST_RESERVED: Self = Self(0x7ff0);
}

impl fmt::Display for DomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The local end of an event channel (`evtchn_port_t`, event_channel.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port(pub u32);

/// A grant reference (`grant_ref_t`, grant_table.h): an index into the granting domain's table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GrantRef(pub u32);

/// A guest frame number: a guest-physical address divided by [`PAGE_SIZE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gfn(pub u64);

/// Error of a failed hypercall, as a positive number (errno.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub u16);

impl Errno {
    /// Not permitted.
    pub const EPERM: Self = Self(1);
    /// No such thing.
    pub const ENOENT: Self = Self(2);
    /// No memory left.
    pub const ENOMEM: Self = Self(12);
    /// Invalid argument.
    pub const EINVAL: Self = Self(22);
    /// No space left.
    pub const ENOSPC: Self = Self(28);
    /// Unknown hypercall or sub-operation.
    pub const ENOSYS: Self = Self(38);

    /// Returns what a hypercall returned in RAX, or its error: -errno, at most 4095 below 0.
    ///
    /// # Errors
    /// Xen's.
    pub const fn check(rax: u64) -> Result<u64, Self> {
        match rax.wrapping_neg() {
            errno @ 1..=4095 => Err(Self(errno as u16)),
            _ => Ok(rax),
        }
    }

    /// Returns the header's name, where this crate knows it.
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            1 => "EPERM",
            2 => "ENOENT",
            3 => "ESRCH",
            7 => "E2BIG",
            11 => "EAGAIN",
            12 => "ENOMEM",
            13 => "EACCES",
            14 => "EFAULT",
            16 => "EBUSY",
            17 => "EEXIST",
            19 => "ENODEV",
            22 => "EINVAL",
            28 => "ENOSPC",
            34 => "ERANGE",
            38 => "ENOSYS",
            95 => "EOPNOTSUPP",
            _ => return None,
        })
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "error {}", self.0),
        }
    }
}

impl core::error::Error for Errno {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_a_small_number_below_0() {
        for value in [0, 1, 4095, 4 << 16 | 17, 1 << 63, u64::MAX - 4095, i64::MAX as u64] {
            assert_eq!(Errno::check(value), Ok(value));
        }
        for errno in [1_u16, 22, 38, 4095] {
            assert_eq!(Errno::check((-i64::from(errno)) as u64), Err(Errno(errno)));
        }
    }
}
