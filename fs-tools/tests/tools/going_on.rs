//! One bad file, entry or directory ends nothing but itself, and what was known before it is out.

use fs::{Image as Disk, PastEnd, ReadBlocks};
use newfs::fields::{Field, dinode1, dinode2};
use newfs::{Format, Image, Node};
use sha2::{Digest, Sha256};

use crate::collected::{Collected, tools};

/// Names whose order as names differs from that of the paths below them.
fn tree() -> Node {
    Node::directory([
        ("a", Node::directory([("z", Node::file("1")), ("b", Node::directory([]))])),
        ("a-b", Node::file("2")),
        ("a.", Node::directory([("y", Node::file("3"))])),
        ("a0", Node::file("4")),
        ("link", Node::symlink("a0")),
    ])
}

fn images() -> impl Iterator<Item = Image> {
    [1, 2].into_iter().flat_map(|version| {
        [false, true].map(|big_endian| {
            Image::new(Format { big_endian, ..Format::new(version, 4096, 512) }, &tree())
        })
    })
}

fn field(image: &Image, of_ufs1: Field, of_ufs2: Field) -> Field {
    if image.format.version == 1 { of_ufs1 } else { of_ufs2 }
}

fn sums(files: &[(&str, &str)]) -> Vec<String> {
    files.iter().map(|(path, bytes)| format!("{:x}  {path}", Sha256::digest(bytes))).collect()
}

/// Runs `sum` or `ls -R` of everything; returns its end.
fn run(image: &[u8], sum: bool) -> (Collected, Result<(), String>) {
    let mut collected = Collected::default();
    let mut tools = tools(Disk(image));
    let done = match sum {
        true => tools.sum(b"/", &mut collected),
        false => tools.ls(b"/", true, &mut collected),
    };
    (collected, done)
}

#[test]
fn sums_are_in_the_order_of_their_paths() {
    let all = [("./a-b", "2"), ("./a./y", "3"), ("./a/z", "1"), ("./a0", "4")];
    for image in images() {
        let (found, done) = run(&image.bytes, true);
        assert_eq!((found.lines(), done), (sums(&all).iter().map(|s| &**s).collect(), Ok(())));
        assert!(found.failures.is_empty() && found.warnings.is_empty());
        let (found, done) = run(&image.bytes, false);
        let headers = found.lines().into_iter().filter(|line| line.ends_with(':'));
        assert_eq!(headers.collect::<Vec<_>>(), ["/:", "/a:", "/a/b:", "/a.:"]);
        assert_eq!((found.lines().len(), done), (4 + 4 + 8, Ok(())));
    }
}

#[test]
fn a_bad_file_is_named_and_the_others_are_summed() {
    for mut image in images() {
        let bad = image.inode_of("/a./y");
        let number = image.inodes[&b"/a./y"[..]];
        image.put(bad, image.pointer(0), 1);
        let (found, done) = run(&image.bytes, true);
        let good = sums(&[("./a-b", "2"), ("./a/z", "1"), ("./a0", "4")]);
        assert_eq!(found.lines(), good);
        let line =
            format!("./a./y: inode {number}, file block 0: block pointer 1 is not in a data area");
        assert_eq!(found.failures, [line]);
        assert_eq!(done, Err("/: 1 of 9 names could not be read".into()));
    }
}

#[test]
fn a_bad_inode_entry_or_directory_is_named_and_the_rest_is_read() {
    for image in images() {
        let check = |change: &dyn Fn(&mut Image), failures: &[&str], left: &[(&str, &str)]| {
            let mut image = image.clone();
            change(&mut image);
            let (found, done) = run(&image.bytes, true);
            assert_eq!(found.lines(), sums(left));
            let (listed, list_done) = run(&image.bytes, false);
            for (failure, end) in [(&found.failures, done), (&listed.failures, list_done)] {
                assert_eq!(failure.len(), failures.len(), "{failure:?}");
                let right = |(line, word): (&String, &&str)| line.contains(*word);
                assert!(failure.iter().zip(failures).all(right), "{failure:?}");
                let end = end.unwrap_err();
                assert!(end.ends_with("names could not be read"), "{end}");
            }
            // A name is listed for each that is summed.
            let text = listed.lines().join("\n");
            let name = |path: &str| path.rsplit('/').next().unwrap().to_owned();
            assert!(left.iter().all(|(path, _)| text.contains(&format!(" {}", name(path)))));
        };
        let (y, dir) = (("./a./y", "3"), ("./a/z", "1"));
        let (two, four) = (("./a-b", "2"), ("./a0", "4"));
        let mode = |path: &'static str| {
            move |image: &mut Image| image.put(image.inode_of(path), dinode1::MODE, 0)
        };
        check(&mode("/a0"), &["/a0: inode "], &[two, y, dir]);
        check(&mode("/a"), &["/a: inode "], &[two, y, four]);
        // No `.` at the beginning: it is no directory.
        let dot = |image: &mut Image| {
            let at = image.block_of("/a.", 0) as usize;
            image.bytes[at + 8] = b'x';
        };
        check(&dot, &["/a.: directory inode "], &[two, dir, four]);
        // An entry's length: the rest of its 512 bytes is lost.
        let reclen = |image: &mut Image| {
            let at = image.block_of("/", 0) as usize;
            image.bytes[at + 24 + 4..at + 24 + 6].copy_from_slice(&[3, 3]);
        };
        check(&reclen, &["directory inode 2, offset 24: d_reclen"], &[]);
        // A directory in itself.
        let circle = |image: &mut Image| {
            let at = image.block_of("/a", 0);
            let number = Field { name: "d_ino", at: 24 + 12, width: 4 };
            image.put(at, number, image.inodes[&b"/a"[..]].into());
        };
        check(&circle, &["is reached a second time"], &[two, y, dir, four]);
    }
}

#[test]
fn warnings_name_the_path() {
    for mut image in images() {
        let blocks = field(&image, dinode1::BLOCKS, dinode2::BLOCKS);
        for path in ["/a/z", "/a0"] {
            image.put(image.inode_of(path), blocks, 1 << 30);
        }
        let number = image.inodes[&b"/a0"[..]];
        let mut found = Collected::default();
        let mut tools = tools(Disk(&image.bytes));
        tools.sum(b"/", &mut found).unwrap();
        let [first, more] = &found.warnings[..] else { panic!("{:?}", found.warnings) };
        let line = format!("./a0: inode {number}: di_blocks 1073741824 is not at most");
        assert!(first.starts_with(&line), "{first}");
        assert!(more.starts_with("/: ") && more.ends_with(" more times"), "{more}");
        assert_eq!(found.lines().len(), 4);
        // They are told once, and a file's bytes are not among them.
        let mut found = Collected::default();
        tools.cat(b"/a/z", &mut found).unwrap();
        assert_eq!((found.output.as_slice(), found.warnings.len()), (&b"1"[..], 1));
    }
}

/// A disk that asks for the command to end when a place is read.
struct Until<'a> {
    disk: Disk<'a>,
    place: u64,
    stopped: bool,
}

impl ReadBlocks for Until<'_> {
    type Error = PastEnd;

    fn size_bytes(&self) -> u64 {
        self.disk.size_bytes()
    }

    fn read(&mut self, offset_bytes: u64, buffer: &mut [u8]) -> Result<(), PastEnd> {
        let end = offset_bytes + buffer.len() as u64;
        self.stopped |= (offset_bytes..end).contains(&self.place);
        self.disk.read(offset_bytes, buffer)
    }

    fn is_stopped(&mut self) -> bool {
        self.stopped
    }
}

#[test]
fn a_line_is_out_when_it_is_known_and_a_request_to_end_ends_all() {
    for image in images() {
        let place = image.block_of("/a/z", 0);
        let disk = Until { disk: Disk(&image.bytes), place, stopped: false };
        let mut found = Collected::default();
        let end = tools(disk).sum(b"/", &mut found).unwrap_err();
        assert!(end.contains("stopped before the end"), "{end}");
        let known = sums(&[("./a-b", "2"), ("./a./y", "3")]);
        assert!(known.iter().zip(found.lines()).all(|(known, line)| known == line));
        assert!(found.lines().len() >= 2 && found.failures.is_empty());
    }
}

#[test]
fn no_more_output_ends_all() {
    for image in images() {
        let mut found = Collected { output_bytes_max: 10, ..Collected::default() };
        assert_eq!(tools(Disk(&image.bytes)).sum(b"/", &mut found), Err("full".into()));
        assert_eq!((found.lines().len(), found.failures.len()), (1, 0));
    }
}
