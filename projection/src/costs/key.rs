//! Names, units and ranges of costs.

/// Cost in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// Clock of a processor.
    Clock,
    /// Cycles that an instruction takes.
    CyclesPerInstruction,
    /// Threads of a core.
    ThreadsPerCore,
    /// Work that a core's further threads add, each in parts of what one alone does.
    SecondThread,
    /// Exit from a guest to Xen and back, without what Xen does.
    Exit,
    /// Time from an interrupt's sending until the other processor is awake.
    Ipi,
    /// Time until the first other processor has flushed its TLB.
    ShootdownBase,
    /// Time that each other processor adds to it.
    ShootdownEach,
    /// Time that each other processor loses by it.
    ShootdownReceived,
    /// Passing of a lock to a processor that spins on it.
    LockHandover,
    /// Bytes that a processor copies in a nanosecond.
    Copy,
    /// Instructions of ringmark's guest for an I/O.
    RingmarkIo,
    /// Instructions of ringmark's guest to sleep and wake.
    RingmarkSleep,
    /// Exits of ringmark's guest to signal, sleep and wake.
    RingmarkExits,
    /// Instructions of a Linux guest with fio for an I/O, without copying.
    LinuxIo,
    /// Instructions of a Linux guest to sleep and wake.
    LinuxSleep,
    /// Exits of a Linux guest to signal, sleep and wake.
    LinuxExits,
    /// Instructions of a frontend to grant a page and revoke that.
    FrontendGrant,
    /// Instructions of dom0 for a request, without copying.
    BackendIo,
    /// Instructions of dom0 to sleep and wake.
    BackendSleep,
    /// Instructions of Xen for a request.
    XenIo,
    /// Instructions of Xen for an exit.
    XenExit,
    /// Instructions of dom0 and Xen to map a page and unmap it.
    MapUnmap,
    /// Part of these under a lock of dom0's grant table.
    MapUnmapLocked,
    /// Transfer of a cache line between cores of a socket.
    LineSocket,
    /// Transfer of a cache line between sockets.
    LineRemote,
    /// Locked instruction on a line that the processor has for itself.
    LineAtomic,
}

impl Key {
    /// All keys.
    pub const ALL: [Self; 27] = [
        Self::Clock,
        Self::CyclesPerInstruction,
        Self::ThreadsPerCore,
        Self::SecondThread,
        Self::Exit,
        Self::Ipi,
        Self::ShootdownBase,
        Self::ShootdownEach,
        Self::ShootdownReceived,
        Self::LockHandover,
        Self::Copy,
        Self::RingmarkIo,
        Self::RingmarkSleep,
        Self::RingmarkExits,
        Self::LinuxIo,
        Self::LinuxSleep,
        Self::LinuxExits,
        Self::FrontendGrant,
        Self::BackendIo,
        Self::BackendSleep,
        Self::XenIo,
        Self::XenExit,
        Self::MapUnmap,
        Self::MapUnmapLocked,
        Self::LineSocket,
        Self::LineRemote,
        Self::LineAtomic,
    ];

    /// Returns its section and its name there.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clock => "processor.clock",
            Self::CyclesPerInstruction => "processor.cycles_per_instruction",
            Self::ThreadsPerCore => "processor.threads_per_core",
            Self::SecondThread => "processor.second_thread",
            Self::Exit => "processor.exit",
            Self::Ipi => "processor.ipi",
            Self::ShootdownBase => "processor.shootdown_base",
            Self::ShootdownEach => "processor.shootdown_each",
            Self::ShootdownReceived => "processor.shootdown_received",
            Self::LockHandover => "processor.lock_handover",
            Self::Copy => "processor.copy",
            Self::RingmarkIo => "ringmark.io",
            Self::RingmarkSleep => "ringmark.sleep",
            Self::RingmarkExits => "ringmark.exits",
            Self::LinuxIo => "linux.io",
            Self::LinuxSleep => "linux.sleep",
            Self::LinuxExits => "linux.exits",
            Self::FrontendGrant => "frontend.grant",
            Self::BackendIo => "dom0.io",
            Self::BackendSleep => "dom0.sleep",
            Self::XenIo => "xen.io",
            Self::XenExit => "xen.exit",
            Self::MapUnmap => "grants.map_unmap",
            Self::MapUnmapLocked => "grants.locked",
            Self::LineSocket => "lines.socket",
            Self::LineRemote => "lines.remote",
            Self::LineAtomic => "lines.atomic",
        }
    }

    /// Returns the unit of its value.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Clock => "GHz",
            Self::CyclesPerInstruction | Self::Exit | Self::LockHandover => "cycles",
            Self::ShootdownReceived | Self::LineAtomic => "cycles",
            Self::ThreadsPerCore => "threads",
            Self::SecondThread | Self::MapUnmapLocked => "parts of 1",
            Self::Ipi | Self::ShootdownBase | Self::ShootdownEach => "ns",
            Self::LineSocket | Self::LineRemote => "ns",
            Self::Copy => "bytes per ns",
            Self::RingmarkExits | Self::LinuxExits => "exits",
            _ => "instructions",
        }
    }

    /// Returns the least and the greatest value that it may have.
    pub const fn range(self) -> (f64, f64) {
        match self {
            Self::Clock => (0.1, 20.0),
            Self::CyclesPerInstruction => (0.1, 100.0),
            Self::ThreadsPerCore => (1.0, 8.0),
            Self::SecondThread | Self::MapUnmapLocked => (0.0, 1.0),
            Self::Copy => (0.01, 1000.0),
            Self::RingmarkExits | Self::LinuxExits => (0.0, 100.0),
            // Without these, nothing would take time.
            Self::RingmarkIo | Self::LinuxIo | Self::BackendIo => (1.0, 1e6),
            Self::Exit | Self::ShootdownReceived | Self::LockHandover => (0.0, 1e6),
            Self::Ipi | Self::ShootdownBase | Self::ShootdownEach => (0.0, 1e6),
            _ => (0.0, 1e6),
        }
    }
}
