//! The peer of a comparison: a Linux guest that runs the same job with fio.
//!
//! Its initramfs is to run fio on `/job.fio` when there is one, to print the JSON as one line
//! `peer-result: {..}` on its console, and to power off. The job is appended to it as one more
//! archive, which Linux unpacks behind the first (Linux, driver-api/early-userspace/
//! buffer-format.rst).

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Cursor, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use cpio::{NewcBuilder, write_cpio};

use crate::display;
use crate::monitor::{Line, Reader};
use crate::uuid;

/// Prefix of the line with the result.
const MARK: &str = "peer-result: ";
/// Prefix of a line before it, with its length in bytes.
const BYTES_MARK: &str = "peer-bytes:";
/// Longest line of the peer's console, in bytes: its result is one.
const LINE_BYTES_MAX: usize = 1 << 24;
/// Path of the job in the initramfs.
const JOB: &str = "job.fio";
/// A file's mode in an archive, with its permissions.
const REGULAR_FILE: u32 = 0o100_644;
/// Archives in an initramfs begin at multiples of this, in bytes.
const ALIGN: u64 = 4;

/// The job as fio runs it: what our guest does anyhow is said, and what only our guest knows is
/// left out. The disks are named as Linux does.
pub fn job(text: &str, disks: &[String]) -> String {
    let disks: Vec<String> = disks.iter().map(|disk| format!("/dev/{disk}")).collect();
    let mut job = format!("[global]\ndirect=1\nioengine=libaio\nfilename={}\n", disks.join(":"));
    for line in text.lines() {
        let option = line.split('=').next().unwrap_or_default().trim();
        if option == "filename" {
            job.push_str(&format!("filename={}\n", in_dev(line)));
        } else if option != "grants" && !option.starts_with("ringmark_") {
            job.push_str(line);
            job.push('\n');
        }
    }
    job
}

/// Returns the disks of a line `filename=xvda:xvdb` as fio on Linux needs them.
fn in_dev(line: &str) -> String {
    let (_, names) = line.split_once('=').unwrap_or_default();
    let in_dev = |name: &str| match name.trim() {
        name if name.starts_with('/') => name.to_owned(),
        name => format!("/dev/{name}"),
    };
    names.split(':').map(in_dev).collect::<Vec<_>>().join(":")
}

/// An initramfs with a job in it, a file for as long as this value lives.
#[derive(Debug)]
pub struct Initramfs {
    path: PathBuf,
}

impl Initramfs {
    /// Makes it in the directory for temporary files, under a name that nobody can foresee.
    ///
    /// # Errors
    /// Errors of the files.
    pub fn new(base: &Path, job: &str) -> Result<Self> {
        let random = uuid::random()?;
        let path = env::temp_dir().join(format!("ringmark-peer-{random}.cpio"));
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("cannot make {}", display::path(&path)))?;
        let made = Self { path };
        File::open(base).and_then(|mut base| append(&mut base, job, &mut file)).with_context(
            || format!("cannot copy {} to {}", display::path(base), display::path(&made.path)),
        )?;
        Ok(made)
    }

    /// Returns its path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Initramfs {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn append(base: &mut impl io::Read, job: &str, to: &mut impl Write) -> io::Result<()> {
    let bytes = io::copy(base, to)?;
    let gap = bytes.next_multiple_of(ALIGN) - bytes;
    to.write_all(&[0; ALIGN as usize][..gap as usize])?;
    let entry = NewcBuilder::new(JOB).mode(REGULAR_FILE);
    write_cpio([(entry, Cursor::new(job.as_bytes()))].into_iter(), to).map(drop)
}

/// Reads the peer's console.
#[derive(Debug, Default)]
pub struct PeerReader {
    /// Length of the result, if the peer tells it.
    bytes: Option<usize>,
}

impl Reader for PeerReader {
    fn line(&mut self, line: &str) -> Result<Line> {
        if let Some(bytes) = line.strip_prefix(BYTES_MARK) {
            self.bytes = bytes.trim().parse().ok();
        }
        Ok(match line.strip_prefix(MARK) {
            Some(_) if line.len() >= LINE_BYTES_MAX => {
                let mib = LINE_BYTES_MAX >> 20;
                bail!("fio's result has {mib} MiB or more; leave out json+ and per-job reports")
            }
            Some(json) => match self.bytes {
                Some(sent) if sent != json.len() => {
                    let bytes = json.len();
                    bail!(
                        "fio's result was damaged on the console: {bytes} bytes received, {sent} sent"
                    )
                }
                _ => Line::Result(json.to_owned()),
            },
            None => Line::Other,
        })
    }

    fn reports_progress(&self) -> bool {
        false
    }

    fn line_bytes_max(&self) -> usize {
        LINE_BYTES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cpio::NewcReader;
    use std::io::Read;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn fio_gets_its_defaults_and_none_of_our_options() {
        let text = "[a]\ngrants=persistent\nrw=read\n ringmark_poll_us = 5\n[b]\n\
                    filename = xvdb:/dev/xvda";
        let expected = "[global]\ndirect=1\nioengine=libaio\nfilename=/dev/xvdb:/dev/xvda1\n\
                        [a]\nrw=read\n[b]\n\
                        filename=/dev/xvdb:/dev/xvda\n";
        assert_eq!(job(text, &["xvdb".into(), "xvda1".into()]), expected);
    }

    #[test]
    fn a_copy_is_for_its_owner_and_goes_with_it() {
        let copy = Initramfs::new(Path::new("/dev/null"), "[a]\n").unwrap();
        let path = copy.path().to_owned();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        drop(copy);
        assert!(!path.exists());
    }

    #[test]
    fn a_result_has_the_length_that_was_told() {
        let read = |lines: [&str; 2]| {
            let mut reader = PeerReader::default();
            lines.map(|line| reader.line(line)).into_iter().next_back()
        };
        for bytes in ["peer-bytes: 2", "peer-bytes:2", "peer-bytes: x", "fio"] {
            let result = read([bytes, "peer-result: {}"]);
            assert!(matches!(result, Some(Ok(Line::Result(_)))), "{bytes}");
        }
        let error = read(["peer-bytes: 3", "peer-result: {}"]).unwrap().unwrap_err();
        assert!(error.to_string().ends_with("2 bytes received, 3 sent"), "{error}");
    }

    #[test]
    fn the_job_is_one_more_archive() {
        let mut whole = Vec::new();
        append(&mut &b"12345"[..], "[a]\n", &mut whole).unwrap();
        assert_eq!(&whole[..8], b"12345\0\0\0");
        let mut reader = NewcReader::new(&whole[8..]).unwrap();
        assert_eq!(reader.entry().name(), "job.fio");
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "[a]\n");
    }
}
