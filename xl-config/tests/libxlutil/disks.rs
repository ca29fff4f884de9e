//! A disk is what xl makes of its specification, or it is refused.

use std::cell::Cell;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use xl_config::{Config, Disk};

use crate::oracle::{Oracle, Read};
use crate::values::texts;
use crate::{on_many, split};

/// Parts of a specification, right and wrong.
const PARTS: &str = " |/dev/vg/lv|phy:/dev/vg/lv|file:/a|tap:aio:/a|qcow2:/a|iscsi:a|foo:/a|foo:a|phy:|raw:|\
    /a b|/a=b|iqn:a|raw|qcow2|vhd|qed|empty|xvda|xvdb1|sda|hdc|d0p1|51712|xvda:disk|\
    xvda:cdrom|vda|r|ro|w|rw|x|format=raw|format=qcow2|format=|access=r|access=|vdev=xvdc|\
    vdev=|backend=dom|backendtype=qdisk|backendtype=x|script=block-x|devtype=disk|\
    devtype=cdrom|cdrom|specification=xen|specification=virtio|direct-io-safe|discard|\
    no-discard|colo|Format=raw";

fn specifications() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        12 => select(split(PARTS)).prop_map(str::to_owned),
        1 => texts(),
    ];
    let usual = (
        select(&["phy:/a,", "/a,raw,", "/a,,", ""][..]),
        select(&["xvda", "xvdq,r", "sda,w", ""][..]),
    )
        .prop_map(|(target, name)| format!("{target}{name}"));
    let first = prop_oneof![1 => usual, 1 => part.clone()];
    let target =
        prop_oneof![2 => Just(String::new()), 1 => texts().prop_map(|t| format!("target={t}"))];
    (first, vec(part, 0..4), select(&[",", ", "][..]), target).prop_map(
        |(first, parts, comma, target)| {
            let all = [vec![first], parts, vec![target]].concat();
            let all: Vec<String> = all.into_iter().filter(|part| !part.is_empty()).collect();
            // libxlutil ends the whole program at some ends of lines.
            all.join(comma).replace('\n', "")
        },
    )
}

#[test]
fn disks_are_what_xl_makes() {
    let oracle = Oracle::new();
    let [taken, refused_by_us, refused_by_both] = [(); 3].map(|()| Cell::new(0));
    let count = |cell: &Cell<u32>| cell.set(cell.get() + 1);
    on_many("disks_are_what_xl_makes", &specifications(), |text| {
        // Only we give disks a name.
        let theirs = oracle
            .disk(text.as_bytes())
            .or_else(|| oracle.disk(format!("vdev=xvda,{text}").as_bytes()));
        let Ok(disk) = Disk::parse(&text) else {
            return count(if theirs.is_some() { &refused_by_us } else { &refused_by_both });
        };
        let config = Config { name: "mark".into(), disks: vec![disk.clone()], ..Config::default() };
        let read = oracle.settings(&config.text().unwrap()).unwrap();
        let Some((_, Read::List(disks))) = read.iter().find(|(key, _)| key == "disk") else {
            panic!("no disks: {read:?}");
        };
        let [Read::Text(written)] = &disks[..] else { panic!("{disks:?}") };
        let made = oracle.disk(written).expect("libxlutil takes what we write");
        assert_eq!(made.text("pdev_path"), disk.target());
        assert_eq!(made.text("vdev"), config.disk_names().unwrap()[0]);
        assert_eq!(made.is_writable(), !disk.is_read_only());
        match theirs {
            Some(theirs) => {
                let same = |made: &str| config.disk_names().unwrap()[0] == made;
                let name = theirs.text("vdev");
                // A disk may have several names.
                let renamed = Disk::parse(&format!("phy:/a,{name}")).unwrap();
                let renamed = Config { disks: vec![renamed], ..config.clone() };
                assert!(renamed.disk_names().is_ok_and(|names| same(&names[0])), "{name}");
                assert_eq!(theirs.without("vdev"), made.without("vdev"));
                count(&taken);
            }
            // libxlutil takes no target with an = without its key.
            None => assert!(text.contains('='), "libxlutil refuses it"),
        }
    });
    let [taken, by_us, by_both] = [taken, refused_by_us, refused_by_both].map(Cell::into_inner);
    println!("taken: {taken}; refused by us: {by_us}; refused by libxlutil, too: {by_both}");
    assert!(taken > 100 && by_us > 0 && by_both > 100, "too few cases of one kind");
}
