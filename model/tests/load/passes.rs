//! Number of the I/Os of a job, their disks and their order: as fio itself, which runs here. This
//! needs Debian's package `fio` (3.33).

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

use model::Disk;

use crate::{Machine, ok, run, vdev};

/// Blocks of 4 KiB on each disk, and options of a job of which each I/O is the same.
const IN_ORDER: &[(&[u64], &str)] = &[
    (&[64], "size=16k"),
    (&[64], "size=16k io_size=24k"),
    (&[64], "size=16k io_size=24k loops=2"),
    (&[64], "size=16k io_size=100k loops=2"),
    (&[64], "size=16k io_size=100k loops=3 rw=write"),
    (&[64], "size=16k io_size=100k"),
    (&[64], "size=16k io_size=18000"),
    (&[64], "size=16k io_size=20480 loops=2"),
    (&[64], "size=16k io_size=9000"),
    (&[64], "size=64k io_size=16k loops=2"),
    (&[64], "size=64k io_size=40k loops=3"),
    (&[64], "size=64k io_size=9000 loops=3"),
    (&[64], "size=64k number_ios=3"),
    (&[64], "size=64k number_ios=3 loops=2"),
    (&[64], "size=16k number_ios=3 loops=2"),
    (&[64], "size=16k number_ios=100"),
    (&[64], "size=16k number_ios=100 loops=2"),
    (&[64], "size=16k number_ios=10 io_size=64k"),
    (&[64], "size=16k number_ios=7 io_size=24k loops=2"),
    (&[64], "size=16k number_ios=5 io_size=8k loops=2"),
    (&[64], "size=16k io_size=24k loops=2 runtime=100"),
    (&[64], "offset=16k size=16k io_size=40k"),
    (&[12], "offset=16k loops=2"),
    (&[16, 16], "size=32k"),
    (&[16, 16], "size=32k loops=2"),
    (&[16, 16], "size=32k io_size=48k"),
    (&[16, 16], "size=32k io_size=48k loops=2"),
    (&[16, 16], "size=32k number_ios=5 loops=2"),
    (&[16, 16, 16], "size=96k number_ios=11 loops=2"),
    (&[16, 16, 16], "size=24k io_size=44k"),
    (&[4, 12], ""),
    (&[4, 12], "loops=2"),
    (&[4, 12], "number_ios=9 loops=2"),
    (&[4, 12], "io_size=40k"),
    (&[4, 12], "io_size=80k"),
    (&[12, 4, 7], "io_size=110k loops=2"),
    (&[64], "size=10000"),
    (&[64], "size=10000 loops=2"),
    (&[64], "size=10000 loops=3 rw=write"),
    (&[64], "offset=4k size=10000"),
    (&[64], "size=10000 io_size=30000"),
    (&[64], "size=10000 io_size=12k loops=2"),
    (&[64], "size=10000 number_ios=3"),
    (&[3], "size=10000"),
    (&[16, 16], "size=20000"),
    (&[16, 16], "size=20000 loops=2"),
    (&[4, 12], "io_size=80k rw=write"),
    (&[16, 16, 16], "file_service_type=sequential"),
    (&[4, 12, 7], "file_service_type=sequential io_size=200k"),
    (&[4, 12, 7], "file_service_type=sequential loops=2 number_ios=15"),
    (&[4, 12, 7], "file_service_type=roundrobin:3"),
    (&[4, 12, 7], "file_service_type=roundrobin:3 loops=2 rw=write"),
    (&[4, 12, 7], "file_service_type=roundrobin:5 io_size=200k"),
    (&[4, 12, 7], "file_service_type=roundrobin:0"),
    (&[4, 12, 7], "file_service_type=roundrobin:3 openfiles=2"),
    (&[4, 12, 7], "openfiles=1"),
    (&[4, 12, 7], "openfiles=2 loops=2"),
    (&[4, 12, 7], "openfiles=3"),
];

/// The same of jobs whose I/Os are drawn, each by its own generator.
const DRAWN: &[(&[u64], &str)] = &[
    (&[64], "size=64k rw=randread"),
    (&[64], "size=64k rw=randread loops=2"),
    (&[64], "size=64k rw=randread loops=2 randseed=77"),
    (&[64], "size=64k rw=randread loops=2 randrepeat=0"),
    (&[64], "size=64k rw=randwrite io_size=100k"),
    (&[64], "size=64k rw=randread io_size=40k loops=2"),
    (&[64], "size=64k rw=randread io_size=200k loops=2"),
    (&[64], "size=64k rw=randread number_ios=21 loops=2"),
    (&[64], "size=64k rw=randread number_ios=9 io_size=64k loops=3"),
    (&[64], "size=64k rw=randread norandommap loops=2"),
    (&[64], "size=64k rw=randread norandommap loops=2 randseed=77"),
    (&[64], "size=64k rw=randread norandommap io_size=100k"),
    (&[64], "size=64k rw=randread norandommap io_size=200k loops=2"),
    (&[64], "size=64k rw=randwrite norandommap io_size=200k"),
    (&[64], "size=64k rw=randwrite norandommap io_size=200k loops=2"),
    (&[64], "size=64k rw=randwrite norandommap io_size=32k loops=2"),
    (&[64], "size=64k rw=randrw norandommap io_size=200k loops=2"),
    (&[64], "size=64k rw=randread random_distribution=zipf:1.1 io_size=100k loops=2"),
    (&[64], "size=64k rw=randwrite random_distribution=zipf:1.1 io_size=100k loops=2"),
    (&[64], "size=64k rw=rw"),
    (&[64], "size=64k rw=rw loops=2"),
    (&[64], "size=64k rw=rw io_size=200k"),
    (&[64], "size=64k rw=rw number_ios=21 loops=2"),
    (&[64], "size=64k rw=randrw loops=2"),
    (&[16, 16], "size=64k rw=randread loops=2"),
    (&[16, 16], "size=64k rw=randrw number_ios=21 loops=2"),
    (&[64], "size=30000 rw=randread"),
    (&[64], "size=30000 rw=randread loops=2"),
    (&[64], "size=30000 rw=randread norandommap"),
    (&[64], "size=30000 rw=randread norandommap loops=2"),
    (&[64], "size=30000 rw=randwrite norandommap"),
    (&[64], "size=30000 rw=rw loops=2"),
    (&[4, 12], "rw=randread"),
    (&[4, 12], "rw=randread loops=2"),
    (&[4, 12], "rw=randread io_size=80k"),
    (&[4, 12], "rw=randread io_size=80k norandommap"),
    (&[4, 12], "rw=randwrite io_size=80k loops=2 norandommap"),
];

/// I/O: number of the disk, whether it is a write, and the block.
type Io = (usize, bool, u64);

/// Files that stand for disks, and fio's log.
struct Place(PathBuf);

impl Place {
    fn new(name: &str, blocks: &[u64]) -> Self {
        let directory = format!("ringmark-{}-{name}", std::process::id());
        let place = Self(std::env::temp_dir().join(directory));
        fs::create_dir_all(&place.0).unwrap();
        for (number, blocks) in blocks.iter().enumerate() {
            File::create(place.disk(number)).unwrap().set_len(blocks * 4096).unwrap();
        }
        place
    }

    fn disk(&self, number: usize) -> PathBuf {
        self.0.join(format!("disk{number}"))
    }

    /// Returns the I/Os of a job that fio runs.
    fn fio(&self, disks: usize, options: &str) -> Vec<Io> {
        let log = self.0.join("log");
        let _ = fs::remove_file(&log);
        let names: Vec<_> = (0..disks).map(|disk| self.disk(disk).display().to_string()).collect();
        let output = Command::new("fio")
            .args(["--name=a", "--ioengine=libaio", "--bs=4k", "--verify_state_save=0"])
            .arg(format!("--filename={}", names.join(":")))
            .arg(format!("--write_iolog={}", log.display()))
            .args(options.split_ascii_whitespace().map(|option| format!("--{option}")))
            .output();
        let output = output.unwrap_or_else(|e| panic!("cannot run fio: {e}; apt-get install fio"));
        assert!(output.status.success(), "{options}: {output:?}");
        let log = fs::read_to_string(&log).unwrap();
        log.lines().filter_map(|line| read_line(line, &names)).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Reads a line of a log: a time, a file, what was done, and where.
fn read_line(line: &str, names: &[String]) -> Option<Io> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let [_, name, action, offset, "4096"] = words[..] else { return None };
    let disk = names.iter().position(|one| one == name)?;
    let offset: u64 = offset.parse().ok()?;
    Some((disk, action == "write", offset / 4096))
}

/// Returns the I/Os of a job, in the order in which the backends answered.
fn ours(blocks: &[u64], options: &str) -> Vec<Io> {
    let disks = || 0..blocks.len() as u32;
    let disk = |number: u32| Disk {
        traced: true,
        service_ns: 10_000..10_001,
        ..Disk::new(vdev(number), blocks[number as usize] * 8)
    };
    let machine = disks().fold(Machine::seeded(31), |machine, number| machine.disk(disk(number)));
    let names = disks().map(|number| xen_abi::vdev::Vdev(vdev(number)).to_string());
    let names: Vec<_> = names.collect();
    let xen = machine.build();
    let outcome =
        run(&xen, &format!("bs=4k filename={} {options}", names.join(":")), blocks.len() as u32);
    ok(&outcome);
    let world = xen.world();
    let mut all: Vec<_> = (0..blocks.len())
        .flat_map(|disk| world.disks[disk].served.iter().map(move |one| (one, disk)))
        .collect();
    all.sort_by_key(|(one, _)| one.answered_ns);
    all.iter().map(|(one, disk)| (*disk, one.operation == 1, one.sector / 8)).collect()
}

/// Returns how many I/Os there are, on which disks they are, and after how many they repeat, 3 at
/// least.
fn shape(ios: &[Io]) -> (usize, Vec<usize>, usize) {
    let disks = ios.iter().map(|&(disk, ..)| disk).collect();
    let repeats = |after: &usize| ios.iter().skip(*after).zip(ios).all(|(one, other)| one == other);
    (ios.len(), disks, (1..ios.len().saturating_sub(2)).find(repeats).unwrap_or(0))
}

#[test]
fn passes_in_order_are_fios() {
    let mut wrong = Vec::new();
    for (number, (blocks, options)) in IN_ORDER.iter().enumerate() {
        let fio = Place::new(&format!("order{number}"), blocks).fio(blocks.len(), options);
        let ours = ours(blocks, options);
        if ours != fio {
            wrong.push(format!("{blocks:?} {options}\n  fio  {fio:?}\n  ours {ours:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// fio draws the files by its own generator: as many I/Os go to each, and in rows as long.
#[test]
fn disks_at_random_are_as_many_as_fios() {
    for (number, (blocks, options)) in [
        (&[64, 32, 16][..], "file_service_type=random"),
        (&[64, 32, 16], "file_service_type=random:4 loops=2"),
        (&[64, 32, 16], "file_service_type=random:4 openfiles=2"),
        (&[64, 64], "file_service_type=random rw=randread"),
    ]
    .into_iter()
    .enumerate()
    {
        let counts = |ios: &[Io]| [0, 1, 2].map(|n| ios.iter().filter(|io| io.0 == n).count());
        let fio = Place::new(&format!("random{number}"), blocks).fio(blocks.len(), options);
        let ours = ours(blocks, options);
        assert_eq!(counts(&ours), counts(&fio), "{options}");
        let row = if options.contains(":4") { 4 } else { 1 };
        let rows = ours[..24].chunks(row).all(|row| row.iter().all(|io| io.0 == row[0].0));
        assert!(rows && ours[..24].iter().any(|io| io.0 != ours[0].0) || options.contains("open"));
    }
}

/// Without a map no disk is gone through, so the first has all I/Os of a pass, as in fio.
#[test]
fn a_disk_that_is_never_gone_through_has_all_ios() {
    for rw in ["randread", "randwrite"] {
        let options = format!("file_service_type=sequential rw={rw} norandommap io_size=200k");
        let blocks = &[16, 16];
        let fio = Place::new(&format!("first-{rw}"), blocks).fio(2, &options);
        let ours = ours(blocks, &options);
        let disks = |ios: &[Io]| ios.iter().map(|io| io.0).collect::<Vec<_>>();
        assert_eq!(disks(&ours), disks(&fio), "{rw}");
        assert!(ours.len() == 50 && ours[..32].iter().all(|io| io.0 == 0), "{rw}");
    }
}

#[test]
fn passes_that_are_drawn_have_fios_shape() {
    let mut wrong = Vec::new();
    for (number, (blocks, options)) in DRAWN.iter().enumerate() {
        let fio = shape(&Place::new(&format!("drawn{number}"), blocks).fio(blocks.len(), options));
        let ours = shape(&ours(blocks, options));
        if ours != fio {
            wrong.push(format!("{blocks:?} {options}\n  fio  {fio:?}\n  ours {ours:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
