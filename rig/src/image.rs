//! The base images, kept in the cache: Xen, dom0's kernel and initramfs, and for comparisons a
//! Linux guest's. What changes from run to run is a second archive laid over dom0's initramfs.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::archive::Archive;
use crate::cache::{self, Cache};
use crate::libraries::Libraries;
use crate::packages::Packages;
use crate::progress::Progress;

const DOM0_INIT: &str = include_str!("../dom0/init");
const DOM0_BLOCK_SCRIPT: &str = include_str!("../dom0/block");
const DOM0_LIB: &str = include_str!("../dom0/lib.sh");
const PEER_INIT: &str = include_str!("../peer/init");

/// dom0 must leave Xen's free memory to the guests that a run creates.
const XL_CONF: &str = "autoballoon=\"off\"\n";

const DOM0_MODULES: [&str; 11] = [
    "brd",
    "configfs",
    "loop",
    "null_blk",
    "ufs",
    "xen-blkback",
    "xen-evtchn",
    "xen-gntalloc",
    "xen-gntdev",
    "xen-privcmd",
    "xenfs",
];
const XEN_PROGRAMS: [&str; 5] = ["xen-init-dom0", "xenconsole", "xenconsoled", "xenstored", "xl"];
const XENSTORE_PROGRAMS: [&str; 6] = ["exists", "list", "ls", "read", "rm", "write"];

/// The pieces of a machine that boots Xen, as files.
pub(crate) struct Image {
    directory: PathBuf,
}

impl Image {
    /// The image, built if the cache has none of these inputs.
    ///
    /// # Errors
    /// When a package cannot be fetched or lacks what the image needs.
    pub(crate) fn build(cache: &Cache, progress: &Progress) -> Result<Self> {
        let packages = Packages::fetch(cache, progress)?;
        let version = env!("CARGO_PKG_VERSION");
        let inputs = [
            &packages.manifest,
            version,
            RECIPE,
            DOM0_INIT,
            DOM0_BLOCK_SCRIPT,
            DOM0_LIB,
            PEER_INIT,
        ];
        let name = format!("image-{}", cache::key(inputs.map(str::as_bytes)));
        let directory = cache.entry(&name, |draft| {
            progress.stage("building the dom0 image and the Linux guest");
            build(&packages.root, draft)
        })?;
        Ok(Self { directory })
    }

    /// The hypervisor, an ELF that QEMU loads as multiboot.
    pub(crate) fn xen(&self) -> PathBuf {
        self.directory.join("xen")
    }

    /// dom0's kernel.
    pub(crate) fn dom0_kernel(&self) -> PathBuf {
        self.directory.join("vmlinuz")
    }

    /// dom0's initramfs, uncompressed.
    pub(crate) fn dom0_initramfs(&self) -> PathBuf {
        self.directory.join("dom0.cpio")
    }

    /// The Linux guest's kernel, uncompressed.
    pub(crate) fn peer_kernel(&self) -> PathBuf {
        self.directory.join("vmlinux")
    }

    /// The Linux guest's initramfs, uncompressed.
    pub(crate) fn peer_initramfs(&self) -> PathBuf {
        self.directory.join("peer.cpio")
    }
}

/// This file is an input of what it builds.
const RECIPE: &str = include_str!("image.rs");

fn build(root: &Path, place: &Path) -> Result<()> {
    let boot = root.join("boot");
    let kernel = boot.join(named(&boot, "vmlinuz-", "")?);
    let xen = boot.join(named(&boot, "xen-4.17", ".gz")?);
    let version = named(&root.join("lib/modules"), "", "")?;
    let modules = root.join("lib/modules").join(version).join("kernel");
    let libraries = Libraries::below(root)?;

    fs::copy(&kernel, place.join("vmlinuz"))?;
    fs::write(place.join("xen"), unpack("gzip", fs::read(xen)?)?)?;
    let vmlinux = unpack("xz", payload(&fs::read(&kernel)?)?)
        .with_context(|| format!("cannot unpack {}", kernel.display()))?;
    fs::write(place.join("vmlinux"), vmlinux)?;
    save(dom0(root, &modules, &libraries)?, &place.join("dom0.cpio"))?;
    save(peer(root, &modules, &libraries)?, &place.join("peer.cpio"))
}

fn dom0(root: &Path, modules: &Path, libraries: &Libraries) -> Result<Archive> {
    let mut archive = Archive::new();
    archive.add("/init", 0o755, DOM0_INIT);
    archive.add("/rig/lib.sh", 0o644, DOM0_LIB);
    archive.add("/etc/xen/xl.conf", 0o644, XL_CONF);
    archive.add("/etc/xen/scripts/block", 0o755, DOM0_BLOCK_SCRIPT);
    archive.copy("/bin/busybox", 0o755, &root.join("bin/busybox"))?;
    for name in DOM0_MODULES {
        add_module(&mut archive, modules, name)?;
    }
    let programs = Path::new("usr/lib/xen-4.17/bin");
    for name in XEN_PROGRAMS {
        let path = programs.join(name);
        libraries.add(&mut archive, &format!("/{}", path.display()), &root.join(&path))?;
    }
    for verb in XENSTORE_PROGRAMS {
        let path = format!("/usr/bin/xenstore-{verb}");
        libraries.add(&mut archive, &path, &root.join(&path[1..]))?;
    }
    // xl ends its threads with pthread_cancel, for which libc opens this one.
    libraries.add_library(&mut archive, "libgcc_s.so.1")?;
    Ok(archive)
}

fn peer(root: &Path, modules: &Path, libraries: &Libraries) -> Result<Archive> {
    let mut archive = Archive::new();
    archive.add("/init", 0o755, PEER_INIT);
    archive.copy("/bin/busybox", 0o755, &root.join("bin/busybox"))?;
    add_module(&mut archive, modules, "xen-blkfront")?;
    add_module(&mut archive, modules, "ufs")?;
    libraries.add(&mut archive, "/usr/bin/fio", &root.join("usr/bin/fio"))?;
    Ok(archive)
}

fn add_module(archive: &mut Archive, modules: &Path, name: &str) -> Result<()> {
    let file = format!("{name}.ko");
    let path =
        search(modules, &file)?.with_context(|| format!("the kernel package has no {file}"))?;
    archive.copy(&format!("/modules/{file}"), 0o644, &path)
}

fn search(directory: &Path, file: &str) -> Result<Option<PathBuf>> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            if let Some(path) = search(&entry.path(), file)? {
                return Ok(Some(path));
            }
        } else if entry.file_name() == file {
            return Ok(Some(entry.path()));
        }
    }
    Ok(None)
}

/// The one file name in a directory that begins and ends so.
fn named(directory: &Path, prefix: &str, suffix: &str) -> Result<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)
        .with_context(|| format!("the packages have no {}", directory.display()))?
    {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with(prefix) && name.ends_with(suffix) {
            found.push(name);
        }
    }
    match found.pop() {
        Some(name) if found.is_empty() => Ok(name),
        _ => bail!("expected one {prefix}*{suffix} in {}", directory.display()),
    }
}

fn save(archive: Archive, path: &Path) -> Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    archive.write(&mut file)?;
    Ok(file.flush()?)
}

/// The compressed kernel in a bzImage, without the size that follows it (Linux,
/// Documentation/x86/boot.rst: `setup_sects`, `payload_offset`, `payload_length`).
fn payload(image: &[u8]) -> Result<Vec<u8>> {
    let word = |at: usize| -> Option<usize> {
        let bytes = image.get(at..at.checked_add(4)?)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize)
    };
    let found = || {
        let setup_sectors = usize::from(*image.get(0x1f1)?);
        let start = ((setup_sectors + 1) * 512).checked_add(word(0x248)?)?;
        let end = start.checked_add(word(0x24c)?)?.checked_sub(4)?;
        image.get(start..end)
    };
    ensure!(image.get(0x202..0x206) == Some(b"HdrS"), "no bzImage");
    Ok(found().context("its payload is outside the file")?.to_vec())
}

/// Decompresses by a filter program.
fn unpack(program: &str, packed: Vec<u8>) -> Result<Vec<u8>> {
    let mut child = Command::new(program)
        .arg("-dc")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {program}"))?;
    let mut input = child.stdin.take().context("no pipe")?;
    let feeder = std::thread::spawn(move || input.write_all(&packed));
    let output = child.wait_with_output()?;
    let fed = feeder.join().is_ok_and(|result| result.is_ok());
    ensure!(output.status.success() && fed, "{program} could not decompress it");
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bz_image(length: u32) -> Vec<u8> {
        let mut image = vec![0; 0x400];
        image[0x1f1] = 0;
        image[0x202..0x206].copy_from_slice(b"HdrS");
        image[0x248..0x24c].copy_from_slice(&0x10u32.to_le_bytes());
        image[0x24c..0x250].copy_from_slice(&length.to_le_bytes());
        image[0x210..0x218].copy_from_slice(b"payload!");
        image
    }

    #[test]
    fn payload_is_cut_out_of_a_bzimage() {
        assert_eq!(payload(&bz_image(12)).unwrap(), b"payload!");
    }

    #[test]
    fn a_broken_bzimage_is_refused() {
        assert!(payload(&bz_image(u32::MAX)).is_err());
        assert!(payload(&bz_image(3)).is_err());
        assert!(payload(&bz_image(12)[..0x24a]).is_err());
        assert!(payload(b"MZ").is_err());
    }

    #[test]
    fn a_filter_unpacks_and_fails_on_garbage() {
        assert!(unpack("gzip", b"no gzip".to_vec()).is_err());
    }
}
