//! The base image, kept in the cache: Xen, and dom0's kernel and initramfs. What changes from run
//! to run is a second archive laid over dom0's initramfs.

use std::path::{Path, PathBuf};

use anyhow::Result;
use fs_err as fs;

use crate::archive::Archive;
use crate::cache::{self, Cache};
use crate::contents::Extent;
use crate::filter;
use crate::libraries::Libraries;
use crate::linux::{Linux, named};
use crate::packages::{Packages, Selection};
use crate::progress::Progress;

const PACKAGES: Selection = Selection {
    suite: None,
    names: &[
        "busybox-static",
        "xen-hypervisor-4.17-amd64",
        "xen-utils-4.17",
        "xen-utils-common",
        "xenstore-utils",
    ],
};

const DOM0_INIT: &str = include_str!("../dom0/init");
const DOM0_BLOCK_SCRIPT: &str = include_str!("../dom0/block");
const DOM0_LIB: &str = include_str!("../dom0/lib.sh");

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
const XEN_PROGRAMS: [&str; 6] =
    ["libxl-save-helper", "xen-init-dom0", "xenconsole", "xenconsoled", "xenstored", "xl"];
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
        let packages = Packages::fetch(cache, progress, &PACKAGES)?;
        let version = env!("CARGO_PKG_VERSION");
        let inputs = [&packages.manifest, version, RECIPE, DOM0_INIT, DOM0_BLOCK_SCRIPT, DOM0_LIB];
        let name = format!("image-{}", cache::key(inputs.map(str::as_bytes)));
        let directory = cache.entry(&name, Extent::Digests, progress, |draft| {
            progress.stage("building the dom0 image");
            packages.check()?;
            build(&packages.root(), draft)
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
}

/// This file is an input of what it builds.
const RECIPE: &str = include_str!("image.rs");

fn build(root: &Path, place: &Path) -> Result<()> {
    let boot = root.join("boot");
    let xen = boot.join(named(&boot, "xen-4.17", ".gz")?);
    let linux = Linux::below(root)?;
    fs::copy(&linux.bz_image, place.join("vmlinuz"))?;
    fs::write(place.join("xen"), filter::decompress(fs::read(xen)?)?)?;
    dom0(root, &linux)?.save(&place.join("dom0.cpio"))
}

fn dom0(root: &Path, linux: &Linux) -> Result<Archive> {
    let libraries = Libraries::below(root)?;
    let mut archive = Archive::new();
    archive.add("/init", 0o755, DOM0_INIT);
    archive.add("/rig/lib.sh", 0o644, DOM0_LIB);
    archive.add("/etc/xen/xl.conf", 0o644, XL_CONF);
    archive.add("/etc/xen/scripts/block", 0o755, DOM0_BLOCK_SCRIPT);
    archive.copy("/bin/busybox", 0o755, &root.join("bin/busybox"))?;
    for name in DOM0_MODULES {
        linux.add_module(&mut archive, name)?;
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
