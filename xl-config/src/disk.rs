//! Disks, as libxlutil reads their specifications (xl-disk-configuration(5), libxlu_disk_l.l).

use std::error::Error;
use std::fmt::{self, Display, Formatter};

use xen_abi::vdev::Vdev;

/// Reasons why a disk is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiskError {
    /// Character that a specification can't have: NUL, or the end of a line.
    Character,
    /// No target: nothing that the backend could open.
    NoTarget,
    /// Name of no virtual device.
    Name(String),
    /// Unknown format, perhaps meant to be something else.
    Format(String),
    /// Unknown access.
    Access(String),
    /// Word that is unknown, or of no use to a guest that measures.
    Word(String),
    /// Second word for the same thing.
    Again(String),
}

impl Display for DiskError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Character => f.write_str("a disk's specification is one line without NUL"),
            Self::NoTarget => f.write_str("it has no target; write phy:/dev/vg/lv"),
            Self::Name(name) => write!(f, "{name:?} is no virtual device; write xvda"),
            Self::Format(format) => write!(
                f,
                "{format:?} is no format; write phy:TARGET,xvda,w or TARGET,raw,xvda,w, \
                 and a target that has commas as target=TARGET"
            ),
            Self::Access(access) => write!(f, "{access:?} is no access; write r or w"),
            Self::Word(word) => write!(
                f,
                "{word:?} is not taken in a disk's specification; leave it out, \
                 or write a target that has it as target=TARGET, at the end"
            ),
            Self::Again(word) => write!(f, "{word:?} says something for the second time"),
        }
    }
}

impl Error for DiskError {}

/// Words that stand for themselves, and pass to xl as they are.
const FLAGS: [&str; 8] = [
    "specification=xen",
    "direct-io-safe",
    "discard",
    "no-discard",
    "trusted",
    "untrusted",
    "grant_usage=0",
    "grant_usage=1",
];

/// A disk of a guest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    target: Option<String>,
    vdev: Option<Vdev>,
    is_writable: Option<bool>,
    format: Option<String>,
    backend: Option<String>,
    backend_type: Option<String>,
    script: Option<String>,
    flags: Vec<&'static str>,
    /// Whether a format can't stand by its position, because a prefix was there.
    has_prefix: bool,
}

impl Disk {
    /// Reads a specification. A target alone will do; it may then have any character but a comma.
    ///
    /// # Errors
    /// The first thing that xl, or a guest that measures, can't take.
    pub fn parse(text: &str) -> Result<Self, DiskError> {
        if text.contains(['\0', '\n']) {
            return Err(DiskError::Character);
        }
        let mut disk = Self::default();
        let mut rest = text;
        while let Some(after) = disk.prefix(rest)? {
            rest = after;
        }
        if rest.starts_with('/') && !rest.contains(',') {
            disk.target = Some(rest.to_owned());
            return Ok(disk);
        }
        loop {
            rest = rest.trim_start_matches([' ', '\t']);
            if let Some(after) = disk.prefix(rest)? {
                rest = after;
            } else if let Some(target) = rest.strip_prefix("target=") {
                set(&mut disk.target, target.strip_suffix(',').unwrap_or(target))?;
                break;
            } else if rest.is_empty() {
                break;
            } else {
                let (word, after) = rest.split_once(',').unwrap_or((rest, ""));
                disk.word(word)?;
                rest = after;
            }
        }
        match disk.target.as_deref() {
            None | Some("") => Err(DiskError::NoTarget),
            Some(_) => Ok(disk),
        }
    }

    /// Returns the path, or whatever else the backend opens.
    pub fn target(&self) -> &str {
        self.target.as_deref().unwrap_or_default()
    }

    /// Returns the same disk with another target: one line without NUL.
    #[must_use]
    pub fn with_target(&self, target: &str) -> Self {
        Self { target: Some(target.to_owned()), ..self.clone() }
    }

    /// Returns the path of its target in this domain, if it has one: a disk of another domain, of a
    /// script, or of a program behind it may have a target that only that knows.
    pub fn local_path(&self) -> Option<&str> {
        let is_here = self.backend.as_deref().is_none_or(|id| ["0", "Domain-0"].contains(&id));
        let is_plain = is_here && self.script.is_none();
        Some(self.target()).filter(|target| is_plain && target.starts_with('/'))
    }

    /// Returns whether the guest may only read it.
    pub fn is_read_only(&self) -> bool {
        self.is_writable == Some(false)
    }

    /// Returns whether the guest may trust its backend, as far as this says.
    pub fn is_trusted(&self) -> bool {
        !self.flags.contains(&"untrusted")
    }

    /// Returns the format of its target: `raw`, `qcow`, `qcow2`, `vhd` or `qed`.
    pub fn format(&self) -> &str {
        self.format.as_deref().unwrap_or("raw")
    }

    /// Returns whether its specification has this word, such as `no-discard`.
    pub fn has(&self, flag: &str) -> bool {
        self.flags.contains(&flag)
    }

    /// Returns the first word of its specification that only a tool stack could follow.
    pub fn word_for_tool_stack(&self) -> Option<&'static str> {
        let keys = [
            ("backend=", &self.backend),
            ("backendtype=", &self.backend_type),
            ("script=", &self.script),
        ];
        let key = keys.into_iter().find(|(_, value)| value.is_some()).map(|(key, _)| key);
        let ours = ["untrusted", "grant_usage=0", "grant_usage=1"];
        key.or_else(|| ours.into_iter().find(|flag| self.has(flag)))
    }

    /// Returns its virtual device, if it was named.
    pub(crate) fn vdev(&self) -> Option<Vdev> {
        self.vdev
    }

    /// Returns the specification of this disk with that virtual device. The target is its last
    /// part, where it may have any character.
    pub(crate) fn specification(&self, vdev: Vdev) -> String {
        let access = if self.is_read_only() { "r" } else { "w" };
        let mut text = format!("vdev={vdev},access={access},");
        let named = [
            ("format", &self.format),
            ("backend", &self.backend),
            ("backendtype", &self.backend_type),
            ("script", &self.script),
        ];
        for (key, value) in named {
            if let Some(value) = value {
                text.push_str(&format!("{key}={value},"));
            }
        }
        self.flags.iter().for_each(|flag| text.push_str(&format!("{flag},")));
        // The last comma of a target is taken for one that ends it.
        let end = if self.target().ends_with(',') { "," } else { "" };
        text + &format!("target={}{end}", self.target())
    }

    /// Takes an old-fashioned prefix off, such as `phy:`, and returns the rest; nothing if there is
    /// none.
    fn prefix<'t>(&mut self, text: &'t str) -> Result<Option<&'t str>, DiskError> {
        let Some((word, rest)) = text.split_once(':') else { return Ok(None) };
        let is_word = word.starts_with(|c: char| c.is_ascii_lowercase())
            && word.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9'));
        match word {
            "phy" | "file" | "aio" | "tap" | "tap2" | "tapdisk" | "ioemu" => {}
            "raw" | "qcow" | "qcow2" | "vhd" => self.set_format(word)?,
            "iscsi" | "nbd" | "enbd" | "drbd" => set(&mut self.script, &format!("block-{word}"))?,
            _ if is_word && !rest.starts_with(|c| matches!(c, 'a'..='z' | '0'..='9')) => {
                return Err(DiskError::Word(format!("{word}:")));
            }
            _ => return Ok(None),
        }
        self.has_prefix = true;
        Ok(Some(rest))
    }

    /// Takes a part between commas.
    fn word(&mut self, word: &str) -> Result<(), DiskError> {
        if let Some(flag) = FLAGS.into_iter().find(|flag| *flag == word) {
            self.flags.push(flag);
            return Ok(());
        }
        let Some((key, value)) = word.split_once('=') else { return self.by_position(word) };
        match (key, value) {
            ("format", _) => self.set_format(value),
            ("access", _) => self.set_access(value),
            ("vdev", _) => self.set_vdev(value),
            ("backend", _) => set(&mut self.backend, value),
            ("backendtype", "phy" | "tap" | "qdisk" | "standalone") => {
                set(&mut self.backend_type, value)
            }
            ("script", _) => set(&mut self.script, value),
            ("devtype", "disk") => Ok(()),
            _ => Err(DiskError::Word(word.to_owned())),
        }
    }

    /// Takes a part that has no key: `TARGET,FORMAT,VDEV,ACCESS`, without `FORMAT` behind a prefix.
    fn by_position(&mut self, word: &str) -> Result<(), DiskError> {
        // libxl's flags that a disk to be measured has not.
        if ["cdrom", "colo", "no-colo"].contains(&word) {
            Err(DiskError::Word(word.to_owned()))
        } else if self.target.is_none() {
            set(&mut self.target, word)
        } else if !self.has_prefix && self.format.is_none() {
            self.set_format(word)
        } else if self.vdev.is_none() {
            self.set_vdev(word.strip_suffix(":disk").unwrap_or(word))
        } else {
            self.set_access(word)
        }
    }

    fn set_format(&mut self, word: &str) -> Result<(), DiskError> {
        let format = if word.is_empty() { "raw" } else { word };
        if !["raw", "qcow", "qcow2", "vhd", "qed"].contains(&format) {
            return Err(DiskError::Format(word.to_owned()));
        }
        set(&mut self.format, format)
    }

    fn set_access(&mut self, word: &str) -> Result<(), DiskError> {
        let is_writable = match word {
            "r" | "ro" => false,
            "w" | "rw" | "" => true,
            _ => return Err(DiskError::Access(word.to_owned())),
        };
        match self.is_writable.replace(is_writable) {
            None => Ok(()),
            Some(_) => Err(DiskError::Again(word.to_owned())),
        }
    }

    fn set_vdev(&mut self, name: &str) -> Result<(), DiskError> {
        // A number may be one of two for a disk; the other one has no name.
        let vdev = Vdev::parse(name).filter(|vdev| Vdev::parse(&vdev.to_string()) == Some(*vdev));
        let vdev = vdev.ok_or_else(|| DiskError::Name(name.to_owned()))?;
        match self.vdev.replace(vdev) {
            None => Ok(()),
            Some(_) => Err(DiskError::Again(name.to_owned())),
        }
    }
}

fn set(part: &mut Option<String>, value: &str) -> Result<(), DiskError> {
    match part.replace(value.to_owned()) {
        None => Ok(()),
        Some(_) => Err(DiskError::Again(value.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        let disk = Disk::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        disk.specification(disk.vdev().unwrap_or(Vdev(51728)))
    }

    #[test]
    fn each_spelling_of_a_disk_is_read() {
        for (text, expected) in [
            ("/dev/vg/lv", "vdev=xvdb,access=w,target=/dev/vg/lv"),
            ("phy:/dev/vg/lv", "vdev=xvdb,access=w,target=/dev/vg/lv"),
            ("phy:/dev/a=b 'c\"d", "vdev=xvdb,access=w,target=/dev/a=b 'c\"d"),
            ("phy:/dev/a,xvda,w", "vdev=xvda,access=w,target=/dev/a"),
            ("phy:/dev/a,sda1,r", "vdev=sda1,access=r,target=/dev/a"),
            ("phy:/dev/a,d16p0", "vdev=xvdq,access=w,target=/dev/a"),
            ("phy:/dev/a,51744:disk", "vdev=xvdc,access=w,target=/dev/a"),
            ("phy:/dev/a,access=ro", "vdev=xvdb,access=r,target=/dev/a"),
            ("/dev/a,,xvdd", "vdev=xvdd,access=w,format=raw,target=/dev/a"),
            ("/a.qcow2,qcow2,xvdd,rw", "vdev=xvdd,access=w,format=qcow2,target=/a.qcow2"),
            ("tap:qcow2:/a, xvdd", "vdev=xvdd,access=w,format=qcow2,target=/a"),
            ("iscsi:iqn.x", "vdev=xvdb,access=w,script=block-iscsi,target=iqn.x"),
            ("rbd:pool/image", "vdev=xvdb,access=w,target=rbd:pool/image"),
            (
                "vdev=xvda, backendtype=qdisk,backend=dom,discard,format=raw, target= /a,b,,",
                "vdev=xvda,access=w,format=raw,backend=dom,backendtype=qdisk,discard,target= /a,b,,",
            ),
            (
                "grant_usage=0,specification=xen,devtype=disk,target=/a",
                "vdev=xvdb,access=w,grant_usage=0,specification=xen,target=/a",
            ),
        ] {
            assert_eq!(written(text), expected, "{text}");
        }
    }

    #[test]
    fn only_plain_targets_here_have_a_path() {
        for (text, expected) in [
            ("phy:/dev/a", Some("/dev/a")),
            ("/a.qcow2,qcow2,xvda,w", Some("/a.qcow2")),
            ("vdev=xvda,backend=0,target=/dev/a", Some("/dev/a")),
            ("vdev=xvda,backend=storage,target=/dev/a", None),
            ("vdev=xvda,script=block-own,target=/dev/a", None),
            ("iscsi:iqn.x", None),
            ("rbd:pool/image", None),
        ] {
            assert_eq!(Disk::parse(text).unwrap().local_path(), expected, "{text}");
        }
    }

    #[test]
    fn what_xl_or_a_measurement_cannot_take_is_refused() {
        for (text, expected) in [
            ("", "it has no target"),
            ("phy:", "it has no target"),
            ("vdev=xvda", "it has no target"),
            ("target=", "it has no target"),
            (",raw,xvda", "it has no target"),
            ("/dev/a,xvdb,w", "\"xvdb\" is no format; write phy:TARGET,xvda,w"),
            ("/dev/a,b", "write phy:TARGET"),
            ("phy:/dev/a,vda,w", "\"vda\" is no virtual device"),
            ("phy:/dev/a,,r", "\"\" is no virtual device"),
            ("phy:/dev/a,268435456,r", "is no virtual device"),
            ("phy:/dev/a,xvda,x", "\"x\" is no access"),
            ("phy:/dev/a,xvda,w,w", "\"w\" says something for the second time"),
            ("phy:/dev/a,xvda,vdev=xvdb", "second time"),
            ("phy:/dev/a,access=r,xvda,w", "second time"),
            ("phy:/dev/a,target=/dev/b", "second time"),
            ("phy:/dev/a,xvda:cdrom,r", "is no virtual device"),
            ("cdrom,target=/a", "\"cdrom\" is not taken"),
            ("devtype=cdrom,target=/a", "not taken"),
            ("specification=virtio,target=/a", "not taken"),
            ("backendtype=x,target=/a", "not taken"),
            ("phy:colo", "not taken"),
            ("Format=raw,target=/a", "not taken"),
            ("/dev/a=b,raw,xvda", "not taken"),
            ("foo:/dev/a", "\"foo:\" is not taken"),
            ("/a\n", "one line"),
            ("/a\0", "one line"),
        ] {
            let error = Disk::parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text:?}: {error}");
        }
    }

    #[test]
    fn words_for_the_tool_stack_are_told_apart() {
        for (text, expected) in [
            ("/dev/a", None),
            ("/a,qcow2,xvda,w,discard", None),
            ("vdev=xvda,backendtype=qdisk,target=/a", Some("backendtype=")),
            ("vdev=xvda,backend=0,target=/a", Some("backend=")),
            ("iscsi:iqn.x", Some("script=")),
            ("untrusted,target=/a", Some("untrusted")),
            ("grant_usage=0,target=/a", Some("grant_usage=0")),
            ("trusted,direct-io-safe,specification=xen,target=/a", None),
        ] {
            assert_eq!(Disk::parse(text).unwrap().word_for_tool_stack(), expected, "{text}");
        }
        let disk = Disk::parse("/a.qcow2,qcow2,xvda,w,discard").unwrap();
        assert!(disk.format() == "qcow2" && disk.has("discard") && !disk.has("no-discard"));
        assert_eq!(Disk::parse("phy:/a").unwrap().format(), "raw");
    }

    #[test]
    fn access_is_known() {
        assert!(Disk::parse("phy:/a,xvda,r").unwrap().is_read_only());
        assert!(!Disk::parse("/a").unwrap().is_read_only());
        assert_eq!(Disk::parse("target=/a,b").unwrap().target(), "/a,b");
    }
}
