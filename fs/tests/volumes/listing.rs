//! Content of a tree, in a form that can be compared: from the host, from a volume through our
//! reader, and from the input of `newfs`.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use ::fs::{DirCursor, Image, Inode, Kind, Volume};
use sha2::{Digest, Sha256};

use newfs::Node;

/// Size in bytes above which files are read in places only, by the test that made them.
const WHOLE_BYTES_MAX: u64 = 32 << 20;

/// Name in a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Type and permissions, as `st_mode`.
    pub mode: u32,
    pub links: u64,
    pub uid: u32,
    pub gid: u32,
    /// Size in bytes; 0 for a directory, since file systems differ.
    pub size: u64,
    /// Time of the last change, in seconds since 1970; `None` if the tree's maker doesn't set it.
    pub mtime: Option<i64>,
    /// A file's SHA-256, or a symlink's target.
    pub contents: Vec<u8>,
}

/// Items by path, relative to the root, which is the empty one.
pub type Listing = BTreeMap<Vec<u8>, Item>;

fn join(path: &[u8], name: &[u8]) -> Vec<u8> {
    if path.is_empty() { name.to_vec() } else { [path, b"/", name].concat() }
}

/// Asserts that two listings are the same, and names the first difference.
pub fn assert_same(what: &str, found: &Listing, expected: &Listing) {
    for path in found.keys().chain(expected.keys()) {
        let (found, expected) = (found.get(path), expected.get(path));
        assert!(
            found == expected,
            "{what}: /{}: found {found:?}, not {expected:?}",
            path.escape_ascii()
        );
    }
}

/// Returns the tree of a directory of the host. The times of symlinks have no meaning here.
pub fn of_host(root: &Path) -> Listing {
    fn walk(root: &Path, path: Vec<u8>, listing: &mut Listing) {
        let place = root.join(std::ffi::OsStr::from_bytes(&path));
        let stat = fs::symlink_metadata(&place).unwrap();
        let kind = stat.file_type();
        let mut contents = Vec::new();
        if kind.is_dir() {
            for entry in fs::read_dir(&place).unwrap() {
                walk(root, join(&path, entry.unwrap().file_name().as_bytes()), listing);
            }
        } else if kind.is_symlink() {
            contents = fs::read_link(&place).unwrap().into_os_string().into_vec();
        } else {
            contents = Sha256::digest(fs::read(&place).unwrap()).to_vec();
        }
        let item = Item {
            mode: stat.mode(),
            links: stat.nlink(),
            uid: stat.uid(),
            gid: stat.gid(),
            size: if kind.is_dir() { 0 } else { stat.size() },
            mtime: (!kind.is_symlink()).then_some(stat.mtime()),
            contents,
        };
        listing.insert(path, item);
    }
    let mut listing = Listing::new();
    walk(root, Vec::new(), &mut listing);
    listing
}

/// Returns the tree that `newfs` writes for `root`.
pub fn of_node(root: &Node) -> Listing {
    fn walk(path: Vec<u8>, node: &Node, number: &mut u32, listing: &mut Listing) {
        let own = *number;
        *number += 1;
        let mut item = Item {
            mode: 0o100_644,
            links: 1,
            uid: 1000 + own,
            gid: 100,
            size: 0,
            mtime: Some(1_000_000_000 + i64::from(own)),
            contents: Vec::new(),
        };
        match node {
            Node::Directory(entries) => {
                item.mode = 0o040_755;
                item.links = 2;
                for (name, child) in entries {
                    item.links += u64::from(matches!(child, Node::Directory(_)));
                    walk(join(&path, name), child, number, listing);
                }
            }
            Node::File(contents) => {
                item.size = contents.size;
                if contents.size <= WHOLE_BYTES_MAX {
                    let mut bytes = vec![0; contents.size as usize];
                    contents.read(0, &mut bytes);
                    item.contents = Sha256::digest(bytes).to_vec();
                }
            }
            Node::Symlink(target) => {
                item.mode = 0o120_777;
                item.size = target.len() as u64;
                item.mtime = None;
                item.contents.clone_from(target);
            }
        }
        listing.insert(path, item);
    }
    let mut listing = Listing::new();
    walk(Vec::new(), root, &mut 2, &mut listing);
    listing
}

/// A volume on a disk in memory.
pub type InMemory<'a> = Volume<Image<'a>, Vec<u8>>;

pub fn mount(disk: &[u8]) -> InMemory<'_> {
    Volume::mount(Image(disk), vec![0; ::fs::SCRATCH_BYTES]).unwrap_or_else(|e| panic!("{e}"))
}

/// Returns the names in a directory, with their inodes.
pub fn entries(volume: &mut InMemory<'_>, directory: &Inode) -> Vec<(Vec<u8>, Inode)> {
    let mut cursor = DirCursor::new::<()>(directory).unwrap();
    let mut found = Vec::new();
    while let Some(entry) = volume.next_entry(&mut cursor).unwrap_or_else(|e| panic!("{e}")) {
        let inode = volume.inode_of(&entry).unwrap_or_else(|e| panic!("{e}"));
        found.push((entry.name().to_vec(), inode));
    }
    found
}

/// Returns the tree of a volume, by our reader. Every file of up to 32 MiB is read in one go, in
/// pieces of odd length, and by its extents, which must come to the same.
pub fn of_volume(volume: &mut InMemory<'_>, disk: &[u8]) -> Listing {
    let mut listing = Listing::new();
    let root = volume.root().unwrap();
    let mut pending = vec![(Vec::new(), root)];
    while let Some((path, inode)) = pending.pop() {
        let mut contents = Vec::new();
        match inode.kind {
            Kind::Directory => {
                for (name, child) in entries(volume, &inode) {
                    match name.as_slice() {
                        b"." => assert_eq!(child.number, inode.number),
                        b".." => assert_eq!(child.kind, Kind::Directory),
                        _ => pending.push((join(&path, &name), child)),
                    }
                }
            }
            Kind::Symlink => {
                contents = vec![0; 2000];
                let len = volume.readlink(&inode, &mut contents).unwrap();
                contents.truncate(len);
            }
            _ if inode.size_bytes > WHOLE_BYTES_MAX => {}
            _ => contents = Sha256::digest(read_three_ways(volume, disk, &inode)).to_vec(),
        }
        let directory = inode.kind == Kind::Directory;
        let item = Item {
            mode: inode.mode.into(),
            links: inode.links.into(),
            uid: inode.uid,
            gid: inode.gid,
            size: if directory { 0 } else { inode.size_bytes },
            mtime: (inode.kind != Kind::Symlink).then_some(inode.mtime_s),
            contents,
        };
        assert!(listing.insert(path.clone(), item).is_none(), "twice: {}", path.escape_ascii());
    }
    listing
}

fn read_three_ways(volume: &mut InMemory<'_>, disk: &[u8], inode: &Inode) -> Vec<u8> {
    let size = inode.size_bytes as usize;
    let mut whole = vec![0xa5; size + 1];
    assert_eq!(volume.read_at(inode, 0, &mut whole).unwrap(), size);
    assert_eq!(whole.pop(), Some(0xa5), "nothing behind the end");

    let mut random = fastrand::Rng::with_seed(inode.number.into());
    let mut at = 0;
    let mut piece = vec![0; 70_001];
    while at < size {
        let len = random.usize(1..=piece.len()).min(size - at);
        assert_eq!(volume.read_at(inode, at as u64, &mut piece[..len]).unwrap(), len);
        assert!(piece[..len] == whole[at..at + len], "inode {}, {len} at {at}", inode.number);
        at += len;
    }
    assert_eq!(volume.read_at(inode, size as u64, &mut piece).unwrap(), 0);

    let mut next = 0;
    while let Some(extent) = volume.next_extent(inode, next).unwrap() {
        assert!(extent.file_offset == next && extent.len > 0, "{extent:?}");
        let bytes = &whole[next as usize..][..extent.len as usize];
        match extent.disk_offset {
            Some(place) => assert!(*bytes == disk[place as usize..][..bytes.len()], "{extent:?}"),
            None => assert!(bytes.iter().all(|byte| *byte == 0), "{extent:?}"),
        }
        next += extent.len;
    }
    assert_eq!(next, inode.size_bytes);
    whole
}
