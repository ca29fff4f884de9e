//! Data that one of fio and ringmark writes and the other checks, by every method of `verify=`, and
//! the order in which both read back.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use fio_job::Checksum;
use model::blkback::{Lie, Mischief};
use model::{Disk, ModelXen};
use xen_abi::blkif::OP_WRITE;

use crate::{Machine, XVDA, ok, run};

/// Bytes of the region of each method.
const REGION: u64 = 32 << 10;
/// Bytes of a block.
const BLOCK: u64 = 8 << 10;
/// Byte of a block of any size that fio's `sha512` covers: of the first 128 behind the header,
/// those that are not replaced by the last 88.
const SHA512_COVERED: u64 = 168 + 100;
/// Options of `verify=`'s companions.
const VARIANTS: [&str; 5] = [
    "",
    "verify_interval=512",
    "verify_interval=1k verify_offset=300",
    "verify_offset=4000",
    "verify_pattern=0xabcd%o\"text\"",
];

/// File of a disk's data.
struct DiskFile(PathBuf);

impl DiskFile {
    fn new(test: &str, data: &[u8]) -> Self {
        let name = format!("ringmark-{}-{test}.disk", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, data).unwrap();
        Self(path)
    }

    /// Runs fio's job of kind `rw` for each of `jobs`, `name` and options; returns the errors of
    /// each.
    fn fio(&self, rw: &str, jobs: &[(String, String)]) -> Vec<u64> {
        let mut fio = Command::new("fio");
        fio.args(["--output-format=json", "--ioengine=psync", "--thread=1"]);
        for (name, options) in jobs {
            fio.arg(format!("--name={name}")).arg(format!("--rw={rw}"));
            fio.arg(format!("--filename={}", self.0.display()));
            fio.args(["--continue_on_error=verify", "--verify_state_save=0"]);
            fio.args(
                options.split(' ').filter(|text| !text.is_empty()).map(|text| format!("--{text}")),
            );
        }
        let output = fio.output();
        let output = output.unwrap_or_else(|e| panic!("cannot run fio: {e}; apt-get install fio"));
        let text = String::from_utf8(output.stdout).unwrap();
        let json = &text[text.find('{').unwrap_or_else(|| panic!("{text}"))..];
        let json: serde_json::Value = serde_json::from_str(json).unwrap();
        let errors = |job: &serde_json::Value| {
            let total = job["total_err"].as_u64().unwrap_or(0);
            total + job["error"].as_u64().unwrap()
        };
        json["jobs"].as_array().unwrap().iter().map(errors).collect()
    }

    fn data(&self) -> Vec<u8> {
        fs::read(&self.0).unwrap()
    }
}

impl AsRef<Path> for DiskFile {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for DiskFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Returns a job for each method, with a region of its own.
fn jobs(variant: &str) -> Vec<(String, String)> {
    let methods = Checksum::ALL.iter().map(Checksum::to_string);
    let job = |(number, method): (u64, String)| {
        let options =
            format!("verify={method} bs={BLOCK} size={REGION} offset={}", number * REGION);
        (format!("job-{method}"), format!("{options} {variant}").trim().to_owned())
    };
    (0..).zip(methods).map(job).collect()
}

/// Runs jobs of kind `rw` here; returns the errors of each.
fn ringmark(xen: &ModelXen, rw: &str, jobs: &[(String, String)]) -> Vec<u64> {
    let line: String = jobs
        .iter()
        .map(|(name, options)| format!("name={name} rw={rw} {options} filename=xvda do_verify=0 "))
        .collect();
    let outcome = run(xen, line.trim(), 1);
    assert_eq!(outcome.error, None);
    outcome.results.iter().map(|job| job.errors()).collect()
}

fn machine(seed: u64) -> ModelXen {
    let sectors = Checksum::ALL.len() as u64 * REGION / 512;
    Machine::seeded(seed).disk(Disk::new(XVDA, sectors)).build()
}

/// Changes a bit of each region, in its second block: one that the method of each covers.
fn spoil(data: &mut [u8], byte_of_block: u64) {
    for (number, region) in data.chunks_mut(REGION as usize).enumerate() {
        let is_sha512 = Checksum::ALL[number] == Checksum::Sha512;
        let byte = if is_sha512 { SHA512_COVERED } else { byte_of_block };
        region[(BLOCK + byte) as usize] ^= 4;
    }
}

#[test]
fn fio_takes_what_ringmark_wrote_by_every_method() {
    for (seed, variant) in VARIANTS.iter().enumerate() {
        let jobs = jobs(variant);
        let xen = machine(seed as u64);
        assert_eq!(ringmark(&xen, "write", &jobs), vec![0; jobs.len()], "{variant}");
        let file = DiskFile::new("ours", &xen.world().disks[0].data);
        assert_eq!(file.fio("read", &jobs), vec![0; jobs.len()], "{variant}");
        // And finds what was changed since: in a header, and behind it.
        let mut data = file.data();
        if variant.is_empty() {
            spoil(&mut data, 3000);
            fs::write(&file, &data).unwrap();
            let found = file.fio("read", &jobs);
            let is_found = |(number, errors): (usize, &u64)| {
                (*errors > 0) == (Checksum::ALL[number] != Checksum::Meta)
            };
            assert!(found.iter().enumerate().all(is_found), "{found:?}");
        }
    }
}

#[test]
fn ringmark_takes_what_fio_wrote_by_every_method() {
    for (seed, variant) in VARIANTS.iter().enumerate() {
        let jobs = jobs(variant);
        let xen = machine(seed as u64);
        let size = xen.world().disks[0].data.len();
        let file = DiskFile::new("theirs", &vec![0; size]);
        let writes =
            jobs.iter().map(|(name, options)| (name.clone(), format!("{options} do_verify=0")));
        assert_eq!(
            file.fio("write", &writes.collect::<Vec<_>>()),
            vec![0; jobs.len()],
            "{variant}"
        );
        xen.world().disks[0].data = file.data();
        assert_eq!(ringmark(&xen, "read", &jobs), vec![0; jobs.len()], "{variant}");
        // One block of each is found wrong, at its place.
        spoil(&mut xen.world().disks[0].data, 700);
        let errors = ringmark(&xen, "read", &jobs);
        let has_pattern = variant.contains("pattern");
        for (checksum, errors) in Checksum::ALL.iter().zip(errors) {
            let covers = *checksum != Checksum::Meta || has_pattern;
            assert_eq!(errors, u64::from(covers), "{checksum} {variant}");
        }
    }
}

#[test]
fn no_methods_blocks_pass_for_anothers() {
    let jobs = jobs("");
    let xen = machine(1);
    ringmark(&xen, "write", &jobs);
    let file = DiskFile::new("others", &xen.world().disks[0].data);
    // Each job reads the region of the method before it.
    let others = |(number, (name, options)): (usize, &(String, String))| {
        let offset = |number: usize| format!("offset={}", number as u64 * REGION);
        let before = (number + Checksum::ALL.len() - 1) % Checksum::ALL.len();
        (name.clone(), options.replace(&offset(number), &offset(before)))
    };
    let others: Vec<_> = jobs.iter().enumerate().map(others).collect();
    let (theirs, ours) = (file.fio("read", &others), ringmark(&xen, "read", &others));
    for ((checksum, theirs), ours) in Checksum::ALL.iter().zip(theirs).zip(ours) {
        // fio's header alone, `meta`, passes for any.
        let is_refused = *checksum != Checksum::Meta;
        assert_eq!((theirs > 0, ours > 0), (is_refused, is_refused), "{checksum}");
    }
}

#[test]
fn a_changed_byte_is_found_where_it_is() {
    for checksum in Checksum::ALL {
        if checksum == Checksum::Meta {
            continue;
        }
        let xen = machine(2);
        let line = format!("bs=4k size=64k verify={checksum} verify_interval=1k filename=xvda");
        ok(&run(&xen, &format!("rw=write {line}"), 1));
        let head = checksum.header_bytes() as u64;
        let first = if checksum == Checksum::Sha512 { SHA512_COVERED } else { head };
        for (byte, header) in [(5 * 1024 + first, 5), (5 * 1024 + 1023, 5), (7 * 1024, 7)] {
            let at = byte as usize;
            xen.world().disks[0].data[at] ^= 0x80;
            let outcome = run(&xen, &format!("rw=read {line}"), 1);
            xen.world().disks[0].data[at] ^= 0x80;
            assert_eq!(outcome.results[0].read.errors, 1, "{checksum} {byte}");
            let told = outcome.first_failure.unwrap();
            let place = format!("xvda: verify: block at byte {}: ", header * 1024);
            assert!(told.starts_with(&place), "{told}");
        }
    }
}

#[test]
fn sha512_covers_all_of_what_the_job_wrote_itself() {
    let xen = machine(3);
    let line = "rw=write bs=4k size=64k verify=sha512 filename=xvda";
    ok(&run(&xen, line, 1));
    // A byte in the middle changes between the writes and the reads.
    xen.world().disks[0].mischief = Mischief::of(Lie::BitFlip, 8);
    let outcome = run(&xen, &format!("{line} iodepth=4"), 1);
    let told = xen.world().disks[0].mischief.told;
    let errors = outcome.results[0].read.errors;
    assert!(errors > 0 && errors <= told, "{errors} of {told}");
}

/// Returns fio's I/Os of a job on an empty file, in order: whether each writes, and its block.
fn fios_order(options: &str) -> Vec<(bool, u64)> {
    let file = DiskFile::new("order", &[]);
    let log = DiskFile::new("log", &[]);
    let status = Command::new("fio")
        .args([
            "--name=a",
            "--ioengine=psync",
            "--bs=4k",
            "--output=/dev/null",
            "--verify_state_save=0",
        ])
        .arg(format!("--filename={}", file.0.display()))
        .arg(format!("--write_iolog={}", log.0.display()))
        .args(options.split(' ').map(|option| format!("--{option}")))
        .status();
    assert!(status.unwrap().success(), "{options}");
    let text = String::from_utf8(log.data()).unwrap();
    let io = |line: &str| {
        let mut words = line.split(' ').rev().skip(1);
        let offset: u64 = words.next()?.parse().ok()?;
        match words.next()? {
            "write" => Some((true, offset / 4096)),
            "read" => Some((false, offset / 4096)),
            _ => None,
        }
    };
    text.lines().filter_map(io).collect()
}

/// Returns our I/Os of a job, likewise.
fn our_order(options: &str) -> Vec<(bool, u64)> {
    let disk = Disk { traced: true, ..Disk::new(XVDA, 2048) };
    let xen = Machine::seeded(1).disk(disk).build();
    ok(&run(&xen, &format!("bs=4k filename=xvda {options}"), 1));
    let world = xen.world();
    world.disks[0]
        .served
        .iter()
        .map(|request| (request.operation == OP_WRITE, request.sector / 8))
        .collect()
}

/// Returns an order with the blocks as numbers of their first write, so that random ones compare.
fn by_write(order: &[(bool, u64)]) -> Vec<(bool, usize)> {
    let first = |block| order.iter().position(|&(writes, one)| writes && one == block);
    order.iter().map(|&(writes, block)| (writes, first(block).unwrap_or(usize::MAX))).collect()
}

#[test]
fn a_backlog_is_read_back_in_fios_order() {
    for options in [
        "verify_backlog=4",
        "verify_backlog=1",
        "verify_backlog=3",
        "verify_backlog=10",
        "verify_backlog=11",
        "verify_backlog=100",
        "verify_backlog=4 verify_backlog_batch=6",
        "verify_backlog=2 verify_backlog_batch=1k",
        "verify_backlog=4 do_verify=0",
        "verify_backlog=0",
    ] {
        for (rw, method) in
            [("write", "md5"), ("randwrite", "crc32c"), ("write", "pattern verify_pattern=%o")]
        {
            let line = format!("rw={rw} size=40k verify={method} {options}");
            let (theirs, ours) = (fios_order(&line), our_order(&line));
            assert_eq!(by_write(&theirs), by_write(&ours), "{line}: {theirs:?} {ours:?}");
            if rw == "write" {
                assert_eq!(theirs, ours, "{line}");
            }
        }
    }
}
