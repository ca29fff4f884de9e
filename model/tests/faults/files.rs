//! F1 to F22: disks with a file system that lies.
//!
//! Each starts from a small good volume, written into memory, changes what its class names, and
//! walks all that is left. A walk asserts what must hold always: no panic, no read outside the
//! disk, and a number of reads that the volume's size bounds.

mod inodes;
mod superblock;
mod volume;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use fs::{
    DirCursor, Doubt, Error, Image, Info, Inode, Kind, ReadBlocks, SCRATCH_BYTES, Volume, Warning,
};

use crate::{Class, Must, class};
use newfs::{Contents, Format, Image as Made, Node, UFS1_AT};

pub const CLASSES: [Class; 22] = [
    class(1, "no magic number, a swapped one, or two", Must::Fail, superblock::magic_number),
    class(2, "an alternate superblock found first", Must::Ignore, superblock::alternate_superblock),
    class(3, "every superblock field at its extremes", Must::Fail, superblock::superblock_fields),
    class(4, "ratio of fragments to blocks", Must::Fail, superblock::fragments_in_a_block),
    class(5, "file system larger than the disk", Must::Fail, superblock::larger_than_the_disk),
    class(6, "inode number out of range", Must::Fail, volume::inode_numbers),
    class(7, "cylinder group that is none", Must::Fail, volume::cylinder_groups),
    class(8, "inode with absurd mode, size or pointers", Must::Fail, inodes::inode_fields),
    class(
        9,
        "32-bit and 64-bit pointers, extended attributes",
        Must::Ignore,
        inodes::pointer_widths,
    ),
    class(10, "last block and its fragments", Must::Fail, inodes::last_block),
    class(11, "holes in files, directories and indirect blocks", Must::Fail, inodes::holes),
    class(12, "indirect blocks that point in circles", Must::Fail, inodes::indirect_blocks),
    class(13, "malformed directory entries", Must::Fail, inodes::directory_entries),
    class(14, "directory size not of whole blocks, or huge", Must::Fail, inodes::directory_size),
    class(15, "directories in circles", Must::Wait, inodes::directory_circles),
    class(16, "symbolic links: loops, limits, lengths", Must::Fail, inodes::symbolic_links),
    class(
        17,
        "dirty file system, journals, unknown flags",
        Must::Ignore,
        superblock::dirty_and_flags,
    ),
    class(
        18,
        "big-endian image, old inode format",
        Must::Ignore,
        superblock::byte_order_and_old_inodes,
    ),
    class(19, "wrong check hash", Must::Fail, superblock::check_hashes),
    class(20, "data that changes between two reads", Must::Ignore, volume::changing_data),
    class(21, "I/O error at every block", Must::Fail, volume::read_errors),
    class(22, "partition table in front", Must::Fail, volume::partition_tables),
];

/// Fault of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// The read of this number fails.
    Error(usize),
    /// From the read of this number on, every byte comes inverted.
    Garbage(usize),
}

/// A disk in memory that counts reads.
struct Disk<'a> {
    bytes: &'a [u8],
    fault: Fault,
    reads: &'a Cell<usize>,
}

#[derive(Debug, PartialEq, Eq)]
struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a bad sector")
    }
}

impl ReadBlocks for Disk<'_> {
    type Error = Broken;

    fn size_bytes(&self) -> u64 {
        Image(self.bytes).size_bytes()
    }

    fn read(&mut self, offset_bytes: u64, buffer: &mut [u8]) -> Result<(), Broken> {
        let number = self.reads.replace(self.reads.get() + 1);
        assert!(offset_bytes.is_multiple_of(512) && buffer.len().is_multiple_of(512));
        Image(self.bytes).read(offset_bytes, buffer).expect("a read inside the disk");
        match self.fault {
            Fault::Error(at) if number == at => return Err(Broken),
            Fault::Garbage(from) if number >= from => buffer.iter_mut().for_each(|b| *b = !*b),
            _ => {}
        }
        Ok(())
    }
}

type Failure = Error<Broken>;
type Mounted<'a> = Volume<Disk<'a>, Vec<u8>>;

/// Returns why a disk is refused, in words.
fn refusal(bytes: &[u8]) -> String {
    let reads = Cell::new(0);
    match mount(bytes, &reads) {
        Ok(volume) => panic!("mounted: {:?}", volume.info()),
        Err(error) => one_line(&error),
    }
}

/// Returns why a disk is refused, in words; `None` if an alternate superblock is read instead,
/// which is said.
fn refusal_unless_alternate(bytes: &[u8]) -> Option<String> {
    let reads = Cell::new(0);
    match mount(bytes, &reads) {
        Ok(volume) if reads_an_alternate(volume.info()) => None,
        Ok(volume) => panic!("mounted: {:?}", volume.info()),
        Err(error) => Some(one_line(&error)),
    }
}

fn reads_an_alternate(info: &Info) -> bool {
    info.doubts.iter().any(|doubt| matches!(doubt, Doubt::Alternate { .. }))
}

/// An error's text, which is one line.
fn one_line(error: &Failure) -> String {
    let text = error.to_string();
    assert!(!text.contains('\n') && !text.is_empty(), "{text:?}");
    text
}

fn mount<'a>(bytes: &'a [u8], reads: &'a Cell<usize>) -> Result<Mounted<'a>, Failure> {
    Volume::mount(Disk { bytes, fault: Fault::None, reads }, vec![0; SCRATCH_BYTES])
}

/// Mounts a disk that must mount, and does something with it.
fn with<T>(bytes: &[u8], act: impl FnOnce(&mut Mounted<'_>) -> T) -> T {
    let reads = Cell::new(0);
    let mut volume = mount(bytes, &reads).unwrap_or_else(|error| panic!("{error}"));
    act(&mut volume)
}

/// Returns the error of an act on a disk, in words.
fn failure<T>(bytes: &[u8], act: impl FnOnce(&mut Mounted<'_>) -> Result<T, Failure>) -> String {
    match with(bytes, act) {
        Ok(_) => panic!("no failure"),
        Err(error) => one_line(&error),
    }
}

/// Returns what the volume warns of: place and field.
fn warned(volume: &mut Mounted<'_>) -> Vec<String> {
    let warnings = std::iter::from_fn(|| volume.next_warning());
    warnings.map(|Warning(it)| format!("{}: {}", it.place, it.field)).collect()
}

/// Reads one file whole, in one go.
fn read(volume: &mut Mounted<'_>, path: &str) -> Result<Vec<u8>, Failure> {
    let inode = volume.lookup(path.as_bytes())?;
    let mut bytes = vec![0; (inode.size_bytes as usize).min(1 << 20)];
    let len = volume.read_at(&inode, 0, &mut bytes)?;
    bytes.truncate(len);
    Ok(bytes)
}

/// Inodes that a walk saw, with the sums of their bytes.
type Seen = BTreeMap<u32, u64>;

fn sum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks();
    let words = words.iter().map(|word| u64::from_le_bytes(*word));
    let rest = rest.iter().map(|byte| u64::from(*byte));
    words.chain(rest).fold(bytes.len() as u64, |sum, word| sum.rotate_left(5) ^ word)
}

/// Reads everything that can be reached; the first error of each inode ends that inode only.
fn walk(volume: &mut Mounted<'_>) -> (Seen, Vec<Failure>) {
    let (mut seen, mut met, mut errors) = (Seen::new(), BTreeSet::new(), Vec::new());
    let mut pending: Vec<Inode> = volume.root().map_err(|e| errors.push(e)).into_iter().collect();
    while let Some(inode) = pending.pop() {
        if !met.insert(inode.number) {
            continue;
        }
        match visit(volume, &inode, &mut pending) {
            Ok(sum) => drop(seen.insert(inode.number, sum)),
            Err(error) => errors.push(error),
        }
    }
    (seen, errors)
}

fn visit(
    volume: &mut Mounted<'_>,
    inode: &Inode,
    pending: &mut Vec<Inode>,
) -> Result<u64, Failure> {
    let mut bytes = [0; 9000];
    match inode.kind {
        Kind::Directory => {
            let mut cursor = DirCursor::new(inode)?;
            let mut total = 0_u64;
            while let Some(entry) = volume.next_entry(&mut cursor)? {
                total = total.rotate_left(9) ^ sum(entry.name());
                pending.push(volume.inode_of(&entry)?);
            }
            Ok(total)
        }
        Kind::Symlink => Ok(volume.readlink(inode, &mut bytes).map(|len| sum(&bytes[..len]))?),
        Kind::File => {
            let mut total = inode.size_bytes;
            for at in [0, 511, inode.size_bytes.saturating_sub(9000)] {
                let len = volume.read_at(inode, at, &mut bytes)?;
                total = total.rotate_left(9) ^ sum(&bytes[..len]);
            }
            let mut next = 0;
            while let Some(extent) = volume.next_extent(inode, next)?
                && next < 1 << 30
            {
                total ^= extent.len;
                next += extent.len;
            }
            Ok(total)
        }
        _ => Ok(0),
    }
}

/// A volume with a bit of everything; the inodes' numbers are the order of the names, from 3 on.
fn good(format: Format) -> Made {
    let block = format.block_bytes;
    let piece = |number: u64| (number * block, vec![number as u8; block as usize]);
    let last = format.first_block(3);
    let deep = Contents { size: (last + 2) * block, pieces: [0, 12, 20, last].map(piece).into() };
    let names = (0..40).map(|n| (format!("{n:0>20}").into_bytes(), Node::symlink("/file")));
    let root = Node::directory([
        ("file", Node::file(noise(2 * block as usize + 700))),
        ("small", Node::file(noise(700))),
        ("deep", Node::File(deep)),
        ("link", Node::symlink("directory/../small")),
        ("long", Node::symlink(&("./".repeat(100) + "file"))),
        ("loop", Node::symlink("/directory/back")),
        (
            "directory",
            Node::directory([
                ("inner", Node::directory([("small", Node::file(noise(10)))])),
                ("back", Node::symlink("../loop")),
                ("names", Node::Directory(names.collect())),
            ]),
        ),
    ]);
    Made::new(format, &root)
}

fn noise(len: usize) -> Vec<u8> {
    (0..len as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// The formats that classes try: both versions and byte orders, old inodes, check hashes.
fn formats() -> Vec<Format> {
    let small = |version, block_bytes, frag_bytes| Format {
        superblock_at: UFS1_AT,
        ..Format::new(version, block_bytes, frag_bytes)
    };
    vec![
        small(1, 4096, 512),
        Format { big_endian: true, ..small(1, 8192, 2048) },
        Format { old: true, ..small(1, 4096, 1024) },
        small(2, 4096, 512),
        Format { big_endian: true, ..small(2, 4096, 4096) },
        Format { hashed: true, ..Format::new(2, 4096, 1024) },
    ]
}

/// Good volumes in all of those formats.
fn volumes() -> impl Iterator<Item = Made> {
    formats().into_iter().map(good)
}

/// Good volumes of UFS1 and UFS2.
fn both() -> [Made; 2] {
    [good(formats()[0]), good(formats()[3])]
}
