//! F6, F7 and F20 to F22: what lies around files: inode numbers, groups, the disk itself, and
//! partition tables.

use std::cell::Cell;

use fs::{Doubt, Error, PARTITIONS_MAX, SCRATCH_BYTES, Volume, partitions};

use super::{Broken, Disk, Fault, Seen, both, failure, formats, good, mount, read, refusal};
use super::{volumes, walk, with};
use newfs::Image as Made;
use newfs::fields::{Field, cg, sb};
use newfs::tables;

pub fn inode_numbers() {
    for made in volumes() {
        with(&made.bytes, |volume| {
            let count = volume.info().inode_count;
            for number in [0, 1, count, count + 1, u32::MAX] {
                let text = volume.inode(number).unwrap_err().to_string();
                assert!(text.contains(&format!("inode {number}: ino {number}")), "{text}");
            }
            assert_eq!(volume.inode(2).unwrap(), volume.root().unwrap());
            // In range, but free.
            let text = volume.inode(count - 1).unwrap_err().to_string();
            assert!(text.contains("di_mode 0"), "{text}");
        });
        // More inodes than 32 bits can number.
        let mut wide = made.clone();
        wide.put_superblock(sb::IPG, 1 << 31);
        wide.put_superblock(sb::NCG, 4);
        wide.put_superblock(sb::OLD_NCYL, 4);
        wide.seal();
        assert!(refusal(&wide.bytes).contains("fs_ipg"), "{}", refusal(&wide.bytes));
    }
    // UFS2: inodes that were never initialized hold whatever the disk held before.
    for format in [formats()[3], formats()[4], formats()[5]] {
        let mut made = good(format);
        let number = made.inodes[&b"/small"[..]];
        made.put(made.group_at(0), cg::INITEDIBLK, number.into());
        made.seal();
        let text = failure(&made.bytes, |volume| volume.inode(number));
        assert!(text.contains("an initialized inode"), "{text}");
        with(&made.bytes, |volume| assert!(volume.inode(number - 1).is_ok()));
    }
}

pub fn cylinder_groups() {
    for format in [formats()[3], formats()[4], formats()[5]] {
        let made = good(format);
        let right = |field: Field| made.get(made.group_at(0), field);
        for (field, values) in [
            (cg::MAGIC, &[0, 0x09_0254, u64::MAX][..]),
            (cg::CGX, &[1, u64::MAX]),
            (cg::NDBLK, &[right(cg::NDBLK) + 1, u64::MAX]),
            (cg::NIBLK, &[0, right(cg::NIBLK) + 1, u64::MAX]),
            (cg::INITEDIBLK, &[right(cg::INITEDIBLK) + 1, u64::MAX]),
            (cg::IUSEDOFF, &[0, 167, u64::MAX]),
            (cg::FREEOFF, &[0, u64::MAX]),
            (cg::NEXTFREEOFF, &[0, made.superblock(sb::CGSIZE) + 1, u64::MAX]),
        ] {
            for &value in values {
                let mut made = made.clone();
                made.put(made.group_at(0), field, value);
                made.seal();
                let text = refusal(&made.bytes);
                assert!(text.starts_with("cylinder group 0: cg_"), "{}: {text}", field.name);
            }
        }
    }
    // UFS1 needs no groups to be read.
    let mut made = good(formats()[0]);
    let at = made.group_at(0) as usize;
    made.bytes[at..at + 512].fill(0xff);
    with(&made.bytes, |volume| assert!(walk(volume).1.is_empty()));
}

/// A walk over a disk with a fault: what was seen, the errors, and how many reads it took.
fn walk_with(made: &Made, fault: Fault) -> (Seen, Vec<Error<Broken>>, usize) {
    let reads = Cell::new(0);
    let disk = Disk { bytes: &made.bytes, fault, reads: &reads };
    let (seen, errors) = match Volume::mount(disk, vec![0; SCRATCH_BYTES]) {
        Ok(mut volume) => walk(&mut volume),
        Err(error) => (Seen::new(), vec![error]),
    };
    (seen, errors, reads.get())
}

pub fn changing_data() {
    for made in volumes() {
        let (whole, errors, reads) = walk_with(&made, Fault::None);
        assert!(errors.is_empty() && reads > 10);
        // From any read on, the disk tells something else.
        for from in 0..reads {
            let (seen, errors, again) = walk_with(&made, Fault::Garbage(from));
            assert!(again <= 4 * reads, "{again} reads, not {reads}");
            assert!(seen.keys().all(|number| whole.contains_key(number)), "inodes are made up");
            assert!(!errors.is_empty() || seen.len() == whole.len());
        }
        // What was read once is used as it was: a new superblock and inode change nothing.
        let reads = Cell::new(0);
        let mut volume = mount(&made.bytes, &reads).unwrap();
        let (info, inode) = (volume.info().clone(), volume.lookup(b"/small").unwrap());
        assert_eq!(read(&mut volume, "/file").unwrap().len() as u64 % 4096, 700);
        assert_eq!((volume.info(), inode.size_bytes), (&info, 700));
    }
}

pub fn read_errors() {
    for made in volumes() {
        let (whole, _, reads) = walk_with(&made, Fault::None);
        for at in 0..reads {
            let (seen, errors, _) = walk_with(&made, Fault::Error(at));
            // The one error is told of, as what it is; all that doesn't need that block goes on.
            let [Error::Read { error: Broken, .. }] = errors[..] else { panic!("{errors:?}") };
            assert!(seen.iter().all(|(number, sum)| whole[number] == *sum));
        }
        // A block that failed isn't taken for read: once the disk is well, all is.
        for at in (10..reads).step_by(5) {
            let count = Cell::new(0);
            let fault = Fault::Error(at);
            let disk = Disk { bytes: &made.bytes, fault, reads: &count };
            let mut volume = Volume::mount(disk, vec![0; SCRATCH_BYTES]).unwrap();
            let (_, errors) = walk(&mut volume);
            assert!(errors.len() <= 1);
            assert_eq!(walk(&mut volume), (whole.clone(), vec![]), "after a failure of read {at}");
        }
    }
}

/// Looks for partitions and for a volume in a bounded number of reads.
fn search(disk: &[u8]) -> Result<usize, String> {
    let reads = Cell::new(0);
    let found =
        partitions(Disk { bytes: disk, fault: Fault::None, reads: &reads }, vec![0; SCRATCH_BYTES]);
    let mounted = mount(disk, &reads).map(|mut volume| walk(&mut volume).1.len());
    assert!(reads.get() <= 2000, "{} reads", reads.get());
    match (found, mounted) {
        (Ok(found), Ok(0)) => Ok(found.partitions.len()),
        (_, Ok(errors)) => panic!("{errors} errors in a volume that was found"),
        (_, Err(error)) => Err(super::one_line(&error)),
    }
}

pub fn partition_tables() {
    for made in both() {
        behind_tables(&made.bytes);
    }
    // Nothing but a table, and nothing but its end.
    let mut empty = vec![0; 4096];
    tables::mbr_entry(&mut empty, 0, 0, tables::FREEBSD, 1, 7);
    assert!(search(&empty).unwrap_err().contains("not FFS"));
    assert!(search(&empty[..512]).is_err());
}

fn behind_tables(volume: &[u8]) {
    let sectors = volume.len().div_ceil(512);
    for disk in [tables::mbr(volume), tables::gpt(volume), tables::mbr_logical(volume)] {
        assert!(search(&disk).is_ok());
    }
    // Beyond the disk's end, by one sector and by all there are.
    for size in [sectors + 1, u32::MAX as usize] {
        let mut disk = tables::mbr(volume);
        tables::mbr_entry(&mut disk, 0, 1, tables::NETBSD, 2048, size);
        check_past_end(&disk);
    }
    // Two that overlap: each is looked at by itself.
    let mut disk = tables::mbr(volume);
    tables::mbr_entry(&mut disk, 0, 0, 0x83, 1, 2048 + sectors - 1);
    assert_eq!(search(&disk), Ok(2));
    // Logical partitions in circles, and more of them than anyone has.
    for next in [0, 50, 100] {
        let mut disk = tables::mbr_logical(volume);
        tables::mbr_entry(&mut disk, 200 * 512, 1, 0x05, next, 100);
        let found = partitions(fs::Image(&disk), vec![0; SCRATCH_BYTES]).unwrap();
        let text = found.skipped.expect("a circle").to_string();
        assert!(text.contains("next logical partition"), "{text}");
        // It hides none of those before it.
        assert!(search(&disk).is_ok());
    }
    let mut disk = vec![0; 512 * 1000];
    tables::mbr_entry(&mut disk, 0, 0, 0x05, 1, 900);
    for n in 1..900 {
        tables::mbr_entry(&mut disk, n * 512, 0, 0x83, 1, 1);
        tables::mbr_entry(&mut disk, n * 512, 1, 0x05, n, 1);
    }
    let found = partitions(fs::Image(&disk), vec![0; SCRATCH_BYTES]).unwrap();
    assert!(found.partitions.len() <= PARTITIONS_MAX);
    assert!(search(&disk).unwrap_err().contains("not FFS"));
    behind_gpt(volume);
    behind_disklabel(volume);
}

fn behind_gpt(volume: &[u8]) {
    let disk = tables::gpt(volume);
    for (at, value, field) in [
        (512 + 8, 1_u32, "HeaderCRC32"),
        (512 + 12, 91, "HeaderSize"),
        (512 + 12, u32::MAX, "HeaderSize"),
        (1024 + 128 + 40, 1, "PartitionEntryArrayCRC32"),
    ] {
        let mut disk = disk.clone();
        disk[at..at + 4].copy_from_slice(&value.to_le_bytes());
        let text = search(&disk).unwrap_err();
        let crc_or_order = text.contains(field) || text.contains("EndingLBA");
        assert!(text.contains("GPT") && crc_or_order, "{field}: {text}");
    }
    // With sums that fit: ends before it begins, ends where no number reaches, and ends beyond the
    // disk, as far as which it is read.
    for (first, last, word) in [(64, 63, "EndingLBA"), (64, u64::MAX - 1, ""), (64, 1 << 50, "")] {
        let mut disk = disk.clone();
        disk[1024 + 128 + 32..][..8].copy_from_slice(&u64::to_le_bytes(first));
        disk[1024 + 128 + 40..][..8].copy_from_slice(&u64::to_le_bytes(last));
        tables::gpt_seal(&mut disk, 128);
        if last == 1 << 50 {
            check_past_end(&disk);
            continue;
        }
        let text = search(&disk).unwrap_err();
        assert!(text.contains("GPT, entry 2") && text.contains(word), "{text}");
    }
    // A table of 512 GiB.
    let mut disk = disk.clone();
    disk[512 + 80..][..4].copy_from_slice(&u32::MAX.to_le_bytes());
    let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);
    disk[512 + 16..][..4].fill(0);
    let sum = crc.checksum(&disk[512..512 + 92]);
    disk[512 + 16..][..4].copy_from_slice(&sum.to_le_bytes());
    assert!(search(&disk).unwrap_err().contains("NumberOfPartitionEntries 4294967295"));
}

/// Checks that a volume is read, and that its partition is said to end beyond the disk.
fn check_past_end(disk: &[u8]) {
    let reads = Cell::new(0);
    let volume = mount(disk, &reads).unwrap();
    let is_past_end = |doubt: &Doubt| matches!(doubt, Doubt::PastEnd { .. });
    assert!(volume.info().doubts.iter().any(is_past_end), "{:?}", volume.info());
}

fn behind_disklabel(volume: &[u8]) {
    let disk = tables::slice(volume, tables::FREEBSD);
    assert!(search(&disk).is_ok());
    let label = (tables::SLICE_SECTOR + 1) * 512;
    // The sum covers what is changed, so a second change keeps it right.
    for (at, value, word) in [
        (40, 0_u16, "d_secsize 0"),
        (40, 0xffff, "d_secsize 65535"),
        (138, 0xffff, "d_npartitions 65535"),
        (148 + 4, 0xffff, "on the disk"),
        // It is read as far as the disk goes.
        (148, 0xffff, ""),
    ] {
        let mut disk = disk.clone();
        let old = u16::from_le_bytes([disk[label + at], disk[label + at + 1]]);
        disk[label + at..][..2].copy_from_slice(&value.to_le_bytes());
        for (n, byte) in (old ^ value).to_le_bytes().into_iter().enumerate() {
            disk[label + 136 + n] ^= byte;
        }
        if word.is_empty() {
            check_past_end(&disk);
            continue;
        }
        let text = search(&disk).unwrap_err();
        assert!(text.contains("disklabel") && text.contains(word), "{text}");
    }
    let mut disk = disk.clone();
    disk[label + 60] ^= 1;
    assert!(search(&disk).unwrap_err().contains("d_checksum"));
}
