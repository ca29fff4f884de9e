//! The machine: QEMU with an emulated CPU that has AMD's virtualisation (SVM, nested paging), in
//! which Xen, a Linux dom0 and PVH guests run for real. It needs no KVM and no root.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use fs_err::os::unix::fs::symlink;
use fs_err::{self as fs, File};

use crate::archive::Archive;
use crate::conversation::{Conversation, Watch};
use crate::counts::Counts;
use crate::image::Image;
use crate::progress::Progress;
use crate::qemu::{self, Qemu};
use crate::ramdisk::Ramdisks;
use crate::steps::{self, Step};

/// Source of the machine's time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clock {
    /// The host's clock; two CPUs, one for dom0 and one for the guests.
    Wall,
    /// Executed instructions, 1 ns each, on one CPU: runs repeat to the digit, whatever the host
    /// does meanwhile, but a virtual second takes some 8 to 10 real ones.
    Instructions,
}

impl Clock {
    /// Returns the clock of a run that is deterministic, or of another.
    pub(crate) fn of(deterministic: bool) -> Self {
        if deterministic { Self::Instructions } else { Self::Wall }
    }

    /// Returns the factor by which a deadline must be longer than by the wall clock.
    fn patience(self) -> u32 {
        match self {
            Self::Wall => 1,
            Self::Instructions => 12,
        }
    }

    /// The CPU that guests are pinned to, away from dom0's.
    pub(crate) fn guest_cpu(self) -> Option<u32> {
        (self == Self::Wall).then_some(1)
    }
}

/// Longest time for the start of Xen and dom0.
const BOOT: Duration = Duration::from_secs(120);

/// The features that QEMU 7.2 gets wrong under SVM are off: SMAP and SMEP checks kill a PV dom0,
/// an intercepted RDTSCP has no instruction length, XSAVE mixes up the domains' vector state.
/// Without ERMS and FSRM Linux copies by words as everybody else here: it would copy by bytes
/// because a processor does that as fast, but each byte is one instruction for `-icount`, and slow
/// in emulation.
const CPU: &str = "max,+svm,-smap,-smep,-rdtscp,-xsave,-erms,-fsrm";

/// The plugin and its counts in the run's directory.
const COUNTER: &str = "count.so";
const COUNTS: &str = "counts";

/// A machine that is ready to boot.
pub(crate) struct Machine<'a> {
    /// Image to boot.
    pub(crate) image: &'a Image,
    /// Its notion of time.
    pub(crate) clock: Clock,
    /// Its memory in MiB, for Xen, dom0 and all guests. The host gives it when it is touched.
    pub(crate) memory_mib: u32,
    /// dom0's part of it.
    pub(crate) dom0_mib: u32,
    /// More options for Xen.
    pub(crate) xen_options: &'static str,
    /// Directory of its files, the log among them.
    pub(crate) directory: PathBuf,
    /// Ramdisks that dom0 serves.
    pub(crate) ramdisks: Ramdisks,
    /// The plugin that counts instructions, if they are to be counted.
    pub(crate) counter: Option<PathBuf>,
    /// File that is loaded in place of dom0's kernel module of the same name.
    pub(crate) dom0_module: Option<PathBuf>,
    /// Told of the stages.
    pub(crate) progress: &'a Progress,
}

impl Machine<'_> {
    /// Returns the path of the log of Xen and dom0's kernel.
    pub(crate) fn log(&self) -> PathBuf {
        self.directory.join("console.log")
    }

    /// Returns the counts of the plugin so far.
    ///
    /// # Errors
    /// When there is no plugin, or it has not started yet.
    pub(crate) fn counts(&self) -> Result<Counts> {
        Counts::read(&self.directory.join(COUNTS))
    }

    /// Boots, has dom0 work off the steps, and powers off.
    ///
    /// # Errors
    /// When the machine does not come up, ends early, a step's deadline passes, or `watch` is not
    /// content; the messages name the stage and the log.
    pub(crate) fn run(&self, mut overlay: Archive, steps: &[Step], watch: Watch) -> Result<()> {
        steps::install(steps, &mut overlay);
        self.prepare(overlay)?;
        let log = self.log();
        self.progress.stage(&format!("booting Xen and dom0 (log: {})", log.display()));
        let mut command = self.command()?;
        command.args(["-display", "none", "-monitor", "none"]);
        command.args(["-serial", "file:console.log", "-serial", "stdio"]);
        let patience = self.clock.patience();
        let qemu = Qemu::start(&mut command, BOOT * patience)?;
        Conversation { progress: self.progress, qemu, system: "dom0", patience }
            .all(steps, watch)
            .map_err(|error| anyhow!("{error:#}\nsee {}", log.display()))
    }

    /// Boots to a prompt on this terminal.
    ///
    /// # Errors
    /// When QEMU cannot be started or fails.
    pub(crate) fn shell(&self, overlay: Archive) -> Result<()> {
        self.prepare(overlay)?;
        self.progress.stage("booting Xen and dom0 to a prompt (Ctrl-A X ends QEMU)");
        let mut command = self.command()?;
        let status = command.arg("-nographic").status().context("cannot run QEMU")?;
        if !status.success() {
            bail!("QEMU ended with {status}");
        }
        Ok(())
    }

    /// Lays out the run's directory: QEMU's module list has commas and blanks of its own, so
    /// everything is named relative to that directory.
    fn prepare(&self, mut overlay: Archive) -> Result<()> {
        overlay.add("/rig/settings", 0o644, self.ramdisks.settings());
        if let Some(module) = &self.dom0_module {
            self.progress.stage(&format!("dom0's module is not Debian's: {}", module.display()));
            overlay.copy(&Image::module(module)?, 0o644, module)?;
        }
        let place = |name| self.directory.join(name);
        let counter = self.counter.clone().map(|plugin| (COUNTER, plugin));
        let links = [("xen", self.image.xen()), ("vmlinuz", self.image.dom0_kernel())];
        for (name, target) in links.into_iter().chain(counter) {
            remove_file(&place(name))?;
            symlink(target, place(name))?;
        }
        remove_file(&place("console.log"))?;
        remove_file(&place(COUNTS))?;
        let mut initramfs = File::create(place("dom0.cpio"))?;
        io::copy(&mut File::open(self.image.dom0_initramfs())?, &mut initramfs)?;
        overlay.write(&mut initramfs)
    }

    fn command(&self) -> Result<Command> {
        let mut command = qemu::command();
        command.current_dir(&self.directory);
        command.args(["-M", "q35", "-cpu", CPU, "-nic", "none", "-no-reboot"]);
        command.args(["-m", &self.memory_mib.to_string()]);
        let mut xen = format!(
            "console=com1 com1=115200,8n1 dom0_mem={}M dom0_max_vcpus=1 dom0_vcpus_pin \
             no-real-mode {}",
            self.dom0_mib, self.xen_options
        );
        match self.clock {
            Clock::Wall => command.args(["-accel", "tcg,thread=multi", "-smp", "2"]),
            Clock::Instructions => {
                // Scrubbing memory in idle time would share the CPU with what is measured.
                xen.push_str(" bootscrub=0");
                command.args(["-accel", "tcg,thread=single", "-smp", "1"]);
                command.args(["-icount", "shift=0,sleep=off"])
            }
        };
        if self.counter.is_some() {
            command.args(["-plugin", &format!("./{COUNTER},out={COUNTS}")]);
        }
        command.args(["-kernel", "xen", "-append", &xen]);
        command.args(["-initrd", "vmlinuz console=hvc0 rdinit=/init quiet,dom0.cpio"]);
        Ok(command)
    }
}

fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}
