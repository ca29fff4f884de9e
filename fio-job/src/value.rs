//! Value of an option, the text after its `=`, and the ways to read it.

use crate::affinity::{CpuPolicy, CpuSet};
use crate::error::JobError;
use crate::file_path::FilePath;
use crate::grant_mode::GrantMode;
use crate::keyword::{ExitWhat, IoEngine, LatencyFrom, OnError, Poll, RateProcess, Rw};
use crate::limits::{
    BLOCK_BYTES_MAX, BS_BYTES_MAX, EVENT_AFTER_MAX, IODEPTH_MAX, NUMJOBS_MAX, POLL_US_MAX,
    QUEUES_MAX, RUNTIME_NS_MAX, SECTOR_BYTES, SEGMENTS_MAX,
};
use crate::number::{self, Amount, NumberError};
use crate::verify::HEADER_BYTES;
use crate::verify::VerifyWord;
use crate::verify_pattern::VerifyPattern;
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

/// Reason to refuse what no disk is called, and what to do.
const NO_DISK: &str = "not a disk; use, for example, /dev/xvda or xvda:xvdb";

/// Most bytes of a partition's name; those of tables are shorter.
const PARTITION_BYTES_MAX: usize = 16;

/// Values of what is on or off.
const ON_OR_OFF: &str = "use 0 or 1";

/// Words of `sync=`, and whether each write is flushed.
pub(crate) const SYNC_NAMES: [(&str, bool); 5] =
    [("none", false), ("sync", true), ("dsync", true), ("0", false), ("1", true)];

/// Value of an option, if it has one, and the option's name for errors.
#[derive(Clone, Copy)]
pub(crate) struct Value<'a> {
    option: &'static str,
    text: Option<&'a str>,
    /// Bytes of a `k`, 1024 or 1000.
    kilo: u64,
}

impl<'a> Value<'a> {
    pub(crate) fn new(option: &'static str, text: Option<&'a str>) -> Self {
        Self { option, text, kilo: 1024 }
    }

    /// Sets the bytes of a `k`.
    pub(crate) fn in_kilo(self, kilo: u64) -> Self {
        Self { kilo, ..self }
    }

    /// Returns a part of this value, as a value of the same option.
    pub(crate) fn part(self, text: &'a str) -> Self {
        Self { text: Some(text), ..self }
    }

    /// Reads a name, which may be in quotes.
    pub(crate) fn name(self) -> Result<String, JobError> {
        let text = self.text()?;
        let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
        match inner {
            "" => Err(JobError::NoValue(self.option)),
            _ if inner.contains('"') => {
                Err(self.wrong("a name cannot contain quotes; leave them out"))
            }
            _ => Ok(inner.to_owned()),
        }
    }

    /// Returns the error for a missing value.
    pub(crate) fn is_alone(self) -> bool {
        self.text.is_none()
    }

    pub(crate) fn text(self) -> Result<&'a str, JobError> {
        self.text.filter(|text| !text.is_empty()).ok_or(JobError::NoValue(self.option))
    }

    pub(crate) fn wrong(self, fix: &'static str) -> JobError {
        let value = self.text.unwrap_or_default().to_owned();
        JobError::Value { option: self.option, value, fix }
    }

    fn number<T>(self, read: impl Fn(&str) -> Result<T, NumberError>) -> Result<T, JobError> {
        let text = self.text()?;
        read(text).map_err(|cause| JobError::Number {
            option: self.option,
            value: text.to_owned(),
            cause,
        })
    }

    /// Reads an integer, which in fio may have any unit of bytes.
    pub(crate) fn count(self) -> Result<u64, JobError> {
        self.number(|text| number::parse_bytes_in(text, self.kilo))
    }

    pub(crate) fn positive(self) -> Result<u64, JobError> {
        match self.count()? {
            0 => Err(self.wrong("nothing to do; use 1 or more")),
            count => Ok(count),
        }
    }

    pub(crate) fn numjobs(self) -> Result<u32, JobError> {
        match self.count()? {
            0 => Err(self.wrong("no job to run; use 1 to 512")),
            count => u32::try_from(count)
                .ok()
                .filter(|count| *count as usize <= NUMJOBS_MAX)
                .ok_or_else(|| self.wrong("too many; use 1 to 512")),
        }
    }

    pub(crate) fn amount(self) -> Result<Amount, JobError> {
        self.number(|text| Amount::parse_in(text, self.kilo))
    }

    /// Reads an amount; 0 is as without the option.
    pub(crate) fn length(self) -> Result<Option<Amount>, JobError> {
        let amount = self.amount()?;
        Ok(Some(amount).filter(|amount| !matches!(amount, Amount::Bytes(0) | Amount::Percent(0))))
    }

    /// Reads a count; 0 is as without the option.
    pub(crate) fn count_or_none(self) -> Result<Option<u64>, JobError> {
        self.count().map(|count| (count != 0).then_some(count))
    }

    /// Reads the size of a part of the disk, or a range of sizes that is one.
    pub(crate) fn filesize(self) -> Result<u64, JobError> {
        let text = self.text()?;
        let (least, most) = text.split_once('-').unwrap_or((text, text));
        match (self.part(least).positive()?, self.part(most).positive()?) {
            (least, most) if least == most => Ok(least),
            _ => Err(self.wrong("fio would draw a size; name one")),
        }
    }

    /// Reads the unit that the start of a region is rounded to; `None` is the block size.
    pub(crate) fn offset_align(self) -> Result<Option<u64>, JobError> {
        match self.count()? {
            0 => Ok(None),
            bytes if bytes.is_multiple_of(SECTOR_BYTES.into()) => Ok(Some(bytes)),
            _ => Err(self.wrong("not a multiple of the 512-byte sector; use, for example, 4k")),
        }
    }

    /// Reads the bytes of a `k`.
    pub(crate) fn kb_base(self) -> Result<u64, JobError> {
        self.one_of(&[("1024", 1024), ("1000", 1000)], "use 1024 or 1000")
    }

    /// Reads whether reads and writes are to be reported as one.
    pub(crate) fn unified(self) -> Result<bool, JobError> {
        let words = [
            ("none", false),
            ("mixed", true),
            ("both", true),
            ("0", false),
            ("1", true),
            ("2", true),
        ];
        self.one_of(&words, "use none, mixed or both")
    }

    /// Reads a flag, which is on without a value and with any number but 0 (fio's `str_set`).
    pub(crate) fn flag(self) -> Result<bool, JobError> {
        match self.text {
            None => Ok(true),
            Some(_) => self.switch().map(|number| number != 0),
        }
    }

    /// Reads a boolean of fio, which has a value.
    pub(crate) fn boolean(self) -> Result<bool, JobError> {
        match self.switch()? {
            number @ (0 | 1) => Ok(number == 1),
            _ => Err(self.wrong(ON_OR_OFF)),
        }
    }

    fn switch(self) -> Result<u64, JobError> {
        self.text()?;
        self.count().map_err(|_| self.wrong(ON_OR_OFF))
    }

    /// Reads `randseed=`; fio takes numbers below 0, too.
    pub(crate) fn seed(self) -> Result<u64, JobError> {
        match self.text()?.strip_prefix('-') {
            Some(number) => self.part(number).count().map(u64::wrapping_neg),
            None => self.count(),
        }
    }

    pub(crate) fn must_be(self, right: &str, fix: &'static str) -> Result<(), JobError> {
        if self.text()? == right { Ok(()) } else { Err(self.wrong(fix)) }
    }

    fn one_of<T: Copy>(self, keywords: &[(&str, T)], fix: &'static str) -> Result<T, JobError> {
        let text = self.text()?;
        let keyword = keywords.iter().find(|(name, _)| *name == text);
        keyword.map(|(_, meaning)| *meaning).ok_or_else(|| self.wrong(fix))
    }

    pub(crate) fn rw(self) -> Result<Rw, JobError> {
        self.one_of(
            &Rw::NAMES,
            "use read, write, trim, rw, randread, randwrite, randtrim or randrw",
        )
    }

    /// Reads `rw_sequencer=`: whether it is `identical`.
    pub(crate) fn sequencer(self) -> Result<bool, JobError> {
        self.one_of(&[("sequential", false), ("identical", true)], "use sequential or identical")
    }

    /// Reads `random_generator=`: whether it is `lfsr`.
    pub(crate) fn generator(self) -> Result<bool, JobError> {
        let names = [("tausworthe", false), ("tausworthe64", false), ("lfsr", true)];
        self.one_of(&names, "use tausworthe, tausworthe64 or lfsr")
    }

    pub(crate) fn engine(self) -> Result<IoEngine, JobError> {
        self.one_of(&IoEngine::NAMES, IoEngine::refusal(self.text()?))
    }

    /// Reads `io_submit_mode=`: whether it is `offload`.
    pub(crate) fn submit_mode(self) -> Result<bool, JobError> {
        self.one_of(&[("inline", false), ("offload", true)], "use inline or offload")
    }

    pub(crate) fn rate_process(self) -> Result<RateProcess, JobError> {
        self.one_of(&RateProcess::NAMES, "use linear or poisson")
    }

    pub(crate) fn latency_from(self) -> Result<LatencyFrom, JobError> {
        self.one_of(&LatencyFrom::NAMES, "use due or submit")
    }

    /// Reads whether pauses count the I/Os that were issued.
    pub(crate) fn think_type(self) -> Result<bool, JobError> {
        self.one_of(&[("complete", false), ("issue", true)], "use complete or issue")
    }

    /// Reads the number of disks that are open at once; `None` is all.
    pub(crate) fn openfiles(self) -> Result<Option<u32>, JobError> {
        let open = u32::try_from(self.count()?).map_err(|_| self.wrong("more than fio takes"))?;
        Ok(Some(open).filter(|&open| open != 0))
    }

    pub(crate) fn verify(self) -> Result<VerifyWord, JobError> {
        self.one_of(
            &VerifyWord::NAMES,
            "use crc32c, md5, sha256, pattern or another of fio's words",
        )
    }

    /// Reads `sync=`; returns whether each write is flushed.
    pub(crate) fn sync(self) -> Result<bool, JobError> {
        self.one_of(&SYNC_NAMES, "use none, sync or dsync")
    }

    pub(crate) fn pattern(self) -> Result<VerifyPattern, JobError> {
        let text = self.text()?;
        VerifyPattern::parse(text).map_err(|cause| JobError::Pattern {
            option: self.option,
            value: text.to_owned(),
            cause,
        })
    }

    pub(crate) fn grants(self) -> Result<GrantMode, JobError> {
        let text = self.text()?;
        GrantMode::ALL
            .into_iter()
            .find(|mode| mode.name() == text)
            .ok_or_else(|| self.wrong("use persistent, persistent-copy or per-request"))
    }

    pub(crate) fn percent(self) -> Result<u8, JobError> {
        match self.count()? {
            percent @ 0..=100 => Ok(percent as u8),
            _ => Err(self.wrong("more than 100 %; use 0 to 100")),
        }
    }

    pub(crate) fn block_bytes(self) -> Result<u32, JobError> {
        match self.count()? {
            0 => Err(self.wrong("an I/O cannot be empty; use, for example, 4k")),
            bytes if !bytes.is_multiple_of(SECTOR_BYTES.into()) => match self.text()? {
                text if self.kilo == 1024 && text.to_ascii_lowercase().contains("ib") => {
                    Err(self.wrong("a KiB has 1000 bytes in fio, and a k 1024; use, as there, 4k"))
                }
                _ => Err(self.wrong("not a multiple of the 512-byte sector; use, for example, 4k")),
            },
            bytes => u32::try_from(bytes)
                .ok()
                .filter(|bytes| *bytes <= BLOCK_BYTES_MAX)
                .ok_or_else(|| self.wrong("too large; use less than 4g")),
        }
    }

    /// Reads `verify_offset=`, in bytes.
    pub(crate) fn header_offset(self) -> Result<u32, JobError> {
        let bytes = u32::try_from(self.number(number::parse_bytes)?).ok();
        let fits = |bytes: &u32| (HEADER_BYTES as u32..=BS_BYTES_MAX).contains(bytes);
        bytes.filter(fits).ok_or_else(|| self.wrong("use 40 or more, up to bs=, or leave it out"))
    }

    pub(crate) fn iodepth(self) -> Result<u32, JobError> {
        match self.count()? {
            0 => Err(self.wrong("nothing in flight; use 1 to 65536")),
            depth => u32::try_from(depth)
                .ok()
                .filter(|depth| *depth <= IODEPTH_MAX)
                .ok_or_else(|| self.wrong("too many; use 1 to 65536")),
        }
    }

    /// Reads a time to run, in nanoseconds; 0 is no limit.
    pub(crate) fn runtime_ns(self) -> Result<Option<u64>, JobError> {
        self.delay_ns(false).map(|ns| (ns != 0).then_some(ns))
    }

    /// Reads a time of up to 30 days, in nanoseconds; with `bare_is_us` a number without a unit is
    /// in microseconds, otherwise in seconds.
    pub(crate) fn delay_ns(self, bare_is_us: bool) -> Result<u64, JobError> {
        let read = if bare_is_us { number::parse_time_in_us } else { number::parse_time_ns };
        let ns = match self.number(read) {
            Err(JobError::Number { cause: NumberError::TooBig, .. }) => None,
            ns => Some(ns?).filter(|ns| *ns <= RUNTIME_NS_MAX),
        };
        ns.ok_or_else(|| self.wrong("too long; use at most 30d"))
    }

    /// Reads a batch size, from 0 up to the largest iodepth.
    pub(crate) fn batch(self) -> Result<u32, JobError> {
        let depth = u32::try_from(self.count()?).ok().filter(|depth| *depth <= IODEPTH_MAX);
        depth.ok_or_else(|| self.wrong("more than the largest iodepth; use 65536 or less"))
    }

    pub(crate) fn on_error(self) -> Result<OnError, JobError> {
        self.one_of(&OnError::NAMES, "use none, read, write, io, verify or all")
    }

    pub(crate) fn exit_what(self) -> Result<ExitWhat, JobError> {
        self.one_of(&ExitWhat::NAMES, "use group, stonewall or all")
    }

    pub(crate) fn poll(self) -> Result<Poll, JobError> {
        if self.text()? == "auto" {
            return Ok(Poll::Auto);
        }
        match self.count()? {
            us if us <= POLL_US_MAX.into() => Ok(Poll::Us(us as u32)),
            _ => Err(self.wrong("more than a second; use auto or 0 to 1000000")),
        }
    }

    /// Reads the number of completions behind which an event comes.
    pub(crate) fn event_after(self) -> Result<u32, JobError> {
        const _: () = assert!(EVENT_AFTER_MAX == 512);
        let completions = u32::try_from(self.count()?).ok();
        completions
            .filter(|completions| (1..=EVENT_AFTER_MAX).contains(completions))
            .ok_or_else(|| self.wrong("not a number of completions of a ring; use 1 to 512"))
    }

    /// Reads a number of queues; `None` stands for `auto`.
    pub(crate) fn queues(self) -> Result<Option<u32>, JobError> {
        const _: () = assert!(QUEUES_MAX == 32);
        self.auto_or(1..=QUEUES_MAX, "not a number of queues; use auto or 1 to 32")
    }

    /// Reads a number of segments; `None` stands for `auto`.
    pub(crate) fn indirect(self) -> Result<Option<u32>, JobError> {
        const _: () = assert!(SEGMENTS_MAX == 4096);
        self.auto_or(0..=SEGMENTS_MAX, "not a number of segments; use auto or 0 to 4096")
    }

    fn auto_or(
        self,
        range: RangeInclusive<u32>,
        fix: &'static str,
    ) -> Result<Option<u32>, JobError> {
        if self.text()? == "auto" {
            return Ok(None);
        }
        let number = u32::try_from(self.count()?).ok().filter(|number| range.contains(number));
        number.map(Some).ok_or_else(|| self.wrong(fix))
    }

    pub(crate) fn cpus(self) -> Result<CpuSet, JobError> {
        let fix = "no list of vCPUs; use their numbers and ranges, such as 0-3,6";
        CpuSet::parse(self.text()?).ok_or_else(|| self.wrong(fix))
    }

    pub(crate) fn cpu_mask(self) -> Result<CpuSet, JobError> {
        CpuSet::of_mask(self.count()?).ok_or_else(|| self.wrong("names no vCPU; set a bit"))
    }

    pub(crate) fn cpu_policy(self) -> Result<CpuPolicy, JobError> {
        self.one_of(&CpuPolicy::NAMES, "use shared or split")
    }

    /// Reads disks, or one disk and the path of a file on it: a path that begins with `/`, but not
    /// with `/dev/`, unless a partition of the disk is named.
    pub(crate) fn filename(self) -> Result<(Vec<String>, Option<FilePath>), JobError> {
        let text = self.text()?;
        let (head, path) = match text.split_once(":/") {
            Some((head, path)) if head.contains('@') || !path.starts_with("dev/") => {
                (head, Some(format!("/{path}")))
            }
            _ => (text, None),
        };
        let (disks, partition) = match head.split_once('@') {
            Some((disks, partition)) => (disks, Some(partition)),
            None => (head, None),
        };
        let is_name = |name: &str| {
            (1..=PARTITION_BYTES_MAX).contains(&name.len())
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        let file = match (partition, path) {
            (Some(_), None) => {
                return Err(self.wrong("a partition without a file; use xvda@s1a:/dir/file"));
            }
            (Some(name), _) if !is_name(name) => {
                return Err(self.wrong("not a partition; use, for example, xvda@s1a:/dir/file"));
            }
            (name, path) => {
                path.map(|path| FilePath { partition: name.map(ToOwned::to_owned), path })
            }
        };
        let disks = self.disks(disks)?;
        if file.is_some() && disks.len() > 1 {
            return Err(self.wrong("a file and another disk; give each file a job of its own"));
        }
        Ok((disks, file))
    }

    fn disks(self, text: &str) -> Result<Vec<String>, JobError> {
        let mut disks = Vec::new();
        // As in fio an empty name is none.
        for path in text.split(':').filter(|path| !path.is_empty()) {
            let disk = path.strip_prefix("/dev/").unwrap_or(path);
            if disk.is_empty() || !disk.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                return Err(self.wrong(NO_DISK));
            }
            if disks.iter().any(|known| known == disk) {
                return Err(self.wrong("a disk is named twice; name each once"));
            }
            disks.push(disk.to_owned());
        }
        if disks.is_empty() { Err(self.wrong(NO_DISK)) } else { Ok(disks) }
    }
}
