//! A guest as xl wants it described, and what a step reports of it.

use std::fmt::{self, Display, Formatter};

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
    /// The CPU that it is pinned to.
    pub(crate) cpu: Option<u32>,
    /// Its disks as xl spells them: `phy:/dev/ram0,xvda,w`.
    pub(crate) disks: Vec<String>,
    /// Its command line.
    pub(crate) extra: String,
}

impl Guest {
    /// Returns the path of the configuration in dom0, at which `dom0/lib.sh` looks.
    pub(crate) fn path(&self) -> String {
        format!("/guests/{}.cfg", self.name)
    }
}

impl Display for Guest {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "name = {}", Quoted(&self.name))?;
        writeln!(f, "type = \"pvh\"")?;
        writeln!(f, "kernel = {}", Quoted(self.kernel))?;
        if let Some(ramdisk) = self.ramdisk {
            writeln!(f, "ramdisk = {}", Quoted(ramdisk))?;
        }
        writeln!(f, "memory = {}", self.memory_mib)?;
        writeln!(f, "vcpus = 1")?;
        // The emulated SVM gives no instruction length for an intercepted RDTSC.
        writeln!(f, "tsc_mode = \"native\"")?;
        if let Some(cpu) = self.cpu {
            writeln!(f, "cpus = \"{cpu}\"")?;
        }
        let disks: Vec<_> = self.disks.iter().map(|disk| Quoted(disk).to_string()).collect();
        writeln!(f, "disk = [ {} ]", disks.join(", "))?;
        writeln!(f, "extra = {}", Quoted(&self.extra))
    }
}

/// A string of xl.cfg: it has no escapes, but two kinds of quotation marks.
struct Quoted<'a>(&'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mark = if self.0.contains('"') { '\'' } else { '"' };
        write!(f, "{mark}{}{mark}", self.0)
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

    #[test]
    fn a_configuration_is_what_xl_reads() {
        let guest = Guest {
            name: "ringmark".into(),
            kernel: "/guests/ringmark",
            ramdisk: None,
            memory_mib: 32,
            cpu: Some(1),
            disks: vec!["phy:/dev/ram0,xvda,w".into(), "phy:/dev/ram1,xvdb,r".into()],
            extra: "verify_pattern=\"ab\"%o".into(),
        };
        let text = guest.to_string();
        assert!(text.contains("disk = [ \"phy:/dev/ram0,xvda,w\", \"phy:/dev/ram1,xvdb,r\" ]\n"));
        assert!(text.contains("extra = 'verify_pattern=\"ab\"%o'\n"));
        assert!(text.contains("cpus = \"1\"\n") && !text.contains("ramdisk"));
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
