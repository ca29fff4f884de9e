//! Paths on the command line, which are the caller's: run.sh goes to the tree.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Variable in which run.sh leaves the directory that it was started in.
const CALLER: &str = "RINGMARK_CALLER";

/// Returns a path as the user means it.
pub(crate) fn from_caller(path: PathBuf) -> PathBuf {
    from(env::var_os(CALLER).as_deref(), &path)
}

fn from(directory: Option<&OsStr>, path: &Path) -> PathBuf {
    directory.map_or(path.to_owned(), |directory| Path::new(directory).join(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_the_callers() {
        let from = |directory: Option<&str>, path| from(directory.map(OsStr::new), Path::new(path));
        assert_eq!(from(Some("/home/a"), "b/c.html"), Path::new("/home/a/b/c.html"));
        assert_eq!(from(Some("/home/a"), "/b/c.html"), Path::new("/b/c.html"));
        assert_eq!(from(None, "c.html"), Path::new("c.html"));
    }
}
