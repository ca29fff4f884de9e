//! Map of a file's bytes to its disk, made once, so that I/O on the file goes straight to the ring:
//! one look-up for each I/O, no copy, no cache.

use alloc::vec::Vec;
use core::fmt;

use fs::{ReadBlocks, Volume};

use fio_job::{FilePath, Job, JobError, Order, Region};

/// Largest number of pieces kept for a file: 1.5 MiB of memory.
pub const PIECES_MAX: usize = 1 << 16;
/// Number of times in a file that a hole may continue where the volume stopped following it. Below
/// a hole there are no indirect blocks, so a valid hole never continues; in a hostile volume there
/// may be millions, each of which is looked at.
const HOLES_MAX: usize = 256;

/// Reason why a file can't be looked up.
#[derive(Debug)]
pub enum LookUpError<E> {
    /// The file system returned an error.
    Fs(fs::Error<E>),
    /// The file has more than [`PIECES_MAX`] pieces.
    TooManyPieces,
    /// A hole, here at this byte of the file, has more indirect blocks than any that was made by
    /// skipping blocks.
    Hole(u64),
}

impl<E: fmt::Display> fmt::Display for LookUpError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fs(error) => error.fmt(f),
            Self::TooManyPieces => write!(f, "the file is in more than {PIECES_MAX} pieces"),
            Self::Hole(offset) => write!(
                f,
                "the indirect blocks of the file's hole at byte {offset} never end; \
                 check the volume with fsck"
            ),
        }
    }
}

/// Part of a file that is contiguous on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Offset of its first byte in the file, in bytes.
    pub file_offset: u64,
    /// Offset of its first byte on the disk, in bytes.
    pub disk_offset: u64,
    /// Length in bytes, above 0.
    pub len_bytes: u64,
}

impl Extent {
    fn file_end(&self) -> u64 {
        self.file_offset.saturating_add(self.len_bytes)
    }
}

/// File as jobs see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileMap {
    /// Path on the disk's file system.
    pub path: FilePath,
    /// Length in bytes.
    pub size_bytes: u64,
    /// Whether its blocks are also the live volume's, so that no job may write there.
    snapshot: bool,
    /// Pieces in the order of the file, without overlap; a gap between two is a hole.
    extents: Vec<Extent>,
}

impl FileMap {
    /// Returns a file of `size_bytes` without any data yet: a hole.
    pub fn new(path: FilePath, size_bytes: u64) -> Self {
        Self { path, size_bytes, snapshot: false, extents: Vec::new() }
    }

    /// Looks a file up in the volume of its partition.
    ///
    /// # Errors
    /// Returns a [`LookUpError`] if the file can't be mapped.
    pub fn look_up<D: ReadBlocks, B: AsMut<[u8]>>(
        volume: &mut Volume<D, B>,
        path: FilePath,
    ) -> Result<Self, LookUpError<D::Error>> {
        let inode = volume.lookup(path.path.as_bytes()).map_err(LookUpError::Fs)?;
        let mut map = Self::new(path, inode.size_bytes);
        map.snapshot = inode.is_snapshot();
        let (mut file_offset, mut in_hole, mut holes) = (0, false, 0);
        while let Some(found) = volume.next_extent(&inode, file_offset).map_err(LookUpError::Fs)? {
            if let Some(disk_offset) = found.disk_offset {
                let extent = Extent { file_offset, disk_offset, len_bytes: found.len };
                if map.push(extent) > PIECES_MAX {
                    return Err(LookUpError::TooManyPieces);
                }
            } else if in_hole {
                holes += 1;
                if holes > HOLES_MAX {
                    return Err(LookUpError::Hole(file_offset));
                }
            }
            in_hole = found.disk_offset.is_none();
            file_offset += found.len;
        }
        Ok(map)
    }

    /// Adds a piece behind the existing ones; a piece that continues the last, in the file and on
    /// the disk, extends it. Returns the number of pieces.
    ///
    /// # Panics
    /// If it is not behind them, which is a bug of the caller.
    pub fn push(&mut self, extent: Extent) -> usize {
        match self.extents.last_mut() {
            Some(last)
                if last.file_end() == extent.file_offset
                    && last.disk_offset.checked_add(last.len_bytes) == Some(extent.disk_offset) =>
            {
                last.len_bytes += extent.len_bytes;
            }
            last => {
                assert!(last.is_none_or(|last| last.file_end() <= extent.file_offset));
                self.extents.push(extent);
            }
        }
        self.extents.len()
    }

    /// Checks that each block of `job` in `region` is one piece of the disk, of whole sectors, and
    /// may be written if the job writes. Where blocks may begin anywhere, the region is one piece.
    ///
    /// # Errors
    /// [`JobError::Snapshot`], [`JobError::Hole`] and [`JobError::Broken`].
    pub(crate) fn check(
        &self,
        job: &Job,
        region: Region,
        sector_bytes: u32,
    ) -> Result<(), JobError> {
        let file = || self.path.clone();
        if self.snapshot && job.rw.changes() {
            return Err(JobError::Snapshot { file: file() });
        }
        let has_holes = matches!(job.order, Some(Order::Holes(_)));
        let is_anywhere = job.bs_mix.is_some() || job.aligns.is_some() || has_holes;
        let bs = if is_anywhere { u64::MAX } else { job.bs_bytes.into() };
        let region_end = region.offset_bytes + region.size_bytes;
        let is_sectors = |bytes: u64| bytes.is_multiple_of(u64::from(sector_bytes.max(1)));
        let mut covered = region.offset_bytes;
        let mut wrong_at = None;
        // Largest power of two that divides every break's distance from the region's start.
        let mut unit = 1 << 63;
        for extent in &self.extents {
            if extent.file_end() <= covered || extent.file_offset >= region_end {
                continue;
            }
            if extent.file_offset > covered {
                break;
            }
            let shift = covered - extent.file_offset;
            let into_region = covered - region.offset_bytes;
            if !into_region.is_multiple_of(bs) || !is_sectors(extent.disk_offset + shift) {
                wrong_at.get_or_insert(covered);
            }
            unit = unit.min(lowest_bit(into_region)).min(lowest_bit(extent.disk_offset + shift));
            covered = extent.file_end();
        }
        if covered < region_end {
            return Err(JobError::Hole { file: file(), offset: covered });
        }
        match wrong_at {
            None => Ok(()),
            Some(offset) => Err(JobError::Broken {
                file: file(),
                offset,
                bs_bytes: job.bs_bytes,
                fits_bytes: if is_sectors(unit) && !is_anywhere { unit } else { 0 },
            }),
        }
    }
}

/// Returns the largest power of two that divides `value`.
fn lowest_bit(value: u64) -> u64 {
    1_u64.checked_shl(value.trailing_zeros()).unwrap_or(1 << 63)
}

/// Finder of a file's offsets on the disk.
#[derive(Clone, Debug)]
pub(crate) struct Lookup {
    extents: Vec<Extent>,
    /// Index of the piece found last: the next is often there too.
    last: usize,
}

impl Lookup {
    pub(crate) fn new(map: &FileMap) -> Self {
        Self { extents: map.extents.clone(), last: 0 }
    }

    /// Returns where on the disk the file's byte at `offset` is, which [`FileMap::check`] has found
    /// there.
    #[inline]
    pub(crate) fn disk_offset(&mut self, offset: u64) -> u64 {
        let at = |extent: &Extent| offset.wrapping_sub(extent.file_offset);
        if at(&self.extents[self.last]) >= self.extents[self.last].len_bytes {
            self.last = self.extents.partition_point(|extent| extent.file_offset <= offset) - 1;
        }
        let extent = &self.extents[self.last];
        extent.disk_offset + at(extent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use alloc::string::ToString;
    use fio_job::Rw;
    use proptest::prelude::*;

    /// Returns a file with 8 KiB at 1 MiB, then 4 KiB at 2 MiB, then, after a hole of 4 KiB, 16 KiB
    /// at 64 KiB.
    fn file() -> FileMap {
        let mut map = FileMap::new("/f".into(), 32 << 10);
        let mut push = |file_offset, disk_offset, len_bytes| {
            map.push(Extent { file_offset, disk_offset, len_bytes })
        };
        assert_eq!(push(0, 1 << 20, 4096), 1);
        assert_eq!(push(4096, (1 << 20) + 4096, 4096), 1, "one goes on where the other ends");
        assert_eq!(push(8192, 2 << 20, 4096), 2);
        assert_eq!(push(16 << 10, 64 << 10, 16 << 10), 3);
        map
    }

    fn check(bs_bytes: u32, offset_bytes: u64, size_bytes: u64) -> Result<(), String> {
        let job = Job { bs_bytes, ..Job::default() };
        let region = Region { offset_bytes, size_bytes, io_bytes: None };
        file().check(&job, region, 512).map_err(|error| error.to_string())
    }

    #[test]
    fn places_are_found() {
        let mut lookup = Lookup::new(&file());
        for (offset, disk_offset) in [
            (0, 1 << 20),
            (8191, (1 << 20) + 8191),
            (8192, 2 << 20),
            (20 << 10, 68 << 10),
            (4096, (1 << 20) + 4096),
            (16 << 10, 64 << 10),
        ] {
            assert_eq!(lookup.disk_offset(offset), disk_offset, "{offset}");
        }
    }

    #[test]
    fn blocks_that_begin_anywhere_need_a_single_piece() {
        for line in ["bssplit=4k:8k", "bs=4k ba=512 rw=randread norandommap", "bs=4k rw=read:512"] {
            let job = &fio_job::parse(line).expect(line)[0];
            let check = |offset_bytes, size_bytes| {
                let region = Region { offset_bytes, size_bytes, io_bytes: None };
                file().check(job, region, 512).map_err(|error| error.to_string())
            };
            assert_eq!(check(0, 8192), Ok(()), "{line}");
            assert_eq!(check(16 << 10, 16 << 10), Ok(()), "{line}");
            let error = check(4096, 8192).unwrap_err();
            assert!(error.contains("at byte 8192; no bs= avoids this"), "{line}: {error}");
        }
    }

    #[test]
    fn blocks_are_whole() {
        assert_eq!(check(4096, 0, 12 << 10), Ok(()));
        assert_eq!(check(8192, 0, 8192), Ok(()));
        assert_eq!(check(16 << 10, 16 << 10, 16 << 10), Ok(()));
        assert_eq!(
            check(12 << 10, 0, 12 << 10),
            Err("/f is stored in several pieces, and a block of 12k would cross from one to the next \
                 at byte 8192; use bs=8k or less"
                .into())
        );
        assert_eq!(
            check(4096, 0, 32 << 10),
            Err("/f has a hole at byte 12288; choose another part with offset= and size=".into())
        );
        assert!(check(4096, 0, 13 << 10).is_err());
    }

    #[test]
    fn no_job_writes_to_a_snapshot() {
        let mut map = file();
        map.snapshot = true;
        let region = Region { offset_bytes: 0, size_bytes: 8192, io_bytes: None };
        for rw in [Rw::Read, Rw::RandRead] {
            assert_eq!(map.check(&Job { rw, ..Job::default() }, region, 512), Ok(()));
        }
        for rw in [Rw::Write, Rw::RandWrite, Rw::ReadWrite, Rw::RandRw, Rw::Trim, Rw::RandTrim] {
            let refused = Err(JobError::Snapshot { file: "/f".into() });
            assert_eq!(map.check(&Job { rw, ..Job::default() }, region, 512), refused, "{rw}");
        }
    }

    #[test]
    fn blocks_begin_at_a_sector() {
        let mut map = FileMap::new("/f".into(), 16 << 10);
        map.push(Extent { file_offset: 0, disk_offset: (1 << 20) + 512, len_bytes: 16 << 10 });
        let job = Job { bs_bytes: 4096, ..Job::default() };
        let region = Region { offset_bytes: 0, size_bytes: 16 << 10, io_bytes: None };
        assert!(map.check(&job, region, 512).is_ok());
        let broken =
            JobError::Broken { file: "/f".into(), offset: 0, bs_bytes: 4096, fits_bytes: 0 };
        assert_eq!(map.check(&job, region, 4096), Err(broken));
    }

    proptest! {
        #[test]
        fn places_are_distinct(lens in prop::collection::vec((1..9_u64, any::<bool>()), 1..40)) {
            let mut map = FileMap::new("/f".into(), u64::MAX);
            let (mut file_offset, mut disk_offset) = (0, 1 << 40);
            let mut expected = Vec::new();
            for (blocks, gap) in lens {
                if gap {
                    disk_offset -= 1 << 20;
                }
                map.push(Extent { file_offset, disk_offset, len_bytes: blocks * 512 });
                expected.extend((0..blocks).map(|block| disk_offset + block * 512));
                file_offset += blocks * 512;
                disk_offset += blocks * 512;
            }
            let mut lookup = Lookup::new(&map);
            for (block, &place) in expected.iter().enumerate().rev() {
                prop_assert_eq!(lookup.disk_offset(block as u64 * 512), place);
            }
        }
    }
}
