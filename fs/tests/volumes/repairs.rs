//! Copies that are read when the first is gone: of a GPT at the disk's end, and of superblocks;
//! tables in sectors of 4096 bytes; and tables that are refused by their names.

use fs::{Doubt, Error, Foreign, SCRATCH_BYTES, Volume};
use newfs::tables::{self, FREEBSD, GPT_FREEBSD_UFS, GptEntry, NETBSD};
use newfs::{Format, Image, Node, Scratch, run};

const SECTOR: usize = 512;
/// Sector of the volume, in sectors of 512 bytes.
const START: usize = 512;

fn volume(version: u8) -> Vec<u8> {
    let file = Node::file(vec![7; 600_000]);
    let tree = Node::directory([("new", Node::file("new")), ("large", file)]);
    Image::new(Format::new(version, 8192, 1024), &tree).bytes
}

fn disk(version: u8) -> Vec<u8> {
    let mut disk = vec![0; START * SECTOR];
    disk.extend(volume(version));
    disk.resize((disk.len() + 40 * 4096).next_multiple_of(4096), 0);
    disk
}

fn mount(disk: &[u8]) -> Result<(String, Vec<Doubt>), Error<fs::PastEnd>> {
    let mut volume = Volume::mount(fs::Image(disk), vec![0; SCRATCH_BYTES])?;
    volume.lookup(b"/new")?;
    let info = volume.info();
    Ok((info.partition.to_string(), info.doubts.iter().copied().collect()))
}

fn found(name: &str, doubts: &[Doubt]) -> Result<(String, Vec<Doubt>), Error<fs::PastEnd>> {
    Ok((name.into(), doubts.to_vec()))
}

/// A disk with a GPT whose only entry is the volume.
fn gpt(sector_bytes: usize) -> Vec<u8> {
    let mut disk = disk(2);
    let first = (START * SECTOR / sector_bytes) as u64;
    let last = (disk.len() / sector_bytes - 40) as u64;
    let entry = GptEntry { kind: GPT_FREEBSD_UFS, first, last, name: "root" };
    tables::gpt_whole(&mut disk, sector_bytes, &[entry]);
    disk
}

/// Partitions by mmls, of The Sleuth Kit: first sector of each, and its description.
fn mmls(name: &str, disk: &[u8], options: &[&str]) -> Vec<(usize, String)> {
    let scratch = Scratch::new(env!("CARGO_TARGET_TMPDIR"), &format!("repairs-{name}"));
    let image = scratch.0.join("disk");
    std::fs::write(&image, disk).unwrap();
    let arguments = [options, &["-a", image.to_str().unwrap()]].concat();
    let arguments: Vec<_> = arguments.iter().map(std::ffi::OsStr::new).collect();
    let text = String::from_utf8(run("mmls", "sleuthkit", &arguments)).unwrap();
    let lines = text.lines().filter_map(|line| {
        // 004:  000       0000000256   0000004000   0000003745   root
        let mut words = line.split_whitespace();
        words.next().filter(|number| number.ends_with(':'))?;
        let mut words = words.skip(1);
        let first = words.next()?.parse().ok()?;
        Some((first, words.skip(2).collect::<Vec<_>>().join(" ")))
    });
    lines.collect()
}

#[test]
fn a_copy_of_the_gpt_is_read_when_the_first_is_gone() {
    for sector_bytes in [512, 4096] {
        let large = Doubt::Sectors { sector_bytes: 4096 };
        let large = if sector_bytes == 4096 { &[large][..] } else { &[] };
        let disk = gpt(sector_bytes);
        assert_eq!(mount(&disk), found("p1", large));
        let backup = [&[Doubt::BackupGpt], large].concat();
        // Its header's name, a field, an entry, all of it; and the MBR, too.
        let mut gone = disk.clone();
        gone[sector_bytes..sector_bytes + 92].fill(0);
        let mut field = disk.clone();
        field[sector_bytes + 60] ^= 1;
        let mut entry = disk.clone();
        entry[2 * sector_bytes + 3] ^= 1;
        let mut all = disk.clone();
        all[..START * SECTOR].fill(0);
        for disk in [&gone, &field, &entry, &all] {
            assert_eq!(mount(disk), found("p1", &backup));
            let tables = fs::partitions(fs::Image(disk), vec![0; SCRATCH_BYTES]).unwrap();
            assert_eq!(tables.partitions.len(), 1);
        }
        // Without the MBR's word it does not count beside slices.
        let mut sliced = gone.clone();
        tables::mbr_entry(&mut sliced, 0, 0, 0x0c, 40, 20);
        assert_eq!(mount(&sliced), Err(Error::NotFfs));
        // Both broken: the first's error is told.
        let last = disk.len() - sector_bytes;
        field[last + 60] ^= 1;
        let error = mount(&field).unwrap_err();
        assert_eq!(error.to_string().split(" is ").next(), Some(&*broken(&field, sector_bytes)));
    }
}

fn broken(disk: &[u8], sector_bytes: usize) -> String {
    let crc = u32::from_le_bytes(*disk[sector_bytes + 16..].first_chunk().unwrap());
    format!("GPT header: HeaderCRC32 {crc}")
}

#[test]
fn the_sleuth_kit_sees_the_same_gpt_of_both_copies() {
    let disk = gpt(512);
    let expected = [(START, "root".to_string())];
    assert_eq!(mmls("gpt", &disk, &["-t", "gpt"]), expected);
    let mut gone = disk;
    gone[SECTOR..2 * SECTOR].fill(0);
    assert_eq!(mmls("backup", &gone, &["-t", "gpt"]), expected);
    assert_eq!(
        mmls("4096", &gpt(4096), &["-t", "gpt", "-b", "4096"]),
        [(START / 8, "root".into())]
    );
}

#[test]
fn an_mbr_counts_in_the_sectors_in_which_it_leads_somewhere() {
    let large = [Doubt::Sectors { sector_bytes: 4096 }];
    for version in [1, 2] {
        let mut disk = disk(version);
        let sectors = disk.len() / 4096 - START / 8;
        tables::mbr_entry(&mut disk, 0, 0, 0x83, 9, 2);
        tables::mbr_entry(&mut disk, 0, 1, FREEBSD, START / 8, sectors);
        assert_eq!(mount(&disk), found("s2", &large));
        // A logical one.
        tables::mbr_entry(&mut disk, 0, 1, 0x05, 20, 1000);
        tables::mbr_entry(&mut disk, 20 * 4096, 0, NETBSD, START / 8 - 20, sectors);
        assert_eq!(mount(&disk), found("s5", &large));
        // A label counts by its own words.
        disk[446..].get_mut(..64).unwrap().fill(0);
        tables::mbr_entry(&mut disk, 0, 0, FREEBSD, 21, sectors);
        disk[22 * 4096..23 * 4096].fill(0);
        let entries = [(0, 0, 0), (43, sectors as u64, 7), (0, sectors as u64, 0)];
        tables::label_of(&mut disk, 22 * 4096, 4096, 0, &entries);
        let (name, doubts) = mount(&disk).unwrap();
        assert_eq!((&*name, doubts.contains(&large[0])), ("s1b", true));
    }
}

/// Sectors of 512 bytes come first, though the other size leads to a volume, too.
#[test]
fn an_mbr_of_512_bytes_stays_one() {
    let mut disk = disk(2);
    let end = START * 8 * SECTOR;
    disk.resize(end, 0);
    disk.extend(volume(2));
    tables::mbr_entry(&mut disk, 0, 0, 0x83, START, 4000);
    assert_eq!(mount(&disk), found("s1", &[]));
}

#[test]
fn an_alternate_superblock_is_read_when_the_first_is_gone() {
    for (version, home, copy) in [(1, 8192, 16384), (2, 65536, 73728)] {
        let alternate = |at_bytes| Doubt::Alternate { at_bytes, first_bytes: home };
        let mut whole = volume(version);
        whole[home as usize..][..8192].fill(0);
        assert_eq!(mount(&whole), found("disk", &[alternate(copy)]));
        let info = Volume::mount(fs::Image(&whole), vec![0; SCRATCH_BYTES]).unwrap();
        assert_eq!(info.info().superblock_offset_bytes, copy);
        // One that is nowhere where this volume has a copy.
        let other = whole[copy as usize..][..1376].to_vec();
        put(&mut whole, 4096, &other);
        assert_eq!(mount(&whole), found("disk", &[alternate(copy)]));
        whole[4096..8192].fill(0);
        // That of the second group, when that of the first is gone, too.
        whole[copy as usize..][..8192].fill(0);
        let format = Format::new(version, 8192, 1024);
        let group = Image { bytes: whole.clone(), format, inodes: Default::default() }.group_at(1);
        assert_eq!(mount(&whole), found("disk", &[alternate(group - 8192)]));

        let mut disk = disk(version);
        disk[START * SECTOR + home as usize..][..8192].fill(0);
        // The copy is not one of a volume that begins with the disk.
        assert_eq!(mount(&disk), Err(Error::NotFfs));
        tables::mbr_entry(&mut disk, 0, 2, 0x83, START, 5000);
        assert_eq!(mount(&disk).unwrap().0, "s3");
    }
}

#[test]
fn an_alternate_is_no_reason_to_pass_over_a_broken_superblock() {
    let mut disk = volume(2);
    // fs_frag.
    disk[65536 + 56] = 3;
    let error = mount(&disk).unwrap_err();
    assert!(matches!(error, Error::Corrupt(corrupt) if corrupt.field == "fs_frag"), "{error}");
}

/// A copy that an older volume has left behind leads to no root directory.
#[test]
fn an_alternate_without_a_root_is_not_ffs() {
    let mut disk = volume(2);
    let format = Format::new(2, 8192, 1024);
    let image = Image { bytes: disk.clone(), format, inodes: Default::default() };
    let root = image.inode_at(2) as usize;
    disk[65536..][..8192].fill(0);
    disk[root..root + 256].fill(0);
    assert_eq!(mount(&disk), Err(Error::NotFfs));
    // It hides no other.
    let start = disk.len().next_multiple_of(4096) / SECTOR + 64;
    disk.resize(start * SECTOR, 0);
    let (old, all) = (disk[..(start - 64) * SECTOR].to_vec(), disk.len());
    disk.fill(0);
    disk.extend(&old);
    let mut good = volume(2);
    good[65536..][..8192].fill(0);
    disk.extend(&good);
    tables::mbr_entry(&mut disk, 0, 0, 0x83, start, old.len() / SECTOR);
    let second = (all + old.len()) / SECTOR;
    tables::mbr_entry(&mut disk, 0, 1, 0x83, second, good.len() / SECTOR);
    let alternate = Doubt::Alternate { at_bytes: 73728, first_bytes: 65536 };
    assert_eq!(mount(&disk), found("s2", &[alternate]));
}

fn put(disk: &mut [u8], at: usize, bytes: &[u8]) {
    disk[at..at + bytes.len()].copy_from_slice(bytes);
}

/// An Apple map with the map itself and one partition.
fn apple() -> Vec<u8> {
    let mut disk = vec![0; 1 << 20];
    put(&mut disk, 0, b"ER\x02\0\0\0\x08\0");
    for (n, (name, kind, start, count)) in
        [("Apple", "Apple_partition_map", 1_u32, 63_u32), ("root", "Apple_UFS", 64, 1900)]
            .into_iter()
            .enumerate()
    {
        let at = (n + 1) * SECTOR;
        put(&mut disk, at, b"PM");
        for (at, value) in
            [(4, 2), (8, start), (12, count), (88, 0x33)].map(|(to, value)| (at + to, value))
        {
            put(&mut disk, at, &value.to_be_bytes());
        }
        put(&mut disk, at + 16, name.as_bytes());
        put(&mut disk, at + 48, kind.as_bytes());
    }
    disk
}

/// A Sun label with a VTOC: partition `a` at cylinder 1 of 32 sectors.
fn sun() -> Vec<u8> {
    let mut disk = vec![0; 1 << 20];
    put(&mut disk, 128, &[0, 0, 0, 1]);
    put(&mut disk, 140, &[0, 8, 0, 2]);
    put(&mut disk, 187, &[0, 0x60, 0x0d, 0xde, 0xee]);
    for (at, value) in [(432, 64_u16), (436, 1), (438, 32)] {
        put(&mut disk, at, &value.to_be_bytes());
    }
    put(&mut disk, 444, &[0, 0, 0, 1, 0, 0, 4, 0]);
    put(&mut disk, 508, &[0xda, 0xbe]);
    let sum = disk[..510].chunks(2).fold([0, 0], |sum, two| [sum[0] ^ two[0], sum[1] ^ two[1]]);
    put(&mut disk, 510, &sum);
    disk
}

#[test]
fn other_tables_are_refused_by_name() {
    let refused = |disk: &[u8]| match mount(disk) {
        Err(Error::Foreign(table)) => Some(table),
        _ => None,
    };
    let in_slice = |kind: u8, at: usize, magic: &[u8]| {
        let mut disk = vec![0; 1 << 20];
        tables::mbr_entry(&mut disk, 0, 0, kind, 63, 1900);
        put(&mut disk, 63 * SECTOR + at, magic);
        disk
    };
    let dragonfly = 0xc446_4c59_u32.to_le_bytes();
    let vtoc = 0x600d_deee_u32.to_le_bytes();
    assert_eq!(refused(&apple()), Some(Foreign::Apple));
    assert_eq!(refused(&sun()), Some(Foreign::Sun));
    assert_eq!(refused(&in_slice(0xa5, 512, &dragonfly)), Some(Foreign::DragonFly));
    assert_eq!(refused(&in_slice(0xbf, 512 + 12, &vtoc)), Some(Foreign::Solaris));
    assert_eq!(refused(&in_slice(0xa7, 15 * 512, b"dlV3")), Some(Foreign::Next));
    let mut next = vec![0; 1 << 20];
    put(&mut next, 0, b"NeXT");
    assert_eq!(refused(&next), Some(Foreign::Next));
    let text = mount(&sun()).unwrap_err().to_string();
    assert_eq!(text, "not FFS: this disk has a Sun disklabel, which is not read");
    // Near misses.
    let mut sum = sun();
    sum[510] ^= 1;
    assert_eq!(refused(&sum), None);
    assert_eq!(refused(&in_slice(0xa7, 14 * 512, b"dlV3")), None);
    // Only where nothing mounts: a superblock lies behind such a table.
    let mut both = volume(2);
    put(&mut both, 0, &sun()[..SECTOR]);
    assert_eq!(mount(&both), found("disk", &[]));
    // A broken one says more: fs_frag.
    both[65536 + 56] = 3;
    assert!(matches!(mount(&both), Err(Error::Corrupt(corrupt)) if corrupt.field == "fs_frag"));
}

#[test]
fn the_sleuth_kit_knows_the_same_tables() {
    let map = [(1, "Apple_partition_map".to_string()), (64, "Apple_UFS".to_string())];
    assert_eq!(mmls("apple", &apple(), &["-t", "mac"]), map);
    let sun = mmls("sun", &sun(), &["-t", "sun"]);
    assert!(sun.iter().any(|(first, _)| *first == 32), "{sun:?}");
}

/// A UFS1 leaves a copy in front of a UFS2 that was made later in the same place.
#[test]
fn an_alternate_without_a_root_hides_no_later_one() {
    let old = volume(1);
    let mut disk = volume(2);
    disk[65536..][..8192].fill(0);
    disk[16384..][..8192].copy_from_slice(&old[16384..][..8192]);
    let alternate = Doubt::Alternate { at_bytes: 73728, first_bytes: 65536 };
    assert_eq!(mount(&disk), found("disk", &[alternate]));
}

/// Neither does one beside Apple's label, which is refused.
#[test]
fn an_alternate_that_is_refused_hides_no_other_partition() {
    let format = Format { big_endian: true, ..Format::new(1, 8192, 1024) };
    let mut apple = Image::new(format, &Node::directory([("apple", Node::file("old"))])).bytes;
    apple[8192..][..8192].fill(0);
    put(&mut apple, 7168, &0x4c41_424c_u32.to_be_bytes());
    let mut good = volume(2);
    good[65536..][..8192].fill(0);
    let (first, second) = (START, START + apple.len() / SECTOR);
    let mut disk = vec![0; first * SECTOR];
    disk.extend(&apple);
    disk.extend(&good);
    tables::mbr_entry(&mut disk, 0, 0, 0x83, first, apple.len() / SECTOR);
    tables::mbr_entry(&mut disk, 0, 1, 0x83, second, good.len() / SECTOR);
    let alternate = Doubt::Alternate { at_bytes: 73728, first_bytes: 65536 };
    assert_eq!(mount(&disk), found("s2", &[alternate]));
}
