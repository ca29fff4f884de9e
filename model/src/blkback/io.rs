//! The data path of blkback: requests in, data moved, responses out.

use std::collections::BTreeMap;
use std::ops::Range;

use drivers::grant::Access;
use smallvec::SmallVec;
use xen_abi::blkif::{
    DISCARD_SECURE, MAX_INDIRECT_PAGES, MAX_SEGMENTS, OP_DISCARD, OP_FLUSH_DISKCACHE, OP_READ,
    OP_WRITE, OP_WRITE_BARRIER, RSP_EOPNOTSUPP, RSP_ERROR, RSP_OKAY, SECTOR_SIZE, SECTORS_PER_PAGE,
    SEGMENTS_PER_INDIRECT_PAGE, Segment,
};
use xen_abi::{Gfn, PAGE_SIZE, Port};
use zerocopy::IntoBytes;

use super::cache::{Cache, Mapped};
use super::disk::Disk;
use super::request::{Kind, Request, indirect_pages};
use super::ring::{BackRing, RawResponse, response};
use super::service::Servers;
use super::stats::Stats;
use crate::grants::Handle;
use crate::xen::Xen;

const SECTOR: usize = SECTOR_SIZE as usize;

/// A request that is being served.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) request: Request,
    pub(super) seen_ns: u64,
    due_ns: u64,
    pub(super) pages: SmallVec<[Option<Mapped>; MAX_SEGMENTS]>,
    /// Status that the response will have.
    pub(super) status: i16,
    /// The job was answered before its time.
    pub(super) answered: bool,
    /// Its data is being copied, its pages are pinned.
    copying: bool,
}

impl Job {
    /// Returns whether its data has still to be copied.
    pub(super) fn is_to_copy(&self) -> bool {
        self.status == RSP_OKAY && self.request.has_data() && !self.copying
    }

    fn is_barrier(&self) -> bool {
        self.request.operation == OP_WRITE_BARRIER
    }

    /// Its bytes on the disk.
    pub(super) fn range(&self) -> Range<usize> {
        let start = self.request.sector_number as usize * SECTOR;
        start..start + self.request.sectors() as usize * SECTOR
    }
}

/// A connected ring.
pub(super) struct Link {
    pub(super) ring: BackRing,
    pub(super) ring_pages: Vec<Handle>,
    pub(super) port: Port,
    pub(super) cache: Cache,
    pub(super) jobs: Vec<Job>,
    /// The ids of a slot's last request but one and of its last, by slot.
    pub(super) ids: Vec<[u64; 2]>,
    /// Jobs that will never be answered.
    pub(super) stuck: Vec<Job>,
    /// Pages that will never be given back.
    pub(super) hoard: Vec<Mapped>,
    /// The frontend broke the ring, or a test says so; it is served no more.
    pub(super) broken: bool,
}

/// The disk's bytes and what was done with them.
pub(super) struct Medium<'a> {
    pub(super) disk: &'a Disk,
    pub(super) data: &'a mut [u8],
    pub(super) sectors: &'a mut BTreeMap<u64, [u8; SECTOR]>,
    pub(super) servers: &'a mut Servers,
    pub(super) stats: &'a mut Stats,
    pub(super) loot: &'a mut Vec<u8>,
}

impl Link {
    /// Returns whether a barrier is being served: it ends after all requests before it, and no
    /// other begins until then (`xen_blk_drain_io`).
    pub(super) fn drains(&self) -> bool {
        self.jobs.iter().any(Job::is_barrier)
    }

    /// Returns whether a job may end, which a barrier may not before all others.
    fn may_end(&self, job: &Job) -> bool {
        !job.is_barrier() || self.jobs.len() == 1
    }

    /// Begins to serve some of the requests that wait. Answers whether there may be more.
    pub(super) fn take(&mut self, xen: &mut Xen, medium: &mut Medium<'_>) -> bool {
        let Some(waiting) = self.ring.waiting() else {
            xen.violation("blkfront claims more requests than the ring holds".into());
            self.broken = true;
            return false;
        };
        if self.ring.is_overtaken() {
            return false;
        }
        let count = match waiting {
            0 => 0,
            all if xen.prompt => all,
            most => xen.rng.u32(1..=most),
        };
        for _ in 0..count {
            if self.drains() {
                return false;
            }
            let request = self.ring.take();
            xen.note(b'r', request.id, request.sector_number);
            let [before_last, last] = self.ids_of(request.id);
            (*before_last, *last) = (*last, request.id);
            let job = self.begin(xen, medium, request);
            self.jobs.push(job);
        }
        medium.stats.depth_max = medium.stats.depth_max.max(self.jobs.len());
        self.ring.final_check()
    }

    fn begin(&mut self, xen: &mut Xen, medium: &mut Medium<'_>, mut request: Request) -> Job {
        let seen_ns = xen.agenda.now_ns();
        let due_ns = match &medium.disk.service {
            Some(service) => medium.servers.take(service, seen_ns, &mut xen.rng),
            None => seen_ns + xen.rng.u64(medium.disk.service_ns.clone()),
        };
        let parsed = self.read_segments(xen, medium, &mut request);
        let status = parsed.map_or(RSP_ERROR, |()| medium.check(xen, &request));
        let mut job = Job {
            request,
            seen_ns,
            due_ns,
            pages: SmallVec::new(),
            status,
            answered: false,
            copying: false,
        };
        if job.status != RSP_OKAY {
            medium.stats.rejected += 1;
        } else if !medium.disk.grant_copy {
            self.map(xen, medium, &mut job);
        }
        job
    }

    /// Maps a job's pages; one that can't be is an error of the whole request.
    fn map(&mut self, xen: &mut Xen, medium: &mut Medium<'_>, job: &mut Job) {
        let access = match job.request.operation {
            OP_WRITE => Access::ReadOnly,
            _ => Access::ReadWrite,
        };
        for segment in &job.request.segments {
            let mapped = self.cache.map(xen, medium.disk.backend, segment.gref, access).ok();
            if mapped.is_none() && job.status == RSP_OKAY {
                job.status = RSP_ERROR;
                medium.stats.rejected += 1;
            }
            job.pages.push(mapped);
        }
    }

    /// Pins a job's pages, for as long as the copying takes (GNTTABOP_copy).
    pub(super) fn begin_copy(&mut self, xen: &mut Xen, medium: &mut Medium<'_>, mut job: Job) {
        job.copying = true;
        self.map(xen, medium, &mut job);
        job.due_ns = xen.agenda.now_ns() + xen.rng.u64(200..5_000);
        self.jobs.push(job);
    }

    /// Reads the segments of an indirect request out of their pages
    /// (`xen_blkbk_parse_indirect`); `None` when there are too many or a page can't be mapped.
    fn read_segments(
        &mut self,
        xen: &mut Xen,
        medium: &Medium<'_>,
        request: &mut Request,
    ) -> Option<()> {
        let Kind::Indirect { count, grefs } = request.kind else {
            return Some(());
        };
        if count > medium.disk.indirect_max.min(SEGMENTS_PER_INDIRECT_PAGE * MAX_INDIRECT_PAGES) {
            xen.violation(format!("blkfront sent {count} indirect segments"));
            return None;
        }
        let mut left = count;
        for &gref in &grefs[..indirect_pages(count)] {
            let page = self.cache.map(xen, medium.disk.backend, gref, Access::ReadOnly).ok()?;
            let mut segments = [Segment::default(); SEGMENTS_PER_INDIRECT_PAGE];
            xen.memory.read(Cache::gfn(xen, &page), 0, segments.as_mut_bytes());
            self.cache.release(xen, page);
            let used = left.min(segments.len());
            request.segments.extend_from_slice(&segments[..used]);
            left -= used;
        }
        Some(())
    }

    /// Keeps a copy of what no request in flight has put into the pages that are mapped, zeros
    /// aside.
    /// Of a read that is nothing before its data has come. To be called before a job's data is
    /// moved, and while no request waits that may have filled its pages.
    pub(super) fn spy(&self, xen: &Xen, medium: &mut Medium<'_>, job: &Job) {
        if self.ring.waiting() != Some(0) {
            return;
        }
        let gfns =
            |job: &Job| job.pages.iter().flatten().map(|page| Cache::gfn(xen, page)).collect();
        let mut seen: Vec<Gfn> = gfns(job);
        seen.extend(self.jobs.iter().flat_map(gfns));
        seen.extend(self.cache.frames(xen));
        seen.sort_unstable_by_key(|gfn| gfn.0);
        seen.dedup();
        for gfn in seen {
            let mut bytes = [0; PAGE_SIZE];
            xen.memory.read(gfn, 0, &mut bytes);
            for job in self.jobs.iter().chain([job]).filter(|job| job.request.operation == OP_WRITE)
            {
                for (segment, page) in job.request.segments.iter().zip(job.pages.iter().flatten()) {
                    if Cache::gfn(xen, page) == gfn {
                        bytes[usize::from(segment.first_sect) * SECTOR
                            ..(usize::from(segment.last_sect) + 1) * SECTOR]
                            .fill(0);
                    }
                }
            }
            medium.loot.extend(bytes.into_iter().filter(|&byte| byte != 0));
        }
    }

    /// Time at which the next job is done.
    pub(super) fn next_due_ns(&self) -> Option<u64> {
        self.jobs.iter().filter(|job| self.may_end(job)).map(|job| job.due_ns).min()
    }

    /// Takes any job that is done by now.
    pub(super) fn finished(&mut self, xen: &mut Xen) -> Option<Job> {
        let now_ns = xen.agenda.now_ns();
        let is_done = |job: &Job| job.due_ns <= now_ns && self.may_end(job);
        let due = self.jobs.iter().filter(|job| is_done(job)).count();
        let pick = xen.rng.usize(0..due.max(1));
        let index = (0..self.jobs.len()).filter(|&at| is_done(&self.jobs[at])).nth(pick)?;
        Some(self.jobs.swap_remove(index))
    }

    /// Moves the data of a job and gives its pages back.
    pub(super) fn finish(&mut self, xen: &mut Xen, medium: &mut Medium<'_>, job: &mut Job) {
        medium.transfer(xen, job);
        self.release(xen, job, 0);
    }

    /// Gives a job's pages back from `first` on.
    pub(super) fn release(&mut self, xen: &mut Xen, job: &mut Job, first: usize) {
        for page in job.pages[first..].iter_mut().filter_map(Option::take) {
            self.cache.release(xen, page);
        }
    }

    /// Ends a job as it should be.
    pub(super) fn conclude(&mut self, xen: &mut Xen, medium: &mut Medium<'_>, mut job: Job) {
        self.finish(xen, medium, &mut job);
        if !job.answered {
            self.answer(xen, medium, &response(&job.request, job.status));
        }
    }

    /// Puts a response, shows it, and sends an event if the frontend asked for one.
    pub(super) fn answer(&mut self, xen: &mut Xen, medium: &mut Medium<'_>, raw: &RawResponse) {
        xen.note(b'd', u64::from_le_bytes(*raw.first_chunk().expect("16 bytes")), 0);
        self.ring.put(raw);
        if self.ring.publish() && !medium.disk.mute {
            medium.stats.notifications += 1;
            xen.notify(self.port);
        }
    }

    /// Moves the data of a job that was answered some time from now.
    pub(super) fn finish_later(&mut self, xen: &mut Xen, mut job: Job) {
        job.answered = true;
        job.due_ns = xen.agenda.now_ns() + xen.rng.u64(100_000..1_000_000);
        self.jobs.push(job);
    }

    /// The last two ids of a slot, which is the low 16 bits of its id.
    pub(super) fn ids_of(&mut self, id: u64) -> &mut [u64; 2] {
        let slots = self.ids.len();
        &mut self.ids[usize::from(id as u16) % slots]
    }

    /// A slot that has no request here.
    pub(super) fn free_slot(&self) -> u16 {
        let busy = |slot: u16| self.jobs.iter().any(|job| job.request.id as u16 == slot);
        (0..self.ids.len() as u16).rev().find(|&slot| !busy(slot)).unwrap_or(0)
    }
}

impl Medium<'_> {
    /// Checks a request as an honest backend does; returns what is wrong with it, as a status.
    fn check(&mut self, xen: &mut Xen, request: &Request) -> i16 {
        let padded = request.padded || request.segments.iter().any(|segment| segment.pad != 0);
        if padded || request.handle != self.disk.vdev as u16 {
            xen.violation(format!("blkfront sent wrong fixed fields: {request:?}"));
        }
        let inner = matches!(request.kind, Kind::Indirect { .. });
        match request.operation {
            OP_READ => {}
            OP_WRITE | OP_DISCARD if self.disk.read_only => return RSP_ERROR,
            OP_WRITE => {}
            _ if inner => {
                xen.violation(format!("blkfront sent operation {} inside", request.operation));
                return RSP_ERROR;
            }
            OP_FLUSH_DISKCACHE if self.disk.flush => return RSP_OKAY,
            OP_WRITE_BARRIER if self.disk.barrier => {
                if request.kind != (Kind::Direct { count: 0 }) {
                    xen.violation(format!("blkfront sent a barrier with data: {request:?}"));
                }
                return RSP_OKAY;
            }
            OP_DISCARD if self.disk.discard => {}
            _ => return RSP_EOPNOTSUPP,
        }
        if let Kind::Direct { count } = request.kind
            && count > MAX_SEGMENTS
        {
            xen.violation(format!("blkfront sent {count} segments"));
            return RSP_ERROR;
        }
        let sane = |segment: &Segment| {
            segment.first_sect <= segment.last_sect
                && u32::from(segment.last_sect) < SECTORS_PER_PAGE
        };
        if !request.segments.iter().all(sane) {
            return RSP_ERROR;
        }
        let sectors = request.sectors();
        let end = request.sector_number.checked_add(sectors);
        let mask = u64::from(self.disk.sector_bytes / SECTOR_SIZE) - 1;
        let aligned = (request.sector_number | sectors) & mask == 0;
        let inside = end.is_some_and(|end| end <= self.disk.sectors);
        if sectors != 0 && aligned && inside { RSP_OKAY } else { RSP_ERROR }
    }

    /// Moves a job's data, as far as its pages are there, or does what else it asks for.
    pub(super) fn transfer(&mut self, xen: &mut Xen, job: &Job) {
        if job.status != RSP_OKAY {
            return;
        }
        let request = &job.request;
        match request.operation {
            OP_READ => self.stats.reads += 1,
            OP_WRITE => self.stats.writes += 1,
            OP_DISCARD => {
                self.stats.discards += 1;
                let secure = matches!(request.kind, Kind::Discard { flag: DISCARD_SECURE, .. });
                self.stats.secure_discards += u64::from(secure);
                if self.disk.sparse {
                    let first = request.sector_number;
                    for sector in first..first + request.sectors() {
                        self.sectors.remove(&sector);
                    }
                } else {
                    self.data[job.range()].fill(0);
                }
            }
            OP_WRITE_BARRIER => self.stats.barriers += 1,
            _ => self.stats.flushes += 1,
        }
        self.stats.segments_max = self.stats.segments_max.max(request.segments.len());
        let mut at = request.sector_number as usize * SECTOR;
        for (segment, page) in request.segments.iter().zip(&job.pages) {
            let Some(page) = page else { break };
            let gfn = Cache::gfn(xen, page);
            let start = usize::from(segment.first_sect) * SECTOR;
            let end = (usize::from(segment.last_sect) + 1) * SECTOR;
            if self.disk.sparse {
                self.transfer_sparse(xen, request, gfn, start..end, at);
                at += end - start;
                continue;
            }
            let bytes = &mut self.data[at..at + end - start];
            if request.operation == OP_READ {
                xen.memory.write(gfn, start, bytes);
            } else {
                xen.memory.read(gfn, start, bytes);
            }
            at += end - start;
        }
    }

    /// Moves what is in this part of a page, to or from the byte `at` of a disk that is sparse.
    fn transfer_sparse(
        &mut self,
        xen: &Xen,
        request: &Request,
        gfn: Gfn,
        part: Range<usize>,
        at: usize,
    ) {
        for (sector, start) in (at / SECTOR..).zip(part.step_by(SECTOR)) {
            let sector = sector as u64;
            if request.operation == OP_READ {
                let bytes = self.sectors.get(&sector).copied().unwrap_or([0; SECTOR]);
                xen.memory.write(gfn, start, &bytes);
            } else {
                let bytes = self.sectors.entry(sector).or_insert([0; SECTOR]);
                xen.memory.read(gfn, start, bytes);
            }
        }
    }

    /// Keeps a copy of what a job's pages hold beyond its data.
    pub(super) fn snoop(&mut self, xen: &Xen, job: &Job) {
        for (segment, page) in job.request.segments.iter().zip(job.pages.iter().flatten()) {
            let gfn = Cache::gfn(xen, page);
            let mut bytes = [0; PAGE_SIZE];
            xen.memory.read(gfn, 0, &mut bytes);
            let (start, end) =
                (usize::from(segment.first_sect), usize::from(segment.last_sect) + 1);
            self.loot.extend(&bytes[..start * SECTOR]);
            self.loot.extend(&bytes[end * SECTOR..]);
        }
    }
}
