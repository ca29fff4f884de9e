//! The job file on its way to the guest.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use guest_protocol::job_node::{JOB_FILE_BYTES_MAX, PIECE_BYTES_MAX};

use crate::display;
use crate::exit::Exit;

/// Reads a job file and puts options before it. As on fio's command line these are defaults, which
/// the file may override.
///
/// # Errors
/// [`Exit::Usage`] when there is no such file, it is too long, or an option starts a job.
pub fn read(path: &Path, options: &[String]) -> Result<String> {
    let mut text = defaults(options)?;
    let cannot = || Exit::Usage(format!("cannot read the job file {}", display::path(path)));
    let file = File::open(path).with_context(cannot)?;
    file.take(JOB_FILE_BYTES_MAX as u64 + 1).read_to_string(&mut text).with_context(cannot)?;
    if text.len() > JOB_FILE_BYTES_MAX {
        let what = format!("{} has more than {JOB_FILE_BYTES_MAX} bytes", display::path(path));
        return Err(Exit::Usage(format!("{what}, the most that the guest accepts")).into());
    }
    Ok(text)
}

/// The options as a `[global]` section.
fn defaults(options: &[String]) -> Result<String> {
    let mut text = String::new();
    for option in options {
        let option = option.strip_prefix("--").unwrap_or(option);
        if option.starts_with("name=") || option.contains(['\n', '\r']) {
            let what = format!("{option:?} cannot be a default of the job file");
            return Err(Exit::Usage(format!("{what}; write it into the file")).into());
        }
        if text.is_empty() {
            text.push_str("[global]\n");
        }
        text.push_str(option);
        text.push('\n');
    }
    Ok(text)
}

/// The text in pieces, spelled as `xenstore-write` reads values: with escapes for what is not
/// printable.
pub fn pieces(text: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.floor_char_boundary(PIECE_BYTES_MAX));
        pieces.push(escaped(piece));
        rest = after;
    }
    pieces
}

fn escaped(text: &str) -> String {
    let mut value = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'\\' => value.push_str("\\\\"),
            b' '..=b'~' => value.push(char::from(byte)),
            _ => value.push_str(&format!("\\x{byte:02x}")),
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_defaults() {
        let options = ["--bs=4k", "time_based"].map(str::to_owned);
        assert_eq!(defaults(&options).unwrap(), "[global]\nbs=4k\ntime_based\n");
        assert_eq!(defaults(&[]).unwrap(), "");
        for option in ["--name=a", "bs=4k\nrw=write"] {
            assert!(defaults(&[option.to_owned()]).unwrap_err().is::<Exit>());
        }
    }

    #[test]
    fn pieces_fit_a_node_and_lose_nothing() {
        let text = "a\u{e4}".repeat(1500);
        let pieces = pieces(&text);
        assert_eq!(pieces.len(), 3);
        let plain = |piece: &String| piece.replace("\\xc3\\xa4", "\u{e4}");
        assert!(pieces.iter().all(|piece| plain(piece).len() <= PIECE_BYTES_MAX));
        assert_eq!(pieces.iter().map(plain).collect::<String>(), text);
    }

    #[test]
    fn escapes_are_those_of_xenstore_write() {
        assert_eq!(pieces("[a]\n\trw=x\\y\r\n"), ["[a]\\x0a\\x09rw=x\\\\y\\x0d\\x0a"]);
    }

    #[test]
    fn a_long_file_is_refused() {
        let error = read(Path::new("/dev/zero"), &[]).unwrap_err();
        assert!(error.is::<Exit>() && error.to_string().contains("65536 bytes"), "{error}");
        assert!(read(Path::new("/no/such/file"), &[]).unwrap_err().is::<Exit>());
    }
}
