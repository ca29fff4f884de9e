//! Options of `run --kvm`, and what does not go with it.

use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use clap::Args;
use xl_config::{Config, Disk};

use super::host::Qemu;
use super::machine::Machine;
use crate::display;
use crate::exit::Exit;

/// Device of KVM.
const DEVICE: &str = "/dev/kvm";

/// Options of a guest without a Xen host.
#[derive(Args, Debug)]
pub struct KvmOptions {
    /// Run the guest on QEMU's own Xen under KVM, by the device of KVM, instead of by xl on a Xen
    /// host: no figure of one
    #[arg(long, value_name = "DEVICE", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = DEVICE)]
    kvm: Option<PathBuf>,
    /// QEMU's machine
    #[arg(long, value_enum, value_name = "TYPE", default_value = "pc", requires = "kvm")]
    machine: Machine,
    /// QEMU's program, of version 8.2 or later
    #[arg(long, value_name = "PROGRAM", default_value = "qemu-system-x86_64", requires = "kvm")]
    qemu: String,
}

impl KvmOptions {
    /// Returns whether the guest is to run under KVM.
    pub fn is_wanted(&self) -> bool {
        self.kvm.is_some()
    }

    /// Returns the QEMU that is to run it, not looked at yet; `None` if a Xen host is.
    ///
    /// # Errors
    /// [`Exit::Usage`]: a device whose path QEMU can't be told.
    pub fn qemu(&self) -> Result<Option<Qemu>> {
        let Some(device) = &self.kvm else { return Ok(None) };
        let text = device.to_str().filter(|path| !path.contains(','));
        let wrong = || Exit::Usage(format!("{}: QEMU takes no such path", display::path(device)));
        let device = text.ok_or_else(wrong)?.to_owned();
        let is_usual = device == DEVICE;
        Ok(Some(Qemu { program: self.qemu.clone(), device, is_usual, machine: self.machine }))
    }

    /// Returns the guest as QEMU can run it: with disks that are files or devices here. One that is
    /// for `xl` stays as it is.
    ///
    /// # Errors
    /// [`Exit::Usage`]: the first thing that only a tool stack could do.
    pub fn adapt(&self, config: Config) -> Result<Config> {
        if !self.is_wanted() {
            return Ok(config);
        }
        let only_xl = |what: &str, advice: &str| {
            Err(Exit::Usage(format!("{what} is for xl, not for --kvm; {advice}")).into())
        };
        if config.cpus.is_some() {
            return only_xl("--cpus", "leave it out, and pin by `taskset -c LIST ringmark ..`");
        }
        if !config.settings.is_empty() {
            return only_xl("--set", "leave it out");
        }
        let disks = config.disks.iter().map(local).collect::<Result<Vec<_>>>()?;
        Ok(Config { disks, ..config })
    }
}

/// Returns the disk with the whole path of its target.
fn local(disk: &Disk) -> Result<Disk> {
    if let Some(word) = disk.word_for_tool_stack() {
        let what = format!("--disk {}: {word} is for xl", display::text(disk.target()));
        return Err(Exit::Usage(format!("{what}, not for --kvm; leave it out")).into());
    }
    let path = std::path::absolute(Path::new(disk.target()));
    let path = path.map_err(|error| anyhow!("{}: {error}", display::text(disk.target())))?;
    let path = path.to_str().map(str::to_owned);
    let no_text = || Exit::Usage("the working directory is no UTF-8; use another one".to_owned());
    Ok(disk.with_target(&path.ok_or_else(no_text)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use xl_config::Settings;

    fn options() -> KvmOptions {
        let (kvm, machine) = (Some(DEVICE.into()), Machine::Pc);
        KvmOptions { kvm, machine, qemu: "qemu".to_owned() }
    }

    fn with_disk(text: &str) -> Config {
        Config { disks: vec![Disk::parse(text).unwrap()], ..Config::default() }
    }

    #[test]
    fn what_only_a_tool_stack_can_do_is_refused_by_name() {
        let settings = vec![Settings::parse("tsc_mode=\"native\"").unwrap()];
        for (config, expected) in [
            (Config { cpus: Some("2".into()), ..with_disk("/a") }, "--cpus is for xl, not for"),
            (Config { settings, ..with_disk("/a") }, "--set is for xl, not for --kvm"),
            (with_disk("vdev=xvda,backend=storage,target=/a"), "backend= is for xl"),
            (with_disk("vdev=xvda,script=block-own,target=/a"), "script= is for xl"),
            (with_disk("iscsi:iqn.x"), "script= is for xl"),
            (with_disk("vdev=xvda,untrusted,target=/a"), "untrusted is for xl"),
            (with_disk("vdev=xvda,grant_usage=1,target=/a"), "grant_usage=1 is for xl"),
        ] {
            let error = options().adapt(config.clone()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            let without = KvmOptions { kvm: None, ..options() };
            let same = without.adapt(config.clone()).unwrap();
            assert_eq!((same.disks, same.cpus), (config.disks, config.cpus));
        }
    }

    #[test]
    fn a_disk_is_found_from_the_working_directory() {
        let adapt = |text| options().adapt(with_disk(text)).unwrap().disks[0].clone();
        let here = std::env::current_dir().unwrap();
        assert_eq!(adapt("a.img").target(), here.join("a.img").to_str().unwrap());
        let given = adapt("/dev/vg/lv,raw,xvdb,r");
        assert_eq!((given.target(), given.is_read_only()), ("/dev/vg/lv", true));
    }
}
