//! Licences of the crates that guest and tool are made of: each asks for its text to go along.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// Packages whose programs are packed.
const PACKED: [&str; 2] = ["dom0", "kernel"];
/// Beginnings of the names of files that have a licence.
const BEGINNINGS: [&str; 4] = ["LICENSE", "LICENCE", "COPYING", "NOTICE"];
/// Beginning of the list: all that is no crate.
const OTHERS: &str = "\
bin/ringmark and lib/ringmark/ringmark are ringmark's own, MIT or Apache-2.0 at your option. They
have parts of the crates below, whose licences are in the directories of their names; of Rust's
standard library (MIT or Apache-2.0, https://github.com/rust-lang/rust); and bin/ringmark of the GNU
C library (LGPL-2.1 or later, https://www.gnu.org/software/libc/), to which it can be linked anew
from ringmark's source.

";

/// Returns the files by their paths: a list of all crates, and the texts of each.
///
/// # Errors
/// When cargo does not tell of the crates, or a text cannot be read.
pub(super) fn all(source: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let done = Command::new("cargo")
        .args(["metadata", "--format-version=1", "--locked"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(source)
        .output()
        .context("cannot run cargo")?;
    ensure!(done.status.success(), "cargo: {}", String::from_utf8_lossy(&done.stderr).trim());
    let told: Value = serde_json::from_slice(&done.stdout).context("cargo tells no JSON")?;
    let needed = needed(&told);
    let (mut files, mut list) = (BTreeMap::new(), OTHERS.to_owned());
    for package in told["packages"].as_array().into_iter().flatten() {
        // Those without a source are ours.
        let is_foreign = package["source"].is_string();
        if !is_foreign || !needed.contains(package["id"].as_str().unwrap_or_default()) {
            continue;
        }
        let text = |name: &str| package[name].as_str().unwrap_or_default();
        let name = format!("{}-{}", text("name"), text("version"));
        let place = Path::new(text("manifest_path")).parent().context("cargo tells no path")?;
        let texts = texts(place)?;
        let none = if texts.is_empty() { ", of which its source has no text" } else { "" };
        list.push_str(&format!("{name}: {}{none}\n", text("license")));
        for (file, content) in texts {
            files.insert(format!("{name}/{file}"), content);
        }
    }
    files.insert("README".to_owned(), list.into_bytes());
    Ok(files)
}

/// Returns the packages that the packed ones are built of, themselves among them.
fn needed(told: &Value) -> BTreeSet<&str> {
    let packages = told["packages"].as_array().into_iter().flatten();
    let ours = packages.filter(|of| of["source"].is_null());
    let roots = ours.filter(|of| of["name"].as_str().is_some_and(|name| PACKED.contains(&name)));
    let mut left: Vec<&str> = roots.filter_map(|of| of["id"].as_str()).collect();
    let nodes = || told["resolve"]["nodes"].as_array().into_iter().flatten();
    let nodes: BTreeMap<&str, &Value> =
        nodes().filter_map(|node| Some((node["id"].as_str()?, node))).collect();
    let mut needed = BTreeSet::new();
    while let Some(id) = left.pop() {
        if !needed.insert(id) {
            continue;
        }
        let deps = nodes.get(id).and_then(|node| node["deps"].as_array()).into_iter().flatten();
        // A kind of null is neither of tests nor of a build script.
        let is_linked = |of: &&Value| {
            of["dep_kinds"].as_array().into_iter().flatten().any(|kind| kind["kind"].is_null())
        };
        left.extend(deps.filter(is_linked).filter_map(|of| of["pkg"].as_str()));
    }
    needed
}

/// Returns the licences in a directory.
fn texts(place: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let mut texts = Vec::new();
    let why = || format!("cannot read {}", place.display());
    for entry in fs::read_dir(place).with_context(why)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let upper = name.to_uppercase();
        if path.is_file() && BEGINNINGS.iter().any(|begin| upper.starts_with(begin)) {
            texts.push((name, fs::read(&path).with_context(why)?));
        }
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_linked_has_its_licence_and_what_tests_is_left_out() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let all = all(&source).unwrap();
        let list = String::from_utf8(all["README"].clone()).unwrap();
        for name in ["\nclap-4.", "\nbootloader_api-0.11.17: MIT OR Apache-2.0", "\nserde-1."] {
            assert!(list.contains(name), "{name}: {list}");
        }
        assert!(!list.contains("\nloom-") && !list.contains("\ncriterion-"), "{list}");
        let has_text = |name: &str| all.keys().any(|path| path.starts_with(name));
        assert!(has_text("clap-4.") && has_text("nix-0."));
    }
}
