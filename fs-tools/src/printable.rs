//! Text that may be hostile, so that it moves no cursor.

use core::fmt;

/// Shows bytes as text in which what could control a terminal is escaped, but for a line's end.
#[derive(Clone, Copy, Debug)]
pub struct Printable<'a>(pub &'a [u8]);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                match character {
                    '\n' => f.write_str("\n")?,
                    _ if character.is_control() => write!(f, "{}", character.escape_default())?,
                    _ => write!(f, "{character}")?,
                }
            }
            write!(f, "{}", chunk.invalid().escape_ascii())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn nothing_but_a_line_s_end_controls_a_terminal() {
        for (bytes, shown) in [
            (b"plain text\n\n" as &[u8], "plain text\n\n"),
            ("\u{e4}\u{20ac}\u{1f600}".as_bytes(), "\u{e4}\u{20ac}\u{1f600}"),
            (b"\x1b[2Ja\rb\tc\0", "\\u{1b}[2Ja\\rb\\tc\\u{0}"),
            // DEL, and a C1 control that some terminals take for ESC [.
            ("\x7f\u{9b}2J".as_bytes(), "\\u{7f}\\u{9b}2J"),
            (b"\x9b\xff\n\xe2\n", "\\x9b\\xff\n\\xe2\n"),
        ] {
            assert_eq!(Printable(bytes).to_string(), shown);
        }
        let all: alloc::vec::Vec<u8> = (0..=u8::MAX).collect();
        let shown = Printable(&all).to_string();
        assert!(shown.chars().all(|character| character == '\n' || !character.is_control()));
    }
}
