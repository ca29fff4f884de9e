//! Disks as QEMU opens them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use anyhow::{Error, Result, anyhow};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::{AccessFlags, access};
use results::OriginDisk;
use serde_json::{Value, json};
use xl_config::{Config, Disk};

use crate::display::{self, fact};
use crate::exit::Exit;

/// Beginning of a qcow2 image.
const QCOW_MAGIC: &[u8] = b"QFI\xfb";

/// Checks that QEMU may open the disks of a guest as they are to be used, and that nothing here
/// uses those that the guest may write.
///
/// # Errors
/// [`Exit::Usage`]: the first disk that is in use, or may not be opened.
pub fn check(config: &Config) -> Result<()> {
    config.disks.iter().try_for_each(check_one)
}

fn check_one(disk: &Disk) -> Result<()> {
    let path = Path::new(disk.target());
    let wrong =
        |why: &str| -> Error { Exit::Usage(format!("{}: {why}", display::path(path))).into() };
    let writes = !disk.is_read_only();
    let wanted = if writes { AccessFlags::R_OK | AccessFlags::W_OK } else { AccessFlags::R_OK };
    access(path, wanted).map_err(|error| match error {
        Errno::EACCES | Errno::EPERM => {
            wrong("no permission; run as root, or give yourself access to it")
        }
        Errno::EROFS => wrong("it is on a read-only file system; add access=r to the disk"),
        error => wrong(error.desc()),
    })?;
    if writes && is_held(path) {
        return Err(wrong(
            "it is mounted, or part of a mounted disk, of a volume group, of a RAID or of swap, and \
             the guest could write to it; unmount it, or add access=r to the disk",
        ));
    }
    if writes && let Some(device) = loop_device(path, Path::new("/sys/block")) {
        return Err(wrong(&format!(
            "{device} has it, and the guest could write to it; detach that, name it as the disk, or \
             add access=r to the disk"
        )));
    }
    if disk.format() == "raw" && begins(path).is_ok_and(|start| start == QCOW_MAGIC) {
        return Err(wrong("it is a qcow2 image; add format=qcow2 to the disk"));
    }
    Ok(())
}

/// Returns whether somebody here has a claim on a device.
fn is_held(path: &Path) -> bool {
    let is_device = fs::metadata(path).is_ok_and(|found| found.file_type().is_block_device());
    // Nobody can share what a mount, device mapper, md or swap claims. It is opened for reading
    // only, of which udev takes no notice.
    let exclusive = || OpenOptions::new().read(true).custom_flags(OFlag::O_EXCL.bits()).open(path);
    let is_busy = |error: io::Error| error.raw_os_error() == Some(Errno::EBUSY as i32);
    is_device && exclusive().is_err_and(is_busy)
}

/// Returns the loop device of a file, if it has one, among those in `/sys/block`.
fn loop_device(path: &Path, devices: &Path) -> Option<String> {
    let path = path.canonicalize().ok()?;
    let has_it = |device: &fs::DirEntry| {
        let file = fs::read_to_string(device.path().join("loop/backing_file"));
        file.is_ok_and(|file| Path::new(file.trim_end_matches('\n')) == path)
    };
    let device = fs::read_dir(devices).ok()?.flatten().find(has_it)?;
    Some(format!("/dev/{}", device.file_name().to_string_lossy()))
}

fn begins(path: &Path) -> io::Result<[u8; 4]> {
    let mut start = [0; 4];
    io::Read::read_exact(&mut File::open(path)?, &mut start)?;
    Ok(start)
}

/// Returns whether a file or device can be read past the page cache, as xen-blkback does.
fn is_direct(path: &Path) -> bool {
    OpenOptions::new().read(true).custom_flags(OFlag::O_DIRECT.bits()).open(path).is_ok()
}

/// Returns a disk as QEMU's `-blockdev` takes it, under this name.
///
/// # Errors
/// A target that is not there.
pub fn blockdev(disk: &Disk, name: &str) -> Result<Value> {
    let path = Path::new(disk.target());
    let found = fs::metadata(path);
    let found = found.map_err(|error| anyhow!("{}: {error}", display::path(path)))?;
    let driver = if found.file_type().is_block_device() { "host_device" } else { "file" };
    let cache = json!({ "direct": is_direct(path) });
    let read_only = disk.is_read_only();
    let discard = if disk.has("no-discard") || read_only { "ignore" } else { "unmap" };
    Ok(json!({
        "driver": match disk.format() { "vhd" => "vpc", format => format },
        "node-name": name,
        "read-only": read_only,
        "discard": discard,
        "cache": cache,
        "file": {
            "driver": driver,
            "filename": disk.target(),
            "read-only": read_only,
            "discard": discard,
            "cache": cache,
        },
    }))
}

/// Returns the names of those disks whose data the host caches, because their file system has no
/// way past its cache.
pub fn cached(config: &Config) -> Vec<String> {
    let paths = config.disks.iter().map(|disk| Path::new(disk.target()));
    paths.filter(|path| !is_direct(path)).map(display::path).collect()
}

/// Returns what the result says of the disks.
pub fn origin(config: &Config) -> Vec<OriginDisk> {
    let names = config.disk_names().unwrap_or_default();
    let disk = |(name, disk): (String, &Disk)| {
        let path = Path::new(disk.target());
        let cache = if is_direct(path) { "direct" } else { "cached by the host" };
        let size = File::open(path).and_then(|mut file| file.seek(SeekFrom::End(0)));
        OriginDisk {
            vdev: Some(name),
            target: fact(disk.target()),
            backend: Some("QEMU's xen-disk".to_owned()),
            kind: Some(format!("{}, {cache}", disk.format())),
            read_only: Some(disk.is_read_only()),
            size_bytes: size.ok().filter(|_| disk.format() == "raw"),
            ..OriginDisk::default()
        }
    };
    names.into_iter().zip(&config.disks).map(disk).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_a_loop_device_is_known_by_any_of_its_paths() {
        let place = std::env::temp_dir().join(format!("ringmark-loop-{}", std::process::id()));
        let [free, device] = ["loop0", "loop7"].map(|name| place.join(name).join("loop"));
        fs::create_dir_all(&free).unwrap();
        fs::create_dir_all(&device).unwrap();
        let image = place.join("image");
        fs::write(&image, "data").unwrap();
        let whole = image.canonicalize().unwrap();
        fs::write(device.join("backing_file"), format!("{}\n", whole.display())).unwrap();
        let other_way = place.join("loop0/../image");
        let found = [&image, &other_way, &place].map(|path| loop_device(path, &place));
        fs::remove_dir_all(&place).unwrap();
        let expected = Some("/dev/loop7".to_owned());
        assert_eq!(found, [expected.clone(), expected, None]);
    }

    #[test]
    fn what_is_not_claimed_may_be_written() {
        assert!(!is_held(Path::new("/etc/passwd")) && !is_held(Path::new("/dev/null")));
        assert!(!is_held(Path::new("/no/such/disk")));
    }
}
