//! Settings of a user: xl sees what they say, however they are spelled, or they are refused.

use std::cell::Cell;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use xl_config::{Config, Settings};

use crate::oracle::{Oracle, Read};
use crate::values::texts;
use crate::{on_many, split};

/// Keys that may be set, and some that may not.
const KEYS: [&str; 10] =
    ["a", "pool", "tsc_mode", "x.1", "extra", "name", "on_crash", "ramdisk", "disk", "Name"];
const TAKEN: usize = 4;

/// Words and marks, right and wrong.
const TOKENS: &str = "name|=|+=|+|\"|'|\\|[|]|,|;|\n| |\t|\r|#|# it's\n|1|0x1f|1g|-1|(|\"a\"|'a'|\"\\\"\"|\
    '\\\\'|\"\\x41\"|\"\\101\"|\"\\q\"|''|[]|[[1],\n2,]|\u{e4}|\u{a0}";

fn value() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        "[0-9][0-9a-fx]{0,3}",
        "\"[a-z \\\\;#'=]{0,6}\"",
        "'[a-z \\\\;#\"=]{0,6}'",
        // Escaped by the rules, and not.
        texts().prop_map(|text| format!("{text:?}")),
        texts().prop_map(|text| format!("'{text}'")),
    ];
    let list = vec((text.clone(), select(&[",", ", ", ",\n", " ,"][..])), 0..4);
    let list = list.prop_map(|items| {
        let items: String = items.into_iter().map(|(text, comma)| text + comma).collect();
        format!("[{items}]")
    });
    prop_oneof![4 => text, 1 => list]
}

fn statement() -> impl Strategy<Value = String> {
    let key = prop_oneof![8 => select(&KEYS[..TAKEN]), 1 => select(&KEYS[TAKEN..])];
    let operator = select(&["=", " = ", "+=", "\t+= "][..]);
    let end = select(&["\n", ";", " ; ", " # it's \"a\"\n", ""][..]);
    (key, operator, value(), end)
        .prop_map(|(key, operator, value, end)| format!("{key}{operator}{value}{end}"))
}

/// Texts of settings.
fn settings() -> impl Strategy<Value = String> {
    let token = select(split(TOKENS)).prop_map(str::to_owned);
    vec(prop_oneof![6 => statement(), 1 => token], 1..5).prop_map(|all| all.concat())
}

/// Returns the settings that a configuration has besides ours.
fn added(read: Vec<(String, Read)>) -> Vec<(String, Read)> {
    let own = [
        "name",
        "type",
        "kernel",
        "memory",
        "vcpus",
        "disk",
        "on_poweroff",
        "on_reboot",
        "on_crash",
    ];
    read.into_iter().filter(|(key, _)| !own.contains(&&**key)).collect()
}

#[test]
fn settings_are_what_xl_sees() {
    let oracle = Oracle::new();
    let [taken, refused_by_us, refused_by_both] = [(); 3].map(|()| Cell::new(0));
    let count = |cell: &Cell<u32>| cell.set(cell.get() + 1);
    on_many("settings_are_what_xl_sees", &settings(), |text| {
        // xl puts an end of line behind each word.
        let theirs = oracle.settings(&format!("{text}\n"));
        let config = |settings| Config { name: "mark".into(), settings, ..Config::default() };
        let plain = config(Vec::new()).text().unwrap();
        let ours =
            Settings::parse(&text).ok().and_then(|settings| config(vec![settings]).text().ok());
        match (ours, theirs) {
            (Some(ours), Some(theirs)) => {
                let read = oracle.settings(&ours).expect("libxlutil takes what we write");
                let mut expected = added(oracle.settings(&plain).unwrap());
                expected.retain(|(key, _)| theirs.iter().all(|(other, _)| other != key));
                expected.extend(theirs.iter().cloned());
                expected.sort_by(|(one, _), (other, _)| one.cmp(other));
                assert_eq!(added(read.clone()), expected);
                let name = read.iter().find(|(key, _)| key == "name");
                assert_eq!(name.map(|(_, name)| name), Some(&Read::Text(b"mark".to_vec())));
                count(&taken);
            }
            (Some(_), None) => panic!("libxlutil refuses it"),
            (None, Some(_)) => count(&refused_by_us),
            (None, None) => count(&refused_by_both),
        }
    });
    let [taken, by_us, by_both] = [taken, refused_by_us, refused_by_both].map(Cell::into_inner);
    println!("taken: {taken}; refused by us: {by_us}; refused by libxlutil, too: {by_both}");
    assert!(taken > by_us && by_both > 0, "too few cases of one kind");
}
