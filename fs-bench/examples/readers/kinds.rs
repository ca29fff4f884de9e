//! Kinds of disagreements between two readers, and the reason for each.

use std::collections::BTreeMap;

use crate::tree::{Node, Tree};
use crate::tsk::WHITEOUT;

/// Names of the readers, in the order of [`Trees`].
pub const NAMES: [&str; 3] = ["ours", "rufs", "TSK"];
/// Trees of one image by our reader, rufs and The Sleuth Kit.
pub type Trees = [Tree; 3];

const OURS: usize = 0;
const OURS_HAS_AN_ERROR: &str = ", where ours has an error";

/// Answer of a reader about a name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Answer {
    Bytes,
    /// Refusal of the name, a directory above it, or all.
    Error,
    /// Nothing: the name is left out, without an error.
    Nothing,
}

/// Disagreement of two readers: who, and how.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    pub pair: (usize, usize),
    pub what: String,
}

/// Images and names with a kind, and the first case.
#[derive(Clone, Copy, Debug)]
pub struct Count {
    pub images: u64,
    pub names: u64,
    pub first: u64,
}

pub type Kinds = BTreeMap<Kind, Count>;

/// Counts the disagreements about one image.
pub fn compare(trees: &Trees, case: u64, kinds: &mut Kinds) {
    let mut names: BTreeMap<Kind, u64> = BTreeMap::new();
    for pair in [(0, 1), (0, 2), (1, 2)] {
        let mut count = |what| *names.entry(Kind { pair, what }).or_default() += 1;
        let (left, right) = (&trees[pair.0], &trees[pair.1]);
        match (left.is_refused(), right.is_refused()) {
            (true, true) => continue,
            (true, false) => count(refusal(pair.0, left.end.as_deref())),
            (false, true) => count(refusal(pair.1, right.end.as_deref())),
            (false, false) => {
                let mut paths: Vec<&str> = [left, right]
                    .iter()
                    .flat_map(|tree| tree.nodes().map(|(path, _)| path))
                    .collect();
                paths.sort_unstable();
                paths.dedup();
                paths
                    .into_iter()
                    .filter_map(|path| differs(trees, pair, path))
                    .for_each(&mut count);
            }
        }
    }
    for (kind, names) in names {
        let count = kinds.entry(kind).or_insert(Count { images: 0, names: 0, first: case });
        count.images += 1;
        count.names += names;
        count.first = count.first.min(case);
    }
}

fn refusal(reader: usize, why: Option<&str>) -> String {
    format!("{}: {}", NAMES[reader], why.unwrap_or_default())
}

fn answer(tree: &Tree, path: &str) -> Answer {
    match (tree.get(path), tree.refusal(path)) {
        (_, Some(_)) => Answer::Error,
        (Some(_), None) => Answer::Bytes,
        (None, None) => Answer::Nothing,
    }
}

/// Returns how two readers disagree about a path.
fn differs(trees: &Trees, pair: (usize, usize), path: &str) -> Option<String> {
    let (left, right) = (&trees[pair.0], &trees[pair.1]);
    let left_out = |reader: usize| {
        format!("{} leaves a name out{}", NAMES[reader], of_ours(trees, pair, path))
    };
    match (answer(left, path), answer(right, path)) {
        (Answer::Nothing, Answer::Error) if right.refusal(path) == Some(WHITEOUT) => {
            Some(refusal(pair.1, Some(WHITEOUT)))
        }
        (Answer::Error, Answer::Bytes) => Some(refusal(pair.0, left.refusal(path))),
        (Answer::Bytes, Answer::Error) => Some(refusal(pair.1, right.refusal(path))),
        (Answer::Nothing, Answer::Bytes) => Some(left_out(pair.0)),
        (Answer::Bytes, Answer::Nothing) => Some(left_out(pair.1)),
        (Answer::Bytes, Answer::Bytes) => {
            let (one, other) = (left.get(path)?, right.get(path)?);
            (!one.agrees(other)).then(|| contents(trees, pair, path, (one, other)))
        }
        // Neither has an answer.
        _ => None,
    }
}

/// Says that our reader has an error where the two others disagree.
fn of_ours(trees: &Trees, pair: (usize, usize), path: &str) -> &'static str {
    let ours = &trees[OURS];
    let refused = ours.is_refused() || ours.refusal(path).is_some();
    if pair.0 != OURS && refused { OURS_HAS_AN_ERROR } else { "" }
}

/// Says how two answers about one path differ, and who is alone with its own.
fn contents(trees: &Trees, pair: (usize, usize), path: &str, nodes: (&Node, &Node)) -> String {
    let what = match nodes {
        (Node::Symlink(one), Node::Symlink(other)) if is_cut(one, other) => "target up to a NUL",
        (Node::Symlink(_), Node::Symlink(_)) => "target",
        (Node::File(one, _) | Node::Long(one), Node::File(other, _) | Node::Long(other)) => {
            if one == other { "bytes" } else { "size" }
        }
        _ => "type",
    };
    let third = 3 - pair.0 - pair.1;
    let agrees = |node: &Node| trees[third].get(path).is_some_and(|one| one.agrees(node));
    let snapshot = if trees[OURS].snapshots.contains(path) { " of a snapshot" } else { "" };
    let alone = match (agrees(nodes.0), agrees(nodes.1)) {
        (true, _) => NAMES[pair.1],
        (_, true) => NAMES[pair.0],
        _ => match of_ours(trees, pair, path) {
            "" => return format!("other {what}{snapshot}, no two agree"),
            error => return format!("other {what}{error}"),
        },
    };
    format!("other {what}{snapshot}, {alone} alone")
}

/// Returns whether the second target ends where the first has a character that is not shown.
fn is_cut(one: &str, other: &str) -> bool {
    one.strip_prefix(other).is_some_and(|rest| rest.starts_with('^'))
}

/// Returns the reason for a kind; `None` if it is not known, or our reader is the one that is
/// wrong.
pub fn reason(kind: &Kind) -> Option<&'static str> {
    REASONS.iter().find(|(start, _)| kind.what.starts_with(start)).map(|(_, reason)| *reason)
}

/// Beginnings of kinds, each with its reason; the first that fits counts.
const REASONS: &[(&str, &str)] = &[
    ("ours: superblock", "a field contradicts others; rufs and TSK check few of them"),
    ("ours: group", "a group's magic number, place, sizes or hash; the others read inodes without"),
    ("ours: di_ckhash", "the inode's hash is wrong; the others look at none"),
    ("ours: di_mode", "no type of an inode in use"),
    ("ours: di_nlink", "no name counts, so the inode is free"),
    ("ours: di_size", "no size of such an inode, or beyond what pointers reach"),
    ("ours: block pointer", "out of the data areas; the others read zeros or metadata there"),
    ("ours: d_ino", "no inode of the volume, or . and .. are not the first entries"),
    ("ours: d_reclen", "impossible; the others skip or guess"),
    ("ours: d_namlen", "impossible; the others cut the name"),
    ("ours: d_name's", "NUL or / in a name, or no NUL behind it; the others cut or show it"),
    ("ours: ino", "the entry's inode is none of the volume"),
    ("ours: a snapshot", "marked as invalid (SF_SNAPINVAL)"),
    ("ours: outside the disk", "what lies there cannot be read"),
    ("rufs: invalid superblock magic number", "it reads UFS2 at 65536 only"),
    ("rufs: Input/output error", "its checks of the superblock, groups and inline symlinks"),
    ("rufs: Invalid argument", "an inode without a type, a block beyond the third level"),
    ("rufs: panic", "it panics on values that it takes for impossible"),
    ("rufs: took long", "it reads what a size says, block by block"),
    ("rufs: killed", "it takes more memory than it is given"),
    ("rufs: ", "it refuses the name, by a check of its own"),
    ("TSK: whiteout", "it lists names of type 14, which hide one of a lower layer"),
    ("TSK: deleted", "it goes by the group's map of free inodes"),
    ("TSK: another d_type", "it does not enter a directory whose entry has another type"),
    ("TSK: no inode", "an inode without a type"),
    ("TSK: no sum", "it stops at a block outside the volume"),
    ("TSK: no target", "it looks for the target in blocks, or in the inode, by another rule"),
    ("TSK: killed", "it takes more than a second of CPU or its memory, or waits for itself"),
    ("TSK: Cannot determine", "its checks of the superblock"),
    ("TSK: Error extracting", "it refuses the directory or inode, and ends there"),
    ("TSK: ", "it refuses the name, by a check of its own"),
    ("rufs leaves a name out", "of 512 bytes it reads no entry behind a free one"),
    ("TSK leaves a name out, where ours", "after an impossible entry each goes on elsewhere"),
    ("other target up to a NUL, TSK alone", "it ends a target at a NUL, not at di_size"),
    ("other target up to a NUL, no two agree", "it ends a target at a NUL, not at di_size"),
    ("other target, no two agree", "short, with blocks: in the inode by fs_maxsymlinklen alone"),
    ("other bytes of a snapshot", "the others don't know snapshots: pointers 0, 1 and 2"),
    ("other bytes, where ours", "each reads something else where nothing is right"),
    ("other size, where ours", "each reads something else where nothing is right"),
    ("other target, where ours", "each reads something else where nothing is right"),
    ("other target up to a NUL, where ours", "each reads something else where nothing is right"),
    ("other type, where ours", "each reads something else where nothing is right"),
];
