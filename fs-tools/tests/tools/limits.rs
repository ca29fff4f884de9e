//! Hostile volumes of 64 KiB: what they make a command read and keep is bounded.

use std::cell::Cell;

use fs::{Image as Disk, PastEnd, ReadBlocks};
use fs_tools::HOLE_BYTES_MAX;
use newfs::fields::{Field, dinode1, dinode2};
use newfs::hostile::{VOLUME_BYTES, format};
use newfs::{Contents, Format, Image, Node};

use crate::collected::{Collected, tools};

/// Most entries that directories of that size have: 12 bytes each.
const ENTRIES_MAX: usize = VOLUME_BYTES / 12;
/// Most memory of a command in bytes, with the names of [`ENTRIES_MAX`] entries, the buffer and the
/// scratch memory.
pub const MEMORY_BYTES_MAX: u64 = 2 << 20;

/// A disk that counts reads.
pub struct Counting<'a> {
    pub disk: Disk<'a>,
    pub reads: &'a Cell<usize>,
}

impl ReadBlocks for Counting<'_> {
    type Error = PastEnd;

    fn size_bytes(&self) -> u64 {
        self.disk.size_bytes()
    }

    fn read(&mut self, offset_bytes: u64, buffer: &mut [u8]) -> Result<(), PastEnd> {
        self.reads.set(self.reads.get() + 1);
        self.disk.read(offset_bytes, buffer)
    }
}

/// A directory of one block that is full of names of one file, `/f`.
fn hostile(version: u8, big_endian: bool) -> Image {
    let names = (0..4).map(|n| (vec![b'0' + n], Node::file("x")));
    let root =
        Node::directory([("f", Node::file("file")), ("d", Node::Directory(names.collect()))]);
    let mut image = Image::new(format(version, big_endian), &root);
    assert_eq!(image.bytes.len(), VOLUME_BYTES);
    // A block of its own, at the volume's end, in which each entry takes 12 bytes.
    let place = image.bytes.len() - 4096;
    let number = image.inodes[&b"/f"[..]];
    let directory = image.inodes[&b"/d"[..]];
    let put = |image: &mut Image, at: usize, inode: u32, len: u64, name: &[u8]| {
        let at = at as u64;
        image.put(at, Field { name: "d_ino", at: 0, width: 4 }, inode.into());
        image.put(at, Field { name: "d_reclen", at: 4, width: 2 }, len);
        let at = at as usize;
        image.bytes[at + 6..at + 8].copy_from_slice(&[0, name.len() as u8]);
        image.bytes[at + 8..at + 8 + name.len()].copy_from_slice(name);
    };
    for chunk in 0..8 {
        for entry in 0..42 {
            let (at, last) = (place + chunk * 512 + entry * 12, entry == 41);
            let len = if last { 512 - 41 * 12 } else { 12 };
            match (chunk, entry) {
                (0, 0) => put(&mut image, at, directory, 12, b"."),
                (0, 1) => put(&mut image, at, 2, 12, b".."),
                _ => {
                    put(&mut image, at, number, len, &[b'a' + chunk as u8, b'a' + entry as u8 % 26])
                }
            }
        }
    }
    let inode = image.inode_of("/d");
    let address = place as u64 / 512;
    (0..12).for_each(|n| image.put(inode, image.pointer(n), address));
    image
}

fn size(image: &Image) -> Field {
    if image.format.version == 1 { dinode1::SIZE } else { dinode2::SIZE }
}

fn blocks(image: &Image) -> Field {
    if image.format.version == 1 { dinode1::BLOCKS } else { dinode2::BLOCKS }
}

const VARIANTS: [(u8, bool); 4] = [(1, false), (1, true), (2, false), (2, true)];

#[test]
fn a_directory_larger_than_the_volume_is_one_line() {
    for (version, big_endian) in VARIANTS {
        let mut image = hostile(version, big_endian);
        let inode = image.inode_of("/d");
        let number = image.inodes[&b"/d"[..]];
        for bytes in [VOLUME_BYTES as u64 + 512, 256 << 20, 1 << 31, (1 << 31) - 512] {
            image.put(inode, size(&image), bytes);
            image.put(inode, blocks(&image), bytes / 512);
            let reads = Cell::new(0);
            let disk = Counting { disk: Disk(&image.bytes), reads: &reads };
            let mut found = Collected::default();
            let end = tools(disk).sum(b"/", &mut found).unwrap_err();
            assert_eq!(end, "/: 1 of 3 names could not be read");
            let line = format!("./d: inode {number}: di_size {bytes} is not a directory's");
            assert!(found.failures.len() == 1 && found.failures[0].starts_with(&line));
            assert_eq!(found.lines().len(), 1);
            assert!(reads.get() < 32, "{} reads", reads.get());
        }
    }
}

/// Pointers that lead to one block many times, as far as a directory may be long.
#[test]
fn a_directory_of_one_block_is_read_as_far_as_the_volume_is_long() {
    for (version, big_endian) in VARIANTS {
        let mut image = hostile(version, big_endian);
        image.put(image.inode_of("/d"), size(&image), 12 * 4096);
        for sum in [true, false] {
            let reads = Cell::new(0);
            let info = allocation_counter::measure(|| {
                let disk = Counting { disk: Disk(&image.bytes), reads: &reads };
                // Lines are counted, not kept.
                let mut found = Counted(0);
                let mut tools = tools(disk);
                match sum {
                    true => tools.sum(b"/", &mut found).unwrap(),
                    false => tools.ls(b"/", true, &mut found).unwrap(),
                }
                assert!(found.0 > 12 * 8 * 41 - 24, "{} lines", found.0);
            });
            // An inode, its group and its data for each entry, twice.
            assert!(reads.get() < 6 * ENTRIES_MAX, "{} reads", reads.get());
            assert!(info.bytes_max < MEMORY_BYTES_MAX, "{} bytes", info.bytes_max);
        }
        // With less memory it is one line.
        let mut tools = tools(Disk(&image.bytes));
        tools.names_bytes_max = 64 << 10;
        let mut found = Collected::default();
        let error = tools.ls(b"/d", false, &mut found).unwrap_err();
        assert!(error.ends_with("too many names for the memory; name a directory further down"));
        assert!(found.failures.is_empty() && found.output.is_empty());
    }
}

/// A directory in itself, under a name at its end, again and again.
#[test]
fn a_path_leads_through_no_more_than_some_volumes() {
    for (version, big_endian) in VARIANTS {
        let mut image = hostile(version, big_endian);
        image.put(image.inode_of("/d"), size(&image), 12 * 4096);
        let last = image.bytes.len() - 512 + 41 * 12;
        let number = image.inodes[&b"/d"[..]];
        image.put(last as u64, Field { name: "d_ino", at: 0, width: 4 }, number.into());
        image.bytes[last + 7..last + 10].copy_from_slice(b"\x01z\0");
        let look = |times: usize| {
            let reads = Cell::new(0);
            let mut tools = tools(Counting { disk: Disk(&image.bytes), reads: &reads });
            let path = format!("/d{}", "/z".repeat(times));
            let found = tools.volume.lookup(path.as_bytes()).map(|inode| inode.number);
            assert!(reads.get() < 8 * 512, "{} reads", reads.get());
            found
        };
        // 48 KiB each time, in 256 times 64 KiB.
        assert_eq!(look(341), Ok(number));
        assert_eq!(look(342), Err(fs::Error::SearchTooLong));
        assert_eq!(look(511), Err(fs::Error::SearchTooLong));
    }
}

/// Counts the lines of a command.
struct Counted(usize);

impl fs_tools::Report for Counted {
    fn output(&mut self, bytes: &[u8]) -> fs_tools::Result<()> {
        self.0 += bytes.iter().filter(|byte| **byte == b'\n').count();
        Ok(())
    }

    fn warn(&mut self, _: &str) {}

    fn fail(&mut self, _: &str) {}
}

/// Two directories, each of nearly the whole volume, by blocks that they share.
#[test]
fn directories_are_no_larger_than_the_volume_together() {
    for (version, big_endian) in VARIANTS {
        let directory = || Node::directory([("f", Node::file("x"))]);
        let root = Node::directory([("a", directory()), ("b", directory())]);
        let mut image = Image::new(format(version, big_endian), &root);
        for path in ["/a", "/b"] {
            let inode = image.inode_of(path);
            let first = image.get(inode, image.pointer(0));
            // The second block's 512 bytes have one free entry each.
            let free = image.bytes.len() - 4096;
            for chunk in 0..8 {
                let reclen = Field { name: "d_reclen", at: 4, width: 2 };
                image.put((free + chunk * 512) as u64, reclen, 512);
            }
            (1..12).for_each(|n| image.put(inode, image.pointer(n), free as u64 / 512));
            // The first is in fragments, as far as it goes: it is moved to a block of its own.
            let own = if path == "/a" { free - 4096 } else { free - 8192 };
            image.bytes.copy_within(first as usize * 512..first as usize * 512 + 512, own);
            for chunk in 1..8 {
                let reclen = Field { name: "d_reclen", at: 4, width: 2 };
                image.put((own + chunk * 512) as u64, reclen, 512);
            }
            image.put(inode, image.pointer(0), own as u64 / 512);
            image.put(inode, size(&image), 12 * 4096);
        }
        let mut found = Collected::default();
        let error = tools(Disk(&image.bytes)).sum(b"/", &mut found).unwrap_err();
        assert_eq!(
            error,
            "./b: the directories so far are larger than the volume; check it with fsck"
        );
        assert_eq!((found.lines().len(), found.failures.len()), (1, 0));
    }
}

#[test]
fn holes_are_summed_up_to_a_limit() {
    for (version, big_endian) in VARIANTS {
        let last = Format::new(version, 4096, 512).first_block(2);
        let bytes = (last + 1) * 4096;
        let pieces = vec![(0, vec![1; 4096]), (last * 4096, vec![2; 4096])];
        let holes = bytes - 2 * 4096;
        let sparse = Node::File(Contents { size: bytes, pieces });
        let root = Node::directory([("a", sparse), ("b", Node::file("b"))]);
        let mut image = Image::new(format(version, big_endian), &root);
        let run = |image: &Image, max: u64| {
            let reads = Cell::new(0);
            let mut tools = tools(Counting { disk: Disk(&image.bytes), reads: &reads });
            tools.hole_bytes_max = max;
            let mut found = Collected::default();
            let done = tools.sum(b"/", &mut found);
            (found, done, reads.get())
        };
        let (found, done, _) = run(&image, holes);
        assert_eq!((found.lines().len(), done), (2, Ok(())));
        let (found, done, _) = run(&image, holes - 1);
        assert_eq!((found.lines().len(), done.is_err()), (1, true));
        let line =
            format!("./a: the file has more than {} bytes of holes (hole-bytes-max)", holes - 1);
        assert_eq!(found.failures, [line]);
        // As large as pointers can reach.
        let reach = (Format::new(version, 4096, 512).first_block(4)) * 4096 - 1;
        assert!(reach > 500 << 30);
        image.put(image.inode_of("/a"), size(&image), reach);
        let (found, _, reads) = run(&image, HOLE_BYTES_MAX);
        assert_eq!((found.lines().len(), found.failures.len()), (1, 1));
        assert!(reads < 64, "{reads} reads");
        let mut all = Collected { output_bytes_max: 1 << 20, ..Collected::default() };
        let ended = tools(Disk(&image.bytes)).cat(b"/a", &mut all);
        assert_eq!(ended, Err("full".into()), "cat goes on as long as somebody takes it");
    }
}

/// A file of one block, many times: pointers in an indirect block that lead to one place.
#[test]
fn a_file_has_no_more_data_than_its_volume() {
    for (version, big_endian) in VARIANTS {
        let root = Node::directory([("a", Node::file(vec![7; 4096])), ("b", Node::file("b"))]);
        let mut image = Image::new(format(version, big_endian), &root);
        let inode = image.inode_of("/a");
        let table = image.bytes.len() - 4096;
        let data = image.get(inode, image.pointer(0));
        let width = image.format.pointer_bytes() as usize;
        for n in 0..4096 / width {
            let entry = Field { name: "indirect", at: n * width, width };
            image.put(table as u64, entry, data);
        }
        (0..12).for_each(|n| image.put(inode, image.pointer(n), data));
        image.put(inode, image.pointer(12), table as u64 / 512);
        for (blocks, right) in [(32, true), (33, false), (500, false)] {
            image.put(inode, size(&image), blocks * 4096);
            let mut found = Collected::default();
            let done = tools(Disk(&image.bytes)).sum(b"/", &mut found);
            assert_eq!(done.is_ok(), right, "{blocks} blocks");
            if !right {
                assert_eq!(found.failures, ["./a: the file has more data than the volume"]);
            }
        }
    }
}
