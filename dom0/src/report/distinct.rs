//! Names that fit: what is too long is shortened in its middle, and names that differ stay
//! different.

use std::collections::{BTreeMap, BTreeSet};

use plots::label::Label;

use crate::display::is_harmless;

/// Text that stands for the characters that were left out.
const GAP: &str = "..";

/// Characters of a whole name: what has more is not for a reader.
const FULL_MAX: usize = 200;

/// Returns a label of at most `most` characters for each name, no two of them equal. Needs room for
/// some 20 characters.
pub fn labels(names: &[String], most: usize) -> Vec<Label> {
    let shown: Vec<String> = names.iter().map(|name| printable(name)).collect();
    let mut alike: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for name in &shown {
        alike.entry(middle_cut(name, most)).or_default().push(name);
    }
    alike.retain(|_, group| group.len() > 1);
    let differ: BTreeMap<String, usize> =
        alike.into_iter().map(|(short, group)| (short, first_difference(&group))).collect();
    let mut taken = BTreeSet::new();
    let mut next = BTreeMap::new();
    let label = |name: &String| {
        let mut short = middle_cut(name, most);
        if let Some(&from) = differ.get(&short) {
            short = cut_where_it_differs(name, from, most);
        }
        let base = short.clone();
        while taken.contains(&short) {
            let number = next.entry(base.clone()).or_insert(1);
            *number += 1;
            let end = format!(" ({number})");
            short = middle_cut(&base, most.saturating_sub(end.len())) + &end;
        }
        taken.insert(short.clone());
        Label { short, full: middle_cut(name, FULL_MAX) }
    };
    shown.iter().map(label).collect()
}

/// A text without characters that reverse, hide or move others.
pub fn printable(text: &str) -> String {
    text.chars().map(|letter| if is_harmless(letter) { letter } else { '\u{fffd}' }).collect()
}

/// Returns the beginning and the end of a text, at most so many characters.
pub fn middle_cut(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return text.to_owned();
    }
    let kept = most.saturating_sub(GAP.len());
    let tail = kept / 2;
    let head: String = text.chars().take(kept - tail).collect();
    let tail: String = text.chars().skip(count - tail).collect();
    format!("{head}{GAP}{tail}")
}

/// Returns the number of characters that all of these begin with.
fn first_difference(names: &[&str]) -> usize {
    let first = names.first().copied().unwrap_or_default();
    let same = |other: &&str| first.chars().zip(other.chars()).take_while(|(a, b)| a == b).count();
    names.iter().map(same).min().unwrap_or_default()
}

/// Returns beginning, end, and from between them the characters from this one on.
fn cut_where_it_differs(name: &str, from: usize, most: usize) -> String {
    let part = most.saturating_sub(2 * GAP.len()) / 3;
    let letters: Vec<char> = name.chars().collect();
    let text = |from: usize, to: usize| -> String {
        letters.get(from..to.min(letters.len())).unwrap_or_default().iter().collect()
    };
    if letters.len() <= most || part == 0 || !(part..letters.len()).contains(&from) {
        return middle_cut(name, most);
    }
    let end = letters.len() - part;
    format!("{}{GAP}{}{GAP}{}", text(0, part), text(from, from + part), text(end, letters.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(names: &[&str], most: usize) -> Vec<String> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        labels(&names, most).into_iter().map(|label| label.short).collect()
    }

    #[test]
    fn long_names_keep_both_ends() {
        assert_eq!(short(&["short", &"x".repeat(20)], 20), ["short", &"x".repeat(20)]);
        let long = format!("begin{}end", "-".repeat(100));
        let labels = labels(std::slice::from_ref(&long), 20);
        assert_eq!(labels[0].short, "begin----..------end");
        assert_eq!(labels[0].full, long);
    }

    #[test]
    fn names_that_differ_in_the_middle_show_it() {
        let name = |middle: &str| format!("{}{middle}{}", "a".repeat(50), "b".repeat(50));
        let found = short(&[&name("one"), &name("two")], 26);
        assert_eq!(found, ["aaaaaaa..onebbbb..bbbbbbb", "aaaaaaa..twobbbb..bbbbbbb"]);
    }

    #[test]
    fn labels_hide_and_reverse_nothing() {
        assert_eq!(short(&["a\u{202e}b\u{1b}"], 20), ["a\u{fffd}b\u{fffd}"]);
    }

    #[test]
    fn no_two_labels_are_equal() {
        let long = "x".repeat(60);
        let many: Vec<String> = (0..500).map(|n| format!("{long}{}{long}", n % 7)).collect();
        let hidden = ["a\u{200b}".to_owned(), "a\u{202e}".to_owned(), "a\u{fffd} (2)".to_owned()];
        let same = ["q".to_owned(), "q (2)".to_owned(), "q".to_owned(), "q".to_owned()];
        for names in [&many[..], &hidden, &same] {
            let labels = labels(names, 24);
            let different: BTreeSet<&str> = labels.iter().map(|label| &*label.short).collect();
            assert_eq!(different.len(), names.len(), "{labels:?}");
            assert!(labels.iter().all(|label| label.short.chars().count() <= 24), "{labels:?}");
        }
    }

    #[test]
    fn a_name_is_never_cut_within_a_character() {
        for most in 0..40 {
            let cut = middle_cut(&"\u{e4}\u{1f600}".repeat(30), most);
            assert!(cut.chars().count() <= most.max(2), "{cut}");
        }
    }
}
