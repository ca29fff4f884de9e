//! Files that the user names for what a run makes: one that somebody else made is never replaced,
//! and an older one of the same kind only at the end, by a whole one.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process;

use anyhow::{Context, Result, bail, ensure};
use plots::page::is_page;
use results::Saved;

/// Files that the user names.
#[derive(Default)]
pub(crate) struct Outputs {
    /// Place of the page of plots.
    pub(crate) report: Option<Destination>,
    /// Place of the results with their costs.
    pub(crate) costs: Option<Destination>,
}

impl Outputs {
    /// Takes note of them.
    ///
    /// # Errors
    /// When one cannot be written, or something would be lost: that should show before anything is
    /// measured.
    pub(crate) fn new(report: Option<&Path>, costs: Option<&Path>) -> Result<Self> {
        let report = report.map(|path| Destination::new(path, "a page of plots", is_page));
        let costs = costs.map(|path| Destination::new(path, "results of runs", is_saved));
        let (report, costs) = (report.transpose()?, costs.transpose()?);
        if let (Some(Destination(report)), Some(Destination(costs))) = (&report, &costs) {
            ensure!(report != costs, "--report and --costs are the same file");
        }
        Ok(Self { report, costs })
    }
}

/// Returns whether a file is empty or has results of runs.
fn is_saved(file: File) -> io::Result<bool> {
    let mut start = Vec::new();
    file.take(Saved::MARK.len() as u64).read_to_end(&mut start)?;
    Ok(start.is_empty() || start == Saved::MARK.as_bytes())
}

/// A file that will be written.
#[derive(Debug)]
pub(crate) struct Destination(PathBuf);

impl Destination {
    /// A destination whose file, if there is one, is `kind`, as `is_kind` tells.
    fn new(path: &Path, kind: &str, is_kind: impl Fn(File) -> io::Result<bool>) -> Result<Self> {
        let named = || path.display().to_string();
        let (Some(name), Some(directory)) = (path.file_name(), path.parent()) else {
            bail!("{} is no name of a file", named());
        };
        let directory = if directory == Path::new("") { Path::new(".") } else { directory };
        // A link stays, and what it leads to is replaced.
        let place = fs::canonicalize(path)
            .or_else(|_| Ok::<_, io::Error>(fs::canonicalize(directory)?.join(name)))
            .with_context(|| format!("cannot write {}", named()))?;
        let destination = Self(place);
        if destination.is_special() {
            return Ok(destination);
        }
        if destination.0.exists() {
            let known = File::open(&destination.0).and_then(is_kind).with_context(named)?;
            ensure!(known, "{} is there and is not {kind}; remove it, or name another", named());
        }
        let draft = destination.draft();
        File::create(&draft).with_context(|| format!("cannot write {}", named()))?;
        fs::remove_file(&draft)?;
        Ok(destination)
    }

    /// Returns its path.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes it: all or nothing.
    ///
    /// # Errors
    /// When that is not possible.
    pub(crate) fn write(&self, text: &str) -> io::Result<()> {
        if self.is_special() {
            return fs::write(&self.0, text);
        }
        let draft = self.draft();
        let written = fs::write(&draft, text).and_then(|()| fs::rename(&draft, &self.0));
        if written.is_err() {
            // The error to tell is the first.
            let _ = fs::remove_file(&draft);
        }
        written
    }

    /// Returns whether it is a pipe or a device, which nothing can replace.
    fn is_special(&self) -> bool {
        self.0.metadata().is_ok_and(|found| !found.is_file() && !found.is_dir())
    }

    fn draft(&self) -> PathBuf {
        let mut name = self.0.as_os_str().to_owned();
        name.push(format!(".{}.draft", process::id()));
        name.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory for files, which are gone with it.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let name = format!("ringmark-destination-{name}-{}", process::id());
            let path = std::env::temp_dir().join(name);
            fs::create_dir(&path).unwrap();
            Self(path)
        }

        fn file(&self, name: &str, text: &str) -> PathBuf {
            let path = self.0.join(name);
            fs::write(&path, text).unwrap();
            path
        }

        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(&self.0).unwrap();
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn what_somebody_else_made_stays() {
        let scratch = Scratch::new("stays");
        let page = scratch.file("page", &plots::page::page(&[], &[], "about"));
        let results = scratch.file("results", &Saved::default().json().unwrap());
        let (empty, other) = (scratch.file("empty", ""), scratch.file("other", "precious"));
        let (none, nowhere) = (scratch.0.join("none"), scratch.0.join("no/where"));
        let new = |report: &Path, costs: &Path| {
            let made = Outputs::new(Some(report), Some(costs));
            made.err().map(|error| format!("{error:#}")).unwrap_or_default()
        };
        for (report, costs, expected) in [
            (&page, &results, ""),
            (&empty, &none, ""),
            (&none, &empty, ""),
            (&other, &none, "other is there and is not a page of plots"),
            (&results, &none, "results is there and is not a page"),
            (&none, &page, "page is there and is not results of runs"),
            (&none, &nowhere, "cannot write"),
            (&scratch.0, &none, "Is a directory"),
            (
                &none,
                &scratch.0.join("../").join(scratch.0.file_name().unwrap()).join("none"),
                "same",
            ),
        ] {
            let error = new(report, costs);
            assert!(error.contains(expected) && error.is_empty() == expected.is_empty(), "{error}");
        }
        assert_eq!(scratch.names().len(), 4, "nothing was made: {:?}", scratch.names());
        assert_eq!(fs::read_to_string(&other).unwrap(), "precious");
    }

    #[test]
    fn a_page_is_replaced_at_the_end() {
        let scratch = Scratch::new("replaced");
        let old = plots::page::page(&[], &[], "old");
        let page = scratch.file("page", &old);
        let link = scratch.0.join("link");
        std::os::unix::fs::symlink(&page, &link).unwrap();
        let outputs = Outputs::new(Some(&link), None).unwrap();
        assert_eq!(fs::read_to_string(&page).unwrap(), old);
        outputs.report.unwrap().write("new").unwrap();
        assert_eq!(fs::read_to_string(&page).unwrap(), "new");
        assert!(link.is_symlink());
        assert_eq!(scratch.names().len(), 2);
        let device = Outputs::new(Some(Path::new("/dev/null")), None).unwrap();
        device.report.unwrap().write("text").unwrap();
    }
}
