//! Partitions by name: all that a disk has, of every type, found by the names of the BSDs; and
//! tables of many entries with the largest numbers.

use fs::{
    Doubt, PARTITIONS_MAX, Partition, PartitionName, SCRATCH_BYTES, Tables, Volume, partitions,
};
use newfs::tables::{
    self, FREEBSD, GPT_EFI, GPT_FREEBSD_UFS, GPT_OPENBSD, GptEntry, NETBSD, OPENBSD, PROTECTIVE,
};
use newfs::{Format, Image, Node};

const SECTOR: usize = 512;
const FFS: u8 = 7;
/// Name of 36 letters, without a zero behind it.
const LONGEST: &str = "as long as a name in a GPT may be at";

fn volume(name: &str) -> Vec<u8> {
    let tree = Node::directory([(name, Node::file(name))]);
    Image::new(Format::new(2, 4096, 512), &tree).bytes
}

fn tables_of(disk: &[u8]) -> Tables {
    partitions(fs::Image(disk), vec![0; SCRATCH_BYTES]).unwrap()
}

/// Names and types, by name.
fn names(tables: &Tables) -> Vec<String> {
    let mut all: Vec<&Partition> = tables.partitions.iter().collect();
    all.sort_by_key(|partition| partition.name);
    all.iter().map(|one| format!("{} {}", one.name, one.kind)).collect()
}

fn find(tables: &Tables, name: &str) -> Result<Partition, String> {
    tables.find(name.parse().unwrap()).map_err(|error| error.to_string())
}

/// Returns the only file of the volume in a partition.
fn file(disk: &[u8], name: &str) -> String {
    let partition = find(&tables_of(disk), name).unwrap();
    let mut volume =
        Volume::mount_partition(fs::Image(disk), vec![0; SCRATCH_BYTES], &partition).unwrap();
    let is_there = |name: &&&str| volume.lookup(format!("/{name}").as_bytes()).is_ok();
    ["one", "two", "three"].iter().find(is_there).unwrap().to_string()
}

/// Three volumes, each of `sectors`, in a row from sector 1000 on.
fn three() -> (Vec<u8>, [u64; 3], u64) {
    let mut disk = vec![0; 1000 * SECTOR];
    let mut starts = Vec::new();
    let sectors = volume("one").len() / SECTOR;
    for name in ["one", "two", "three"] {
        starts.push((disk.len() / SECTOR) as u64);
        disk.extend(volume(name));
        assert_eq!(disk.len() / SECTOR, *starts.last().unwrap() as usize + sectors);
    }
    disk.resize(disk.len() + 100 * SECTOR, 0);
    (disk, starts.try_into().unwrap(), sectors as u64)
}

#[test]
fn letters_of_the_only_label() {
    let (mut disk, [one, two, three], size) = three();
    let all = disk.len() as u64 / 512;
    tables::mbr_entry(&mut disk, 0, 3, OPENBSD, 64, all as usize - 64);
    let entries =
        [(one, size, FFS), (64, 100, 1), (0, all, 0), (two, size, FFS), (three, size, FFS)];
    tables::label_of(&mut disk, 65 * SECTOR, SECTOR, 0, &entries);
    let tables = tables_of(&disk);
    let expected = ["s4 0xa6", "s4a 4.2BSD", "s4b swap", "s4c unused", "s4d 4.2BSD", "s4e 4.2BSD"];
    assert_eq!(names(&tables), expected);
    for (name, contents) in [("a", "one"), ("d", "two"), ("s4e", "three"), ("e", "three")] {
        assert_eq!(file(&disk, name), contents);
    }
    let error = find(&tables, "f").unwrap_err();
    assert_eq!(error, "no partition f; there are s4, s4a, s4b, s4c, s4d, s4e");
    let mounted = Volume::mount(fs::Image(&disk), vec![0; SCRATCH_BYTES]).unwrap();
    assert_eq!(mounted.info().partition.to_string(), "s4a");
}

#[test]
fn letters_of_two_labels_are_ambiguous() {
    let (mut disk, [one, two, three], size) = three();
    tables::mbr_entry(&mut disk, 0, 0, NETBSD, 64, 400);
    tables::mbr_entry(&mut disk, 0, 1, FREEBSD, 500, 100_000);
    tables::label_of(&mut disk, 65 * SECTOR, SECTOR, 0, &[(one, size, FFS), (two, size, FFS)]);
    let entries = [(0, 0, 0), (three - 500, size, FFS), (0, 100_000, 0), (two - 500, size, FFS)];
    tables::label_of(&mut disk, 501 * SECTOR, SECTOR, 0, &entries);
    let tables = tables_of(&disk);
    assert_eq!(find(&tables, "b").unwrap_err(), "more than one partition b: s1b, s2b");
    assert_eq!((file(&disk, "s1b"), file(&disk, "s2b")), ("two".into(), "three".into()));
    assert_eq!((file(&disk, "a"), file(&disk, "d")), ("one".into(), "two".into()));
    let error = find(&tables, "p1").unwrap_err();
    assert_eq!(error, "no partition p1; there are s1, s1a, s1b, s2, s2b, s2c, s2d");
}

#[test]
fn a_label_of_the_disk_has_the_letters_first() {
    let (mut disk, [one, two, _], size) = three();
    let mut entries = vec![(0, 0, 0); 52];
    (entries[0], entries[51]) = ((one, size, FFS), (two, size, FFS));
    tables::label_of(&mut disk, SECTOR, SECTOR, 0, &entries);
    assert_eq!(names(&tables_of(&disk)), ["a 4.2BSD", "Z 4.2BSD"]);
    assert_eq!((file(&disk, "a"), file(&disk, "Z")), ("one".into(), "two".into()));
    assert_eq!(find(&tables_of(&[0; 512]), "a").unwrap_err(), "no partition a: the disk has none");
    // More have no letter.
    entries.push((two, size, FFS));
    tables::label_of(&mut disk, SECTOR, SECTOR, 0, &entries);
    assert_eq!(tables_of(&disk).partitions.len(), 2);
}

#[test]
fn entries_of_a_gpt_have_types_and_labels() {
    let (mut disk, [one, two, three], size) = three();
    let entry = |kind, first, name| GptEntry { kind, first, last: first + size - 1, name };
    let entries = [
        GptEntry { kind: GPT_EFI, first: 40, last: 60, name: "EFI system" },
        entry(GPT_FREEBSD_UFS, one, "r\u{f6}\u{f6}t \u{1f600}"),
        entry([0x42; 16], two, ""),
        GptEntry { kind: GPT_OPENBSD, first: 100, last: three + size, name: LONGEST },
    ];
    tables::gpt_whole(&mut disk, SECTOR, &entries);
    tables::label_of(&mut disk, 101 * SECTOR, SECTOR, 0, &[(three, size, FFS)]);
    let tables = tables_of(&disk);
    let expected = [
        "p1 efi",
        "p2 freebsd-ufs",
        "p3 42424242-4242-4242-4242-424242424242",
        "p4 openbsd-data",
        "p4a 4.2BSD",
    ];
    assert_eq!(names(&tables), expected);
    for (name, contents) in [("p2", "one"), ("p3", "two"), ("a", "three"), ("p4a", "three")] {
        assert_eq!(file(&disk, name), contents);
    }
    let label = |name| {
        let partition = find(&tables, name).unwrap();
        let label = partition.gpt_label(fs::Image(&disk), vec![0; SCRATCH_BYTES]).unwrap();
        label.map(|label| label.to_string())
    };
    for (name, entry) in ["p1", "p2", "p3", "p4"].iter().zip(&entries) {
        assert_eq!(label(name).as_deref(), Some(entry.name));
    }
    assert_eq!(label("p4a"), None);
    assert_eq!(label("disk"), None);
}

/// A volume that a search passed over can be read by name.
#[test]
fn the_whole_disk_has_a_name() {
    let mut disk = volume("one");
    let start = (disk.len() / SECTOR).next_multiple_of(64);
    disk.resize(start * SECTOR, 0);
    disk.extend(volume("two"));
    tables::mbr_entry(&mut disk, 0, 0, FREEBSD, start, 10_000);
    let volume = Volume::mount(fs::Image(&disk), vec![0; SCRATCH_BYTES]).unwrap();
    assert_eq!(volume.info().partition.to_string(), "s1");
    let doubts = &volume.info().doubts;
    assert!(doubts.iter().any(|doubt| matches!(doubt, Doubt::PassedOver { start_bytes: 0, .. })));
    assert_eq!((file(&disk, "disk"), file(&disk, "s1")), ("one".into(), "two".into()));
}

#[test]
fn tables_of_the_largest_numbers_end() {
    let mut disk = vec![0; 70 * SECTOR];
    disk.extend(volume("one"));
    let mut random = fastrand::Rng::with_seed(1);
    for n in 0..4 {
        for kind in [FREEBSD, NETBSD, OPENBSD, PROTECTIVE, 0x05, 0x0f, 0x83] {
            let mut disk = disk.clone();
            for entry in 0..4 {
                let kind = if entry == n { kind } else { random.u8(..) };
                let start = [0, 1, 2, 63, u32::MAX - 1, u32::MAX][random.usize(..6)];
                tables::mbr_entry(&mut disk, 0, entry, kind, start as usize, u32::MAX as usize);
            }
            let huge = u64::from(u32::MAX) << 16 | 0xffff;
            for version in [0, 1] {
                let entries = vec![(huge, huge, FFS); 52];
                tables::label_of(&mut disk, 2 * SECTOR, SECTOR, version, &entries);
                let tables = tables_of(&disk);
                assert!(tables.partitions.len() <= PARTITIONS_MAX);
                for one in &tables.partitions {
                    let found =
                        Volume::mount_partition(fs::Image(&disk), vec![0; SCRATCH_BYTES], one);
                    assert!(found.is_err() || one.start_bytes < disk.len() as u64);
                }
                let _ = Volume::mount(fs::Image(&disk), vec![0; SCRATCH_BYTES]);
            }
        }
    }
}

#[test]
fn chains_of_extended_partitions_end() {
    let (mut disk, [one, ..], size) = three();
    // Four chains through the same links, and each link's first entry is extended, too.
    for n in 0..4 {
        tables::mbr_entry(&mut disk, 0, n, 0x05, 10, 900);
    }
    for link in 10..210 {
        tables::mbr_entry(&mut disk, link * SECTOR, 0, 0x05, 1, 900);
        tables::mbr_entry(&mut disk, link * SECTOR, 1, 0x05, link - 9, 900);
    }
    assert!(tables_of(&disk).partitions.len() <= PARTITIONS_MAX);
    // A loop: skipped, and what else there is is read.
    tables::mbr_entry(&mut disk, 11 * SECTOR, 1, 0x05, 0, 900);
    tables::mbr_entry(&mut disk, 0, 3, FREEBSD, one as usize, size as usize);
    let tables = tables_of(&disk);
    assert_eq!(tables.skipped.map(|corrupt| corrupt.field), Some("next logical partition"));
    assert_eq!(file(&disk, "s4"), "one");
}

/// Partitions that are not searched for a volume leave room for those that are.
#[test]
fn many_partitions_without_ffs_leave_room() {
    let (mut disk, [one, ..], size) = three();
    let count = disk.len() / SECTOR;
    for n in 0..3 {
        let start = 64 + 40 * n;
        tables::mbr_entry(&mut disk, 0, n, OPENBSD, start, 20);
        tables::label_of(&mut disk, start * SECTOR, SECTOR, 0, &[(900, 1, 1); 52]);
    }
    tables::mbr_entry(&mut disk, 0, 3, FREEBSD, one as usize, size as usize);
    let tables = tables_of(&disk);
    assert!((49..PARTITIONS_MAX).contains(&tables.partitions.len()), "{count}");
    assert_eq!(file(&disk, "s4"), "one");
}

#[test]
fn a_list_is_small_enough_for_a_guest_s_stack() {
    assert!(size_of::<Partition>() <= 56, "{}", size_of::<Partition>());
    assert!(size_of::<Tables>() <= 5 << 10, "{}", size_of::<Tables>());
    assert!(size_of::<PartitionName>() <= 8);
}
