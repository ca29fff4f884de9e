//! Published figures, and what the same costs project for each of their setups.

use serde::Serialize;

use crate::costs::Costs;
use crate::curve::{Limit, Point};
use crate::operations::Operations;
use crate::setup::{Disk, Load, Setup, SetupError, System};

/// Error up to which a projection counts as met, in per cent.
pub const PER_CENT_MAX: f64 = 20.0;

/// Published figure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Anchor {
    /// Name of what was measured.
    pub name: &'static str,
    /// Place where it was published.
    pub source: &'static str,
    /// I/Os per second.
    pub iops: f64,
    /// System that is projected for it.
    pub system: System,
    /// Setup, as far as it was published.
    pub setup: Setup,
    /// Part of that which is assumed.
    pub assumed: &'static str,
    /// Part of reality that the model leaves out and that would matter most here.
    pub doubt: &'static str,
}

/// Published figure with its projection.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Checked {
    /// Published figure.
    #[serde(flatten)]
    pub anchor: Anchor,
    /// Flag that the next is not measured: always true.
    pub projected: bool,
    /// Projected I/Os per second.
    pub projected_iops: f64,
    /// Limit in the projection.
    pub limit: Limit,
    /// Error in per cent of the published figure.
    pub error_percent: f64,
}

impl Checked {
    /// Returns whether the error is at most [`PER_CENT_MAX`].
    pub fn is_met(&self) -> bool {
        self.error_percent.abs() <= PER_CENT_MAX
    }
}

const RFC_2012: &str = "lkml 1210.2/01917, 2012-10";
const MAIL_2012: &str = "xen-devel, 2012-11";
const MULTI_QUEUE: &str = "lkml 1511.0/00263, 2015-11";
const MULTI_QUEUE_V3: &str = "lkml 1509.0/03035, 2015-09";

const HOST_2012: &str = "24 processors, as many as dom0's vCPUs";
const HOST_2015: &str = "32 processors, as many as all vCPUs; iodepth 32";

/// Returns a setup on the host of 2012: guests of one vCPU on ramdisks.
const fn of_2012(guests: u32, iodepth: u32) -> Setup {
    let load = Load { vcpus: 1, queues: 1, iodepth, disk: Disk::Ramdisk };
    Setup { cpus: 24, dom0_vcpus: 24, guests, load }
}

/// Returns a setup on the host of 2015: one guest with a null_blk.
const fn of_2015(queues: u32) -> Setup {
    let load = Load { vcpus: 16, queues, iodepth: 32, disk: Disk::Null };
    Setup { cpus: 32, dom0_vcpus: 16, guests: 1, load }
}

/// Returns a figure of one guest with several queues.
const fn multi_queue(name: &'static str, queues: u32, iops: f64, source: &'static str) -> Anchor {
    let doubt = "null_blk has one submission queue, for which dom0's threads contend; dom0's own \
                 fio got no more than 1,308k from it. Locks of Linux are not modelled";
    let (system, setup, assumed) = (System::Linux, of_2015(queues), HOST_2015);
    Anchor { name, source, iops, system, setup, assumed, doubt }
}

/// Returns all published figures.
pub const fn anchors() -> [Anchor; 10] {
    let rfc = Anchor {
        name: "5 Linux guests, per-request",
        source: RFC_2012,
        iops: 650_000.0,
        system: System::LinuxPerRequest,
        setup: of_2012(5, 32),
        assumed: HOST_2012,
        doubt: "the guests were PV, whose hypercalls are no exits; iodepth is not known",
    };
    let netbsd = Anchor {
        name: "15 NetBSD guests, per-request",
        source: MAIL_2012,
        iops: 336_718.0,
        system: System::LinuxPerRequest,
        setup: of_2012(15, 1),
        assumed: "24 processors; NetBSD costs what Linux does; iodepth 1, fio's default (psync)",
        doubt: "what NetBSD's guest costs was never measured: Linux's figures stand for it, with \
                exits that a PV guest has not",
    };
    [
        rfc,
        Anchor {
            name: "10 Linux guests, per-request",
            iops: 400_000.0,
            setup: of_2012(10, 32),
            ..rfc
        },
        netbsd,
        Anchor {
            name: "15 NetBSD guests, persistent",
            iops: 686_010.0,
            system: System::Linux,
            ..netbsd
        },
        Anchor {
            name: "15 Linux guests, persistent",
            source: MAIL_2012,
            iops: 1_102_019.0,
            system: System::Linux,
            setup: of_2012(15, 32),
            assumed: "24 processors; iodepth 32, though NetBSD's is taken for 1",
            ..rfc
        },
        multi_queue("1 Linux guest, 1 queue", 1, 690_000.0, MULTI_QUEUE),
        multi_queue("1 Linux guest, 4 queues", 4, 1_600_000.0, MULTI_QUEUE),
        multi_queue("1 Linux guest, 8 queues", 8, 1_450_000.0, MULTI_QUEUE),
        multi_queue("1 Linux guest, 16 queues", 16, 1_320_000.0, MULTI_QUEUE),
        multi_queue("1 Linux guest, 16 queues, v3", 16, 1_471_000.0, MULTI_QUEUE_V3),
    ]
}

/// Projects all published figures from one table of costs.
///
/// # Errors
/// None: the setups are within bounds.
pub fn check(costs: &Costs, seed: u64) -> Result<Vec<Checked>, SetupError> {
    let checked = |anchor: Anchor| {
        let Anchor { system, setup, .. } = anchor;
        let point = Point::project(costs, &setup, system, Operations::of(system), seed)?;
        Ok(Checked {
            anchor,
            projected: true,
            projected_iops: point.iops,
            limit: point.limit,
            error_percent: (point.iops / anchor.iops - 1.0) * 100.0,
        })
    };
    anchors().into_iter().map(checked).collect()
}
