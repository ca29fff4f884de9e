//! The tree as text: the crates of the workspace and the Rust files of each.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A crate's Rust files, by their paths from the workspace's root.
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) files: BTreeMap<String, String>,
}

impl Package {
    /// Returns whether a file is a test program's, or a part of one.
    pub(crate) fn is_test(&self, path: &str) -> bool {
        path.strip_prefix(&self.name).is_some_and(|rest| rest.starts_with("/tests/"))
    }
}

/// Returns the text of a file, given by its path from the workspace's root.
pub(crate) fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns the crates of the workspace, in the manifest's order.
pub(crate) fn packages() -> Vec<Package> {
    let manifest = text("Cargo.toml");
    let (_, rest) = manifest.split_once("members = [").expect("a list of members");
    let (list, _) = rest.split_once(']').expect("the list ends");
    let names = list.split(',').map(|name| name.trim().trim_matches('"'));
    names.filter(|name| !name.is_empty()).map(package).collect()
}

fn package(name: &str) -> Package {
    let mut files = BTreeMap::new();
    walk(&root().join(name), &mut files);
    assert!(!files.is_empty(), "{name} has no Rust file");
    Package { name: name.to_string(), files }
}

fn walk(directory: &Path, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
            let text = text(&name);
            files.insert(name, text);
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace").to_path_buf()
}
