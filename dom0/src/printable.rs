//! JSON that others wrote, checked before it is read: no string or key in it holds a character that
//! a terminal would not show as it is, however it is spelled, and there is no more of anything than
//! was planned.
//!
//! A visitor, and not a walk of a `serde_json::Value`: that keeps the last of several members with
//! one name, but a report's lists keep them all, and nothing is kept of what is refused here.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::display::is_harmless;

/// Greatest number that is taken, of either sign: more than any count of 64 bits, and of so many
/// digits only.
const NUMBER_MAX: f64 = 18_446_744_073_709_551_616.0;

/// Most of everything in a JSON text.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Items of the list or object that is the value of the member with this name.
    pub items_of: Vec<(&'static str, usize)>,
    /// Items of any other list or object.
    pub items: usize,
    /// Bytes of a name of a member.
    pub name_bytes: usize,
    /// Bytes of a string.
    pub string_bytes: usize,
}

/// Checks all of a JSON text for [`is_harmless`] characters, what nobody reads too.
///
/// # Errors
/// The first character that is not, a number that no count is, or what is wrong with the JSON; and
/// where.
pub fn check(json: &str) -> Result<(), serde_json::Error> {
    let most = usize::MAX;
    let limits = Limits { items_of: Vec::new(), items: most, name_bytes: most, string_bytes: most };
    check_within(json, &limits)
}

/// Checks a JSON text as [`check`] does, and that it is within limits.
///
/// # Errors
/// The errors of [`check`], and the first list or text that is too long: how long it is, and how
/// long it may be.
pub fn check_within(json: &str, limits: &Limits) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let whole = Value { limits, name: "the result", items: limits.items };
    whole.deserialize(&mut deserializer).and_then(|()| deserializer.end())
}

/// Any value, of which nothing is kept.
#[derive(Clone, Copy)]
struct Value<'l> {
    limits: &'l Limits,
    /// Name of the list or object, for an error.
    name: &'static str,
    /// Most items of it.
    items: usize,
}

/// Name of a member; becomes the member's value.
struct Name<'l>(&'l Limits);

impl Value<'_> {
    /// Returns a value of which less is known.
    fn any(limits: &Limits) -> Value<'_> {
        Value { limits, name: "a list", items: limits.items }
    }

    /// Refuses more items than it may have.
    fn count<E: Error>(self, found: usize) -> Result<(), E> {
        match found {
            _ if found <= self.items => Ok(()),
            _ => Err(E::custom(format_args!(
                "{} has {found} items, but {} are the most that was planned",
                self.name, self.items
            ))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        check_text(text, self.limits.string_bytes)
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        match number.abs() <= NUMBER_MAX {
            true => Ok(()),
            false => Err(E::custom(format_args!("{number:e} is too great for a figure"))),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<(), A::Error> {
        let mut found = 0;
        while values.next_element_seed(Value::any(self.limits))?.is_some() {
            found += 1;
        }
        self.count(found)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut found = 0;
        while let Some(value) = members.next_key_seed(Name(self.limits))? {
            members.next_value_seed(value)?;
            found += 1;
        }
        self.count(found)
    }
}

impl<'de, 'l> DeserializeSeed<'de> for Name<'l> {
    type Value = Value<'l>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value<'l>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de, 'l> Visitor<'de> for Name<'l> {
    type Value = Value<'l>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Value<'l>, E> {
        let Self(limits) = self;
        check_text(name, limits.name_bytes)?;
        let known = limits.items_of.iter().find(|(known, _)| *known == name);
        Ok(known.map_or(Value::any(limits), |&(name, items)| Value { limits, name, items }))
    }
}

fn check_text<E: Error>(text: &str, bytes_max: usize) -> Result<(), E> {
    if text.len() > bytes_max {
        let bytes = text.len();
        return Err(E::custom(format_args!(
            "a string has {bytes} bytes, but {bytes_max} are the most that was planned"
        )));
    }
    match text.chars().find(|&letter| !is_harmless(letter)) {
        Some(letter) => {
            let shown = letter.escape_unicode();
            Err(E::custom(format_args!("control character '{shown}' in a string")))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shows_itself_is_printable() {
        let json = r#"{"a \"b\" \\u001b": [null, true, -1, 1, 0.5, "\u00e4 \u20ac \\n"], "": {}}"#;
        check(json).unwrap();
    }

    #[test]
    fn characters_that_control_are_found_anywhere_in_any_spelling() {
        for character in [
            r"\u001b",
            r"\n",
            r"\u0000",
            r"\u007f",
            r"\u009b",
            "\u{7f}",
            "\u{9b}",
            r"\u202e",
            "\u{202e}",
            r"\u200b",
            "\u{2028}",
            r"\u2029",
            "\u{ad}",
            "\u{feff}",
            r"\udb40\udc41",
        ] {
            for json in [
                format!("\"{character}\""),
                format!("[0, {{\"a\": [\"b{character}\"]}}]"),
                format!("{{\"a\": {{\"{character}b\": 1}}}}"),
                format!("{{\"a\": \"{character}\", \"a\": 1}}"),
            ] {
                let error = check(&json).unwrap_err().to_string();
                assert!(error.starts_with("control character '\\u{"), "{json}: {error}");
                assert!(error.chars().all(is_harmless), "{json}: {error:?}");
            }
        }
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in ["", "{", "{} x", &"[".repeat(100_000), "NaN", "1e400"] {
            assert!(check(text).is_err());
        }
    }

    #[test]
    fn numbers_are_as_great_as_counts() {
        check("[18446744073709551615, 18446744073709551616, -1.8e19, 1e-300]").unwrap();
        for text in ["1e20", "-1e20", "[1.7e308]"] {
            let error = check(text).unwrap_err().to_string();
            assert!(error.contains(" is too great for a figure"), "{error}");
        }
    }

    #[test]
    fn what_is_too_much_is_counted_to_its_end() {
        let limits = Limits {
            items_of: vec![("jobs", 2), ("bins", 0)],
            items: 3,
            name_bytes: 4,
            string_bytes: 5,
        };
        let check = |json: &str| {
            let checked = check_within(json, &limits);
            checked.map_err(|error| error.to_string().split(" at line").next().unwrap().to_owned())
        };
        let fits =
            r#"{"jobs": [[1, 2, 3], {"a": "12345", "b": 0, "bins": {}}], "1234": "", "": 0}"#;
        assert_eq!(check(fits), Ok(()));
        for (json, expected) in [
            (r#"{"jobs": [1, 2, 3, 4]}"#, "jobs has 4 items, but 2 are the most that was planned"),
            (r#"{"jobs": {"a": 1, "a": 2, "a": 3}}"#, "jobs has 3 items"),
            (r#"[{"bins": [0]}]"#, "bins has 1 items, but 0 are"),
            ("[1, 2, 3, 4]", "the result has 4 items, but 3 are"),
            ("[[[1, 2, 3, 4]]]", "a list has 4 items"),
            (r#"{"12345": 0}"#, "a string has 5 bytes, but 4 are the most that was planned"),
            (r#"["123456"]"#, "a string has 6 bytes, but 5 are"),
        ] {
            let error = check(json).unwrap_err();
            assert!(error.starts_with(expected), "{json}: {error}");
        }
    }
}
