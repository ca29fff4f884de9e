//! Partition tables around a volume: MBR with primary and logical partitions, GPT, and BSD
//! disklabels on the disk or in a slice.
//!
//! Facts from the UEFI specification (GPT and its protective MBR) and FreeBSD's
//! sys/sys/disk/bsd.h (`struct disklabel`).

const SECTOR: usize = 512;
/// FreeBSD's type of an MBR's partition.
pub const FREEBSD: u8 = 0xa5;
/// NetBSD's type of an MBR's partition.
pub const NETBSD: u8 = 0xa9;
/// OpenBSD's type of an MBR's partition.
pub const OPENBSD: u8 = 0xa6;
const EXTENDED: u8 = 0x05;
/// Type of the MBR entry that protects a GPT.
pub const PROTECTIVE: u8 = 0xee;

/// Sector where FreeBSD's fdisk puts the first slice; not a multiple of 4096 bytes.
pub const SLICE_SECTOR: usize = 63;
/// Sector of a label's `a` in its slice.
pub const LABEL_SECTORS: usize = 16;

fn put(disk: &mut [u8], at: usize, bytes: &[u8]) {
    disk[at..at + bytes.len()].copy_from_slice(bytes);
}

/// Writes entry `n` (from 0) of the boot record at `at`.
pub fn mbr_entry(disk: &mut [u8], at: usize, n: usize, kind: u8, start: usize, sectors: usize) {
    let entry = at + 446 + 16 * n;
    disk[entry + 4] = kind;
    put(disk, entry + 8, &(start as u32).to_le_bytes());
    put(disk, entry + 12, &(sectors as u32).to_le_bytes());
    put(disk, at + 510, &[0x55, 0xaa]);
}

/// Returns a disk with the volume from `sector` on, and nothing before it.
fn shifted(volume: &[u8], sector: usize) -> Vec<u8> {
    let mut disk = vec![0; sector * SECTOR];
    disk.extend(volume);
    disk.resize(disk.len().next_multiple_of(SECTOR), 0);
    disk
}

/// Returns a disk with the volume in the second primary partition; the first is a small one of
/// another system.
pub fn mbr(volume: &[u8]) -> Vec<u8> {
    let mut disk = shifted(volume, 2048);
    let sectors = disk.len() / SECTOR - 2048;
    mbr_entry(&mut disk, 0, 0, 0x83, 64, 100);
    mbr_entry(&mut disk, 0, 1, NETBSD, 2048, sectors);
    disk
}

/// Returns a disk with the volume in the second logical partition.
pub fn mbr_logical(volume: &[u8]) -> Vec<u8> {
    let mut disk = shifted(volume, 300);
    let sectors = disk.len() / SECTOR - 300;
    mbr_entry(&mut disk, 0, 2, EXTENDED, 100, sectors + 200);
    mbr_entry(&mut disk, 100 * SECTOR, 0, 0x83, 10, 20);
    mbr_entry(&mut disk, 100 * SECTOR, 1, EXTENDED, 100, sectors + 100);
    mbr_entry(&mut disk, 200 * SECTOR, 0, FREEBSD, 100, sectors);
    disk
}

/// Writes a label in the second sector of the slice at `start`: `a` has the volume, `c` everything.
/// Offsets count from `base`; all in sectors.
pub fn label(disk: &mut [u8], start: usize, base: usize, volume: usize, big_endian: bool) {
    let at = (start + 1) * SECTOR;
    let whole = disk.len() / SECTOR - start;
    let int = |value: usize, width: usize| match big_endian {
        true => value.to_be_bytes()[8 - width..].to_vec(),
        false => value.to_le_bytes()[..width].to_vec(),
    };
    let sectors = whole - (volume - start);
    for (offset, value, width) in [
        (0, 0x8256_4557, 4),
        (40, SECTOR, 4),
        (44, 63, 4),
        (132, 0x8256_4557, 4),
        (138, 8, 2),
        (148, sectors, 4),
        (152, volume - base, 4),
        (180, whole, 4),
        (184, start - base, 4),
    ] {
        put(disk, at + offset, &int(value, width));
    }
    // a: FFS.
    disk[at + 148 + 12] = 7;
    let end = at + 148 + 8 * 16;
    let sum = disk[at..end].chunks(2).fold([0, 0], |sum, two| [sum[0] ^ two[0], sum[1] ^ two[1]]);
    put(disk, at + 136, &sum);
}

/// Returns a disk with a label of its own, as NetBSD and OpenBSD have it.
pub fn disklabel(volume: &[u8], big_endian: bool) -> Vec<u8> {
    let mut disk = shifted(volume, LABEL_SECTORS);
    label(&mut disk, 0, 0, LABEL_SECTORS, big_endian);
    disk
}

/// Returns a disk with a label in an MBR's slice. Its offsets count from the slice in FreeBSD, from
/// the disk in NetBSD.
pub fn slice(volume: &[u8], kind: u8) -> Vec<u8> {
    let start = SLICE_SECTOR;
    let mut disk = shifted(volume, start + LABEL_SECTORS);
    let sectors = disk.len() / SECTOR - start;
    mbr_entry(&mut disk, 0, 0, kind, start, sectors);
    let base = if kind == FREEBSD { start } else { 0 };
    label(&mut disk, start, base, start + LABEL_SECTORS, false);
    disk
}

/// Returns a disk with the volume in the second entry of a GPT.
pub fn gpt(volume: &[u8]) -> Vec<u8> {
    let first = 64;
    let mut disk = shifted(volume, first);
    let last = disk.len() / SECTOR - 1;
    mbr_entry(&mut disk, 0, 0, PROTECTIVE, 1, last);
    for (n, (from, to)) in [(34, 40), (first, last)].into_iter().enumerate() {
        let entry = 2 * SECTOR + 128 * n;
        put(&mut disk, entry, &[n as u8 + 1; 32]);
        put(&mut disk, entry + 32, &(from as u64).to_le_bytes());
        put(&mut disk, entry + 40, &(to as u64).to_le_bytes());
    }
    gpt_seal(&mut disk, 128);
    disk
}

/// Writes the header for a table of `entries` entries, with the checksums of both.
pub fn gpt_seal(disk: &mut [u8], entries: u32) {
    let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);
    let table = crc.checksum(&disk[2 * SECTOR..][..128 * entries as usize]);
    let last = (disk.len() / SECTOR - 1) as u64;
    let header = SECTOR;
    put(disk, header, b"EFI PART\0\0\x01\0");
    put(disk, header + 12, &92_u32.to_le_bytes());
    put(disk, header + 16, &[0; 4]);
    for (at, value) in [(24, 1), (32, last), (40, 34), (48, last), (72, 2)] {
        put(disk, header + at, &u64::to_le_bytes(value));
    }
    for (at, value) in [(80, entries), (84, 128), (88, table)] {
        put(disk, header + at, &u32::to_le_bytes(value));
    }
    let sum = crc.checksum(&disk[header..header + 92]);
    put(disk, header + 16, &sum.to_le_bytes());
}

/// FreeBSD's type of a GPT entry that has a label in it.
pub const GPT_FREEBSD: Guid = *b"\xb4\x7c\x6e\x51\xcf\x6e\xd6\x11\x8f\xf8\x00\x02\x2d\x09\x71\x2b";
/// FreeBSD's type of a GPT entry with an FFS.
pub const GPT_FREEBSD_UFS: Guid =
    *b"\xb6\x7c\x6e\x51\xcf\x6e\xd6\x11\x8f\xf8\x00\x02\x2d\x09\x71\x2b";
/// OpenBSD's type of a GPT entry: its label is in it.
pub const GPT_OPENBSD: Guid = *b"\xa0\xc7\x4c\x82\xa8\x36\xe3\x11\x89\x0a\x95\x25\x19\xad\x3f\x61";
/// Type of the EFI system partition.
pub const GPT_EFI: Guid = *b"\x28\x73\x2a\xc1\x1f\xf8\xd2\x11\xba\x4b\x00\xa0\xc9\x3e\xc9\x3b";
/// GUID as it is on the disk.
pub type Guid = [u8; 16];

/// Entry of a GPT.
#[derive(Clone, Copy, Debug)]
pub struct GptEntry {
    /// Type.
    pub kind: Guid,
    /// First sector.
    pub first: u64,
    /// Last sector.
    pub last: u64,
    /// Name of at most 36 units of UTF-16.
    pub name: &'static str,
}

/// Writes a GPT of 128 entries in sectors of `sector_bytes`, with its copy at the disk's end and
/// the MBR's entry. The copy takes the last 33 sectors of 512, or 5 of 4096 bytes.
pub fn gpt_whole(disk: &mut [u8], sector_bytes: usize, entries: &[GptEntry]) {
    const TABLE_BYTES: usize = 128 * 128;
    let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);
    let mut table = vec![0; TABLE_BYTES];
    for (n, entry) in entries.iter().enumerate() {
        let at = 128 * n;
        put(&mut table, at, &entry.kind);
        put(&mut table, at + 16, &[n as u8 + 1; 16]);
        put(&mut table, at + 32, &entry.first.to_le_bytes());
        put(&mut table, at + 40, &entry.last.to_le_bytes());
        for (n, unit) in entry.name.encode_utf16().enumerate() {
            put(&mut table, at + 56 + 2 * n, &unit.to_le_bytes());
        }
    }
    let last = disk.len() / sector_bytes - 1;
    let table_sectors = TABLE_BYTES / sector_bytes;
    mbr_entry(disk, 0, 0, PROTECTIVE, 1, last);
    for (own, other, array) in [(1, last, 2), (last, 1, last - table_sectors)] {
        let mut header = [0; 92];
        put(&mut header, 0, b"EFI PART\0\0\x01\0\x5c");
        let usable = (2 + table_sectors, last - table_sectors - 1);
        for (at, value) in [(24, own), (32, other), (40, usable.0), (48, usable.1), (72, array)] {
            put(&mut header, at, &(value as u64).to_le_bytes());
        }
        for (at, value) in [(80, 128), (84, 128), (88, crc.checksum(&table))] {
            put(&mut header, at, &u32::to_le_bytes(value));
        }
        let sum = crc.checksum(&header);
        put(&mut header, 16, &sum.to_le_bytes());
        put(disk, own * sector_bytes, &header);
        put(disk, array * sector_bytes, &table);
    }
}

/// Partition of a disklabel: start and size in sectors, and `p_fstype`.
pub type LabelEntry = (u64, u64, u8);

/// Writes a little-endian label at byte `at`, in sectors of `sector_bytes`. The entries of
/// version 1, OpenBSD's, have high halves; those of others have a fragment size of 2048 there.
pub fn label_of(
    disk: &mut [u8],
    at: usize,
    sector_bytes: usize,
    version: u16,
    entries: &[LabelEntry],
) {
    let magic = 0x8256_4557_u32.to_le_bytes();
    put(disk, at, &magic);
    put(disk, at + 40, &(sector_bytes as u32).to_le_bytes());
    put(disk, at + 114, &version.to_le_bytes());
    put(disk, at + 132, &magic);
    put(disk, at + 138, &(entries.len() as u16).to_le_bytes());
    for (n, (start, size, fstype)) in entries.iter().enumerate() {
        let entry = at + 148 + 16 * n;
        put(disk, entry, &(*size as u32).to_le_bytes());
        put(disk, entry + 4, &(*start as u32).to_le_bytes());
        let high = (start >> 32) as u32 | ((size >> 32) as u32) << 16;
        put(disk, entry + 8, &if version == 1 { high } else { 2048 }.to_le_bytes());
        put(disk, entry + 12, &[*fstype, 8, 0, 0]);
    }
    put(disk, at + 136, &[0; 2]);
    let end = at + 148 + 16 * entries.len();
    let sum = disk[at..end].chunks(2).fold([0, 0], |sum, two| [sum[0] ^ two[0], sum[1] ^ two[1]]);
    put(disk, at + 136, &sum);
}
