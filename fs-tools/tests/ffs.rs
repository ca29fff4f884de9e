//! The example `ffs`, run as a program: its sums are those of sha256sum, its files those of the
//! tree, its errors one line each.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use newfs::fields::{dinode2, sb};
use newfs::sample::plant;
use newfs::{Contents, Format, Image, Makefs, Node, Scratch, run};

/// Cargo builds it beside the tests, unless one test alone is asked for.
fn example() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.ancestors().nth(2).unwrap().join("examples/ffs");
    assert!(
        path.exists(),
        "{} is not there; run: cargo build -p fs-tools --examples",
        path.display()
    );
    path
}

fn ffs(act: &str, image: &Path, path: &[&str]) -> Output {
    Command::new(example()).arg(act).arg(image).args(path).output().unwrap()
}

#[test]
fn names_are_escaped_as_ls_does() {
    let scratch = Scratch::new(env!("CARGO_TARGET_TMPDIR"), "names");
    let (source, image) = (scratch.0.join("source"), scratch.0.join("image"));
    let odd = source.join("od\nd");
    std::fs::create_dir_all(&odd).unwrap();
    let controls: Vec<u8> = (1..32).chain([127]).collect();
    let names: [&[u8]; 7] = [
        b"a b",
        b"two\nlines",
        b"back\\slash",
        &controls,
        b"\xff\xc3",
        "\u{e4}\u{9b}".as_bytes(),
        b"x",
    ];
    for name in names {
        std::os::unix::fs::symlink(OsStr::from_bytes(name), odd.join(OsStr::from_bytes(name)))
            .unwrap();
    }
    Makefs { version: 2, big_endian: false, block_bytes: 8192, frag_bytes: 1024 }
        .make(&source, &image);
    let ls = Command::new("ls").arg("-b").arg(&odd).env("LC_ALL", "C.UTF-8").output().unwrap();
    let expected: BTreeSet<String> = String::from_utf8(ls.stdout)
        .unwrap()
        .lines()
        .map(|name| format!("{name} -> {name}"))
        .collect();
    assert_eq!(expected.len(), names.len());
    let found = String::from_utf8(ffs("ls", &image, &["-R"]).stdout).unwrap();
    let (_, found) = found.split_once("\n/od\\nd:\n").expect("the directory's name is one line");
    // Mode, links, owner, group and size come first.
    let name = |line: &str| {
        let mut rest = line;
        for _ in 0..5 {
            rest = rest.trim_start().split_once(' ').unwrap().1;
        }
        rest.to_owned()
    };
    assert_eq!(found.trim_end().lines().map(name).collect::<BTreeSet<_>>(), expected);
}

#[test]
fn sums_files_and_errors() {
    let scratch = Scratch::new(env!("CARGO_TARGET_TMPDIR"), "example");
    let (source, image) = (scratch.0.join("source"), scratch.0.join("image"));
    std::fs::create_dir(&source).unwrap();
    plant(&source, 8192);
    let sums = format!(
        "cd {} && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum",
        source.display()
    );
    let sums = run("sh", "coreutils", &["-c", &sums].map(std::ffi::OsStr::new));
    for (version, big_endian) in [(1, false), (2, true)] {
        let makefs = Makefs { version, big_endian, block_bytes: 8192, frag_bytes: 1024 };
        makefs.make(&source, &image);
        let found = ffs("sum", &image, &[]);
        assert!(found.status.success() && found.stdout == sums, "{makefs:?}");
        let file = std::fs::read(source.join("levels/98305")).unwrap();
        assert!(ffs("cat", &image, &["/levels/98305"]).stdout == file);
        let listed = ffs("ls", &image, &["/links"]).stdout;
        assert!(String::from_utf8_lossy(&listed).contains(" file -> ../modes/644\n"));
        let info = ffs("info", &image, &[]).stdout;
        assert!(String::from_utf8_lossy(&info).contains("block bytes      8192\n"));

        let failed = ffs("cat", &image, &["/no/such"]);
        let line = String::from_utf8_lossy(&failed.stderr).into_owned();
        assert_eq!((failed.status.code(), line.lines().count()), (Some(1), 1), "{line}");
        assert!(line.contains("/no/such: no such file or directory"), "{line}");
    }
    // A table that leads nowhere makes the volume doubtful.
    let mut doubtful = std::fs::read(&image).unwrap();
    newfs::tables::mbr_entry(&mut doubtful, 0, 0, newfs::tables::FREEBSD, 1 << 30, 1);
    std::fs::write(&image, doubtful).unwrap();
    let found = ffs("sum", &image, &[]);
    let line = String::from_utf8_lossy(&found.stderr).into_owned();
    assert!(found.status.success() && found.stdout == sums);
    assert!(line.lines().count() == 1 && line.contains("may be stale"), "{line}");

    std::fs::write(&image, vec![0; 100_000]).unwrap();
    let failed = ffs("ls", &image, &[]);
    assert_eq!(failed.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&failed.stderr).contains("not FFS"));
}

/// Lines on what is read although the volume is not clean, and on what is not read.
#[test]
fn warnings_and_bad_files_are_told_and_the_rest_is_read() {
    let scratch = Scratch::new(env!("CARGO_TARGET_TMPDIR"), "unclean");
    let path = scratch.0.join("image");
    let root = Node::directory([
        ("bad", Node::file("bad")),
        ("good", Node::file("good")),
        ("hole", Node::File(Contents { size: 9000, pieces: vec![] })),
    ]);
    let mut image = Image::new(Format::new(2, 8192, 1024), &root);
    image.put(image.inode_of("/bad"), image.pointer(0), 1);
    image.put(image.inode_of("/good"), dinode2::BLOCKS, 1 << 40);
    image.put_superblock(sb::CLEAN, 0);
    image.put_superblock(sb::FLAGS, 0x8);
    std::fs::write(&path, &image.bytes).unwrap();
    let told = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let begin = format!("ffs: warning: {}: ", path.display());

    let found = ffs("sum", &path, &[]);
    let lines = told(&found);
    let lines: Vec<&str> = lines.lines().collect();
    let [journal, blocks, bad, end] = lines[..] else { panic!("{lines:?}") };
    assert!(journal.starts_with(&format!("{begin}superblock at 65536: fs_clean 0 is not ")));
    assert!(journal.ends_with("its journal (FS_SUJ) is not replayed"), "{journal}");
    assert!(bad.starts_with("ffs: ./bad: inode 3, file block 0: block pointer"), "{bad}");
    assert!(blocks.starts_with(&format!("{begin}./good: inode 4: di_blocks ")), "{blocks}");
    assert_eq!(end, "ffs: /: 1 of 4 names could not be read");
    assert_eq!(found.status.code(), Some(1));
    let sums = String::from_utf8_lossy(&found.stdout).into_owned();
    let paths: Vec<&str> = sums.lines().map(|line| &line[64..]).collect();
    assert_eq!(paths, ["  ./good", "  ./hole"]);

    let found = ffs("sum", &path, &["/hole", "--hole-bytes-max", "8999"]);
    assert!(told(&found).contains("/hole: the file has more than 8999 bytes of holes"));
    assert!(told(&found).ends_with("(hole-bytes-max)\n") && found.stdout.is_empty());
    let found = ffs("sum", &path, &["/hole", "--hole-bytes-max", "9000"]);
    assert_eq!((found.status.code(), told(&found).lines().count()), (Some(0), 1));

    let info = ffs("info", &path, &[]);
    assert!(info.status.success() && told(&info).starts_with(&begin));
    assert!(String::from_utf8_lossy(&info.stdout).contains("state            dirty\n"));
}
