//! The base image, kept in the cache: Xen, and dom0's kernel and initramfs. What changes from run
//! to run is a second archive laid over dom0's initramfs.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fs_err as fs;

use crate::archive::Archive;
use crate::cache::{self, Cache};
use crate::contents::Extent;
use crate::filter;
use crate::libraries::Libraries;
use crate::linux::{Linux, named};
use crate::packages::{Packages, Selection};
use crate::progress::Progress;

/// Debian's release that Xen and dom0 come from.
pub(crate) struct Release {
    /// Its packages.
    pub(crate) packages: Selection,
    /// Xen's version, as in names of files.
    xen: &'static str,
    /// dom0's programs that are not Xen's.
    programs: &'static [&'static str],
}

impl Release {
    /// The host's.
    pub(crate) const BOOKWORM: Self = Self {
        packages: Selection {
            suite: None,
            names: &[
                "busybox-static",
                "dmsetup",
                "xen-hypervisor-4.17-amd64",
                "xen-utils-4.17",
                "xen-utils-common",
                "xenstore-utils",
            ],
        },
        xen: "4.17",
        programs: &["/sbin/dmsetup"],
    };
    /// The one after it, whose dom0 can run fio itself.
    pub(crate) const TRIXIE: Self = Self {
        packages: Selection {
            suite: Some("trixie"),
            names: &[
                "busybox-static",
                "fio",
                "xen-hypervisor-4.20-amd64",
                "xen-utils-4.20",
                "xen-utils-common",
                "xenstore-utils",
            ],
        },
        xen: "4.20",
        programs: &["/usr/bin/fio"],
    };
}

const DOM0_INIT: &str = include_str!("../dom0/init");
const DOM0_BLOCK_SCRIPT: &str = include_str!("../dom0/block");
const DOM0_LIB: &str = include_str!("../dom0/lib.sh");

/// dom0 must leave Xen's free memory to the guests that a run creates.
const XL_CONF: &str = "autoballoon=\"off\"\n";

const DOM0_MODULES: [&str; 13] = [
    "brd",
    "configfs",
    "dm-delay",
    "dm-mod",
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
    /// Version of dom0's kernel, as `uname -r` has it.
    pub(crate) linux_version: String,
}

impl Image {
    /// The image of Debian 12, as [`Image::of`].
    ///
    /// # Errors
    /// As [`Image::of`].
    pub(crate) fn build(cache: &Cache, progress: &Progress) -> Result<Self> {
        Self::of(&Release::BOOKWORM, cache, progress)
    }

    /// The image of a release, built if the cache has none of these inputs.
    ///
    /// # Errors
    /// When a package cannot be fetched or lacks what the image needs.
    pub(crate) fn of(release: &Release, cache: &Cache, progress: &Progress) -> Result<Self> {
        let packages = Packages::fetch(cache, progress, &release.packages)?;
        let version = env!("CARGO_PKG_VERSION");
        let inputs = [&packages.manifest, version, RECIPE, DOM0_INIT, DOM0_BLOCK_SCRIPT, DOM0_LIB];
        let name = format!("image-{}", cache::key(inputs.map(str::as_bytes)));
        let directory = cache.entry(&name, Extent::Digests, progress, |draft| {
            progress.stage("building the dom0 image");
            packages.check()?;
            build(release, &packages.root(), draft)
        })?;
        Ok(Self { directory, linux_version: Linux::below(&packages.root())?.version })
    }

    /// The hypervisor, an ELF that QEMU loads as multiboot.
    pub(crate) fn xen(&self) -> PathBuf {
        self.directory.join("xen")
    }

    /// dom0's kernel.
    pub(crate) fn dom0_kernel(&self) -> PathBuf {
        self.directory.join("vmlinuz")
    }

    /// The place in dom0 of the kernel module that has this file's name.
    ///
    /// # Errors
    /// When dom0 has no such module.
    pub(crate) fn module(file: &Path) -> Result<String> {
        let name = file.file_name().and_then(|name| name.to_str()).and_then(|name| {
            let stem = name.strip_suffix(".ko")?;
            DOM0_MODULES.contains(&stem).then(|| format!("/modules/{name}"))
        });
        let all = || DOM0_MODULES.join(", ");
        name.with_context(|| format!("dom0 has no module {}: it has {}", file.display(), all()))
    }

    /// dom0's initramfs, uncompressed.
    pub(crate) fn dom0_initramfs(&self) -> PathBuf {
        self.directory.join("dom0.cpio")
    }
}

/// This file is an input of what it builds.
const RECIPE: &str = include_str!("image.rs");

fn build(release: &Release, root: &Path, place: &Path) -> Result<()> {
    let boot = root.join("boot");
    let xen = boot.join(named(&boot, &format!("xen-{}", release.xen), ".gz")?);
    let linux = Linux::below(root)?;
    fs::copy(&linux.bz_image, place.join("vmlinuz"))?;
    fs::write(place.join("xen"), filter::decompress(fs::read(xen)?)?)?;
    dom0(release, root, &linux)?.save(&place.join("dom0.cpio"))
}

fn dom0(release: &Release, root: &Path, linux: &Linux) -> Result<Archive> {
    let libraries = Libraries::below(root)?;
    let mut archive = Archive::new();
    archive.add("/init", 0o755, DOM0_INIT);
    archive.add("/rig/lib.sh", 0o644, DOM0_LIB);
    archive.add("/etc/xen/xl.conf", 0o644, XL_CONF);
    archive.add("/etc/xen/scripts/block", 0o755, DOM0_BLOCK_SCRIPT);
    // Debian 13 has nothing in /bin any more.
    let busybox = ["usr/bin/busybox", "bin/busybox"].map(|place| root.join(place));
    let busybox = busybox.into_iter().find(|path| path.is_file());
    archive.copy("/bin/busybox", 0o755, &busybox.context("the packages have no busybox")?)?;
    for name in DOM0_MODULES {
        linux.add_module(&mut archive, name)?;
    }
    let of_xen = XEN_PROGRAMS.map(|name| format!("/usr/lib/xen-{}/bin/{name}", release.xen));
    let of_xenstore = XENSTORE_PROGRAMS.map(|verb| format!("/usr/bin/xenstore-{verb}"));
    let programs = release.programs.iter().map(|&path| path.to_owned());
    for path in of_xen.into_iter().chain(of_xenstore).chain(programs) {
        libraries.add(&mut archive, &path, &root.join(&path[1..]))?;
    }
    // xl ends its threads with pthread_cancel, for which libc opens this one.
    libraries.add_library(&mut archive, "libgcc_s.so.1")?;
    Ok(archive)
}
