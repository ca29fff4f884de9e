//! The plots: what is put where.

use super::axis::{Axis, count, time};
use super::load::{Data, Log, Series};
use super::svg::{self, ACROSS, Anchor, AxisText, Svg, UPWARDS, WIDTH, color};

/// A plot and what its colours mean.
#[derive(Debug)]
pub struct Figure {
    /// Above it.
    pub title: String,
    /// Explanation for the reader.
    pub note: &'static str,
    /// The plot, an `svg` element.
    pub svg: String,
    /// Colours and names.
    pub legend: Vec<(String, String)>,
}

/// The part of I/Os that a latency plot ends at: 99.99 %.
const TAIL: f64 = 0.9999;
/// Room beside the longest bar, for its value.
const BESIDE: f64 = 150.0;
/// Characters of a job's name that fit above its bars.
const NAME_MAX: usize = 48;

/// All plots that the data has something for.
pub fn all(data: &Data) -> Vec<Figure> {
    let systems = systems(&data.series);
    let mut figures = Vec::new();
    figures.extend(bars(&data.series, &systems));
    figures.extend(by_iodepth(&data.series));
    figures.extend(distributions(&data.series, &systems));
    figures.extend(over_time(&data.logs));
    figures
}

/// Returns each system once; its index is its colour.
fn systems(series: &[Series]) -> Vec<&str> {
    let mut systems: Vec<&str> = Vec::new();
    for series in series {
        if !systems.contains(&series.system.as_str()) {
            systems.push(&series.system);
        }
    }
    systems
}

fn color_of(systems: &[&str], system: &str) -> String {
    color(systems.iter().position(|name| *name == system).unwrap_or_default())
}

/// Returns the systems of these series, with their colours.
fn legend<'a>(systems: &[&str], series: impl Iterator<Item = &'a Series>) -> Vec<(String, String)> {
    let mut legend: Vec<(String, String)> = Vec::new();
    for series in series {
        let entry = (color_of(systems, &series.system), series.system.clone());
        if !legend.contains(&entry) {
            legend.push(entry);
        }
    }
    legend
}

/// The series in groups of what was measured, in their order.
fn grouped(series: &[Series]) -> Vec<(String, Vec<&Series>)> {
    let mut groups: Vec<(String, Vec<&Series>)> = Vec::new();
    for series in series {
        let what = series.what();
        match groups.iter_mut().find(|(name, _)| *name == what) {
            Some((_, group)) => group.push(series),
            None => groups.push((what, vec![series])),
        }
    }
    groups
}

/// Returns a plot of IOPS: a bar for the median on each system, a line from the least to the
/// greatest.
fn bars(series: &[Series], systems: &[&str]) -> Option<Figure> {
    const BAR: f64 = 15.0;
    const STEP: f64 = 19.0;
    const NAME: f64 = 18.0;
    const GAP: f64 = 10.0;
    let iops = |series: &Series| series.spread(|figures| Some(figures.iops));
    let greatest = series.iter().filter_map(iops).map(|spread| spread.greatest).reduce(f64::max)?;
    let long = |iops: f64| iops / greatest.max(f64::MIN_POSITIVE) * (WIDTH - BESIDE);
    let groups = grouped(series);
    let height: f64 = groups.iter().map(|(_, group)| NAME + STEP * group.len() as f64 + GAP).sum();
    let mut svg = Svg::new(height);
    let mut y = 0.0;
    for (what, group) in groups {
        svg.text(Anchor::Start, [0.0, y + NAME - 5.0], &cut(&what));
        y += NAME;
        for series in group {
            let Some(spread) = iops(series) else { continue };
            let class = color_of(systems, &series.system);
            let [least, median, greatest] =
                [spread.least, spread.median, spread.greatest].map(long);
            let title = format!("{}: {spread} IOPS", series.system);
            svg.bar(&class, [0.0, y], [median.max(1.0), BAR], &title);
            let middle = y + BAR / 2.0;
            let mut value = count(spread.median);
            if spread.least < spread.greatest {
                svg.line("spread", [least, middle], [greatest, middle]);
                value = format!("{value} ({}..{})", count(spread.least), count(spread.greatest));
            }
            value.push_str(series.star());
            svg.text(Anchor::Start, [greatest + 6.0, y + BAR - 3.0], &value);
            y += STEP;
        }
        y += GAP;
    }
    Some(Figure {
        title: "IOPS".to_owned(),
        note: "Median of the runs; with several runs, also minimum and maximum. A * is explained \
               below the table.",
        svg: svg.finish("IOPS of each job"),
        legend: legend(systems, series.iter()),
    })
}

/// Returns the distributions of latencies, a plot for each job and direction.
fn distributions(series: &[Series], systems: &[&str]) -> Vec<Figure> {
    grouped(series)
        .into_iter()
        .filter_map(|(what, group)| distribution(&what, &group, systems))
        .collect()
}

fn distribution(what: &str, group: &[&Series], systems: &[&str]) -> Option<Figure> {
    let curves: Vec<(&Series, Vec<(f64, f64)>)> = group
        .iter()
        .map(|series| (*series, shares(series)))
        .filter(|(_, curve)| curve.len() > 1)
        .collect();
    let times = || curves.iter().flat_map(|(_, curve)| curve.iter().map(|(ns, _)| *ns));
    let (least, greatest) = (times().reduce(f64::min)?, times().reduce(f64::max)?);
    let across = Axis::decades(least, greatest, ACROSS);
    // Upwards stands how rare a greater latency is: one in 1, 10, 100, .. I/Os.
    let upwards = Axis::log(1.0, 1.0 / (1.0 - TAIL), UPWARDS);
    let ticks = [0.0, 0.5, 0.9, 0.99, 0.999, TAIL];
    let ticks = ticks.map(|share| (1.0 / (1.0 - share), format!("{}%", round(share * 100.0))));
    let times = AxisText::new(&across, time, "latency");
    let shares = AxisText { axis: &upwards, ticks: ticks.into(), title: "" };
    let mut svg = Svg::with_axes(&times, &shares);
    for (series, curve) in &curves {
        let place = |&(ns, share): &(f64, f64)| {
            [across.place(ns), upwards.place(1.0 / (1.0 - share.min(TAIL)))]
        };
        let points: Vec<[f64; 2]> = curve.iter().map(place).collect();
        svg.curve(&color_of(systems, &series.system), &points, &series.system);
    }
    Some(Figure {
        title: format!("Latency, {what}"),
        note: "Share of the I/Os that took no longer than this.",
        svg: svg.finish(&format!("Distribution of latencies, {what}")),
        legend: legend(systems, curves.iter().map(|(series, _)| *series)),
    })
}

/// The part of a series' I/Os (0 to 1) that took no longer than so many nanoseconds: from its bins,
/// or where it has none, from the percentiles of its first run. Ends at the first beyond [`TAIL`].
fn shares(series: &Series) -> Vec<(f64, f64)> {
    let mut bins: Vec<(f64, u64)> = series.runs().flat_map(|run| run.bins.clone()).collect();
    bins.sort_by(|one, other| one.0.total_cmp(&other.0));
    let total: u64 = bins.iter().map(|(_, count)| count).sum();
    let all: Vec<(f64, f64)> = if total == 0 {
        series.first.percentiles.iter().map(|&(percent, ns)| (ns, percent / 100.0)).collect()
    } else {
        let mut below = 0;
        let share = |(ns, count)| {
            below += count;
            (ns, below as f64 / total as f64)
        };
        bins.into_iter().map(share).collect()
    };
    let end = all.iter().position(|(_, share)| *share >= TAIL).map_or(all.len(), |last| last + 1);
    all.into_iter().take(end).collect()
}

/// A latency of a series, in nanoseconds.
type LatencyOf = fn(&Series) -> Option<f64>;

/// Latency by iodepth: of jobs that differ in nothing else that is known here, a line each for the
/// mean and for the 99th percentile.
fn by_iodepth(series: &[Series]) -> Option<Figure> {
    let mut lines: Vec<(String, Vec<&Series>)> = Vec::new();
    for series in series {
        let name = format!("{}, {}", series.system, series.first.kind);
        match lines.iter_mut().find(|(of, _)| *of == name) {
            Some((_, line)) => line.push(series),
            None => lines.push((name, vec![series])),
        }
    }
    for (_, line) in &mut lines {
        line.sort_by_key(|series| series.first.iodepth);
        line.dedup_by_key(|series| series.first.iodepth);
    }
    lines.retain(|(_, line)| line.len() > 1);
    let members = || lines.iter().flat_map(|(_, line)| line.iter());
    let mut depths: Vec<u32> = members().map(|series| series.first.iodepth).collect();
    depths.sort_unstable();
    depths.dedup();
    let (first, last) = (*depths.first()?, *depths.last()?);
    let figures: [(&str, LatencyOf); 2] = [
        ("mean", |series| median(series.spread(|run| Some(run.mean_ns)))),
        ("99%", |series| median(series.spread(|run| run.percentile_ns(99.0)))),
    ];
    let times = || members().flat_map(|series| figures.iter().filter_map(|(_, of)| of(series)));
    let (least, greatest) = (times().reduce(f64::min)?, times().reduce(f64::max)?);
    let across = Axis::log(f64::from(first), f64::from(last), ACROSS);
    let upwards = Axis::decades(least, greatest, UPWARDS);
    let ticks = depths.iter().map(|&depth| (f64::from(depth), depth.to_string())).collect();
    let depths = AxisText { axis: &across, ticks, title: "iodepth" };
    let mut svg = Svg::with_axes(&depths, &AxisText::new(&upwards, time, ""));
    let mut legend = Vec::new();
    for (number, (name, line)) in lines.iter().enumerate() {
        for (index, (figure, of)) in figures.iter().enumerate() {
            let class = format!("c{}{}", number % svg::COLORS, ["", " d1"][index]);
            let point = |series: &&Series| {
                let x = across.place(f64::from(series.first.iodepth));
                Some([x, upwards.place(of(series)?)])
            };
            let points: Vec<[f64; 2]> = line.iter().filter_map(point).collect();
            if !points.is_empty() {
                let name = format!("{name}, {figure}");
                svg.curve(&class, &points, &name);
                legend.push((class, name));
            }
        }
    }
    Some(Figure {
        title: "Latency by iodepth".to_owned(),
        note: "Mean, and 99th percentile.",
        svg: svg.finish("Latency by iodepth"),
        legend,
    })
}

fn median(spread: Option<results::Spread>) -> Option<f64> {
    spread.map(|spread| spread.median)
}

/// IOPS over time, a line for each log.
fn over_time(logs: &[Log]) -> Option<Figure> {
    let points = || logs.iter().flat_map(|log| &log.points);
    let longest = points().map(|(seconds, _)| *seconds).reduce(f64::max)?;
    let greatest = points().map(|(_, iops)| *iops).reduce(f64::max)?;
    let across = Axis::linear(longest, ACROSS);
    let upwards = Axis::linear(greatest, UPWARDS);
    let seconds = AxisText::new(&across, round, "seconds");
    let mut svg = Svg::with_axes(&seconds, &AxisText::new(&upwards, count, ""));
    for (number, log) in logs.iter().enumerate() {
        let place = |&(x, y): &(f64, f64)| [across.place(x), upwards.place(y)];
        let points: Vec<[f64; 2]> = log.points.iter().map(place).collect();
        svg.curve(&color(number), &points, &log.name);
    }
    Some(Figure {
        title: "IOPS over time".to_owned(),
        note: "From the logs.",
        svg: svg.finish("IOPS over time"),
        legend: logs.iter().enumerate().map(|(n, log)| (color(n), log.name.clone())).collect(),
    })
}

/// A number without zeros at its end.
fn round(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// So much of a name as fits.
fn cut(name: &str) -> String {
    if name.chars().count() <= NAME_MAX {
        return name.to_owned();
    }
    name.chars().take(NAME_MAX - 2).chain("..".chars()).collect()
}
