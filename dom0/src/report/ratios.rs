//! Ratio of IOPS of two systems that took turns, with its interval, for each job.

use std::collections::BTreeMap;

use plots::figure::Figure;
use plots::ratios::{self, Row};
use statistics::pairs::compare;

use super::distinct::labels;
use super::load::{Data, Run};
use super::names::{WHO_MAX, file_names};
use crate::figures::Figures;
use crate::saved::Variant;

/// Rates of a job and direction on two systems.
type Rates = [Vec<f64>; 2];

/// Two systems of a file that took turns.
struct Sides<'a> {
    file: usize,
    names: [&'static str; 2],
    runs: [Vec<&'a Run>; 2],
}

/// Returns the figures; none if no file has runs of just two systems, or only one of each.
pub fn figures(data: &Data) -> Vec<Figure> {
    let all: Vec<Sides<'_>> = (0..data.files.len()).filter_map(|file| sides(data, file)).collect();
    let files = file_names(&data.files);
    let (mut names, mut found) = (Vec::new(), Vec::new());
    for sides in &all {
        let [a, b] = sides.names;
        let file = files.get(sides.file).filter(|_| all.len() > 1);
        let of_file = file.map_or_else(String::new, |file| format!(", {file}"));
        for ((_, direction, job), [a_rates, b_rates]) in rates(sides) {
            let pairs: Vec<(f64, f64)> = a_rates.into_iter().zip(b_rates).collect();
            let Some(of) = compare(&pairs) else { continue };
            names.push(format!("{job}, {direction}: {a} to {b}{of_file}"));
            found.push((of.ratio, of.low, of.high));
        }
    }
    let rows = labels(&names, WHO_MAX).into_iter().zip(found);
    let rows = rows.map(|(name, (ratio, low, high))| Row { name, ratio, low, high });
    let note = "IOPS of one to those of the other, from pairs of runs that took turns; above 1 the \
                first is faster.";
    ratios::figures("Ratio of IOPS", note, &rows.collect::<Vec<_>>())
}

/// Returns the two systems of a file, if it has just two, in the order in which they first ran.
fn sides(data: &Data, file: usize) -> Option<Sides<'_>> {
    let mut names: Vec<&'static str> = Vec::new();
    let mut runs: [Vec<&Run>; 2] = Default::default();
    for run in data.runs.iter().filter(|run| run.file == file) {
        let name = side(run);
        let number = names.iter().position(|known| *known == name).unwrap_or(names.len());
        if number == names.len() {
            names.push(name);
        }
        runs.get_mut(number)?.push(run);
    }
    let names = names.try_into().ok()?;
    Some(Sides { file, names, runs })
}

/// Returns what tells a run from those that took turns with it.
fn side(run: &Run) -> &'static str {
    run.variant.map_or_else(|| run.system.title(), Variant::name)
}

/// Returns the rates of each job and direction, of runs in their order.
fn rates<'a>(sides: &Sides<'a>) -> BTreeMap<(usize, &'static str, &'a str), Rates> {
    let mut rates: BTreeMap<_, Rates> = BTreeMap::new();
    for (number, runs) in sides.runs.iter().enumerate() {
        for Figures { job, direction, index, iops, .. } in runs.iter().flat_map(|run| &run.figures)
        {
            let [a, b] = rates.entry((*index, *direction, job.as_str())).or_default();
            (if number == 0 { a } else { b }).push(*iops);
        }
    }
    // A job that some runs lack has no pairs.
    let whole = |of: &Rates| of.iter().zip(&sides.runs).all(|(of, runs)| of.len() == runs.len());
    rates.retain(|_, of| whole(of));
    rates
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::sample;
    use crate::saved::System;

    fn data(runs: &[(usize, System, f64)]) -> Data {
        let run = |&(file, system, iops): &(usize, System, f64)| {
            let ours = (system == System::Ringmark).then_some("persistent");
            let figures = Figures::of(&sample("a", ours, iops)).unwrap();
            Run {
                file,
                system,
                variant: None,
                version: "1".into(),
                time: None,
                origin: None,
                figures,
            }
        };
        let files = runs.iter().map(|run| run.0).max().map_or(0, |last| last + 1);
        let files = (0..files).map(|n| format!("{n}.json").into()).collect();
        Data { files, runs: runs.iter().map(run).collect(), ..Data::default() }
    }

    const US: System = System::Ringmark;
    const THEM: System = System::Linux;

    #[test]
    fn runs_that_took_turns_are_pairs() {
        let all = [(0, US, 110.0), (0, THEM, 100.0), (0, THEM, 200.0), (0, US, 221.0)];
        let [figure] = &figures(&data(&all))[..] else { panic!() };
        let (_, plot) = &figure.plots[0];
        assert!(plot.contains(">a, read: ringmark to Linux, fio<"), "{plot}");
        // Of each pair 1.100 and 1.105; the t interval of two logarithms.
        assert!(plot.contains(">1.102 (1.071 .. 1.135)<"), "{plot}");
    }

    #[test]
    fn variants_that_took_turns_are_pairs() {
        let mut data = data(&[(0, US, 110.0), (0, US, 100.0), (0, US, 200.0), (0, US, 221.0)]);
        for (run, variant) in data.runs.iter_mut().zip([Variant::A, Variant::B]) {
            run.variant = Some(variant);
        }
        (data.runs[2].variant, data.runs[3].variant) = (Some(Variant::B), Some(Variant::A));
        let [figure] = &figures(&data)[..] else { panic!() };
        let (_, plot) = &figure.plots[0];
        assert!(plot.contains(">a, read: A to B<") && plot.contains(">1.102 (1.071"), "{plot}");
    }

    #[test]
    fn other_runs_have_no_ratio() {
        for all in [
            &[(0, US, 110.0), (0, THEM, 100.0)][..],
            &[(0, US, 110.0), (0, US, 100.0)],
            &[(0, US, 110.0), (1, THEM, 100.0), (0, US, 110.0), (1, THEM, 100.0)],
            &[(0, US, 0.0), (0, THEM, 100.0), (0, THEM, 100.0), (0, US, 1.0)],
            &[],
        ] {
            assert!(figures(&data(all)).is_empty(), "{all:?}");
        }
        let mut lacks = data(&[(0, US, 1.0), (0, THEM, 1.0), (0, US, 1.0), (0, THEM, 1.0)]);
        lacks.runs[2].figures.clear();
        assert!(figures(&lacks).is_empty());
    }
}
