//! Pages that the tool stack made for the guest, each of which two HVM parameters describe: the
//! console's and xenstore's (hvm/params.h).

use core::fmt;

use xen_abi::{Errno, PAGE_SIZE, Port};

use crate::memory_map::{MAPPED_END, Range};

/// Why a special page can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// Xen did not say.
    Refused(Errno),
    /// The page's number is 0 or beyond what is mapped one to one.
    Gfn(u64),
    /// The port is 0 or no port.
    Port(u64),
    /// The page at this address lies in memory that is ours.
    Ours(u64),
}

impl fmt::Display for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(errno) => write!(f, "Xen does not say where it is: {errno}"),
            Self::Gfn(gfn) => write!(f, "Xen puts it at page {gfn:#x}, which does not exist"),
            Self::Port(port) => {
                write!(f, "Xen gives it event channel port {port}, which does not exist")
            }
            Self::Ours(address) => {
                write!(f, "Xen puts it at {address:#x}, which is the guest's own memory")
            }
        }
    }
}

/// Returns address and port of a special page, from the values of its two parameters; `ours` is
/// all memory that the guest uses itself.
///
/// # Errors
/// [`Absent`].
pub fn place(
    gfn: Result<u64, Errno>,
    port: Result<u64, Errno>,
    ours: impl IntoIterator<Item = Range>,
) -> Result<(usize, Port), Absent> {
    let gfn = gfn.map_err(Absent::Refused)?;
    let port = port.map_err(Absent::Refused)?;
    if !(1..MAPPED_END / PAGE_SIZE as u64).contains(&gfn) {
        return Err(Absent::Gfn(gfn));
    }
    let port = u32::try_from(port).ok().filter(|&port| port != 0).ok_or(Absent::Port(port))?;
    let page = Range::sized(gfn * PAGE_SIZE as u64, PAGE_SIZE as u64);
    if ours.into_iter().any(|range| range.touches(page)) {
        return Err(Absent::Ours(page.start));
    }
    Ok((page.start as usize, Port(port)))
}
