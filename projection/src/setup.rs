//! Setup of a projection: a host, its guests, and what they do.

use std::fmt;

use serde::Serialize;

/// Most guests.
pub const GUESTS_MAX: u32 = 128;
/// Most processors, and most vCPUs of a domain.
pub const CPUS_MAX: u32 = 1024;
/// Most I/Os in flight of all guests: more would take long, and change nothing.
pub const IN_FLIGHT_MAX: u32 = 65_536;
/// Requests that a ring of one page has room for.
pub const RING_REQUESTS: u32 = 32;

/// Guest with its grant mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum System {
    /// Ringmark that works in pages that stay granted.
    Persistent,
    /// Ringmark that copies between these and private pages.
    PersistentCopy,
    /// Ringmark that grants and revokes for each request.
    PerRequest,
    /// Linux with fio's libaio, persistent grants, and thus a copy.
    Linux,
    /// The same with a grant for each request.
    LinuxPerRequest,
}

impl System {
    /// Systems of a curve.
    pub const CURVES: [Self; 5] = [
        Self::Persistent,
        Self::PersistentCopy,
        Self::PerRequest,
        Self::Linux,
        Self::LinuxPerRequest,
    ];

    /// Systems with persistent grants, each with the one that has none and is else the same.
    pub const PAIRS: [(Self, Self); 3] = [
        (Self::Persistent, Self::PerRequest),
        (Self::PersistentCopy, Self::PerRequest),
        (Self::Linux, Self::LinuxPerRequest),
    ];

    /// Returns its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Persistent => "persistent",
            Self::PersistentCopy => "persistent-copy",
            Self::PerRequest => "per-request",
            Self::Linux => "linux",
            Self::LinuxPerRequest => "linux-per-request",
        }
    }

    /// Returns whether the guest is Linux.
    pub const fn is_linux(self) -> bool {
        matches!(self, Self::Linux | Self::LinuxPerRequest)
    }
}

/// Disk behind the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Disk {
    /// Memory, from or to which each I/O is copied.
    Ramdisk,
    /// Nothing: Linux's null_blk.
    Null,
}

/// Load of one guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Load {
    /// Number of vCPUs, each with a job of its own.
    pub vcpus: u32,
    /// Number of queues of its disk, each with a ring of one page and a thread in dom0.
    pub queues: u32,
    /// I/Os in flight of each job, as far as the rings have room.
    pub iodepth: u32,
    /// Disk that it uses.
    pub disk: Disk,
}

/// Host, and what runs on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Setup {
    /// Number of processors: threads, where cores have several.
    pub cpus: u32,
    /// Number of dom0's vCPUs.
    pub dom0_vcpus: u32,
    /// Number of guests, which are alike.
    pub guests: u32,
    /// Load of each.
    pub load: Load,
}

/// Number that is out of its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetupError {
    /// Name of it.
    name: &'static str,
    found: u64,
    most: u32,
}

impl Setup {
    /// Returns the number of I/Os that a guest has in flight.
    pub fn in_flight(&self) -> u32 {
        let room = self.load.queues.saturating_mul(RING_REQUESTS);
        self.load.vcpus.saturating_mul(self.load.iodepth).min(room)
    }

    /// Checks that all of it is within bounds.
    ///
    /// # Errors
    /// The first number that is 0 or too great.
    pub fn check(&self) -> Result<(), SetupError> {
        let Load { vcpus, queues, iodepth, .. } = self.load;
        let numbers = [
            ("processors", self.cpus, CPUS_MAX),
            ("vCPUs of dom0", self.dom0_vcpus, CPUS_MAX),
            ("guests", self.guests, GUESTS_MAX),
            ("vCPUs of a guest", vcpus, CPUS_MAX),
            ("queues", queues, CPUS_MAX),
            ("iodepth", iodepth, IN_FLIGHT_MAX),
        ];
        for (name, found, most) in numbers {
            if found == 0 || found > most {
                return Err(SetupError { name, found: found.into(), most });
            }
        }
        let found = u64::from(self.guests) * u64::from(self.in_flight());
        let resources = u64::from(self.guests) * (u64::from(vcpus) + u64::from(queues));
        let most = IN_FLIGHT_MAX;
        if found > most.into() {
            return Err(SetupError { name: "I/Os in flight of all guests", found, most });
        }
        if resources > most.into() {
            let name = "vCPUs and queues of all guests";
            return Err(SetupError { name, found: resources, most });
        }
        Ok(())
    }
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} is not from 1 to {}", self.name, self.found, self.most)
    }
}

impl std::error::Error for SetupError {}
