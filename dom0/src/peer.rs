//! The peer of a comparison, or in a fleet: a Linux guest that runs the same job with fio.
//!
//! Its initramfs is to run fio on `/job.fio` when there is one, to print the JSON as one line
//! `peer-result: {..}` on its console, and to power off. The job is appended to it as one more
//! archive, which Linux unpacks behind the first (Linux, driver-api/early-userspace/
//! buffer-format.rst). In a fleet it is to print `peer: ready` before fio, and to wait for a line.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Cursor, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use cpio::{NewcBuilder, write_cpio};
use results::Report;
use xl_config::Config;

use crate::check;
use crate::display;
use crate::exit::Exit;
use crate::guest::checked;
use crate::monitor::{Line, Reader};
use crate::plan::Plan;
use crate::printable;
use crate::uuid;

/// Command line of the Linux guest.
pub const COMMAND_LINE: &str = "console=hvc0 quiet";
/// Word of its command line that makes it wait for a line on its console before fio.
pub const WAITS: &str = "typed=yes";
/// Line by which it says that it waits for that.
const READY: &str = "peer: ready";

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

/// Options of the Linux guest.
#[derive(Args, Debug)]
pub struct PeerOptions {
    /// The Linux guest's kernel
    #[arg(long, value_name = "PATH")]
    peer_kernel: Option<PathBuf>,
    /// The Linux guest's initramfs: prints something on its console, runs fio on /job.fio, and
    /// prints `peer-result: {json}`
    #[arg(long, value_name = "PATH")]
    peer_initramfs: Option<PathBuf>,
    /// Memory of the Linux guest, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 400)]
    #[arg(value_parser = clap::value_parser!(u32).range(64..=1 << 20))]
    peer_memory: u32,
}

impl PeerOptions {
    /// Returns the Linux guest that has all else from `base`; its initramfs lacks the job.
    ///
    /// # Errors
    /// [`Exit::Usage`]: no kernel or initramfs, one that is no file, or what xl could not make.
    pub fn config(&self, base: Config) -> Result<Config> {
        let (Some(kernel), Some(initramfs)) = (&self.peer_kernel, &self.peer_initramfs) else {
            let why = "name the Linux guest's kernel and initramfs with --peer-kernel and \
                       --peer-initramfs";
            return Err(Exit::Usage(why.to_owned()).into());
        };
        check::initramfs(initramfs)?;
        let (kernel, ramdisk) = (kernel.clone(), Some(initramfs.clone()));
        checked(Config { kernel, ramdisk, memory_mib: self.peer_memory, ..base })
    }
}

/// Checks that a Linux guest can run these jobs.
///
/// # Errors
/// [`Exit::Usage`]: a job that reads a file.
pub fn check_jobs(plan: &Plan) -> Result<()> {
    let Some(job) = plan.jobs().iter().find(|job| job.file.is_some()) else { return Ok(()) };
    let name = display::text(&job.name);
    let why = format!("job {name} reads a file; a Linux guest runs jobs on disks only");
    Err(Exit::Usage(why).into())
}

/// The job as fio runs it: what our guest does anyhow is said, and what only our guest knows is
/// left out. The disks are named as Linux does.
pub fn job(text: &str, disks: &[String]) -> String {
    let disks: Vec<String> = disks.iter().map(|disk| format!("/dev/{disk}")).collect();
    let mut job = format!("[global]\ndirect=1\nioengine=libaio\nfilename={}\n", disks.join(":"));
    for line in text.lines() {
        let option = line.split('=').next().unwrap_or_default().trim();
        if option == "filename" {
            job.push_str(&format!("filename={}\n", in_dev(line)));
        } else if !["grants", "latency_from"].contains(&option) && !option.starts_with("ringmark_")
        {
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
    fn new(base: &Path, job: &str) -> Result<Self> {
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

    /// Makes that of a Linux guest with a job in it, and gives it to the guest.
    ///
    /// # Errors
    /// Errors of the files.
    pub fn give(guests: &mut [Config], job: &str) -> Result<Option<Self>> {
        let Some(base) = guests.iter().find_map(|guest| guest.ramdisk.clone()) else {
            return Ok(None);
        };
        let made = Self::new(&base, job)?;
        for guest in guests {
            guest.ramdisk = Some(made.path.clone());
        }
        Ok(Some(made))
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
    /// Whether the guest is one of several that start together.
    is_of_fleet: bool,
}

impl PeerReader {
    /// Creates a reader for a guest that waits for others.
    pub fn of_fleet() -> Self {
        Self { is_of_fleet: true, ..Self::default() }
    }
}

/// Reads fio's result. What only our guest knows is not believed.
///
/// # Errors
/// When it is none, its strings are not [`printable`], or it has more of anything than planned.
pub fn read(text: &str, plan: &Plan) -> Result<Report> {
    let checked = printable::check_within(text, &plan.limits());
    let report = checked.and_then(|()| Report::from_json(text));
    let report = report.map_err(|error| anyhow!(display::text(&error.to_string())));
    let mut report = report.context("fio's result can't be read")?;
    report.ringmark = None;
    report.jobs.iter_mut().for_each(|job| job.ringmark = None);
    Ok(report)
}

impl Reader for PeerReader {
    fn line(&mut self, line: &str) -> Result<Line> {
        if let Some(bytes) = line.strip_prefix(BYTES_MARK) {
            self.bytes = bytes.trim().parse().ok();
        }
        if self.is_of_fleet && line.trim_end() == READY {
            return Ok(Line::Ready(1));
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
    use crate::figures::sample;
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
        let path = copy.path.clone();
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
    fn only_in_a_fleet_does_it_wait_for_others() {
        let is_ready = |mut reader: PeerReader, line: &str| {
            matches!(reader.line(line).unwrap(), Line::Ready(1))
        };
        assert!(is_ready(PeerReader::of_fleet(), "peer: ready"));
        assert!(!is_ready(PeerReader::of_fleet(), "peer: ready?"));
        assert!(!is_ready(PeerReader::default(), "peer: ready"));
    }

    #[test]
    fn what_only_our_guest_knows_is_not_believed() {
        let plan = Plan::of_file(Path::new("x"), "[a]\n").unwrap();
        let lie = serde_json::to_string(&sample("a", Some("persistent"), 1.0)).unwrap();
        let report = read(&lie, &plan).unwrap();
        assert!(report.ringmark.is_none() && report.jobs[0].ringmark.is_none(), "{report:?}");
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
