//! QEMU's command line.

use std::path::Path;

use anyhow::{Result, anyhow};
use xl_config::Config;

use super::disk;
use super::host::{Qemu, XEN_VERSION};
use crate::display;

/// Returns QEMU's arguments for a guest, whose console is QEMU's standard input and output;
/// `module` is the file that has its job, if one has.
///
/// # Errors
/// A path that is no UTF-8, a disk that is not there.
pub fn arguments(qemu: &Qemu, config: &Config, module: Option<&Path>) -> Result<Vec<String>> {
    let device = if qemu.is_usual { String::new() } else { format!(",device={}", qemu.device) };
    let accelerator = format!("kvm,xen-version={XEN_VERSION},kernel-irqchip=split{device}");
    let mut words = vec![
        // QEMU's own options are separated by commas.
        format!("-name={}", config.name.replace(',', ",,")),
        format!("-machine={}", qemu.machine.name()),
        format!("-accel={accelerator}"),
        "-cpu=host".to_owned(),
        format!("-smp={}", config.vcpus),
        format!("-m={}", config.memory_mib),
    ];
    words.extend(["-display=none", "-nodefaults", "-no-user-config", "-no-reboot"].map(Into::into));
    // A guest that crashes is told by QEMU's exit code.
    words.push("-action=panic=exit-failure".to_owned());
    words.push("-chardev=stdio,id=console,signal=off".to_owned());
    words.push("-device=xen-console,chardev=console".to_owned());
    for ((number, disk), name) in config.disks.iter().enumerate().zip(config.disk_names()?) {
        let node = format!("disk{number}");
        words.push(format!("-blockdev={}", disk::blockdev(disk, &node)?));
        words.push(format!("-device=xen-disk,drive={node},vdev={name}"));
    }
    words.push(format!("-kernel={}", text(&config.kernel)?));
    if let Some(path) = module {
        words.push(format!("-initrd={}", text(path)?));
    }
    if !config.extra.is_empty() {
        words.push(format!("-append={}", config.extra));
    }
    Ok(words.into_iter().flat_map(split).collect())
}

/// Returns a path as QEMU is told of it.
fn text(path: &Path) -> Result<&str> {
    let wrong = || anyhow!("{}: the path is no UTF-8; use another", display::path(path));
    path.to_str().ok_or_else(wrong)
}

/// Returns an option and its value, if it has one, as two words: QEMU takes them so only.
fn split(word: String) -> Vec<String> {
    match word.split_once('=') {
        Some((option, value)) => vec![option.to_owned(), value.to_owned()],
        None => vec![word],
    }
}

/// Returns a word as a shell takes it.
pub fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_=+,./:@%".contains(letter);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kvm::machine::Machine;
    use xl_config::Disk;

    fn config(disks: &[&str]) -> Config {
        Config {
            name: "a,b".to_owned(),
            kernel: "/k".into(),
            memory_mib: 64,
            vcpus: 2,
            disks: disks.iter().map(|disk| Disk::parse(disk).unwrap()).collect(),
            extra: "rw=randread bs=4k".to_owned(),
            ..Config::default()
        }
    }

    fn words(config: &Config, module: Option<&Path>) -> Vec<String> {
        let (program, device) = ("qemu".to_owned(), "/dev/kvm".to_owned());
        let qemu = Qemu { program, device, is_usual: true, machine: Machine::Q35 };
        arguments(&qemu, config, module).unwrap()
    }

    /// The value of an option that occurs once.
    fn value<'a>(words: &'a [String], option: &str) -> &'a str {
        let places: Vec<usize> = (0..words.len()).filter(|&at| words[at] == option).collect();
        assert_eq!(places.len(), 1, "{option} in {words:?}");
        &words[places[0] + 1]
    }

    #[test]
    fn the_guest_is_as_it_was_asked_for() {
        let words = words(&config(&["/etc/passwd,raw,xvdb,r"]), None);
        for (option, expected) in [
            ("-name", "a,,b"),
            ("-machine", "q35"),
            ("-accel", "kvm,xen-version=0x40011,kernel-irqchip=split"),
            ("-smp", "2"),
            ("-m", "64"),
            ("-kernel", "/k"),
            ("-append", "rw=randread bs=4k"),
            ("-action", "panic=exit-failure"),
        ] {
            assert_eq!(value(&words, option), expected);
        }
        assert!(!words.iter().any(|word| word == "-initrd"), "{words:?}");
        let disk: serde_json::Value = serde_json::from_str(value(&words, "-blockdev")).unwrap();
        assert_eq!((&disk["driver"], &disk["read-only"]), (&"raw".into(), &true.into()));
        assert_eq!(disk["file"]["filename"], "/etc/passwd");
        assert_eq!(disk["file"]["read-only"], true);
        assert!(words.contains(&"xen-disk,drive=disk0,vdev=xvdb".to_owned()), "{words:?}");
    }

    #[test]
    fn several_disks_have_names_and_the_job_a_file() {
        let disks = ["/etc/passwd,access=r", "/etc/group,qcow2,xvdd,w,no-discard"];
        let words =
            words(&Config { extra: String::new(), ..config(&disks) }, Some(Path::new("/tmp/job")));
        assert_eq!(value(&words, "-initrd"), "/tmp/job");
        assert!(!words.iter().any(|word| word == "-append"), "{words:?}");
        for disk in ["xen-disk,drive=disk0,vdev=xvda", "xen-disk,drive=disk1,vdev=xvdd"] {
            assert!(words.iter().any(|word| word == disk), "{disk} in {words:?}");
        }
        let second = words.iter().rfind(|word| word.starts_with('{')).unwrap();
        let second: serde_json::Value = serde_json::from_str(second).unwrap();
        let of = |key: &str| second[key].clone();
        assert_eq!((of("driver"), of("discard")), ("qcow2".into(), "ignore".into()));
    }

    #[test]
    fn a_shell_takes_the_words_back() {
        assert_eq!(quoted("kvm,xen-version=0x40011"), "kvm,xen-version=0x40011");
        assert_eq!(quoted(r#"{"a":"it's"}"#), r#"'{"a":"it'\''s"}'"#);
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("a b"), "'a b'");
    }
}
