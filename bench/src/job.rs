//! A job: what fio calls one, with fio's names, defaults and meanings.
//!
//! [`parse()`] reads jobs from a command line; [`Job::resolve`] fits one to a disk. A job that came
//! from `parse` holds only values that the loop can run.

mod choice;
mod error;
mod options;
mod parse;
mod region;
mod value;

use crate::size::{Amount, Bytes, NS_PER_SECOND, Time};
use crate::verify::Method;
use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{format, vec};

pub use choice::{Poll, Rw};
pub use drivers::blkfront::GrantMode;
pub use error::JobError;
pub use parse::parse;
pub use region::Region;

/// The most I/Os in flight: the entries of a one-page block ring (blkif.h).
pub const IODEPTH_MAX: u32 = 32;
/// The largest block: a direct request has 11 segments of one page (blkif.h).
pub const BS_BYTES_MAX: u32 = 11 * 4096;
/// Every sector of the block protocol, and so every block's least unit (blkif.h).
pub const SECTOR_BYTES: u32 = 512;
/// The longest `runtime=`: 30 days.
pub const RUNTIME_NS_MAX: u64 = 30 * 24 * 60 * 60 * NS_PER_SECOND;
/// The seed of a job that names none. Constant, so that runs repeat (fio's `randrepeat=1`).
pub const RANDSEED: u64 = u64::from_be_bytes(*b"ringmark");

/// One job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// `name=`: printable, without spaces.
    pub name: String,
    /// `rw=`, `readwrite=`.
    pub rw: Rw,
    /// `rwmixread=`: per cent of reads in a mixed job, 0 to 100.
    pub rwmixread: u8,
    /// `bs=`, `blocksize=`: bytes of one I/O, a multiple of 512 up to [`BS_BYTES_MAX`].
    pub bs_bytes: u32,
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
    /// `filename=`: names such as `xvda`, each once. Empty only in a job that never writes: the
    /// caller chooses.
    pub disks: Vec<String>,
    /// `stonewall`, `wait_for_previous`: starts only when the jobs before it are done.
    pub stonewall: bool,
    /// `randseed=`; `None` (`randrepeat=0`): the caller takes a new one for each run. Unlike in fio
    /// the job's number is not mixed in, so that jobs that compare grant modes visit equal blocks.
    pub randseed: Option<u64>,
    /// `verify=` and what belongs to it.
    pub verify: Option<Verify>,
    /// `grants=` (not fio's).
    pub grants: GrantMode,
    /// `ringmark_poll_us=` (not fio's).
    pub poll: Poll,
}

/// Data that can be checked. A read job checks what it reads. A job that writes fills what it
/// writes; when it is done and [`after_write`](Self::after_write), its blocks are read and checked:
/// the same [`Pattern`](crate::Pattern), run again.
///
/// With [`Method::Crc32c`] a job that writes knows which of its writes a block had last, at 4 bytes
/// of memory for each block. It puts no I/O to a block that has one in flight but takes the next
/// instead, checks what it reads of its own writes at once, and reads back each block once. A job
/// that only reads takes the block of any writer, fio's too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verify {
    /// `verify=`, with `verify_pattern=` or `verify_interval=`.
    pub method: Method,
    /// `do_verify=`: read back after writing.
    pub after_write: bool,
    /// `verify_fatal=`: the job ends at the first wrong block. Otherwise it counts them.
    pub fatal: bool,
}

impl Default for Job {
    /// fio's defaults: sequential 4 KiB reads, one at a time.
    fn default() -> Self {
        Self {
            name: "job1".to_owned(),
            rw: Rw::Read,
            rwmixread: 50,
            bs_bytes: 4096,
            iodepth: 1,
            runtime_ns: None,
            time_based: false,
            offset: Amount::Bytes(0),
            size: None,
            io_size: None,
            disks: Vec::new(),
            stonewall: false,
            randseed: Some(RANDSEED),
            verify: None,
            grants: GrantMode::Persistent,
            poll: Poll::Auto,
        }
    }
}

impl Job {
    /// One step of the plan for a guest that was given no options: reads only, after the step
    /// before it, so that each grant mode has the machine to itself.
    pub fn default_for(disk: &str, grants: GrantMode) -> Self {
        Self {
            name: disk.to_owned(),
            rw: Rw::RandRead,
            iodepth: IODEPTH_MAX,
            runtime_ns: Some(3 * NS_PER_SECOND),
            time_based: true,
            disks: vec![disk.to_owned()],
            stonewall: true,
            grants,
            ..Self::default()
        }
    }

    /// The options that make this job, spelled as fio's, for the result and for a repeat.
    pub fn options(&self) -> Vec<(&'static str, String)> {
        let flag = || "1".to_owned();
        let mut options = vec![("rw", self.rw.to_string())];
        if self.rw.reads() && self.rw.writes() {
            options.push(("rwmixread", self.rwmixread.to_string()));
        }
        options.push(("bs", Bytes(self.bs_bytes.into()).to_string()));
        options.push(("iodepth", self.iodepth.to_string()));
        options.extend(self.runtime_ns.map(|ns| ("runtime", Time { ns }.to_string())));
        options.extend(self.time_based.then(|| ("time_based", flag())));
        if self.offset != Amount::Bytes(0) {
            options.push(("offset", self.offset.to_string()));
        }
        options.extend(self.size.map(|size| ("size", size.to_string())));
        options.extend(self.io_size.map(|size| ("io_size", size.to_string())));
        if !self.disks.is_empty() {
            let paths: Vec<String> = self.disks.iter().map(|disk| format!("/dev/{disk}")).collect();
            options.push(("filename", paths.join(":")));
        }
        options.extend(self.stonewall.then(|| ("stonewall", flag())));
        options.push(match self.randseed {
            Some(seed) => ("randseed", seed.to_string()),
            None => ("randrepeat", "0".to_owned()),
        });
        if let Some(verify) = &self.verify {
            match &verify.method {
                Method::Pattern(pattern) => {
                    options.push(("verify", "pattern".to_owned()));
                    options.push(("verify_pattern", pattern.to_string()));
                }
                Method::Crc32c { interval_bytes } => {
                    let interval = Bytes((*interval_bytes).into()).to_string();
                    options.push(("verify", "crc32c".to_owned()));
                    options.push(("verify_interval", interval));
                }
            }
            options.push(("do_verify", u8::from(verify.after_write).to_string()));
            options.extend(verify.fatal.then(|| ("verify_fatal", flag())));
        }
        options.push(("grants", self.grants.to_string()));
        options.push(("ringmark_poll_us", self.poll.to_string()));
        options
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spell(options: &[(&'static str, String)]) -> String {
        options.iter().map(|(name, value)| format!("--{name}={value} ")).collect()
    }

    #[test]
    fn options_make_the_same_job_again() {
        for line in [
            "name=a",
            "name=a rw=randrw rwmixread=70 bs=512 iodepth=7 runtime=1500ms time_based offset=1m \
             size=50% io_size=3m filename=xvda:xvdb stonewall randseed=9 grants=per-request \
             ringmark_poll_us=20",
            "name=a rw=write filename=xvda randrepeat=0 verify=pattern \
             verify_pattern=0xff%o\"a; b\"-12 do_verify=0 grants=persistent-copy",
            "name=a rw=randwrite bs=16k filename=xvda verify=crc32c verify_interval=4k \
             verify_fatal=1",
        ] {
            let jobs = parse(line).expect(line);
            let job = jobs.first().expect("a job");
            let again = format!("name={} {}", job.name, spell(&job.options()));
            assert_eq!(parse(&again), Ok(vec![job.clone()]), "{again}");
        }
    }

    #[test]
    fn the_default_plan_is_a_job_that_only_reads() {
        for grants in GrantMode::ALL {
            let job = Job::default_for("xvdb", grants);
            assert!(!job.rw.writes());
            assert_eq!(parse(&format!("name=xvdb {}", spell(&job.options()))), Ok(vec![job]));
        }
    }
}
