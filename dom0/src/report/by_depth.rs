//! IOPS and latency by iodepth: a line for the jobs that differ in little else.

use std::collections::{BTreeMap, BTreeSet};

use plots::axis::{Axis, count, time};
use plots::figure::{Figure, LINES_MAX, PLOTS_MAX, frame, left_out};
use plots::label::Label;
use plots::svg::{AxisText, COLORS, Frame, Svg, color};

use super::distinct::labels;
use super::identity::Identity;
use super::names::{WHO_MAX, telling, told};
use super::view::View;
use crate::figures::Facts;

/// Options that may differ along a line: they follow the depth, or say when and how long a job
/// runs.
const ALONG: [&str; 14] = [
    "io_size",
    "iodepth",
    "iodepth_batch",
    "iodepth_batch_complete_max",
    "iodepth_batch_complete_min",
    "iodepth_low",
    "loops",
    "number_ios",
    "ramp_time",
    "randseed",
    "runtime",
    "startdelay",
    "stonewall",
    "time_based",
];

/// A median of a series' runs.
type Value<'a> = &'a dyn Fn(usize) -> Option<f64>;

/// Jobs that differ in their depth.
struct Line {
    label: Label,
    /// Number of its colour: that of its system, if no other line is of that.
    color: usize,
    /// Depths, ascending, and the series.
    members: Vec<(u32, usize)>,
}

/// Indexes of the series of a line, and their job's name, if it tells the line from another.
type Group<'a> = (Vec<usize>, Option<&'a str>);

/// Returns the figures; none if no two jobs differ in just their depth.
pub fn figures(view: View<'_>) -> Vec<Figure> {
    let lines = lines(view);
    if lines.is_empty() {
        return Vec::new();
    }
    let of = |index: usize| view.series.get(index);
    let iops = |index| of(index)?.median(|run| Some(run.iops));
    let mean = |index| of(index)?.median(|run| run.mean_ns);
    let most = |index| of(index)?.median(|run| run.percentile_ns(99.0));
    let iops = figure("IOPS by iodepth", &lines, LINES_MAX, &[("", &iops)], |values, ends| {
        (Axis::linear(values[1], ends), count, "I/Os a second")
    });
    let latencies: [(&str, Value<'_>); 2] = [("mean", &mean), ("99%", &most)];
    let latency =
        figure("Latency by iodepth", &lines, COLORS, &latencies, |[least, most], ends| {
            (Axis::decades(least, most, ends), time, "latency")
        });
    iops.into_iter().chain(latency).collect()
}

/// Returns the lines with more than one depth.
fn lines(view: View<'_>) -> Vec<Line> {
    let parts = |index: usize, with_name: bool| {
        let identity = &view.series.get(index)?.identity;
        let mut work = identity.work.clone();
        work.retain(|name, _| !ALONG.contains(&&**name));
        let name = if with_name { identity.job.as_str() } else { "" };
        Some((view.numbers(index).1, identity.direction, work, identity.clone, name))
    };
    let mut groups = BTreeMap::new();
    for index in 0..view.series.len() {
        groups.entry(parts(index, false)).or_insert_with(Vec::new).push(index);
    }
    let mut found: Vec<Group<'_>> = Vec::new();
    let depth = |index: &usize| view.series.get(*index).map_or(1, |series| series.first.iodepth());
    for group in groups.into_values() {
        let depths: BTreeSet<u32> = group.iter().map(depth).collect();
        if depths.len() == group.len() {
            found.push((group, None));
            continue;
        }
        // Jobs that differ in their name alone are lines of their own.
        let mut named = BTreeMap::new();
        for index in group {
            named.entry(parts(index, true)).or_insert_with(Vec::new).push(index);
        }
        found.extend(named.into_iter().map(|(key, group)| (group, key.map(|key| key.4))));
    }
    let has_line = |(group, _): &Group<'_>| {
        let depths: BTreeSet<u32> = group.iter().map(depth).collect();
        group.len() > 1 && depths.len() == group.len()
    };
    found.retain(has_line);
    found.sort_by_key(|(group, _)| group.first().copied());
    let system = |(group, _): &Group<'_>| group.first().map_or(0, |&at| view.numbers(at).1);
    let systems: BTreeSet<usize> = found.iter().map(system).collect();
    let by_system = systems.len() == found.len() && systems.iter().all(|&number| number < COLORS);
    let line = |(index, (label, line)): (usize, (Label, &Group<'_>))| {
        let mut members: Vec<(u32, usize)> = line.0.iter().map(|at| (depth(at), *at)).collect();
        members.sort_unstable();
        Line { label, color: if by_system { system(line) } else { index }, members }
    };
    named(view, &found).into_iter().zip(&found).enumerate().map(line).collect()
}

/// Returns the identity of a line's first series.
fn identity<'a>(view: View<'a>, (group, _): &Group<'_>) -> Option<&'a Identity> {
    group.first().and_then(|&index| view.series.get(index)).map(|series| &*series.identity)
}

/// Names the lines: the system, what it does, and what else differs between them.
fn named(view: View<'_>, lines: &[Group<'_>]) -> Vec<Label> {
    let identity = |line: &Group<'_>| identity(view, line);
    let without = |work: &Facts| {
        let mut work = work.clone();
        work.retain(|name, _| !ALONG.contains(&&**name) && !["rw", "bs"].contains(&&**name));
        work
    };
    // Systems spell a job's options in their own ways, so that each kind is taken by itself.
    let mut kinds: BTreeMap<usize, Vec<Facts>> = BTreeMap::new();
    for identity in lines.iter().filter_map(identity) {
        kinds.entry(identity.system.kind()).or_default().push(without(&identity.work));
    }
    let keys: BTreeMap<usize, Vec<String>> = kinds
        .iter()
        .map(|(kind, all)| {
            let all: Vec<&Facts> = all.iter().collect();
            (*kind, telling(&all, &[], &[], &[]).into_iter().map(str::to_owned).collect())
        })
        .collect();
    let name = |line: &Group<'_>| {
        let Some(identity) = identity(line) else { return String::new() };
        let who = line.0.first().and_then(|&index| view.labels(index));
        let option = |name| identity.work.get(name).map_or("", |value| &**value);
        let rw = option("rw");
        let side = if ["rw", "randrw", "readwrite"].contains(&rw) {
            format!(", {}", identity.direction)
        } else {
            String::new()
        };
        let keys: Vec<&str> =
            keys.get(&identity.system.kind()).into_iter().flatten().map(String::as_str).collect();
        let job = line.1.map(|job| format!("{job}, ")).unwrap_or_default();
        format!(
            "{job}{rw} {}{side}{}, {}",
            option("bs"),
            told(&identity.work, &keys),
            who.map_or("", |(_, who)| &*who.full)
        )
    };
    let names: Vec<String> = lines.iter().map(name).collect();
    labels(&names, WHO_MAX)
}

/// An axis for values between these, how they are spelled, and their name.
type Upwards = fn([f64; 2], [f64; 2]) -> (Axis, fn(f64) -> String, &'static str);

/// A figure of these values, or none if there are none. More than `most` lines have a plot each.
fn figure(
    title: &str,
    lines: &[Line],
    most: usize,
    values: &[(&str, Value<'_>)],
    upwards: Upwards,
) -> Option<Figure> {
    let is_crowded = lines.len() > most;
    let shown = lines.get(..lines.len().min(PLOTS_MAX)).unwrap_or_default();
    let members = || shown.iter().flat_map(|line| &line.members);
    let all = || members().flat_map(|(_, at)| values.iter().filter_map(|(_, value)| value(*at)));
    let ends = [all().reduce(f64::min)?, all().reduce(f64::max)?];
    let depths: BTreeSet<u32> = members().map(|(depth, _)| *depth).collect();
    let plot = |lines: &[Line], frame: &Frame, title: &str| {
        let (upwards, spell, unit) = upwards(ends, frame.upwards());
        let [first, last] = [depths.first(), depths.last()].map(|end| end.copied().unwrap_or(1));
        let across = Axis::log(f64::from(first), f64::from(last), frame.across());
        let ticks = depths.iter().map(|&depth| (f64::from(depth), depth.to_string())).collect();
        let depths = AxisText { axis: &across, ticks, title: "iodepth, I/Os in flight" };
        let mut svg = Svg::with_axes(frame, &depths, &AxisText::new(&upwards, spell, unit));
        for line in lines {
            let number = if is_crowded { 0 } else { line.color };
            for (index, (name, value)) in values.iter().enumerate() {
                let point = |&(depth, at): &(u32, usize)| {
                    Some([across.place(f64::from(depth)), upwards.place(value(at)?)])
                };
                let points: Vec<[f64; 2]> = line.members.iter().filter_map(point).collect();
                if !points.is_empty() {
                    svg.curve(&class(number, index), &points, &with(&line.label.full, name));
                }
            }
        }
        svg.finish(title)
    };
    let plots = match is_crowded {
        true => {
            let one = |line: &Line| {
                let plot = plot(std::slice::from_ref(line), frame(lines.len()), &line.label.full);
                (Some(line.label.clone()), plot)
            };
            shown.iter().map(one).collect()
        }
        false => vec![(None, plot(shown, frame(1), title))],
    };
    let legend = shown.iter().map(|line| (color(line.color), line.label.clone()));
    let values = if values.len() > 1 { ": mean, and dashed the 99th percentile" } else { "" };
    let left_out = left_out(shown.len(), lines.len(), "lines");
    Some(Figure {
        title: Label::of(title),
        note: format!("Medians of the runs{values}.{left_out}"),
        plots,
        legend: if is_crowded { Vec::new() } else { legend.collect() },
    })
}

/// The class of a line's first or second value.
fn class(line: usize, value: usize) -> String {
    match value {
        0 => color(line),
        _ => format!("c{} d1", line % COLORS),
    }
}

fn with(label: &str, name: &str) -> String {
    if name.is_empty() { label.to_owned() } else { format!("{label}, {name}") }
}

#[cfg(test)]
mod tests {
    use super::super::load::{Data, Run};
    use super::super::names::names;
    use super::super::series::series;
    use super::*;
    use crate::figures::{Figures, sample};
    use crate::saved::System;

    /// Labels of the lines for jobs on these systems with these names and depths, and their colours
    /// and depths.
    fn found(jobs: &[(&str, &str, u32)]) -> Vec<(String, usize, Vec<u32>)> {
        let figures = jobs.iter().map(|(grants, job, depth)| {
            let mut figures = Figures::of(&sample(job, Some(grants), 1.0)).unwrap().remove(0);
            figures.options.insert("iodepth".into(), depth.to_string().into());
            figures
        });
        let run = Run {
            file: 0,
            system: System::Ringmark,
            variant: None,
            version: "1".into(),
            time: None,
            origin: None,
            figures: figures.collect(),
        };
        let data = Data { files: vec!["x".into()], runs: vec![run], ..Data::default() };
        let series = series(&data, false);
        let names = names(&series, &data.files);
        let depths = |line: &Line| line.members.iter().map(|(depth, _)| *depth).collect();
        let lines = lines(View { series: &series, names: &names });
        lines.iter().map(|line| (line.label.short.clone(), line.color, depths(line))).collect()
    }

    #[test]
    fn jobs_at_several_depths_are_a_line() {
        let jobs = [("x", "a", 8), ("x", "b", 1), ("y", "a", 1), ("z", "a", 1), ("z", "a", 4)];
        let expected =
            [("read 4k, ringmark, x", 0, vec![1, 8]), ("read 4k, ringmark, z", 2, vec![1, 4])];
        assert_eq!(found(&jobs), expected.map(|(label, color, at)| (label.to_owned(), color, at)));
    }

    #[test]
    fn jobs_of_two_names_are_two_lines() {
        let jobs = [("x", "a", 1), ("x", "a", 2), ("x", "b", 1), ("x", "b", 2)];
        let expected = [("a, read 4k, ringmark, x", 0), ("b, read 4k, ringmark, x", 1)];
        let expected = expected.map(|(label, color)| (label.to_owned(), color, vec![1, 2]));
        assert_eq!(found(&jobs), expected);
        assert_eq!(found(&[("x", "a", 1), ("x", "a", 1)]), []);
    }
}
