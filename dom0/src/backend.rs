//! Facts about the disks of a guest: what its backends' directories in xenstore say.
//!
//! Both listings are of `xenstore-ls -f`: a line `PATH = "VALUE"` for each node, with escapes for
//! what is not printable. A backend may be in another domain, so none of it is trusted. Directories
//! that do not look as they should are passed over.

use std::collections::BTreeMap;

use results::OriginDisk;

use crate::block::Block;
use crate::display::fact;
use crate::root::Root;

/// Most disks whose backends are asked for.
const DISKS_MAX: usize = 64;

/// Directory of all block backends of Linux in dom0.
pub const ALL: &str = "/local/domain/0/backend/vbd";

/// Directory of a backend: `/local/domain/BACKEND/backend/DRIVER/FRONTEND/DEVICE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Directory<'a> {
    /// Number of the device; `xvda` is less than `xvdb`.
    device: u64,
    domid: u32,
    driver: &'a str,
}

/// Returns the directory of a domain's disks in xenstore.
pub fn frontends(id: u32) -> String {
    format!("/local/domain/{id}/device/vbd")
}

/// Returns the directories of the backends, given the listing of [`frontends`].
pub fn backends(listing: &str, id: u32) -> Vec<String> {
    let start = format!("{}/", frontends(id));
    let is_pointer = |path: &str| {
        let device = path.strip_prefix(&start).and_then(|rest| rest.strip_suffix("/backend"));
        device.is_some_and(|device| device.parse::<u64>().is_ok())
    };
    let pointers = nodes(listing).filter(|(path, _)| is_pointer(path));
    let backends = pointers.map(|(_, value)| value).filter(|path| directory(path, id).is_some());
    backends.take(DISKS_MAX).collect()
}

/// Returns a domain's disks, given the listing of the directories of its [`backends`].
pub fn disks(listing: &str, id: u32) -> Vec<OriginDisk> {
    let root = Root::default();
    disks_with(listing, id, |major, minor| Block::new(&root, major, minor).facts())
}

/// Returns the disks; `look` tells of a device of this domain by its numbers.
fn disks_with(listing: &str, id: u32, look: impl Fn(u32, u32) -> OriginDisk) -> Vec<OriginDisk> {
    let mut disks: BTreeMap<Directory, BTreeMap<&str, String>> = BTreeMap::new();
    for (path, value) in nodes(listing) {
        let Some((parent, name)) = path.rsplit_once('/') else { continue };
        let Some(directory) = directory(parent, id) else { continue };
        if disks.len() < DISKS_MAX || disks.contains_key(&directory) {
            disks.entry(directory).or_default().insert(name, value);
        }
    }
    disks.iter().map(|(directory, nodes)| disk(directory, nodes, &look)).collect()
}

/// Returns the domains that have a device of dom0 as a disk, given the listing of [`ALL`].
pub fn users(listing: &str, major: u32, minor: u32) -> Vec<u32> {
    let user = |(path, value): (&str, String)| {
        let rest = path.strip_prefix(ALL)?.strip_prefix('/')?.strip_suffix("/physical-device")?;
        let (domain, _) = rest.split_once('/')?;
        (device(&value)? == (major, minor)).then(|| domain.parse().ok())?
    };
    let mut users: Vec<u32> = nodes(listing).filter_map(user).take(DISKS_MAX).collect();
    users.dedup();
    users
}

fn disk(
    directory: &Directory,
    nodes: &BTreeMap<&str, String>,
    look: &impl Fn(u32, u32) -> OriginDisk,
) -> OriginDisk {
    let value = |name: &str| nodes.get(name).map(String::as_str);
    let device = value("physical-device").filter(|_| directory.domid == 0).and_then(device);
    let found = device.map(|(major, minor)| look(major, minor)).unwrap_or_default();
    OriginDisk {
        vdev: value("dev").and_then(fact),
        target: value("params").and_then(fact),
        backend: fact(directory.driver),
        backend_domid: Some(directory.domid),
        kind: value("type").and_then(fact),
        read_only: match value("mode") {
            Some("r") => Some(true),
            Some("w") => Some(false),
            _ => None,
        },
        ..found
    }
}

/// Reads the nodes of a listing; a line that is none is passed over.
fn nodes(listing: &str) -> impl Iterator<Item = (&str, String)> {
    listing.lines().filter_map(|line| {
        let (path, value) = line.split_once(" = \"")?;
        Some((path, unescaped(value.strip_suffix('"')?)))
    })
}

/// Reads the path of the directory of a backend that serves this domain.
fn directory(path: &str, id: u32) -> Option<Directory<'_>> {
    let parts: Vec<&str> = path.strip_prefix("/local/domain/")?.split('/').collect();
    let [domid, "backend", driver, frontend, device] = parts[..] else { return None };
    let is_plain = driver.chars().all(|letter| letter.is_ascii_alphanumeric());
    let is_ours = frontend.parse() == Ok(id);
    let (device, domid) = (device.parse().ok()?, domid.parse().ok()?);
    (is_plain && is_ours).then_some(Directory { device, domid, driver })
}

/// Reads a value as the xenstore clients escape it: a letter for tabs and line ends, three octal
/// digits or `x` and two hexadecimal ones for other bytes.
fn unescaped(value: &str) -> String {
    let number = |digits: &[u8], base| {
        // A sign is no digit.
        let digits = std::str::from_utf8(digits).ok().filter(|text| !text.starts_with('+'))?;
        u8::from_str_radix(digits, base).ok()
    };
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = match after {
            _ if *first != b'\\' => None,
            [b'n', ..] => Some((b'\n', 1)),
            [b't', ..] => Some((b'\t', 1)),
            [b'r', ..] => Some((b'\r', 1)),
            [b'\\', ..] => Some((b'\\', 1)),
            [b'x', digits @ ..] => digits.get(..2).and_then(|d| Some((number(d, 16)?, 3))),
            digits => digits.get(..3).and_then(|d| Some((number(d, 8)?, 3))),
        };
        let (byte, used) = escaped.unwrap_or((*first, 0));
        bytes.push(byte);
        rest = after.get(used..).unwrap_or_default();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads `MAJOR:MINOR`, in hexadecimal.
fn device(text: &str) -> Option<(u32, u32)> {
    let number = |text| u32::from_str_radix(text, 16).ok();
    let (major, minor) = text.split_once(':')?;
    number(major).zip(number(minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frontends of domain 7: two disks of dom0's and one of a driver domain's.
    const FRONTENDS: &str = r#"/local/domain/7/device/vbd/51728 = ""
/local/domain/7/device/vbd/51728/backend = "/local/domain/0/backend/qdisk/7/51728"
/local/domain/7/device/vbd/51728/backend-id = "0"
/local/domain/7/device/vbd/51728/state = "1"
/local/domain/7/device/vbd/51712 = ""
/local/domain/7/device/vbd/51712/backend = "/local/domain/0/backend/vbd/7/51712"
/local/domain/7/device/vbd/51744 = ""
/local/domain/7/device/vbd/51744/backend = "/local/domain/3/backend/vbd/7/51744"
"#;

    /// Their backends, as libxl and the block script leave them.
    const BACKENDS: &str = r#"/local/domain/0/backend/qdisk/7/51728/frontend = "/local/domain/7/device/vbd/51728"
/local/domain/0/backend/qdisk/7/51728/params = "aio:/srv/b\xc3\xa4r \\ \001\t.img"
/local/domain/0/backend/qdisk/7/51728/dev = "xvdb"
/local/domain/0/backend/qdisk/7/51728/type = "qdisk"
/local/domain/0/backend/qdisk/7/51728/mode = "r"
/local/domain/0/backend/vbd/7/51712/frontend = "/local/domain/7/device/vbd/51712"
/local/domain/0/backend/vbd/7/51712/params = "/dev/vg0/test"
/local/domain/0/backend/vbd/7/51712/script = "/etc/xen/scripts/block"
/local/domain/0/backend/vbd/7/51712/dev = "xvda"
/local/domain/0/backend/vbd/7/51712/type = "phy"
/local/domain/0/backend/vbd/7/51712/mode = "w"
/local/domain/0/backend/vbd/7/51712/physical-device = "fd:c"
/local/domain/0/backend/vbd/7/51712/hotplug-status = "connected"
/local/domain/3/backend/vbd/7/51744/params = "/dev/xvdz"
/local/domain/3/backend/vbd/7/51744/dev = "xvdc"
/local/domain/3/backend/vbd/7/51744/mode = "?"
/local/domain/3/backend/vbd/7/51744/physical-device = "fd:c"
"#;

    #[test]
    fn disks_are_those_of_the_backends() {
        let expected = [
            "/local/domain/0/backend/qdisk/7/51728",
            "/local/domain/0/backend/vbd/7/51712",
            "/local/domain/3/backend/vbd/7/51744",
        ];
        assert_eq!(backends(FRONTENDS, 7), expected);
        let look = |major, minor| match (major, minor) {
            (253, 12) => OriginDisk {
                size_bytes: Some(1 << 30),
                sector_bytes: Some(4096),
                device: Some("dm".to_owned()),
                ..OriginDisk::default()
            },
            _ => OriginDisk::default(),
        };
        let text = |text: &str| Some(text.to_owned());
        let expected = [
            OriginDisk {
                vdev: text("xvda"),
                target: text("/dev/vg0/test"),
                backend: text("vbd"),
                backend_domid: Some(0),
                kind: text("phy"),
                read_only: Some(false),
                size_bytes: Some(1 << 30),
                sector_bytes: Some(4096),
                device: text("dm"),
                ..OriginDisk::default()
            },
            OriginDisk {
                vdev: text("xvdb"),
                target: text("aio:/srv/b\u{e4}r \\ \\u{1}\\t.img"),
                backend: text("qdisk"),
                backend_domid: Some(0),
                kind: text("qdisk"),
                read_only: Some(true),
                ..OriginDisk::default()
            },
            // Numbers of another domain's devices mean nothing here.
            OriginDisk {
                vdev: text("xvdc"),
                target: text("/dev/xvdz"),
                backend: text("vbd"),
                backend_domid: Some(3),
                ..OriginDisk::default()
            },
        ];
        assert_eq!(disks_with(BACKENDS, 7, look), expected);
    }

    #[test]
    fn directories_that_are_not_of_this_guest_are_passed_over() {
        assert_eq!(backends(FRONTENDS, 8), [""; 0]);
        for value in [
            "",
            "/",
            "--help",
            "/local/domain/0/backend/vbd/8/51712",
            "/local/domain/0/backend/vbd/7/51712/more",
            "/local/domain/0/backend/vbd/7/x",
            "/local/domain/-1/backend/vbd/7/51712",
            "/local/domain/0/other/vbd/7/51712",
            "/local/domain/0/backend/v\\tbd/7/51712",
            "/local/domain/0/backend//7/51712 /",
        ] {
            let node = "/local/domain/7/device/vbd/51712/backend";
            assert_eq!(backends(&format!("{node} = \"{value}\"\n"), 7), [""; 0], "{value}");
            assert_eq!(disks(&format!("{value}/dev = \"xvda\"\n"), 7), [], "{value}");
        }
        for line in ["", " = \"", "a = \"b", "/local/domain/7/device/vbd/51712/backend:"] {
            assert_eq!((backends(line, 7), disks(line, 7)), (vec![], vec![]), "{line}");
        }
    }

    #[test]
    fn users_of_a_device_are_those_of_its_backends() {
        let more = "/local/domain/0/backend/vbd/9/51712/physical-device = \"fd:c\"\n\
                    /local/domain/0/backend/vbd/x/51712/physical-device = \"fd:c\"\n\
                    /local/domain/0/backend/vbd/physical-device = \"fd:c\"\n";
        let listing = BACKENDS.to_owned() + more;
        assert_eq!(users(&listing, 253, 12), [7, 9]);
        assert_eq!(users(&listing, 253, 13), [0; 0]);
    }

    #[test]
    fn many_disks_are_not_all_asked_for() {
        let (mut pointers, mut nodes) = (String::new(), String::new());
        for device in 0..1000 {
            let backend = format!("/local/domain/0/backend/vbd/7/{device}");
            pointers += &format!("/local/domain/7/device/vbd/{device}/backend = \"{backend}\"\n");
            nodes += &format!("{backend}/dev = \"xvda\"\n");
        }
        assert_eq!(backends(&pointers, 7).len(), DISKS_MAX);
        assert_eq!(disks(&nodes, 7).len(), DISKS_MAX);
    }

    #[test]
    fn escapes_that_are_none_stay() {
        for text in
            ["\\", "a\\", "\\x", "\\xg0", "\\9", "\\777", "\\+12", "\\x+1", "\\\u{e4}\u{e4}"]
        {
            assert_eq!(unescaped(text), text);
        }
    }

    #[test]
    fn devices_have_two_numbers() {
        assert_eq!(device("fd:c"), Some((253, 12)));
        for text in ["", "fd", "fd:", ":c", "fd:c:1", "0xfd:1", "100000000:1"] {
            assert_eq!(device(text), None, "{text}");
        }
    }
}
