//! The tree of nodes (docs/misc/xenstore.txt): values, permissions, generations.

use std::collections::BTreeMap;

use xen_abi::DomId;

/// Error that xenstored returns instead of doing what was asked: the name of an errno.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal(pub &'static str);

/// No such node.
pub const ENOENT: Refusal = Refusal("ENOENT");
/// The domain may not.
pub const EACCES: Refusal = Refusal("EACCES");
/// Not a path, not a message.
pub const EINVAL: Refusal = Refusal("EINVAL");
/// Somebody else interfered with the transaction.
pub const EAGAIN: Refusal = Refusal("EAGAIN");
/// Too many nodes or transactions.
pub const ENOSPC: Refusal = Refusal("ENOSPC");
/// Too long a value or list.
pub const E2BIG: Refusal = Refusal("E2BIG");
/// Such a watch stands already.
pub const EEXIST: Refusal = Refusal("EEXIST");

/// Permissions of a node. Domain 0 may do everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Perms {
    owner: DomId,
    readers: Vec<DomId>,
}

impl Perms {
    /// Returns permissions for one domain alone.
    pub fn owned_by(owner: DomId) -> Self {
        Self { owner, readers: Vec::new() }
    }

    /// Returns permissions as [`owned_by`](Self::owned_by) does, and `reader` may read.
    pub fn readable_by(owner: DomId, reader: DomId) -> Self {
        Self { owner, readers: vec![reader] }
    }

    fn writable(&self, by: DomId) -> bool {
        by.0 == 0 || by == self.owner
    }

    fn readable(&self, by: DomId) -> bool {
        self.writable(by) || self.readers.contains(&by)
    }
}

/// A node.
#[derive(Clone, Debug)]
pub struct Node {
    value: Vec<u8>,
    perms: Perms,
    generation: u64,
}

/// All nodes, by their absolute path.
#[derive(Clone, Debug)]
pub struct Tree {
    nodes: BTreeMap<String, Node>,
    generation: u64,
}

impl Tree {
    /// The root alone.
    pub(super) fn new() -> Self {
        let root = Node { value: Vec::new(), perms: Perms::owned_by(DomId(0)), generation: 0 };
        Self { nodes: BTreeMap::from([("/".to_string(), root)]), generation: 0 }
    }

    /// A node's value.
    ///
    /// # Errors
    /// `ENOENT`, `EACCES`; of a node that is not there, nobody is told who may not read the nearest
    /// one above it (`errno_from_parents`).
    pub fn read(&self, by: DomId, path: &str) -> Result<&[u8], Refusal> {
        match self.nearest(path) {
            (_, node) if !node.perms.readable(by) => Err(EACCES),
            (found, node) if found == path => Ok(&node.value),
            _ => Err(ENOENT),
        }
    }

    /// A node's value as text, for peers that run as domain 0; empty when there is none.
    pub fn text(&self, path: &str) -> String {
        let value = self.read(DomId(0), path).unwrap_or_default();
        String::from_utf8_lossy(value).into_owned()
    }

    /// Sets a value, making the node and its parents if need be.
    ///
    /// # Errors
    /// `EACCES`.
    pub fn write(&mut self, by: DomId, path: &str, value: &[u8]) -> Result<(), Refusal> {
        self.generation += 1;
        if let Some(node) = self.nodes.get_mut(path) {
            if !node.perms.writable(by) {
                return Err(EACCES);
            }
            node.value = value.to_vec();
            node.generation = self.generation;
            return Ok(());
        }
        // The nearest ancestor decides, and gives its permissions on.
        let (_, above) = self.nearest(path);
        if !above.perms.writable(by) {
            return Err(EACCES);
        }
        let mut perms = above.perms.clone();
        if by.0 != 0 {
            perms.owner = by;
        }
        let node = |value: &[u8]| Node {
            value: value.to_vec(),
            perms: perms.clone(),
            generation: self.generation,
        };
        for above in ancestors(path) {
            if self.nodes.contains_key(above) {
                break;
            }
            self.nodes.insert(above.to_string(), node(b""));
        }
        self.nodes.insert(path.to_string(), node(value));
        Ok(())
    }

    /// Makes a node as the tool stack does, with permissions of its own.
    pub fn make(&mut self, path: &str, value: &str, perms: Perms) {
        self.write(DomId(0), path, value.as_bytes()).expect("domain 0 may");
        self.nodes.get_mut(path).expect("just written").perms = perms;
    }

    /// Removes a node and all below it.
    ///
    /// # Errors
    /// `ENOENT`, `EACCES`; `EINVAL` for the root.
    pub fn remove(&mut self, by: DomId, path: &str) -> Result<(), Refusal> {
        if path == "/" {
            return Err(EINVAL);
        }
        let node = self.nodes.get(path).ok_or(ENOENT)?;
        if !node.perms.writable(by) {
            return Err(EACCES);
        }
        self.nodes.retain(|candidate, _| !is_at_or_below(candidate, path));
        self.touch(path);
        Ok(())
    }

    /// The names of a node's children.
    ///
    /// # Errors
    /// `ENOENT`, `EACCES`.
    pub fn children(&self, by: DomId, path: &str) -> Result<Vec<&str>, Refusal> {
        self.read(by, path)?;
        let prefix = if path == "/" { "/".to_string() } else { format!("{path}/") };
        let below = self.nodes.range(prefix.clone()..);
        let names = below
            .map_while(|(path, _)| path.strip_prefix(&prefix))
            .filter(|rest| !rest.is_empty() && !rest.contains('/'));
        Ok(names.collect())
    }

    /// Changes with each change of the node, or of the nearest one above it when there is none.
    pub fn generation(&self, path: &str) -> (bool, u64) {
        let (found, node) = self.nearest(path);
        (found == path, node.generation)
    }

    /// Changes a node's generation alone, or that of the nearest one above it.
    pub fn touch(&mut self, path: &str) {
        let found = self.nearest(path).0.to_string();
        self.generation += 1;
        self.nodes.get_mut(&found).expect("just found").generation = self.generation;
    }

    /// Nodes that a domain owns.
    pub fn owned(&self, by: DomId) -> usize {
        self.nodes.values().filter(|node| node.perms.owner == by).count()
    }

    fn nearest(&self, path: &str) -> (&str, &Node) {
        let (found, node) = std::iter::once(path)
            .chain(ancestors(path))
            .find_map(|path| self.nodes.get_key_value(path))
            .expect("the root is always there");
        (found, node)
    }
}

/// The paths above `path`, nearest first, the root last.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    let slashes = path.rmatch_indices('/');
    slashes.map(|(at, _)| if at == 0 { "/" } else { &path[..at] })
}

/// Returns whether `path` is `top` or below it.
pub fn is_at_or_below(path: &str, top: &str) -> bool {
    let rest = path.strip_prefix(top);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || top == "/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_follow_the_nearest_ancestor() {
        let mut tree = Tree::new();
        let guest = DomId(1);
        tree.make("/a", "", Perms::readable_by(DomId(0), guest));
        tree.make("/a/own", "", Perms::owned_by(guest));
        assert_eq!(tree.write(guest, "/a/x", b"1"), Err(EACCES));
        assert_eq!(tree.write(guest, "/a/own/deep/er", b"1"), Ok(()));
        assert_eq!(tree.children(guest, "/a"), Ok(vec!["own"]));
        assert_eq!(tree.read(guest, "/a/own/deep"), Ok(&[][..]));
        assert_eq!(tree.read(DomId(2), "/a/own/deep/er"), Err(EACCES));
        assert_eq!(tree.read(guest, "/a/none/at/all"), Err(ENOENT));
        assert_eq!(tree.read(DomId(2), "/a/none/at/all"), Err(EACCES));
        assert_eq!(tree.remove(guest, "/a"), Err(EACCES));
        assert_eq!(tree.remove(guest, "/a/own/deep"), Ok(()));
        assert_eq!(tree.read(guest, "/a/own/deep/er"), Err(ENOENT));
    }

    #[test]
    fn a_node_that_is_made_or_removed_changes_its_generation() {
        let mut tree = Tree::new();
        let before = tree.generation("/x/y");
        tree.make("/x/y", "", Perms::owned_by(DomId(0)));
        let made = tree.generation("/x/y");
        assert_ne!(before, made);
        tree.remove(DomId(0), "/x/y").unwrap();
        let removed = tree.generation("/x/y");
        assert_ne!(made, removed);
        assert_ne!(before, removed);
    }
}
