//! Documentation of the options against fio's own (`--cmdhelp`).

use std::process::Command;

use fio_job::number::parse_bytes;
use fio_job::{Initial, OptionDoc, option_docs};

/// Returns fio's help for an option; empty if it has none of that name.
fn cmdhelp(name: &str) -> String {
    let output = Command::new("fio").arg(format!("--cmdhelp={name}")).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    if text.contains(&format!("{name}: ")) { text } else { String::new() }
}

/// Returns what fio's help says under a title.
fn field<'a>(help: &'a str, title: &str) -> Option<&'a str> {
    help.lines().find_map(|line| line.trim().strip_prefix(title)).map(str::trim)
}

/// Returns whether the default is fio's, or the documentation says which one that is.
fn has_default(doc: &OptionDoc, default: &str) -> bool {
    let is_told = doc.unlike_fio.contains(&format!("default is {default}"));
    match doc.default {
        Initial::Value(ours) => {
            let is_equal = parse_bytes(ours).is_ok_and(|ours| Ok(ours) == parse_bytes(default));
            ours == default || is_equal || is_told
        }
        // In fio 0 is no limit.
        Initial::Words(words) => (words, default) == ("no limit", "0"),
        Initial::Nothing => is_told,
    }
}

#[test]
fn options_are_fios_or_say_that_they_are_not() {
    for doc in option_docs() {
        let name = doc.names[0];
        let help = cmdhelp(name);
        assert_eq!(help.is_empty(), doc.help.contains("not fio's"), "{name}: {help}");
        if let Some(alias) = field(&help, "alias: ") {
            assert!(doc.names.contains(&alias), "{name}: fio has an alias {alias}");
        }
        if let Some(default) = field(&help, "default: ").filter(|text| *text != "no default") {
            assert!(has_default(&doc, default), "{name}: fio's default is {default}");
        }
    }
}
