//! A job: what fio calls one, with fio's names, defaults and meanings.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::blocks::BlockMix;
use crate::buffers::Buffers;
use crate::grant_mode::GrantMode;
use crate::keyword::{IoEngine, OnError, Poll, Rw};
use crate::limits::RANDSEED;
use crate::number::{Amount, NS_PER_SECOND};
use crate::pace::Pace;
use crate::random_distribution::Distribution;
use crate::reporting::Reporting;
use crate::verify::Verify;

/// I/Os in flight of a guest that was given no options: the entries of a block ring of one page.
const DEFAULT_IODEPTH: u32 = 32;

/// One job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// `name=`: printable ASCII without quotes. Clones (`numjobs=`) share it.
    pub name: String,
    /// `rw=`, `readwrite=`.
    pub rw: Rw,
    /// `rwmixread=`: per cent of reads in a mixed job, 0 to 100.
    pub rwmixread: u8,
    /// `bs=`, `blocksize=`: bytes of one I/O, a multiple of 512 up to [`BS_BYTES_MAX`]; of the
    /// largest, where there are several sizes.
    pub bs_bytes: u32,
    /// `bs=` with a comma, `bssplit=`: the sizes, if there are several.
    pub bs_mix: Option<BlockMix>,
    /// `iodepth=`: I/Os in flight over all of the job's disks, 1 to [`IODEPTH_MAX`].
    pub iodepth: u32,
    /// `runtime=`: nanoseconds, 1 to [`RUNTIME_NS_MAX`]; `None` is as long as the bytes last.
    pub runtime_ns: Option<u64>,
    /// `time_based`: run for all of `runtime_ns`, however many bytes that takes.
    pub time_based: bool,
    /// `offset=`: where the region starts.
    pub offset: Amount,
    /// `size=`: the region's length, shared out over the disks when in bytes; `None` is the rest
    /// of each disk.
    pub size: Option<Amount>,
    /// `io_size=`: how much to transfer, shared out likewise; `None` is the region's length.
    pub io_size: Option<Amount>,
    /// `loops=`: how often all of that is transferred, at least 1.
    pub loops: u64,
    /// `number_ios=`: the job ends after so many I/Os over all of its disks, at least 1.
    pub number_ios: Option<u64>,
    /// `filename=`: names such as `xvda`, each once. Empty only in a job that never writes: the
    /// caller chooses.
    pub disks: Vec<String>,
    /// The path behind the disk in `filename=xvda:/path`: a file in the FFS on the only disk.
    pub file: Option<String>,
    /// `allow_file_overwrite=` (not fio's): a job may write to blocks that a file has already.
    pub allow_file_overwrite: bool,
    /// `stonewall`, `wait_for_previous`: starts only when the jobs before it are done.
    pub stonewall: bool,
    /// `randseed=`; `None` (`randrepeat=0`): the caller takes a new one for each run. Unlike in fio
    /// the job's number is not mixed in, so that jobs that compare grant modes visit equal blocks.
    pub randseed: Option<u64>,
    /// `norandommap`: random blocks are drawn independently. Otherwise each comes once before any
    /// comes again. Always on where blocks are not alike or of several sizes.
    pub norandommap: bool,
    /// `random_distribution=`.
    pub distribution: Distribution,
    /// `ioengine=`, which makes no difference but that `sync` and `psync` have an iodepth of 1.
    pub ioengine: Option<IoEngine>,
    /// When I/Os are put, if not as soon as there is room.
    pub pace: Pace,
    /// What is written without `verify`.
    pub buffers: Buffers,
    /// `continue_on_error=`.
    pub on_error: OnError,
    /// `exitall_on_error`: a failure that ends this job ends all that run with it.
    pub exitall_on_error: bool,
    /// `verify=` and what belongs to it.
    pub verify: Option<Verify>,
    /// `percentile_list=`, `group_reporting`, `write_bw_log=` and what else belongs to the result.
    pub reporting: Reporting,
    /// `grants=` (not fio's).
    pub grants: GrantMode,
    /// `ringmark_poll_us=` (not fio's).
    pub poll: Poll,
    /// `ringmark_queues=` (not fio's): queues of each disk, 1 to [`QUEUES_MAX`]. Whether a disk's
    /// backend has so many is known when it is connected.
    pub queues: u32,
}

impl Default for Job {
    /// fio's defaults: sequential 4 KiB reads, one at a time.
    fn default() -> Self {
        Self {
            name: "job1".to_owned(),
            rw: Rw::Read,
            rwmixread: 50,
            bs_bytes: 4096,
            bs_mix: None,
            iodepth: 1,
            runtime_ns: None,
            time_based: false,
            offset: Amount::Bytes(0),
            size: None,
            io_size: None,
            loops: 1,
            number_ios: None,
            disks: Vec::new(),
            file: None,
            allow_file_overwrite: false,
            stonewall: false,
            randseed: Some(RANDSEED),
            norandommap: false,
            distribution: Distribution::Random,
            ioengine: None,
            pace: Pace::default(),
            buffers: Buffers::default(),
            on_error: OnError::default(),
            exitall_on_error: false,
            verify: None,
            reporting: Reporting::default(),
            grants: GrantMode::Persistent,
            poll: Poll::Auto,
            queues: 1,
        }
    }
}

impl Job {
    /// Bytes of data of its largest I/O: a trim names sectors and has none.
    pub fn data_bytes(&self) -> u32 {
        if self.rw.trims() { 0 } else { self.bs_bytes }
    }

    /// The plan for one disk of a guest that was given no options: reads only, one job after the
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

    /// Whether it reads what it wrote when it has written all of it.
    pub fn reads_back(&self) -> bool {
        self.rw.writes() && self.verify.as_ref().is_some_and(|verify| verify.after_write)
    }
}
