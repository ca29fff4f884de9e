//! Files in an FFS on a connected disk: shown (`mode=`), or looked up for a job.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use drivers::xenstore::Xenstore;
use fs::{ReadBlocks, SCRATCH_BYTES, Volume};
use fs_tools::{Printable, Tools};
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

type DiskVolume<'q, 'a> = Volume<Source<'q, 'a>, Vec<u8>>;

fn mount<'q, 'a>(source: Source<'q, 'a>) -> Result<DiskVolume<'q, 'a>, String> {
    let name = source.name;
    let volume =
        Volume::mount(source, vec![0; SCRATCH_BYTES]).map_err(|error| error.to_string())?;
    for doubt in &volume.info().doubts {
        say!("{name}: {doubt}");
    }
    if volume.info().dirty {
        say!("{name}: its file system was not unmounted or needs fsck; reading it all the same");
    }
    Ok(volume)
}

/// Finds where the file `path` is on the disk.
///
/// # Errors
/// One line on what is wrong.
pub fn look_up(source: Source<'_, '_>, path: &str) -> Result<FileMap, String> {
    let mut volume = mount(source)?;
    FileMap::look_up(&mut volume, path).map_err(|error| alloc::format!("{path}: {error}"))
}

/// Shows what `look` asks for at `path`.
///
/// # Errors
/// One line on what is wrong.
pub fn show(source: Source<'_, '_>, inspect: Inspect, path: &[u8]) -> Result<(), String> {
    let mut tools = Tools {
        volume: mount(source)?,
        buffer: vec![0; READ_BYTES],
        names_bytes_max: memory::heap_size() / NAMES_SHARE,
    };
    let printable = &mut |bytes: &[u8]| {
        // Names may be hostile.
        console::print(format_args!("{}", Printable(bytes)));
        nothing_is_lost()
    };
    match inspect {
        Inspect::List => tools.ls(path, true, printable),
        Inspect::Sums => tools.sum(path, printable),
        Inspect::Bytes => {
            let mut quote = Quote::new(OUR_LINES.as_bytes());
            let done = tools.cat(path, &mut |bytes| {
                console::print_bytes(&quote.quote(bytes));
                nothing_is_lost()
            });
            console::print_bytes(&quote.end());
            done.and_then(|()| nothing_is_lost())
        }
    }
}

/// Fails when the console has lost output: what is shown must be complete.
fn nothing_is_lost() -> Result<(), String> {
    if console::has_lost() { Err(console::LOST.into()) } else { Ok(()) }
}
