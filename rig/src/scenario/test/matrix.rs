//! Guests with all that a backend and a frontend can agree on, in cells that have every two values
//! together: data written, read back and checked, and requests counted at both ends. Where a value
//! of the cell did not take effect, its check fails.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::check::{Check, good_result, guest, number};
use super::cover::pairwise;
use super::requests::XVDA;
use crate::blkback::with_queues;
use crate::guest::Guest;
use crate::ramdisk::Ramdisks;
use crate::steps::Outcome;

/// The disk of all cells.
pub(super) const RAMDISKS: Ramdisks = Ramdisks { count: 1, mib: 256, filled: false };

const VCPUS: [u32; 3] = [1, 2, 4];
const QUEUES: [u32; 3] = [1, 2, 4];
/// Orders of the largest ring that is offered, in pages.
const RING_ORDERS: [u32; 3] = [0, 2, 4];
/// Most segments of indirect requests (`ringmark_indirect=`). The backend's own offer is 256.
const INDIRECT: [u32; 3] = [0, 32, 256];
const GRANTS: [&str; 3] = ["persistent", "persistent-copy", "per-request"];
/// Names of block sizes, their bytes, and the I/Os of each job.
const BLOCKS: [(&str, u64, u64); 6] = [
    ("512", 512, 2560),
    ("4k", 4 << 10, 2560),
    ("44k", 44 << 10, 320),
    ("64k", 64 << 10, 320),
    ("2m", 2 << 20, 16),
    ("5m", 5 << 20, 8),
];

/// Dimensions, by their number of values.
const SIZES: [usize; 6] =
    [VCPUS.len(), QUEUES.len(), RING_ORDERS.len(), INDIRECT.len(), GRANTS.len(), BLOCKS.len()];

const PAGE_BYTES: u64 = 4096;
/// Segments of a request that is not indirect (blkif.h).
const DIRECT_SEGMENTS: u64 = 11;
/// Memory of each guest, and the part of it that rings and data may take. So many grants are no
/// more than what a guest has.
const MEMORY_MIB: u32 = 192;
const PAGES_MAX: u64 = 30_000;

pub(super) fn checks() -> Vec<Check> {
    chosen().into_iter().map(|values| Cell::of(&values).check()).collect()
}

/// Returns the cells, as the numbers of their values.
fn chosen() -> Vec<[usize; 6]> {
    pairwise(SIZES, |values| Cell::of(values).iodepth().is_some())
}

/// Cell of the matrix.
#[derive(Clone, Copy)]
struct Cell {
    vcpus: u32,
    queues: u32,
    ring_order: u32,
    indirect: u32,
    grants: &'static str,
    block: (&'static str, u64, u64),
}

impl Cell {
    fn of(&[vcpus, queues, order, indirect, grants, block]: &[usize; 6]) -> Self {
        Self {
            vcpus: VCPUS[vcpus],
            queues: QUEUES[queues],
            ring_order: RING_ORDERS[order],
            indirect: INDIRECT[indirect],
            grants: GRANTS[grants],
            block: BLOCKS[block],
        }
    }

    /// Returns its name, also the guest's.
    fn name(self) -> String {
        let Self { vcpus, queues, ring_order, indirect, grants, block: (bs, ..) } = self;
        format!("matrix-{vcpus}v-{queues}q-{}p-{indirect}s-{grants}-{bs}", 1 << ring_order)
    }

    /// Returns the number of its jobs: one for each vCPU that can have a queue.
    fn jobs(self) -> u32 {
        self.vcpus.min(self.queues)
    }

    /// Returns the most segments of a request.
    fn segments(self) -> u64 {
        u64::from(self.indirect).max(DIRECT_SEGMENTS)
    }

    /// Returns the requests of an I/O.
    fn requests(self) -> u64 {
        let (_, bytes, _) = self.block;
        bytes.div_ceil(self.segments() * PAGE_BYTES)
    }

    /// Returns an iodepth for each job that makes the ring as large as the backend offers it: one
    /// with more requests than it has entries, or else the least. None if there is no memory for
    /// that.
    fn iodepth(self) -> Option<u64> {
        let (parts, entries) = (self.requests(), 32 << self.ring_order);
        let least = if self.ring_order == 0 { 1 } else { entries / 2 + 1 };
        let ios = [entries + 8, least].map(|requests: u64| requests.div_ceil(parts));
        let own = u64::from(self.queues / self.jobs());
        let fits = |ios: &u64| self.pages((ios * parts).min(entries.max(parts))) <= PAGES_MAX;
        ios.into_iter().find(fits).map(|ios| ios * own)
    }

    /// Returns the pages that are taken with so many slots on each queue: of rings, data, segments
    /// that do not fit into a request, and the private ones.
    fn pages(self, slots: u64) -> u64 {
        let (_, bytes, _) = self.block;
        let data = bytes.div_ceil(PAGE_BYTES).min(self.segments());
        let each = data * if self.grants == "persistent-copy" { 2 } else { 1 }
            + u64::from(data > DIRECT_SEGMENTS);
        u64::from(self.queues) * ((1 << self.ring_order) + slots * each)
    }

    /// Returns the guest, with each job on a part of the disk.
    fn guest(self) -> Guest {
        let (bs, bytes, ios) = self.block;
        let (iodepth, size) = (self.iodepth().unwrap_or(1), bytes * ios);
        let Self { queues, indirect, grants, .. } = self;
        let extra = format!(
            "hold --name=job --rw=randwrite --bs={bs} --iodepth={iodepth} --size={size} \
             --numjobs={} --offset_increment={size} --filename=/dev/xvda --verify=crc32c \
             --verify_fatal=1 --ringmark_queues={queues} --ringmark_indirect={indirect} \
             --grants={grants}",
            self.jobs()
        );
        let one = guest(&self.name(), &[0], 'w', &extra);
        Guest { memory_mib: MEMORY_MIB, vcpus: self.vcpus, ..one }
    }

    fn check(self) -> Check {
        let (name, order) = (self.name(), self.ring_order);
        let command = format!(
            "guest_create {name} -p\n\
             xenstore-write /local/domain/0/backend/vbd/$id/{XVDA}/max-ring-page-order {order}\n\
             xl unpause {name}\nguest_until 'ringmark-result-end*' 90\n\
             node=/local/domain/$id/device/vbd/{XVDA}\n\
             echo order=$(xenstore-read $node/ring-page-order || echo 0)\n\
             echo queues=$(xenstore-read $node/multi-queue-num-queues || echo 1)\n\
             echo persistent=$(xenstore-read $node/feature-persistent)\n\
             for key in rd_req wr_req; do echo $key=$(cat $vbds*/statistics/$key); done\n\
             xl shutdown {name}\nguest_end 60"
        );
        Check::new(name.clone(), 240, with_queues(self.queues, &command))
            .with(self.guest())
            .judged(name, move |outcome| self.judge(outcome))
    }

    fn judge(self, outcome: &Outcome) -> Result<String> {
        let result = good_result(outcome, &self.name())?;
        let jobs = result.json["jobs"].as_array().context("no jobs")?;
        self.judge_vcpus(jobs, &result.json["ringmark"]["vcpus"])?;
        self.judge_handshake(outcome)?;
        let requests = self.judge_requests(jobs, outcome)?;
        self.judge_grants(jobs, requests)?;
        Ok(format!("{requests} requests, each I/O {}", self.requests()))
    }

    /// Each job had a vCPU of its own.
    fn judge_vcpus(self, jobs: &[Value], told: &Value) -> Result<()> {
        let vcpu = |job: &Value| match job["ringmark"]["vcpus"].as_array()?.as_slice() {
            [vcpu] => vcpu.as_u64(),
            _ => None,
        };
        let mut vcpus = jobs.iter().map(vcpu).collect::<Option<Vec<_>>>().context("no vCPUs")?;
        vcpus.sort_unstable();
        vcpus.dedup();
        let (busy, count) = (self.jobs(), self.vcpus);
        ensure!(jobs.len() == busy as usize, "{} jobs, not {busy}", jobs.len());
        ensure!(vcpus.len() == busy as usize, "jobs on vCPUs {vcpus:?}, not on {busy}");
        ensure!(told["count"] == count && told["idle"] == count - busy, "the result says {told}");
        Ok(())
    }

    /// Rings, queues and grants are what the two ends agreed on in xenstore.
    fn judge_handshake(self, outcome: &Outcome) -> Result<()> {
        for (key, expected) in [
            ("order", u64::from(self.ring_order)),
            ("queues", self.queues.into()),
            ("persistent", u64::from(self.grants != "per-request")),
        ] {
            let found = number(outcome, key)?;
            ensure!(found == expected, "{key} is {found} in xenstore, not {expected}");
        }
        Ok(())
    }

    /// Both ends count the requests that the I/Os take. Returns their number.
    fn judge_requests(self, jobs: &[Value], outcome: &Outcome) -> Result<u64> {
        let (_, _, ios) = self.block;
        let all = ios * u64::from(self.jobs());
        for way in ["read", "write"] {
            let found: u64 = jobs.iter().filter_map(|job| job[way]["total_ios"].as_u64()).sum();
            ensure!(found == all, "{found} I/Os ({way}), not {all}");
        }
        let largest = self.segments() * PAGE_BYTES;
        for job in jobs {
            let extra = &job["ringmark"];
            let found = &extra["request_bytes_max"];
            ensure!(*found == largest, "a request has up to {found} bytes, not {largest}");
        }
        let queues = sum(jobs, "queues")?;
        ensure!(queues == u64::from(self.queues), "the jobs had {queues} queues");
        let requests = all * self.requests();
        let (rd_req, wr_req) = (number(outcome, "rd_req")?, number(outcome, "wr_req")?);
        ensure!(
            (rd_req, wr_req) == (requests, requests),
            "blkback counts {rd_req} and {wr_req} requests, not {requests}"
        );
        let ours = sum(jobs, "requests")?;
        ensure!(ours == rd_req + wr_req, "the guest counts {ours} requests, blkback more or fewer");
        Ok(ours)
    }

    /// Grants were made, and data was copied, in the way that the cell has.
    fn judge_grants(self, jobs: &[Value], requests: u64) -> Result<()> {
        let (made, copied) = (sum(jobs, "grants_made")?, sum(jobs, "copies_made")?);
        let is_per_request = self.grants == "per-request";
        let made_well = if is_per_request { made >= requests } else { made == 0 };
        ensure!(made_well, "{made} grants made in {requests} requests");
        let is_copied = self.grants == "persistent-copy";
        let copied_well = if is_copied { copied >= requests } else { copied == 0 };
        ensure!(copied_well, "{copied} copies made in {requests} requests");
        let kept: u64 =
            jobs.iter().filter_map(|job| job["ringmark"]["backend_pages_kept"].as_u64()).sum();
        ensure!((kept == 0) == is_per_request, "the backend keeps {kept} pages mapped");
        Ok(())
    }
}

/// Returns the sum over jobs of a figure that each must have.
fn sum(jobs: &[Value], figure: &str) -> Result<u64> {
    let of = |job: &Value| job["ringmark"][figure].as_u64();
    jobs.iter().map(of).sum::<Option<u64>>().with_context(|| format!("no {figure}"))
}

#[cfg(test)]
mod tests {
    use super::super::cover::tests::every_two_meet;
    use super::*;
    use serde_json::json;

    #[test]
    fn every_two_values_meet_in_a_cell_and_cells_are_few() {
        let cells = chosen();
        every_two_meet(SIZES, &cells);
        assert!((18..=60).contains(&cells.len()), "{}", cells.len());
    }

    #[test]
    fn all_cells_fit_onto_the_disk() {
        let disk = u64::from(RAMDISKS.mib) << 20;
        let most = u64::from(VCPUS[2]);
        assert!(BLOCKS.iter().all(|(_, bytes, ios)| bytes * ios * most <= disk));
    }

    #[test]
    fn a_ring_is_as_large_as_it_is_offered() {
        for values in chosen() {
            let cell = Cell::of(&values);
            let own = u64::from(cell.queues / cell.jobs());
            let requests = cell.iodepth().unwrap() / own * cell.requests();
            let smaller = if cell.ring_order == 0 { 0 } else { 16 << cell.ring_order };
            assert!(requests > smaller, "{}", cell.name());
        }
    }

    /// Facts that guest and backend tell of a cell.
    struct Told {
        jobs: Vec<Value>,
        vcpus: Value,
        printed: [String; 5],
    }

    /// Returns what they tell when all of the cell took effect.
    fn told(cell: Cell) -> Told {
        let (ios, busy) = (cell.block.2, cell.jobs());
        let requests = ios * cell.requests();
        let job = |vcpu: u32| {
            let (per_request, copy) =
                (cell.grants == "per-request", cell.grants == "persistent-copy");
            json!({
                "read": { "total_ios": ios }, "write": { "total_ios": ios },
                "ringmark": {
                    "vcpus": [vcpu], "queues": cell.queues / busy, "requests": 2 * requests,
                    "request_bytes_max": cell.segments() * PAGE_BYTES,
                    "grants_made": if per_request { 2 * requests } else { 0 },
                    "copies_made": if copy { 2 * requests } else { 0 },
                    "backend_pages_kept": if per_request { Value::Null } else { json!(9) },
                }
            })
        };
        let all = requests * u64::from(busy);
        let printed = [
            format!("order={}", cell.ring_order),
            format!("queues={}", cell.queues),
            format!("persistent={}", u8::from(cell.grants != "per-request")),
            format!("rd_req={all}"),
            format!("wr_req={all}"),
        ];
        let vcpus = json!({ "count": cell.vcpus, "idle": cell.vcpus - busy });
        Told { jobs: (0..busy).map(job).collect(), vcpus, printed }
    }

    fn judge(Told { jobs, vcpus, printed }: Told, cell: Cell) -> Result<()> {
        let outcome = Outcome::printed(printed);
        cell.judge_vcpus(&jobs, &vcpus)?;
        cell.judge_handshake(&outcome)?;
        let requests = cell.judge_requests(&jobs, &outcome)?;
        cell.judge_grants(&jobs, requests)
    }

    #[test]
    fn a_cell_passes_if_all_of_it_took_effect() {
        for values in chosen() {
            let cell = Cell::of(&values);
            assert!(judge(told(cell), cell).is_ok(), "{}", cell.name());
        }
    }

    #[test]
    fn a_cell_fails_if_one_value_did_not_take_effect() {
        let cells = chosen();
        for cell in cells.iter().map(Cell::of) {
            let (bs, bytes, ios) = cell.block;
            let mut others = GRANTS.map(|grants| Cell { grants, ..cell }).to_vec();
            others.retain(|other| other.grants != cell.grants);
            others.extend([
                Cell { vcpus: cell.vcpus * 2, ..cell },
                Cell { queues: cell.queues * 2, ..cell },
                Cell { ring_order: cell.ring_order + 1, ..cell },
                Cell { indirect: cell.indirect + 16, ..cell },
                Cell { block: (bs, bytes, ios - 1), ..cell },
            ]);
            for other in others {
                assert!(judge(told(other), cell).is_err(), "{} is {}", other.name(), cell.name());
            }
        }
    }

    #[test]
    fn a_cell_fails_if_jobs_share_a_vcpu_or_one_end_counts_otherwise() {
        let cell = Cell::of(&[2, 2, 0, 0, 0, 1]);
        let changes: [fn(&mut Told); 5] = [
            |told| told.jobs[1]["ringmark"]["vcpus"] = json!([0]),
            |told| told.jobs[1]["ringmark"]["vcpus"] = json!([1, 2]),
            |told| told.jobs[0]["ringmark"]["requests"] = json!(1),
            |told| told.jobs[0]["ringmark"]["requests"] = Value::Null,
            |told| told.printed[3] = "rd_req=1".into(),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut told = told(cell);
            change(&mut told);
            assert!(judge(told, cell).is_err(), "change {number}");
        }
    }
}
