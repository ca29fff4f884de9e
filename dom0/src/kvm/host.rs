//! The host of a guest without Xen: KVM's device and QEMU.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use anyhow::{Error, Result, anyhow, bail};
use results::{Origin, OriginHost};

use super::machine::Machine;
use crate::child::{Child, Finished, NotStarted};
use crate::display;
use crate::host;
use crate::root::Root;
use crate::wait::Wait;

/// First version of QEMU that has a Xen console under KVM.
const VERSION_MIN: (u32, u32) = (8, 2);
/// Version of Xen that QEMU is to be, in the form of XENVER_version.
pub const XEN_VERSION: &str = "0x40011";
/// The same for people.
const XEN_VERSION_TEXT: &str = "4.17";
/// Longest time for QEMU's answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// Time between two looks at a program whose output has ended.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// QEMU, and what it is to run.
#[derive(Clone, Debug)]
pub struct Qemu {
    /// Its program.
    pub program: String,
    /// Path of KVM's device; it has no comma.
    pub device: String,
    /// Whether that is where QEMU looks by itself.
    pub is_usual: bool,
    /// Machine that it emulates.
    pub machine: Machine,
}

impl Qemu {
    /// Checks that KVM and QEMU can be used; returns QEMU's version.
    ///
    /// # Errors
    /// What is missing.
    pub fn check(&self) -> Result<String> {
        let opened = OpenOptions::new().read(true).write(true).open(&self.device);
        opened.map_err(|error| no_device(&self.device, &error))?;
        let program = display::text(&self.program);
        let advice =
            "install QEMU 8.2 or later (Debian 13: qemu-system-x86), or name it with --qemu";
        let done = match ask(&self.program, &["--version".to_owned()]) {
            Err(error) if error.downcast_ref().is_some_and(NotStarted::is_missing) => {
                bail!("QEMU was not found as {program}; {advice}")
            }
            done => done?,
        };
        if !done.is_success() {
            return Err(done.failure());
        }
        let Some((version, number)) = version(&done.stdout) else {
            bail!("{program} is no QEMU: it printed {}; {advice}", display::text(&done.stdout));
        };
        if number < VERSION_MIN {
            bail!("{program} is version {version}, which has no Xen console under KVM; {advice}");
        }
        Ok(version)
    }

    /// Returns the origin of a run by this QEMU, of that version.
    pub fn origin(&self, given: Origin, version: &str) -> Origin {
        let host = host::host(&Root::default(), None);
        let xen = Some(format!("{XEN_VERSION_TEXT} of QEMU {version} under KVM"));
        // All processors are Linux's: there is no dom0.
        let host = OriginHost { xen, cpus: host.dom0_vcpus, dom0_vcpus: None, ..host };
        Origin { host: Some(host), qemu: Some(version.to_owned()), ..given }
    }
}

/// Returns the error for a device of KVM that cannot be opened.
fn no_device(device: &str, error: &io::Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound => anyhow!(
            "there is no {device}: this machine has no KVM; switch virtualisation on in its \
             firmware, or in the host that runs it, and load kvm_intel or kvm_amd; on a Xen host \
             leave --kvm out"
        ),
        ErrorKind::PermissionDenied => {
            anyhow!("no permission for {device}; join the group kvm, or run as root")
        }
        _ => anyhow!("cannot open {device}: {error}; are VMX or SVM on, and kvm_.. loaded?"),
    }
}

/// Runs a program to its end.
fn ask(program: &str, arguments: &[String]) -> Result<Finished> {
    let mut child = Child::start(program, arguments, ANSWER_TIMEOUT)?;
    loop {
        if let Some(done) = child.poll() {
            return Ok(done);
        }
        let mut wait = Wait::default();
        child.wait_for(&mut wait);
        wait.until(Instant::now() + LOOK_EVERY);
        wait.poll();
    }
}

/// Reads what `--version` prints: `QEMU emulator version 10.0.11 (Debian ..)`. Returns the version
/// as a text and as major and minor.
fn version(text: &str) -> Option<(String, (u32, u32))> {
    let (_, rest) = text.split_once("QEMU emulator version ")?;
    let word = rest.split([' ', '\n', '(']).next()?;
    let mut numbers = word.split('.').map(str::parse);
    let (major, minor) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    Some((display::fact(word)?, (major, minor)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        for (text, expected) in [
            (
                "QEMU emulator version 10.0.11 (Debian 1:10.0.11+ds-0+deb13u1)\nCopyright (c)",
                Some(("10.0.11".to_owned(), (10, 0))),
            ),
            ("QEMU emulator version 7.2.22 (D)", Some(("7.2.22".to_owned(), (7, 2)))),
            ("QEMU emulator version 8.2.0\n", Some(("8.2.0".to_owned(), (8, 2)))),
            ("QEMU emulator version 9.1.50(v9)", Some(("9.1.50".to_owned(), (9, 1)))),
            ("QEMU emulator version 11\n", None),
            ("QEMU emulator version x.1", None),
            ("GNU bash, version 5.2.15", None),
            ("", None),
        ] {
            assert_eq!(version(text), expected, "{text}");
        }
        assert!((10, 0) > VERSION_MIN && (8, 1) < VERSION_MIN && (7, 9) < VERSION_MIN);
    }

    #[test]
    fn a_device_that_cannot_be_opened_has_a_way_out() {
        let told = |kind: ErrorKind| no_device("/dev/kvm", &kind.into()).to_string();
        assert!(told(ErrorKind::NotFound).starts_with("there is no /dev/kvm: "));
        assert!(told(ErrorKind::PermissionDenied).contains("join the group kvm"));
        assert!(told(ErrorKind::Other).starts_with("cannot open /dev/kvm: "));
    }

    #[test]
    fn the_origin_names_qemu_and_no_dom0() {
        let machine = Machine::Pc;
        let qemu = Qemu { program: "q".into(), device: "k".into(), is_usual: false, machine };
        let origin = qemu.origin(Origin::default(), "10.0.11");
        assert_eq!(origin.qemu.as_deref(), Some("10.0.11"));
        let host = origin.host.unwrap();
        assert_eq!(host.xen.as_deref(), Some("4.17 of QEMU 10.0.11 under KVM"));
        assert!(host.dom0_vcpus.is_none() && host.cpus.is_some());
    }
}
