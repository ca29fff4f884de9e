//! Region of a disk that a job uses, and the amount to transfer.

use crate::blocks::BlockMix;
use crate::error::JobError;
use crate::job::Job;
use crate::number::{Amount, Bytes, percent_of};
use crate::random_distribution::Distribution;
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};

/// Part of one disk that a job uses, in whole blocks. If a job has several block sizes, the block
/// is the largest size that divides them all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// First byte, a multiple of the disk's sector size.
    pub offset_bytes: u64,
    /// Length in bytes: at least one block of each direction's smallest size, and a multiple of the
    /// block.
    pub size_bytes: u64,
    /// This disk's part of `io_size=` or `size=`, or else the region's length: what `loops=`
    /// repeats, in both directions together, at least 1. `None` is no limit (`time_based`).
    pub io_bytes: Option<u64>,
}

impl Job {
    /// Returns the part of `disk` that the job uses. `disk_bytes` is the disk's length,
    /// `sector_bytes` its logical sector size.
    ///
    /// # Errors
    /// A [`JobError`] if the block or the offset is not a multiple of the sector size, or the
    /// region is not on the disk.
    pub fn resolve(
        &self,
        disk: &str,
        disk_bytes: u64,
        sector_bytes: u32,
    ) -> Result<Region, JobError> {
        let aligned = |bytes: u64| bytes.is_multiple_of(u64::from(sector_bytes.max(1)));
        let misaligned = |option, value: String| JobError::NotSectors {
            option,
            value,
            disk: disk.to_owned(),
            sector_bytes,
        };
        let largest = u64::from(self.bs_bytes);
        let bs = self.bs_mix.as_ref().map_or(largest, |mix| mix.unit_bytes().into());
        if !aligned(bs) {
            return Err(misaligned("bs", Bytes(bs).to_string()));
        }
        if let Some(bytes) = self.aligns.into_iter().flatten().find(|bytes| !aligned(*bytes)) {
            return Err(misaligned("ba", Bytes(bytes).to_string()));
        }

        let offset_bytes = self.offset_in(disk_bytes);
        if !aligned(offset_bytes) {
            return Err(misaligned("offset", self.offset.to_string()));
        }
        let end_bytes = self.filesize.map_or(disk_bytes, |bytes| bytes.min(disk_bytes));
        let room_bytes = end_bytes.saturating_sub(offset_bytes);
        let beyond_end = |option, amount: Amount| JobError::BeyondEnd {
            option,
            value: amount.to_string(),
            disk: disk.to_owned(),
            disk_bytes,
            room_bytes,
        };
        if room_bytes == 0 {
            return Err(beyond_end("offset", self.offset));
        }
        if !self.may_be_cut()
            && let Some((option, bytes)) = self.beyond(disk_bytes)
        {
            return Err(beyond_end(option, Amount::Bytes(bytes)));
        }
        let size_bytes = self.size_in(end_bytes, room_bytes).min(room_bytes);
        let size_bytes = self.whole_blocks(size_bytes, bs, disk_bytes - offset_bytes);
        let bs_bytes = self.bs_mix.as_ref().map_or(self.bs_bytes, BlockMix::least_bytes);
        if size_bytes < bs_bytes.into() {
            return Err(JobError::NoBlock { bs_bytes, disk: disk.to_owned() });
        }
        if self.distribution.zone_bytes() > size_bytes {
            let zones = Amount::Bytes(self.distribution.zone_bytes());
            return Err(beyond_end("zoned_abs", zones));
        }

        let io_bytes = self.amount_of(size_bytes, bs).max(1);
        Ok(Region { offset_bytes, size_bytes, io_bytes: (!self.time_based).then_some(io_bytes) })
    }

    /// Returns the start of the region on a disk of so many bytes.
    fn offset_in(&self, disk_bytes: u64) -> u64 {
        let smallest = || {
            let bytes = self.bs_mix.as_ref().map_or(self.bs_bytes, BlockMix::smallest_bytes);
            u64::from(bytes)
        };
        match self.offset {
            Amount::Bytes(bytes) => bytes,
            Amount::Percent(percent) => {
                ceiling(percent_of(disk_bytes, percent), self.offset_align.unwrap_or_else(smallest))
            }
        }
    }

    /// Returns the length of the region on a disk that ends at `end_bytes`, of which `room_bytes`
    /// are behind the region's start; more than these if it does not fit.
    fn size_in(&self, end_bytes: u64, room_bytes: u64) -> u64 {
        match self.size {
            None => room_bytes,
            // As in fio: a share of the whole disk, as far as there is room.
            Some(Amount::Percent(percent)) => percent_of(end_bytes, percent).min(room_bytes),
            Some(Amount::Bytes(_)) if self.filesize.is_some() => room_bytes,
            Some(Amount::Bytes(bytes)) => self.share(bytes),
        }
    }

    /// Returns a region's length in whole blocks. In order, its last block may go beyond `size=` in
    /// bytes, where there is disk, up to `most_bytes`, as in fio; all others end before.
    fn whole_blocks(&self, size_bytes: u64, bs: u64, most_bytes: u64) -> u64 {
        let is_in_order = !self.rw.is_random() && self.bs_mix.is_none() && self.aligns.is_none();
        let in_bytes = self.filesize.is_some() || matches!(self.size, Some(Amount::Bytes(_)));
        match ceiling(size_bytes, bs) {
            beyond if is_in_order && in_bytes && size_bytes >= bs && beyond <= most_bytes => beyond,
            _ => floor(size_bytes, bs),
        }
    }

    /// Returns the bytes to transfer in a region of this length. The last I/O is a whole block.
    fn amount_of(&self, size_bytes: u64, bs: u64) -> u64 {
        match (self.io_size, self.size) {
            (Some(Amount::Percent(percent)), _) => {
                ceiling(percent_of(size_bytes, percent).max(1), bs)
            }
            (Some(Amount::Bytes(bytes)), _) => ceiling(self.share(bytes).max(1), bs),
            (None, Some(Amount::Bytes(bytes))) if self.goes_on() && self.filesize.is_none() => {
                self.share(bytes)
            }
            (None, Some(Amount::Bytes(bytes))) => self.share(bytes).min(size_bytes),
            (None, _) => size_bytes,
        }
    }

    /// Returns whether I/Os go on in a region in which each block has been visited: no map ends
    /// them.
    fn goes_on(&self) -> bool {
        let is_mapped = !self.norandommap
            && self.distribution == Distribution::Random
            && self.random_percent == Job::default().random_percent
            && self.order.is_none();
        self.rw.is_random() && !is_mapped
    }

    /// Returns whether a region that goes beyond its disk ends there, as in fio. There random
    /// blocks behind an offset are drawn from all of the region, and the first beyond the disk ends
    /// the job; holes wrap around; and a file grows.
    fn may_be_cut(&self) -> bool {
        let is_at_start = matches!(self.offset, Amount::Bytes(0) | Amount::Percent(0));
        let is_in_order = !self.rw.is_random() && self.order.is_none();
        self.file.is_none() && (is_in_order || self.rw.is_random() && is_at_start)
    }

    /// Returns whether a region without an end would be the rest of each disk, once.
    pub(crate) fn ends_with_its_disk(&self) -> bool {
        self.may_be_cut() && !self.goes_on()
    }

    /// Returns the option by which its region would go beyond a disk of so many bytes, and its
    /// value in bytes; `None` if none does.
    fn beyond(&self, disk_bytes: u64) -> Option<(&'static str, u64)> {
        let room_bytes = disk_bytes.saturating_sub(self.offset_in(disk_bytes));
        match (self.filesize, self.size) {
            (Some(bytes), _) => Some(("filesize", bytes)).filter(|_| bytes > disk_bytes),
            (None, Some(Amount::Bytes(bytes))) => {
                Some(("size", bytes)).filter(|_| self.share(bytes) > room_bytes)
            }
            _ => None,
        }
    }

    /// Returns a warning if its region goes beyond a disk of so many bytes, and so ends there.
    pub fn cut_warning(&self, disk: &str, disk_bytes: u64) -> Option<String> {
        let (option, bytes) = self.beyond(disk_bytes).filter(|_| self.may_be_cut())?;
        let (name, bytes) = (&self.name, Bytes(bytes));
        Some(format!("{disk}: {option}={bytes} of {name} ends at the end of the disk, as in fio"))
    }

    /// Returns one disk's part of a number of bytes: fio divides `size=` equally among a job's
    /// files.
    fn share(&self, bytes: u64) -> u64 {
        bytes / self.disks.len().max(1) as u64
    }
}

/// Returns the smallest multiple of `unit` from `bytes` on, or the largest there is. `unit` must
/// not be 0.
fn ceiling(bytes: u64, unit: u64) -> u64 {
    bytes.checked_next_multiple_of(unit).unwrap_or(floor(u64::MAX, unit))
}

/// Returns the largest multiple of `unit` up to `bytes`. `unit` must not be 0.
fn floor(bytes: u64, unit: u64) -> u64 {
    bytes - bytes % unit
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;
    use proptest::prelude::*;

    const MIB: u64 = 1 << 20;

    fn resolve(options: &str, disk_bytes: u64) -> Result<Region, String> {
        let jobs = parse(options).map_err(|error| error.to_string())?;
        let job = jobs.first().ok_or("no job")?;
        job.resolve("xvda", disk_bytes, 512).map_err(|error| error.to_string())
    }

    #[test]
    fn regions_as_fio_lays_them_out() {
        for (options, offset_bytes, size_bytes, io_bytes) in [
            ("bs=4k", 0, 8 * MIB, Some(8 * MIB)),
            ("offset=1m", MIB, 7 * MIB, Some(7 * MIB)),
            ("offset=1m size=2m", MIB, 2 * MIB, Some(2 * MIB)),
            ("size=25%", 0, 2 * MIB, Some(2 * MIB)),
            ("offset=50% size=100%", 4 * MIB, 4 * MIB, Some(4 * MIB)),
            ("size=2m io_size=20m", 0, 2 * MIB, Some(20 * MIB)),
            ("size=2m io_size=50%", 0, 2 * MIB, Some(MIB)),
            ("size=50% io_size=10%", 0, 4 * MIB, Some(421_888)),
            ("size=2m io_size=50% loops=2 rw=randread", 0, 2 * MIB, Some(MIB)),
            ("size=0 io_size=0 loops=0 number_ios=0 runtime=0", 0, 8 * MIB, Some(8 * MIB)),
            ("size=0%", 0, 8 * MIB, Some(8 * MIB)),
            ("bs=64k offset=33%", 2_818_048, 5_570_560, Some(5_570_560)),
            ("bs=64k offset=33% offset_align=4k", 2_768_896, 5_570_560, Some(5_570_560)),
            ("bs=64k offset=4k offset_align=64k size=1m", 4096, MIB, Some(MIB)),
            ("bs=4k,64k offset=33% filename=xvda", 2_768_896, 5_619_712, Some(5_619_712)),
            ("filesize=4m", 0, 4 * MIB, Some(4 * MIB)),
            ("filesize=4m-4m size=2m", 0, 4 * MIB, Some(2 * MIB)),
            ("filesize=4m size=8m", 0, 4 * MIB, Some(4 * MIB)),
            ("filesize=4m size=50%", 0, 2 * MIB, Some(2 * MIB)),
            ("filesize=4m offset=1m", MIB, 3 * MIB, Some(3 * MIB)),
            ("filesize=4m offset=1m size=2m io_size=8m", MIB, 3 * MIB, Some(8 * MIB)),
            ("kb_base=1000 size=2m", 0, 2_002_944, Some(2_000_000)),
            ("kb_base=1000 size=2mib", 0, 2 * MIB, Some(2 * MIB)),
            ("size=2m runtime=1", 0, 2 * MIB, Some(2 * MIB)),
            ("size=2m runtime=1 time_based", 0, 2 * MIB, None),
            ("size=10000 io_size=5000", 0, 12288, Some(8192)),
            ("size=10000", 0, 12288, Some(10000)),
            ("size=10000 rw=randread", 0, 8192, Some(8192)),
            ("size=10000 rw=randread norandommap", 0, 8192, Some(10000)),
            ("size=20000 filename=xvda:xvdb", 0, 12288, Some(10000)),
            ("offset=8380416 size=6144", 8_380_416, 8192, Some(6144)),
            ("offset=8382464 size=6000", 8_382_464, 4096, Some(4096)),
            ("filesize=10000", 0, 12288, Some(12288)),
            ("filesize=10000 rw=randread", 0, 8192, Some(8192)),
            ("size=1g", 0, 8 * MIB, Some(8 * MIB)),
            ("size=1g offset=1m", MIB, 7 * MIB, Some(7 * MIB)),
            ("size=1g rw=randread", 0, 8 * MIB, Some(8 * MIB)),
            ("size=1g rw=randread norandommap", 0, 8 * MIB, Some(1 << 30)),
            ("size=1g rw=randread random_distribution=zipf:1.2", 0, 8 * MIB, Some(1 << 30)),
            ("size=1g rw=randread percentage_random=50", 0, 8 * MIB, Some(1 << 30)),
            ("size=1g rw=randread:8", 0, 8 * MIB, Some(1 << 30)),
            ("size=1g percentage_random=50", 0, 8 * MIB, Some(8 * MIB)),
            ("size=1g io_size=12m", 0, 8 * MIB, Some(12 * MIB)),
            ("size=20m filename=xvda:xvdb", 0, 8 * MIB, Some(8 * MIB)),
            ("filesize=1g", 0, 8 * MIB, Some(8 * MIB)),
            ("filesize=1g size=2m", 0, 8 * MIB, Some(2 * MIB)),
            ("filesize=4m size=8m rw=randread norandommap", 0, 4 * MIB, Some(4 * MIB)),
            ("size=2m loops=3", 0, 2 * MIB, Some(2 * MIB)),
            ("size=2m io_size=1m loops=3", 0, 2 * MIB, Some(MIB)),
            ("bssplit=4k/50:64k/50 size=64k io_size=4k", 0, 65536, Some(4096)),
            ("size=2m io_size=1m filename=xvda:xvdb", 0, MIB, Some(MIB / 2)),
            ("offset=512", 512, 8 * MIB - 4096, Some(8 * MIB - 4096)),
            ("io_size=0xffffffffffffffff", 0, 8 * MIB, Some(u64::MAX - 4095)),
        ] {
            let expected = Ok(Region { offset_bytes, size_bytes, io_bytes });
            assert_eq!(resolve(options, 8 * MIB), expected, "{options}");
        }
    }

    #[test]
    fn what_is_not_on_the_disk() {
        for (options, error) in [
            ("offset=2g", "offset=2g is beyond the end of xvda (1073741824 bytes)"),
            ("offset=1g", "offset=1g is beyond the end of xvda (1073741824 bytes)"),
            ("offset=100%", "offset=100% is beyond the end of xvda (1073741824 bytes)"),
            (
                "offset=512m size=1g rw=randread",
                "size=1g is beyond the end of xvda (1073741824 bytes); \
                 at most 536870912 bytes fit there",
            ),
            (
                "offset=512m filesize=2g rw=randread",
                "filesize=2g is beyond the end of xvda (1073741824 bytes); \
                 at most 536870912 bytes fit there",
            ),
            (
                "size=2g rw=read:4k",
                "size=2g is beyond the end of xvda (1073741824 bytes); \
                 at most 1073741824 bytes fit there",
            ),
            (
                "size=2g filename=xvda:/a",
                "size=2g is beyond the end of xvda (1073741824 bytes); \
                 at most 1073741824 bytes fit there",
            ),
            ("filesize=1m offset=1m", "offset=1m is beyond the end of xvda (1073741824 bytes)"),
            (
                "size=2k",
                "not even one block of 4096 bytes fits the job's region on xvda; \
                 raise size, or lower offset or bs",
            ),
            ("offset=100", "offset=100: not a multiple of 512, the sector size of xvda"),
        ] {
            assert_eq!(resolve(options, 1 << 30), Err(error.to_owned()), "{options}");
        }
    }

    #[test]
    fn a_region_that_ends_with_its_disk_is_said() {
        for (line, said) in [
            ("size=2g", "xvda: size=2g of job1 ends at the end of the disk, as in fio"),
            (
                "filesize=2g size=1m",
                "xvda: filesize=2g of job1 ends at the end of the disk, as in fio",
            ),
            ("size=1g offset=1m", "xvda: size=1g of job1 ends at the end of the disk, as in fio"),
            ("size=1g offset=1m rw=randread", ""),
            ("size=1g", ""),
            ("size=2g filename=xvda:xvdb", ""),
            ("filesize=1m size=2g", ""),
            ("offset=50% size=100%", ""),
        ] {
            let warning = parse(line).expect(line)[0].cut_warning("xvda", 1 << 30);
            assert_eq!(warning.unwrap_or_default(), said, "{line}");
        }
    }

    #[test]
    fn large_sectors() {
        let job = Job { bs_bytes: 512, ..Job::default() };
        assert_eq!(
            job.resolve("xvda", MIB, 4096).map_err(|error| error.to_string()),
            Err("bs=512: not a multiple of 4096, the sector size of xvda".to_owned())
        );
        assert!(Job::default().resolve("xvda", MIB, 4096).is_ok());
    }

    proptest! {
        #[test]
        fn a_region_is_on_the_disk(
            disk_bytes: u64,
            offset: u64,
            size: u64,
            blocks in 1..=88_u32,
            percent in any::<bool>(),
        ) {
            let unit = |value: u64| {
                if percent { format!("{}%", value % 101) } else { format!("{}", value & !511) }
            };
            let options =
                format!("bs={} offset={} size={}", blocks * 512, unit(offset), unit(size));
            if let Ok(region) = resolve(&options, disk_bytes) {
                let bs = u64::from(blocks) * 512;
                let end = region.offset_bytes.checked_add(region.size_bytes);
                prop_assert!(end.is_some_and(|end| end <= disk_bytes));
                prop_assert!(region.size_bytes >= bs && region.size_bytes % bs == 0);
                prop_assert!(region.offset_bytes % 512 == 0);
                prop_assert!(region.io_bytes.is_some_and(|bytes| bytes > 0));
            }
        }
    }
}
