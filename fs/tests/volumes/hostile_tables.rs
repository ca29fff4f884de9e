//! Partition tables that lead into each other, by a seed: what a disk makes a mount read is
//! bounded, and each partition that is listed can be opened or is refused in one line.

use std::cell::Cell;

use fs::{PARTITIONS_MAX, PastEnd, ReadBlocks, SCRATCH_BYTES, Volume};
use newfs::tables::{self, FREEBSD, GptEntry, LabelEntry, NETBSD, OPENBSD, PROTECTIVE};
use newfs::{Format, Image, Node};

const SECTOR: usize = 512;
const DISK_BYTES: usize = 512 << 10;
const CASES: u64 = 400;
/// Sectors at which there may be a volume or a copy of its superblock.
const PLACES: [usize; 4] = [8, 128, 384, 640];
const KINDS: [u8; 10] = [FREEBSD, OPENBSD, NETBSD, PROTECTIVE, 0x05, 0x0f, 0x85, 0x83, 0x83, 0];
/// Most reads for each partition: its label, its superblock at four places, alternates, and what
/// names a foreign table.
const READS_PER_PARTITION_MAX: usize = 20;
/// Types that have labels in them: `freebsd` and `openbsd-data`.
const FREEBSD_GUID: [u8; 16] = *b"\xb4\x7c\x6e\x51\xcf\x6e\xd6\x11\x8f\xf8\x00\x02\x2d\x09\x71\x2b";
const OPENBSD_GUID: [u8; 16] = *b"\xa0\xc7\x4c\x82\xa8\x36\xe3\x11\x89\x0a\x95\x25\x19\xad\x3f\x61";

/// A disk that counts reads, and the bytes of all.
struct Counting<'a> {
    bytes: &'a [u8],
    reads: &'a Cell<usize>,
    read_bytes: &'a Cell<usize>,
}

impl ReadBlocks for Counting<'_> {
    type Error = PastEnd;

    fn size_bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read(&mut self, offset_bytes: u64, buffer: &mut [u8]) -> Result<(), PastEnd> {
        assert!(offset_bytes.is_multiple_of(512) && buffer.len().is_multiple_of(512));
        self.reads.set(self.reads.get() + 1);
        self.read_bytes.set(self.read_bytes.get() + buffer.len());
        fs::Image(self.bytes).read(offset_bytes, buffer)
    }
}

/// A sector: near the beginning, on the disk, at its end, or far beyond.
fn sector(random: &mut fastrand::Rng) -> u64 {
    let sectors = (DISK_BYTES / SECTOR) as u64;
    match random.u8(0..8) {
        0 => 0,
        1 | 2 => random.u64(1..16),
        3 => random.u64(0..sectors / 8) * 8,
        4 | 5 => *random.choice(&PLACES).unwrap() as u64,
        6 => sectors - random.u64(0..3),
        _ => u64::MAX >> random.u32(0..33),
    }
}

fn label(disk: &mut [u8], random: &mut fastrand::Rng) {
    let at = random.usize(0..DISK_BYTES / 4096 - 1) * 4096 + random.usize(0..3) * SECTOR;
    let entries: Vec<LabelEntry> = (0..random.usize(1..60))
        .map(|_| (sector(random), sector(random), *random.choice(&[7, 7, 7, 0]).unwrap()))
        .collect();
    let sector_bytes = *random.choice(&[512, 512, 4096]).unwrap();
    tables::label_of(disk, at, sector_bytes, random.u16(0..2), &entries);
}

fn boot_record(disk: &mut [u8], at: usize, random: &mut fastrand::Rng) {
    for n in 0..random.usize(1..5) {
        let kind = *random.choice(&KINDS).unwrap();
        let field = |sector: u64| (sector & 0xffff_ffff) as usize;
        let (start, size) = (field(sector(random)), field(sector(random)));
        tables::mbr_entry(disk, at, n, kind, start, size);
    }
}

fn gpt(disk: &mut [u8], random: &mut fastrand::Rng) {
    let entries: Vec<GptEntry> = (0..random.usize(1..129))
        .map(|_| GptEntry {
            kind: *random.choice(&[FREEBSD_GUID, OPENBSD_GUID, [1; 16]]).unwrap(),
            first: sector(random),
            last: sector(random),
            name: "name",
        })
        .collect();
    tables::gpt_whole(disk, *random.choice(&[512, 4096]).unwrap(), &entries);
}

/// A disk with tables of all kinds over each other, and superblocks here and there.
fn disk(volume: &[u8], random: &mut fastrand::Rng) -> Vec<u8> {
    let mut disk = vec![0; DISK_BYTES];
    for _ in 0..random.usize(0..4) {
        let at = *random.choice(&PLACES).unwrap() * SECTOR;
        match random.bool() {
            true => disk[at..][..volume.len()].copy_from_slice(volume),
            // A copy alone.
            false => disk[at..][..8192].copy_from_slice(&volume[16384..][..8192]),
        }
    }
    (0..random.usize(0..40)).for_each(|_| label(&mut disk, random));
    for _ in 0..random.usize(0..80) {
        let at = random.usize(0..DISK_BYTES / 4096) * 4096;
        boot_record(&mut disk, at, random);
    }
    if random.bool() {
        gpt(&mut disk, random);
    }
    if random.bool() {
        boot_record(&mut disk, 0, random);
    }
    disk
}

#[test]
fn tables_in_tables_are_read_in_bounds() {
    let format = Format { data_blocks_per_group: 4, ..Format::new(1, 4096, 512) };
    let volume = Image::new(format, &Node::directory([("f", Node::file("f"))])).bytes;
    let (reads, read_bytes) = (Cell::new(0), Cell::new(0));
    let (mut mounted, mut most, mut most_bytes, mut full) = (0, 0, 0, 0);
    for case in 0..CASES {
        let bytes = disk(&volume, &mut fastrand::Rng::with_seed(case));
        let counting = || Counting { bytes: &bytes, reads: &reads, read_bytes: &read_bytes };
        reads.set(0);
        read_bytes.set(0);
        let volume = Volume::mount(counting(), vec![0; SCRATCH_BYTES]);
        mounted += usize::from(volume.is_ok());
        if let Err(error) = volume {
            assert!(!error.to_string().contains('\n'), "case {case}: {error}");
        }
        most = most.max(reads.get());
        most_bytes = most_bytes.max(read_bytes.get());

        let tables = fs::partitions(counting(), vec![0; SCRATCH_BYTES]).unwrap();
        full += usize::from(tables.partitions.len() == PARTITIONS_MAX);
        for partition in &tables.partitions {
            assert!(partition.size_bytes > 0, "case {case}: {partition:?}");
            // No name stands for two.
            let found = tables.find(partition.name).unwrap();
            assert_eq!(found, *partition, "case {case}");
            let volume = Volume::mount_partition(counting(), vec![0; SCRATCH_BYTES], &found);
            if let Err(error) = volume {
                assert!(!error.to_string().contains('\n'), "case {case}: {error}");
            }
        }
    }
    println!("{mounted} mounted, {full} full; {most} reads and {most_bytes} bytes at most");
    assert!(most <= READS_PER_PARTITION_MAX * PARTITIONS_MAX, "{most} reads");
    assert!(most_bytes <= PARTITIONS_MAX * DISK_BYTES * 2, "{most_bytes} bytes");
    assert!(mounted > 20 && full > 20, "{mounted} mounted, {full} full");
}
