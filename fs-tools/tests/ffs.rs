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

/// Writes a disk that has an OpenBSD slice with `a` and `d`, and a slice of another system. Returns
/// its path, its sectors, and the label's entries.
fn openbsd(scratch: &Scratch) -> (PathBuf, usize, Vec<newfs::tables::LabelEntry>) {
    let (source, image) = (scratch.0.join("source"), scratch.0.join("image"));
    std::fs::create_dir(&source).unwrap();
    let mut disk = vec![0; 1024 * 512];
    let mut entries = vec![(0, 0, 0); 4];
    for (index, name, version) in [(0, "root", 1), (3, "usr", 2)] {
        std::fs::write(source.join("file"), name).unwrap();
        let makefs = Makefs { version, big_endian: false, block_bytes: 8192, frag_bytes: 1024 };
        let mut volume = makefs.make(&source, &scratch.0.join("volume"));
        // fs_fsmnt and fs_volname.
        let text = format!("/{name} \x1b");
        volume[8192 + 212..][..text.len()].copy_from_slice(text.as_bytes());
        volume[8192 + 680..][..name.len()].copy_from_slice(name.as_bytes());
        let (start, sectors) = (disk.len() as u64 / 512, volume.len() as u64 / 512);
        entries[index] = (start, sectors, 7);
        disk.extend(volume);
    }
    let all = disk.len() / 512;
    (entries[1], entries[2]) = ((600, 100, 1), (0, all as u64, 0));
    newfs::tables::mbr_entry(&mut disk, 0, 0, 0x0c, 100, 50);
    newfs::tables::mbr_entry(&mut disk, 0, 3, newfs::tables::OPENBSD, 512, all - 512);
    newfs::tables::label_of(&mut disk, 513 * 512, 512, 0, &entries);
    std::fs::write(&image, disk).unwrap();
    (image, all, entries)
}

#[test]
fn partitions_are_listed() {
    let scratch = Scratch::new(env!("CARGO_TARGET_TMPDIR"), "partitions");
    let (image, all, entries) = openbsd(&scratch);
    let listed = Command::new(example()).arg("partitions").arg(&image).output().unwrap();
    let text = String::from_utf8(listed.stdout).unwrap();
    let lines: Vec<String> =
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let bytes = |index: usize| format!("{} {}", entries[index].0 * 512, entries[index].1 * 512);
    let expected = [
        "name type start bytes label version volume mounted on".to_string(),
        format!("disk disk 0 {} - - - -", all * 512),
        "s1 0x0c 51200 25600 - - - -".to_string(),
        format!("s4 0xa6 262144 {} - - - -", (all - 512) * 512),
        format!("* s4a 4.2BSD {} - UFS1 root /root\\x20\\x1b", bytes(0)),
        format!("s4b swap {} - - - -", bytes(1)),
        format!("s4c unused {} - - - -", bytes(2)),
        format!("s4d 4.2BSD {} - UFS2 usr /usr\\x20\\x1b", bytes(3)),
    ];
    assert_eq!(lines, expected, "{text}");
}

#[test]
fn partitions_are_chosen_by_name() {
    let scratch = Scratch::new(env!("CARGO_TARGET_TMPDIR"), "chosen");
    let (image, ..) = openbsd(&scratch);
    let cat = |options: &[&str]| {
        Command::new(example()).arg("cat").args(options).arg(&image).arg("/file").output().unwrap()
    };
    for (options, contents) in [
        (&[][..], "root"),
        (&["-p", "a"], "root"),
        (&["-p", "d"], "usr"),
        (&["--partition", "s4d"], "usr"),
    ] {
        let read = cat(options);
        assert_eq!(String::from_utf8_lossy(&read.stdout), contents, "{options:?}");
        assert!(read.status.success() && read.stderr.is_empty());
    }
    for (name, error) in [
        ("e", "no partition e; there are s1, s4, s4a, s4b, s4c, s4d"),
        ("s1", "not FFS"),
        ("s0", "a partition's name is like s1, p2, a, s1a or p2d, or disk"),
    ] {
        let failed = cat(&["-p", name]);
        let line = String::from_utf8_lossy(&failed.stderr);
        assert!(!failed.status.success() && line.contains(error), "{line}");
    }
    let info = Command::new(example()).args(["info", "-p", "d"]).arg(&image).output().unwrap();
    assert!(String::from_utf8_lossy(&info.stdout).contains("partition        s4d\n"));
}
