//! Files in an FFS on a connected disk: shown (`mode=`), or looked up for a job.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use bench::file_map::FileMap;
use bench::reader::BlockReader;
use drivers::blkfront::{Blkfront, Setup};
use fs::{SCRATCH_BYTES, Volume};
use fs_tools::Tools;

use crate::options::Look;
use crate::xen::Xen;
use crate::{console, memory, say};

/// Files are read in pieces of so many bytes.
const READ_BYTES: usize = 128 << 10;
/// One part in so many of the heap is for names.
const NAMES_SHARE: usize = 4;

type DiskVolume<'q, 'a> = Volume<BlockReader<'q, 'a, Xen>, Vec<u8>>;

fn mount<'q, 'a>(
    xen: &'q Xen,
    name: &str,
    device: &'q mut Blkfront<'a, Xen>,
    setup: &Setup,
) -> Result<DiskVolume<'q, 'a>, String> {
    let info = *device.info();
    let reader = BlockReader::new(xen, &mut device.queues[0], &info, setup);
    let volume =
        Volume::mount(reader, vec![0; SCRATCH_BYTES]).map_err(|error| error.to_string())?;
    if volume.info().dirty {
        say!("{name}: its file system was not unmounted or needs fsck; reading it all the same");
    }
    Ok(volume)
}

/// Where the file `path` is on the disk.
///
/// # Errors
/// One line on what is wrong.
pub fn look_up(
    xen: &Xen,
    name: &str,
    device: &mut Blkfront<'_, Xen>,
    setup: &Setup,
    path: &str,
) -> Result<FileMap, String> {
    let mut volume = mount(xen, name, device, setup)?;
    FileMap::look_up(&mut volume, path).map_err(|error| alloc::format!("{path}: {error}"))
}

/// Shows what `look` asks for at `path`.
///
/// # Errors
/// One line on what is wrong.
pub fn show(
    xen: &Xen,
    name: &str,
    device: &mut Blkfront<'_, Xen>,
    setup: &Setup,
    (look, path): (Look, &[u8]),
) -> Result<(), String> {
    let mut tools = Tools {
        volume: mount(xen, name, device, setup)?,
        buffer: vec![0; READ_BYTES],
        names_bytes_max: memory::heap_size() / NAMES_SHARE,
    };
    let printable = &mut |bytes: &[u8]| {
        print_escaped(bytes);
        Ok(())
    };
    match look {
        Look::List => tools.ls(path, true, printable),
        Look::Sums => tools.sum(path, printable),
        Look::Bytes => tools.cat(path, &mut |bytes| {
            console::print_bytes(bytes);
            Ok(())
        }),
    }
}

/// Shows names, which may be hostile: what could move a terminal's cursor is escaped.
fn print_escaped(bytes: &[u8]) {
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        let (text, end) = match line.split_last() {
            Some((b'\n', text)) => (text, "\n"),
            _ => (line, ""),
        };
        for chunk in text.utf8_chunks() {
            for character in chunk.valid().chars() {
                match character.is_control() {
                    true => console::print(format_args!("{}", character.escape_default())),
                    false => console::print(format_args!("{character}")),
                }
            }
            console::print(format_args!("{}", chunk.invalid().escape_ascii()));
        }
        console::print(format_args!("{end}"));
    }
}
