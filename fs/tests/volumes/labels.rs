//! Labels where the BSDs keep them, and tables that have something bad in them beside what is good.

use fs::{Doubt, Error, Place, ReadBlocks, SCRATCH_BYTES, Volume};
use newfs::tables::{
    self, FREEBSD, GPT_EFI, GPT_FREEBSD, GPT_OPENBSD, GptEntry, LabelEntry, NETBSD, OPENBSD,
};
use newfs::{Format, Image, Node, Scratch, run};

const SECTOR: usize = 512;
/// Sector of the slice, and of the volume in it.
const SLICE: usize = 100;
const START: usize = 200;
const FFS: u8 = 7;
const EXTENDED: u8 = 0x05;

fn volume(name: &str) -> Vec<u8> {
    let tree = Node::directory([(name, Node::file(name))]);
    Image::new(Format::new(2, 8192, 1024), &tree).bytes
}

/// A disk with a volume at `START` and room for a GPT's copy behind it.
fn disk() -> Vec<u8> {
    let mut disk = vec![0; START * SECTOR];
    disk.extend(volume("new"));
    disk.resize(disk.len() + 40 * SECTOR, 0);
    disk
}

fn sectors(disk: &[u8]) -> usize {
    disk.len() / SECTOR - 40
}

/// A label's partitions: `b` is the volume, `c` everything.
fn entries(disk: &[u8], base: usize) -> [LabelEntry; 3] {
    let count = sectors(disk);
    let start = |sector: usize| (sector - base) as u64;
    let (ffs, all) = ((count - START) as u64, (count - SLICE) as u64);
    [(start(SLICE) + 1, 8, 1), (start(START), ffs, FFS), (start(SLICE), all, 0)]
}

fn mount(disk: &[u8]) -> Result<(String, Vec<Doubt>), Error<fs::PastEnd>> {
    let mut volume = Volume::mount(fs::Image(disk), vec![0; SCRATCH_BYTES])?;
    volume.lookup(b"/new")?;
    let info = volume.info();
    Ok((info.partition.to_string(), info.doubts.iter().copied().collect()))
}

fn mounted(disk: &[u8]) -> String {
    let (name, doubts) = mount(disk).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(doubts, []);
    name
}

/// Asserts that The Sleuth Kit sees the label in the slice, with `b` at `start` from there, and
/// the volume.
fn assert_sleuthkit(disk: &[u8], start: usize) {
    let scratch = Scratch::new(env!("CARGO_TARGET_TMPDIR"), &format!("labels-{start}"));
    let image = scratch.0.join("disk");
    std::fs::write(&image, disk).unwrap();
    let image = image.to_str().unwrap();
    let tsk = |program: &str, arguments: &[&str]| {
        let arguments: Vec<_> = arguments.iter().map(std::ffi::OsStr::new).collect();
        String::from_utf8(run(program, "sleuthkit", &arguments)).unwrap()
    };
    let label = tsk("mmls", &["-t", "bsd", "-o", &SLICE.to_string(), image]);
    let line =
        label.lines().find(|line| line.contains("4.2BSD")).unwrap_or_else(|| panic!("{label}"));
    let words: Vec<_> = line.split_whitespace().collect();
    assert_eq!(words[1..3], ["001", &format!("{start:010}")], "{label}");
    let files = tsk("fls", &["-o", &START.to_string(), image]);
    assert!(files.contains("new"), "{files}");
}

#[test]
fn labels_in_gpt_areas() {
    for (kind, base) in [(GPT_OPENBSD, 0), (GPT_FREEBSD, SLICE)] {
        let mut disk = disk();
        let last = sectors(&disk) as u64 - 1;
        let area = GptEntry { kind, first: SLICE as u64, last, name: "area" };
        let efi = GptEntry { kind: GPT_EFI, first: 40, last: 50, name: "EFI" };
        tables::gpt_whole(&mut disk, SECTOR, &[efi, area]);
        let entries = entries(&disk, base);
        tables::label_of(&mut disk, (SLICE + 1) * SECTOR, SECTOR, 0, &entries);
        assert_eq!(mounted(&disk), "p2b");
    }
}

#[test]
fn labels_in_logical_partitions() {
    for (kind, base) in [(FREEBSD, SLICE), (OPENBSD, 0), (NETBSD, 0)] {
        let mut disk = disk();
        let count = sectors(&disk);
        tables::mbr_entry(&mut disk, 0, 0, EXTENDED, 50, count - 50);
        tables::mbr_entry(&mut disk, 50 * SECTOR, 0, kind, SLICE - 50, count - SLICE);
        let entries = entries(&disk, base);
        tables::label_of(&mut disk, (SLICE + 1) * SECTOR, SECTOR, 0, &entries);
        assert_eq!(mounted(&disk), "s5b", "{kind:#x}");
        assert_sleuthkit(&disk, START - base);
    }
}

#[test]
fn a_label_of_the_disk_beside_an_mbr_without_a_bsd_slice() {
    let mut disk = disk();
    tables::mbr_entry(&mut disk, 0, 0, 0x0c, 40, 20);
    let entries = entries(&disk, 0);
    tables::label_of(&mut disk, SECTOR, SECTOR, 0, &entries);
    assert_eq!(mounted(&disk), "b");
    // With one, its own label is the one that counts, though there is none.
    tables::mbr_entry(&mut disk, 0, 1, OPENBSD, 70, 20);
    assert_eq!(mount(&disk), Err(Error::NotFfs));
}

#[test]
fn a_gpt_counts_by_the_mbr_alone() {
    let mut disk = disk();
    let last = sectors(&disk) as u64 - 1;
    let nowhere = GptEntry { kind: GPT_EFI, first: 40, last, name: "" };
    tables::gpt_whole(&mut disk, SECTOR, &[nowhere]);
    let count = sectors(&disk) - START;
    tables::mbr_entry(&mut disk, 0, 0, FREEBSD, START, count);
    assert_eq!(mounted(&disk), "s1", "a stale GPT");
    // What is wrong in it is no error.
    for at in [SECTOR + 60, 2 * SECTOR] {
        let mut disk = disk.clone();
        disk[at] ^= 1;
        assert_eq!(mounted(&disk), "s1");
        disk[START * SECTOR + 65536..][..8192].fill(0);
        disk[START * SECTOR + 73728..][..8192].fill(0);
        assert_eq!(mount(&disk), Err(Error::NotFfs));
    }
}

#[test]
fn one_bad_entry_hides_no_volume() {
    let mut good = disk();
    let count = sectors(&good) - START;
    tables::mbr_entry(&mut good, 0, 1, FREEBSD, START, count);

    let mut beyond = good.clone();
    tables::mbr_entry(&mut beyond, 0, 0, EXTENDED, 1 << 30, 100);
    let mut backwards = good.clone();
    tables::mbr_entry(&mut backwards, 0, 0, EXTENDED, 50, 100);
    tables::mbr_entry(&mut backwards, 50 * SECTOR, 1, EXTENDED, 0, 100);
    let mut label = good.clone();
    tables::mbr_entry(&mut label, 0, 0, OPENBSD, SLICE, 50);
    tables::label_of(&mut label, SLICE * SECTOR, SECTOR, 0, &[(0, 1, FFS)]);
    label[SLICE * SECTOR + 136] ^= 1;
    for (mut disk, place) in
        [(beyond, Place::Mbr(5)), (backwards, Place::Mbr(5)), (label, Place::Disklabel(0))]
    {
        assert_eq!(mounted(&disk), "s2", "{place}");
        let tables = fs::partitions(fs::Image(&disk), vec![0; SCRATCH_BYTES]).unwrap();
        assert_eq!(tables.skipped.map(|corrupt| corrupt.place), Some(place));
        disk[446 + 16..446 + 32].fill(0);
        let Err(Error::Corrupt(corrupt)) = mount(&disk) else { panic!("{place} is not told of") };
        assert_eq!(corrupt.place, place);
    }
}

#[test]
fn an_entry_before_c_hides_none_behind_it() {
    let mut disk = disk();
    let count = sectors(&disk);
    tables::mbr_entry(&mut disk, 0, 0, FREEBSD, SLICE, count - SLICE);
    let [_, b, c] = entries(&disk, 0);
    tables::label_of(&mut disk, (SLICE + 1) * SECTOR, SECTOR, 0, &[(10, 20, FFS), b, c]);
    assert_eq!(mounted(&disk), "s1b");
    tables::label_of(&mut disk, (SLICE + 1) * SECTOR, SECTOR, 0, &[(10, 20, FFS), (0, 0, 0), c]);
    let Err(Error::Corrupt(corrupt)) = mount(&disk) else { panic!() };
    assert_eq!((corrupt.place, corrupt.field), (Place::Disklabel(1), "p_offset"));
}

#[test]
fn a_partition_of_a_truncated_image_is_read() {
    let mut disk = disk();
    tables::mbr_entry(&mut disk, 0, 0, FREEBSD, START, 1 << 20);
    disk.truncate(disk.len() - 50 * SECTOR);
    let (end_bytes, disk_bytes) = ((START as u64 + (1 << 20)) * 512, disk.len() as u64);
    let past_end = Doubt::PastEnd { end_bytes, disk_bytes };
    assert_eq!(mount(&disk), Ok(("s1".into(), vec![past_end])));
    let volume = Volume::mount(fs::Image(&disk), vec![0; SCRATCH_BYTES]).unwrap();
    let info = volume.info();
    assert!(info.size_bytes > info.partition_size_bytes, "as without a table");
}

/// A large disk, of zeros but for some pieces.
struct Sparse {
    pieces: Vec<(u64, Vec<u8>)>,
    size_bytes: u64,
}

impl ReadBlocks for Sparse {
    type Error = std::convert::Infallible;

    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn read(&mut self, offset_bytes: u64, buffer: &mut [u8]) -> Result<(), Self::Error> {
        for (at, byte) in (offset_bytes..).zip(buffer) {
            let piece = self.pieces.iter().find_map(|(start, bytes)| {
                bytes.get(usize::try_from(at.checked_sub(*start)?).ok()?)
            });
            *byte = piece.copied().unwrap_or_default();
        }
        Ok(())
    }
}

#[test]
fn version_1_of_a_label_reaches_beyond_2_tib() {
    // Sectors 2^32 + 1000 on, and 2^33 of them.
    let (start, size) = ((1 << 32) + 1000, 1 << 33);
    for version in [0, 1, 2] {
        let mut label = vec![0; 8192];
        tables::label_of(&mut label, SECTOR, SECTOR, version, &[(start, size, FFS)]);
        let pieces = vec![(0, label), (start * 512, volume("new"))];
        let mut disk = Sparse { pieces, size_bytes: 1 << 44 };
        let found = fs::partitions(&mut disk, vec![0; SCRATCH_BYTES]).unwrap();
        let only = found.partitions.first().map(|one| (one.start_bytes, one.size_bytes));
        if version == 1 {
            assert_eq!(only, Some((start * 512, size * 512)));
            let volume = Volume::mount(&mut disk, vec![0; SCRATCH_BYTES]).unwrap();
            assert_eq!(volume.info().partition.to_string(), "a");
        } else {
            // The low half of the size is 0.
            assert_eq!(only, None);
        }
    }
}
