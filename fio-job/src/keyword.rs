//! Options whose value is one of a few keywords.

use core::fmt;

/// Kind of I/O, as in fio's `rw=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rw {
    /// Sequential reads.
    Read,
    /// Sequential writes.
    Write,
    /// Sequential reads and writes mixed.
    ReadWrite,
    /// Random reads.
    RandRead,
    /// Random writes.
    RandWrite,
    /// Random reads and writes mixed.
    RandRw,
    /// Sequential discards.
    Trim,
    /// Random discards.
    RandTrim,
}

impl Rw {
    /// Keywords of `rw=`, each with its meaning.
    pub const NAMES: [(&str, Self); 9] = [
        ("read", Self::Read),
        ("write", Self::Write),
        ("rw", Self::ReadWrite),
        ("readwrite", Self::ReadWrite),
        ("randread", Self::RandRead),
        ("randwrite", Self::RandWrite),
        ("randrw", Self::RandRw),
        ("trim", Self::Trim),
        ("randtrim", Self::RandTrim),
    ];

    /// Returns whether some I/Os are reads.
    pub fn reads(self) -> bool {
        matches!(self, Self::Read | Self::RandRead | Self::ReadWrite | Self::RandRw)
    }

    /// Returns whether some I/Os are writes.
    pub fn writes(self) -> bool {
        matches!(self, Self::Write | Self::RandWrite | Self::ReadWrite | Self::RandRw)
    }

    /// Returns whether all I/Os are discards.
    pub fn trims(self) -> bool {
        matches!(self, Self::Trim | Self::RandTrim)
    }

    /// Returns whether the job changes the disk.
    pub fn changes(self) -> bool {
        self.writes() || self.trims()
    }

    /// Returns whether blocks are visited in random order.
    pub fn is_random(self) -> bool {
        matches!(self, Self::RandRead | Self::RandWrite | Self::RandRw | Self::RandTrim)
    }
}

impl fmt::Display for Rw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::ReadWrite => "rw",
            Self::RandRead => "randread",
            Self::RandWrite => "randwrite",
            Self::RandRw => "randrw",
            Self::Trim => "trim",
            Self::RandTrim => "randtrim",
        })
    }
}

/// Engine, as in fio's `ioengine=`. All of them use the ring, the only way to the disk here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IoEngine {
    /// Engine `libaio`.
    Libaio,
    /// Engine `io_uring`.
    IoUring,
    /// Engine `sync`: one I/O in flight.
    Sync,
    /// Engine `psync`: one I/O in flight.
    Psync,
    /// Engine `vsync`: one I/O in flight, as fio's neighbours that it joins are not joined here.
    Vsync,
    /// Engine `pvsync`: one I/O in flight.
    Pvsync,
    /// Engine `pvsync2`: one I/O in flight.
    Pvsync2,
    /// Engine `posixaio`.
    Posixaio,
}

impl IoEngine {
    pub(crate) const NAMES: [(&str, Self); 10] = [
        ("libaio", Self::Libaio),
        ("aio", Self::Libaio),
        ("linuxaio", Self::Libaio),
        ("io_uring", Self::IoUring),
        ("sync", Self::Sync),
        ("psync", Self::Psync),
        ("vsync", Self::Vsync),
        ("pvsync", Self::Pvsync),
        ("pvsync2", Self::Pvsync2),
        ("posixaio", Self::Posixaio),
    ];

    /// Returns the reason why fio's engine of this name is none here, and a way to fix it.
    pub(crate) fn refusal(name: &str) -> &'static str {
        let kind = name.split(':').next().unwrap_or_default();
        match kind {
            "mmap" | "splice" => {
                "it goes through a page cache, and there is none here; use libaio and direct=1"
            }
            "net"
            | "netsplice"
            | "rdma"
            | "rados"
            | "rbd"
            | "http"
            | "gfapi"
            | "gfapi_async"
            | "libhdfs"
            | "libiscsi"
            | "nbd"
            | "nfs"
            | "librpma_apm_client"
            | "librpma_gpspm_client" => {
                "it uses a network; attach the storage as a disk of the guest, and use libaio"
            }
            "cpuio" | "null" | "exec" => "it does no I/O on a disk; leave the job out",
            "filecreate" | "filestat" | "filedelete" | "falloc" | "ftruncate" | "e4defrag" => {
                "it works on files, and there are only disks; leave the job out"
            }
            "sg" | "io_uring_cmd" | "libblkio" | "libzbc" | "mtd" => {
                "it passes commands to a device of its own; use libaio, which the ring serves"
            }
            "dev-dax" | "libpmem" => "it writes to memory, not to a disk; leave the job out",
            "external" => "nothing can be loaded here; use libaio",
            _ => "use libaio, io_uring, posixaio, sync, psync or pvsync2, or leave it out",
        }
    }

    /// Returns whether it keeps only one I/O in flight.
    pub fn is_synchronous(self) -> bool {
        matches!(self, Self::Sync | Self::Psync | Self::Vsync | Self::Pvsync | Self::Pvsync2)
    }
}

impl fmt::Display for IoEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = Self::NAMES.iter().find(|(_, engine)| engine == self);
        f.pad(known.map_or("libaio", |(name, _)| name))
    }
}

/// Process by which I/Os become due at a rate, as in fio's `rate_process=`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RateProcess {
    /// At even intervals.
    #[default]
    Linear,
    /// At exponential intervals, drawn by the job's seed: arrivals that know nothing of each other.
    Poisson,
}

impl RateProcess {
    pub(crate) const NAMES: [(&str, Self); 2] =
        [("linear", Self::Linear), ("poisson", Self::Poisson)];
}

impl fmt::Display for RateProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Linear => "linear",
            Self::Poisson => "poisson",
        })
    }
}

/// Time from which a job's latencies are reported besides fio's (`latency_from=`, not fio's).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LatencyFrom {
    /// Submission, as in fio, and no other.
    #[default]
    Submit,
    /// Time at which the rate made the I/O due.
    Due,
}

impl LatencyFrom {
    pub(crate) const NAMES: [(&str, Self); 2] = [("due", Self::Due), ("submit", Self::Submit)];
}

impl fmt::Display for LatencyFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Submit => "submit",
            Self::Due => "due",
        })
    }
}

/// Failures that are only counted, as in fio's `continue_on_error=`. Others end the job, and make
/// the run fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OnError {
    /// Reads that fail.
    pub read: bool,
    /// Writes and flushes that fail.
    pub write: bool,
    /// Wrong data, which ends a job only with `verify_fatal=1`.
    pub verify: bool,
}

impl OnError {
    const fn new(read: bool, write: bool, verify: bool) -> Self {
        Self { read, write, verify }
    }

    pub(crate) const NAMES: [(&str, Self); 8] = [
        ("none", Self::new(false, false, false)),
        ("read", Self::new(true, false, false)),
        ("write", Self::new(false, true, false)),
        ("verify", Self::new(false, false, true)),
        ("io", Self::new(true, true, false)),
        ("all", Self::new(true, true, true)),
        ("0", Self::new(false, false, false)),
        ("1", Self::new(true, true, true)),
    ];
}

impl fmt::Display for OnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = Self::NAMES.iter().find(|(_, on)| on == self);
        f.write_str(known.map_or("none", |(name, _)| name))
    }
}

/// Jobs that end with one that ends (`exit_what=`). The first two are the same here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExitWhat {
    /// Jobs of its group.
    #[default]
    Group,
    /// Jobs that run with it.
    Stonewall,
    /// All, also those that would begin later.
    All,
}

impl ExitWhat {
    pub(crate) const NAMES: [(&str, Self); 3] =
        [("group", Self::Group), ("stonewall", Self::Stonewall), ("all", Self::All)];
}

impl fmt::Display for ExitWhat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = Self::NAMES.iter().find(|(_, what)| what == self);
        f.write_str(known.map_or("group", |(name, _)| name))
    }
}

/// Time for which the loop polls shared memory before it sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poll {
    /// Adapts to what has paid off so far.
    Auto,
    /// Fixed time in microseconds, at most a second; 0 sleeps at once.
    Us(u32),
}

impl fmt::Display for Poll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Us(us) => us.fmt(f),
        }
    }
}
