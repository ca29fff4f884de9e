//! Figures of a fleet, for reading.

use results::{Basis, Fleet, FleetSum, Rate};

use super::hosts;
use super::report::Measured;
use super::summary::Sum;
use crate::measure::Measure;

/// Mark of a sum that is not what it seems.
const MARK: &str = "*";
const MIB: f64 = (1 << 20) as f64;

/// Returns the table of a run: a line for each guest, the sum, and what it is of.
pub fn run(measured: &Measured) -> String {
    let Measured { sums, fleet, .. } = measured;
    let guest_widths = sums.iter().flat_map(|sum| &sum.parts).map(|part| part.guest.len());
    let host_widths = fleet.hosts.iter().map(|host| "sum of ".len() + host.host.len());
    let width = guest_widths.chain(host_widths).max().unwrap_or(0).max("greatest".len());
    let mut text = String::new();
    for sum in sums {
        text.push_str(&table(sum, fleet, width));
    }
    text.extend(fleet.hosts.iter().map(hosts::line));
    let is_lost = |guest: &str| hosts::is_of_lost(guest, &fleet.hosts);
    let missing = fleet.missing.iter().filter(|one| !is_lost(&one.guest));
    text.extend(missing.map(|one| format!("no result: {}: {}\n", one.guest, one.reason)));
    text
}

fn table(sum: &Sum, fleet: &Fleet, width: usize) -> String {
    let Sum { figures, wanted, parts } = sum;
    let (count, title) = (figures.guests, title(figures));
    let mut text = format!("{title}: {count} of {wanted} guests\n");
    text.push_str(&row("guest", width, Measure::USUAL.map(|measure| measure.title().to_owned())));
    for part in parts {
        let latencies = latencies(Some(part.mean_ns), part.p99_ns);
        text.push_str(&row(&part.guest, width, cells(part.rate, latencies, "")));
    }
    let mut all_marks = Vec::new();
    let by_host = hosts::sums_of(figures, &fleet.hosts)
        .map(|(host, part)| (format!("sum of {}", host.host), part, host.guests));
    for (name, part, wanted) in by_host.chain([("sum".to_owned(), figures, *wanted)]) {
        let marks = marks(part, wanted);
        let mark = if marks.is_empty() { "" } else { MARK };
        let latencies = latencies(Some(part.mean_ns), part.p99_ns);
        text.push_str(&row(&name, width, cells(part.sum, latencies, mark)));
        all_marks.extend(marks.iter().map(|why| format!("{MARK} {name}: {why}\n")));
    }
    // A sum over several systems: what is said of its guests is said above.
    if !parts.is_empty() {
        text.push_str(&spread_of(figures, width));
    }
    if figures.basis == Basis::Overlap {
        text.push_str("rates are of the time that all measured, from logs\n");
        if !fleet.hosts.is_empty() {
            text.push_str("rows `sum of HOST`: of the time that all of its guests measured\n");
        }
    }
    text.extend(all_marks);
    text
}

/// Returns what a sum is of: job, direction, and system, where there are several.
fn title(figures: &FleetSum) -> String {
    let FleetSum { jobname, direction, system, .. } = figures;
    let system = system.as_ref().map_or(String::new(), |system| format!(", {system}"));
    format!("{jobname}, {direction}{system}")
}

/// Returns how the guests of a sum differ.
fn spread_of(figures: &FleetSum, width: usize) -> String {
    let mut text = String::new();
    for (name, rate) in [("least", figures.least), ("greatest", figures.greatest)] {
        text.push_str(&row(name, width, cells(rate, latencies(None, None), "")));
    }
    let (alone, fairness) = (1.0 / f64::from(figures.guests.max(1)), figures.fairness);
    text.push_str(&format!("fairness {fairness:.4} (1: all alike, {alone:.4}: one has all)"));
    if let Some(spread_ns) = figures.start_spread_ns {
        text.push_str(&format!(", begun within {:.3} ms", spread_ns as f64 / 1e6));
    }
    if let Some(percent) = figures.overlap_percent {
        text.push_str(&format!(", {percent:.1} % of the time measured by all"));
    }
    text.push('\n');
    text
}

/// Returns the reasons why a sum is not what it seems.
fn marks(figures: &FleetSum, guests: u32) -> Vec<String> {
    let mut marks = Vec::new();
    if figures.guests != guests {
        marks.push(format!("incomplete, of {} of {guests} guests", figures.guests));
    }
    if figures.basis == Basis::Each {
        let why =
            figures.overlap_percent.map_or("not all say when they measured".into(), |percent| {
                format!(
                    "all measured together for {percent:.1} % of the time from first to last; give \
                     each job a runtime=, or a longer one"
                )
            });
        marks.push(format!("rates are of each guest's own time, and {why}"));
    }
    marks
}

/// Returns the cells of rates and latencies, in the order of [`Measure::USUAL`].
fn cells(rate: Rate, [mean, p99]: [String; 2], mark: &str) -> [String; 4] {
    [format!("{:.0}{mark}", rate.iops), format!("{:.2}{mark}", rate.bw_bytes / MIB), mean, p99]
}

fn latencies(mean_ns: Option<f64>, p99_ns: Option<u64>) -> [String; 2] {
    let shown = |ns: Option<f64>| ns.map_or("-".to_owned(), |ns| format!("{:.2}", ns / 1e3));
    [shown(mean_ns), shown(p99_ns.map(|ns| ns as f64))]
}

fn row(name: &str, width: usize, cells: [String; 4]) -> String {
    let widths = Measure::USUAL.map(|measure| measure.title().len().max(12) + 2);
    let cells = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:>width$}"));
    format!("{name:width$}{}\n", cells.collect::<String>())
}

/// Returns what several runs have in common: the mean of each sum, and how far they lie apart. Sums
/// that lack a guest are left out.
pub fn all(runs: &[Measured]) -> String {
    let Some(first) = runs.first() else { return String::new() };
    let mut text = format!("sums of {} runs: mean (least .. greatest), deviation\n", runs.len());
    for sum in &first.sums {
        let title = title(&sum.figures);
        let is_same = |one: &&Sum| self::title(&one.figures) == title;
        let complete: Vec<&FleetSum> = runs
            .iter()
            .filter_map(|run| {
                let Sum { figures, wanted, .. } = run.sums.iter().find(is_same)?;
                (figures.guests == *wanted).then_some(figures)
            })
            .collect();
        let left_out = runs.len() - complete.len();
        let is_marked = complete.iter().any(|figures| figures.basis == Basis::Each);
        let mark = if is_marked { MARK } else { "" };
        for (name, value, digits) in [
            ("IOPS", (|rate| rate.iops) as fn(&Rate) -> f64, 0),
            ("MiB/s", |rate| rate.bw_bytes / MIB, 2),
        ] {
            let values: Vec<f64> = complete.iter().map(|figures| value(&figures.sum)).collect();
            let spread = spread(&values, digits);
            text.push_str(&format!("{title}, {name}: {spread}{mark}"));
            if left_out != 0 {
                text.push_str(&format!("; {left_out} incomplete left out"));
            }
            text.push('\n');
        }
    }
    text
}

fn spread(values: &[f64], digits: usize) -> String {
    if values.is_empty() {
        return "none".to_owned();
    }
    let (mean, deviation) = mean_and_deviation(values);
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = values.iter().copied().fold(0.0, f64::max);
    format!("{mean:.digits$} ({least:.digits$} .. {greatest:.digits$}), {deviation:.digits$}")
}

/// Returns the mean, and the deviation of a sample; 0 of one value.
fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count.max(1.0);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / (count - 1.0).max(1.0)).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::sample;
    use crate::fleet::crew::Outcome;
    use crate::fleet::report::measured;
    use crate::fleet::summary::Times;
    use results::FleetHost;

    fn two(second: Option<f64>) -> Measured {
        let good = |iops| Outcome {
            report: Some(sample("a", Some("persistent"), iops)),
            has_started: true,
            ..Outcome::default()
        };
        let second = second.map_or_else(Outcome::default, good);
        measured(&[("mark-1", &good(3000.0)), ("mark-2", &second)], Times::default()).unwrap()
    }

    #[test]
    fn a_table_has_all_guests_and_their_sum() {
        let expected = "\
a, read: 2 of 2 guests
guest             IOPS  bandwidth, MiB/s  mean latency, us  99 % within, us
mark-1            3000             11.72              2.00             4.10
mark-2            1000              3.91              2.00             4.10
sum              4000*            15.62*              2.00             4.10
least             1000              3.91                 -                -
greatest          3000             11.72                 -                -
fairness 0.8000 (1: all alike, 0.5000: one has all)
* sum: rates are of each guest's own time, and not all say when they measured
";
        assert_eq!(run(&two(Some(1000.0))), expected);
    }

    #[test]
    fn who_is_missing_is_told() {
        let text = run(&two(None));
        assert!(text.starts_with("a, read: 1 of 2 guests\n"), "{text}");
        assert!(text.contains("\n* sum: incomplete, of 1 of 2 guests\n"), "{text}");
        assert!(text.ends_with("\nno result: mark-2: it ended without a result\n"), "{text}");
    }

    #[test]
    fn times_are_told() {
        let mut measured = two(Some(1000.0));
        let figures = &mut measured.sums[0].figures;
        figures.basis = Basis::Overlap;
        (figures.overlap_percent, figures.start_spread_ns) = (Some(51.27), Some(812_345));
        let text = run(&measured);
        let expected =
            "begun within 0.812 ms, 51.3 % of the time measured by all\nrates are of the time";
        assert!(text.contains(expected) && !text.contains('*'), "{text}");
        measured.sums[0].figures.basis = Basis::Each;
        let told =
            "51.3 % of the time from first to last; give each job a runtime=, or a longer one\n";
        assert!(run(&measured).contains(told), "{}", run(&measured));
    }

    #[test]
    fn sums_of_hosts_are_marked() {
        let mut measured = two(Some(1000.0));
        let whole = measured.sums[0].figures.clone();
        let host = |host: &str, guests, basis| FleetHost {
            host: host.to_owned(),
            guests,
            sums: vec![FleetSum { guests: 1, basis, ..whole.clone() }],
            ..FleetHost::default()
        };
        measured.fleet.hosts =
            vec![host("a", 1, Basis::Whole), host("b", 2, Basis::Whole), host("c", 1, Basis::Each)];
        let text = run(&measured);
        assert!(text.contains("\nsum of a          4000 "), "{text}");
        assert!(text.contains("\nsum of b         4000* "), "{text}");
        assert!(text.contains("\n* sum of b: incomplete, of 1 of 2 guests\n"), "{text}");
        assert!(text.contains("\n* sum of c: rates are of each guest's own time, and "), "{text}");
        assert!(!text.contains("* sum of a") && !text.contains("rows `sum of HOST`"), "{text}");
        measured.sums[0].figures.basis = Basis::Overlap;
        let line = "\nrows `sum of HOST`: of the time that all of its guests measured\n";
        assert!(run(&measured).contains(line), "{}", run(&measured));
    }

    #[test]
    fn several_runs_have_a_mean_and_a_spread() {
        let runs = [two(Some(1000.0)), two(Some(2000.0)), two(Some(3000.0))];
        let expected = "\
sums of 3 runs: mean (least .. greatest), deviation
a, read, IOPS: 5000 (4000 .. 6000), 1000*
a, read, MiB/s: 19.53 (15.62 .. 23.44), 3.91*
";
        assert_eq!(all(&runs), expected);
        assert!(all(&runs[..1]).contains("4000 (4000 .. 4000), 0*\n"));
        let lost = [two(Some(1000.0)), two(None)];
        assert!(all(&lost).contains("IOPS: 4000 (4000 .. 4000), 0*; 1 incomplete left out\n"));
        assert!(all(&lost[1..]).contains("IOPS: none; 1 incomplete left out\n"));
    }
}
