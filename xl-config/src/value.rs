//! Values of a configuration.

use std::fmt::{self, Display, Formatter};

/// A value: a text or number, or a list of values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A text. xl reads numbers from texts, too.
    Text(String),
    /// A list.
    List(Vec<Value>),
}

impl Value {
    /// Makes a list of texts.
    pub fn texts(texts: impl IntoIterator<Item = String>) -> Self {
        Self::List(texts.into_iter().map(Self::Text).collect())
    }

    /// Returns whether it has a NUL, which ends a text for xl.
    pub fn has_nul(&self) -> bool {
        match self {
            Self::Text(text) => text.contains('\0'),
            Self::List(values) => values.iter().any(Self::has_nul),
        }
    }
}

impl Display for Value {
    /// Writes it so that libxlutil reads the same bytes. Its numeric escapes (`\x41`) add nothing
    /// to a text, so other control characters stand for themselves.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) if is_number(text) => f.write_str(text),
            Self::Text(text) => {
                f.write_str("\"")?;
                for letter in text.chars() {
                    match escape(letter) {
                        Some(escape) => write!(f, "\\{escape}")?,
                        None => write!(f, "{letter}")?,
                    }
                }
                f.write_str("\"")
            }
            Self::List(values) => {
                f.write_str("[")?;
                for (index, value) in values.iter().enumerate() {
                    f.write_str(if index > 0 { ", " } else { "" })?;
                    value.fmt(f)?;
                }
                f.write_str("]")
            }
        }
    }
}

/// Returns whether a text needs no quotation marks.
fn is_number(text: &str) -> bool {
    !text.is_empty() && text.len() < 20 && text.bytes().all(|digit| digit.is_ascii_digit())
}

/// Characters that a text has behind a backslash, with what each stands for.
const ESCAPES: [(char, char); 9] = [
    ('"', '"'),
    ('\\', '\\'),
    ('a', '\x07'),
    ('b', '\x08'),
    ('f', '\x0c'),
    ('n', '\n'),
    ('r', '\r'),
    ('t', '\t'),
    ('v', '\x0b'),
];

/// Returns what stands behind the backslash for a character that can't stand for itself.
fn escape(letter: char) -> Option<char> {
    ESCAPES.into_iter().find(|&(_, meant)| meant == letter).map(|(escape, _)| escape)
}

/// Returns what a character behind a backslash stands for.
pub fn unescape(escape: char) -> Option<char> {
    if escape == '\'' {
        return Some('\'');
    }
    ESCAPES.into_iter().find(|&(known, _)| known == escape).map(|(_, meant)| meant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted_where_they_must_be() {
        for (text, written) in [
            ("", "\"\""),
            ("64", "64"),
            ("1f", "\"1f\""),
            ("a b", "\"a b\""),
            ("dom\\test", "\"dom\\\\test\""),
            ("a\"b'c", "\"a\\\"b'c\""),
            ("a\nb\tc\r\x07\x08\x0b\x0c", "\"a\\nb\\tc\\r\\a\\b\\v\\f\""),
            ("\x01\u{e4}\x7f", "\"\x01\u{e4}\x7f\""),
        ] {
            assert_eq!(Value::Text(text.into()).to_string(), written);
        }
        let list = Value::List(vec![Value::texts(["a".into(), "1".into()]), Value::List(vec![])]);
        assert_eq!(list.to_string(), "[[\"a\", 1], []]");
        assert!(Value::texts(["a\0".into()]).has_nul() && !list.has_nul());
    }
}
