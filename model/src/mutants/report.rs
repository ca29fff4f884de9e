//! Report that is printed at the end.

use std::collections::BTreeMap;

use super::fate::Fate;
use super::list::Mutant;

/// Mutants of one file, by what became of them.
#[derive(Clone, Copy, Default)]
struct Row {
    mutants: u32,
    killed: u32,
    by_time: u32,
    survived: u32,
}

impl Row {
    fn count(&mut self, fate: &Fate) {
        self.mutants += 1;
        match fate {
            Fate::Killed { .. } => self.killed += 1,
            Fate::ByTime { .. } => self.by_time += 1,
            Fate::Survived => self.survived += 1,
            Fate::Unbuilt(_) => {}
        }
    }

    fn print(&self, file: &str) {
        let Self { mutants, killed, by_time, survived } = self;
        println!("{file:36}{mutants:10}{killed:10}{by_time:10}{survived:10}");
    }
}

/// Prints tables, and each mutant whose fate is not the one that it must have; returns whether
/// there is none of those.
pub(super) fn print(mutants: &[Mutant], fates: &[Fate]) -> bool {
    let (mut files, mut all) = (BTreeMap::<&str, Row>::new(), Row::default());
    let mut killers = BTreeMap::<&str, u32>::new();
    for (mutant, fate) in mutants.iter().zip(fates) {
        files.entry(&mutant.file).or_default().count(fate);
        all.count(fate);
        if let Fate::Killed { suite, .. } | Fate::ByTime { suite } = fate {
            *killers.entry(suite).or_default() += 1;
        }
    }
    println!("\n{:36}{:>10}{:>10}{:>10}{:>10}", "file", "mutants", "killed", "by time", "survived");
    files.iter().for_each(|(file, row)| row.print(file));
    all.print("all");
    println!("\nfirst to fail");
    killers.iter().for_each(|(suite, count)| println!("{count:5}  cargo test {suite}"));

    println!("\nsurvived because no test can tell the difference");
    let mut wrong = Vec::new();
    for (Mutant { name, file, breaks, equivalent, .. }, fate) in mutants.iter().zip(fates) {
        match (fate, equivalent) {
            (Fate::Killed { .. } | Fate::ByTime { .. }, None) => {}
            (Fate::Survived, Some(why)) => println!("  {name}: {breaks}\n    {why}"),
            (_, None) => wrong.push(format!("{name} in {file}, {breaks}: {fate}")),
            (_, Some(_)) => wrong.push(format!("{name}, which nothing should kill: {fate}")),
        }
    }
    println!("\n{} that are not as they must be", wrong.len());
    wrong.iter().for_each(|what| println!("  {what}"));
    wrong.is_empty()
}
