//! `model mutants`: breaks drivers and load generator on purpose, one way at a time, and shows
//! that the tests notice each.
//!
//! [`list`] says how, [`tree`] holds the copy that is broken, [`suites`] builds and runs the tests.

mod list;
mod suites;
mod tree;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use clap::Args;

use list::Mutant;
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
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// By a test of this suite.
    Killed {
        suite: String,
        test: String,
    },
    /// This suite did not end.
    ByTime {
        suite: String,
    },
    Survived,
    /// It is no Rust; what the compiler said.
    Unbuilt(String),
}

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
    if let Some(name) = mutants.iter().flat_map(|mutant| &mutant.first).find(|name| !is_suite(name))
    {
        bail!("{name} is no suite; take one of those above into model/mutants");
    }
    let mut fates = Vec::new();
    for (number, mutant) in mutants.iter().enumerate() {
        let began = Instant::now();
        let fate = try_one(&tree, mutant, &limits)?;
        let seconds = began.elapsed().as_secs_f64();
        let place = format!("[{}/{}]", number + 1, mutants.len());
        println!("{place:>9} {:36} {seconds:5.1} s  {}", mutant.name, tell(&fate, mutant));
        fates.push(fate);
    }
    Ok(report(&mutants, &fates, start.elapsed()))
}

/// Runs all suites on the tree as it is; answers how long each may take from now on, the fastest
/// first.
fn run_unbroken(tree: &Tree) -> Result<Vec<(String, Duration)>> {
    println!("building the suites");
    let mut times = Vec::new();
    for suite in suites::build(tree, suites::ALL)? {
        let began = Instant::now();
        match suite.run(suites::UNBROKEN_LIMIT)? {
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

/// How long each suite may take, by its name, the fastest first.
type Limits = [(String, Duration)];

fn try_one(tree: &Tree, mutant: &Mutant, limits: &Limits) -> Result<Fate> {
    let source = tree.read(&mutant.file)?;
    tree.write(&mutant.file, &mutant.apply(&source)?)?;
    let fate = judge(tree, &mutant.first, limits);
    tree.write(&mutant.file, &source)?;
    fate
}

/// Tries the suites that are named first, then all others; only the former are built for a mutant
/// that does not live longer.
fn judge(tree: &Tree, first: &[String], limits: &Limits) -> Result<Fate> {
    for which in first.iter().map(String::as_str).chain([suites::ALL]) {
        let suites = match suites::build(tree, which) {
            Ok(suites) => suites,
            Err(error) => return Ok(Fate::Unbuilt(error.to_string())),
        };
        let find = |name: &str| suites.iter().find(|suite| suite.name == name);
        for (name, limit) in
            limits.iter().filter(|(name, _)| which == name || !first.contains(name))
        {
            let Some(suite) = find(name) else { continue };
            match suite.run(*limit)? {
                End::Passed => {}
                End::Failed(test) => return Ok(Fate::Killed { suite: name.clone(), test }),
                End::Hung => return Ok(Fate::ByTime { suite: name.clone() }),
            }
        }
    }
    Ok(Fate::Survived)
}

fn tell(fate: &Fate, mutant: &Mutant) -> String {
    match (fate, &mutant.equivalent) {
        (Fate::Killed { suite, test }, None) => format!("killed by {suite}: {test}"),
        (Fate::ByTime { suite }, None) => format!("killed by time in {suite}"),
        (Fate::Unbuilt(error), _) => format!("DOES NOT COMPILE: {error}"),
        (Fate::Survived, Some(_)) => "survived, as an equivalent must".into(),
        (Fate::Survived, None) => format!("SURVIVED: {}", mutant.breaks),
        (fate, Some(_)) => format!("LISTED AS EQUIVALENT, but {fate:?}"),
    }
}

/// Prints the tables; says how it went.
fn report(mutants: &[Mutant], fates: &[Fate], took: Duration) -> ExitCode {
    // By file: all, killed, by time, equivalent, wrong.
    let mut files: BTreeMap<&str, [u32; 5]> = BTreeMap::new();
    let mut killers: BTreeMap<&str, u32> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (mutant, fate) in mutants.iter().zip(fates) {
        let column = match fate {
            Fate::Killed { .. } => 1,
            Fate::ByTime { .. } => 2,
            Fate::Survived if mutant.equivalent.is_some() => 3,
            Fate::Survived | Fate::Unbuilt(_) => 4,
        };
        if column == 4 || (column < 3 && mutant.equivalent.is_some()) {
            wrong.push(mutant);
        }
        for row in [mutant.file.as_str(), "all"] {
            let row = files.entry(row).or_default();
            row[0] += 1;
            row[column] += 1;
        }
        if let Fate::Killed { suite, .. } | Fate::ByTime { suite } = fate {
            *killers.entry(suite).or_default() += 1;
        }
    }
    let heads = ["mutants", "killed", "by time", "equivalent", "survived"];
    println!("\n{:36}{}", "file", heads.map(|head| format!("{head:>12}")).concat());
    let all = files.remove("all");
    for (file, counts) in files.into_iter().chain(all.map(|counts| ("all", counts))) {
        println!("{file:36}{}", counts.map(|count| format!("{count:12}")).concat());
    }
    println!("\nkilled first by");
    for (suite, count) in killers {
        println!("{count:5}  cargo test {suite}");
    }
    for mutant in mutants {
        if let Some(why) = &mutant.equivalent {
            println!("\nequivalent: {}, {}: {why}", mutant.name, mutant.breaks);
        }
    }
    println!("\n{} mutants in {:.0} s", mutants.len(), took.as_secs_f64());
    for Mutant { name, file, breaks, .. } in &wrong {
        println!("wrong: {name} ({file}): {breaks}");
    }
    if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
