//! How a result travels over a console: marker lines around numbered pieces of its text, with
//! length and checksum, so that what a console lost, cut or mixed up is noticed.
//!
//! ```text
//! ringmark-result-begin 1 2345 9f3c01aa
//! ringmark-result 1 {"fio version":"ringmark-0.1.0", ..|
//! ringmark-result 2 ..}|
//! ringmark-result-end
//! ```
//!
//! The first line has the format's version, the text's bytes and its CRC-32C. Each piece is closed
//! by a `|`, so that no console can strip its blanks unseen. Other lines may stand in between.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use core::{fmt, mem};
use crc::{CRC_32_ISCSI, Crc};

/// What the first line of a result starts with.
pub const BEGIN: &str = "ringmark-result-begin";
/// The last line of a result.
pub const END: &str = "ringmark-result-end";
/// What each line of the text starts with.
const PIECE: &str = "ringmark-result ";
/// The format that is described above.
const VERSION: u32 = 1;
/// The longest piece of text in a line, in bytes.
const PIECE_BYTES: usize = 900;
/// The longest text that is taken, in bytes: nobody is to fill the reader's memory.
pub const BYTES_MAX: usize = 64 << 20;

const CRC32C: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// The lines, without line breaks, that carry `text`. It has no line breaks either; JSON as
/// `serde_json::to_string` makes it has none.
pub fn frame(text: &str) -> impl Iterator<Item = String> {
    let checksum = CRC32C.checksum(text.as_bytes());
    let begin = format!("{BEGIN} {VERSION} {} {checksum:08x}", text.len());
    let pieces = pieces(text).zip(1_usize..);
    let pieces = pieces.map(|(piece, number)| format!("{PIECE}{number} {piece}|"));
    core::iter::once(begin).chain(pieces).chain(core::iter::once(END.to_owned()))
}

fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    core::iter::from_fn(move || {
        let (piece, after) = rest.split_at(rest.floor_char_boundary(PIECE_BYTES));
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Why a result that began can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// The first line is none that [`frame`] makes.
    Begin(String),
    /// The first line tells of a format that is not known here.
    Version(u32),
    /// The first line announces more than [`BYTES_MAX`].
    TooLong(usize),
    /// A line of the text is missing, or some other is in its place.
    Line {
        /// The number of the line that should have come.
        expected: usize,
        /// What came.
        found: String,
    },
    /// The console ended, or the next result began, before this one's end.
    Cut {
        /// Bytes that came.
        bytes: usize,
        /// Bytes announced.
        expected: usize,
    },
    /// The length is not as announced.
    Length {
        /// Bytes that came.
        bytes: usize,
        /// Bytes announced.
        expected: usize,
    },
    /// The checksum is not as announced.
    Checksum {
        /// That of what came.
        found: u32,
        /// That announced.
        expected: u32,
    },
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the console spoiled the result: ")?;
        match self {
            Self::Begin(line) => write!(f, "it begins with {line:?}"),
            Self::Version(version) => write!(
                f,
                "it has format {version}, known is {VERSION}; use guest and tool of one version"
            ),
            Self::TooLong(bytes) => write!(f, "{bytes} bytes are too many, at most {BYTES_MAX}"),
            Self::Line { expected, found } => {
                write!(f, "line {expected} is missing, in its place came {found:?}")
            }
            Self::Cut { bytes, expected } => write!(f, "it ends after {bytes} of {expected} bytes"),
            Self::Length { bytes, expected } => {
                write!(f, "{bytes} bytes came, {expected} were announced")
            }
            Self::Checksum { found, expected } => {
                write!(f, "its checksum is {found:08x}, announced was {expected:08x}")
            }
        }
    }
}

impl core::error::Error for FrameError {}

/// Reads results out of a console's lines.
#[derive(Debug, Default)]
pub struct Unframe {
    open: Option<Open>,
}

/// A result that has begun.
#[derive(Debug)]
struct Open {
    bytes: usize,
    checksum: u32,
    lines: usize,
    text: String,
}

impl Unframe {
    /// Takes the next line, with its line break or without; answers the text when that was its
    /// last. After an error the next result can be read.
    ///
    /// # Errors
    /// [`FrameError`] for a result that began and is not as it was sent.
    pub fn line(&mut self, line: &str) -> Result<Option<String>, FrameError> {
        let line = line.trim_end();
        if let Some(head) = line.strip_prefix(BEGIN) {
            let cut = mem::take(self).finish();
            self.open = Some(Open::parse(head, line)?);
            return cut.map(|()| None);
        }
        let Some(open) = &mut self.open else { return Ok(None) };
        if line == END {
            let open = self.open.take();
            return open.map(Open::close).transpose();
        }
        if let Some(piece) = line.strip_prefix(PIECE)
            && let Err(error) = open.append(piece)
        {
            self.open = None;
            return Err(error);
        }
        Ok(None)
    }

    /// To be called after the last line.
    ///
    /// # Errors
    /// [`FrameError::Cut`] when a result has begun and not ended.
    pub fn finish(self) -> Result<(), FrameError> {
        match self.open {
            Some(Open { bytes: expected, text, .. }) => {
                Err(FrameError::Cut { bytes: text.len(), expected })
            }
            None => Ok(()),
        }
    }
}

impl Open {
    fn parse(head: &str, line: &str) -> Result<Self, FrameError> {
        let bad = || FrameError::Begin(short(line));
        let mut words = head.trim_start().split(' ');
        let version = words.next().and_then(|word| word.parse().ok()).ok_or_else(bad)?;
        if version != VERSION {
            return Err(FrameError::Version(version));
        }
        let bytes = words.next().and_then(|word| word.parse().ok()).ok_or_else(bad)?;
        let checksum = words.next().and_then(|word| u32::from_str_radix(word, 16).ok());
        let checksum = checksum.filter(|_| words.next().is_none()).ok_or_else(bad)?;
        if bytes > BYTES_MAX {
            return Err(FrameError::TooLong(bytes));
        }
        Ok(Self { bytes, checksum, lines: 0, text: String::new() })
    }

    /// Takes `NUMBER TEXT|`.
    fn append(&mut self, piece: &str) -> Result<(), FrameError> {
        self.lines += 1;
        let text = piece
            .split_once(' ')
            .filter(|(number, _)| number.parse() == Ok(self.lines))
            .and_then(|(_, text)| text.strip_suffix('|'));
        let text =
            text.ok_or_else(|| FrameError::Line { expected: self.lines, found: short(piece) })?;
        if text.len() > self.bytes - self.text.len() {
            let bytes = self.text.len() + text.len();
            return Err(FrameError::Length { bytes, expected: self.bytes });
        }
        self.text.push_str(text);
        Ok(())
    }

    fn close(self) -> Result<String, FrameError> {
        if self.text.len() != self.bytes {
            return Err(FrameError::Length { bytes: self.text.len(), expected: self.bytes });
        }
        match CRC32C.checksum(self.text.as_bytes()) {
            found if found == self.checksum => Ok(self.text),
            found => Err(FrameError::Checksum { found, expected: self.checksum }),
        }
    }
}

/// Enough of a line to know it by.
fn short(line: &str) -> String {
    line.get(..line.floor_char_boundary(80)).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    /// What a console's lines hold: texts and errors, in their order.
    fn read<T: AsRef<str>>(lines: &[T]) -> Vec<Result<String, FrameError>> {
        let mut unframe = Unframe::default();
        let mut found: Vec<_> =
            lines.iter().filter_map(|line| unframe.line(line.as_ref()).transpose()).collect();
        found.extend(unframe.finish().err().map(Err));
        found
    }

    fn long() -> String {
        (0..500).map(|number| format!("{number} \u{e4} |, ")).collect()
    }

    #[test]
    fn what_is_framed_comes_out_again() {
        for text in ["", "{}", "a b |", &long()] {
            let lines: Vec<String> = frame(text).collect();
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
            for line in frame(text) {
                lines.extend(["ringmark: talks".to_owned(), line]);
            }
        }
        assert_eq!(read(&lines), [Ok("one".to_owned()), Ok("two".to_owned())]);
    }

    #[test]
    fn damage_is_named() {
        let text = long();
        let whole: Vec<String> = frame(&text).collect();
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
        assert_eq!(cut, [Err(FrameError::Cut { bytes: text.len(), expected: text.len() })]);
        let again = damaged(&|lines| lines.splice(last.., whole.clone()).for_each(drop));
        assert!(matches!(&again[..], [Err(FrameError::Cut { .. }), Ok(good)] if *good == text));
    }

    #[test]
    fn a_beginning_that_makes_no_sense_is_refused() {
        for head in ["", "1", "1 5", "1 5 xyz", "1 5 0 0", "1 -5 0", "x 5 0"] {
            let found = read(&[format!("{BEGIN} {head}")]);
            assert!(matches!(found[..], [Err(FrameError::Begin(_))]), "{head}: {found:?}");
        }
        assert_eq!(read(&[format!("{BEGIN} 2 5 0")]), [Err(FrameError::Version(2))]);
        let found = read(&[format!("{BEGIN} 1 99999999999 0")]);
        assert_eq!(found, [Err(FrameError::TooLong(99_999_999_999))]);
        let text = FrameError::Version(2).to_string();
        assert!(text.ends_with("it has format 2, known is 1; use guest and tool of one version"));
    }

    proptest! {
        /// Whatever one byte of the console becomes, no other text comes out.
        #[test]
        fn no_wrong_text(text in "[ -~]{0,3000}", place in any::<prop::sample::Index>(), byte in 0..128_u8) {
            let mut bytes = frame(&text).collect::<Vec<_>>().join("\n").into_bytes();
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
