//! A file as it is: bytes that are a text, and not more of them than the guest takes.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use guest_protocol::job_node::JOB_FILE_BYTES_MAX;

/// Mark that some editors put before UTF-8.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Returns whether a job comes from standard input.
pub fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// Returns the name of a job file for messages.
pub fn label(path: &Path) -> &Path {
    if is_stdin(path) { Path::new("standard input") } else { path }
}

/// Returns the text of a file, or of standard input for `-`, without a mark before it.
///
/// # Errors
/// What is wrong with it, behind its name: it cannot be read, is too long or no text.
pub fn file_text(path: &Path) -> Result<String, String> {
    let file = match is_stdin(path) {
        true => bytes(io::stdin().lock()),
        false => File::open(path).and_then(bytes),
    };
    let file = file.map_err(|error| format!("cannot be read: {error}"))?;
    if file.len() > bytes_max() {
        return Err(too_long());
    }
    let no_text = |_| "is no text in UTF-8; save it as such".to_owned();
    let file = String::from_utf8(file).map_err(no_text)?;
    if let Some(at) = file.find('\0') {
        let line = file.bytes().take(at).filter(|&byte| byte == b'\n').count() + 1;
        return Err(format!("has a NUL byte in line {line}; save it as text, without such bytes"));
    }
    Ok(file.strip_prefix(BYTE_ORDER_MARK).map(str::to_owned).unwrap_or(file))
}

/// Returns the error for a job that is longer than the guest accepts, behind its name.
pub fn too_long() -> String {
    format!(
        "is too long; the most that the guest accepts are {JOB_FILE_BYTES_MAX} bytes, with \
         options and included files"
    )
}

const fn bytes_max() -> usize {
    JOB_FILE_BYTES_MAX + BYTE_ORDER_MARK.len_utf8()
}

/// Reads all bytes, or one more than a job file may have.
fn bytes(source: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(bytes_max() as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
