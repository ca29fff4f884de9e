//! Volumes behind partition tables: found, told of, and read; extents count from the disk's
//! beginning.

use fs::{SCRATCH_BYTES, Volume, partitions};
use newfs::tables::{self, FREEBSD, LABEL_SECTORS, NETBSD, SLICE_SECTOR};
use newfs::{Format, Image, Node};

use crate::listing::{assert_same, mount, of_node, of_volume};
use newfs::sample::noise;
use newfs::{Makefs, Scratch, run};

fn tree() -> Node {
    Node::directory([
        ("file", Node::file(noise(1, 50_000))),
        ("directory", Node::directory([("link", Node::symlink("../file"))])),
    ])
}

fn check(disk: &[u8], expected: (&str, usize)) {
    let mut volume = mount(disk);
    let start = volume.info().partition_start_bytes;
    assert_same(&format!("{expected:?}"), &of_volume(&mut volume, disk), &of_node(&tree()));

    let found = partitions(fs::Image(disk), vec![0; SCRATCH_BYTES]).unwrap();
    let (name, sector) = expected;
    let partition = found.find(name.parse().unwrap()).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(partition.name.to_string(), name);
    assert_eq!(partition.start_bytes, sector as u64 * 512);
    assert_eq!(start, partition.start_bytes);
    let scratch = vec![0; SCRATCH_BYTES];
    let mut volume = Volume::mount_partition(fs::Image(disk), scratch, &partition).unwrap();
    assert_eq!(volume.lookup(b"/directory/link").unwrap().size_bytes, 50_000);
}

#[test]
fn every_table() {
    for version in [1, 2] {
        for big_endian in [false, true] {
            let mut format = Format::new(version, 8192, 1024);
            format.big_endian = big_endian;
            let volume = Image::new(format, &tree()).bytes;
            check(&tables::mbr(&volume), ("s2", 2048));
            check(&tables::mbr_logical(&volume), ("s6", 300));
            check(&tables::gpt(&volume), ("p2", 64));
            let label = ("a", LABEL_SECTORS);
            check(&tables::disklabel(&volume, false), label);
            check(&tables::disklabel(&volume, true), label);
            let label = ("s1a", SLICE_SECTOR + LABEL_SECTORS);
            check(&tables::slice(&volume, FREEBSD), label);
            check(&tables::slice(&volume, NETBSD), label);
        }
    }
}

/// Tables by another hand: sfdisk's.
#[test]
fn tables_of_sfdisk() {
    let scratch = Scratch::new(env!("CARGO_TARGET_TMPDIR"), "sfdisk");
    let (source, image) = (scratch.0.join("source"), scratch.0.join("image"));
    std::fs::create_dir(&source).unwrap();
    std::fs::write(source.join("file"), noise(1, 50_000)).unwrap();
    let makefs = Makefs { version: 2, big_endian: false, block_bytes: 16384, frag_bytes: 2048 };
    let volume = makefs.make(&source, &image);
    for (label, kind, name) in
        [("dos", "a5", "s1"), ("gpt", "516E7CB6-6ECF-11D6-8FF8-00022D09712B", "p1")]
    {
        let mut disk = vec![0; 2048 * 512];
        disk.extend(&volume);
        disk.resize(disk.len() + (1 << 20), 0);
        let (path, script) = (scratch.0.join("disk"), scratch.0.join("script"));
        std::fs::write(&path, &disk).unwrap();
        let sectors = volume.len().div_ceil(512);
        let text = format!("label: {label}\nstart=2048, size={sectors}, type={kind}\n");
        std::fs::write(&script, text).unwrap();
        let command = format!("sfdisk -q {} < {}", path.display(), script.display());
        run("sh", "fdisk", &["-c", &command].map(std::ffi::OsStr::new));
        let disk = std::fs::read(&path).unwrap();
        let mut volume = mount(&disk);
        assert_eq!(volume.info().partition_start_bytes, 2048 * 512);
        let file = volume.lookup(b"/file").unwrap();
        let mut bytes = vec![0; 50_000];
        assert_eq!(volume.read_at(&file, 0, &mut bytes).unwrap(), bytes.len());
        assert!(bytes == noise(1, 50_000));
        let found = partitions(fs::Image(&disk[..]), vec![0; SCRATCH_BYTES]).unwrap();
        let names: Vec<_> = found.partitions.iter().map(|one| one.name.to_string()).collect();
        assert_eq!(names, [name]);
    }
}
