//! Guests with all that a backend and a frontend can agree on, in cells that have every two values
//! together: data written, read back and checked, and requests counted at both ends.
//!
//! blkback always offers requests of 256 indirect segments, so other numbers of them are the
//! model's.

use anyhow::{Result, ensure};

use super::check::{Check, good_result, guest, number};
use super::cover::pairwise;
use super::requests::XVDA;
use crate::guest::Guest;
use crate::ramdisk::Ramdisks;
use crate::steps::Outcome;

/// The disk of all cells.
pub(super) const RAMDISKS: Ramdisks = Ramdisks { count: 1, mib: 256, filled: false };

const VCPUS: [u32; 3] = [1, 2, 4];
const QUEUES: [u32; 3] = [1, 2, 4];
/// Orders of the largest ring that is offered, in pages.
const RING_ORDERS: [u32; 3] = [0, 2, 4];
const GRANTS: [&str; 3] = ["persistent", "persistent-copy", "per-request"];
/// Names of block sizes, their bytes, and the I/Os of each job.
const BLOCKS: [(&str, u64, u64); 6] = [
    ("512", 512, 640),
    ("4k", 4 << 10, 640),
    ("44k", 44 << 10, 160),
    ("64k", 64 << 10, 160),
    ("2m", 2 << 20, 16),
    ("5m", 5 << 20, 8),
];

/// Most bytes in flight in a cell, and of a request with 256 segments.
const IN_FLIGHT_BYTES: u64 = 48 << 20;
const REQUEST_BYTES: u64 = 1 << 20;
const MEMORY_MIB: u32 = 192;

const MAX_QUEUES: &str = "/sys/module/xen_blkback/parameters/max_queues";

pub(super) fn checks() -> Vec<Check> {
    let sizes = [VCPUS.len(), QUEUES.len(), RING_ORDERS.len(), GRANTS.len(), BLOCKS.len()];
    let cells = pairwise(sizes).into_iter();
    let cell = |[vcpus, queues, order, grants, block]: [usize; 5]| Cell {
        vcpus: VCPUS[vcpus],
        queues: QUEUES[queues],
        ring_order: RING_ORDERS[order],
        grants: GRANTS[grants],
        block: BLOCKS[block],
    };
    cells.map(|values| cell(values).check()).collect()
}

/// Cell of the matrix.
#[derive(Clone, Copy)]
struct Cell {
    vcpus: u32,
    queues: u32,
    ring_order: u32,
    grants: &'static str,
    block: (&'static str, u64, u64),
}

impl Cell {
    /// Returns its name, also the guest's.
    fn name(self) -> String {
        let Self { vcpus, queues, ring_order, grants, block: (bs, ..) } = self;
        format!("matrix-{vcpus}v-{queues}q-{}p-{grants}-{bs}", 1 << ring_order)
    }

    /// Returns the guest, with a job for each vCPU on a part of the disk.
    fn guest(self) -> Guest {
        let (bs, bytes, ios) = self.block;
        // More than the slots of the ring, if there is memory for it.
        let wanted = 40 << self.ring_order;
        let fits = IN_FLIGHT_BYTES / bytes / u64::from(self.vcpus);
        let (iodepth, size) = (fits.clamp(1, wanted), bytes * ios);
        let extra = format!(
            "hold --name=job --rw=randwrite --bs={bs} --iodepth={iodepth} --size={size} \
             --numjobs={} --offset_increment={size} --filename=/dev/xvda --verify=crc32c \
             --verify_fatal=1 --ringmark_queues={} --grants={}",
            self.vcpus, self.queues, self.grants
        );
        let one = guest(&self.name(), &[0], 'w', &extra);
        Guest { memory_mib: MEMORY_MIB, vcpus: self.vcpus, ..one }
    }

    fn check(self) -> Check {
        let (name, queues, order) = (self.name(), self.queues, self.ring_order);
        let command = format!(
            "echo {queues} >{MAX_QUEUES}\nguest_create {name} -p\n\
             xenstore-write /local/domain/0/backend/vbd/$id/{XVDA}/max-ring-page-order {order}\n\
             xl unpause {name}\nguest_until 'ringmark-result-end*' 90\n\
             node=/local/domain/$id/device/vbd/{XVDA}\n\
             echo order=$(xenstore-read $node/ring-page-order || echo 0)\n\
             echo queues=$(xenstore-read $node/multi-queue-num-queues || echo 1)\n\
             for key in rd_req wr_req; do echo $key=$(cat $vbds*/statistics/$key); done\n\
             xl shutdown {name}\nguest_end 60\necho 1 >{MAX_QUEUES}"
        );
        Check::new(name.clone(), 240, command)
            .with(self.guest())
            .judged(name, move |outcome| self.judge(outcome))
    }

    fn judge(self, outcome: &Outcome) -> Result<String> {
        let result = good_result(outcome, &self.name())?;
        let (_, bytes, ios) = self.block;
        let jobs = result.json["jobs"].as_array().into_iter().flatten();
        let sum = |way: &str| -> u64 {
            jobs.clone().filter_map(|job| job[way]["total_ios"].as_u64()).sum()
        };
        let (reads, writes) = (sum("read"), sum("write"));
        let all = ios * u64::from(self.vcpus);
        ensure!((reads, writes) == (all, all), "{reads} reads and {writes} writes, not {all}");
        let requests = all * bytes.div_ceil(REQUEST_BYTES);
        let (rd_req, wr_req) = (number(outcome, "rd_req")?, number(outcome, "wr_req")?);
        ensure!(
            (rd_req, wr_req) == (requests, requests),
            "blkback counts {rd_req} and {wr_req} requests, not {requests}"
        );
        let (order, queues) = (number(outcome, "order")?, number(outcome, "queues")?);
        ensure!(queues == u64::from(self.queues), "{queues} queues, not {}", self.queues);
        ensure!(order <= u64::from(self.ring_order), "a ring of order {order}");
        Ok(format!("{requests} requests each way, {queues} queues, rings of {} pages", 1 << order))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_cells_fit_onto_the_disk_and_are_few() {
        let disk = u64::from(RAMDISKS.mib) << 20;
        let most = u64::from(VCPUS[2]);
        assert!(BLOCKS.iter().all(|(_, bytes, ios)| bytes * ios * most <= disk));
        assert!((18..=60).contains(&checks().len()));
    }
}
