//! The mutants, as they stand in `model/mutants/*.txt`.
//!
//! Such a file begins with the source file, and with what is to be tried first, as `cargo test`
//! would be told; each further paragraph is a mutant:
//!
//! ```text
//! drivers/src/ring.rs
//! -p drivers --lib
//! -p model --test faults -- ring
//!
//! NAME: what it breaks
//! - text, one or more lines, that occurs in the source exactly once
//! + what stands there instead, one or more lines
//! = why no test can tell the difference, if so
//! ```

use std::path::Path;
use std::{fmt, fs};

use anyhow::{Context, Result, bail, ensure};

/// One way to break a source file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mutant {
    /// The list's name, a slash, and its own.
    pub(super) name: String,
    /// The source file, from the root of the workspace on.
    pub(super) file: String,
    /// Trials to run before all suites.
    pub(super) first: Vec<Trial>,
    pub(super) breaks: String,
    text: String,
    replacement: String,
    /// Why it is no fault, if so.
    pub(super) equivalent: Option<String>,
}

/// A suite, or some of its tests.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Trial {
    pub(super) suite: String,
    /// Part of the tests' names.
    pub(super) filter: Option<String>,
}

impl Trial {
    pub(super) fn whole(suite: &str) -> Self {
        Self { suite: suite.to_owned(), filter: None }
    }

    fn parse(line: &str) -> Self {
        match line.split_once(" -- ") {
            Some((suite, filter)) => Self { filter: Some(filter.to_owned()), ..Self::whole(suite) },
            None => Self::whole(line),
        }
    }
}

impl fmt::Display for Trial {
    /// Writes the trial as `cargo test` is told it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.filter {
            Some(filter) => write!(f, "{} -- {filter}", self.suite),
            None => f.write_str(&self.suite),
        }
    }
}

impl Mutant {
    /// The source with the mutant in it.
    ///
    /// # Errors
    /// If its text is not there exactly once, which would leave open what is broken.
    pub(super) fn apply(&self, source: &str) -> Result<String> {
        let count = source.matches(&self.text).count();
        let Self { name, file, text, .. } = self;
        ensure!(
            count == 1,
            "mutant {name}: its text is in {file} {count} times, must be once; adapt it in \
             model/mutants: {text:?}"
        );
        Ok(source.replacen(text, &self.replacement, 1))
    }
}

/// All mutants, list by list.
///
/// # Errors
/// If a list cannot be read; names its line.
pub(super) fn load() -> Result<Vec<Mutant>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("mutants");
    let entries = fs::read_dir(&directory).with_context(|| directory.display().to_string())?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    let mut mutants = Vec::new();
    for path in paths {
        let list = path.file_stem().unwrap_or_default().to_string_lossy();
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        mutants.extend(parse(&list, &text).with_context(|| path.display().to_string())?);
    }
    Ok(mutants)
}

fn parse(list: &str, text: &str) -> Result<Vec<Mutant>> {
    let mut paragraphs = text.split("\n\n").map(str::trim_end).filter(|part| !part.is_empty());
    let mut head = paragraphs.next().unwrap_or_default().lines();
    let file = head.next().context("empty; begin with the source file's path")?;
    let first: Vec<Trial> = head.map(Trial::parse).collect();
    paragraphs.map(|paragraph| mutant(list, file, &first, paragraph)).collect()
}

fn mutant(list: &str, file: &str, first: &[Trial], paragraph: &str) -> Result<Mutant> {
    let (head, body) = paragraph.split_once('\n').unwrap_or((paragraph, ""));
    let (name, breaks) =
        head.split_once(": ").with_context(|| format!("{head:?} is not NAME: what it breaks"))?;
    let part = |mark| {
        let of_mark = |line: &'_ str| {
            let rest = line.strip_prefix(mark)?;
            Some(rest.strip_prefix(' ').unwrap_or(rest).to_owned())
        };
        body.lines().filter_map(of_mark).collect::<Vec<_>>()
    };
    if let Some(line) = body.lines().find(|line| !line.starts_with(['-', '+', '='])) {
        bail!("{name}: {line:?} begins with none of - + =");
    }
    let (text, replacement, equivalent) = (part('-'), part('+'), part('='));
    ensure!(!text.is_empty() && !replacement.is_empty(), "{name}: needs both - and + lines");
    Ok(Mutant {
        name: format!("{list}/{name}"),
        file: file.to_owned(),
        first: first.to_vec(),
        breaks: breaks.to_owned(),
        text: text.join("\n"),
        replacement: replacement.join("\n"),
        equivalent: (!equivalent.is_empty()).then(|| equivalent.join(" ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_mutant_has_its_own_name_and_fits_the_source_exactly_once() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
        let mutants = load().unwrap();
        let names: BTreeSet<&str> = mutants.iter().map(|mutant| mutant.name.as_str()).collect();
        assert_eq!(names.len(), mutants.len());
        let wrong: Vec<String> = mutants
            .iter()
            .filter_map(|mutant| {
                let source = fs::read_to_string(root.join(&mutant.file)).unwrap();
                let broken = match mutant.apply(&source) {
                    Ok(broken) => broken,
                    Err(error) => return Some(error.to_string()),
                };
                (broken == source).then(|| format!("mutant {}: changes nothing", mutant.name))
            })
            .collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    /// Checks that a filter stands behind `--`: without it no suite has that name.
    #[test]
    fn lists_name_suites_as_cargo_builds_them() {
        for Mutant { name, first, .. } in load().unwrap() {
            for Trial { suite, .. } in first {
                let words: Vec<&str> = suite.split(' ').collect();
                let is_suite =
                    matches!(words[..], ["-p", _, "--lib"] | ["-p", _, "--test" | "--bin", _]);
                assert!(is_suite, "{name}: {suite}");
            }
        }
    }

    #[test]
    fn a_list_is_read() {
        let text = "a/b.rs\n-p a --lib -- it\n\nx: does x\n- one\n-   two\n+\n\ny: does y\n- 1\n+ 2\n= so\n= there\n";
        let mutants = parse("b", text).unwrap();
        assert_eq!(mutants[0].name, "b/x");
        let it = Trial { suite: "-p a --lib".into(), filter: Some("it".into()) };
        assert_eq!(mutants[0].first, [it]);
        assert_eq!(mutants[0].apply("(one\n  two)").unwrap(), "()");
        assert!(mutants[0].apply("one").is_err());
        assert_eq!(mutants[1].apply("1 3").unwrap(), "2 3");
        assert!(mutants[1].apply("1 1").is_err());
        assert_eq!(mutants[1].equivalent.as_deref(), Some("so there"));
        for wrong in ["", "a.rs\n\nx does x", "a.rs\n\nx: y\n- 1", "a.rs\n\nx: y\n- 1\n+ 2\n3"] {
            assert!(parse("b", wrong).is_err(), "{wrong:?}");
        }
    }
}
