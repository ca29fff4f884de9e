//! The guests of a fleet: one configuration with a pattern for each disk, made into those of all.

use std::collections::BTreeMap;
use std::fs;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use anyhow::Result;
use xl_config::{Config, Disk};

use crate::display;
use crate::exit::Exit;
use crate::guest::checked;

/// Place of a guest's number in the target of a disk.
const NUMBER: &str = "{n}";
/// Most guests of a fleet.
pub const GUESTS_MAX: u32 = 1000;

/// Returns the configurations of the guests with these numbers: `NAME-1`, `NAME-2`, .., each with
/// its number in its disks.
///
/// # Errors
/// [`Exit::Usage`]: one that xl could not make.
pub fn guests(base: &Config, numbers: RangeInclusive<u32>) -> Result<Vec<Config>> {
    numbers.map(|number| guest(base, number)).collect()
}

fn guest(base: &Config, number: u32) -> Result<Config> {
    let disk = |disk: &Disk| disk.with_target(&disk.target().replace(NUMBER, &number.to_string()));
    checked(Config {
        name: format!("{}-{number}", base.name),
        disks: base.disks.iter().map(disk).collect(),
        ..base.clone()
    })
}

/// Checks that what several guests have is read-only for all: what one writes the others would
/// read, and a file system in it would not survive.
///
/// # Errors
/// [`Exit::Usage`]: a disk of several guests that one may write.
pub fn check_shared(guests: &[Config]) -> Result<()> {
    let mut users: BTreeMap<PathBuf, (&str, bool)> = BTreeMap::new();
    for (guest, disk) in guests.iter().flat_map(|guest| guest.disks.iter().map(move |d| (guest, d)))
    {
        let user = users.entry(place(disk)).or_insert((&guest.name, true));
        let is_read_only = user.1 && disk.is_read_only();
        if user.0 != guest.name && !is_read_only {
            let (target, one, other) = (display::text(disk.target()), user.0, &guest.name);
            let what = format!("{target} would be a disk of {one} and of {other}");
            let advice =
                format!("write {NUMBER} for a guest's number into it, or add ,r to the disk");
            return Err(Exit::Usage(format!("{what}; {advice}")).into());
        }
        user.1 = is_read_only;
    }
    Ok(())
}

/// Returns what two disks have in common that are one: symlinks are followed.
fn place(disk: &Disk) -> PathBuf {
    let path = disk.local_path().and_then(|path| fs::canonicalize(path).ok());
    path.unwrap_or_else(|| disk.target().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(disks: &[&str]) -> Config {
        Config {
            name: "mark".to_owned(),
            kernel: "/boot/ringmark".into(),
            memory_mib: 16,
            vcpus: 1,
            disks: disks.iter().map(|disk| Disk::parse(disk).unwrap()).collect(),
            ..Config::default()
        }
    }

    #[test]
    fn each_guest_has_its_number() {
        let disks = ["phy:/dev/vg/t{n},xvdb,w", "/images/{n}/{n}.img", "rbd:pool/i{n}"];
        let guests = guests(&base(&disks), 1..=12).unwrap();
        let names: Vec<&str> = guests.iter().map(|guest| guest.name.as_str()).collect();
        assert_eq!((names.len(), names[0], names[11]), (12, "mark-1", "mark-12"));
        let targets: Vec<&str> = guests[11].disks.iter().map(Disk::target).collect();
        assert_eq!(targets, ["/dev/vg/t12", "/images/12/12.img", "rbd:pool/i12"]);
        assert_eq!(guests[11].disk_names().unwrap(), ["xvdb", "xvda", "xvdc"]);
    }

    #[test]
    fn a_disk_of_several_guests_is_read_only() {
        let refused = |disks: &[&str], count| {
            let shared = guests(&base(disks), 1..=count).and_then(|guests| check_shared(&guests));
            shared.map_or_else(|error| error.to_string(), |()| String::new())
        };
        assert_eq!(refused(&["phy:/dev/t,xvda,w"], 1), "");
        assert_eq!(refused(&["phy:/dev/t,xvda,r"], 3), "");
        assert_eq!(refused(&["phy:/dev/t{n},xvda,w", "phy:/dev/t,xvdb,r"], 3), "");
        let expected = "/dev/t would be a disk of mark-1 and of mark-2; write {n} for a guest's \
                        number into it, or add ,r to the disk";
        assert_eq!(refused(&["phy:/dev/t,xvda,w"], 2), expected);
        // It is the same by another way, or another guest's.
        for disks in [
            ["phy:/dev/t{n},xvda,w", "phy:/dev/t1,xvdb,r"],
            ["phy:/dev/t{n},xvda,w", "phy:/dev/t2,xvdb,r"],
            ["phy:/dev/t2,xvdb,r", "phy:/dev/t{n},xvda,w"],
            ["phy:/proc/{n}/../../etc/passwd,xvda,w", "phy:/etc/passwd,xvdb,r"],
        ] {
            assert!(refused(&disks, 2).contains(" would be a disk of "), "{disks:?}");
        }
    }
}
