//! Guests of all sizes: from the smallest to more than fits below 4 GiB.

use super::check::{Check, guest};
use super::disks::reads;
use crate::guest::Guest;

/// Memory of the machine in MiB: for a guest of 4,096 beside dom0 and Xen.
pub(super) const MACHINE_MIB: u32 = 6144;

/// Guests' memory in MiB. libxl puts what is above 4,032 above 4 GiB.
const SIZES_MIB: [u32; 5] = [16, 1024, 4031, 4032, 4096];

pub(super) fn checks() -> Vec<Check> {
    SIZES_MIB.map(boots).into()
}

fn boots(mib: u32) -> Check {
    let name = format!("memory-{mib}");
    let extra = "--name=job --rw=randread --bs=4k --iodepth=32 --size=1m --filename=/dev/xvda";
    let guest = Guest { memory_mib: mib, ..guest(&name, &[0], 'w', extra) };
    Check::new(format!("memory={mib}"), 180, format!("guest {name} 60"))
        .with(guest)
        .judged(format!("(f) memory={mib} boots"), move |outcome| reads(outcome, &name))
}
