//! The Linux guest of the comparisons, kept in the cache: kernel and fio of a newer Debian than
//! dom0's, because what counts is the best that Linux can do.

use std::path::{Path, PathBuf};

use anyhow::Result;
use fs_err as fs;

use crate::archive::Archive;
use crate::cache::{self, Cache};
use crate::contents::Extent;
use crate::image::Release;
use crate::libraries::Libraries;
use crate::linux::Linux;
use crate::packages::{Packages, Selection};
use crate::progress::Progress;

const PACKAGES: Selection = Selection { suite: Some("trixie"), names: &["busybox-static", "fio"] };
/// Libraries of fio's engines for what is no block device: with what these need, most of its 80 MB.
const ENGINES: [&str; 8] = [
    "libgfapi.so.0",
    "libibverbs.so.1",
    "libnbd.so.0",
    "libnfs.so.14",
    "libpmem.so.1",
    "librados.so.2",
    "librbd.so.1",
    "librdmacm.so.1",
];
/// Kernels that the guest can have, of Debian 12 and of Debian 13.
pub(crate) const KERNELS: [&str; 2] = ["6.1", NEWEST];
/// The one of comparisons.
pub(crate) const NEWEST: &str = "6.12";

const INIT: &str = include_str!("../peer/init");
/// These files are inputs of what they build.
const RECIPE: [&str; 2] = [include_str!("peer.rs"), include_str!("libraries.rs")];

/// The guest's pieces, as files.
pub(crate) struct PeerImage {
    directory: PathBuf,
    /// Its kernel's version, as `uname -r` has it.
    pub(crate) linux_version: String,
    /// Its fio's.
    pub(crate) fio_version: String,
}

impl PeerImage {
    /// The guest with the newest kernel, as [`PeerImage::with`].
    ///
    /// # Errors
    /// As [`PeerImage::with`].
    pub(crate) fn build(cache: &Cache, progress: &Progress) -> Result<Self> {
        Self::with(NEWEST, cache, progress)
    }

    /// The guest with one of [`KERNELS`], built if the cache has none of these inputs.
    ///
    /// # Errors
    /// When a package cannot be fetched or lacks what the guest needs.
    pub(crate) fn with(kernel: &str, cache: &Cache, progress: &Progress) -> Result<Self> {
        let packages = Packages::fetch(cache, progress, &PACKAGES)?;
        let older = match kernel {
            NEWEST => None,
            _ => Some(Packages::fetch(cache, progress, &Release::BOOKWORM.packages)?),
        };
        let of_kernel = older.as_ref().unwrap_or(&packages);
        let version = env!("CARGO_PKG_VERSION");
        let of_older = older.as_ref().map_or("", |older| &older.manifest);
        let inputs = [&packages.manifest, of_older, version, RECIPE[0], RECIPE[1], INIT];
        let name = format!("peer-{}", cache::key(inputs.map(str::as_bytes)));
        let directory = cache.entry(&name, Extent::Digests, progress, |draft| {
            progress.stage("building the Linux guest");
            packages.check()?;
            of_kernel.check()?;
            build(&packages.root(), &Linux::below(&of_kernel.root())?, draft)
        })?;
        let linux_version = Linux::below(&of_kernel.root())?.version;
        Ok(Self { directory, linux_version, fio_version: packages.version("fio")?.to_owned() })
    }

    /// Its kernel, an ELF.
    pub(crate) fn kernel(&self) -> PathBuf {
        self.directory.join("vmlinux")
    }

    /// Its initramfs, uncompressed.
    pub(crate) fn initramfs(&self) -> PathBuf {
        self.directory.join("peer.cpio")
    }
}

fn build(root: &Path, linux: &Linux, place: &Path) -> Result<()> {
    fs::write(place.join("vmlinux"), linux.vmlinux()?)?;
    let mut archive = Archive::new();
    archive.add("/init", 0o755, INIT);
    archive.copy("/bin/busybox", 0o755, &root.join("usr/bin/busybox"))?;
    linux.add_module(&mut archive, "xen-blkfront")?;
    linux.add_module(&mut archive, "ufs")?;
    linux.add_module(&mut archive, "bfq")?;
    let (libraries, fio) = (Libraries::below(root)?, root.join("usr/bin/fio"));
    libraries.add_without(&mut archive, "/usr/bin/fio", &fio, &ENGINES, place)?;
    archive.save(&place.join("peer.cpio"))
}
