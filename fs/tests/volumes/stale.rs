//! A volume of the whole disk that was made before the disk's partition table: its superblock is
//! still there, because tables and newer volumes need not touch it. What the table leads to is
//! read, and a line tells when there was a choice.

use fs::{Doubt, Error, Place, SCRATCH_BYTES, Volume};
use newfs::tables::{self, FREEBSD, LABEL_SECTORS, NETBSD, OPENBSD, PROTECTIVE};
use newfs::{Format, Image, Node};

const SECTOR: usize = 512;
/// Start of the newer volume, in sectors: behind all of the older one's own structures.
const START: usize = 8192;
const SLICE: usize = START - LABEL_SECTORS;

fn volume(name: &str, version: u8) -> Vec<u8> {
    let tree = Node::directory([(name, Node::file(name))]);
    Image::new(Format::new(version, 8192, 1024), &tree).bytes
}

/// The old volume at the disk's beginning, and the new one further back.
fn disk(version: u8) -> Vec<u8> {
    let mut disk = volume("old", version);
    assert!(disk.len() < SLICE * SECTOR);
    disk.resize(START * SECTOR, 0);
    disk.extend(volume("new", version));
    disk
}

fn sectors(disk: &[u8]) -> usize {
    disk.len() / SECTOR - START
}

/// A table of one entry for what begins at `START`, sealed.
fn gpt(disk: &mut [u8]) {
    let entry = 2 * SECTOR;
    let last = disk.len() / SECTOR - 1;
    disk[entry..entry + 32].fill(1);
    disk[entry + 32..entry + 40].copy_from_slice(&(START as u64).to_le_bytes());
    disk[entry + 40..entry + 48].copy_from_slice(&(last as u64).to_le_bytes());
    tables::gpt_seal(disk, 8);
}

fn protect(disk: &mut [u8]) {
    let sectors = disk.len() / SECTOR - 1;
    tables::mbr_entry(disk, 0, 0, PROTECTIVE, 1, sectors);
}

/// Which of the two was mounted, and whether there was a choice.
fn mounted(disk: &[u8]) -> (&'static str, Option<Doubt>) {
    let scratch = vec![0; SCRATCH_BYTES];
    let mut volume = Volume::mount(fs::Image(disk), scratch).unwrap_or_else(|e| panic!("{e}"));
    let doubts = &volume.info().doubts;
    assert!(doubts.len() <= 1, "{doubts:?}");
    let doubt = doubts.first().copied();
    match (volume.lookup(b"/old").is_ok(), volume.lookup(b"/new").is_ok()) {
        (true, false) => ("old", doubt),
        (false, true) => ("new", doubt),
        both => panic!("{both:?}"),
    }
}

fn passed_over() -> Option<Doubt> {
    Some(Doubt::PassedOver { start_bytes: 0, taken_bytes: (START * SECTOR) as u64 })
}

#[test]
fn a_gpt_beats_a_stale_superblock() {
    for version in [1, 2] {
        let mut disk = disk(version);
        assert_eq!(mounted(&disk), ("old", None), "without a table there is no choice");
        gpt(&mut disk);
        // Without the MBR's entry it may be as old as anything.
        let inner = Doubt::InnerVolume { start_bytes: (START * SECTOR) as u64 };
        let (found, doubt) = mounted(&disk);
        assert!(found == "old" && [None, Some(inner)].contains(&doubt), "{doubt:?}");
        protect(&mut disk);
        assert_eq!(mounted(&disk), ("new", passed_over()));
    }
}

#[test]
fn a_hybrid_mbr_leads_to_its_gpt() {
    let mut disk = disk(2);
    gpt(&mut disk);
    protect(&mut disk);
    tables::mbr_entry(&mut disk, 0, 1, FREEBSD, 0, 100);
    assert_eq!(mounted(&disk), ("new", passed_over()));
}

#[test]
fn slices_beat_a_stale_superblock() {
    for version in [1, 2] {
        for kind in [FREEBSD, OPENBSD, NETBSD, 0x83] {
            let mut disk = disk(version);
            let count = sectors(&disk);
            tables::mbr_entry(&mut disk, 0, 0, kind, START, count);
            assert_eq!(mounted(&disk), ("new", passed_over()), "{kind:#x}");
        }
    }
}

#[test]
fn labels_in_slices_beat_a_stale_superblock() {
    for (kind, base) in [(FREEBSD, SLICE), (OPENBSD, 0), (NETBSD, 0)] {
        let mut disk = disk(2);
        let count = sectors(&disk) + LABEL_SECTORS;
        tables::mbr_entry(&mut disk, 0, 0, kind, SLICE, count);
        tables::label(&mut disk, SLICE, base, START, false);
        assert_eq!(mounted(&disk), ("new", passed_over()), "{kind:#x}");
    }
}

/// The same, one level down: the slice itself once had a volume, now its label leads elsewhere.
#[test]
fn a_label_beats_a_stale_superblock_of_its_slice() {
    const OUTER: usize = 64;
    for kind in [FREEBSD, NETBSD] {
        let mut disk = vec![0; OUTER * SECTOR];
        disk.extend(self::disk(2));
        let count = disk.len() / SECTOR - OUTER;
        tables::mbr_entry(&mut disk, 0, 0, kind, OUTER, count);
        let base = if kind == FREEBSD { OUTER } else { 0 };
        tables::label(&mut disk, OUTER, base, OUTER + START, false);
        let doubt = Doubt::PassedOver {
            start_bytes: (OUTER * SECTOR) as u64,
            taken_bytes: ((OUTER + START) * SECTOR) as u64,
        };
        assert_eq!(mounted(&disk), ("new", Some(doubt)), "{kind:#x}");
    }
}

#[test]
fn a_label_of_the_disk_beats_a_stale_superblock() {
    let mut disk = disk(2);
    tables::label(&mut disk, 0, 0, START, false);
    assert_eq!(mounted(&disk), ("new", passed_over()));
}

/// FreeBSD's "dangerously dedicated" disk: a slice that begins with the disk and, in it, a label
/// whose `a` does, too. Its volume is the whole disk's.
#[test]
fn a_dedicated_disk_goes_on_working() {
    for version in [1, 2] {
        let mut disk = volume("old", version);
        let count = disk.len() / SECTOR;
        tables::label(&mut disk, 0, 0, 0, false);
        assert_eq!(mounted(&disk), ("old", None), "a label");
        tables::mbr_entry(&mut disk, 0, 3, FREEBSD, 0, 50_000);
        assert_eq!(mounted(&disk), ("old", None), "a label and a slice");
        disk[SECTOR..2 * SECTOR].fill(0);
        assert_eq!(mounted(&disk), ("old", None), "a slice longer than the disk");
        tables::mbr_entry(&mut disk, 0, 3, FREEBSD, 0, count);
        assert_eq!(mounted(&disk), ("old", None), "a slice");
    }
}

#[test]
fn a_second_volume_behind_a_dedicated_one_is_no_choice() {
    let mut disk = disk(2);
    let count = sectors(&disk);
    tables::mbr_entry(&mut disk, 0, 0, FREEBSD, 0, SLICE);
    tables::mbr_entry(&mut disk, 0, 1, FREEBSD, START, count);
    assert_eq!(mounted(&disk), ("old", None));
}

#[test]
fn two_volumes_in_one_place_are_told_of() {
    // The old one is as large as the disk by its own superblock.
    let old = Node::directory([("old", Node::file(vec![7; 5 << 20]))]);
    let mut disk = Image::new(Format::new(2, 8192, 1024), &old).bytes;
    let new = volume("new", 2);
    disk[START * SECTOR..][..new.len()].copy_from_slice(&new);
    tables::mbr_entry(&mut disk, 0, 0, FREEBSD, 0, SLICE);
    tables::mbr_entry(&mut disk, 0, 1, FREEBSD, START, new.len() / SECTOR);
    let doubt = Doubt::InnerVolume { start_bytes: (START * SECTOR) as u64 };
    assert_eq!(mounted(&disk), ("old", Some(doubt)));
}

#[test]
fn a_table_without_a_volume_leaves_the_whole_disks_with_a_warning() {
    for gpt_too in [false, true] {
        let mut disk = disk(2);
        disk[START * SECTOR..].fill(0);
        let count = sectors(&disk);
        if gpt_too {
            gpt(&mut disk);
            protect(&mut disk);
        } else {
            tables::mbr_entry(&mut disk, 0, 0, 0x83, START, count);
        }
        assert_eq!(mounted(&disk), ("old", Some(Doubt::NoPartition)));
    }
    // A boot block that only looks like a table: its slice is nowhere.
    let mut disk = disk(2);
    tables::mbr_entry(&mut disk, 0, 0, 0x83, u32::MAX as usize, 100);
    assert_eq!(mounted(&disk), ("old", Some(Doubt::NoPartition)));
}

#[test]
fn a_broken_gpt_leaves_the_whole_disks_with_a_warning() {
    let mut disk = disk(2);
    gpt(&mut disk);
    protect(&mut disk);
    disk[SECTOR + 60] ^= 1;
    let (found, doubt) = mounted(&disk);
    assert_eq!(found, "old");
    let Some(Doubt::BrokenTable(corrupt)) = doubt else { panic!("{doubt:?}") };
    assert_eq!((corrupt.place, corrupt.field), (Place::Gpt(0), "HeaderCRC32"));
}

/// A damaged volume is no reason to read an older one.
#[test]
fn a_broken_volume_in_a_partition_is_an_error() {
    let mut disk = disk(2);
    let count = sectors(&disk);
    tables::mbr_entry(&mut disk, 0, 0, FREEBSD, START, count);
    // fs_frag.
    disk[START * SECTOR + 65536 + 56] = 7;
    let error = Volume::mount(fs::Image(&disk), vec![0; SCRATCH_BYTES]).unwrap_err();
    assert!(matches!(error, Error::Corrupt(corrupt) if corrupt.field == "fs_frag"), "{error}");
}

/// A GPT that an MBR without an entry for it has replaced.
#[test]
fn a_stale_gpt_does_not_count_beside_an_mbr() {
    let mut disk = disk(2);
    disk[..START * SECTOR].fill(0);
    gpt(&mut disk);
    // Its only entry leads nowhere.
    disk[2 * SECTOR + 32..2 * SECTOR + 40].copy_from_slice(&100_u64.to_le_bytes());
    tables::gpt_seal(&mut disk, 8);
    let count = sectors(&disk);
    tables::mbr_entry(&mut disk, 0, 0, FREEBSD, START, count);
    assert_eq!(mounted(&disk), ("new", None));
}

/// The first superblock of the newer volume is gone: its alternate is still newer than the other.
#[test]
fn an_alternate_beats_a_stale_superblock() {
    let mut disk = disk(2);
    let count = sectors(&disk);
    tables::mbr_entry(&mut disk, 0, 0, FREEBSD, START, count);
    disk[START * SECTOR + 65536..][..8192].fill(0);
    let volume = Volume::mount(fs::Image(&disk), vec![0; SCRATCH_BYTES]).unwrap();
    let info = volume.info();
    assert_eq!(info.partition.to_string(), "s1");
    let alternate = Doubt::Alternate { at_bytes: 73728, first_bytes: 65536 };
    assert_eq!(info.doubts[..], [alternate, passed_over().unwrap()]);
}

/// A label of the disk beside an MBR may be as stale as the volume that it leads to.
#[test]
fn a_label_beside_an_mbr_leads_to_no_stale_superblock() {
    let mut disk = volume("old", 2);
    let count = disk.len() / SECTOR;
    tables::label(&mut disk, 0, 0, 0, false);
    tables::mbr_entry(&mut disk, 0, 0, 0x83, 64, count - 64);
    assert_eq!(mounted(&disk), ("old", Some(Doubt::NoPartition)));
}
