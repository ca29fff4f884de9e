//! Doc comments begin with a noun or a verb, not with a word that leaves open what is described.

use crate::tree::packages;

/// Words that no doc comment begins with. A flag may say "Whether".
const OPEN_WORDS: [&str; 18] = [
    "As", "By", "For", "How", "If", "It", "None", "Of", "That", "Those", "What", "When", "Where",
    "Who", "Whoever", "Whom", "Whose", "With",
];

/// Returns the numbers of the lines where a doc comment begins with an open word, or `So many`.
fn faults(text: &str) -> Vec<usize> {
    let mut found = Vec::new();
    let mut before = None;
    for (number, line) in text.lines().enumerate() {
        let comment = comment(line);
        let marker = comment.map(|(marker, _)| marker);
        if marker != before && comment.is_some_and(|(_, words)| is_open(words)) {
            found.push(number + 1);
        }
        before = marker;
    }
    found
}

/// Splits a line of a doc comment into its marker and its words.
fn comment(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_start();
    let (marker, words) = line.split_at_checked(3)?;
    (marker == "//!" || marker == "///" && !words.starts_with('/')).then_some((marker, words))
}

fn is_open(words: &str) -> bool {
    let words = words.trim_start();
    let mut split = words.split(|c: char| !c.is_alphanumeric());
    match split.next() {
        Some("So") => split.next() == Some("many"),
        Some(first) => OPEN_WORDS.contains(&first),
        None => false,
    }
}

#[test]
fn doc_comments_begin_with_a_noun_or_a_verb() {
    let mut offenders = Vec::new();
    for package in packages() {
        for (path, text) in &package.files {
            offenders.extend(faults(text).iter().map(|number| format!("{path}:{number}")));
        }
    }
    assert!(offenders.is_empty(), "{offenders:#?}");
}

#[test]
fn open_words_are_found_at_the_beginning_only() {
    assert_eq!(faults("//! What a run has.\n\n/// Who runs it.\n//! How.\n"), [1, 3, 4]);
    assert_eq!(faults("    /// Returns it.\n    /// When it can.\n    /// So many.\n"), []);
    assert_eq!(faults("a: u8,\n/// It's late.\nb: u8,\n/// As [`f`].\nfn g();\n"), [2, 4]);
    assert_eq!(faults("/// So many pages.\nfn f();\n/// So it is.\nfn g();\n"), [1]);
    assert_eq!(faults("///If any.\n#[test]\n/// Format.\n/// Of both.\n"), [1]);
    assert_eq!(faults("// What.\n//// What.\n\"/// What\"\n/// `None`.\n\n/// Forks.\n"), []);
    for word in OPEN_WORDS {
        assert_eq!(faults(&format!("/// {word} one.")), [1]);
    }
}
