//! Volumes behind partition tables, and tables that lie.

use super::maker::Maker;
use crate::{
    Doubt, Endian, Error, Image, PastEnd, Place, SCRATCH_BYTES, Version, Volume, partitions,
};
use crc::{CRC_32_ISO_HDLC, Crc};

/// In sectors: where the volume is, and the disk.
const START: usize = 80;
const DISK: usize = START + 1024;

/// Returns a disk with the volume at `START`, and nothing else.
fn disk() -> Vec<u8> {
    let mut disk = vec![0; START * 512];
    disk.extend(Maker::new(Version::Ffs2, Endian::Big).bytes);
    disk
}

fn put(disk: &mut [u8], at: usize, bytes: &[u8]) {
    disk[at..at + bytes.len()].copy_from_slice(bytes);
}

/// Writes a boot record into a sector: kind, start and size of each entry.
fn boot_record(disk: &mut [u8], sector: usize, entries: &[(u8, u32, u32)]) {
    for (index, (kind, start, size)) in entries.iter().enumerate() {
        let at = sector * 512 + 446 + 16 * index;
        disk[at + 4] = *kind;
        put(disk, at + 8, &start.to_le_bytes());
        put(disk, at + 12, &size.to_le_bytes());
    }
    put(disk, sector * 512 + 510, &[0x55, 0xaa]);
}

/// Writes a disklabel: start, size and type of each partition.
fn disklabel(disk: &mut [u8], at: usize, endian: Endian, entries: &[(u32, u32, u8)]) {
    let word = |value: u32| match endian {
        Endian::Little => value.to_le_bytes(),
        Endian::Big => value.to_be_bytes(),
    };
    for (offset, value) in [(0, 0x8256_4557), (40, 512), (132, 0x8256_4557)] {
        put(disk, at + offset, &word(value));
    }
    let half = |value: u16| match endian {
        Endian::Little => value.to_le_bytes(),
        Endian::Big => value.to_be_bytes(),
    };
    put(disk, at + 138, &half(entries.len() as u16));
    for (index, (start, size, kind)) in entries.iter().enumerate() {
        put(disk, at + 148 + 16 * index, &word(*size));
        put(disk, at + 152 + 16 * index, &word(*start));
        disk[at + 160 + 16 * index] = *kind;
    }
    put(disk, at + 136, &[0, 0]);
    let label = &disk[at..at + 148 + 16 * entries.len()];
    let sum = label.chunks(2).fold([0, 0], |sum, pair| [sum[0] ^ pair[0], sum[1] ^ pair[1]]);
    put(disk, at + 136, &sum);
}

/// Writes a GPT: first and last sector of each entry.
fn gpt(disk: &mut [u8], entries: &[(u64, u64)]) {
    let crc = Crc::<u32>::new(&CRC_32_ISO_HDLC);
    for (index, (first, last)) in entries.iter().enumerate() {
        let at = 1024 + 128 * index;
        disk[at] = 1;
        put(disk, at + 32, &first.to_le_bytes());
        put(disk, at + 40, &last.to_le_bytes());
    }
    let entries = crc.checksum(&disk[1024..1024 + 4 * 128]);
    let at = 512;
    put(disk, at, b"EFI PART");
    for (offset, value) in [(12, 92), (16, 0), (72, 2), (80, 4), (84, 128), (88, entries)] {
        put(disk, at + offset, &value.to_le_bytes());
    }
    let header = crc.checksum(&disk[at..at + 92]);
    put(disk, at + 16, &header.to_le_bytes());
}

/// Returns the start of the volume that was found, in sectors.
fn found(disk: &[u8]) -> Result<usize, Error<PastEnd>> {
    let volume = Volume::mount(Image(disk), vec![0; SCRATCH_BYTES])?;
    Ok(volume.info().partition_start_bytes as usize / 512)
}

fn place_of(disk: &[u8]) -> Option<(Place, &'static str)> {
    match found(disk) {
        Err(Error::Corrupt(corrupt)) => Some((corrupt.place, corrupt.field)),
        _ => None,
    }
}

#[test]
fn a_disk_without_a_table_is_not_ffs() {
    assert_eq!(found(&disk()), Err(Error::NotFfs));
    assert_eq!(found(&[]), Err(Error::NotFfs));
    assert_eq!(found(&[0xff; 512]), Err(Error::NotFfs));
}

#[test]
fn a_volume_is_found_behind_an_mbr() {
    let mut disk = disk();
    boot_record(&mut disk, 0, &[(0x83, 2, 8), (0, 0, 0), (0xa9, START as u32, 1024)]);
    assert_eq!(found(&disk), Ok(START));
    let list = partitions(Image(&disk), vec![0; SCRATCH_BYTES]).unwrap().partitions;
    let list: Vec<_> = list.iter().map(|one| one.name.to_string()).collect();
    assert_eq!(list, ["s1", "s3"]);
}

#[test]
fn logical_partitions_are_followed_forwards_only() {
    let mut disk = disk();
    boot_record(&mut disk, 0, &[(0x05, 10, 2000)]);
    boot_record(&mut disk, 10, &[(0x83, 2, 3), (0x05, 10, 100)]);
    boot_record(&mut disk, 20, &[(0x83, START as u32 - 20, 1024)]);
    assert_eq!(found(&disk), Ok(START));
    for back in [0, 10] {
        boot_record(&mut disk, 20, &[(0x83, 2, 3), (0x05, back, 100)]);
        assert_eq!(place_of(&disk), Some((Place::Mbr(6), "next logical partition")));
    }
    boot_record(&mut disk, 20, &[(0x83, 2, 3), (0x05, u32::MAX, 100)]);
    assert_eq!(place_of(&disk), Some((Place::Mbr(7), "start")));
}

#[test]
fn a_partition_beyond_the_disk_is_told_of() {
    let mut disk = disk();
    boot_record(&mut disk, 0, &[(0xa5, u32::MAX, u32::MAX)]);
    assert_eq!(place_of(&disk), Some((Place::Mbr(1), "end in bytes")));
    boot_record(&mut disk, 0, &[(0xa5, u32::MAX, u32::MAX), (0x83, START as u32, 1024)]);
    assert_eq!(found(&disk), Ok(START));
}

#[test]
fn a_partition_is_read_as_far_as_it_is_on_the_disk() {
    let mut disk = disk();
    let disk_bytes = disk.len() as u64;
    for sectors in [1024, 1025, u32::MAX] {
        boot_record(&mut disk, 0, &[(0x83, START as u32, sectors)]);
        let volume = Volume::mount(Image(&disk), vec![0; SCRATCH_BYTES]).unwrap();
        let end_bytes = (START as u64 + u64::from(sectors)) * 512;
        let warned = (end_bytes > disk_bytes).then_some(Doubt::PastEnd { end_bytes, disk_bytes });
        assert_eq!(volume.info().doubts.iter().copied().next(), warned);
        assert_eq!(volume.info().partition_size_bytes, 1024 * 512);
    }
    // Only its beginning counts.
    boot_record(&mut disk, 0, &[(0x83, DISK as u32, 1)]);
    assert_eq!(place_of(&disk), Some((Place::Mbr(1), "end in bytes")));
}

#[test]
fn disklabels_count_from_the_disk_or_from_the_slice() {
    const SLICE: u32 = 16;
    let start = START as u32;
    let whole = DISK as u32 - SLICE;
    for (kind, fs, raw) in
        [(0xa9, start, SLICE), (0xa6, start, 0), (0xa5, start - SLICE, 0), (0xa5, start, SLICE)]
    {
        let mut disk = disk();
        boot_record(&mut disk, 0, &[(kind, SLICE, whole)]);
        let entries = [(fs, 1024, 7), (fs, 16, 1), (raw, whole, 0)];
        disklabel(&mut disk, (SLICE as usize + 1) * 512, Endian::Little, &entries);
        assert_eq!(found(&disk), Ok(START), "{kind:#x} {raw}");
    }
    let mut disk = disk();
    disklabel(&mut disk, 64, Endian::Big, &[(start, 1024, 7)]);
    assert_eq!(found(&disk), Ok(START));
    disk[64 + 20] ^= 1;
    assert_eq!(place_of(&disk), Some((Place::Disklabel(0), "d_checksum")));
    disk[64 + 138] = 0xff;
    assert_eq!(place_of(&disk), Some((Place::Disklabel(0), "d_npartitions")));
}

#[test]
fn a_gpt_is_read_whole_or_not_at_all() {
    let mut disk = disk();
    boot_record(&mut disk, 0, &[(0xee, 1, u32::MAX)]);
    let start = START as u64;
    gpt(&mut disk, &[(34, 40), (start, start + 1023)]);
    assert_eq!(found(&disk), Ok(START));
    disk[1024 + 200] ^= 1;
    assert_eq!(place_of(&disk), Some((Place::Gpt(0), "PartitionEntryArrayCRC32")));
    disk[512 + 30] ^= 1;
    assert_eq!(place_of(&disk), Some((Place::Gpt(0), "HeaderCRC32")));
    // A bad entry is skipped, and reported if there is no other.
    for (bad, field) in [((34, 33), "EndingLBA"), ((u64::MAX - 2, u64::MAX - 1), "start")] {
        gpt(&mut disk, &[bad, (start, start + 1023)]);
        assert_eq!(found(&disk), Ok(START));
        gpt(&mut disk, &[bad, (34, 40)]);
        assert_eq!(place_of(&disk), Some((Place::Gpt(1), field)));
    }
    for (offset, field) in [(80, "NumberOfPartitionEntries"), (84, "SizeOfPartitionEntry")] {
        gpt(&mut disk, &[(start, start + 1023)]);
        put(&mut disk, 512 + offset, &[0xff; 4]);
        put(&mut disk, 512 + 16, &[0; 4]);
        let crc = Crc::<u32>::new(&CRC_32_ISO_HDLC).checksum(&disk[512..512 + 92]);
        put(&mut disk, 512 + 16, &crc.to_le_bytes());
        assert_eq!(place_of(&disk), Some((Place::Gpt(0), field)));
        put(&mut disk, 512 + offset, &if offset == 80 { 4u32 } else { 128 }.to_le_bytes());
    }
}
