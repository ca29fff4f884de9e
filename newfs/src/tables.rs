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
