//! A guest's configuration.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// Most disks: the letters of `xvda` to `xvdz`.
const DISKS_MAX: usize = 26;

/// A PVH guest as `xl create` takes it (xl.cfg(5)).
#[derive(Clone, Debug)]
pub struct Config {
    /// Its name.
    pub name: String,
    /// Its UUID; without one, xl makes one up.
    pub uuid: Option<String>,
    /// Its kernel.
    pub kernel: PathBuf,
    /// Boot module that is loaded beside the kernel.
    pub ramdisk: Option<PathBuf>,
    /// Its memory in MiB.
    pub memory_mib: u32,
    /// Number of vCPUs.
    pub vcpus: u32,
    /// The processors that it may run on, in xl's words.
    pub cpus: Option<String>,
    /// Its disks, as in `disk=`, or without the words behind the target.
    pub disks: Vec<String>,
    /// Its command line.
    pub extra: String,
    /// More settings, `KEY=VALUE` each, values as in the file.
    pub settings: Vec<String>,
}

impl Config {
    /// Returns `KEY=VALUE` for each setting, as `xl create` takes them in place of a file.
    ///
    /// # Errors
    /// When a value can't be written.
    pub fn arguments(&self) -> Result<Vec<String>> {
        let own = self.own()?;
        let own = own.iter().map(|(key, value)| format!("{key}={value}"));
        Ok(own.chain(self.settings.iter().cloned()).collect())
    }

    /// Returns the same as a file for `xl create`.
    ///
    /// # Errors
    /// When a value can't be written.
    pub fn text(&self) -> Result<String> {
        let own = self.own()?;
        let own = own.iter().map(|(key, value)| format!("{key} = {value}\n"));
        Ok(own.chain(self.settings.iter().map(|setting| format!("{setting}\n"))).collect())
    }

    /// Returns the settings that are not the user's, values as xl reads them. The domain stays when
    /// it ends: its console can then be read to the last byte.
    fn own(&self) -> Result<Vec<(&'static str, String)>> {
        let mut own = vec![
            ("name", quoted(&self.name)?),
            ("type", quoted("pvh")?),
            ("kernel", quoted_path(&self.kernel)?),
            ("memory", self.memory_mib.to_string()),
            ("vcpus", self.vcpus.to_string()),
            ("extra", quoted(&self.extra)?),
        ];
        if let Some(uuid) = &self.uuid {
            own.push(("uuid", quoted(uuid)?));
        }
        if let Some(ramdisk) = &self.ramdisk {
            own.push(("ramdisk", quoted_path(ramdisk)?));
        }
        if let Some(cpus) = &self.cpus {
            own.push(("cpus", quoted(cpus)?));
        }
        ensure!(self.disks.len() <= DISKS_MAX, "more than {DISKS_MAX} disks; give fewer --disk");
        let names = ('a'..='z').map(|letter| format!("xvd{letter}"));
        let disks =
            self.disks.iter().zip(names).map(|(disk, name)| quoted(&whole_disk(disk, &name)));
        own.push(("disk", format!("[{}]", disks.collect::<Result<Vec<_>>>()?.join(","))));
        for end in ["on_poweroff", "on_reboot", "on_crash"] {
            own.push((end, quoted("preserve")?));
        }
        Ok(own)
    }
}

/// `phy:/dev/vg/lv` and `/dev/vg/lv` become `phy:/dev/vg/lv,xvda,w`; what has commas is whole.
fn whole_disk(disk: &str, name: &str) -> String {
    match disk {
        _ if disk.contains(',') => disk.to_owned(),
        _ if disk.starts_with('/') => format!("phy:{disk},{name},w"),
        _ => format!("{disk},{name},w"),
    }
}

fn quoted_path(path: &Path) -> Result<String> {
    quoted(path.to_str().with_context(|| format!("{} is not valid UTF-8", path.display()))?)
}

/// A string as xl reads it: within one of two kinds of quotation marks.
fn quoted(text: &str) -> Result<String> {
    let mark = if text.contains('"') { '\'' } else { '"' };
    ensure!(
        !text.contains(mark) && !text.contains(char::is_control),
        "xl cannot read {text:?}: use one kind of quotation marks only, and no line breaks"
    );
    Ok(format!("{mark}{text}{mark}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        Config {
            name: "mark".into(),
            uuid: None,
            kernel: "/boot/ringmark".into(),
            ramdisk: None,
            memory_mib: 64,
            vcpus: 1,
            cpus: None,
            disks: vec!["phy:/dev/vg/lv".into(), "/dev/sdb".into(), "file:/a,xvdq,r".into()],
            extra: "verify_pattern=\"ab\"".into(),
            settings: vec!["tsc_mode=\"native\"".into()],
        }
    }

    #[test]
    fn settings_are_as_xl_reads_them() {
        let arguments = config().arguments().unwrap();
        for expected in [
            "name=\"mark\"",
            "kernel=\"/boot/ringmark\"",
            "memory=64",
            "extra='verify_pattern=\"ab\"'",
            "disk=[\"phy:/dev/vg/lv,xvda,w\",\"phy:/dev/sdb,xvdb,w\",\"file:/a,xvdq,r\"]",
            "on_poweroff=\"preserve\"",
            "tsc_mode=\"native\"",
        ] {
            assert!(arguments.iter().any(|argument| argument == expected), "{expected}");
        }
        assert!(!arguments.iter().any(|argument| argument.starts_with("ramdisk")));
    }

    #[test]
    fn a_file_has_the_same_settings() {
        let config = Config { uuid: Some("a-b".into()), ..config() };
        let text = config.text().unwrap();
        let lines: Vec<String> = text.lines().map(|line| line.replacen(" = ", "=", 1)).collect();
        assert_eq!(lines, config.arguments().unwrap());
        assert!(text.contains("\nuuid = \"a-b\"\n"), "{text}");
    }

    #[test]
    fn what_xl_cannot_read_is_refused() {
        for extra in ["\"'", "a\nb"] {
            let error = Config { extra: extra.into(), ..config() }.arguments().unwrap_err();
            assert!(error.to_string().contains("quotation marks"), "{error}");
        }
    }
}
