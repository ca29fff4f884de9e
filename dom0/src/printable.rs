//! JSON that others wrote is printable: no string or key in it holds a control character, however
//! it is spelled. What is printed of it moves no cursor and begins no line.
//!
//! A visitor, and not a walk of a `serde_json::Value`: that keeps the last of several members with
//! one name, but a report's lists keep them all.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Checks all strings and keys of a JSON text, those that nobody reads too.
///
/// # Errors
/// The first control character (C0, DEL or C1), or what is wrong with the JSON; and where.
pub fn check(json: &str) -> Result<(), serde_json::Error> {
    serde_json::from_str(json).map(|Printable| ())
}

/// Any value, of which nothing is kept.
struct Printable;

impl<'de> Deserialize<'de> for Printable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Printable {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self, E> {
        match text.chars().find(|letter| letter.is_control()) {
            Some(letter) => {
                Err(E::custom(format_args!("control character {letter:?} in a string")))
            }
            None => Ok(self),
        }
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Self, A::Error> {
        while let Some(Self) = values.next_element()? {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        while let Some((Self, Self)) = members.next_entry()? {}
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_no_cursor_is_printable() {
        let json = r#"{"a \"b\" \\u001b": [null, true, -1, 1, 0.5, "\u00e4 \u2028 \\n"], "": {}}"#;
        check(json).unwrap();
    }

    #[test]
    fn control_characters_are_found_anywhere_in_any_spelling() {
        for character in [r"\u001b", r"\n", r"\u0000", r"\u007f", r"\u009b", "\u{7f}", "\u{9b}"] {
            for json in [
                format!("\"{character}\""),
                format!("[0, {{\"a\": [\"b{character}\"]}}]"),
                format!("{{\"a\": {{\"{character}b\": 1}}}}"),
                format!("{{\"a\": \"{character}\", \"a\": 1}}"),
            ] {
                let error = check(&json).unwrap_err().to_string();
                assert!(error.starts_with("control character '"), "{json}: {error}");
                assert!(!error.contains(char::is_control), "{json}: {error:?}");
            }
        }
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in ["", "{", "{} x", &"[".repeat(100_000)] {
            assert!(check(text).is_err());
        }
    }
}
