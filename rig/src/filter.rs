//! Decompression by the host's programs.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// Magic bytes of each format, and the program that unpacks it.
const PROGRAMS: [(&[u8], &str); 3] =
    [(b"\x1f\x8b", "gzip"), (b"\xfd7zXZ\0", "xz"), (b"\x28\xb5\x2f\xfd", "zstd")];

/// Decompresses what one of the formats' programs has made.
///
/// # Errors
/// When it is in none of the formats, or damaged, or the program is missing.
pub(crate) fn decompress(packed: Vec<u8>) -> Result<Vec<u8>> {
    let (_, program) = PROGRAMS
        .into_iter()
        .find(|(magic, _)| packed.starts_with(magic))
        .context("it is compressed by neither gzip, xz nor zstd")?;
    let mut child = Command::new(program)
        .arg("-dc")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {program}"))?;
    let mut input = child.stdin.take().context("its standard input is not a pipe")?;
    let feeder = std::thread::spawn(move || input.write_all(&packed));
    let output = child.wait_with_output()?;
    let fed = feeder.join().is_ok_and(|result| result.is_ok());
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success() && fed,
        "{program} could not decompress it: {}",
        complaint.trim()
    );
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `printf ringmark | gzip -n`, and `| xz --check=none`.
    const PACKED: [&[u8]; 2] = [
        b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x2b\xca\xcc\x4b\xcf\x4d\x2c\xca\x06\0\xa8\xa8\xa5\xcb\
          \x08\0\0\0",
        b"\xfd7zXZ\0\0\0\xff\x12\xd9\x41\x02\0\x21\x01\x16\0\0\0\x74\x2f\xe5\xa3\x01\0\x07\
          ringmark\0\0\x01\x18\x08\x40\xa5\x46\xac\x06\x72\x9e\x7a\x01\0\0\0\0\0YZ",
    ];

    #[test]
    fn the_content_tells_the_format() {
        for packed in PACKED {
            assert_eq!(decompress(packed.to_vec()).unwrap(), b"ringmark");
            let error = decompress(packed[..20].to_vec()).unwrap_err();
            assert!(error.to_string().contains("could not decompress"), "{error}");
        }
        let error = decompress(b"ringmark".to_vec()).unwrap_err();
        assert!(error.to_string().contains("neither"), "{error}");
    }
}
