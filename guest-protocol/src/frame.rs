//! Form of a result on a console: marker lines around numbered pieces of its text, with length and
//! checksum, so that losses, cuts and mix-ups on the console are noticed.
//!
//! ```text
//! ringmark-result-begin 1
//! ringmark-result 1 {"fio version":"ringmark-0.1.0", ..|
//! ringmark-result 2 ..}|
//! ringmark-result-end 2345 9f3c01aa
//! ```
//!
//! The first line has the format's version, the last one the text's length in bytes and its
//! CRC-32C, so that the whole text is never needed at once. Each piece is closed by a `|`, so that
//! no console can strip its blanks unnoticed. Other lines may come in between.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use core::{fmt, mem};
use crc::{CRC_32_ISCSI, Crc, Digest, NoTable};

/// Start of the first line of a result.
pub const BEGIN: &str = "ringmark-result-begin";
/// Start of the last line of a result.
pub const END: &str = "ringmark-result-end";
/// Start of each line of the text.
const PIECE: &str = "ringmark-result ";
/// Version of the format described above.
const VERSION: u32 = 1;
/// Longest piece of text in a line, in bytes.
const PIECE_BYTES: usize = 900;
/// Longest text that is ever accepted, in bytes: a guest must not fill the reader's memory.
pub const BYTES_MAX: usize = 64 << 20;

/// CRC-32C without a table: results are short, and a guest's image stays small.
static CRC32C: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISCSI);

/// Writer of a text in a frame, part by part.
pub struct ResultFramer<'p> {
    print: &'p mut dyn FnMut(fmt::Arguments<'_>),
    lines: u64,
    bytes: usize,
    checksum: Digest<'static, u32, NoTable>,
}

impl<'p> ResultFramer<'p> {
    /// Begins a text; `print` receives its lines, without line breaks.
    pub fn begin(print: &'p mut dyn FnMut(fmt::Arguments<'_>)) -> Self {
        print(format_args!("{BEGIN} {VERSION}"));
        Self { print, lines: 0, bytes: 0, checksum: CRC32C.digest() }
    }

    /// Adds the next part, which must have no line breaks; JSON from `serde_json::to_string` has
    /// none.
    pub fn text(&mut self, text: &str) {
        for piece in pieces(text) {
            self.lines += 1;
            self.bytes += piece.len();
            self.checksum.update(piece.as_bytes());
            (self.print)(format_args!("{PIECE}{} {piece}|", self.lines));
        }
    }

    /// Ends the text.
    pub fn end(self) {
        let Self { print, bytes, checksum, .. } = self;
        print(format_args!("{END} {bytes} {:08x}", checksum.finalize()));
    }
}

impl fmt::Debug for ResultFramer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResultFramer").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    core::iter::from_fn(move || {
        let (piece, after) = rest.split_at(rest.floor_char_boundary(PIECE_BYTES));
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Reason why a result that began cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// The first or the last line is malformed.
    Mark(String),
    /// The first line has an unknown version of the format.
    Version(u32),
    /// The text is longer than accepted.
    TooLong {
        /// Longest accepted text, in bytes.
        bytes_max: usize,
    },
    /// A line of the text is missing, or another is in its place.
    Line {
        /// Number of the expected line, from 1.
        expected: u64,
        /// Line that arrived.
        found: String,
    },
    /// The console ended, or the next result began, before this one's end.
    Cut {
        /// Bytes that arrived.
        bytes: usize,
    },
    /// The length differs from the length that was sent.
    Length {
        /// Bytes that arrived.
        bytes: usize,
        /// Bytes that were sent.
        sent: usize,
    },
    /// The checksum differs from the checksum that was sent.
    Checksum {
        /// Checksum of the text that arrived.
        found: u32,
        /// Checksum that was sent.
        sent: u32,
    },
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the result was damaged on the console: ")?;
        match self {
            Self::Mark(line) => write!(f, "malformed line {line:?}"),
            Self::Version(version) => write!(
                f,
                "its format is {version}, not {VERSION}; use guest and tool of the same version"
            ),
            Self::TooLong { bytes_max } => {
                write!(f, "it has more than {bytes_max} bytes, too much for its jobs")
            }
            Self::Line { expected, found } => {
                write!(f, "expected line {expected}, found {found:?}")
            }
            Self::Cut { bytes } => write!(f, "it ends early, after {bytes} bytes"),
            Self::Length { bytes, sent } => write!(f, "{bytes} bytes received, {sent} sent"),
            Self::Checksum { found, sent } => {
                write!(f, "its checksum is {found:08x}, not {sent:08x} as sent")
            }
        }
    }
}

impl core::error::Error for FrameError {}

/// Reader of results in a console's lines.
#[derive(Debug)]
pub struct Deframer {
    bytes_max: usize,
    open: Option<Open>,
}

impl Default for Deframer {
    /// Returns a reader of texts of at most [`BYTES_MAX`] bytes.
    fn default() -> Self {
        Self::new(BYTES_MAX)
    }
}

/// Part of a result that has arrived.
#[derive(Debug, Default)]
struct Open {
    lines: u64,
    text: String,
}

impl Deframer {
    /// Returns a reader of texts of at most this many bytes, and at most [`BYTES_MAX`].
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_max: bytes_max.min(BYTES_MAX), open: None }
    }

    /// Takes the next line, with or without its line break; returns the text if the line was its
    /// last. After an error the next result can be read.
    ///
    /// # Errors
    /// A [`FrameError`] for a result that began and is not as it was sent.
    pub fn line(&mut self, line: &str) -> Result<Option<String>, FrameError> {
        let line = line.trim_end();
        if let Some(words) = line.strip_prefix(BEGIN) {
            let before = Self { open: self.open.take(), ..*self }.finish();
            match words.trim_start().parse() {
                Ok(VERSION) => self.open = Some(Open::default()),
                Ok(version) => return Err(FrameError::Version(version)),
                Err(_) => return Err(FrameError::Mark(short(line))),
            }
            return before.map(|()| None);
        }
        let Some(open) = &mut self.open else { return Ok(None) };
        if let Some(piece) = line.strip_prefix(PIECE) {
            let taken = open.append(piece, self.bytes_max);
            if taken.is_err() {
                self.open = None;
            }
            return taken.map(|()| None);
        }
        match line.strip_prefix(END) {
            Some(words) => {
                let open = mem::take(open);
                self.open = None;
                open.close(words).map(Some)
            }
            None => Ok(None),
        }
    }

    /// Ends the console; to be called after the last line.
    ///
    /// # Errors
    /// [`FrameError::Cut`] if a result has begun and not ended.
    pub fn finish(self) -> Result<(), FrameError> {
        match self.open {
            Some(open) => Err(FrameError::Cut { bytes: open.text.len() }),
            None => Ok(()),
        }
    }
}

impl Open {
    /// Takes `NUMBER TEXT|`.
    fn append(&mut self, piece: &str, bytes_max: usize) -> Result<(), FrameError> {
        self.lines += 1;
        let text = piece
            .split_once(' ')
            .filter(|(number, _)| number.parse() == Ok(self.lines))
            .and_then(|(_, text)| text.strip_suffix('|'))
            .ok_or_else(|| FrameError::Line { expected: self.lines, found: short(piece) })?;
        if text.len() > bytes_max.saturating_sub(self.text.len()) {
            return Err(FrameError::TooLong { bytes_max });
        }
        self.text.push_str(text);
        Ok(())
    }

    /// Checks the text against ` BYTES CHECKSUM`.
    fn close(self, words: &str) -> Result<String, FrameError> {
        let fields = words.trim_start().split_once(' ').and_then(|(bytes, checksum)| {
            Some((bytes.parse().ok()?, u32::from_str_radix(checksum, 16).ok()?))
        });
        let Some((sent, checksum)) = fields else {
            return Err(FrameError::Mark(short(&format!("{END}{words}"))));
        };
        if self.text.len() != sent {
            return Err(FrameError::Length { bytes: self.text.len(), sent });
        }
        match CRC32C.checksum(self.text.as_bytes()) {
            found if found == checksum => Ok(self.text),
            found => Err(FrameError::Checksum { found, sent: checksum }),
        }
    }
}

/// Returns the start of a line, enough to recognize it.
fn short(line: &str) -> String {
    line.get(..line.floor_char_boundary(80)).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    /// Returns the texts and errors in a console's lines, in order.
    fn read<T: AsRef<str>>(lines: &[T]) -> Vec<Result<String, FrameError>> {
        let mut deframer = Deframer::default();
        let mut found: Vec<_> =
            lines.iter().filter_map(|line| deframer.line(line.as_ref()).transpose()).collect();
        found.extend(deframer.finish().err().map(Err));
        found
    }

    /// Returns the lines of a text in two parts.
    fn framed(text: &str) -> Vec<String> {
        let mut lines = Vec::new();
        let (one, two) = text.split_at(text.floor_char_boundary(text.len() / 3));
        let mut print = |line: fmt::Arguments<'_>| lines.push(line.to_string());
        let mut frame = ResultFramer::begin(&mut print);
        frame.text(one);
        frame.text(two);
        frame.end();
        lines
    }

    fn long() -> String {
        (0..500).map(|number| format!("{number} \u{e4} |, ")).collect()
    }

    #[test]
    fn what_is_framed_comes_out_again() {
        for text in ["", "{}", "a b |", &long()] {
            let lines = framed(text);
            assert!(lines.iter().all(|line| line.len() <= 1_000));
            assert_eq!(read(&lines), [Ok(text.to_owned())]);
            let with_breaks: Vec<String> = lines.iter().map(|line| format!("{line}\r\n")).collect();
            assert_eq!(read(&with_breaks), [Ok(text.to_owned())]);
        }
    }

    #[test]
    fn other_lines_may_stand_between_and_results_may_follow_each_other() {
        let mut lines: Vec<String> = Vec::new();
        for text in ["one", "two"] {
            for line in framed(text) {
                lines.extend(["ringmark: talks".to_owned(), line]);
            }
        }
        assert_eq!(read(&lines), [Ok("one".to_owned()), Ok("two".to_owned())]);
    }

    #[test]
    fn damage_is_named() {
        let text = long();
        let whole = framed(&text);
        let last = whole.len() - 1;
        let damaged = |damage: &dyn Fn(&mut Vec<String>)| {
            let mut lines = whole.clone();
            damage(&mut lines);
            read(&lines)
        };
        let missing = damaged(&|lines| drop(lines.remove(2)));
        assert!(matches!(missing[..], [Err(FrameError::Line { expected: 2, .. })]), "{missing:?}");
        let cut_line = damaged(&|lines| lines[2].truncate(100));
        assert!(matches!(cut_line[..], [Err(FrameError::Line { expected: 2, .. })]));
        let glued = damaged(&|lines| lines[2].insert_str(0, "login: "));
        assert!(matches!(glued[..], [Err(FrameError::Line { expected: 2, .. })]));
        let swapped = damaged(&|lines| lines.swap(1, 2));
        assert!(matches!(swapped[..], [Err(FrameError::Line { expected: 1, .. })]));
        let twice = damaged(&|lines| lines.insert(2, lines[1].clone()));
        assert!(matches!(twice[..], [Err(FrameError::Line { expected: 2, .. })]));
        let short = damaged(&|lines| drop(lines.remove(last - 1)));
        assert!(matches!(short[..], [Err(FrameError::Length { .. })]));
        let changed = damaged(&|lines| lines[2] = lines[2].replacen('1', "7", 1));
        assert!(matches!(
            changed[..],
            [Err(FrameError::Line { .. } | FrameError::Checksum { .. })]
        ));
        let changed = damaged(&|lines| lines[2] = lines[2].replace("\u{e4}", "\u{f6}"));
        assert!(matches!(changed[..], [Err(FrameError::Checksum { .. })]));
        let cut = damaged(&|lines| lines.truncate(last));
        assert_eq!(cut, [Err(FrameError::Cut { bytes: text.len() })]);
        let again = damaged(&|lines| lines.splice(last.., whole.clone()).for_each(drop));
        assert!(matches!(&again[..], [Err(FrameError::Cut { .. }), Ok(good)] if *good == text));
    }

    #[test]
    fn no_more_is_taken_than_agreed() {
        let text = long();
        for (bytes_max, fits) in [(text.len(), true), (text.len() - 1, false), (0, false)] {
            let mut deframer = Deframer::new(bytes_max);
            // Earlier texts make no difference.
            for _ in 0..2 {
                let found = framed(&text).iter().find_map(|line| deframer.line(line).transpose());
                let expected =
                    if fits { Ok(text.clone()) } else { Err(FrameError::TooLong { bytes_max }) };
                assert_eq!(found, Some(expected));
            }
        }
    }

    #[test]
    fn malformed_marks_are_refused() {
        for words in ["", "x", "1 5", "-1", "99999999999"] {
            let found = read(&[format!("{BEGIN} {words}")]);
            assert!(matches!(found[..], [Err(FrameError::Mark(_))]), "{words}: {found:?}");
        }
        for words in ["", "0", "0 x", "-1 0", "0 123456789", "0 0 0"] {
            let found = read(&[format!("{BEGIN} 1"), format!("{END} {words}")]);
            assert!(matches!(found[..], [Err(FrameError::Mark(_))]), "{words}: {found:?}");
        }
        assert_eq!(read(&[format!("{BEGIN} 2")]), [Err(FrameError::Version(2))]);
        let text = FrameError::Version(2).to_string();
        assert!(text.ends_with("its format is 2, not 1; use guest and tool of the same version"));
    }

    proptest! {
        /// A change of any one byte on the console never gives a wrong text.
        #[test]
        fn no_wrong_text(text in "[ -~]{0,3000}", place in any::<prop::sample::Index>(), byte in 0..128_u8) {
            let mut bytes = framed(&text).join("\n").into_bytes();
            let place = place.index(bytes.len());
            bytes[place] = byte;
            let console = String::from_utf8(bytes).expect("ASCII");
            let lines: Vec<&str> = console.split('\n').collect();
            for found in read(&lines).into_iter().flatten() {
                prop_assert_eq!(&found, &text);
            }
        }
    }
}
