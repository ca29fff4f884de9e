//! Target: a disk with a file system, of which a few fields are not what they should be.
//!
//! The disks are small volumes of every kind, made once; a case changes fields of their superblock,
//! groups, inodes, directories, indirect blocks and partition tables, walks all that is there, and
//! puts the fields back. Whatever they say, nothing panics, each call reads a bounded number of
//! blocks inside the disk, and extents lie inside the volume and hold what `read_at` reads.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use arbitrary::{Result, Unstructured};
use fs::{DirCursor, Error, Image, Inode, Kind, PastEnd, ReadBlocks, SCRATCH_BYTES, Volume};

use crate::draw::several;
use newfs::fields::{Field, cg, dinode1, dinode2, sb};
use newfs::tables;
use newfs::{Contents, Format, Image as Made, Node, UFS1_AT, check_hash};

const CHANGES_MAX: usize = 6;
/// Limits of what a walk looks at.
const INODES_MAX: usize = 64;
const ENTRIES_MAX: usize = 256;
const EXTENTS_MAX: usize = 16;
const PIECE_BYTES: usize = 6000;

/// Blocks that one call may read: for each block of a file or directory the way through three
/// indirect blocks, a group and the inodes.
const PER_BLOCK: usize = 6;
/// A search for a volume: four superblocks in each of 64 partitions, once for the one to take and
/// once for one in its place, and the tables.
const MOUNT_MAX: usize = 2 * 64 * 4 + 300;
/// A merge goes over 64 runs.
const EXTENT_MAX: usize = 64 * 3;
/// Symlinks that a path may lead through, and names in 1,024 bytes.
const STEPS_MAX: usize = 40 + 512;

/// A disk in memory that watches what is read.
struct Watched<'a> {
    disk: Image<'a>,
    reads: &'a Cell<usize>,
}

impl ReadBlocks for Watched<'_> {
    type Error = PastEnd;

    fn size_bytes(&self) -> u64 {
        self.disk.size_bytes()
    }

    fn read(&mut self, offset_bytes: u64, buffer: &mut [u8]) -> std::result::Result<(), PastEnd> {
        self.reads.set(self.reads.get() + 1);
        assert!(offset_bytes.is_multiple_of(512) && buffer.len().is_multiple_of(512));
        self.disk.read(offset_bytes, buffer)?;
        Ok(())
    }
}

/// A field somewhere on a disk.
#[derive(Clone, Copy)]
struct Spot {
    at: usize,
    width: usize,
}

/// A disk and what is worth changing on it.
struct Base {
    disk: Vec<u8>,
    big_endian: bool,
    spots: Vec<Spot>,
    /// Start of the volume, and the volume as it was made, for its check hashes.
    start: usize,
    made: Made,
}

impl Base {
    fn new(format: Format, wrap: impl Fn(&[u8]) -> Vec<u8>, tables: &[Spot]) -> Self {
        let made = Made::new(format, &tree(&format));
        let disk = wrap(&made.bytes);
        let start = disk.len() - made.bytes.len();
        let mut spots = tables.to_vec();
        let mut add = |at: u64, fields: &[Field]| {
            let spot = |field: &Field| Spot { at: at as usize + field.at, width: field.width };
            spots.extend(fields.iter().map(spot).map(|spot| Spot { at: start + spot.at, ..spot }));
        };
        add(format.superblock_at, sb::ALL);
        (0..made.groups()).for_each(|group| add(made.group_at(group), cg::ALL));
        let pointers: Vec<Field> = (0..15).map(|n| made.pointer(n)).collect();
        for number in made.inodes.values() {
            add(
                made.inode_at(*number),
                if format.version == 1 { dinode1::ALL } else { dinode2::ALL },
            );
            add(made.inode_at(*number), &pointers);
        }
        // Whatever the direct and indirect pointers lead to: entries, or more pointers.
        let width = format.pointer_bytes() as usize;
        for number in made.inodes.values() {
            for pointer in [0, 12, 13, 14] {
                let address = made.get(made.inode_at(*number), pointers[pointer]);
                // A short symlink has its target here.
                let at = address.saturating_mul(format.frag_bytes);
                if at == 0 || at.saturating_add(64) > made.bytes.len() as u64 {
                    continue;
                }
                match pointer {
                    0 => add(at, &entry_fields(&made, at as usize)),
                    _ => add(at, &[0, 1, 2].map(|n| Field { name: "", at: n * width, width })),
                }
            }
        }
        Self { disk, big_endian: format.big_endian, spots, start, made }
    }

    /// Marks files of every level as snapshots: what they have no pointers for is live.
    fn with_snapshots(mut self) -> Self {
        let flags = if self.made.format.version == 1 { dinode1::FLAGS } else { dinode2::FLAGS };
        for path in ["/b", "/single", "/double", "/triple"] {
            self.made.put(self.made.inode_of(path), flags, 0x0020_0000);
        }
        self.disk[self.start..].copy_from_slice(&self.made.bytes);
        self
    }

    fn get(&self, spot: Spot) -> u64 {
        let bytes = &self.disk[spot.at..spot.at + spot.width];
        let fold = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        match self.big_endian {
            true => bytes.iter().fold(0, fold),
            false => bytes.iter().rev().fold(0, fold),
        }
    }

    fn put(&mut self, spot: Spot, value: u64) {
        let bytes = match self.big_endian {
            true => (value << (64 - 8 * spot.width)).to_be_bytes(),
            false => value.to_le_bytes(),
        };
        self.disk[spot.at..spot.at + spot.width].copy_from_slice(&bytes[..spot.width]);
    }
}

/// Number, length, type and name of the first entries in a directory's block; in a file's, noise.
fn entry_fields(made: &Made, block: usize) -> Vec<Field> {
    let mut fields = Vec::new();
    let mut at = 0;
    for _ in 0..6 {
        let parts = [(0, 4), (4, 2), (6, 1), (7, 1), (8, 1)];
        fields.extend(parts.map(|(part, width)| Field { name: "", at: at + part, width }));
        let length = made.get((block + at) as u64, Field { name: "", at: 4, width: 2 }) as usize;
        if !(12..=64).contains(&length) {
            break;
        }
        at += length;
    }
    fields
}

fn tree(format: &Format) -> Node {
    let block = format.block_bytes;
    let at = |number: u64| (number * block, vec![0x5a; block as usize]);
    let level = |n: u32| {
        let first = format.first_block(n);
        let contents = Contents { size: (first + 2) * block, pieces: vec![at(first)] };
        Node::File(contents)
    };
    // More than fits into 512 bytes.
    let name = |n: u8| [b'a' + n; 80].to_vec();
    let many = (0..8).map(|n| (name(n), Node::symlink("loop")));
    Node::directory([
        ("a", Node::file(vec![0x5a; 700])),
        ("b", Node::file(vec![0x5a; 3 * block as usize + 5])),
        ("single", level(1)),
        ("double", level(2)),
        ("triple", level(3)),
        ("loop", Node::symlink("loop")),
        ("long", Node::symlink(&("./".repeat(70) + "d/.."))),
        ("d", Node::directory([("e", Node::Directory(many.collect()))])),
    ])
}

fn bases() -> Vec<Base> {
    let format = |version, block_bytes, frag_bytes| {
        let mut format = Format::new(version, block_bytes, frag_bytes);
        format.superblock_at = UFS1_AT;
        format.data_blocks_per_group = 12;
        format
    };
    let plain = |volume: &[u8]| volume.to_vec();
    let spots = |from: usize, width: usize, count: usize| {
        (0..count).map(|n| Spot { at: from + n * width, width }).collect::<Vec<_>>()
    };
    let label = (tables::SLICE_SECTOR + 1) * 512;
    let in_slice = [
        vec![Spot { at: 450, width: 1 }, Spot { at: 454, width: 4 }, Spot { at: 458, width: 4 }],
        spots(label + 132, 2, 4),
        spots(label + 148, 4, 12),
    ];
    let big_endian = |format: Format| Format { big_endian: true, ..format };
    vec![
        Base::new(format(1, 4096, 512), plain, &[]),
        Base::new(Format { staggered: true, ..big_endian(format(1, 8192, 2048)) }, plain, &[]),
        Base::new(Format { old: true, ..format(1, 4096, 1024) }, plain, &[]),
        Base::new(format(2, 4096, 4096), plain, &[]),
        Base::new(Format { hashed: true, ..format(2, 4096, 512) }, plain, &[]),
        Base::new(big_endian(format(2, 8192, 1024)), plain, &[]),
        Base::new(
            format(1, 4096, 512),
            |volume| tables::slice(volume, tables::FREEBSD),
            &in_slice.concat(),
        ),
        Base::new(
            format(2, 4096, 512),
            tables::gpt,
            &[spots(512 + 8, 4, 21), spots(1024 + 128 + 32, 4, 4)].concat(),
        ),
        Base::new(format(1, 4096, 1024), plain, &[]).with_snapshots(),
        Base::new(big_endian(format(2, 4096, 512)), plain, &[]).with_snapshots(),
    ]
}

/// A base with changes, which are undone when this is dropped.
struct Changed<'a> {
    base: &'a mut Base,
    undo: Vec<(usize, Vec<u8>)>,
}

impl<'a> Changed<'a> {
    fn new(base: &'a mut Base, u: &mut Unstructured<'_>) -> Result<Self> {
        let changes = several(u, CHANGES_MAX, |u| {
            let spot = base.spots[u.choose_index(base.spots.len())?];
            let other = base.spots[u.choose_index(base.spots.len())?];
            let value = match u.int_in_range(0..=6)? {
                0 => base.get(spot) ^ 1 << u.int_in_range(0..=63)?,
                1 => base.get(spot).wrapping_add_signed(u.int_in_range(-9..=9)?),
                2 => base.get(other),
                3 => u.int_in_range(0..=255)?,
                4 => !u64::from(u.arbitrary::<u8>()?),
                5 => 1 << u.int_in_range(0..=63)?,
                _ => u.arbitrary()?,
            };
            Ok((spot, value))
        })?;
        let mut changed = Self { base, undo: Vec::new() };
        for (spot, value) in changes {
            changed.keep(spot.at, spot.width);
            changed.base.put(spot, value);
        }
        if changed.base.made.format.hashed && u.arbitrary()? {
            changed.seal();
        }
        Ok(changed)
    }

    fn keep(&mut self, at: usize, len: usize) {
        self.undo.push((at, self.base.disk[at..at + len].to_vec()));
    }

    /// Makes the check hashes fit the changes, so that what is behind them is reached.
    fn seal(&mut self) {
        for (at, hash, len) in self.base.made.hashes().collect::<Vec<_>>() {
            let (at, len) = (self.base.start + at as usize, len as usize);
            if !self.undo.iter().any(|(spot, _)| (at..at + len).contains(spot)) {
                continue;
            }
            let spot = Spot { at: at + hash.at, width: hash.width };
            self.keep(spot.at, spot.width);
            self.base.put(spot, 0);
            let sum = check_hash(&self.base.disk[at..at + len]);
            self.base.put(spot, sum.into());
        }
    }
}

impl Drop for Changed<'_> {
    fn drop(&mut self) {
        for (at, bytes) in self.undo.drain(..).rev() {
            self.base.disk[at..at + bytes.len()].copy_from_slice(&bytes);
        }
    }
}

/// State that is kept from one case to the next.
struct Bench {
    bases: Vec<Base>,
    scratch: Vec<u8>,
}

thread_local! {
    static BENCH: RefCell<Bench> =
        RefCell::new(Bench { bases: bases(), scratch: vec![0; SCRATCH_BYTES] });
}

/// Changes a disk and walks it.
pub fn target(data: &[u8]) -> &'static str {
    BENCH.with_borrow_mut(|Bench { bases, scratch }| {
        let mut u = Unstructured::new(data);
        let Ok(chosen) = u.choose_index(bases.len()) else { return "too short" };
        let Ok(changed) = Changed::new(&mut bases[chosen], &mut u) else { return "too short" };
        let reads = Cell::new(0);
        let disk = Watched { disk: Image(&changed.base.disk), reads: &reads };
        let volume = Volume::mount(disk, &mut scratch[..]);
        assert!(reads.get() <= MOUNT_MAX, "{} blocks read to mount", reads.get());
        match volume {
            Ok(volume) => Walk { volume, reads: &reads, disk: &changed.base.disk, errors: 0 }.run(),
            Err(Error::NotFfs) => "not FFS",
            Err(Error::Corrupt(_)) => "refused",
            Err(Error::Outside { .. }) => "cut short",
            Err(error) => panic!("{error}"),
        }
    })
}

type Mounted<'a> = Volume<Watched<'a>, &'a mut [u8]>;

struct Walk<'a> {
    volume: Mounted<'a>,
    reads: &'a Cell<usize>,
    disk: &'a [u8],
    errors: usize,
}

impl<'a> Walk<'a> {
    /// One call, which may look at `blocks` blocks of files and directories.
    fn call<T>(
        &mut self,
        blocks: u64,
        act: impl FnOnce(&mut Mounted<'a>) -> std::result::Result<T, Error<PastEnd>>,
    ) -> Option<T> {
        self.reads.set(0);
        let answer = act(&mut self.volume);
        let (reads, max) = (self.reads.get() as u64, PER_BLOCK as u64 * (blocks + 1));
        assert!(reads <= max, "{reads} blocks read, not {max} for {blocks} of a file");
        match answer {
            Ok(value) => Some(value),
            Err(Error::Read { offset_bytes, len_bytes, .. }) => {
                panic!("{len_bytes} bytes at {offset_bytes} are outside the disk")
            }
            Err(error) => {
                // Loops of symlinks and the like are no errors of the disk's.
                let of_disk = matches!(error, Error::Corrupt(_) | Error::Outside { .. });
                self.errors += usize::from(of_disk);
                None
            }
        }
    }

    fn blocks(&self, bytes: u64) -> u64 {
        bytes.div_ceil(self.volume.info().block_bytes.into())
    }

    fn run(mut self) -> &'static str {
        let Some(root) = self.call(0, Volume::root) else { return "no root" };
        let mut pending = vec![root];
        let mut met = BTreeSet::new();
        let mut entries = 0;
        while let Some(inode) = pending.pop() {
            if met.len() >= INODES_MAX || !met.insert(inode.number) {
                continue;
            }
            match inode.kind {
                Kind::Directory => self.directory(&inode, &mut pending, &mut entries),
                Kind::File => self.file(&inode),
                Kind::Symlink => {
                    let mut target = [0; 2048];
                    self.call(1, |volume| volume.readlink(&inode, &mut target));
                }
                _ => {}
            }
        }
        for path in [&b"/long/single"[..], b"/loop", b"/d/../../a"] {
            // No directory takes more than the disk.
            let blocks = STEPS_MAX as u64 * (self.disk.len() as u64 / 4096);
            self.call(blocks, |volume| volume.lookup(path));
        }
        if self.errors > 0 { "walked, with errors" } else { "walked" }
    }

    fn directory(&mut self, inode: &Inode, pending: &mut Vec<Inode>, entries: &mut usize) {
        let mut cursor = DirCursor::new::<PastEnd>(inode).expect("a directory");
        let blocks = self.blocks(inode.size_bytes);
        assert!(inode.size_bytes <= self.volume.info().size_bytes);
        while *entries < ENTRIES_MAX {
            *entries += 1;
            let Some(Some(entry)) = self.call(blocks, |volume| volume.next_entry(&mut cursor))
            else {
                return;
            };
            let name = entry.name();
            assert!((1..=255).contains(&name.len()) && !name.contains(&b'/') && !name.contains(&0));
            pending.extend(self.call(0, |volume| volume.inode_of(&entry)));
        }
    }

    /// Reads at odd places, and compares with the extents.
    fn file(&mut self, inode: &Inode) {
        let size = inode.size_bytes;
        let info = self.volume.info();
        let start = info.partition_start_bytes;
        let end = start + info.partition_size_bytes.min(info.size_bytes);
        let (mut next, mut piece) = (0, [0; PIECE_BYTES]);
        for _ in 0..EXTENTS_MAX {
            let extent = self.call(EXTENT_MAX as u64, |volume| volume.next_extent(inode, next));
            let Some(Some(extent)) = extent else { break };
            assert!(extent.file_offset == next && extent.len > 0);
            assert!(extent.len <= size - next);
            let len = extent.len.min(700) as usize;
            let at = extent.file_offset + extent.len - len as u64;
            let blocks = self.blocks(len as u64) + 1;
            let read = self.call(blocks, |volume| volume.read_at(inode, at, &mut piece[..len]));
            match extent.disk_offset {
                Some(place) => {
                    // A snapshot has the volume's first block, too.
                    let inside = start < place || (inode.is_snapshot() && start == place);
                    assert!(inside && extent.len <= end - place, "{extent:?}");
                    let place = (place + extent.len) as usize - len;
                    assert_eq!(read, Some(len));
                    assert!(self.disk[place..place + len] == piece[..len], "{extent:?}");
                }
                None => assert!(read == Some(len) && piece[..len].iter().all(|byte| *byte == 0)),
            }
            next += extent.len;
        }
        for (at, len) in [(0, 13), (511, PIECE_BYTES), (size - size.min(900), 1000), (size, 1)] {
            let blocks = self.blocks(len as u64) + 1;
            let read = self.call(blocks, |volume| volume.read_at(inode, at, &mut piece[..len]));
            let expected = size.saturating_sub(at).min(len as u64);
            assert!(read.is_none_or(|read| read as u64 == expected));
        }
    }
}
