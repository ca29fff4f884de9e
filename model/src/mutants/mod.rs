//! `model mutants`: breaks drivers and load generator on purpose, one way at a time, and shows
//! that the tests notice each.
//!
//! [`list`] says how, [`tree`] holds the copy that is broken, [`suites`] builds and runs the tests,
//! [`report`] tells what came of it.

mod list;
mod report;
mod suites;
mod tree;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use list::{Mutant, Trial};
use suites::End;
use tree::Tree;

/// What was asked for.
#[derive(Args)]
pub(crate) struct Options {
    /// Only mutants with this in their name; may be given several times
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Print the mutants and do nothing
    #[arg(long)]
    list: bool,
}

/// What became of a mutant.
enum Fate {
    Killed {
        suite: String,
        test: String,
    },
    /// The suite did not end.
    ByTime {
        suite: String,
    },
    Survived,
    /// It is no Rust; what the compiler said.
    Unbuilt(String),
}

/// How long each suite may take, by its name, the fastest first.
type Limits = [(String, Duration)];

/// Does what was asked for; fails if a mutant survives that is not listed as equivalent, or one is
/// killed that is.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let mut mutants = list::load()?;
    let wanted = |mutant: &Mutant| options.only.iter().any(|part| mutant.name.contains(part));
    mutants.retain(|mutant| options.only.is_empty() || wanted(mutant));
    ensure!(!mutants.is_empty(), "no mutant is named {}; see --list", options.only.join(", "));
    if options.list {
        for Mutant { name, breaks, .. } in &mutants {
            println!("{name:40} {breaks}");
        }
        return Ok(ExitCode::SUCCESS);
    }

    let start = Instant::now();
    let tree = Tree::copy()?;
    for mutant in &mutants {
        mutant.apply(&tree.read(&mutant.file)?)?;
    }
    let limits = run_unbroken(&tree)?;
    let is_suite = |name: &String| limits.iter().any(|(suite, _)| suite == name);
    let mut trials = mutants.iter().flat_map(|mutant| &mutant.first);
    if let Some(Trial { suite, .. }) = trials.find(|trial| !is_suite(&trial.suite)) {
        bail!("model/mutants: {suite} is none of the suites above");
    }
    let mut fates = Vec::new();
    for (number, mutant) in mutants.iter().enumerate() {
        let began = Instant::now();
        let fate = try_one(&tree, mutant, &limits)?;
        let seconds = began.elapsed().as_secs_f64();
        let place = format!("[{}/{}]", number + 1, mutants.len());
        println!("{place:>9} {:40} {seconds:5.1} s  {fate}", mutant.name);
        fates.push(fate);
    }
    let all_well = report::print(&mutants, &fates);
    println!("{} mutants in {:.0} s", mutants.len(), start.elapsed().as_secs_f64());
    Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs all suites on the tree as it is; answers how long each may take from now on, the fastest
/// first.
fn run_unbroken(tree: &Tree) -> Result<Vec<(String, Duration)>> {
    println!("building the suites");
    let mut times = Vec::new();
    for suite in suites::build(tree, suites::ALL)? {
        let began = Instant::now();
        match suite.run(None, suites::UNBROKEN_LIMIT)? {
            End::Passed => times.push((suite.name, began.elapsed())),
            End::Failed(test) => bail!("the unbroken tree fails cargo test {}: {test}", suite.name),
            End::Hung => bail!("the unbroken tree hangs in cargo test {}", suite.name),
        }
    }
    times.sort_by_key(|(_, time)| *time);
    for (name, time) in &times {
        println!("{:7.2} s  cargo test {name}", time.as_secs_f64());
    }
    Ok(times.into_iter().map(|(name, time)| (name, suites::limit(time))).collect())
}

fn try_one(tree: &Tree, mutant: &Mutant, limits: &Limits) -> Result<Fate> {
    let source = tree.read(&mutant.file)?;
    tree.write(&mutant.file, &mutant.apply(&source)?)?;
    let fate = judge(tree, &mutant.first, limits);
    tree.write(&mutant.file, &source)?;
    fate
}

/// Tries what is named first, and then all suites. For a mutant that does not live longer, only what
/// is named first is built.
fn judge(tree: &Tree, first: &[Trial], limits: &Limits) -> Result<Fate> {
    for Trial { suite, filter } in first {
        let only = limits.iter().filter(|(name, _)| name == suite);
        match run_suites(tree, suite, filter.as_deref(), only)? {
            Fate::Survived => {}
            fate => return Ok(fate),
        }
    }
    let whole = |name: &String| first.iter().any(|t| t.suite == *name && t.filter.is_none());
    run_suites(tree, suites::ALL, None, limits.iter().filter(|(name, _)| !whole(name)))
}

fn run_suites<'a>(
    tree: &Tree,
    which: &str,
    filter: Option<&str>,
    limits: impl Iterator<Item = &'a (String, Duration)>,
) -> Result<Fate> {
    let suites = match suites::build(tree, which) {
        Ok(suites) => suites,
        Err(error) => return Ok(Fate::Unbuilt(error.to_string())),
    };
    for (name, limit) in limits {
        let suite = suites.iter().find(|suite| suite.name == *name);
        let suite = suite.with_context(|| format!("cargo did not build {name}"))?;
        match suite.run(filter, *limit)? {
            End::Passed => {}
            End::Failed(test) => return Ok(Fate::Killed { suite: name.clone(), test }),
            End::Hung => return Ok(Fate::ByTime { suite: name.clone() }),
        }
    }
    Ok(Fate::Survived)
}
