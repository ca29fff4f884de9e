//! `model mutants`: breaks drivers and load generator on purpose, one way at a time, and shows
//! that the tests notice each.
//!
//! [`list`] says how, [`tree`] holds the copy that is broken, [`suites`] builds and runs the tests,
//! [`fate`] is what became of one, and [`report`] the tables of all.

mod fate;
mod list;
mod report;
mod suites;
mod tree;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use clap::Args;

use fate::Fate;
use list::{Mutant, Trial};
use suites::{End, UNBROKEN_LIMIT};
use tree::Tree;

/// Options of the command.
#[derive(Args)]
pub(crate) struct Options {
    /// Only mutants with this in their name, or of a list, LIST/, from the name's beginning on; may
    /// be given several times
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Run only what the lists name first, and build nothing else; a mutant that survives that may
    /// die of another suite
    #[arg(long)]
    first: bool,
    /// Print the mutants and do nothing
    #[arg(long)]
    list: bool,
}

impl Options {
    /// Returns whether a mutant of this name is wanted.
    fn wants(&self, name: &str) -> bool {
        let is_of = |part: &String| match part.contains('/') {
            true => name.starts_with(part),
            false => name.contains(part),
        };
        self.only.is_empty() || self.only.iter().any(is_of)
    }
}

/// Does what was asked for; fails if a mutant survives that is not listed as equivalent, or one is
/// killed that is.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let mut mutants = list::load()?;
    mutants.retain(|mutant| options.wants(&mutant.name));
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
    let limits = run_unbroken(&tree, &mutants, options.first)?;
    let mut fates = Vec::new();
    for (number, mutant) in mutants.iter().enumerate() {
        let began = Instant::now();
        let fate = try_one(&tree, mutant, &limits, options.first)?;
        let seconds = began.elapsed().as_secs_f64();
        let place = format!("[{}/{}]", number + 1, mutants.len());
        println!("{place:>9} {:40} {seconds:5.1} s  {fate}", mutant.name);
        fates.push(fate);
    }
    let all_well = report::print(&mutants, &fates);
    println!("{} mutants in {:.0} s", mutants.len(), start.elapsed().as_secs_f64());
    Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Trials to run, and the time that each may take; the fastest first.
struct Limits(Vec<(Trial, Duration)>);

impl Limits {
    fn of(&self, trial: &Trial) -> Duration {
        self.0.iter().find(|(known, _)| known == trial).map_or(UNBROKEN_LIMIT, |(_, limit)| *limit)
    }

    /// All suites, each as a whole.
    fn suites(&self) -> impl Iterator<Item = &Trial> {
        self.0.iter().map(|(trial, _)| trial).filter(|trial| trial.filter.is_none())
    }
}

/// Runs all suites, unless it is to be `first` ones only, and all that the mutants name, on the
/// tree as it is.
fn run_unbroken(tree: &Tree, mutants: &[Mutant], first: bool) -> Result<Limits> {
    println!("building the suites");
    let mut trials: Vec<Trial> = mutants.iter().flat_map(|mutant| mutant.first.clone()).collect();
    let mut suites = Vec::new();
    if first {
        let names: BTreeSet<&str> = trials.iter().map(|trial| &*trial.suite).collect();
        for name in names {
            suites.extend(suites::build(tree, name)?);
        }
    } else {
        suites = suites::build(tree, suites::ALL)?;
        trials.extend(suites.iter().map(|suite| Trial::whole(&suite.name)));
    }
    trials.sort();
    trials.dedup();
    let mut times = Vec::new();
    for trial in trials {
        let began = Instant::now();
        match suites::run(&suites, &trial, UNBROKEN_LIMIT)? {
            End::Passed => times.push((trial, began.elapsed())),
            End::Failed(test) => bail!("the unbroken tree fails cargo test {trial}: {test}"),
            End::Hung => bail!("the unbroken tree hangs in cargo test {trial}"),
        }
    }
    times.sort_by_key(|(_, time)| *time);
    for (trial, time) in &times {
        println!("{:7.2} s  cargo test {trial}", time.as_secs_f64());
    }
    Ok(Limits(times.into_iter().map(|(trial, time)| (trial, suites::limit(time))).collect()))
}

fn try_one(tree: &Tree, mutant: &Mutant, limits: &Limits, first: bool) -> Result<Fate> {
    let source = tree.read(&mutant.file)?;
    tree.write(&mutant.file, &mutant.apply(&source)?)?;
    let fate = judge(tree, &mutant.first, limits, first);
    tree.write(&mutant.file, &source)?;
    fate
}

/// Tries what is named first, and then all suites unless it is to be those `first` only. For a
/// mutant that does not live longer, only what is named first is built.
fn judge(tree: &Tree, named: &[Trial], limits: &Limits, first: bool) -> Result<Fate> {
    for trial in named {
        match attempt(tree, &trial.suite, [trial].into_iter(), limits)? {
            Fate::Survived => {}
            fate => return Ok(fate),
        }
    }
    if first {
        return Ok(Fate::Survived);
    }
    let others = limits.suites().filter(|suite| !named.contains(suite));
    attempt(tree, suites::ALL, others, limits)
}

/// Builds `which`, and runs trials until one does not pass.
fn attempt<'a>(
    tree: &Tree,
    which: &str,
    mut trials: impl Iterator<Item = &'a Trial>,
    limits: &Limits,
) -> Result<Fate> {
    let suites = match suites::build(tree, which) {
        Ok(suites) => suites,
        Err(error) => return Ok(Fate::Unbuilt(error.to_string())),
    };
    let fate = trials.find_map(|trial| {
        let suite = trial.suite.clone();
        match suites::run(&suites, trial, limits.of(trial)) {
            Ok(End::Passed) => None,
            Ok(End::Failed(test)) => Some(Ok(Fate::Killed { suite, test })),
            Ok(End::Hung) => Some(Ok(Fate::ByTime { suite })),
            Err(error) => Some(Err(error)),
        }
    });
    fate.unwrap_or(Ok(Fate::Survived))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_named_from_the_beginning_on() {
        let wants = |only: &[&str], name| {
            let only = only.iter().map(|part| (*part).to_owned()).collect();
            Options { only, first: false, list: false }.wants(name)
        };
        for (only, name, is_wanted) in [
            (&[][..], "plan/first", true),
            (&["plan/"], "plan/first", true),
            (&["plan/"], "dom0_plan/first", false),
            (&["plan/fi"], "plan/first", true),
            (&["plan"], "dom0_plan/first", true),
            (&["fit/", "rst"], "plan/first", true),
            (&["fit/"], "plan/fit", false),
        ] {
            assert_eq!(wants(only, name), is_wanted, "{only:?} {name}");
        }
    }
}
