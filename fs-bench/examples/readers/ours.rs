//! The crate `fs`: an error is kept with the structure and the field that it names.

use fs::{DirCursor, Error, Image, Inode, Kind, PastEnd, Place, SCRATCH_BYTES, Volume};

use crate::tree::{NAMES_MAX, Node, Tree, plain};

type Read<'i> = Volume<Image<'i>, Vec<u8>>;

pub fn read(bytes: &[u8], file_bytes_max: u64) -> Tree {
    let mut volume = match Volume::mount(Image(bytes), vec![0; SCRATCH_BYTES]) {
        Ok(volume) => volume,
        Err(error) => return Tree::refused(kind(&error)),
    };
    let mut tree = Tree::new(file_bytes_max);
    match volume.lookup(b"/") {
        Ok(root) => walk(&mut volume, &root, "", &mut vec![root.number], &mut tree),
        Err(error) => tree.end = Some(kind(&error)),
    }
    tree
}

/// Names what an error is about, without numbers.
fn kind(error: &Error<PastEnd>) -> String {
    let Error::Corrupt(corrupt) = error else {
        return match error {
            Error::Outside { .. } => "outside the disk".into(),
            error => error.to_string(),
        };
    };
    match corrupt.place {
        Place::Superblock(_) => "superblock".into(),
        Place::Group(_) => "group".into(),
        Place::FileBlock { .. } | Place::Indirect { .. } => "block pointer".into(),
        Place::Inode(_) | Place::Directory { .. } => corrupt.field.into(),
        place => format!("{place:?}"),
    }
}

/// Returns whether there may be others behind an entry that is wrong.
fn is_of_an_entry(error: &Error<PastEnd>) -> bool {
    let Error::Corrupt(corrupt) = error else { return false };
    matches!(corrupt.place, Place::Directory { offset, .. } if offset > 12)
}

fn walk(
    volume: &mut Read<'_>,
    directory: &Inode,
    path: &str,
    above: &mut Vec<u32>,
    tree: &mut Tree,
) {
    let mut cursor = match DirCursor::new::<PastEnd>(directory) {
        Ok(cursor) => cursor,
        Err(error) => return drop(tree.partial.insert(path.into(), kind(&error))),
    };
    loop {
        let entry = match volume.next_entry(&mut cursor) {
            Ok(None) => return,
            Ok(Some(entry)) => entry,
            Err(error) => {
                tree.partial.entry(path.into()).or_insert(kind(&error));
                if is_of_an_entry(&error) {
                    continue;
                }
                return;
            }
        };
        if matches!(entry.name(), b"." | b"..") {
            continue;
        }
        if tree.len() >= NAMES_MAX {
            tree.end.get_or_insert("many names".into());
            return;
        }
        let path = format!("{path}/{}", plain(entry.name()));
        match volume.inode_of(&entry) {
            Ok(inode) => {
                let node = node(volume, &inode, tree.file_bytes_max);
                tree.add(&path, node);
                if inode.is_snapshot() {
                    tree.snapshots.insert(path.clone());
                }
                if inode.kind == Kind::Directory && !above.contains(&inode.number) {
                    above.push(inode.number);
                    walk(volume, &inode, &path, above, tree);
                    above.pop();
                }
            }
            Err(error) => tree.add(&path, Node::Failed(kind(&error))),
        }
    }
}

fn node(volume: &mut Read<'_>, inode: &Inode, file_bytes_max: u64) -> Node {
    match inode.kind {
        Kind::Directory => Node::Directory,
        Kind::Symlink => {
            let mut target = [0; fs::PATH_BYTES_MAX];
            match volume.readlink(inode, &mut target) {
                Ok(len) => Node::symlink(&target[..len]),
                Err(error) => Node::Failed(kind(&error)),
            }
        }
        Kind::File if inode.size_bytes > file_bytes_max => Node::Long(inode.size_bytes),
        Kind::File => {
            let mut bytes = vec![0; inode.size_bytes as usize];
            let mut done = 0;
            while done < bytes.len() {
                match volume.read_at(inode, done as u64, &mut bytes[done..]) {
                    Ok(0) => return Node::Failed("the file ends early".into()),
                    Ok(len) => done += len,
                    Err(error) => return Node::Failed(kind(&error)),
                }
            }
            Node::file(&bytes)
        }
        _ => Node::Other,
    }
}
