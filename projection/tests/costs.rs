//! Tables of costs: the one that is shipped, and what is refused in others.

use projection::{Costs, Key, SHIPPED};
use proptest::prelude::*;

fn error(text: &str) -> String {
    Costs::shipped().unwrap().replace(text).expect_err(text).to_string()
}

/// One cost in the form of the table.
fn table(key: Key, value: &str) -> String {
    let (section, name) = key.name().split_once('.').unwrap();
    let unit = key.unit();
    format!("[{section}]\n{name} = {{ value = {value}, unit = \"{unit}\", source = \"a test\" }}\n")
}

#[test]
fn the_shipped_table_is_whole_and_says_where_each_cost_is_from() {
    let costs = Costs::shipped().unwrap();
    for key in Key::ALL {
        let source = costs.source(key);
        let kinds = ["measured: ", "assumed: ", "20", ".com", "commit "];
        assert!(kinds.iter().any(|kind| source.contains(kind)), "{}: {source}", key.name());
        assert!(SHIPPED.contains(source), "{}", key.name());
    }
}

#[test]
fn a_table_replaces_what_it_has() {
    let shipped = Costs::shipped().unwrap();
    for key in Key::ALL {
        let mut costs = shipped.clone();
        let (least, most) = key.range();
        let value = if shipped.get(key) == most { least } else { most };
        costs.replace(&table(key, &format!("{value:?}"))).unwrap();
        assert_eq!((costs.get(key), costs.source(key)), (value, "a test"));
        let others = Key::ALL.into_iter().filter(|other| *other != key);
        assert!(others.into_iter().all(|other| costs.get(other) == shipped.get(other)));
    }
    let mut costs = shipped.clone();
    costs.replace("").unwrap();
    assert_eq!(costs, shipped);
}

#[test]
fn values_out_of_range_are_refused() {
    for key in Key::ALL {
        let (least, most) = key.range();
        let above = format!("{:?}", most * 1.001);
        let below = format!("{:?}", least - 0.001);
        for value in ["nan", "inf", "-inf", "-1", "1e308", "-1e-9", &above, &below] {
            let found = error(&table(key, value));
            let range = format!("write a value from {least} to {most}, in {}", key.unit());
            assert!(found.contains(&range) && found.starts_with(key.name()), "{found}");
        }
    }
    let zero = error(&table(Key::Clock, "0"));
    assert_eq!(zero, "processor.clock = 0: write a value from 0.1 to 20, in GHz");
}

#[test]
fn other_tables_are_refused() {
    let entry = |entry: &str| format!("[processor]\nclock = {entry}");
    for (text, expected) in [
        (
            "[processor]\nclok = { value = 1, unit = \"GHz\", source = \"a\" }",
            "no cost processor.clok",
        ),
        ("[disk]\nclock = { value = 1, unit = \"GHz\", source = \"a\" }", "no cost disk.clock"),
        (
            &entry("{ value = 1, unit = \"MHz\", source = \"a\" }"),
            "processor.clock is in GHz, not in MHz",
        ),
        (&entry("{ value = 1, unit = \"GHz\", source = \" \" }"), "has an empty source"),
        (&entry("{ value = 1, unit = \"GHz\" }"), "missing field `source`"),
        (&entry("{ value = \"1\", unit = \"GHz\", source = \"a\" }"), "invalid type: string"),
        (&entry("{ value = 1, unit = \"GHz\", source = \"a\", b = 1 }"), "unknown field `b`"),
        (&entry("{ value = 1e999, unit = \"GHz\", source = \"a\" }"), "line 2"),
        (&entry("{ value = 99999999999999999999, unit = \"GHz\", source = \"a\" }"), "line 2"),
        (
            &entry("3"),
            "line 2: invalid type: integer `3`, expected { value = .., unit = \"..\", \
             source = \"..\" }; --print-costs shows the form",
        ),
        ("clock = 2.4", "expected a map; --print-costs shows the form"),
        ("[processor]\n[processor]", "duplicate key"),
        ("[processor", "line 1"),
        ("\u{0}", "line 1"),
    ] {
        let found = error(text);
        assert!(found.contains(expected), "{text}: {found}");
    }
    let deep = format!("a = {}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(!error(&deep).is_empty());
}

#[test]
fn a_table_with_an_error_replaces_nothing() {
    let mut costs = Costs::shipped().unwrap();
    let text = table(Key::Copy, "1") + &table(Key::Clock, "nan");
    costs.replace(&text).unwrap_err();
    assert_eq!(costs, Costs::shipped().unwrap());
}

proptest! {
    #[test]
    fn no_text_is_too_much(text in "\\PC{0,200}") {
        let _ = Costs::shipped().unwrap().replace(&text);
    }

    #[test]
    fn no_change_of_the_shipped_table_is_too_much(at in 0..SHIPPED.len(), with in "\\PC{0,4}") {
        let mut text = SHIPPED.to_owned();
        if text.is_char_boundary(at) && text.is_char_boundary(at + 1) {
            text.replace_range(at..=at, &with);
            let mut costs = Costs::shipped().unwrap();
            if costs.replace(&text).is_ok() {
                for key in Key::ALL {
                    let (least, most) = key.range();
                    prop_assert!((least..=most).contains(&costs.get(key)));
                }
            }
        }
    }
}
