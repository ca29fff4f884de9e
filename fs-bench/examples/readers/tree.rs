//! Tree that a reader found in a volume, in one form for all readers.

use std::collections::{BTreeMap, BTreeSet};

use md5::{Digest, Md5};

/// Largest file whose bytes are compared, in a mutated volume and in a real image.
pub const FILE_BYTES_MAX: u64 = 1 << 20;
pub const FILE_BYTES_MAX_REAL: u64 = 256 << 20;
/// Names after which a walk ends.
pub const NAMES_MAX: usize = 5000;

/// Meaning of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    Directory,
    /// Size in bytes, and MD5 of the contents if the reader was asked for it.
    File(u64, Option<String>),
    /// File that is larger than the reader was asked to read.
    Long(u64),
    /// Target, with all but plain characters replaced.
    Symlink(String),
    /// Device, socket or FIFO.
    Other,
    /// There is such a name, but the reader says that it can't be read.
    Failed(String),
}

impl Node {
    pub fn file(bytes: &[u8]) -> Self {
        Self::File(bytes.len() as u64, Some(format!("{:x}", Md5::digest(bytes))))
    }

    /// Returns whether two readers say the same.
    pub fn agrees(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Failed(_), Self::Failed(_)) => true,
            (Self::File(size, None), Self::File(same, _) | Self::Long(same))
            | (Self::File(size, _) | Self::Long(size), Self::File(same, None)) => size == same,
            _ => self == other,
        }
    }

    pub fn symlink(target: &[u8]) -> Self {
        Self::Symlink(plain(target))
    }
}

/// Returns text without the characters that readers show in different ways.
pub fn plain(text: &[u8]) -> String {
    let show = |byte: &u8| if matches!(byte, b' '..=b'~') { char::from(*byte) } else { '^' };
    text.iter().map(show).collect()
}

/// Tree of a volume as one reader sees it.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    nodes: BTreeMap<String, Node>,
    /// Largest file that is read.
    pub file_bytes_max: u64,
    /// Paths of the snapshots, which only our reader knows.
    pub snapshots: BTreeSet<String>,
    /// Errors of directories, by their paths: not all of their names are known.
    pub partial: BTreeMap<String, String>,
    /// Why the reader refused the volume, or ended before it was through.
    pub end: Option<String>,
}

impl Tree {
    pub fn new(file_bytes_max: u64) -> Self {
        Self { file_bytes_max, ..Self::default() }
    }

    pub fn refused(why: impl ToString) -> Self {
        Self { end: Some(why.to_string()), ..Self::default() }
    }

    /// Adds a name; where there are several of one path, each has a number.
    pub fn add(&mut self, path: &str, node: Node) {
        let mut key = path.to_string();
        let mut number = 1;
        while self.nodes.contains_key(&key) {
            number += 1;
            key = format!("{path}//{number}");
        }
        self.nodes.insert(key, node);
    }

    pub fn get(&self, path: &str) -> Option<&Node> {
        self.nodes.get(path)
    }

    pub fn nodes(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.nodes.iter().map(|(path, node)| (path.as_str(), node))
    }

    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Returns why the reader has no answer for a path: what is wrong with it, or with the nearest
    /// directory above it, or with all. `None` if it has an answer, or says nothing.
    pub fn refusal(&self, path: &str) -> Option<&str> {
        match self.nodes.get(path) {
            Some(Node::Failed(why)) => return Some(why),
            Some(_) => return None,
            None => {}
        }
        let mut above = path;
        while let Some((parent, _)) = above.rsplit_once('/') {
            let failed = self.nodes.get(parent).and_then(|node| match node {
                Node::Failed(why) => Some(why),
                _ => None,
            });
            if let Some(why) = self.partial.get(parent).or(failed) {
                return Some(why);
            }
            above = parent;
        }
        self.end.as_deref()
    }

    /// Removes all names below directories.
    pub fn cut_below(&mut self, directories: &BTreeSet<String>) {
        let is_below = |path: &str| {
            let mut above = path;
            while let Some((parent, _)) = above.rsplit_once('/') {
                if directories.contains(parent) {
                    return true;
                }
                above = parent;
            }
            false
        };
        self.nodes.retain(|path, _| !is_below(path));
    }

    /// Returns whether nothing at all was read.
    pub fn is_refused(&self) -> bool {
        self.nodes.is_empty() && self.end.is_some()
    }

    /// Returns whether there is a file that takes long to read.
    pub fn has_long(&self) -> bool {
        let long = |node: &Node| match node {
            Node::Long(_) => true,
            Node::Failed(why) => why == "di_size",
            _ => false,
        };
        self.nodes.values().any(long)
    }
}
