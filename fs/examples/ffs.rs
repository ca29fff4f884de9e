//! Looks into FFS images and disks: `ffs ls|cat|sum|info IMAGE [PATH]`. Output is that of `ls -l`,
//! `cat` and `sha256sum`; what is wrong is told in one line.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use fs::{DirCursor, Inode, Kind, PATH_BYTES_MAX, ReadBlocks, SCRATCH_BYTES};
use sha2::{Digest, Sha256};

#[derive(Parser)]
#[command(about = "Looks into FFS (UFS1, UFS2) images and disks")]
struct Arguments {
    #[command(subcommand)]
    act: Act,
}

#[derive(Subcommand)]
enum Act {
    /// List a directory like ls -l
    Ls {
        /// With all directories below it
        #[arg(short = 'R')]
        recursive: bool,
        image: PathBuf,
        #[arg(default_value = "/")]
        path: OsString,
    },
    /// Write a file's bytes
    Cat { image: PathBuf, path: OsString },
    /// SHA-256 of a file, or of all regular files below a directory
    Sum {
        image: PathBuf,
        #[arg(default_value = "/")]
        path: OsString,
    },
    /// What the superblock tells
    Info { image: PathBuf },
}

/// A file as a disk.
struct Disk {
    file: File,
    size_bytes: u64,
}

impl Disk {
    fn open(path: &Path) -> io::Result<Disk> {
        let mut file = File::open(path)?;
        // A block device has no length, but an end.
        let size_bytes = file.seek(SeekFrom::End(0))? & !511;
        Ok(Disk { file, size_bytes })
    }
}

impl ReadBlocks for Disk {
    type Error = io::Error;

    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn read(&mut self, offset_bytes: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset_bytes)
    }
}

type Volume = fs::Volume<Disk, Vec<u8>>;
/// An error with the name of what it is about.
type Result<T> = std::result::Result<T, String>;

const READ_BYTES: usize = 1 << 20;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let output = &mut io::BufWriter::new(io::stdout().lock());
    let done = match &arguments.act {
        Act::Ls { recursive, image, path } => list(image, path.as_bytes(), *recursive, output),
        Act::Cat { image, path } => concatenate(image, path.as_bytes(), output),
        Act::Sum { image, path } => sum(image, path.as_bytes(), output),
        Act::Info { image } => info(image, output),
    };
    match done.and_then(|()| output.flush().map_err(to_output)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ffs: {error}");
            ExitCode::FAILURE
        }
    }
}

fn mount(image: &Path) -> Result<Volume> {
    let disk = Disk::open(image).map_err(|error| format!("{}: {error}", image.display()))?;
    let volume = Volume::mount(disk, vec![0; SCRATCH_BYTES])
        .map_err(|error| format!("{}: {error}", image.display()))?;
    if volume.info().dirty {
        eprintln!("ffs: warning: {} was not unmounted or needs fsck", image.display());
    }
    Ok(volume)
}

/// Names the path that an error is about.
fn at<E: std::fmt::Display>(path: &[u8]) -> impl Fn(E) -> String {
    move |error| format!("{}: {error}", path.escape_ascii())
}

fn to_output(error: io::Error) -> String {
    format!("standard output: {error}")
}

fn list(image: &Path, path: &[u8], recursive: bool, output: &mut impl Write) -> Result<()> {
    let mut volume = mount(image)?;
    let inode = volume.lookup(path).map_err(at(path))?;
    if inode.kind != Kind::Directory {
        let inode = volume.lookup_nofollow(path).map_err(at(path))?;
        return list_one(&mut volume, path, path, &inode, output);
    }
    let mut walk = Walk::new(path, inode);
    while let Some((path, names)) = walk.next(&mut volume)? {
        if recursive {
            output.write_all(&path).and_then(|()| output.write_all(b":\n")).map_err(to_output)?;
        }
        for (name, inode) in &names {
            list_one(&mut volume, &path, name, inode, output)?;
        }
        if !recursive {
            break;
        }
        output.write_all(b"\n").map_err(to_output)?;
    }
    Ok(())
}

fn list_one(
    volume: &mut Volume,
    path: &[u8],
    name: &[u8],
    inode: &Inode,
    output: &mut impl Write,
) -> Result<()> {
    let Inode { links, uid, gid, size_bytes, .. } = inode;
    let mode = mode_text(inode);
    let mut line = format!("{mode} {links:>3} {uid:>5} {gid:>5} {size_bytes:>12} ").into_bytes();
    line.extend(name);
    if inode.kind == Kind::Symlink {
        let mut target = vec![0; usize::try_from(inode.size_bytes).unwrap_or(PATH_BYTES_MAX)];
        let len = volume.readlink(inode, &mut target).map_err(at(path))?;
        line.extend(b" -> ");
        line.extend(&target[..len]);
    }
    line.push(b'\n');
    output.write_all(&line).map_err(to_output)
}

/// `drwxr-xr-x` and its kin.
fn mode_text(inode: &Inode) -> String {
    let kind = match inode.kind {
        Kind::Fifo => 'p',
        Kind::CharDevice => 'c',
        Kind::Directory => 'd',
        Kind::BlockDevice => 'b',
        Kind::File => '-',
        Kind::Symlink => 'l',
        Kind::Socket => 's',
    };
    let mut text = String::from(kind);
    // Set-uid, set-gid and sticky take the place of an x, as a capital where there is none.
    for (shift, special, letter) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
        let bits = inode.mode >> shift;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        text.push(match (bits & 1 != 0, inode.mode & special != 0) {
            (true, false) => 'x',
            (false, false) => '-',
            (true, true) => letter,
            (false, true) => letter.to_ascii_uppercase(),
        });
    }
    text
}

fn concatenate(image: &Path, path: &[u8], output: &mut impl Write) -> Result<()> {
    let mut volume = mount(image)?;
    let inode = volume.lookup(path).map_err(at(path))?;
    read_all(&mut volume, path, &inode, |bytes| output.write_all(bytes).map_err(to_output))
}

fn sum(image: &Path, path: &[u8], output: &mut impl Write) -> Result<()> {
    let mut volume = mount(image)?;
    let inode = volume.lookup(path).map_err(at(path))?;
    let mut files = Vec::new();
    if inode.kind == Kind::Directory {
        let mut walk = Walk::new(b".", inode);
        while let Some((path, names)) = walk.next(&mut volume)? {
            let regular = names.into_iter().filter(|(_, inode)| inode.kind == Kind::File);
            files.extend(regular.map(|(name, inode)| (join(&path, &name), inode)));
        }
        files.sort_by(|(left, _), (right, _)| left.cmp(right));
    } else {
        files.push((path.to_vec(), inode));
    }
    for (path, inode) in files {
        let mut hash = Sha256::new();
        read_all(&mut volume, &path, &inode, |bytes| {
            hash.update(bytes);
            Ok(())
        })?;
        let hash = hash.finalize();
        sum_line(&hash, &path, output).map_err(to_output)?;
    }
    Ok(())
}

/// A line as sha256sum writes it: a name with a backslash or a line's end in it is escaped, and a
/// backslash goes before the line.
fn sum_line(hash: &[u8], path: &[u8], output: &mut impl Write) -> io::Result<()> {
    if path.iter().any(|byte| b"\\\n\r".contains(byte)) {
        output.write_all(b"\\")?;
    }
    for byte in hash {
        write!(output, "{byte:02x}")?;
    }
    output.write_all(b"  ")?;
    for byte in path {
        match byte {
            b'\\' => output.write_all(b"\\\\")?,
            b'\n' => output.write_all(b"\\n")?,
            b'\r' => output.write_all(b"\\r")?,
            byte => output.write_all(&[*byte])?,
        }
    }
    output.write_all(b"\n")
}

fn read_all(
    volume: &mut Volume,
    path: &[u8],
    inode: &Inode,
    mut take: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let mut buffer = vec![0; READ_BYTES];
    let mut offset = 0;
    loop {
        let len = volume.read_at(inode, offset, &mut buffer).map_err(at(path))?;
        if len == 0 {
            return Ok(());
        }
        take(&buffer[..len])?;
        offset += len as u64;
    }
}

fn info(image: &Path, output: &mut impl Write) -> Result<()> {
    let volume = mount(image)?;
    let info = volume.info();
    let name = info.name.split(|byte| *byte == 0).next().unwrap_or_default();
    let lines = [
        ("version", format!("{:?}", info.version)),
        ("byte order", format!("{:?}", info.endian)),
        ("block bytes", info.block_bytes.to_string()),
        ("fragment bytes", info.fragment_bytes.to_string()),
        ("size bytes", info.size_bytes.to_string()),
        ("superblock at", info.superblock_offset_bytes.to_string()),
        ("partition at", info.partition_start_bytes.to_string()),
        ("partition bytes", info.partition_size_bytes.to_string()),
        ("groups", info.group_count.to_string()),
        ("inodes", info.inode_count.to_string()),
        ("flags", format!("{:#x}", info.flags)),
        ("state", if info.dirty { "dirty" } else { "clean" }.to_string()),
        ("id", format!("{:08x}{:08x}", info.id[0], info.id[1])),
        ("name", name.escape_ascii().to_string()),
    ];
    for (field, value) in lines {
        writeln!(output, "{field:<16} {value}").map_err(to_output)?;
    }
    Ok(())
}

fn join(path: &[u8], name: &[u8]) -> Vec<u8> {
    let separator: &[u8] = if path.ends_with(b"/") { b"" } else { b"/" };
    [path, separator, name].concat()
}

/// Names in a directory, without `.` and `..`, sorted bytewise.
type Names = Vec<(Vec<u8>, Inode)>;

/// Walks all directories below one. A directory that is met twice ends it, so a loop cannot hang.
struct Walk {
    pending: Vec<(Vec<u8>, Inode)>,
    met: HashSet<u32>,
}

impl Walk {
    fn new(path: &[u8], directory: Inode) -> Walk {
        Walk { pending: vec![(path.to_vec(), directory)], met: HashSet::new() }
    }

    /// The next directory's path and contents.
    fn next(&mut self, volume: &mut Volume) -> Result<Option<(Vec<u8>, Names)>> {
        let Some((path, directory)) = self.pending.pop() else { return Ok(None) };
        if !self.met.insert(directory.number) {
            let number = directory.number;
            return Err(at(&path)(format!("directory inode {number} is reached a second time")));
        }
        let mut cursor = DirCursor::new(&directory).map_err(at::<fs::Error<io::Error>>(&path))?;
        let mut entries = Vec::new();
        while let Some(entry) = volume.next_entry(&mut cursor).map_err(at(&path))? {
            if ![&b"."[..], b".."].contains(&entry.name()) {
                entries.push(entry);
            }
        }
        entries.sort_by(|left, right| left.name().cmp(right.name()));
        let mut names = Names::new();
        for entry in entries {
            let path = join(&path, entry.name());
            let inode = volume.inode_of(&entry).map_err(at(&path))?;
            names.push((entry.name().to_vec(), inode));
        }
        let directories = names.iter().rev().filter(|(_, inode)| inode.kind == Kind::Directory);
        self.pending.extend(directories.map(|(name, inode)| (join(&path, name), *inode)));
        Ok(Some((path, names)))
    }
}
