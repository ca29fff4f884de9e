//! Job in fio's sense, with fio's names, defaults and meanings.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::affinity::{CpuPolicy, CpuSet};
use crate::blocks::BlockMix;
use crate::buffers::Buffers;
use crate::direction::Direction;
use crate::file_path::FilePath;
use crate::file_service::FileService;
use crate::grant_mode::GrantMode;
use crate::keyword::{ExitWhat, IoEngine, LatencyFrom, OnError, Poll, Rw};
use crate::limits::RANDSEED;
use crate::number::{Amount, NS_PER_SECOND};
use crate::order::Order;
use crate::pace::Pace;
use crate::random_distribution::Distribution;
use crate::reporting::Reporting;
use crate::steady_state::SteadyState;
use crate::verify::Verify;

/// Iodepth of a guest without options: the number of entries in a block ring of one page.
const DEFAULT_IODEPTH: u32 = 32;

/// Job with all its options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Name (`name=`): printable ASCII without quotes. Copies (`numjobs=`) share it.
    pub name: String,
    /// Kind of I/O (`rw=`, `readwrite=`).
    pub rw: Rw,
    /// Share of reads in a mixed job, in per cent, 0 to 100 (`rwmixread=`).
    pub rwmixread: u8,
    /// Size of one I/O in bytes, a multiple of 512, less than 4 GiB, and with checks up to
    /// [`BS_BYTES_MAX`](crate::BS_BYTES_MAX)
    /// (`bs=`, `blocksize=`); the largest, if there are several sizes.
    pub bs_bytes: u32,
    /// Sizes, if there are several (`bs=` with a comma, `bsrange=`, `bssplit=`).
    pub bs_mix: Option<BlockMix>,
    /// Multiples, in bytes, at which random reads, writes and trims begin, each one of 512
    /// (`blockalign=`); `None` is the smallest size of each.
    pub aligns: Option<[u64; 3]>,
    /// Shares of the reads, writes and trims of a random job that are random, in per cent, 0 to
    /// 100; the others follow the last one of their direction (`percentage_random=`).
    pub random_percent: [u8; 3],
    /// Order of the I/Os, if it has a number (`rw=` with a colon, `rw_sequencer=`).
    pub order: Option<Order>,
    /// I/Os in flight over all of the job's disks, 1 to [`IODEPTH_MAX`](crate::IODEPTH_MAX)
    /// (`iodepth=`).
    pub iodepth: u32,
    /// Runtime in nanoseconds, 1 to [`RUNTIME_NS_MAX`](crate::RUNTIME_NS_MAX) (`runtime=`); `None`
    /// runs until all bytes are done.
    pub runtime_ns: Option<u64>,
    /// Whether to run for the whole `runtime_ns`, whatever the number of bytes (`time_based`).
    pub time_based: bool,
    /// Rule by which the job ends before that, once its rate is steady (`steadystate=` and its
    /// companions).
    pub steady_state: Option<SteadyState>,
    /// Start of the region (`offset=`).
    pub offset: Amount,
    /// Length of the region, divided among the disks if in bytes (`size=`); `None` is the rest of
    /// each disk.
    pub size: Option<Amount>,
    /// Length that each disk is taken to have, in bytes, at least 1 (`filesize=`): the region ends
    /// there, and `size` in bytes is the amount to transfer. `None` is the disk's.
    pub filesize: Option<u64>,
    /// Unit to which an `offset` in per cent is rounded up, in bytes, a multiple of 512
    /// (`offset_align=`); `None` is the smallest block.
    pub offset_align: Option<u64>,
    /// Amount to transfer, divided likewise (`io_size=`); in per cent of the
    /// region. `None` is the region's length.
    pub io_size: Option<Amount>,
    /// Number of times to repeat the transfer, at least 1 (`loops=`).
    pub loops: u64,
    /// Number of I/Os over all disks, at least 1, as often as `loops` says, after which the job
    /// ends (`number_ios=`); without effect if it is `time_based`.
    pub number_ios: Option<u64>,
    /// Disks, with names such as `xvda`, each once (`filename=`). Empty only in a job that never
    /// writes: the caller chooses.
    pub disks: Vec<String>,
    /// File in the FFS on the only disk (`filename=xvda:/path`, `filename=xvda@s1a:/path`).
    pub file: Option<FilePath>,
    /// Order in which its I/Os go to the disks.
    pub file_service: FileService,
    /// Whether the job may overwrite a file's blocks (`allow_file_overwrite=`, not fio's).
    pub allow_file_overwrite: bool,
    /// Whether to start only when the jobs before it are done (`stonewall`, `wait_for_previous`).
    pub stonewall: bool,
    /// Seed (`randseed=`); `None` (`randrepeat=0`) if the caller takes a new one for each run.
    /// Unlike in fio the job's number is not mixed in, so that jobs that compare grant modes visit
    /// the same blocks.
    pub randseed: Option<u64>,
    /// Whether random blocks are drawn independently (`norandommap`). Otherwise each is visited
    /// once before any is visited again. Always on if blocks are not equally likely, or begin at
    /// other multiples than those of their size.
    pub norandommap: bool,
    /// Whether places come once each although blocks of several sizes overlap
    /// (`random_generator=lfsr`).
    pub lfsr: bool,
    /// Distribution of random blocks (`random_distribution=`).
    pub distribution: Distribution,
    /// Engine (`ioengine=`), which matters only in that `sync` and `psync` have an iodepth of 1.
    pub ioengine: Option<IoEngine>,
    /// Limits on submission; by default I/Os are submitted as soon as there is room.
    pub pace: Pace,
    /// Data that is written without `verify`.
    pub buffers: Buffers,
    /// Failures that do not end the job (`continue_on_error=`).
    pub on_error: OnError,
    /// Whether a failure that ends this job ends all jobs that run with it (`exitall_on_error`).
    pub exitall_on_error: bool,
    /// Whether the end of this job ends all jobs that run with it (`exitall`). As in fio all jobs
    /// have it if one has.
    pub exitall: bool,
    /// Jobs that end then (`exit_what=`).
    pub exit_what: ExitWhat,
    /// Whether an I/O that changes data waits for those in flight that overlap it
    /// (`serialize_overlap`).
    pub serialize_overlap: bool,
    /// Checks of data (`verify=` and its companions).
    pub verify: Option<Verify>,
    /// Contents of the report (`percentile_list=`, `group_reporting`, `write_bw_log=` and the
    /// like).
    pub reporting: Reporting,
    /// Grant mode (`grants=`, not fio's).
    pub grants: GrantMode,
    /// Polling time (`ringmark_poll_us=`, not fio's).
    pub poll: Poll,
    /// Completions on a queue after which an event is asked for, 1 to [`EVENT_AFTER_MAX`]
    /// (`ringmark_event_after=`, not fio's).
    ///
    /// [`EVENT_AFTER_MAX`]: crate::EVENT_AFTER_MAX
    pub event_after: u32,
    /// Most queues of each disk, 1 to [`QUEUES_MAX`](crate::QUEUES_MAX) (`ringmark_queues=`, not
    /// fio's); `None` is one for each vCPU that uses it. A backend that has fewer decides.
    pub queues: Option<u32>,
    /// Most segments of a request with indirect ones, up to [`SEGMENTS_MAX`](crate::SEGMENTS_MAX)
    /// (`ringmark_indirect=`, not fio's); up to the 11 that any request has is none. `None` is as
    /// many as the backend takes.
    pub indirect: Option<u32>,
    /// Whether the events of each queue go to the vCPU that uses it, not all to vCPU 0
    /// (`ringmark_bind=`, not fio's).
    pub bind: bool,
    /// Whether trims leave nothing of the old data to be found (`ringmark_secure_discard=`, not
    /// fio's).
    pub secure_discard: bool,
    /// vCPUs that it may run on (`cpus_allowed=`, `cpumask=`); `None` is any.
    pub cpus: Option<CpuSet>,
    /// Way in which jobs share these (`cpus_allowed_policy=`).
    pub cpu_policy: CpuPolicy,
}

impl Default for Job {
    /// Returns fio's defaults: sequential 4 KiB reads, one at a time.
    fn default() -> Self {
        Self {
            name: "job1".to_owned(),
            rw: Rw::Read,
            rwmixread: 50,
            bs_bytes: 4096,
            bs_mix: None,
            aligns: None,
            random_percent: [100; 3],
            order: None,
            iodepth: 1,
            runtime_ns: None,
            time_based: false,
            steady_state: None,
            offset: Amount::Bytes(0),
            size: None,
            filesize: None,
            offset_align: None,
            io_size: None,
            loops: 1,
            number_ios: None,
            disks: Vec::new(),
            file: None,
            file_service: FileService::default(),
            allow_file_overwrite: false,
            stonewall: false,
            randseed: Some(RANDSEED),
            norandommap: false,
            lfsr: false,
            distribution: Distribution::Random,
            ioengine: None,
            pace: Pace::default(),
            buffers: Buffers::default(),
            on_error: OnError::default(),
            exitall_on_error: false,
            exitall: false,
            exit_what: ExitWhat::default(),
            serialize_overlap: false,
            verify: None,
            reporting: Reporting::default(),
            grants: GrantMode::Persistent,
            poll: Poll::Auto,
            event_after: 1,
            queues: None,
            indirect: None,
            bind: true,
            secure_discard: false,
            cpus: None,
            cpu_policy: CpuPolicy::Shared,
        }
    }
}

impl Job {
    /// Returns the bytes of data in its largest I/O; 0 for trims, which carry none.
    pub fn data_bytes(&self) -> u32 {
        if self.rw.trims() { 0 } else { self.bs_bytes }
    }

    /// Returns the jobs for one disk of a guest without options: reads only, one job after the
    /// other, so that each grant mode has the machine to itself.
    pub fn defaults_for(disk: &str) -> [Self; 3] {
        GrantMode::ALL.map(|grants| Self {
            name: disk.to_owned(),
            rw: Rw::RandRead,
            iodepth: DEFAULT_IODEPTH,
            runtime_ns: Some(3 * NS_PER_SECOND),
            time_based: true,
            disks: vec![disk.to_owned()],
            stonewall: true,
            grants,
            ..Self::default()
        })
    }

    /// Returns whether latencies in this direction are reported from due times, too.
    pub fn counts_from_due(&self, direction: Direction) -> bool {
        let has_ios = match direction {
            Direction::Read => self.rw.reads(),
            Direction::Write => self.rw.writes(),
            Direction::Trim => self.rw.trims(),
        };
        let has_rate = self.pace.rate.is_some_and(|rate| rate.of(direction).is_some());
        self.pace.latency_from == LatencyFrom::Due && has_ios && has_rate
    }

    /// Returns whether the job reads its data back after writing all of it.
    pub fn reads_back(&self) -> bool {
        self.rw.writes() && self.verify.as_ref().is_some_and(|verify| verify.after_write)
    }
}
