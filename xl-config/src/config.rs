//! A guest's configuration.

use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};

use xen_abi::vdev::Vdev;

use crate::disk::Disk;
use crate::name::{self, NameError};
use crate::settings::{SettingError, Settings, check_extra};
use crate::value::Value;

/// A PVH guest as `xl create` takes it (xl.cfg(5)).
#[derive(Clone, Debug, Default)]
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
    /// Its disks; those without a name get `xvda`, `xvdb`, .. as far as these are free.
    pub disks: Vec<Disk>,
    /// Its command line.
    pub extra: String,
    /// More settings.
    pub settings: Vec<Settings>,
    /// Whether it goes when it ends. Otherwise it stays until it is destroyed, so that its console
    /// can be read to the last byte.
    pub goes_at_end: bool,
}

/// Reasons why a configuration can't be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// Name that can't be one.
    Name(NameError),
    /// Text that is no UUID.
    Uuid(String),
    /// Path that xl can't be told: it is no UTF-8.
    Path(PathBuf),
    /// Value with a NUL, which would end it for xl; its key.
    Nul(String),
    /// Two disks that are one for the guest; their names.
    SameDisk(String, String),
    /// More disks than names.
    Disks,
    /// Command line that a setting would replace.
    Extra(String),
    /// Setting that can't be used.
    Setting(SettingError),
}

impl Display for ConfigError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(error) => error.fmt(f),
            Self::Uuid(uuid) => write!(f, "{uuid:?} is no UUID"),
            Self::Path(path) => {
                write!(f, "the path {path:?} is not valid UTF-8; use another one")
            }
            Self::Nul(key) => write!(f, "{key} has a NUL; leave it out"),
            Self::SameDisk(first, second) => {
                write!(f, "{first} and {second} name the same disk; give each one of its own")
            }
            Self::Disks => f.write_str("there are more disks than names; give fewer"),
            Self::Extra(line) => {
                write!(f, "--set extra= would replace the command line {line:?}; leave it out")
            }
            Self::Setting(error) => error.fmt(f),
        }
    }
}

impl Error for ConfigError {}

impl Config {
    /// Checks all of it, before anything runs.
    ///
    /// # Errors
    /// The first thing that can't be written, or xl would not take.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.all().map(drop)
    }

    /// Returns `KEY=VALUE` for each setting, as `xl create` takes them in place of a file.
    ///
    /// # Errors
    /// Errors of [`check`](Self::check).
    pub fn arguments(&self) -> Result<Vec<String>, ConfigError> {
        Ok(self.all()?.iter().map(|(key, value)| format!("{key}={value}")).collect())
    }

    /// Returns the same as a file for `xl create`.
    ///
    /// # Errors
    /// Errors of [`check`](Self::check).
    pub fn text(&self) -> Result<String, ConfigError> {
        Ok(self.all()?.iter().map(|(key, value)| format!("{key} = {value}\n")).collect())
    }

    /// Returns the number that the user's settings give a key, as libxlutil reads it: decimal, or
    /// with 0x hexadecimal, or with 0 octal. `None` if they give none.
    pub fn number(&self, key: &str) -> Option<u64> {
        let mut all = Vec::new();
        self.settings.iter().try_for_each(|settings| settings.add_to(&mut all)).ok()?;
        let (_, value) = all.into_iter().find(|(known, _)| known == key)?;
        let Value::Text(text) = value else { return None };
        let (digits, radix) = match (text.strip_prefix("0x"), text.strip_prefix('0')) {
            (Some(digits), _) => (digits, 16),
            (None, Some(digits)) if !digits.is_empty() => (digits, 8),
            _ => (text.as_str(), 10),
        };
        u64::from_str_radix(digits, radix).ok()
    }

    /// Returns the virtual devices of the disks, in the order of these.
    ///
    /// # Errors
    /// [`ConfigError::SameDisk`], [`ConfigError::Disks`].
    pub fn vdevs(&self) -> Result<Vec<Vdev>, ConfigError> {
        let mut taken: Vec<Vdev> = Vec::new();
        for vdev in self.disks.iter().filter_map(Disk::vdev) {
            if let Some(other) = taken.iter().find(|other| overlap(**other, vdev)) {
                return Err(ConfigError::SameDisk(other.to_string(), vdev.to_string()));
            }
            taken.push(vdev);
        }
        let is_free = |vdev: &Vdev| taken.iter().all(|other| !overlap(*other, *vdev));
        let mut free = (0..).map_while(Vdev::xvd).filter(is_free);
        let vdevs = self.disks.iter().map(|disk| disk.vdev().or_else(|| free.next()));
        vdevs.collect::<Option<_>>().ok_or(ConfigError::Disks)
    }

    /// Returns the names of the disks in our guest, in the order of these.
    ///
    /// # Errors
    /// [`ConfigError::SameDisk`], [`ConfigError::Disks`].
    pub fn disk_names(&self) -> Result<Vec<String>, ConfigError> {
        Ok(self.vdevs()?.iter().map(Vdev::to_string).collect())
    }

    /// Returns the names that Linux gives the disks: all of them are `xvd..` there.
    ///
    /// # Errors
    /// [`ConfigError::SameDisk`], [`ConfigError::Disks`].
    pub fn linux_disk_names(&self) -> Result<Vec<String>, ConfigError> {
        let name = |vdev: Vdev| {
            let (disk, partition) = vdev.disk_and_partition()?;
            let partition = Some(partition).filter(|&number| number > 0);
            let number = partition.map_or(String::new(), |number| number.to_string());
            Some(format!("{}{number}", Vdev::xvd(disk)?))
        };
        self.vdevs()?.into_iter().map(name).collect::<Option<_>>().ok_or(ConfigError::Disks)
    }

    /// Returns all settings, each key once.
    fn all(&self) -> Result<Vec<(String, Value)>, ConfigError> {
        let mut all = self.own()?;
        if self.settings.iter().any(Settings::has_extra) {
            if !self.extra.is_empty() {
                return Err(ConfigError::Extra(self.extra.clone()));
            }
            all.retain(|(key, _)| key != "extra");
        }
        for settings in &self.settings {
            settings.add_to(&mut all).map_err(ConfigError::Setting)?;
        }
        // Pieces that are right may be wrong together.
        if self.extra.is_empty()
            && let Some((_, line)) = all.iter().find(|(key, _)| key == "extra")
        {
            check_extra(line).map_err(ConfigError::Setting)?;
        }
        match all.iter().find(|(_, value)| value.has_nul()) {
            Some((key, _)) => Err(ConfigError::Nul(key.clone())),
            None => Ok(all),
        }
    }

    /// Returns the settings that are not the user's.
    fn own(&self) -> Result<Vec<(String, Value)>, ConfigError> {
        name::check(&self.name).map_err(ConfigError::Name)?;
        if let Some(uuid) = self.uuid.as_ref().filter(|uuid| !is_uuid(uuid)) {
            return Err(ConfigError::Uuid(uuid.clone()));
        }
        let mut own = vec![
            ("name", Value::Text(self.name.clone())),
            ("type", Value::Text("pvh".into())),
            ("kernel", path(&self.kernel)?),
            ("memory", Value::Text(self.memory_mib.to_string())),
            ("vcpus", Value::Text(self.vcpus.to_string())),
            ("extra", Value::Text(self.extra.clone())),
        ];
        if let Some(uuid) = &self.uuid {
            own.push(("uuid", Value::Text(uuid.clone())));
        }
        if let Some(ramdisk) = &self.ramdisk {
            own.push(("ramdisk", path(ramdisk)?));
        }
        if let Some(cpus) = &self.cpus {
            own.push(("cpus", Value::Text(cpus.clone())));
        }
        let disks = self.disks.iter().zip(self.vdevs()?);
        own.push(("disk", Value::texts(disks.map(|(disk, vdev)| disk.specification(vdev)))));
        if !self.goes_at_end {
            let ends = ["on_poweroff", "on_reboot", "on_crash"];
            own.extend(ends.map(|end| (end, Value::Text("preserve".into()))));
        }
        Ok(own.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }
}

fn path(path: &Path) -> Result<Value, ConfigError> {
    let text = path.to_str().ok_or_else(|| ConfigError::Path(path.to_owned()))?;
    Ok(Value::Text(text.to_owned()))
}

/// Returns whether these are one disk for a guest, or one is a partition of the other. Linux names
/// `xvda`, `sda` and `hda` alike.
fn overlap(one: Vdev, other: Vdev) -> bool {
    match (one.disk_and_partition(), other.disk_and_partition()) {
        (Some((disk, part)), Some((other, other_part))) => {
            disk == other && (part == other_part || part == 0 || other_part == 0)
        }
        _ => one == other,
    }
}

/// Returns whether this is a UUID with its hyphens.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        let disk = |text| Disk::parse(text).unwrap();
        Config {
            name: "mark".into(),
            kernel: "/boot/ringmark".into(),
            memory_mib: 64,
            vcpus: 1,
            disks: vec![disk("phy:/dev/vg/lv"), disk("file:/a,xvdb,r"), disk("/dev/sdb")],
            settings: vec![Settings::parse("tsc_mode=\"native\"").unwrap()],
            ..Config::default()
        }
    }

    #[test]
    fn settings_are_as_xl_reads_them() {
        let extra = "verify_pattern=\"ab\" \\".into();
        let arguments = Config { extra, ..config() }.arguments().unwrap();
        for expected in [
            "name=\"mark\"",
            "kernel=\"/boot/ringmark\"",
            "memory=64",
            "extra=\"verify_pattern=\\\"ab\\\" \\\\\"",
            "disk=[\"vdev=xvda,access=w,target=/dev/vg/lv\", \
             \"vdev=xvdb,access=r,target=/a\", \"vdev=xvdc,access=w,target=/dev/sdb\"]",
            "on_poweroff=\"preserve\"",
            "tsc_mode=\"native\"",
        ] {
            assert!(arguments.iter().any(|argument| argument == expected), "{expected}");
        }
        assert!(!arguments.iter().any(|argument| argument.starts_with("ramdisk")));
    }

    #[test]
    fn a_file_has_the_same_settings() {
        let uuid = "00112233-4455-6677-8899-aabbccddeeff".to_owned();
        let config = Config { uuid: Some(uuid), goes_at_end: true, ..config() };
        let text = config.text().unwrap();
        let lines: Vec<String> = text.lines().map(|line| line.replacen(" = ", "=", 1)).collect();
        assert_eq!(lines, config.arguments().unwrap());
        assert!(text.contains("\nuuid = \"00112233-") && !text.contains("on_"), "{text}");
    }

    #[test]
    fn disks_get_names_that_are_free() {
        let names = |disks: &[&str]| {
            let disks = disks.iter().map(|text| Disk::parse(text).unwrap()).collect();
            Config { disks, ..config() }.disk_names()
        };
        assert_eq!(names(&["phy:/a,xvdb,w", "/b", "/c"]).unwrap(), ["xvdb", "xvda", "xvdc"]);
        assert_eq!(names(&["/b", "phy:/a,d0p1", "phy:/a,sdb"]).unwrap(), ["xvdc", "xvda1", "sdb"]);
        assert_eq!(names(&["/a"; 28]).unwrap()[25..], ["xvdz", "xvdaa", "xvdab"]);
        for (first, second) in [
            ("xvda", "xvda"),
            ("xvda", "sda"),
            ("xvda", "hda"),
            ("xvda", "d0p0"),
            ("xvda", "51712"),
            ("xvda", "xvda1"),
            ("d0p1", "xvda1"),
            ("xvdaa", "d26p0"),
        ] {
            let error = names(&[&format!("phy:/a,{first}"), "/b", &format!("phy:/c,{second}")]);
            assert!(matches!(error, Err(ConfigError::SameDisk(..))), "{first} {second}");
        }
        assert!(names(&["phy:/a,xvda1", "phy:/a,xvda2"]).is_ok());
    }

    #[test]
    fn linux_has_names_of_its_own() {
        let disks = ["phy:/a,sdb", "phy:/b,hda2", "/c", "phy:/d,xvdaa1"];
        let disks = disks.map(|text| Disk::parse(text).unwrap()).into();
        let config = Config { disks, ..config() };
        assert_eq!(config.disk_names().unwrap(), ["sdb", "hda2", "xvdc", "xvdaa1"]);
        assert_eq!(config.linux_disk_names().unwrap(), ["xvdb", "xvda2", "xvdc", "xvdaa1"]);
    }

    #[test]
    fn what_xl_cannot_be_told_is_refused() {
        let settings =
            |all: &[&str]| all.iter().map(|text| Settings::parse(text).unwrap()).collect();
        for (config, expected) in [
            (Config { name: "7".into(), ..config() }, "number of a domain"),
            (Config { uuid: Some("a-b".into()), ..config() }, "\"a-b\" is no UUID"),
            (Config { extra: "a\0".into(), ..config() }, "extra has a NUL"),
            (Config { cpus: Some("\0".into()), ..config() }, "cpus has a NUL"),
            (
                Config { extra: "bs=4k".into(), settings: settings(&["extra='hold'"]), ..config() },
                "would replace the command line \"bs=4k\"",
            ),
            (
                Config { settings: settings(&["extra='hold'", "extra+='hold'"]), ..config() },
                "it contains jobs",
            ),
            (
                Config { settings: settings(&["pool='a'", "pool+=['b']"]), ..config() },
                "can't be added",
            ),
        ] {
            let error = config.check().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            assert_eq!(config.arguments().unwrap_err(), config.check().unwrap_err());
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_path_of_odd_bytes_is_refused() {
        use std::os::unix::ffi::OsStrExt;
        let kernel = Path::new(std::ffi::OsStr::from_bytes(b"/\xff")).to_owned();
        let error = Config { kernel, ..config() }.check().unwrap_err().to_string();
        assert!(error.contains("not valid UTF-8"), "{error}");
    }
}
