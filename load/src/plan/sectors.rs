//! Warnings of jobs that do not fit a disk: its physical sectors, or its length.

use alloc::format;
use alloc::string::String;

use drivers::blkfront::DiskInfo;
use fio_job::{BlockMix, Job};

/// Returns a warning to the user of a disk if the blocks of a job that reads or writes it are not
/// multiples of its physical sector, of which the disk then moves more than was asked for.
pub fn sector_warning(jobs: &[Job], disk: &str, info: &DiskInfo) -> Option<String> {
    let physical = info.physical_sector_bytes;
    let block = |job: &Job| job.bs_mix.as_ref().map_or(job.bs_bytes, BlockMix::unit_bytes);
    let mut here = jobs.iter().filter(|job| job.disks.iter().any(|name| name == disk));
    let job = here.find(|job| {
        let has_data = job.rw.reads() || job.rw.writes();
        let mut aligns = job.aligns.iter().flatten();
        let is_moved = aligns.any(|align| !align.is_multiple_of(physical.into()));
        has_data && (is_moved || !block(job).is_multiple_of(physical))
    })?;
    Some(format!(
        "{disk}: physical sectors have {physical} bytes, of which the blocks of {} are no multiple",
        job.name
    ))
}

/// Returns a warning for each job whose region would go beyond the end of a disk, and ends there.
pub fn cut_warnings(jobs: &[Job], disk: &str, info: &DiskInfo) -> impl Iterator<Item = String> {
    let here = jobs.iter().filter(move |job| job.disks.iter().any(|name| name == disk));
    here.filter_map(move |job| job.cut_warning(disk, info.bytes()))
}
