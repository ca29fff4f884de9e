//! Files in an FFS on a connected disk: shown (`mode=`), or looked up for a job.

use alloc::string::{String, ToString};
use alloc::vec;
use core::mem;

use drivers::xenstore::Xenstore;
use fio_job::FilePath;
use fs::{PartitionName, ReadBlocks, SCRATCH_BYTES};
use fs_tools::{HOLE_BYTES_MAX, Printable, Report, Tools};
use guest_protocol::console::OUR_LINES;
use guest_protocol::{Inspect, Quote};
use load::file_map::FileMap;
use load::reader::{BlockReader, ReadError};

use crate::control::Control;
use crate::vcpu::Vcpu;
use crate::{console, memory, say};

/// Size of the pieces in which files are read, in bytes.
const READ_BYTES: usize = 128 << 10;
/// Share of the heap that is for names: one part in this number.
const NAMES_SHARE: usize = 4;

/// A disk that is read until somebody asks the guest to end.
#[derive(Debug)]
pub struct Source<'q, 'a> {
    /// Its name.
    pub name: &'q str,
    /// Its blocks.
    pub reader: BlockReader<'q, 'a, Vcpu>,
    /// Requests to end.
    pub control: &'q mut Control,
    /// xenstore, by which they come.
    pub store: &'q mut Xenstore<'a, Vcpu>,
}

impl ReadBlocks for Source<'_, '_> {
    type Error = ReadError;

    fn size_bytes(&self) -> u64 {
        self.reader.size_bytes()
    }

    fn read(&mut self, offset_bytes: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        self.reader.read(offset_bytes, buffer)
    }

    fn is_stopped(&mut self) -> bool {
        self.control.is_asked(self.store)
    }
}

/// Finds where a file is on the disk.
///
/// # Errors
/// One line on what is wrong.
#[inline(never)]
pub fn look_up(mut source: Source<'_, '_>, file: &FilePath) -> Result<FileMap, String> {
    let mut shown = Shown { disk: source.name, quote: None };
    let mut scratch = vec![0; SCRATCH_BYTES];
    let partition = partition(Some(file))?;
    let mut volume = fs_tools::mount(&mut source, &mut scratch, partition, &mut shown)?;
    let found = FileMap::look_up(&mut volume, file.clone());
    while let Some(warning) = volume.next_warning() {
        shown.warn(&warning.to_string());
    }
    found.map_err(|error| alloc::format!("{file}: {error}"))
}

/// Shows what `inspect` asks for of a file or directory; without one, the root directory, and of
/// names the disk's partitions.
///
/// # Errors
/// One line on what is wrong.
#[inline(never)]
pub fn show(
    mut source: Source<'_, '_>,
    inspect: Inspect,
    file: Option<&FilePath>,
) -> Result<(), String> {
    let mut shown = Shown { disk: source.name, quote: None };
    let mut scratch = vec![0; SCRATCH_BYTES];
    if inspect == Inspect::List && file.is_none() {
        return fs_tools::partitions(&mut source, &mut scratch, &mut shown);
    }
    let path = file.map_or("/", |file| &file.path).as_bytes();
    let mut tools = Tools {
        volume: fs_tools::mount(&mut source, &mut scratch, partition(file)?, &mut shown)?,
        buffer: vec![0; READ_BYTES],
        names_bytes_max: memory::heap_size() / NAMES_SHARE,
        hole_bytes_max: HOLE_BYTES_MAX,
    };
    match inspect {
        Inspect::List => tools.ls(path, true, &mut shown),
        Inspect::Sums => tools.sum(path, &mut shown),
        Inspect::Bytes => {
            shown.quote = Some(Quote::new(OUR_LINES.as_bytes()));
            let done = tools.cat(path, &mut shown);
            if let Some(quote) = shown.quote {
                console::print_bytes(&quote.end());
            }
            done.and_then(|()| nothing_is_lost())
        }
    }
}

/// Returns the name of the partition that has a file, if one is named.
fn partition(file: Option<&FilePath>) -> Result<Option<PartitionName>, String> {
    let name = file.and_then(|file| file.partition.as_deref());
    let parse = |name: &str| name.parse().map_err(|error| alloc::format!("{name}: {error}"));
    name.map(parse).transpose()
}

/// The console: text, or a file's bytes in quotes, and remarks with the disk's name.
struct Shown<'q> {
    disk: &'q str,
    quote: Option<Quote>,
}

impl Shown<'_> {
    /// Ends a file's last line, behind which other lines are to be told apart.
    fn end_line(&mut self) {
        if let Some(quote) = &mut self.quote {
            let ended = mem::replace(quote, Quote::new(OUR_LINES.as_bytes()));
            console::print_bytes(&ended.end());
        }
    }
}

impl Report for Shown<'_> {
    fn output(&mut self, bytes: &[u8]) -> Result<(), String> {
        match &mut self.quote {
            Some(quote) => console::print_bytes(&quote.quote(bytes)),
            // Names may be hostile.
            None => console::print(format_args!("{}", Printable(bytes))),
        }
        nothing_is_lost()
    }

    fn warn(&mut self, line: &str) {
        self.end_line();
        say!("{}: warning: {line}", self.disk);
    }

    fn fail(&mut self, line: &str) {
        self.end_line();
        say!("{}: {line}", self.disk);
    }
}

/// Fails when the console has lost output: what is shown must be complete.
fn nothing_is_lost() -> Result<(), String> {
    if console::has_lost() { Err(console::LOST.into()) } else { Ok(()) }
}
