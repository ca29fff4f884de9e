//! A guest as xl wants it described, and what a step reports of it.

use anyhow::{Context, Result};
use xl_config::{Config, Disk, Settings};

use crate::steps::Outcome;

/// A PVH guest's configuration (xl.cfg(5)).
#[derive(Clone)]
pub(crate) struct Guest {
    /// Its name in xl; its console's log is named after it.
    pub(crate) name: String,
    /// Its kernel, a path in dom0.
    pub(crate) kernel: &'static str,
    /// Its initramfs, a path in dom0.
    pub(crate) ramdisk: Option<&'static str>,
    /// Its memory in MiB.
    pub(crate) memory_mib: u32,
    /// Number of its vCPUs.
    pub(crate) vcpus: u32,
    /// The CPU that it is pinned to.
    pub(crate) cpu: Option<u32>,
    /// Its disks as xl spells them: `phy:/dev/ram0,xvda,w`.
    pub(crate) disks: Vec<String>,
    /// Its command line.
    pub(crate) extra: String,
    /// More settings, as xl spells them: `maxmem = 128`.
    pub(crate) settings: Vec<&'static str>,
}

impl Guest {
    /// Returns the path of the configuration in dom0, at which `dom0/lib.sh` looks.
    pub(crate) fn path(&self) -> String {
        format!("/guests/{}.cfg", self.name)
    }

    /// Returns the configuration as xl reads it.
    ///
    /// # Errors
    /// When xl can't be told of it.
    pub(crate) fn text(&self) -> Result<String> {
        // The emulated SVM gives no instruction length for an intercepted RDTSC.
        let settings = ["tsc_mode=\"native\""].iter().chain(&self.settings);
        let config = Config {
            name: self.name.clone(),
            kernel: self.kernel.into(),
            ramdisk: self.ramdisk.map(Into::into),
            memory_mib: self.memory_mib,
            vcpus: self.vcpus,
            cpus: self.cpu.map(|cpu| cpu.to_string()),
            disks: self.disks.iter().map(|disk| Disk::parse(disk)).collect::<Result<_, _>>()?,
            extra: self.extra.clone(),
            settings: settings.map(|text| Settings::parse(text)).collect::<Result<_, _>>()?,
            goes_at_end: true,
            ..Config::default()
        };
        config.text().with_context(|| format!("the configuration of guest {}", self.name))
    }
}

/// One line that a step reports of a guest: `[NAME UPTIME] text` (`say` in `dom0/lib.sh`).
#[derive(Debug, PartialEq)]
pub(crate) struct ConsoleLine<'a> {
    /// The guest, or `xl` for what xl says of it.
    pub(crate) name: &'a str,
    /// dom0's uptime in seconds when the line was seen.
    pub(crate) uptime_s: f64,
    /// The line.
    pub(crate) text: &'a str,
}

impl<'a> ConsoleLine<'a> {
    /// Reads one; none if it is some other line.
    pub(crate) fn parse(line: &'a str) -> Option<Self> {
        let (head, text) = line.strip_prefix('[')?.split_once("] ")?;
        let (name, uptime) = head.split_once(' ')?;
        Some(Self { name, uptime_s: uptime.parse().ok()?, text: text.trim_end() })
    }

    /// Returns the lines of a guest (or of xl) among the lines of a step.
    pub(crate) fn of(outcome: &'a Outcome, name: &str) -> Vec<Self> {
        let lines = outcome.lines.iter().filter_map(|line| Self::parse(line));
        lines.filter(|line| line.name == name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guest() -> Guest {
        Guest {
            name: "ringmark".into(),
            kernel: "/guests/ringmark",
            ramdisk: None,
            memory_mib: 32,
            vcpus: 1,
            cpu: Some(1),
            disks: vec!["phy:/dev/ram0,xvda,w".into(), "phy:/dev/ram1,xvdb,r".into()],
            extra: "verify_pattern=\"ab\"%o".into(),
            settings: vec!["cpuid = 'host,nx=0'"],
        }
    }

    #[test]
    fn a_configuration_is_what_xl_reads() {
        let text = guest().text().unwrap();
        for line in [
            "disk = [\"vdev=xvda,access=w,target=/dev/ram0\", \
             \"vdev=xvdb,access=r,target=/dev/ram1\"]",
            "extra = \"verify_pattern=\\\"ab\\\"%o\"",
            "cpus = 1",
            "tsc_mode = \"native\"",
            "cpuid = \"host,nx=0\"",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(!text.contains("ramdisk") && !text.contains("on_"), "{text}");
    }

    #[test]
    fn quotation_marks_and_backslashes_stay() {
        let name = "dom\\test\"'".to_owned();
        let extra = "a\\nb \"c\" 'd' \\".to_owned();
        let text = Guest { name, extra, ..guest() }.text().unwrap();
        assert!(text.starts_with("name = \"dom\\\\test\\\"'\"\n"), "{text}");
        assert!(text.contains("\nextra = \"a\\\\nb \\\"c\\\" 'd' \\\\\"\n"), "{text}");
    }

    #[test]
    fn what_xl_cannot_read_is_an_error() {
        for guest in [
            Guest { name: "7".into(), ..guest() },
            Guest { disks: vec!["/dev/ram0,xvda,w".into()], ..guest() },
            Guest { settings: vec!["name='b'"], ..guest() },
        ] {
            assert!(guest.text().is_err());
        }
    }

    #[test]
    fn console_lines_are_told_apart() {
        let outcome = Outcome::printed([
            "[a 1.50] one\r",
            "[xl 1.60] Waiting",
            "free text",
            "[a x] no",
            "[a 2.00] [b 1] two",
        ]);
        let lines = ConsoleLine::of(&outcome, "a");
        assert_eq!(
            lines,
            [
                ConsoleLine { name: "a", uptime_s: 1.5, text: "one" },
                ConsoleLine { name: "a", uptime_s: 2.0, text: "[b 1] two" }
            ]
        );
    }
}
