//! Sides that run the jobs of a comparison: our guest, and a Linux guest with fio in two ways,
//! because what fio does by default is not the best that Linux can.

use anyhow::{Result, ensure};
use boot_info::start_info::COMMAND_LINE_MAX;

use crate::archive::Archive;
use crate::best::Best;
use crate::blkback;
use crate::guest::{ConsoleLine, Guest};
use crate::machine::Clock;
use crate::peer::PeerImage;
use crate::result::{GuestResult, OURS};
use crate::rig::{GUEST_KERNEL, Rig};
use crate::setting::Setting;
use crate::steps::Outcome;
use crate::workload::{Fio, Workload};

/// Path of the Linux guest's kernel in dom0.
pub(crate) const PEER_KERNEL: &str = "/guests/vmlinux";
/// Path of the Linux guest's initramfs in dom0.
pub(crate) const PEER_INITRAMFS: &str = "/guests/peer.cpio";

/// Memory of the Linux guest in MiB, of which its kernel takes most.
pub(crate) const PEER_MEMORY_MIB: u32 = 128;
pub(crate) const OUR_MEMORY_MIB: u32 = 16;

/// The line by which the Linux guest tells that its disk and its kernel are tuned.
const TUNED: &str = "peer: tuned";
/// Words that Linux's blkfront prints for a disk whose pages the backend keeps mapped.
const PERSISTENT: &str = "persistent grants: enabled";

/// One of those that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Our guest.
    Ours,
    /// The Linux guest.
    Linux(Fio),
}

impl Side {
    /// All, ours first.
    pub(crate) const ALL: [Self; 3] = [Self::Ours, Self::LINUX[0], Self::LINUX[1]];
    /// The Linux guest's.
    pub(crate) const LINUX: [Self; 2] = [Self::Linux(Fio::Default), Self::Linux(Fio::Tuned)];

    /// The longest command line that its guest takes, in bytes.
    pub(crate) fn command_line_max(self) -> usize {
        match self {
            Self::Ours => COMMAND_LINE_MAX,
            // `COMMAND_LINE_SIZE` on x86 counts the 0 at its end (Linux, setup.h).
            Self::Linux(_) => 2047,
        }
    }

    /// A name for guests and files.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ours => "ringmark",
            Self::Linux(Fio::Default) => "linux",
            Self::Linux(Fio::Tuned) => "linux-tuned",
        }
    }

    /// Returns its name in the rows of a workload.
    pub(crate) fn label(self, workload: Workload, best: &Best) -> String {
        match self {
            Self::Ours => "ringmark".to_owned(),
            Self::Linux(Fio::Default) => "linux, fio default".to_owned(),
            Self::Linux(Fio::Tuned) => format!("linux, best {}", best.of(workload).engine()),
        }
    }

    /// Returns the prefixes of the lines that report the start and the end of its job.
    pub(crate) fn edges(self) -> [&'static str; 2] {
        match self {
            Self::Ours => ["ringmark: first I/O completed", OURS],
            Self::Linux(_) => ["peer: job begins", "peer: job ended"],
        }
    }

    /// The options of fio that make it do these workloads, `runtime_s` seconds each.
    pub(crate) fn options(self, workloads: &[Workload], runtime_s: u32, best: &Best) -> String {
        Workload::options(workloads, runtime_s, |of| self.setting(of, best).fio(of))
    }

    /// Returns the setting of fio in a workload. Ours runs fio's plain options.
    fn setting(self, of: Workload, best: &Best) -> Setting {
        match self {
            Self::Ours | Self::Linux(Fio::Default) => Setting::plain(of),
            Self::Linux(Fio::Tuned) => best.of(of),
        }
    }

    /// Returns the workloads in groups that one guest can run, since they want the same of its
    /// kernel, its frontend and its disk's queue; with a setting that has these.
    pub(crate) fn groups(
        self,
        workloads: &[Workload],
        best: &Best,
    ) -> Vec<(Setting, Vec<Workload>)> {
        let mut groups: Vec<(Setting, Vec<Workload>)> = Vec::new();
        for &workload in workloads {
            let setting = self.setting(workload, best);
            let of_guest = |setting: &Setting| (setting.words(), setting.queue());
            let tuned = self == Self::Linux(Fio::Tuned);
            let same =
                |(other, _): &&mut (Setting, _)| !tuned || of_guest(other) == of_guest(&setting);
            match groups.iter_mut().find(same) {
                Some((_, group)) => group.push(workload),
                None => groups.push((setting, vec![workload])),
            }
        }
        groups
    }

    /// The guest that runs these jobs, tuned by a fixed set of settings if it is tuned.
    pub(crate) fn guest(self, name: String, clock: Clock, jobs: &str) -> Guest {
        self.guest_in(name, clock, jobs, &Setting::fixed(Workload::MAIN[0]))
    }

    /// The guest that runs these jobs, with the kernel, the frontend and the queue of a setting if
    /// it is tuned.
    pub(crate) fn guest_in(
        self,
        name: String,
        clock: Clock,
        jobs: &str,
        setting: &Setting,
    ) -> Guest {
        let linux = |words: &str| format!("console=hvc0 quiet {words}jobs=\"{jobs}\"");
        let extra = match self {
            Self::Ours => jobs.to_owned(),
            Self::Linux(Fio::Default) => linux(""),
            Self::Linux(Fio::Tuned) => {
                linux(&format!("{}queue=\"{}\" ", setting.words(), setting.queue()))
            }
        };
        let (kernel, ramdisk, memory_mib) = match self {
            Self::Ours => (GUEST_KERNEL, None, OUR_MEMORY_MIB),
            Self::Linux(_) => (PEER_KERNEL, Some(PEER_INITRAMFS), PEER_MEMORY_MIB),
        };
        let disks = vec!["phy:/dev/ram0,xvda,w".into()];
        Guest {
            name,
            kernel,
            ramdisk,
            memory_mib,
            vcpus: 1,
            cpu: clock.guest_cpu(),
            disks,
            extra,
            settings: Vec::new(),
        }
    }

    /// The result of its guest `name`.
    ///
    /// # Errors
    /// When there is none, or it can't be read, or the guest is not as tuned as it should be.
    pub(crate) fn result(self, outcome: &Outcome, name: &str) -> Result<GuestResult> {
        match self {
            Self::Ours => GuestResult::ours(outcome, name),
            Self::Linux(fio) => {
                let lines = ConsoleLine::of(outcome, name);
                let tuned = lines.iter().any(|line| line.text == TUNED);
                ensure!(tuned == (fio == Fio::Tuned), "guest {name} does not say {TUNED:?}");
                GuestResult::peer(outcome, name)
            }
        }
    }

    /// The IOPS of a workload, and whether the backend kept the pages mapped meanwhile.
    ///
    /// # Errors
    /// When there is no result of it, or it has done something else.
    pub(crate) fn figure(
        self,
        outcome: &Outcome,
        name: &str,
        of: Workload,
        best: &Best,
    ) -> Result<Figure> {
        let result = self.result(outcome, name)?;
        let iops = result.iops(&of.name(), of.direction())?;
        let job = result.job(&of.name())?;
        let of_job = |key: &str| job[of.direction()][key].as_u64().unwrap_or_default();
        let (ios, bytes) = (of_job("total_ios"), of_job("io_bytes"));
        ensure!(
            bytes == ios * of.block_bytes(),
            "{ios} I/Os of {} bytes are not the {bytes} that were moved",
            of.block_bytes()
        );
        let kept = match self {
            Self::Ours => job["ringmark"]["backend_persistent"] == true,
            Self::Linux(_) => {
                let engine = &job["job options"]["ioengine"];
                let asked = self.setting(of, best).engine();
                ensure!(engine == asked, "fio took the ioengine {engine}");
                // Its frontend says what was negotiated, not what the backend has room for.
                linux_keeps(outcome, name) && self.setting(of, best).pages(of) <= blkback::KEEPS_MAX
            }
        };
        Ok(Figure { iops, kept })
    }
}

/// Returns whether Linux's blkfront said that the backend keeps the pages of its disk mapped.
pub(crate) fn linux_keeps(outcome: &Outcome, name: &str) -> bool {
    ConsoleLine::of(outcome, name).iter().any(|line| line.text.contains(PERSISTENT))
}

/// Result of a guest in a workload.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Figure {
    /// Completed each second.
    pub(crate) iops: f64,
    /// Flag: the backend kept the pages mapped.
    pub(crate) kept: bool,
}

/// The row of Linux that has the most IOPS, of the rows of one workload; `of` tells whose a row is
/// and its IOPS.
pub(crate) fn best_of_linux<'a, T>(
    rows: impl IntoIterator<Item = &'a T>,
    of: impl Fn(&T) -> (Side, f64),
) -> Option<&'a T> {
    let linux = rows.into_iter().filter(|&row| of(row).0 != Side::Ours);
    linux.max_by(|&one, &other| of(one).1.total_cmp(&of(other).1))
}

/// Returns the explanation of the tables' rows.
pub(crate) fn legend(peer: &PeerImage, workloads: &[Workload], best: &Best) -> String {
    let PeerImage { linux_version, fio_version, .. } = peer;
    let line = |&of: &Workload| {
        let guess = if best.is_measured(of) { "" } else { " (a guess: it was not swept)" };
        format!("  {of}: {}{guess}\n", best.of(of))
    };
    let each: String = workloads.iter().map(line).collect();
    format!(
        "linux, fio default: libaio of fio {fio_version} on Linux {linux_version}\n\
         linux, best: what a sweep of its settings found (./run.sh peers):\n\
         {each}\
         ratio: to the row of Linux that has the most IOPS"
    )
}

/// Mark that a table puts behind the name of a row whose pages the backend did not keep mapped, and
/// the line that tells of it.
pub(crate) const NOT_KEPT: (&str, &str) =
    (" *", "* the backend did not keep all pages mapped: not a figure of persistent grants");

/// Puts both guests' kernels into an overlay.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn overlay(rig: &Rig, peer: &PeerImage, guests: &[Guest]) -> Result<Archive> {
    let mut overlay = rig.overlay(guests)?;
    overlay.copy(PEER_KERNEL, 0o644, &peer.kernel())?;
    overlay.copy(PEER_INITRAMFS, 0o644, &peer.initramfs())?;
    Ok(overlay)
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOB: &str = "\"jobname\": \"randread-4k-32\", \"error\": 0";

    fn linux(job: &str, lines: &[&str]) -> Outcome {
        let result = format!("{{\"jobs\": [{{{JOB}, {job}}}]}}");
        let bytes = format!("[a 2.0] peer-bytes: {}", result.len());
        let result = [bytes, format!("[a 2.0] peer-result: {result}")];
        Outcome::printed(lines.iter().map(|line| format!("[a 1.0] {line}\r")).chain(result))
    }

    fn figure(fio: Fio, outcome: &Outcome) -> Result<Figure> {
        Side::Linux(fio).figure(outcome, "a", Workload::MAIN[0], &Best::default())
    }

    #[test]
    fn linux_must_have_done_what_it_was_asked_for() {
        let job = |engine: &str, bytes: u64| {
            format!(
                "\"job options\": {{\"ioengine\": \"{engine}\"}}, \
                 \"read\": {{\"iops\": 2.5, \"total_ios\": 3, \"io_bytes\": {bytes}}}"
            )
        };
        let kept = "peer: blkfront: xvda: flush; persistent grants: enabled; bounce";
        let good = linux(&job("io_uring", 3 * 4096), &[TUNED, kept]);
        assert_eq!(figure(Fio::Tuned, &good).unwrap(), Figure { iops: 2.5, kept: true });
        let not_kept = linux(&job("libaio", 3 * 4096), &["persistent grants: disabled"]);
        assert_eq!(figure(Fio::Default, &not_kept).unwrap(), Figure { iops: 2.5, kept: false });

        let refused = [
            (Fio::Default, good, "not say"),
            (Fio::Tuned, linux(&job("io_uring", 3 * 4096), &[]), "not say"),
            (Fio::Tuned, linux(&job("libaio", 3 * 4096), &[TUNED]), "ioengine"),
            (Fio::Tuned, linux(&job("io_uring", 3 * 8192), &[TUNED]), "3 I/Os of 4096 bytes"),
        ];
        for (fio, outcome, words) in refused {
            let error = figure(fio, &outcome).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn the_best_of_linux_is_found_by_measuring() {
        let [default, tuned] = Side::LINUX;
        let best = |ours, first, second| {
            let rows = [(Side::Ours, ours), (default, first), (tuned, second)];
            best_of_linux(&rows, |row| *row).copied()
        };
        assert_eq!(best(9.0, 1.0, 2.0), Some((tuned, 2.0)));
        assert_eq!(best(1.0, 3.0, 2.0), Some((default, 3.0)));
        assert_eq!(best_of_linux(&[(Side::Ours, 1.0)], |row| *row), None);
    }

    #[test]
    fn all_jobs_fit_into_a_command_line() {
        for side in Side::LINUX {
            let best = Best::load().unwrap();
            for (setting, workloads) in side.groups(&Workload::ALL, &best) {
                let jobs = side.options(&workloads, 3600, &best);
                let guest = side.guest_in("a".into(), Clock::Wall, &jobs, &setting);
                let length = guest.extra.len();
                assert!(length <= side.command_line_max(), "{length} bytes");
            }
        }
    }
}
