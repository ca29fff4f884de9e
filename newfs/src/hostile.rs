//! Small volumes with a bit of everything, and mutations of them, by a seed.

use crate::fields::{dinode1, dinode2};
use crate::format::{Format, UFS1_AT};
use crate::image::Image;
use crate::tables;
use crate::tree::{Contents, Node};

/// Size of the volumes in bytes; behind a partition table they begin at half of it.
pub const VOLUME_BYTES: usize = 64 << 10;
const SECTOR_BYTES: usize = 512;
/// Offset of the inodes in bytes, in the layout below.
const INODES_AT: usize = 56 * 512;

/// Returns a layout of one group of 64 KiB, about half of it data.
pub fn format(version: u8, big_endian: bool) -> Format {
    Format {
        big_endian,
        superblock_at: UFS1_AT,
        inodes_per_group: 32,
        data_blocks_per_group: if version == 1 { 8 } else { 7 },
        ..Format::new(version, 4096, 512)
    }
}

/// Returns a volume with directories, a hole, an indirect block, symlinks of both kinds and a
/// snapshot.
fn volume(format: Format) -> Vec<u8> {
    let pieces = vec![(4096, vec![3; 4096]), (13 * 4096, vec![4; 4096])];
    let root = Node::directory([
        ("d", Node::directory([("deep", Node::directory([("f", Node::file("deep"))]))])),
        ("file", Node::file(vec![5; 700])),
        ("link", Node::symlink("d/deep/f")),
        ("long", Node::symlink(&"./".repeat(200))),
        ("snapshot", Node::file(vec![6; 1024])),
        ("sparse", Node::File(Contents { size: 14 * 4096, pieces })),
    ]);
    let mut image = Image::new(format, &root);
    let flags = if format.version == 1 { dinode1::FLAGS } else { dinode2::FLAGS };
    if !format.old {
        image.put(image.inode_of("/snapshot"), flags, 0x0020_0000);
    }
    image.bytes
}

/// Paths of the files and symlinks in the volumes.
pub const PATHS: [&str; 5] = ["/file", "/link", "/long", "/sparse", "/snapshot"];

/// Returns volumes of 64 KiB: both versions and byte orders, 4.2BSD's inodes and directories.
///
/// # Panics
/// When one has become larger.
pub fn volumes() -> Vec<Vec<u8>> {
    let mut volumes = Vec::new();
    for (version, big_endian) in [(1, false), (1, true), (2, false), (2, true)] {
        let plain = format(version, big_endian);
        volumes.push(volume(plain));
        if version == 1 {
            volumes.push(volume(Format { old: true, ..plain }));
        }
    }
    assert!(volumes.iter().all(|bytes| bytes.len() == VOLUME_BYTES));
    volumes
}

/// Returns disks with a volume behind an MBR, and behind a GPT.
pub fn disks() -> Vec<Vec<u8>> {
    let start = VOLUME_BYTES / 2;
    let first = start / SECTOR_BYTES;
    let behind = |table: &dyn Fn(&mut [u8])| {
        let mut disk = vec![0; start];
        disk.extend(volume(format(2, false)));
        table(&mut disk);
        disk
    };
    let mbr = |disk: &mut [u8]| {
        let count = VOLUME_BYTES / SECTOR_BYTES;
        tables::mbr_entry(disk, 0, 0, tables::FREEBSD, first, count);
    };
    let gpt = |disk: &mut [u8]| {
        let entry = 2 * SECTOR_BYTES;
        let last = disk.len() / SECTOR_BYTES - 1;
        disk[entry..entry + 32].fill(1);
        disk[entry + 32..entry + 40].copy_from_slice(&(first as u64).to_le_bytes());
        disk[entry + 40..entry + 48].copy_from_slice(&(last as u64).to_le_bytes());
        tables::gpt_seal(disk, 8);
    };
    vec![behind(&mbr), behind(&gpt)]
}

/// Changes some bytes, most of them in a superblock, inodes or data.
pub fn mutate(bytes: &mut [u8], random: &mut fastrand::Rng) {
    let start = bytes.len().saturating_sub(VOLUME_BYTES);
    for _ in 0..random.usize(1..8) {
        let at = match random.u8(0..8) {
            0 => start + UFS1_AT as usize + random.usize(0..1376),
            1..=3 => start + INODES_AT + random.usize(0..8 * SECTOR_BYTES),
            4 if start > 0 => random.usize(0..start),
            _ => start + random.usize(INODES_AT..VOLUME_BYTES),
        };
        bytes[at] = match random.u8(0..3) {
            0 => random.u8(..),
            1 => bytes[at] ^ 1 << random.u8(0..8),
            _ => *random.choice(&[0, 1, 2, 0x7f, 0x80, 0xff]).expect("some"),
        };
    }
}
