//! Fast path of the loop: an I/O ends, and the next of the same job takes its place.
//!
//! Here goes every completion of a job that has only its pattern to follow
//! ([`ActiveJob::on_fast_path`]). I/Os that end at the same time and are alike are counted at once;
//! those of a batch were issued at the same time, too, and so are their latencies.

use drivers::Vcpu;
use drivers::blkfront::{Broken, Completion, Operation, Slot};

use super::Engine;
use super::active_job::{ActiveJob, Ended};
use super::group::Group;
use super::in_flight::InFlight;
use super::lane::{Lane, Lanes, Several};
use super::pass::Route;
use super::target::Next;

/// I/Os of a job that end at the same time and are alike but for their blocks and starts.
struct Alike<'e, V> {
    vcpu: &'e V,
    job: &'e mut ActiveJob,
    group: Option<&'e mut Group>,
    /// First of them.
    first: InFlight,
    /// Time at which they ended, and their successors begin.
    now_ns: u64,
    /// Whether the clock is read anew for each successor.
    takes_long: bool,
    /// Number of writes issued so far in the run.
    writes: &'e mut u64,
}

impl<V: Vcpu> Engine<'_, '_, V> {
    /// Returns the I/O that takes the place of a completed one; `None` if that failed, or is of a
    /// job that is not on the fast path or has no more I/Os.
    #[inline]
    pub(super) fn next_plain(
        &mut self,
        disk: usize,
        queue: usize,
        completion: &Completion,
        now_ns: u64,
    ) -> Option<Next> {
        let io = self.in_flight[disk][queue].get(&completion.slot);
        let job = &mut self.jobs[io.job_index as usize];
        let is_plain = job.on_fast_path && completion.result.is_ok();
        if is_plain { job.next_fast(now_ns) } else { None }
    }

    /// Replaces a completed I/O by `next`, and those that the last look at its queue found after it
    /// by what comes then, as long as they are alike; returns the first other completion.
    ///
    /// # Errors
    /// As [`QueuePair::poll`](drivers::blkfront::QueuePair::poll).
    pub(super) fn replace_alike(
        &mut self,
        route: Route,
        next: Next,
        now_ns: u64,
    ) -> Result<Option<Completion>, Broken> {
        let Self { vcpu, disks, jobs, groups, in_flight, turns, takes_long, writes, .. } = self;
        let Route { disk, queue: number, slot } = route;
        let first = *in_flight[disk][number].get(&slot);
        let job = &mut jobs[first.job_index as usize];
        let group = job.group.map(|group| &mut groups[group]);
        let takes_long = *takes_long;
        let stays = job.has_one_target() && disks[disk].queues.len() == 1;
        let alike = Alike { vcpu: *vcpu, job, group, first, now_ns, takes_long, writes };
        if stays {
            let queue = &mut disks[disk].queues[number];
            alike.replace(Lane { queue, table: &mut in_flight[disk][number] }, slot, next)
        } else {
            let polled = (disk, number);
            alike.replace(Several { disks, in_flight, turns, polled }, slot, next)
        }
    }
}

impl<V: Vcpu> Alike<'_, V> {
    #[inline(always)]
    fn replace<'a>(
        self,
        mut lanes: impl Lanes<'a>,
        mut slot: Slot,
        mut next: Next,
    ) -> Result<Option<Completion>, Broken> {
        let Self { vcpu, job, group, first, now_ns, takes_long, writes } = self;
        let mut ended = Ended::new(&first, now_ns);
        // Those of a batch started at the same time, too, and have one latency.
        let (mut started_ns, mut ios) = (first.start_ns, 0);
        let other = loop {
            ios += 1;
            let (lane, free) = lanes.place(slot, next.place.disk);
            if next.operation == Operation::Write {
                job.fill(writes, lane.queue, &free, &next);
            }
            let start_ns = if takes_long { vcpu.now_ns() } else { now_ns };
            lane.put(free, next.sector(), next.in_flight(first.job_index, start_ns));
            vcpu.has_completed();
            let Lane { queue, table } = lanes.polled();
            let taken = queue.poll_seen();
            let Ok(Some(Completion { slot: found, result: Ok(()) })) = taken else { break taken };
            let io = table.get(&found);
            match if io.counts_like(&first) { job.next_fast(now_ns) } else { None } {
                Some(one) => (slot, next) = (found, one),
                None => break Ok(Some(Completion { slot: found, result: Ok(()) })),
            }
            if io.start_ns != started_ns {
                job.time(&mut ended, started_ns, ios);
                (started_ns, ios) = (io.start_ns, 0);
            }
        };
        job.time(&mut ended, started_ns, ios);
        job.count_replaced(&ended, group);
        other
    }
}
