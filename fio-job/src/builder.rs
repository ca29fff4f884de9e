//! Builder of a job: keeps options that depend on others, and checks that all of them fit together.

use crate::blocks::{BlockMix, BlockOptions, Blocks};
use crate::bounds::BoundOptions;
use crate::buffers::Buffers;
use crate::error::JobError;
use crate::file_path::FilePath;
use crate::job::Job;
use crate::keyword::{ExitWhat, IoEngine, LatencyFrom, RateProcess};
use crate::limits::{BS_BYTES_MAX, NUMJOBS_MAX, RANDSEED};
use crate::number::{Amount, NS_PER_SECOND};
use crate::order::Order;
use crate::pace::{Batch, Pace, Think};
use crate::random_distribution::Distribution;
use crate::rate::Rate;
use crate::steady_state::SteadyOptions;
use crate::value::Value;
use crate::verify_options::VerifyOptions;
use crate::verify_pattern::VerifyPattern;
use crate::warning::About;
use alloc::string::String;
use alloc::vec::Vec;

/// Least time in which a rate can be judged, in nanoseconds.
const AUTO_NS_MIN: u64 = 30 * NS_PER_SECOND;

/// Job to which options are added, in any order.
#[derive(Clone)]
pub(crate) struct JobBuilder {
    pub(crate) job: Job,
    pub(crate) numjobs: u32,
    pub(crate) offset_increment: Amount,
    /// Whether it goes on to the end of each disk (`fill_device=`).
    pub(crate) fills: bool,
    pub(crate) blocks: BlockOptions,
    /// Number behind the word of `rw=`.
    pub(crate) rw_number: i64,
    pub(crate) identical: bool,
    pub(crate) lfsr: bool,
    pub(crate) rate: Option<Rate>,
    pub(crate) rate_iops: Option<Rate>,
    pub(crate) latency_from: Option<LatencyFrom>,
    pub(crate) steady: SteadyOptions,
    pub(crate) think_ns: u64,
    pub(crate) think_blocks: Option<u64>,
    pub(crate) think_issued: bool,
    pub(crate) think_io_ns: u64,
    pub(crate) bounds: BoundOptions,
    /// Number of the disks that it uses, if not all (`nrfiles=`).
    pub(crate) first_disks: Option<u64>,
    /// Whether this section has named its disks; on a command line no section has.
    pub(crate) has_disks: bool,
    pub(crate) batch_submit: Option<u32>,
    pub(crate) batch_min: Option<u32>,
    pub(crate) batch_max: Option<u32>,
    pub(crate) low: Option<u32>,
    pub(crate) zero_buffers: bool,
    pub(crate) refill_buffers: bool,
    pub(crate) compress_percent: u8,
    /// Whether a write has the data of the one before in its place in flight
    /// (`scramble_buffers=0`).
    pub(crate) repeats: bool,
    pub(crate) randseed: Option<u64>,
    pub(crate) new_seed: bool,
    pub(crate) new_group: bool,
    pub(crate) end_fsync: bool,
    pub(crate) fsync_on_close: bool,
    pub(crate) verify: VerifyOptions,
    /// Bytes of a `k` (`kb_base=`).
    pub(crate) kilo: u64,
    /// Whether numbers with units may have been read in this section.
    pub(crate) has_units: bool,
    /// Whether other threads submit, each one I/O at a time (`io_submit_mode=offload`).
    pub(crate) offload: bool,
    /// Warnings about the option that was set last, until the reader takes them.
    pub(crate) cautions: Vec<About>,
}

impl Default for JobBuilder {
    fn default() -> Self {
        Self {
            job: Job::default(),
            numjobs: 1,
            offset_increment: Amount::Bytes(0),
            fills: false,
            blocks: BlockOptions::new(Job::default().bs_bytes),
            rw_number: 0,
            identical: false,
            lfsr: false,
            rate: None,
            rate_iops: None,
            latency_from: None,
            steady: SteadyOptions::default(),
            think_ns: 0,
            think_blocks: None,
            think_issued: false,
            think_io_ns: 0,
            bounds: BoundOptions::default(),
            first_disks: None,
            has_disks: false,
            batch_submit: None,
            batch_min: None,
            batch_max: None,
            low: None,
            zero_buffers: false,
            refill_buffers: false,
            compress_percent: 0,
            repeats: false,
            randseed: None,
            new_seed: false,
            new_group: false,
            end_fsync: false,
            fsync_on_close: false,
            verify: VerifyOptions::default(),
            kilo: 1024,
            has_units: false,
            offload: false,
            cautions: Vec::new(),
        }
    }
}

impl JobBuilder {
    /// Sets the bytes of a `k` in values.
    ///
    /// # Errors
    /// [`JobError::Value`]: other values have been read already, for which it should hold, too.
    pub(crate) fn set_kilo(&mut self, kilo: u64, value: Value<'_>) -> Result<(), JobError> {
        if self.has_units && kilo != self.kilo {
            return Err(value.wrong("it holds for all sizes; make it the first option"));
        }
        self.kilo = kilo;
        Ok(())
    }

    /// Warns that an option which is set does something else than its value says.
    pub(crate) fn warn(&mut self, option: &'static str, text: &'static str) {
        self.cautions.push(About::Option { option, text });
    }

    /// Warns that an option which is set cannot change anything here.
    pub(crate) fn warn_no_effect(&mut self, option: &'static str) {
        self.cautions.push(About::NoEffect(option));
    }

    /// Names its disks, all of which it uses.
    pub(crate) fn name_disks(&mut self, disks: Vec<String>, file: Option<FilePath>) {
        (self.job.disks, self.job.file) = (disks, file);
        (self.first_disks, self.has_disks) = (None, true);
    }

    /// Has it use only the first `count` of the disks that were named before.
    pub(crate) fn use_first_disks(&mut self, count: u64) {
        if self.has_disks || self.job.disks.is_empty() {
            return self.warn_no_effect("nrfiles");
        }
        if count != 0 && count < self.job.disks.len() as u64 {
            self.warn("nrfiles", "only the first disks of filename= are used, as in fio");
        }
        self.first_disks = Some(count);
    }

    /// Returns whether its engine keeps one I/O in flight.
    fn is_capped(&self) -> bool {
        !self.offload && self.job.ioengine.is_some_and(IoEngine::is_synchronous)
    }

    /// Returns the warnings about options of the whole job.
    pub(crate) fn job_cautions(&self) -> impl Iterator<Item = &'static str> {
        let Job { rw, norandommap, ref distribution, .. } = self.job;
        let is_mapped = *distribution == Distribution::Random && !norandommap;
        let is_unmapped = self.blocks.of(rw).is_ok_and(|blocks| blocks.is_unmapped);
        let has_buffers = self.job.buffers != Buffers::Stamped
            || self.zero_buffers
            || self.refill_buffers
            || self.compress_percent != 0;
        let rules = [
            (
                self.job.time_based && self.job.runtime_ns.is_none(),
                "time_based without runtime= has no effect, as in fio; the job ends with its bytes",
            ),
            (
                is_mapped && is_unmapped,
                "ba= other than the smallest size turns off the random map, as in fio",
            ),
            (
                self.is_capped() && self.job.iodepth != 1,
                "a synchronous ioengine keeps one I/O in flight, whatever iodepth= says, as in fio",
            ),
            (
                self.job.rw.writes() && self.verify.checks() && has_buffers,
                "verify= determines the data, as in fio; options of buffers have no effect",
            ),
            (
                self.job.reporting.widens(self.job.runtime_ns),
                "a log has means of windows, up to 8192, not each I/O: log_avg_msec= is raised, \
                 to 500 if there is none",
            ),
            (
                self.zero_buffers && self.job.buffers != Buffers::Stamped,
                "buffer_pattern= wins over zero_buffers, as in fio",
            ),
        ];
        rules.into_iter().filter_map(|(holds, text)| holds.then_some(text))
    }

    /// Adds the job, `numjobs` times, to `jobs`.
    ///
    /// # Errors
    /// A [`JobError`] if its options conflict or there are too many jobs.
    pub(crate) fn finish(mut self, jobs: &mut Vec<Job>) -> Result<(), JobError> {
        if self.is_capped() {
            self.job.iodepth = 1;
        }
        if let Some(disks) = self.first_disks.filter(|&disks| disks != 0) {
            self.job.disks.truncate(usize::try_from(disks).unwrap_or(usize::MAX));
        }
        if let Some(fix) = self.place().err().or_else(|| self.conflict()) {
            return Err(JobError::Conflict { job: self.job.name, fix });
        }
        self.job.rw = self.verify.kind(self.job.rw);
        let verify = self.verify.verify(self.written_bytes());
        let (pace, buffers) = (self.pace(), self.buffers());
        let reporting = self.job.reporting.widened(self.job.runtime_ns);
        let mixed = self.job.rw.reads() && self.job.rw.writes();
        let is_random = self.job.rw.is_random();
        let job = Job {
            // A job does not keep what it does not use.
            time_based: self.job.time_based && self.job.runtime_ns.is_some(),
            rwmixread: if mixed { self.job.rwmixread } else { Job::default().rwmixread },
            distribution: Some(self.job.distribution).filter(|_| is_random).unwrap_or_default(),
            randseed: self.randseed.or((!self.new_seed).then_some(RANDSEED)),
            pace,
            buffers,
            verify,
            steady_state: self.steady.rule(),
            serialize_overlap: self.job.serialize_overlap
                && self.job.rw.changes()
                && self.job.iodepth != 1,
            reporting: reporting.named_by(&self.job.name),
            ..self.job
        };
        let together = |before: &&Job| {
            let joins = job.reporting.with_group && !self.new_group;
            joins && !job.stonewall && before.steady_state != job.steady_state
        };
        if jobs.last().filter(together).is_some() {
            let fix = "jobs that group_reporting adds up must have the same steadystate= and times of it; \
                       give both all of them, or leave group_reporting out";
            return Err(JobError::Conflict { job: job.name, fix });
        }
        if let Some(fix) = exit_conflict(&job, self.new_group, jobs.last()) {
            return Err(JobError::Conflict { job: job.name, fix });
        }
        // As in fio, one job decides for all.
        let exitall = job.exitall || jobs.first().is_some_and(|first| first.exitall);
        jobs.iter_mut().for_each(|job| job.exitall = exitall);
        let job = Job { exitall, ..job };
        if self.numjobs as usize > NUMJOBS_MAX.saturating_sub(jobs.len()) {
            return Err(JobError::TooManyJobs { job: job.name });
        }
        for number in 0..self.numjobs {
            let offset = job.offset.and_steps(self.offset_increment, number).ok_or_else(|| {
                let fix = "offset_increment= goes too far, or mixes per cent with bytes in offset=";
                JobError::Conflict { job: job.name.clone(), fix }
            })?;
            // Copies start together.
            let stonewall = job.stonewall && number == 0;
            let mut copy = Job { offset, stonewall, ..job.clone() };
            copy.reporting.with_group &= !self.new_group || number != 0;
            jobs.push(copy);
        }
        Ok(())
    }

    /// Determines what the job's I/Os are and where they go; the error is a way to fix it.
    fn place(&mut self) -> Result<(), &'static str> {
        let job = &mut self.job;
        let blocks = self.blocks.of(job.rw)?;
        let is_random = job.rw.is_random();
        let is_uniform = is_random && job.distribution == Distribution::Random;
        let Blocks { bs_bytes, mix, aligns, random_percent, is_unmapped, .. } = blocks;
        if !job.rw.trims() && self.verify.checks() && bs_bytes > BS_BYTES_MAX {
            return Err("data that is checked has at most 16m, the pages that one I/O has; use \
                        bs=16m, or leave verify= out");
        }
        if is_uniform && blocks.is_by_order && !(job.norandommap || is_unmapped) {
            return Err("bs_is_seq_rand of a random job needs norandommap; add it");
        }
        // A generator that gives each place once needs no map; with one size this is the same.
        let is_plain = mix.is_none() && aligns.is_none();
        job.lfsr = self.lfsr && is_uniform && !is_plain;
        let is_mapped = self.lfsr && is_uniform && is_plain;
        job.norandommap = (job.norandommap || is_unmapped) && !is_mapped || job.lfsr;
        job.order = Order::new(job.rw, self.rw_number, self.identical);
        (job.bs_bytes, job.bs_mix) = (bs_bytes, mix);
        (job.aligns, job.random_percent) = (aligns, random_percent);
        job.file_service = job.file_service.of_disks(job.disks.len())?;
        Ok(())
    }

    /// Returns the bytes of which each write has a whole number.
    fn written_bytes(&self) -> u32 {
        self.job.bs_mix.as_ref().map_or(self.job.bs_bytes, BlockMix::written_bytes)
    }

    fn pace(&self) -> Pace {
        let io_ns = Some(self.think_io_ns).filter(|&ns| ns != 0);
        let think = Think {
            time_ns: self.think_ns,
            blocks: self.think_blocks.or(io_ns.is_none().then_some(1)),
            counts_issued: self.think_issued,
            io_ns,
        };
        let job = &self.job;
        let rate = self.rate.or(self.rate_iops).filter(Rate::limits);
        let by_default =
            if self.may_count_from_due() { LatencyFrom::Due } else { LatencyFrom::Submit };
        Pace {
            rate,
            process: rate.map_or(RateProcess::Linear, |_| job.pace.process),
            latency_from: self.latency_from.unwrap_or(by_default),
            think: Some(think).filter(|think| think.time_ns != 0),
            flush_after: job.pace.flush_after.filter(|_| job.rw.writes()),
            sync_writes: job.pace.sync_writes && job.rw.writes(),
            end_flush: (self.end_fsync || self.fsync_on_close) && job.rw.writes(),
            batch: self.batch(),
            bounds: self.bounds.bounds(),
            ..job.pace.clone()
        }
    }

    /// Returns whether its I/Os are due at times that do not depend on those before.
    fn may_count_from_due(&self) -> bool {
        let rate = self.rate.or(self.rate_iops);
        let Job { rw, .. } = self.job;
        // Blocks that are checked keep their order, so a rate makes none due in its direction.
        let is_drawn = rw.reads() && rw.writes() && self.verify.checks();
        rate.is_some_and(|rate| rate.applies_to(rw)) && self.think_ns == 0 && !is_drawn
    }

    fn batch(&self) -> Option<Batch> {
        let Self { batch_submit, batch_min, batch_max, low, .. } = *self;
        batch_submit.or(batch_min).or(batch_max).or(low)?;
        let iodepth = self.job.iodepth;
        let or_iodepth = |count: u32| if count == 0 { iodepth } else { count.min(iodepth) };
        let complete_min = batch_min.unwrap_or(1).min(iodepth);
        Some(Batch {
            submit: or_iodepth(batch_submit.unwrap_or(1)),
            complete_min,
            complete_max: batch_max.unwrap_or(0).clamp(complete_min, iodepth),
            low: or_iodepth(low.unwrap_or(0)),
        })
    }

    fn buffers(&self) -> Buffers {
        let refilled = Buffers::Refilled { zeros_percent: self.compress_percent };
        match VerifyPattern::parse("0x00") {
            _ if !self.job.rw.writes() || self.verify.checks() => Buffers::Stamped,
            _ if self.job.buffers != Buffers::Stamped => self.job.buffers.clone(),
            _ if self.compress_percent != 0 => refilled,
            Ok(zeros) if self.zero_buffers => Buffers::Pattern(zeros),
            _ if self.refill_buffers => refilled,
            _ => Buffers::Stamped,
        }
    }

    /// Returns a way to fix options that conflict, if any do.
    fn conflict(&self) -> Option<&'static str> {
        let mut rules = self.access_rules().into_iter().chain(self.data_rules());
        let rule = rules.find_map(|(broken, fix)| broken.then_some(fix));
        let mut rules = self.verify.rules(self.job.rw, self.written_bytes()).into_iter();
        let rule = rule.or_else(|| rules.find_map(|(broken, fix)| broken.then_some(fix)));
        let rule = rule.or_else(|| self.steady.conflict());
        rule.or_else(|| self.bounds.conflict(self.rate, self.rate_iops))
    }

    /// Returns whether each rule about disks, times and amounts is broken, and a way to fix it.
    fn access_rules(&self) -> impl IntoIterator<Item = Rule> {
        let Self { job, verify, .. } = self;
        let checks = verify.checks();
        [
            (
                job.rw.changes() && job.disks.is_empty(),
                "a job that writes must name its disks; add, for example, filename=/dev/xvda",
            ),
            (job.rw.trims() && job.file.is_some(), "trims need a whole disk; name no file"),
            (
                job.rw.trims() && checks,
                "verify= does not apply to trims, which carry no data; leave it out",
            ),
            (
                job.rw.writes() && job.file.is_some() && !job.allow_file_overwrite,
                "writing into a file destroys its data; allow it with allow_file_overwrite=1",
            ),
            (
                self.latency_from == Some(LatencyFrom::Due) && !self.may_count_from_due(),
                "latency_from=due needs a rate for what the job does, no thinktime=, and no verify= \
                 of reads and writes mixed; give rate= or rate_iops=, or use latency_from=submit",
            ),
            (
                self.steady.is_auto() && job.runtime_ns.is_some_and(|ns| ns < AUTO_NS_MIN),
                "steadystate=auto takes 30 s at least; raise runtime=, or leave it out",
            ),
            (
                self.fills && job.size.is_none() && !job.ends_with_its_disk(),
                "fill_device= without size= has no end, or one by chance; give size=, and leave \
                 fill_device= out",
            ),
            (
                self.rate.is_some() && self.rate_iops.is_some(),
                "rate= and rate_iops= cannot be used together; leave one out",
            ),
        ]
    }

    /// Returns whether each rule about the data is broken, and a way to fix it.
    fn data_rules(&self) -> impl IntoIterator<Item = Rule> {
        let Self { job, verify, .. } = self;
        let writes = job.rw.writes() && !verify.checks();
        let has_pattern = job.buffers != Buffers::Stamped;
        let is_given =
            has_pattern || self.zero_buffers || self.refill_buffers || self.compress_percent != 0;
        [
            (
                has_pattern && self.compress_percent != 0 && writes,
                "buffer_pattern= with buffer_compress_percentage= is not done; leave one out",
            ),
            (
                self.repeats && !is_given && writes,
                "scramble_buffers=0 would write the same random data again; leave it out, or use \
                 buffer_pattern= to write equal data",
            ),
        ]
    }
}

/// Returns a way to fix a job, after `before`, if an end of that would end other jobs than in fio,
/// or it serializes I/Os of several sizes.
fn exit_conflict(job: &Job, new_group: bool, before: Option<&Job>) -> Option<&'static str> {
    let exits = |one: &&Job| one.exitall || one.exitall_on_error || job.exitall;
    if job.serialize_overlap && job.bs_mix.is_some() {
        return Some("serialize_overlap needs a single block size; give one bs=");
    }
    let before = before.filter(exits)?;
    let has = |what| before.exit_what == what || job.exit_what == what;
    if job.stonewall && has(ExitWhat::All) {
        return Some(
            "exit_what=all ends only jobs that run together; leave stonewall out, or use \
                     exit_what=stonewall",
        );
    }
    let splits = new_group && !job.stonewall && has(ExitWhat::Group);
    splits.then_some(
        "exit_what=group ends all jobs that run together; leave new_group out, or use \
         exit_what=stonewall",
    )
}

/// State of a rule: whether it is broken, and a way to fix it.
type Rule = (bool, &'static str);
