//! The tree of files that a volume is made of.

/// A file's bytes: pieces that begin at multiples of the block size; all else is a hole.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// Size in bytes, holes included.
    pub size: u64,
    /// Offset in bytes and bytes of each piece.
    pub pieces: Vec<(u64, Vec<u8>)>,
}

impl Contents {
    /// Fills `buf` from `offset` on; both inside the size.
    pub fn read(&self, offset: u64, buf: &mut [u8]) {
        buf.fill(0);
        let end = offset + buf.len() as u64;
        for (start, bytes) in &self.pieces {
            let (from, to) = (offset.max(*start), end.min(start + bytes.len() as u64));
            if from < to {
                let piece = &bytes[(from - start) as usize..(to - start) as usize];
                buf[(from - offset) as usize..][..piece.len()].copy_from_slice(piece);
            }
        }
    }
}

/// A node of the tree.
#[derive(Clone, Debug)]
pub enum Node {
    /// A directory: names and their nodes.
    Directory(Vec<(Vec<u8>, Node)>),
    /// A regular file.
    File(Contents),
    /// A symlink: its target.
    Symlink(Vec<u8>),
}

impl Node {
    /// Returns a file without holes.
    pub fn file(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self::File(Contents { size: bytes.len() as u64, pieces: vec![(0, bytes)] })
    }

    /// Returns a symlink.
    pub fn symlink(target: &str) -> Self {
        Self::Symlink(target.into())
    }

    /// Returns a directory.
    pub fn directory<const N: usize>(entries: [(&str, Node); N]) -> Self {
        Self::Directory(entries.into_iter().map(|(name, node)| (name.into(), node)).collect())
    }
}
