//! Look-up of options in the table of those that are supported, and the names of fio's others.

mod ignored;
mod refused;

use crate::builder::JobBuilder;
use crate::error::JobError;
use crate::option_doc::OptionDoc;
use crate::table::{OPTIONS, OptionSpec, option_docs};
use crate::text::check_text;
use crate::value::Value;
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use ignored::{IGNORED, Ignored, Takes};
use refused::{REFUSED, Refused};

/// Returns the listed name that is `option`, if there is one.
fn listed(list: &'static str, option: &str) -> Option<&'static str> {
    list.split_ascii_whitespace().find(|name| *name == option)
}

/// Applies `option` to `builder`.
///
/// # Errors
/// A [`JobError`] for an option that is unknown or not supported, or for a wrong value.
pub(crate) fn set(
    builder: &mut JobBuilder,
    option: &str,
    value: Option<&str>,
) -> Result<(), JobError> {
    for OptionSpec { names, set, .. } in &OPTIONS {
        if let Some(name) = names.iter().find(|name| **name == option) {
            value.map_or(Ok(()), check_text)?;
            builder.has_units |= value.is_some_and(has_unit);
            return set(builder, Value::new(name, value).in_kilo(builder.kilo));
        }
    }
    if value.is_some_and(|value| is_off(option, value)) {
        return Ok(());
    }
    let (option, takes) = without_spec(option)?;
    // An error shows no text.
    if !matches!(takes, Takes::Text | Takes::TextOrNone) {
        value.map_or(Ok(()), check_text)?;
    }
    takes.check(Value::new(option, value))?;
    if takes.warns() {
        builder.warn_no_effect(option);
    }
    Ok(())
}

/// Returns whether a value, perhaps with a unit, is that of a refused option with which it changes
/// nothing.
fn is_off(option: &str, value: &str) -> bool {
    let number = value.trim_end_matches(|unit: char| unit.is_ascii_alphabetic());
    let is_it = |of: &Refused| !of.unless.is_empty() && [value, number].contains(&of.unless);
    REFUSED.iter().any(|of| is_it(of) && listed(of.names, option).is_some())
}

/// Returns whether a value has a digit with a letter behind it: it may be a number with a unit.
fn has_unit(value: &str) -> bool {
    let mut letters = value.bytes().zip(value.bytes().skip(1));
    letters.any(|(digit, unit)| digit.is_ascii_digit() && unit.is_ascii_alphabetic())
}

/// Returns the name of an option without a place in the table, if it may be left out, and its
/// values.
fn without_spec(option: &str) -> Result<(&'static str, Takes), JobError> {
    let known = IGNORED
        .iter()
        .find_map(|Ignored { takes, names }| listed(names, option).map(|option| (option, *takes)));
    if let Some(known) = known {
        return Ok(known);
    }
    let refused = REFUSED.iter().find_map(|Refused { fix, names, .. }| {
        listed(names, option).map(|option| JobError::Unsupported { option, fix })
    });
    if let Some(error) = refused {
        return Err(error);
    }
    Err(JobError::Unknown { option: option.to_owned(), nearest: nearest(option) })
}

/// Returns the documentation of an option; `None` if it is accepted without effect.
///
/// # Errors
/// A [`JobError`] if jobs cannot have the option.
pub fn find_option(option: &str) -> Result<Option<OptionDoc>, JobError> {
    match option_docs().find(|doc| doc.names.contains(&option)) {
        Some(doc) => Ok(Some(doc)),
        None => without_spec(option).map(|_| None),
    }
}

/// Returns the names of fio's options that are accepted without effect.
pub fn without_effect() -> impl Iterator<Item = &'static str> {
    IGNORED.iter().flat_map(|ignored| ignored.names.split_ascii_whitespace())
}

/// Returns the names of fio's options that are refused but for their default.
pub fn refused_names() -> impl Iterator<Item = &'static str> {
    REFUSED.iter().flat_map(|refused| refused.names.split_ascii_whitespace())
}

/// Returns the help: a line for each option, with its default; a second one has the words that it
/// takes. Then the names of fio's options without effect.
pub fn help() -> String {
    let lines: String = OPTIONS.iter().map(help_lines).collect();
    let ignored: Vec<&str> = without_effect().collect();
    format!("{lines}  accepted without effect: {}", ignored.join(", "))
}

fn help_lines(spec: &OptionSpec) -> String {
    const COLUMNS: usize = 96;
    const NEXT: &str = "\n                              ";
    let line =
        format!("  {:28} {}", format!("{}={}", spec.names.join(", "), spec.value), spec.help);
    let default = match spec.default {
        "" => String::new(),
        default => format!(" ({default})"),
    };
    let gap = if line.len() + default.len() > COLUMNS { NEXT } else { "" };
    match spec.words {
        [] | [_] => format!("{line}{gap}{default}\n"),
        words => {
            let lines = wrapped(words, COLUMNS - NEXT.len()).into_iter();
            let lines: String = lines.map(|words| format!("{NEXT} {words}")).collect();
            format!("{line}{gap}{default}{lines}\n")
        }
    }
}

/// Returns words with commas between them, in lines of about so many columns.
fn wrapped(words: &[&str], columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in words {
        if line.len() + word.len() > columns {
            line.push(',');
            lines.push(core::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push_str(", ");
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

/// Returns the closest option that is at most two letters away, if there is one.
fn nearest(option: &str) -> Option<&'static str> {
    let names = OPTIONS.iter().flat_map(|spec| spec.names.iter().copied());
    names
        .map(|name| (distance(option, name), name))
        .filter(|&(distance, name)| distance <= 2 && distance < name.len())
        .min()
        .map(|(_, name)| name)
}

/// Returns the Levenshtein distance: letters to add, drop or change to turn `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (1..=b.len()).collect();
    for (index, x) in a.bytes().enumerate() {
        let (mut corner, mut left) = (index, index + 1);
        for (above, y) in row.iter_mut().zip(b.bytes()) {
            let here = (corner + usize::from(x != y)).min(left + 1).min(*above + 1);
            corner = *above;
            *above = here;
            left = here;
        }
    }
    row.last().copied().unwrap_or(a.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_has_one_place() {
        let own = OPTIONS.iter().flat_map(|spec| spec.names.iter().copied());
        let lists = REFUSED.iter().map(|refused| refused.names);
        let lists = lists.chain(IGNORED.iter().map(|ignored| ignored.names));
        let mut all: Vec<&str> = own.chain(lists.flat_map(str::split_ascii_whitespace)).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn help_has_all_options_in_lines_that_fit() {
        let help = help();
        assert!(help.lines().rev().skip(1).all(|line| line.len() <= 104), "{help}");
        let lines: Vec<&str> = help.lines().filter(|line| !line.starts_with("   ")).collect();
        assert_eq!(lines.len(), OPTIONS.len() + 1);
        for (line, OptionSpec { names, .. }) in lines.iter().zip(&OPTIONS) {
            assert!(names.iter().all(|name| line.contains(name)), "{line}");
        }
    }
}
