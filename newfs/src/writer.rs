//! Writes a tree into a volume: blocks, inodes, directories, then groups and superblock.

use std::collections::BTreeMap;

use crate::fields::{Field, cg, dinode1, dinode2, sb};
use crate::format::{DIRECT, Format, SUPERBLOCK_BYTES};
use crate::image::Image;
use crate::tree::{Contents, Node};

const SECTOR_BYTES: u64 = 512;
const ROOT: u32 = 2;
/// No entry of a directory crosses a multiple of this.
const CHUNK_BYTES: usize = 512;

const DIRECTORY: u16 = 0o040_000;
const REGULAR: u16 = 0o100_000;
const SYMLINK: u16 = 0o120_000;

impl Image {
    /// Makes a volume of the tree below `root`, a directory.
    pub fn new(format: Format, root: &Node) -> Self {
        let image = Self { bytes: Vec::new(), format, inodes: BTreeMap::new() };
        let first = format.dblkno() + format.frag();
        let mut writer = Writer { image, next: first, next_inode: ROOT, directories: 0 };
        writer.node(b"/".to_vec(), root, ROOT);
        writer.finish()
    }
}

struct Writer {
    image: Image,
    /// The next free fragment.
    next: u64,
    next_inode: u32,
    directories: u64,
}

impl Writer {
    /// Takes whole fragments in one block and one group; returns the byte offset of the first.
    fn allocate(&mut self, frags: u64) -> u64 {
        let format = self.image.format;
        let frag = format.frag();
        if self.next % frag + frags > frag {
            self.next = self.next.next_multiple_of(frag);
        }
        let group = self.next / format.fpg();
        if self.next == group * format.fpg() {
            self.next = format.group_start(group) + format.dblkno();
        }
        let at = self.next * format.frag_bytes;
        self.next += frags;
        let len = (self.next.div_ceil(format.fpg()) * format.fpg() * format.frag_bytes) as usize;
        if self.image.bytes.len() < len {
            self.image.bytes.resize(len, 0);
        }
        at
    }

    fn node(&mut self, path: Vec<u8>, node: &Node, parent: u32) -> u32 {
        let number = self.next_inode;
        self.next_inode += 1;
        self.image.inodes.insert(path.clone(), number);
        match node {
            Node::Directory(entries) => {
                self.directories += 1;
                let mut list =
                    vec![(b".".to_vec(), number, DIRECTORY), (b"..".to_vec(), parent, DIRECTORY)];
                for (name, child) in entries {
                    let mut path = path.clone();
                    if path != b"/" {
                        path.push(b'/');
                    }
                    path.extend(name);
                    let kind = match child {
                        Node::Directory(_) => DIRECTORY,
                        Node::File(_) => REGULAR,
                        Node::Symlink(_) => SYMLINK,
                    };
                    list.push((name.clone(), self.node(path, child, number), kind));
                }
                let links = list.iter().filter(|(_, _, kind)| *kind == DIRECTORY).count();
                let bytes = self.directory(&list);
                let contents = Contents { size: bytes.len() as u64, pieces: vec![(0, bytes)] };
                self.inode(number, DIRECTORY | 0o755, links as u64, &contents);
            }
            Node::File(contents) => self.inode(number, REGULAR | 0o644, 1, contents),
            Node::Symlink(target) => self.symlink(number, target),
        }
        number
    }

    fn directory(&self, list: &[(Vec<u8>, u32, u16)]) -> Vec<u8> {
        let big_endian = self.image.format.big_endian;
        let int = |value: u32, width: usize| match big_endian {
            true => value.to_be_bytes()[4 - width..].to_vec(),
            false => value.to_le_bytes()[..width].to_vec(),
        };
        let mut chunks = vec![Vec::new()];
        let mut last = 0;
        for (name, number, kind) in list {
            let len = (8 + name.len() + 1).next_multiple_of(4);
            let mut chunk: &mut Vec<u8> = chunks.last_mut().expect("one at least");
            if chunk.len() + len > CHUNK_BYTES {
                Self::stretch(chunk, last, &int);
                chunks.push(Vec::new());
                chunk = chunks.last_mut().expect("just pushed");
            }
            last = chunk.len();
            chunk.extend(int(*number, 4));
            chunk.extend(int(len as u32, 2));
            match self.image.format.old {
                true => chunk.extend(int(name.len() as u32, 2)),
                false => chunk.extend([(kind >> 12) as u8, name.len() as u8]),
            }
            chunk.extend(name);
            chunk.resize(last + len, 0);
        }
        Self::stretch(chunks.last_mut().expect("one at least"), last, &int);
        chunks.concat()
    }

    /// Gives the last entry of a chunk what is left of it.
    fn stretch(chunk: &mut Vec<u8>, last: usize, int: &impl Fn(u32, usize) -> Vec<u8>) {
        chunk.resize(CHUNK_BYTES, 0);
        chunk[last + 4..last + 6].copy_from_slice(&int((CHUNK_BYTES - last) as u32, 2));
    }

    fn symlink(&mut self, number: u32, target: &[u8]) {
        let contents = Contents { size: target.len() as u64, pieces: vec![(0, target.to_vec())] };
        if contents.size >= self.image.format.max_symlink_inline() {
            return self.inode(number, SYMLINK | 0o777, 1, &contents);
        }
        self.inode(number, SYMLINK | 0o777, 1, &Contents { size: contents.size, pieces: vec![] });
        let at = self.image.inode_at(number) as usize + self.image.pointer(0).at;
        self.image.bytes[at..at + target.len()].copy_from_slice(target);
    }

    /// Writes an inode and its blocks.
    fn inode(&mut self, number: u32, mode: u16, links: u64, contents: &Contents) {
        let format = self.image.format;
        let at = self.image.inode_at(number);
        if self.image.bytes.len() as u64 <= at {
            let group = u64::from(number) / format.ipg();
            let len = (group + 1) * format.fpg() * format.frag_bytes;
            self.image.bytes.resize(len as usize, 0);
        }
        let mut sectors = 0;
        for (start, bytes) in &contents.pieces {
            assert!(start % format.block_bytes == 0, "pieces begin with a block");
            for (n, block) in bytes.chunks(format.block_bytes as usize).enumerate() {
                let number = start / format.block_bytes + n as u64;
                // Only a small file's last block may be less than a block.
                let tail = contents.size.div_ceil(format.block_bytes) <= DIRECT
                    && (number + 1) * format.block_bytes > contents.size;
                let frags = match tail {
                    true => (block.len() as u64).div_ceil(format.frag_bytes),
                    false => format.frag(),
                };
                let place = self.allocate(frags);
                self.image.bytes[place as usize..][..block.len()].copy_from_slice(block);
                sectors += frags * format.frag_bytes / SECTOR_BYTES;
                sectors += self.point(at, number, place);
            }
        }
        let time = 1_000_000_000 + u64::from(number);
        let (uid, gid) = (1000 + u64::from(number), 100);
        let fields: Vec<(Field, u64)> = match (format.version, format.old) {
            (1, old) => vec![
                (dinode1::MODE, u64::from(mode)),
                (dinode1::NLINK, links),
                (dinode1::SIZE, contents.size),
                (dinode1::MTIME, time),
                (dinode1::BLOCKS, sectors),
                (if old { dinode1::OLD_UID } else { dinode1::UID }, uid),
                (if old { dinode1::OLD_GID } else { dinode1::GID }, gid),
            ],
            _ => vec![
                (dinode2::MODE, u64::from(mode)),
                (dinode2::NLINK, links),
                (dinode2::SIZE, contents.size),
                (dinode2::MTIME, time),
                (dinode2::BLOCKS, sectors),
                (dinode2::UID, uid),
                (dinode2::GID, gid),
            ],
        };
        fields.into_iter().for_each(|(field, value)| self.image.put(at, field, value));
    }

    /// Makes block `number` of the inode at `at` point to `place`, with the indirect blocks that
    /// it takes; returns the number of sectors that those have.
    fn point(&mut self, at: u64, number: u64, place: u64) -> u64 {
        let format = self.image.format;
        let level = (1..=4).take_while(|&level| number >= format.first_block(level)).count() as u32;
        let mut sectors = 0;
        let (mut base, mut field) = (at, self.image.pointer(number.min(DIRECT - 1) as usize));
        if level > 0 {
            field = self.image.pointer((DIRECT - 1) as usize + level as usize);
        }
        let mut rest = number - format.first_block(level);
        for below in (0..level).rev() {
            if self.image.get(base, field) == 0 {
                let block = self.allocate(format.frag());
                self.image.put(base, field, block / format.frag_bytes);
                sectors += format.block_bytes / SECTOR_BYTES;
            }
            base = self.image.get(base, field) * format.frag_bytes;
            let index = (rest / format.span(below)) as usize;
            rest %= format.span(below);
            let width = format.pointer_bytes() as usize;
            field = Field { name: "indirect", at: index * width, width };
        }
        self.image.put(base, field, place / format.frag_bytes);
        sectors
    }

    fn finish(mut self) -> Image {
        let format = self.image.format;
        let groups = self.image.groups();
        assert!(groups * 16 <= format.frag_bytes, "the summary has one fragment");
        for group in 0..groups {
            self.group(group);
        }
        self.superblock(groups);
        let at = format.superblock_at as usize;
        let copy = self.image.bytes[at..at + sb::BYTES].to_vec();
        for group in 0..groups {
            let start = (format.group_start(group) + format.sblkno()) * format.frag_bytes;
            self.image.bytes[start as usize..][..copy.len()].copy_from_slice(&copy);
        }
        self.image.seal();
        self.image
    }

    /// Writes a group's descriptor: which inodes are taken, and which fragments are free.
    fn group(&mut self, group: u64) {
        let format = self.image.format;
        let at = self.image.group_at(group);
        let used_at = 176;
        let free_at = used_at + format.ipg().div_ceil(8);
        for (field, value) in [
            (cg::MAGIC, 0x09_0255),
            (cg::CGX, group),
            (cg::NDBLK, format.fpg()),
            (cg::NIBLK, format.ipg()),
            (cg::INITEDIBLK, format.ipg()),
            (cg::OLD_NCYL, 1),
            (cg::OLD_NIBLK, format.ipg()),
            (cg::IUSEDOFF, used_at),
            (cg::FREEOFF, free_at),
            (cg::NEXTFREEOFF, free_at + format.fpg().div_ceil(8)),
        ] {
            self.image.put(at, field, value);
        }
        let mut set = |map: u64, bit: u64| {
            self.image.bytes[(at + map + bit / 8) as usize] |= 1 << (bit % 8);
        };
        (0..format.ipg())
            .filter(|n| group * format.ipg() + n < u64::from(self.next_inode))
            .for_each(|n| set(used_at, n));
        (format.dblkno()..format.fpg())
            .filter(|n| group * format.fpg() + n >= self.next)
            .for_each(|n| set(free_at, n));
    }

    fn superblock(&mut self, groups: u64) {
        let format = self.image.format;
        let (block, frag_bytes) = (format.block_bytes, format.frag_bytes);
        let size = groups * format.fpg();
        let free_inodes = groups * format.ipg() - u64::from(self.next_inode);
        let largest = (1..=3).fold(block * DIRECT - 1, |sum, n| sum + block * format.span(n));
        let mut fields = geometry(format, groups);
        if format.version == 1 {
            fields.extend([
                (sb::OLD_TIME, 1_000_000_000),
                (sb::OLD_SIZE, size),
                (sb::OLD_DSIZE, size - groups * format.dblkno()),
                (sb::OLD_CSADDR, format.dblkno()),
                (sb::OLD_FLAGS, if format.old { 0 } else { 0x80 }),
            ]);
        }
        if !format.old {
            fields.extend([
                (sb::MAXBSIZE, block),
                (sb::SBLOCKLOC, format.superblock_at),
                (sb::CS_NDIR, self.directories),
                (sb::CS_NIFREE, free_inodes),
                (sb::TIME, 1_000_000_000),
                (sb::SIZE, size),
                (sb::DSIZE, size - groups * format.dblkno()),
                (sb::CSADDR, format.dblkno()),
                (sb::MAXSYMLINKLEN, format.max_symlink_inline()),
                (sb::MAXFILESIZE, largest),
                (sb::QBMASK, block - 1),
                (sb::QFMASK, frag_bytes - 1),
            ]);
        }
        if format.hashed {
            fields.extend([(sb::FLAGS, 0x200), (sb::METACKHASH, 0x7)]);
        }
        fields.into_iter().for_each(|(field, value)| self.image.put_superblock(field, value));
        let name = format.superblock_at as usize + sb::VOLNAME.at;
        self.image.bytes[name..name + 8].copy_from_slice(b"ringmark");
    }
}

/// Returns the superblock's fields that every format has.
fn geometry(format: Format, groups: u64) -> Vec<(Field, u64)> {
    let (block, frag_bytes, fpg) = (format.block_bytes, format.frag_bytes, format.fpg());
    let log = |value: u64| u64::from(value.ilog2());
    let nspf = frag_bytes / SECTOR_BYTES;
    vec![
        (sb::SBLKNO, format.sblkno()),
        (sb::CBLKNO, format.cblkno()),
        (sb::IBLKNO, format.iblkno()),
        (sb::DBLKNO, format.dblkno()),
        (sb::OLD_CGOFFSET, if format.staggered { format.frag() } else { 0 }),
        (sb::OLD_CGMASK, if format.staggered { !3 } else { !0 }),
        (sb::NCG, groups),
        (sb::BSIZE, block),
        (sb::FSIZE, frag_bytes),
        (sb::FRAG, format.frag()),
        (sb::MINFREE, 5),
        (sb::OLD_RPS, 60),
        (sb::BMASK, !(block - 1)),
        (sb::FMASK, !(frag_bytes - 1)),
        (sb::BSHIFT, log(block)),
        (sb::FSHIFT, log(frag_bytes)),
        (sb::MAXCONTIG, 1),
        (sb::MAXBPG, format.pointers_per_block()),
        (sb::FRAGSHIFT, log(format.frag())),
        (sb::FSBTODB, log(nspf)),
        (sb::SBSIZE, (sb::BYTES as u64).next_multiple_of(frag_bytes).min(SUPERBLOCK_BYTES)),
        (sb::NINDIR, format.pointers_per_block()),
        (sb::INOPB, block / format.inode_bytes()),
        (sb::OLD_NSPF, nspf),
        (sb::OLD_NPSECT, fpg * nspf),
        (sb::OLD_INTERLEAVE, 1),
        (sb::CSSIZE, (groups * 16).next_multiple_of(frag_bytes)),
        (sb::CGSIZE, format.cg_bytes()),
        (sb::OLD_NSECT, fpg * nspf),
        (sb::OLD_SPC, fpg * nspf),
        (sb::OLD_NCYL, groups),
        (sb::OLD_CPG, 1),
        (sb::IPG, format.ipg()),
        (sb::FPG, fpg),
        (sb::CLEAN, 1),
        (sb::OLD_POSTBLFORMAT, 1),
        (sb::OLD_NRPOS, 1),
        (sb::OLD_INODEFMT, if format.old { !0 } else { 2 }),
        (sb::MAGIC, if format.version == 1 { 0x01_1954 } else { 0x1954_0119 }),
    ]
}
