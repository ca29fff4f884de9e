//! A file system over the ring: what the reader brings is the image, and a job on a file goes to
//! the file's blocks.

use std::fmt::Debug;
use std::fs as host;
use std::path::{Path, PathBuf};
use std::process::Command;

use drivers::Vcpu;
use drivers::blkfront::{GrantMode, Setup};
use fs::{Image, ReadBlocks, SCRATCH_BYTES, Volume};
use load::engine::{self, Control, Outcome, REQUEST_TIMEOUT_NS};
use load::file_map::{FileMap, LookUpError};
use load::reader::{BlockReader, ReadError};
use model::fixture::{Machine, XVDA, noise, run_engine};
use model::guest::Device;
use model::{Disk, Guest, ModelXen};

const SETUP: Setup =
    Setup { grants: GrantMode::Persistent, slots: 8, pages_per_slot: 11, ..Setup::ONE };

/// A directory that goes with its owner.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = host::remove_dir_all(&self.0);
    }
}

/// An FFSv2 with one file, `/dir/big`, in blocks of 8 KiB.
fn image(name: &str, big: &[u8]) -> Vec<u8> {
    let place = format!("{name}-{}", std::process::id());
    let scratch = Scratch(Path::new(env!("CARGO_TARGET_TMPDIR")).join(place));
    let tree = scratch.0.join("tree");
    host::create_dir_all(tree.join("dir")).unwrap();
    host::write(tree.join("dir/big"), big).unwrap();
    let path = scratch.0.join("image");
    let made = Command::new("makefs")
        .args(["-t", "ffs", "-o", "version=2,bsize=8192,fsize=1024", "-b", "20%"])
        .args([&path, &tree])
        .output()
        .expect("makefs: apt-get install makefs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    host::read(&path).unwrap()
}

fn plugged(image: &[u8], seed: u64) -> (ModelXen, Disk) {
    let disk = Disk::new(XVDA, image.len().div_ceil(512) as u64);
    let xen = Machine::seeded(seed).disk(disk.clone()).build();
    xen.world().disks[0].data[..image.len()].copy_from_slice(image);
    (xen, disk)
}

/// A guest, and the disk that it is connected to.
fn connected(xen: &ModelXen) -> (Guest<'_>, Device<'_>) {
    let mut guest = Guest::boot(xen);
    let device = guest.connect(XVDA, &SETUP).unwrap();
    (guest, device)
}

/// Reads the disk through its queue.
fn reader<'q, 'a>(xen: &'q ModelXen, device: &'q mut Device<'a>) -> BlockReader<'q, 'a, ModelXen> {
    let info = *device.info();
    BlockReader::new(xen, &mut device.queues[0], &info)
}

fn mount<D: ReadBlocks<Error: Debug>>(disk: D) -> Volume<D, Vec<u8>> {
    Volume::mount(disk, vec![0; SCRATCH_BYTES]).unwrap()
}

/// Runs a job that may be on the file that was looked up.
fn run(xen: &ModelXen, device: &mut Device<'_>, file: &FileMap, line: &str) -> Outcome {
    let disks = vec![engine::Disk { files: vec![file.clone()], ..device.lend() }];
    let jobs = fio_job::parse(line).unwrap();
    let (outcome, disks) = run_engine(xen, jobs, disks, &mut |_| Control::Continue);
    device.queues = disks.into_iter().flat_map(|disk| disk.queues).collect();
    outcome
}

#[test]
fn what_is_read_is_the_image() {
    let image = noise(1 << 20, 1);
    for (seed, sector_bytes) in [(1, 512), (2, 4096)] {
        let (xen, mut disk) = plugged(&image, seed);
        disk.sector_bytes = sector_bytes;
        xen.world().disks[0].disk = disk;
        let (mut guest, mut device) = connected(&xen);
        let mut reader = reader(&xen, &mut device);
        assert_eq!(reader.size_bytes(), 1 << 20);
        let mut rng = fastrand::Rng::with_seed(seed);
        for _ in 0..200 {
            let start = rng.usize(..2048) * 512;
            let len = rng.usize(..=(image.len() - start).min(700 << 10) / 512) * 512;
            let mut bytes = vec![0; len];
            reader.read(start as u64, &mut bytes).unwrap();
            assert!(bytes == image[start..start + len], "{len} bytes from {start}");
        }
        guest.disconnect(device);
    }
}

#[test]
fn no_request_is_larger_than_the_backend_takes() {
    let image = noise(1 << 20, 10);
    let xen = Machine::seeded(11).disk(Disk { indirect_max: 0, ..Disk::new(XVDA, 2048) }).build();
    xen.world().disks[0].data[..image.len()].copy_from_slice(&image);
    let mut guest = Guest::boot(&xen);
    let setup = Setup { pages_per_slot: 16, ..SETUP };
    let mut device = guest.connect(XVDA, &setup).unwrap();
    let info = *device.info();
    assert_eq!(info.request_bytes_max, 44 << 10, "less than a slot was to have");
    let mut reader = BlockReader::new(&xen, &mut device.queues[0], &info);
    let mut bytes = vec![0; image.len()];
    reader.read(0, &mut bytes).unwrap();
    assert!(bytes == image);
    guest.disconnect(device);
}

#[test]
fn a_failed_read_is_told_and_the_next_works() {
    let image = noise(1 << 20, 2);
    let (xen, _) = plugged(&image, 3);
    let (mut guest, mut device) = connected(&xen);
    // Beyond the backend's disk now, so it refuses what lies there.
    xen.world().disks[0].disk.sectors = 1024;
    let mut reader = reader(&xen, &mut device);
    let mut bytes = vec![0; 1 << 20];
    // The first request that reaches beyond begins before.
    let first = (512 << 10) / (11 << 12) * (11 << 12);
    let Err(ReadError::Io(offset, _)) = reader.read(0, &mut bytes) else {
        panic!("the backend refused");
    };
    assert!(offset >= first && offset.is_multiple_of(11 << 12), "{offset}");
    let mut bytes = vec![0; 512 << 10];
    reader.read(0, &mut bytes).unwrap();
    assert!(bytes == image[..512 << 10]);
    assert_eq!(device.queues[0].outstanding(), 0);
    guest.disconnect(device);
}

#[test]
fn a_slow_backend_is_waited_for_and_a_dead_one_is_not() {
    let image = noise(1 << 20, 8);
    let (xen, _) = plugged(&image, 9);
    let (_guest, mut device) = connected(&xen);
    let mut reader = reader(&xen, &mut device);
    // More requests than slots, so that all of it takes longer than any may.
    xen.world().disks[0].disk.service_ns = 20_000_000_000..20_000_000_001;
    let mut bytes = vec![0; 1 << 20];
    let start_ns = xen.now_ns();
    reader.read(0, &mut bytes).unwrap();
    assert!(bytes == image && xen.now_ns() - start_ns > REQUEST_TIMEOUT_NS);

    xen.world().disks[0].disk.service_ns = u64::MAX / 4..u64::MAX / 2;
    let start_ns = xen.now_ns();
    assert_eq!(reader.read(0, &mut bytes[..8192]), Err(ReadError::Stuck(1)));
    let waited_ns = xen.now_ns() - start_ns;
    assert!((REQUEST_TIMEOUT_NS..REQUEST_TIMEOUT_NS + 1_000_000).contains(&waited_ns));
}

#[test]
fn a_job_on_a_file_moves_the_files_bytes() {
    let big = noise(3 << 20, 4);
    let image = image("jobs", &big);
    let (xen, _) = plugged(&image, 5);
    let (mut guest, mut device) = connected(&xen);
    let mut volume = mount(reader(&xen, &mut device));
    let map = FileMap::look_up(&mut volume, "/dir/big".into()).unwrap();
    assert_eq!(map.size_bytes, 3 << 20);
    let mut results = |line: &str| {
        let outcome = run(&xen, &mut device, &map, line);
        assert_eq!((outcome.error, outcome.first_failure), (None, None), "{line}");
        outcome.results
    };
    // Every block of the file becomes its own offset in it, and nothing else changes.
    let write = "filename=xvda:/dir/big rw=write bs=4k iodepth=8 allow_file_overwrite=1 \
                 verify=pattern verify_pattern=%o";
    assert_eq!(results(write)[0].write.bytes, 3 << 20);
    let read = results("filename=xvda:/dir/big rw=randread bs=8k iodepth=8 number_ios=300");
    assert_eq!(read[0].read.ios, 300);
    guest.disconnect(device);

    let written = xen.world().disks[0].data.clone();
    let mut volume = mount(Image(&written));
    let inode = volume.lookup(b"/dir/big").unwrap();
    let mut bytes = vec![0; 3 << 20];
    assert_eq!(volume.read_at(&inode, 0, &mut bytes).unwrap(), bytes.len());
    for (number, block) in bytes.as_chunks::<4096>().0.iter().enumerate() {
        let offset = u64::from_le_bytes(*block.first_chunk().unwrap());
        assert_eq!(offset, number as u64 * 4096);
    }
    let changed = image.chunks(512).zip(written.chunks(512)).filter(|(a, b)| a != b).count();
    assert_eq!(changed, (3 << 20) / 512, "sectors outside of the file were written");
}

/// Makes `/dir/big`, which has `size_bytes`, a hole as long as the file system allows, and all its
/// indirect blocks one of each level.
fn endless_hole(image: &mut [u8], size_bytes: u64) {
    let at = image.windows(8).position(|bytes| bytes == size_bytes.to_le_bytes()).unwrap() - 16;
    let pointer = |index: usize| at + 112 + 8 * index;
    let level: [u64; 4] = std::array::from_fn(|n| match n {
        0 => 0,
        n => u64::from_le_bytes(*image[pointer(n)..].first_chunk().unwrap()),
    });
    let mut put = |at: usize, value: u64| image[at..at + 8].copy_from_slice(&value.to_le_bytes());
    put(at + 16, (12 + 1024 + (1 << 20) + (1 << 30)) * 8192 - 1);
    (0..12).for_each(|index| put(pointer(index), 0));
    for n in 1..4 {
        put(pointer(11 + n), level[n]);
        (0..1024).for_each(|index| put(level[n] as usize * 1024 + 8 * index, level[n - 1]));
    }
}

#[test]
fn a_hole_without_end_is_not_followed() {
    let mut image = image("hole", &noise(1_234_567, 12));
    endless_hole(&mut image, 1_234_567);
    let mut volume = fs::Volume::mount(fs::Image(&image), vec![0; fs::SCRATCH_BYTES]).unwrap();
    let error = FileMap::look_up(&mut volume, "/dir/big".into()).unwrap_err();
    assert!(matches!(error, LookUpError::Hole(1..)), "{error}");
}

/// Offset of `struct ufs2_dinode`'s `di_size` and `di_flags` in it.
const SIZE_AT: usize = 16;
const FLAGS_AT: usize = 88;

/// The file made into a snapshot of its volume: its blocks are copies, but for one that is live and
/// one that nobody kept.
#[test]
fn a_snapshot_is_read_but_never_written() {
    let mut image = image("snapshot", &noise(1 << 20, 13));
    let inode = (0..image.len()).step_by(256).find(|&at| {
        let size = *image[at + SIZE_AT..].first_chunk().unwrap();
        u64::from_le_bytes(size) == 1 << 20 && image[at + 1] == 0x81
    });
    let inode = inode.expect("the file's inode");
    let mut put = |at: usize, value: u64| {
        image[inode + at..inode + at + 8].copy_from_slice(&value.to_le_bytes());
    };
    put(SIZE_AT, 11 * 8192);
    put(FLAGS_AT, 0x0020_0000);
    put(112 + 8 * 9, 0);
    put(112 + 8 * 10, 1);
    let (xen, _) = plugged(&image, 14);
    let (mut guest, mut device) = connected(&xen);
    let mut volume = mount(reader(&xen, &mut device));
    let map = FileMap::look_up(&mut volume, "/dir/big".into()).unwrap();
    let read = run(&xen, &mut device, &map, "filename=xvda:/dir/big size=80k bs=8k");
    assert!(read.error.is_none(), "{:?}", read.error);
    assert_eq!(read.results[0].read.ios, 10);
    let before = xen.world().disks[0].data.clone();
    for (line, part) in [
        ("filename=xvda:/dir/big rw=write allow_file_overwrite=1 size=8k", "is a snapshot"),
        ("filename=xvda:/dir/big bs=8k", "has a hole at byte 81920"),
    ] {
        let error = run(&xen, &mut device, &map, line).error.expect(line).to_string();
        assert!(error.contains(part), "{line}: {error}");
    }
    assert!(xen.world().disks[0].data == before);
    guest.disconnect(device);
}

#[test]
fn what_a_file_cannot_do_is_refused() {
    let image = image("refused", &noise(1 << 20, 6));
    let (xen, _) = plugged(&image, 7);
    let (mut guest, mut device) = connected(&xen);
    let mut volume = mount(reader(&xen, &mut device));
    let map = FileMap::look_up(&mut volume, "/dir/big".into()).unwrap();
    assert!(FileMap::look_up(&mut volume, "/dir".into()).is_err());
    assert!(FileMap::look_up(&mut volume, "/dir/none".into()).is_err());
    for (line, part) in [
        ("filename=xvda:/dir/big bs=40k", "use bs=8k or less"),
        ("filename=xvda:/dir/big offset=2m", "beyond the end of /dir/big"),
        ("filename=xvda:/dir/other", "never looked up"),
    ] {
        let error = run(&xen, &mut device, &map, line).error.expect(line).to_string();
        assert!(error.contains(part), "{line}: {error}");
    }
    assert!(fio_job::parse("filename=xvda:/dir/big rw=write").is_err());
    guest.disconnect(device);
}
