//! Separation of a file's lines from other lines on one console.
//!
//! Readers of a console recognize a program's own lines by their first letters, the mark. If a
//! file's line begins with the mark, it gets a `>` before it, like a line `From ` in a mailbox.

use alloc::vec::Vec;

/// Character put before a line that begins with the mark.
const QUOTE: u8 = b'>';

/// File that is printed on a console, piece by piece.
#[derive(Debug)]
pub struct Quote {
    /// First letters of the program's own lines: printable ASCII.
    mark: &'static [u8],
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Beginning of a line.
    Start,
    /// Within a possible mark: this many of its bytes have arrived and are held back. Bytes before
    /// them in the line, if any, may be dropped by a reader.
    Mark(usize),
    /// Rest of a line, where no mark can begin.
    Within,
}

impl Quote {
    /// Begins a file; `mark` is the start of the program's own lines, in printable ASCII.
    pub fn new(mark: &'static [u8]) -> Self {
        Self { mark, place: Place::Start }
    }

    /// Returns the bytes to print for the next bytes of the file.
    pub fn quote(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut shown = Vec::with_capacity(bytes.len() + bytes.len() / 8);
        for &byte in bytes {
            self.put(byte, &mut shown);
        }
        shown
    }

    fn put(&mut self, byte: u8, shown: &mut Vec<u8>) {
        let held = match self.place {
            Place::Start => 0,
            Place::Mark(held) => held,
            Place::Within => {
                if byte == b'\n' {
                    self.place = Place::Start;
                }
                return shown.push(byte);
            }
        };
        let is_next = self.mark.get(held) == Some(&byte);
        if is_next && held + 1 < self.mark.len() {
            self.place = Place::Mark(held + 1);
            return;
        }
        // A reader may drop bytes that are not printable, so the rest of a mark may follow them.
        let is_unseen = !matches!(byte, b'\n' | b' '..=b'~');
        if is_next || (is_unseen && held > 0) {
            shown.push(QUOTE);
        }
        shown.extend(self.mark.iter().take(held));
        shown.push(byte);
        self.place = match byte {
            b'\n' => Place::Start,
            _ if is_unseen && held == 0 => Place::Mark(0),
            _ => Place::Within,
        };
    }

    /// Returns the bytes to print at the end: those held back, and a line break if the last line
    /// has none.
    pub fn end(self) -> Vec<u8> {
        let mut shown = Vec::new();
        if let Place::Mark(held) = self.place {
            shown.extend(self.mark.iter().take(held));
        }
        if self.place != Place::Start {
            shown.push(b'\n');
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    /// Returns the printed form of a file, given in pieces of this size.
    fn quoted(file: &str, piece_bytes: usize) -> String {
        let mut quote = Quote::new(b"ring");
        let mut shown = Vec::new();
        for piece in file.as_bytes().chunks(piece_bytes) {
            shown.extend(quote.quote(piece));
        }
        shown.extend(quote.end());
        String::from_utf8(shown).unwrap()
    }

    fn check(file: &str, expected: &str) {
        for piece_bytes in 1..=file.len().max(1) {
            assert_eq!(quoted(file, piece_bytes), expected, "{file:?} in pieces of {piece_bytes}");
        }
    }

    #[test]
    fn lines_of_other_kinds_stay_as_they_are() {
        check("", "");
        check("\n\n", "\n\n");
        check(
            "a ring\n ring\n>ring\nrin\nriring\nRing\n",
            "a ring\n ring\n>ring\nrin\nriring\nRing\n",
        );
        check("\u{e4}\u{7f} ring\n", "\u{e4}\u{7f} ring\n");
    }

    #[test]
    fn lines_that_begin_with_the_mark_are_quoted() {
        check("ring\nringmark: x\nx\nring", ">ring\n>ringmark: x\nx\n>ring\n");
        // Bytes that a reader may drop do not hide the mark.
        check("\x1b\x07ring\n\u{9b}ring\n\rring\n", "\x1b\x07>ring\n\u{9b}>ring\n\r>ring\n");
        check("ri\x00ng\nr\u{9b}ing\n", ">ri\x00ng\n>r\u{9b}ing\n");
    }

    #[test]
    fn the_last_line_ends() {
        check("a", "a\n");
        check("a\nri", "a\nri\n");
        check("\x07", "\x07\n");
    }
}
