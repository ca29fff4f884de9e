//! Findings about a disk: what it is, who else uses it, and what stands between it and the backend.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use nix::libc::{major, minor};
use results::OriginDisk;
use xl_config::Disk;

use super::finding::Finding;
use crate::backend;
use crate::block::Block;
use crate::check;
use crate::display;
use crate::root::Root;

/// Longest list of mounts that is read, in bytes.
const MOUNTS_BYTES_MAX: u64 = 4 << 20;
/// Most users of a disk that are named.
const NAMED_MAX: usize = 4;
/// Drivers whose devices are memory.
const MEMORY: [&str; 3] = ["brd", "null_blk", "zram"];
/// Drivers of disks that may be SSDs.
const SSDS: [&str; 3] = ["dm", "nvme", "sd"];

/// Looks at a disk; `backends` lists those of dom0 in xenstore. Returns its facts, and what there
/// is to say of it.
pub fn look(root: &Root, disk: &Disk, backends: Option<&str>) -> (OriginDisk, Vec<Finding>) {
    let about = display::text(disk.target());
    let facts = OriginDisk {
        target: display::fact(disk.target()),
        read_only: Some(disk.is_read_only()),
        ..OriginDisk::default()
    };
    let Some(path) = disk.local_path().map(|path| root.path(path)) else {
        let text = "belongs to another domain or to a script, and cannot be looked at here";
        return (facts, vec![Finding::note(&about, text)]);
    };
    if let Err(why) = check::target(disk, &path) {
        let advice = "name a block device or a file with --disk";
        return (facts, vec![Finding::fail(&about, why, advice)]);
    }
    let Ok(found) = fs::metadata(&path) else { return (facts, Vec::new()) };
    if !found.file_type().is_block_device() {
        return of_file(&about, &path, found.len(), facts);
    }
    let device = found.rdev();
    let block = Block::new(root, major(device), minor(device));
    let named = OriginDisk { target: facts.target, read_only: facts.read_only, ..block.facts() };
    let mut findings = vec![kind(&about, block, &named)];
    findings.extend(users(&about, root, block, backends, disk.is_read_only()));
    findings.extend(way(&about, block, &named));
    (named, findings)
}

fn of_file(about: &str, path: &Path, bytes: u64, facts: OriginDisk) -> (OriginDisk, Vec<Finding>) {
    let shown = size(bytes);
    let facts = OriginDisk { device: Some("file".to_owned()), size_bytes: Some(bytes), ..facts };
    let text = format!(
        "is a file of {shown}: a file system, and a loop device or QEMU, stand between the ring \
         and the disk"
    );
    let mut findings = vec![Finding::warn(about, text, "measure a block device, phy:/dev/..")];
    let has_holes = fs::metadata(path).is_ok_and(|found| found.blocks() < bytes / 512);
    if has_holes {
        let text = "has holes: they are read without the disk, and a first write allocates";
        findings.push(Finding::warn(about, text, "write all of it first, see --precondition"));
    }
    (facts, findings)
}

/// Tells what a device is.
fn kind(about: &str, block: Block<'_>, facts: &OriginDisk) -> Finding {
    let lowest = block.lowest();
    let on = match lowest.is_empty() {
        true => None,
        false => Some(format!("on {}", display::text(&named(&lowest)))),
    };
    let device = facts.device.clone().unwrap_or_else(|| "a device that /sys has not".to_owned());
    let turns = facts.rotational.map(|turns| if turns { "rotational" } else { "not rotational" });
    let all = [
        Some(device),
        on,
        facts.size_bytes.map(size),
        facts.sector_bytes.map(|bytes| format!("{bytes}-byte sectors")),
        facts.scheduler.as_ref().map(|name| format!("scheduler {name}")),
        turns.map(str::to_owned),
        facts.write_cache.clone(),
    ];
    Finding::ok(about, all.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

/// Looks for others that use it.
fn users(
    about: &str,
    root: &Root,
    block: Block<'_>,
    backends: Option<&str>,
    is_read_only: bool,
) -> Vec<Finding> {
    let mut uses = Vec::new();
    let mounts = root.text("/proc/self/mountinfo", MOUNTS_BYTES_MAX).unwrap_or_default();
    let numbers = block.all_numbers();
    // `ID PARENT MAJOR:MINOR ROOT MOUNT-POINT ..`
    let mounted = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ');
        let device = fields.nth(2)?;
        numbers.contains(device).then(|| fields.nth(1)).flatten()
    });
    let mounted: Vec<String> = mounted.map(str::to_owned).collect();
    if !mounted.is_empty() {
        uses.push(format!("mounted at {}", display::text(&named(&mounted))));
    }
    let swaps = root.text("/proc/swaps", MOUNTS_BYTES_MAX).unwrap_or_default();
    let names = block.all_names();
    let is_ours = |line: &str| {
        let path = line.split_whitespace().next().and_then(|path| path.strip_prefix("/dev/"));
        path.is_some_and(|name| names.iter().any(|ours| ours == name))
    };
    if swaps.lines().any(is_ours) {
        uses.push("swapped to".to_owned());
    }
    let holders = block.holders();
    if !holders.is_empty() {
        uses.push(format!("held by {}", display::text(&named(&holders))));
    }
    let guests = backends.map(|listing| backend::users(listing, block.major, block.minor));
    let guests: Vec<String> = guests.unwrap_or_default().iter().map(u32::to_string).collect();
    if !guests.is_empty() {
        uses.push(format!("a disk of domain {}", named(&guests)));
    }
    uses.into_iter().map(|used| in_use(about, &used, is_read_only)).collect()
}

fn in_use(about: &str, used: &str, is_read_only: bool) -> Finding {
    let advice = "take another disk";
    if is_read_only {
        let text = format!("is {used}: I/O of others is in the figures");
        return Finding::warn(about, text, advice);
    }
    let text = format!("is {used}: a job that writes destroys what is there");
    Finding::fail(about, text, "take another disk, or add ,r to only read")
}

/// Looks at what an I/O goes through.
fn way(about: &str, block: Block<'_>, facts: &OriginDisk) -> Vec<Finding> {
    let mut findings = Vec::new();
    let device = facts.device.as_deref().unwrap_or_default();
    let is_writable = facts.read_only == Some(false);
    if is_writable && block.is_read_only() == Some(true) {
        let text = "refuses writes, and is to be written";
        findings.push(Finding::fail(about, text, "add ,r to the disk, or take another"));
    }
    if MEMORY.contains(&device) {
        let text = "is memory: figures are of the ring, the grants and the backend, not of a disk";
        findings.push(Finding::note(about, text));
    }
    if facts.direct_io == Some(false) {
        let file = block.backing_file().unwrap_or_else(|| "its file".to_owned());
        let text = format!("has no direct I/O to {file}: dom0's page cache answers, not the disk");
        findings.push(Finding::warn(about, text, "losetup --direct-io=on, on this device"));
    }
    let schedulers = facts.scheduler.as_deref().unwrap_or("none");
    if facts.rotational == Some(false) && schedulers != "none" {
        let text =
            format!("{schedulers} sorts requests that need no order, and takes time for each");
        let advice = "write none to its queue/scheduler in /sys/block";
        findings.push(Finding::warn(about, text, advice));
    }
    if is_writable && facts.rotational == Some(false) && SSDS.contains(&device) {
        let text =
            "may be an SSD: blocks that are new or trimmed answer faster than they will later";
        findings
            .push(Finding::note(about, text).with("ringmark run --precondition writes them first"));
    }
    findings
}

fn named(all: &[String]) -> String {
    let mut text = all.iter().take(NAMED_MAX).map(String::as_str).collect::<Vec<_>>().join(" ");
    if let more @ 1.. = all.len().saturating_sub(NAMED_MAX) {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

/// Returns a size in the largest unit of which there is one at least.
fn size(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let unit = units.into_iter().find(|(_, shift)| bytes >> shift != 0);
    match unit {
        Some((name, shift)) => format!("{:.1} {name}", bytes as f64 / (1_u64 << shift) as f64),
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    /// A copy of a host's `/sys` and `/proc`.
    struct Copy(PathBuf);

    impl Copy {
        fn new(name: &str) -> Self {
            let name = format!("ringmark-disk-{}-{name}", std::process::id());
            let copy = Self(std::env::temp_dir().join(name));
            let _ = fs::remove_dir_all(&copy.0);
            copy
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.0.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        /// Adds a device with a queue.
        fn device(&self, name: &str, numbers: &str, queue: [&str; 3]) {
            let [scheduler, rotational, write_cache] = queue;
            let place = format!("sys/devices/{name}");
            self.write(&format!("{place}/size"), "2097152\n");
            self.write(&format!("{place}/dev"), numbers);
            self.write(&format!("{place}/ro"), "0\n");
            self.write(&format!("{place}/queue/logical_block_size"), "512\n");
            self.write(&format!("{place}/queue/scheduler"), scheduler);
            self.write(&format!("{place}/queue/rotational"), rotational);
            self.write(&format!("{place}/queue/write_cache"), write_cache);
            self.name(&place, name, numbers);
        }

        /// Adds a partition.
        fn part(&self, disk: &str, name: &str, numbers: &str) {
            let place = format!("sys/devices/{disk}/{name}");
            self.write(&format!("{place}/partition"), "1\n");
            self.write(&format!("{place}/dev"), &format!("{numbers}\n"));
            self.name(&place, name, numbers);
        }

        fn name(&self, place: &str, name: &str, numbers: &str) {
            for link in [format!("sys/dev/block/{numbers}"), format!("sys/class/block/{name}")] {
                let link = self.0.join(link);
                fs::create_dir_all(link.parent().unwrap()).unwrap();
                symlink(self.0.join(place), link).unwrap();
            }
        }

        /// Returns what is found of a device that is to be written, without the first line.
        fn found(&self, (major, minor): (u32, u32), backends: Option<&str>) -> Vec<Finding> {
            let root = Root::new(&self.0);
            let block = Block::new(&root, major, minor);
            let facts = OriginDisk { read_only: Some(false), ..block.facts() };
            let mut findings = users("d", &root, block, backends, false);
            findings.extend(way("d", block, &facts));
            findings
        }

        fn kind(&self, (major, minor): (u32, u32)) -> String {
            let root = Root::new(&self.0);
            let block = Block::new(&root, major, minor);
            kind("d", block, &block.facts()).line()
        }
    }

    impl Drop for Copy {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn lines(findings: &[Finding]) -> String {
        findings.iter().map(Finding::line).collect()
    }

    #[test]
    fn a_disk_is_described_by_its_lowest_devices() {
        let copy = Copy::new("lowest");
        copy.device("nvme0n1", "259:0", ["none [mq-deadline] kyber", "0", "write back"]);
        copy.part("nvme0n1", "nvme0n1p2", "259:2");
        copy.device("dm-3", "253:3", ["none", "0", "write back"]);
        copy.write("sys/devices/dm-3/slaves/nvme0n1p2", "");
        let expected = "ok    d: dm, on nvme0n1p2, 1.0 GiB, 512-byte sectors, scheduler \
                        mq-deadline, not rotational, write back\n";
        assert_eq!(copy.kind((253, 3)), expected);
        let said = lines(&copy.found((253, 3), None));
        assert!(said.starts_with("warn  d: mq-deadline sorts requests"), "{said}");
        assert!(said.contains("\nnote  d: may be an SSD"), "{said}");
        assert_eq!(copy.kind((9, 9)), "ok    d: a device that /sys has not\n");
        // A disk that turns needs the order, and loops of devices have an end.
        copy.device("sda", "8:0", ["[bfq] none", "1", "write through"]);
        copy.write("sys/devices/sda/slaves/sda", "");
        assert!(copy.found((8, 0), None).is_empty());
    }

    #[test]
    fn whoever_uses_a_disk_or_a_part_of_it_is_named() {
        let copy = Copy::new("users");
        copy.device("sda", "8:0", ["[none]", "1", "write through"]);
        copy.part("sda", "sda1", "8:1");
        assert!(copy.found((8, 0), None).is_empty());
        copy.write("sys/devices/sda/sda1/holders/dm-0", "");
        copy.write(
            "proc/self/mountinfo",
            "22 1 8:16 / / rw - ext4 /dev/sdb rw\n\
             23 22 8:1 / /srv/a\\040b rw - ext4 /dev/sda1 rw\n\n",
        );
        copy.write("proc/swaps", "Filename Type Size\n/dev/sda1 partition 9 0 -2\n/dev/sdb1 x\n");
        let listing = "/local/domain/0/backend/vbd/7/51712/physical-device = \"8:0\"\n";
        let found = copy.found((8, 0), Some(listing));
        let texts: Vec<&str> =
            found.iter().map(|one| one.text.split(':').next().unwrap()).collect();
        let expected = [
            "is mounted at /srv/a\\040b",
            "is swapped to",
            "is held by dm-0",
            "is a disk of domain 7",
        ];
        assert_eq!(texts, expected);
        assert!(found.iter().all(|one| one.level == Level::Fail));
        assert!(
            in_use("d", "held by dm-0", true).line().starts_with("warn  d: is held by dm-0: I/O")
        );
    }

    #[test]
    fn what_answers_in_place_of_a_disk_is_told() {
        let copy = Copy::new("memory");
        copy.device("ram0", "1:0", ["none", "0", "write through"]);
        let said = lines(&copy.found((1, 0), None));
        assert!(said.starts_with("note  d: is memory") && said.lines().count() == 1, "{said}");
        copy.device("loop0", "7:0", ["[none] mq-deadline", "0", "write back"]);
        copy.write("sys/devices/loop0/loop/dio", "0\n");
        copy.write("sys/devices/loop0/loop/backing_file", "/srv/\u{1b}disk\n");
        copy.write("sys/devices/loop0/ro", "1\n");
        let said = lines(&copy.found((7, 0), None));
        assert!(
            said.contains("warn  d: has no direct I/O to /srv/\\u{1b}disk: dom0's page"),
            "{said}"
        );
        assert!(said.contains("fail  d: refuses writes"), "{said}");
        copy.write("sys/devices/loop0/loop/dio", "1\n");
        copy.write("sys/devices/loop0/ro", "0\n");
        assert_eq!(copy.found((7, 0), None), []);
    }

    #[test]
    fn files_and_what_is_no_disk_are_told() {
        let copy = Copy::new("files");
        copy.write("srv/whole", "x".repeat(8192).as_str());
        let root = Root::new(&copy.0);
        let said = |disk: &str| {
            let (facts, found) = look(&root, &Disk::parse(disk).unwrap(), None);
            (facts.device.unwrap_or_default(), lines(&found))
        };
        let (device, whole) = said("/srv/whole,raw,xvda,w");
        assert!(device == "file" && whole.starts_with("warn  /srv/whole: is a file of 8.0 KiB"));
        assert!(!whole.contains("holes"), "{whole}");
        fs::File::create(copy.0.join("srv/thin")).unwrap().set_len(1 << 30).unwrap();
        assert!(said("/srv/thin,raw,xvda,w").1.contains("warn  /srv/thin: has holes"));
        assert!(said("phy:/srv/none").1.starts_with("fail  /srv/none: No such file"));
        assert!(said("phy:/srv").1.starts_with("fail  /srv: it is neither a block device"));
        assert!(
            said("backend=3,phy:/dev/a,xvda,w").1.starts_with("note  /dev/a: belongs to another")
        );
    }
}
