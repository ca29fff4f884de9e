//! Words of a configuration, as libxlutil's lexer tells them apart (libxlu_cfg_l.l).
//!
//! It refuses two things that libxlutil reads in odd ways: numeric escapes, which it checks and
//! drops, and NUL.

use crate::value::unescape;

/// A word or mark of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// A name.
    Key(String),
    /// A text in quotation marks, or a number.
    Text(String),
    /// `=`
    Assign,
    /// `+=`
    Add,
    /// `[`
    Open,
    /// `]`
    Close,
    /// `,`
    Comma,
    /// `;`
    Semicolon,
    /// The end of a line.
    Line,
}

/// Splits a text into its words. Comments are left out.
///
/// # Errors
/// The reason why a part of it is no word.
pub fn tokens(text: &str) -> Result<Vec<Token>, &'static str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let after = &rest[first.len_utf8()..];
        rest = match first {
            ' ' | '\t' => after,
            '#' => after.trim_start_matches(|letter| letter != '\n' && letter != '\0'),
            'a'..='z' => {
                let (key, after) =
                    split(rest, |letter| matches!(letter, 'a'..='z' | '0'..='9' | '_' | '.'));
                found.push(Token::Key(key.into()));
                after
            }
            '0'..='9' => {
                let (number, after) =
                    split(rest, |letter| matches!(letter, '0'..='9' | 'a'..='f' | 'x'));
                found.push(Token::Text(number.into()));
                after
            }
            '"' | '\'' => {
                let (text, after) = string(after, first)?;
                found.push(Token::Text(text));
                after
            }
            _ => {
                let (mark, after) = mark(rest)?;
                found.push(mark);
                after
            }
        };
    }
    Ok(found)
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|letter| !belongs(letter)).unwrap_or(text.len()))
}

fn mark(text: &str) -> Result<(Token, &str), &'static str> {
    const MARKS: [(&str, Token); 7] = [
        ("+=", Token::Add),
        ("=", Token::Assign),
        ("[", Token::Open),
        ("]", Token::Close),
        (",", Token::Comma),
        (";", Token::Semicolon),
        ("\n", Token::Line),
    ];
    let found = MARKS.into_iter().find_map(|(mark, token)| Some((token, text.strip_prefix(mark)?)));
    found.ok_or("write KEY=VALUE, with a key in small letters and a text in quotation marks")
}

/// Reads a text up to its quotation mark; also returns what follows.
fn string(text: &str, end: char) -> Result<(String, &str), &'static str> {
    let mut found = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\n' | '\0' => break,
            '\\' => {
                let escape = letters.next().map(|(_, escape)| escape);
                let meant = escape.and_then(unescape);
                found.push(meant.ok_or("xl has no such escape; write \\\\ for a backslash")?);
            }
            _ if letter == end => return Ok((found, &text[at + 1..])),
            _ => found.push(letter),
        }
    }
    Err("a text has no closing quotation mark in its line")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        let all = tokens(text).unwrap().into_iter();
        all.map(|token| match token {
            Token::Key(text) => format!("<{text}>"),
            Token::Text(text) => text,
            other => format!("{other:?}"),
        })
        .collect()
    }

    #[test]
    fn words_end_where_libxlutil_ends_them() {
        assert_eq!(texts("a.b_1=0x1fz"), ["<a.b_1>", "Assign", "0x1f", "<z>"]);
        assert_eq!(
            texts("a+='x'#;b\n\t;[,]"),
            ["<a>", "Add", "x", "Line", "Semicolon", "Open", "Comma", "Close"]
        );
        assert_eq!(texts("'a\"b\\'' \"\\\\\\t\\n\u{e4}\\\"'\""), ["a\"b'", "\\\t\n\u{e4}\"'"]);
        assert_eq!(texts(" # it's"), [""; 0]);
    }

    #[test]
    fn what_is_no_word_is_refused() {
        for text in [
            "A=1",
            "a-b=1",
            "+1",
            "\"a",
            "\"a\\\"",
            "'a\nb'",
            "\"a\\\nb\"",
            "\"\\x41\"",
            "\"\\101\"",
            "\"\\q\"",
            "\u{e4}=1",
            "\r",
            "\0",
            "#\0",
            "\"\0\"",
            "(",
            "\"\\\u{e4}\"",
        ] {
            assert!(tokens(text).is_err(), "{text:?}");
        }
    }
}
