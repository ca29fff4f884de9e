//! The Sleuth Kit: `fls` lists a whole volume with sums, in one process.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Output};

use crate::tree::{Node, Tree, plain};

/// Kind of a name that hides one of a lower layer (`d_type` 14); the others leave it out.
pub const WHITEOUT: &str = "whiteout";
/// Sum of a file that it could not read.
const NO_SUM: &str = "00000000000000000000000000000000";

/// Reads an image. Sums take long for a large file, so there they are left out.
pub fn read(image: &Path, sums: bool, file_bytes_max: u64) -> Tree {
    // It may take long, wait for itself, or ask for much memory.
    let mut command = Command::new("timeout");
    command.args(["--signal=KILL", "20", "prlimit", "--cpu=1", "--as=1073741824"]);
    command.args(["fls", "-r", "-p", "-m", "/"]);
    if sums {
        command.arg("-h");
    }
    let output = command.arg(image).output();
    let output =
        output.expect("timeout, prlimit and fls; run: apt-get install util-linux sleuthkit");
    let mut tree = Tree::new(file_bytes_max);
    let mut inodes = BTreeMap::from([(String::new(), b"2".to_vec())]);
    let mut loops = BTreeSet::new();
    for line in output.stdout.split(|byte| *byte == b'\n').filter_map(Line::parse) {
        let path = plain(line.name);
        if line.kind == b'd' {
            if is_above(&path, line.inode, &inodes) {
                loops.insert(path.clone());
            }
            inodes.insert(path.clone(), line.inode.to_vec());
        }
        add(&line, &path, sums, &mut tree);
    }
    // The other readers don't enter them again.
    tree.cut_below(&loops);
    if let Some(why) = ended(&output) {
        tree.end = Some(why);
    }
    tree
}

/// Returns whether a directory above this path has the inode.
fn is_above(path: &str, inode: &[u8], inodes: &BTreeMap<String, Vec<u8>>) -> bool {
    let mut above = path;
    while let Some((parent, _)) = above.rsplit_once('/') {
        if inodes.get(parent).is_some_and(|one| one == inode) {
            return true;
        }
        above = parent;
    }
    false
}

/// Line: MD5|path|inode|type by entry/type by inode and mode|uid|gid|size|four times.
struct Line<'a> {
    md5: &'a [u8],
    name: &'a [u8],
    /// Text behind the arrow of a symlink.
    target: &'a [u8],
    inode: &'a [u8],
    /// Types by the entry and by the inode.
    by_entry: u8,
    kind: u8,
    size: u64,
}

impl<'a> Line<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let mut back = line.rsplitn(10, |byte| *byte == b'|');
        let fields: Vec<&[u8]> = back.by_ref().take(9).collect();
        let (rest, [_, _, _, _, size, _, _, mode, inode]) = (back.next()?, &fields[..]) else {
            return None;
        };
        let split = rest.iter().position(|byte| *byte == b'|')?;
        let (md5, path) = (&rest[..split], &rest[split + 1..]);
        let size = String::from_utf8_lossy(size).parse().unwrap_or(u64::MAX);
        let (by_entry, kind) = (*mode.first()?, *mode.get(2)?);
        let arrow = path.windows(4).position(|four| four == b" -> ").filter(|_| kind == b'l');
        let (name, target) = match arrow {
            Some(at) => (&path[..at], &path[at + 4..]),
            None => (path, &b""[..]),
        };
        Some(Self { md5, name, target, inode, by_entry, kind, size })
    }
}

fn add(line: &Line<'_>, path: &str, sums: bool, tree: &mut Tree) {
    if path.contains("/$OrphanFiles") {
        return;
    }
    let deleted = [" (deleted)", " (deleted-realloc)"];
    let ends = |end: &&&str| path.ends_with(**end) || line.target.ends_with(end.as_bytes());
    if let Some(end) = deleted.iter().find(ends) {
        let path = path.strip_suffix(end).unwrap_or(path);
        return tree.add(path, Node::Failed("deleted".into()));
    }
    let md5 = String::from_utf8_lossy(line.md5);
    let node = match (line.by_entry, line.kind) {
        // What it makes up itself.
        (_, b'V' | b'v') => return,
        (b'w', _) => Node::Failed(WHITEOUT.into()),
        (b'd', b'd') => Node::Directory,
        // It goes by the entry's type where that is not the inode's.
        (_, b'd') => {
            tree.partial.insert(path.into(), "another d_type".into());
            Node::Directory
        }
        (_, b'l') if line.target.is_empty() => Node::Failed("no target".into()),
        (_, b'l') => Node::symlink(line.target),
        (_, b'r') if line.size > tree.file_bytes_max => Node::Long(line.size),
        (_, b'r') if sums && md5 == NO_SUM => Node::Failed("no sum".into()),
        (_, b'r') => Node::File(line.size, sums.then(|| md5.into())),
        (_, b'-') => Node::Failed("no inode".into()),
        _ => Node::Other,
    };
    tree.add(path, node);
}

/// Returns why it ended before it was through, in few words.
fn ended(output: &Output) -> Option<String> {
    if output.status.success() && output.stderr.is_empty() {
        return None;
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let first = text.lines().next().unwrap_or("killed");
    Some(first.split([':', '(']).next().unwrap_or_default().trim().to_owned())
}
