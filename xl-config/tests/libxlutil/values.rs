//! Values are read back byte for byte.

use std::path::PathBuf;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use xl_config::{Config, Disk};

use crate::oracle::{Oracle, Read};
use crate::{on_many, split};

/// Pieces of texts that a lexer may trip over.
const PIECES: &str = "\"|'|\\|\\\\|\\\"|\\'|\\x41|\\101|\\n|\\t|\n|\r|\t|\x01|\x07|\x08|\x0b|\x0c|\x1b|\x7f|#|\
    ;|,|[|]| |=|+=|\nname=\"b\"\n|\u{e4}|\u{202e}|%s";

/// Texts without NUL.
pub fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => select(split(PIECES)).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
        1 => "[a-z0-9]{1,4}",
    ];
    vec(piece, 0..8).prop_map(|pieces| pieces.concat().replace('\0', ""))
}

fn text(value: &str) -> Read {
    Read::Text(value.as_bytes().to_vec())
}

#[test]
fn values_are_read_back() {
    let oracle = Oracle::new();
    let cases = (texts(), texts(), texts(), vec(texts(), 0..3));
    on_many("values_are_read_back", &cases, |(name, extra, path, targets)| {
        let name = name.replace(|c: char| c.is_control() || c == '/', "");
        let name = format!("a{}", name.trim_end());
        let disk = |target: &String| Disk::parse(&format!("target=/{target},"));
        let targets: Vec<String> = targets.iter().map(|text| text.replace('\n', "")).collect();
        let config = Config {
            name: name.clone(),
            kernel: PathBuf::from(&path),
            ramdisk: Some(PathBuf::from(&extra)),
            cpus: Some(path.clone()),
            // Else these would have to be the guest's own words.
            extra: format!("bs=4k {extra}"),
            disks: targets.iter().map(|target| disk(target).unwrap()).collect(),
            goes_at_end: true,
            ..Config::default()
        };
        let read = oracle.settings(&config.text().unwrap()).unwrap();
        // This is how xl joins them.
        let words = config.arguments().unwrap().join("\n") + "\n";
        assert_eq!(oracle.settings(&words).as_ref(), Some(&read));
        for (key, value) in read {
            let expected = match &*key {
                "name" => &name,
                "type" => "pvh",
                "kernel" | "cpus" => &path,
                "ramdisk" => &extra,
                "memory" | "vcpus" => "0",
                "extra" => &config.extra,
                "disk" => {
                    let Read::List(disks) = value else { panic!("{value:?}") };
                    let disks = disks.iter().map(|disk| match disk {
                        Read::Text(text) => oracle.disk(text).unwrap().text("pdev_path"),
                        Read::List(_) => panic!("{disk:?}"),
                    });
                    let disks: Vec<String> = disks.collect();
                    let targets: Vec<String> = targets.iter().map(|t| format!("/{t}")).collect();
                    assert_eq!(disks, targets);
                    continue;
                }
                _ => panic!("{key} was not set"),
            };
            assert_eq!(value, text(expected), "{key}");
        }
    });
}

#[test]
fn our_example_is_read() {
    let example = include_str!("../../../ringmark.cfg");
    let read = Oracle::new().settings(example).expect("libxlutil takes it");
    let (_, kind) = read.iter().find(|(key, _)| key == "type").expect("a type");
    assert_eq!(*kind, text("pvh"));
}
