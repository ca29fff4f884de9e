//! KVM without KVM: QEMU with an emulated processor that has SVM boots Debian 13's Linux, and in
//! that Debian 13's QEMU runs guests by KVM. It needs no root.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use fs_err::os::unix::fs::symlink;
use fs_err::{self as fs, File};

use crate::archive::Archive;
use crate::cache::{self, Cache};
use crate::contents::Extent;
use crate::conversation::{Conversation, Watch};
use crate::libraries::Libraries;
use crate::linux::Linux;
use crate::packages::{Packages, Selection};
use crate::progress::Progress;
use crate::qemu::{self, Qemu};
use crate::steps::{self, Step};

/// Debian 13's kernel has CONFIG_KVM_XEN, and its QEMU a Xen console; those of Debian 12 do not.
const PACKAGES: Selection = Selection {
    suite: Some("trixie"),
    names: &["busybox-static", "qemu-system-data", "qemu-system-x86", "seabios"],
};
const MODULES: [&str; 4] = ["ccp", "irqbypass", "kvm", "kvm-amd"];
/// QEMU's program, and what it loads into its machine: firmware, and the loader of PVH kernels.
const PROGRAM: &str = "/usr/bin/qemu-system-x86_64";
const FIRMWARE: [&str; 3] = ["seabios/bios-256k.bin", "qemu/pvh.bin", "qemu/kvmvapic.bin"];

const INIT: &str = include_str!("../kvm/init");
/// These files are inputs of what they build.
const RECIPE: [&str; 2] = [include_str!("nested.rs"), include_str!("libraries.rs")];

/// Longest time for the start of Linux.
const BOOT: Duration = Duration::from_secs(120);
/// Memory of the machine in MiB: the initramfs, the guests, and their disks, which are files there.
const MEMORY_MIB: u32 = 2048;

/// The pieces of the machine, as files.
pub(crate) struct Nested {
    directory: PathBuf,
    /// Version of QEMU in it.
    pub(crate) qemu_version: String,
    /// Version of Linux in it, as `uname -r` has it.
    pub(crate) linux_version: String,
}

impl Nested {
    /// The machine, built if the cache has none of these inputs.
    ///
    /// # Errors
    /// When a package cannot be fetched or lacks what the machine needs.
    pub(crate) fn build(cache: &Cache, progress: &Progress) -> Result<Self> {
        let packages = Packages::fetch(cache, progress, &PACKAGES)?;
        let version = env!("CARGO_PKG_VERSION");
        let inputs = [&packages.manifest, version, RECIPE[0], RECIPE[1], INIT];
        let name = format!("kvm-{}", cache::key(inputs.map(str::as_bytes)));
        let directory = cache.entry(&name, Extent::Digests, progress, |draft| {
            progress.stage("building the image with KVM");
            packages.check()?;
            build(&packages.root(), draft)
        })?;
        let linux_version = Linux::below(&packages.root())?.version;
        let qemu_version = packages.version("qemu-system-x86")?.to_owned();
        Ok(Self { directory, qemu_version, linux_version })
    }

    /// Boots in this directory, works off the steps, and powers off.
    ///
    /// # Errors
    /// When the machine does not come up, ends early, a step's deadline passes, or `watch` is not
    /// content; the messages name the log.
    pub(crate) fn run(
        &self,
        directory: &Path,
        progress: &Progress,
        mut overlay: Archive,
        steps: &[Step],
        watch: Watch,
    ) -> Result<()> {
        steps::install(steps, &mut overlay);
        let place = |name: &str| directory.join(name);
        for name in ["vmlinuz", "kvm.cpio", "console.log"] {
            if fs::symlink_metadata(place(name)).is_ok() {
                fs::remove_file(place(name))?;
            }
        }
        symlink(self.directory.join("vmlinuz"), place("vmlinuz"))?;
        let mut initramfs = File::create(place("kvm.cpio"))?;
        std::io::copy(&mut File::open(self.directory.join("kvm.cpio"))?, &mut initramfs)?;
        overlay.write(&mut initramfs)?;
        let log = place("console.log");
        progress.stage(&format!("booting Linux with KVM (log: {})", log.display()));
        let mut command = qemu::command();
        command.current_dir(directory);
        command.args(["-M", "q35", "-accel", "tcg,thread=multi", "-cpu", "max,+svm", "-smp", "2"]);
        command.args(["-m", &MEMORY_MIB.to_string(), "-nic", "none", "-no-reboot"]);
        command.args(["-display", "none", "-monitor", "none"]);
        command.args(["-serial", "file:console.log", "-serial", "stdio"]);
        command.args(["-kernel", "vmlinuz", "-initrd", "kvm.cpio"]);
        command.args(["-append", "console=ttyS0 rdinit=/init quiet panic=-1"]);
        let qemu = Qemu::start(&mut command, BOOT)?;
        Conversation { progress, qemu, system: "Linux", patience: 1 }
            .all(steps, watch)
            .map_err(|error| anyhow!("{error:#}\nsee {}", log.display()))
    }
}

fn build(root: &Path, place: &Path) -> Result<()> {
    let linux = Linux::below(root)?;
    fs::copy(&linux.bz_image, place.join("vmlinuz"))?;
    let mut archive = Archive::new();
    archive.add("/init", 0o755, INIT);
    archive.copy("/bin/busybox", 0o755, &root.join("usr/bin/busybox"))?;
    for name in MODULES {
        linux.add_module(&mut archive, name)?;
    }
    let share = root.join("usr/share");
    for file in FIRMWARE {
        let name = file.rsplit('/').next().context("a file has a name")?;
        archive.copy(&format!("/usr/share/qemu/{name}"), 0o644, &share.join(file))?;
    }
    let source = root.join(PROGRAM.trim_start_matches('/'));
    Libraries::below(root)?.add(&mut archive, PROGRAM, &source)?;
    archive.save(&place.join("kvm.cpio"))
}
