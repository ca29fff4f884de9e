//! A guest: how `xl` is to make it, and its life from there to its end.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, bail, ensure};

use crate::console::Console;
use crate::xl;

/// Most disks: the letters of `xvda` to `xvdz`.
const DISKS_MAX: usize = 26;
/// Longest time that xenconsoled may take to give a new domain its terminal.
const TERMINAL_TIMEOUT: Duration = Duration::from_secs(10);

/// A PVH guest as `xl create` takes it (xl.cfg(5)).
#[derive(Clone, Debug)]
pub struct Config {
    /// Its name.
    pub name: String,
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
    /// One `KEY=VALUE` for each setting, as `xl create` takes them in place of a file. The domain
    /// stays when it ends: its console can then be read to the last byte.
    ///
    /// # Errors
    /// When a value can't be written: xl's strings have no escapes.
    fn arguments(&self) -> Result<Vec<String>> {
        let mut arguments = vec![
            format!("name={}", quoted(&self.name)?),
            "type=\"pvh\"".to_owned(),
            format!("kernel={}", quoted_path(&self.kernel)?),
            format!("memory={}", self.memory_mib),
            format!("vcpus={}", self.vcpus),
            format!("extra={}", quoted(&self.extra)?),
        ];
        if let Some(ramdisk) = &self.ramdisk {
            arguments.push(format!("ramdisk={}", quoted_path(ramdisk)?));
        }
        if let Some(cpus) = &self.cpus {
            arguments.push(format!("cpus={}", quoted(cpus)?));
        }
        ensure!(self.disks.len() <= DISKS_MAX, "more than {DISKS_MAX} disks; give fewer --disk");
        let names = ('a'..='z').map(|letter| format!("xvd{letter}"));
        let disks =
            self.disks.iter().zip(names).map(|(disk, name)| quoted(&whole_disk(disk, &name)));
        arguments.push(format!("disk=[{}]", disks.collect::<Result<Vec<_>>>()?.join(",")));
        for end in ["poweroff", "reboot", "crash"] {
            arguments.push(format!("on_{end}=\"preserve\""));
        }
        arguments.extend(self.settings.iter().cloned());
        Ok(arguments)
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

fn left(name: &str) -> String {
    format!("domain {name} may be left behind; end it with `xl destroy {name}`")
}

/// Message of libxl when Xen has no memory for a guest's own page tables (`shadow_memory`): so it
/// is with 16 MiB and a number of vCPUs that xl was not told.
const NO_ROOM: &str = "could not allocate special pages";

/// The error of `xl create`, with what to do about it where its words do not tell.
fn advised(error: Error) -> Error {
    match error.to_string().contains(NO_ROOM) {
        true => {
            error.context("Xen has too little memory for this guest's page tables; raise --memory")
        }
        false => error,
    }
}

/// A domain of ours, to be destroyed.
#[derive(Debug)]
#[must_use = "the domain stays until `destroy`"]
pub struct Guest {
    id: u32,
    name: String,
}

impl Guest {
    /// Creates the domain, paused.
    ///
    /// # Errors
    /// When there is one of that name already, or `xl` can't make it.
    pub fn create(config: &Config) -> Result<Self> {
        let name = &config.name;
        if let Some(id) = xl::domid(name)? {
            bail!(
                "domain {name} already exists (id {id}); \
                 end it with `xl destroy {name}`, or choose another name with --name"
            );
        }
        let settings = config.arguments()?;
        // `xl` itself leaves nothing behind when it fails, and -e is not to watch the domain:
        // that is done here.
        let mut arguments = vec!["create", "-p", "-e", "/dev/null"];
        arguments.extend(settings.iter().map(String::as_str));
        xl::run("xl", &arguments).map_err(advised)?;
        match xl::domid(name) {
            Ok(Some(id)) => Ok(Self { id, name: name.clone() }),
            Ok(None) => {
                bail!("domain {name} vanished right after it was created; see /var/log/xen")
            }
            Err(error) => Err(error.context(left(name))),
        }
    }

    /// Puts a text of several pieces where the guest looks for it: its length at `node` below the
    /// domain's own path, the pieces as children `0`, `1`, ..; all at once.
    ///
    /// # Errors
    /// xenstore's.
    pub fn write_pieces(&self, node: &str, length_bytes: usize, pieces: &[String]) -> Result<()> {
        let path = format!("/local/domain/{}/{node}", self.id);
        let mut words = vec!["--".to_owned(), path.clone(), length_bytes.to_string()];
        for (number, piece) in pieces.iter().enumerate() {
            words.extend([format!("{path}/{number}"), piece.clone()]);
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        xl::run("xenstore-write", &words).map(drop)
    }

    /// Opens the console.
    ///
    /// # Errors
    /// When it gets none in time.
    pub fn console(&self) -> Result<Console> {
        let node = format!("/local/domain/{}/console/tty", self.id);
        let start = Instant::now();
        loop {
            // xenconsoled writes the node when it has noticed the domain.
            let path = xl::run("xenstore-read", &[&node]).unwrap_or_default();
            if !path.trim().is_empty() {
                return Console::open(Path::new(path.trim()));
            }
            if start.elapsed() >= TERMINAL_TIMEOUT {
                bail!("no terminal in {node} yet; is xenconsoled running?");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Unpauses the domain.
    ///
    /// # Errors
    /// xl's.
    pub fn unpause(&self) -> Result<()> {
        xl::run("xl", &["unpause", &self.id.to_string()]).map(drop)
    }

    /// Returns the state of the domain.
    ///
    /// # Errors
    /// xl's.
    pub fn state(&self) -> Result<xl::State> {
        xl::state(self.id)
    }

    /// Destroys the domain, unless it is gone already.
    ///
    /// # Errors
    /// xl's: the domain may still be there.
    pub fn destroy(self) -> Result<()> {
        let Err(error) = xl::run("xl", &["destroy", &self.id.to_string()]) else { return Ok(()) };
        match self.state() {
            Ok(xl::State::Gone) => Ok(()),
            _ => Err(error.context(left(&self.name))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        Config {
            name: "mark".into(),
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
    fn what_xl_cannot_read_is_refused() {
        for extra in ["\"'", "a\nb"] {
            let error = Config { extra: extra.into(), ..config() }.arguments().unwrap_err();
            assert!(error.to_string().contains("quotation marks"), "{error}");
        }
    }
}
