//! Text of others on a terminal: a guest's console, names of files and jobs, words of `xl`. What is
//! shown of it moves no cursor, begins no line, reorders or hides nothing, and has an end.

use std::path::Path;

use unicode_properties::{GeneralCategory as Category, UnicodeGeneralCategory};

/// Longest text within a message, in characters as they are shown.
pub const TEXT_CHARS_MAX: usize = 300;
/// Longest line, in bytes as they are shown.
pub const LINE_BYTES_MAX: usize = 2048;
/// Most lines of a message.
const LINES_MAX: usize = 32;
/// End of a text that was cut.
const CUT: &str = "..";

/// Returns a text to quote within a message: at most [`TEXT_CHARS_MAX`] characters.
pub fn text(text: &str) -> String {
    shown(text, TEXT_CHARS_MAX, |_| 1)
}

/// Returns a text to show as a line of its own: at most [`LINE_BYTES_MAX`] bytes.
pub fn line(text: &str) -> String {
    shown(text, LINE_BYTES_MAX, char::len_utf8)
}

/// Returns a path to name within a message, like any [`text`].
pub fn path(path: &Path) -> String {
    text(&path.to_string_lossy())
}

/// Returns a fact to show; `None` if it is empty.
pub fn fact(fact: &str) -> Option<String> {
    let fact = fact.trim();
    (!fact.is_empty()).then(|| text(fact))
}

/// Returns a message to show: each of its first lines as a [`line()`]. Whatever others could put
/// into it must be a [`text`](text()) already, or it may begin a line.
pub fn message(text: &str) -> String {
    let mut lines = text.split('\n').map(line);
    let mut shown: Vec<String> = lines.by_ref().take(LINES_MAX).collect();
    if lines.next().is_some() {
        shown.push(CUT.to_owned());
    }
    shown.join("\n")
}

/// Escapes a text, and cuts it where it has more than `most` of what `size` counts. Reads little
/// more of the text than it shows.
fn shown(text: &str, most: usize, size: fn(char) -> usize) -> String {
    let mut shown = String::new();
    let (mut used, mut kept) = (0, 0);
    for letter in text.chars() {
        let before = shown.len();
        match is_harmless(letter) {
            true => shown.push(letter),
            false => shown.extend(letter.escape_default()),
        }
        used += shown.get(before..).unwrap_or_default().chars().map(size).sum::<usize>();
        if used > most {
            shown.truncate(kept);
            return shown + CUT;
        }
        if used + CUT.len() <= most {
            kept = shown.len();
        }
    }
    shown
}

/// Returns whether a character shows itself, and leaves its neighbours as they are. Those of a
/// version of Unicode that is not known here are taken for harmful.
pub fn is_harmless(letter: char) -> bool {
    letter.is_ascii_graphic() || letter == ' ' || !is_unseen(letter) && !is_of_control(letter)
}

fn is_of_control(letter: char) -> bool {
    matches!(
        letter.general_category(),
        Category::Control
            | Category::Format
            | Category::LineSeparator
            | Category::ParagraphSeparator
            | Category::PrivateUse
            | Category::Surrogate
            | Category::Unassigned
    )
}

/// Letters and marks without a shape: Unicode's `Default_Ignorable_Code_Point`, as far as their
/// general category does not tell.
fn is_unseen(letter: char) -> bool {
    matches!(
        letter,
        '\u{34f}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{ffa0}'
            | '\u{e0100}'..='\u{e01ef}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ops::RangeInclusive;

    #[test]
    fn letters_of_all_scripts_show_themselves() {
        for plain in ["", "job a: 5 % \\ \"x\"", "\u{e4}\u{20ac}\u{1f600}", "e\u{301}", "\u{5d0}"] {
            assert_eq!((text(plain), line(plain)), (plain.to_owned(), plain.to_owned()));
        }
    }

    #[test]
    fn what_controls_reorders_or_hides_is_escaped() {
        for (hostile, expected) in [
            ("\u{1b}[2Ja\rb\nc\td\0\u{7f}\u{9b}", "\\u{1b}[2Ja\\rb\\nc\\td\\u{0}\\u{7f}\\u{9b}"),
            ("a\u{202e}b\u{2066}", "a\\u{202e}b\\u{2066}"),
            ("\u{200b}\u{200d}\u{ad}\u{feff}", "\\u{200b}\\u{200d}\\u{ad}\\u{feff}"),
            ("\u{2028}\u{2029}\u{85}", "\\u{2028}\\u{2029}\\u{85}"),
            ("\u{e000}\u{10ffff}\u{378}", "\\u{e000}\\u{10ffff}\\u{378}"),
            ("\u{e0041}\u{fe0f}\u{3164}", "\\u{e0041}\\u{fe0f}\\u{3164}"),
        ] {
            assert_eq!((text(hostile), line(hostile)), (expected.to_owned(), expected.to_owned()));
        }
    }

    /// All of Cc, Cf, Zl, Zp and Co.
    #[test]
    fn no_character_that_controls_is_shown() {
        const FORMAT: [RangeInclusive<char>; 21] = [
            '\u{ad}'..='\u{ad}',
            '\u{600}'..='\u{605}',
            '\u{61c}'..='\u{61c}',
            '\u{6dd}'..='\u{6dd}',
            '\u{70f}'..='\u{70f}',
            '\u{890}'..='\u{891}',
            '\u{8e2}'..='\u{8e2}',
            '\u{180e}'..='\u{180e}',
            '\u{200b}'..='\u{200f}',
            '\u{202a}'..='\u{202e}',
            '\u{2060}'..='\u{2064}',
            '\u{2066}'..='\u{206f}',
            '\u{feff}'..='\u{feff}',
            '\u{fff9}'..='\u{fffb}',
            '\u{110bd}'..='\u{110bd}',
            '\u{110cd}'..='\u{110cd}',
            '\u{13430}'..='\u{1343f}',
            '\u{1bca0}'..='\u{1bca3}',
            '\u{1d173}'..='\u{1d17a}',
            '\u{e0001}'..='\u{e0001}',
            '\u{e0020}'..='\u{e007f}',
        ];
        let others = [
            '\0'..='\u{1f}',
            '\u{7f}'..='\u{9f}',
            '\u{2028}'..='\u{2029}',
            '\u{e000}'..='\u{f8ff}',
            '\u{f0000}'..=char::MAX,
        ];
        for letter in FORMAT.into_iter().chain(others).flatten() {
            assert!(!is_harmless(letter), "{}", letter.escape_unicode());
        }
    }

    #[test]
    fn a_message_has_lines() {
        assert_eq!(message("a\u{1b}[m:\n  | b\r\n  | c"), "a\\u{1b}[m:\n  | b\\r\n  | c");
        let whole = vec!["x"; LINES_MAX].join("\n");
        assert_eq!(message(&whole), whole);
        assert_eq!(message(&(whole.clone() + "\nx\nx")), whole + "\n..");
        let long = message(&"x".repeat(5_000));
        assert_eq!(long.len(), LINE_BYTES_MAX);
        assert_eq!(path(Path::new("a\n\u{202e}b")), "a\\n\\u{202e}b");
    }

    #[test]
    fn what_is_long_is_cut_and_says_so() {
        for (letter, length) in [("x", 1), ("\u{e4}", 1), ("\u{202e}", 8), ("\u{1f600}", 1)] {
            let whole = letter.repeat(TEXT_CHARS_MAX / length);
            assert!(!text(&whole).ends_with(CUT), "{letter:?}");
            for more in [1, 9, 100_000] {
                let shown = text(&(whole.clone() + &letter.repeat(more)));
                let count = shown.chars().count();
                assert!(shown.ends_with(CUT), "{shown}");
                assert!((TEXT_CHARS_MAX - 9..=TEXT_CHARS_MAX).contains(&count), "{count}");
                let kept = shown.strip_suffix(CUT).unwrap();
                assert!(kept.replace("\\u{202e}", "\u{202e}").chars().all(|c| letter.contains(c)));
                let shown = line(&letter.repeat(LINE_BYTES_MAX + more));
                assert!((LINE_BYTES_MAX - 9..=LINE_BYTES_MAX).contains(&shown.len()), "{shown}");
            }
        }
        assert_eq!(text(&"x".repeat(TEXT_CHARS_MAX)).len(), TEXT_CHARS_MAX);
        assert_eq!(line(&"x".repeat(LINE_BYTES_MAX)).len(), LINE_BYTES_MAX);
    }
}
