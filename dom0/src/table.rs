//! Table of figures: for each job and direction the median of all runs on each system, and their
//! spread; below it costs of an I/O by owner, where they were counted.

use anyhow::{Context, Result, ensure};
use results::{Spread, Verdict};

use crate::costs::{self, Counted, middle};
use crate::figures::{Doubts, Figures};
use crate::measure::Measure;
use crate::saved::{Run, System};

/// Returns the table. The ratio of both systems is in its last column, if there are two.
///
/// # Errors
/// A result without figures; results of different jobs.
pub fn table(runs: &[Run]) -> Result<String> {
    let read = |run: &Run| Ok((run.system, Figures::of(&run.result)?));
    let runs: Vec<(System, Vec<Figures>)> = runs.iter().map(read).collect::<Result<_>>()?;
    let (first_system, first) = runs.first().context("no runs")?;
    for (system, all) in &runs {
        let same = |(one, other): (&Figures, &Figures)| {
            one.job == other.job && one.direction == other.direction
        };
        ensure!(
            all.len() == first.len() && all.iter().zip(first).all(same),
            "the results have different jobs: {} of {}, {} of {}",
            summary(first),
            first_system.name(),
            summary(all),
            system.name()
        );
    }
    let systems: Vec<System> = [System::Ringmark, System::Linux]
        .into_iter()
        .filter(|wanted| runs.iter().any(|(system, _)| system == wanted))
        .collect();
    let titles = systems.iter().map(|system| system.title().to_owned());
    let mut text =
        row("median (least .. greatest)", titles, (systems.len() > 1).then_some("ratio"));
    let (mut marks, mut counted) = (String::new(), Vec::new());
    for (index, Figures { job, direction, .. }) in first.iter().enumerate() {
        let ours = runs.iter().filter(|(system, _)| *system == System::Ringmark);
        let doubts = Doubts::about(ours.filter_map(|(_, all)| all.get(index))).marks();
        let mark = if doubts.is_empty() { "" } else { " *" };
        text.push_str(&format!("{job}, {direction}{mark}\n"));
        marks.extend(doubts.iter().map(|doubt| format!("* {job}, {direction}: {doubt}\n")));
        let costs = |&wanted: &System| Some((wanted, middle_of(&runs, wanted, index)?));
        counted.push((format!("{job}, {direction}"), systems.iter().filter_map(costs).collect()));
        let measures = Measure::ALL.map(|measure| (measure.title(), Some(measure)));
        for (title, measure) in measures.into_iter().chain([("99 % from due, us", None)]) {
            let value = |figures: &Figures| match measure {
                Some(measure) => measure.of(figures),
                None => figures.due_p99_ns.map(|ns| ns / 1e3),
            };
            let of = |wanted: System| {
                let all = runs.iter().filter(|(system, _)| *system == wanted);
                let all = all.filter_map(|(_, all)| value(all.get(index)?));
                Spread::of(all)
            };
            let spreads: Vec<Option<Spread>> = systems.iter().map(|&system| of(system)).collect();
            if measure.is_none() && spreads.iter().all(Option::is_none) {
                continue;
            }
            let shown = |spread: &Option<Spread>| spread.map_or("-".into(), |s| s.to_string());
            let ratio = match spreads[..] {
                [Some(ours), Some(theirs)] => Some(format!("{:.2}", ours.median / theirs.median)),
                [_, _] => Some("-".to_owned()),
                _ => None,
            };
            let cells = spreads.iter().map(shown);
            text.push_str(&row(&format!("  {title}"), cells, ratio.as_deref()));
        }
        let steady = systems.iter().map(|&system| steady_runs(&runs, system, index));
        let steady: Vec<Option<String>> = steady.collect();
        if steady.iter().any(Option::is_some) {
            let cells = steady.into_iter().map(|cell| cell.unwrap_or_else(|| "-".into()));
            text.push_str(&row("  steady", cells, None));
        }
    }
    Ok(text + &marks + &costs::text(&counted))
}

/// Returns the costs of a job and direction on a system, if they were counted.
fn middle_of(runs: &[(System, Vec<Figures>)], wanted: System, index: usize) -> Option<&Counted> {
    let all = runs.iter().filter(|(system, _)| *system == wanted);
    middle(all.filter_map(|(_, all)| all.get(index)?.costs.as_ref()))
}

/// Returns how many runs on a system have a steady rate, if that is known of any.
fn steady_runs(runs: &[(System, Vec<Figures>)], wanted: System, index: usize) -> Option<String> {
    let all = runs.iter().filter(|(system, _)| *system == wanted);
    let known: Vec<_> =
        all.filter_map(|(_, all)| Some(all.get(index)?.steadiness.as_ref()?.verdict)).collect();
    let count = |wanted| known.iter().filter(|&&one| one == wanted).count();
    let too_short = match count(Verdict::TooShort) {
        0 => String::new(),
        count => format!(" ({count} too short)"),
    };
    let steady = count(Verdict::Steady);
    (!known.is_empty()).then(|| format!("{steady} of {}{too_short}", known.len()))
}

fn row(name: &str, cells: impl Iterator<Item = String>, ratio: Option<&str>) -> String {
    let cells: String = cells.map(|cell| format!(" {cell:>30}")).collect();
    let ratio = ratio.map_or(String::new(), |ratio| format!(" {ratio:>8}"));
    format!("{name:<27}{cells}{ratio}\n")
}

/// Returns the IOPS of each job and direction in one line.
pub fn summary(all: &[Figures]) -> String {
    let one = |of: &Figures| format!("{} {} {:.0} IOPS", of.job, of.direction, of.iops);
    all.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::sample;

    fn run(system: System, job: &str, iops: f64) -> Run {
        Run {
            system,
            result: sample(job, (system == System::Ringmark).then_some("persistent"), iops),
        }
    }

    #[test]
    fn medians_and_their_ratio_are_told() {
        let runs = [
            run(System::Ringmark, "a", 3000.0),
            run(System::Linux, "a", 1000.0),
            run(System::Linux, "a", 1200.0),
            run(System::Ringmark, "a", 1000.0),
            run(System::Ringmark, "a", 2200.0),
            run(System::Linux, "a", 1100.0),
        ];
        let expected = "\
median (least .. greatest)                        ringmark                     Linux, fio    ratio
a, read
  IOPS                                 2200 (1000 .. 3000)            1100 (1000 .. 1200)     2.00
  bandwidth, MiB/s                    8.59 (3.91 .. 11.72)            4.30 (3.91 .. 4.69)     2.00
  mean latency, us                     2.00 (2.00 .. 2.00)            2.00 (2.00 .. 2.00)     1.00
  99 % within, us                      4.10 (4.10 .. 4.10)            4.10 (4.10 .. 4.10)     1.00
";
        assert_eq!(table(&runs).unwrap(), expected);
    }

    #[test]
    fn runs_with_a_steady_rate_are_counted() {
        let with = |verdict: Option<Verdict>| {
            let mut ours = run(System::Ringmark, "a", 3000.0);
            let judged = |verdict| results::Steadiness { verdict, ..Default::default() };
            if let Some(extra) = &mut ours.result.jobs[0].ringmark {
                extra.steadiness = verdict.map(judged);
            }
            ours
        };
        let text = |verdicts: &[Option<Verdict>]| {
            let mut runs: Vec<Run> = verdicts.iter().map(|&verdict| with(verdict)).collect();
            runs.push(run(System::Linux, "a", 1000.0));
            let text = table(&runs).unwrap();
            let line = text.lines().find(|line| line.starts_with("  steady"));
            line.map(|line| line.split_ascii_whitespace().collect::<Vec<_>>().join(" "))
        };
        use Verdict::{Drifting, Steady, TooShort};
        assert_eq!(text(&[None]), None);
        assert_eq!(text(&[Some(Steady), Some(Drifting)]).as_deref(), Some("steady 1 of 2 -"));
        let short = text(&[Some(Steady), Some(TooShort), None]);
        assert_eq!(short.as_deref(), Some("steady 1 of 2 (1 too short) -"));
    }

    #[test]
    fn a_row_that_is_not_of_its_grant_mode_is_marked() {
        let mut ours = run(System::Ringmark, "a", 3000.0);
        if let Some(extra) = &mut ours.result.jobs[0].ringmark {
            (extra.backend_pages_kept, extra.pages_used) = (Some(1006), Some(2112));
        }
        let runs = [ours, run(System::Linux, "a", 1000.0), run(System::Ringmark, "a", 3100.0)];
        let text = table(&runs).unwrap();
        assert!(text.contains("\na, read *\n"), "{text}");
        assert!(text.contains("\n* a, read: the backend keeps 1006 of 2112 pages"), "{text}");
    }

    #[test]
    fn latencies_from_due_times_have_a_row() {
        let mut ours = run(System::Ringmark, "a", 3000.0);
        let percentile = [("99.000000".to_owned(), 95_000)].into_iter().collect();
        let lat_ns = results::Latency { percentile, ..results::Latency::default() };
        let read = Some(results::OpenSide { lat_ns, ..results::OpenSide::default() });
        if let Some(extra) = &mut ours.result.jobs[0].ringmark {
            extra.open_loop = Some(results::OpenLoop { read, write: None });
        }
        let text = table(&[ours, run(System::Linux, "a", 1000.0)]).unwrap();
        let row = text.lines().find(|line| line.contains("99 % from due, us")).expect(&text);
        let cells: Vec<&str> = row.split_whitespace().skip(5).collect();
        assert_eq!(cells, ["95.00", "(95.00", "..", "95.00)", "-", "-"], "{text}");
        assert!(!table(&[run(System::Linux, "a", 1.0)]).unwrap().contains("due"));
    }

    #[test]
    fn results_of_different_jobs_are_not_compared() {
        let error =
            table(&[run(System::Ringmark, "a", 1.0), run(System::Linux, "b", 1.0)]).unwrap_err();
        assert!(error.to_string().contains("different jobs"), "{error}");
    }
}
