//! Sweeps: a heat map of two axes for each value of the others, or a curve where there is one axis.

use std::borrow::Cow;
use std::collections::BTreeMap;

use results::Spread;

use plots::axis::{Axis as Scale, count, round};
use plots::figure::{Figure, PLOTS_MAX, left_out};
use plots::label::Label;
use plots::svg::{Anchor, AxisText, LARGE, Svg, WIDTH, color};

use super::clones::{Sum, sums};
use super::distinct::{labels, middle_cut, printable};
use super::load::{Data, Sweep};
use crate::figures::{Doubts, Figures};
use crate::measure::Measure;
use crate::sweep::file::Axis;

/// Most jobs and directions of all sweeps that have figures.
const JOBS_MAX: usize = 8;
/// Most columns and rows of a map.
const COLUMNS_MAX: usize = 40;
const ROWS_MAX: usize = 60;
/// Steps of the ramp of colours, from little to much.
const STEPS: usize = 7;
/// Height of a row, and room above the rows, for the columns' values and the names of both axes.
const ROW: f64 = 26.0;
const ABOVE: f64 = 40.0;
/// Room beside the rows, for their values.
const BESIDE: f64 = 84.0;
/// Least width of a cell that has its figure in it.
const FIGURE_WIDTH: f64 = 36.0;
/// Longest value of an axis, in characters: beside a row, and above a column of this many units
/// for each.
const VALUE_MAX: usize = 11;
const DIGIT: f64 = 8.0;

/// Runs of one job in one direction by their place in the grid.
type Cells<'a> = BTreeMap<Vec<&'a str>, Vec<Cow<'a, Figures>>>;

/// Figures of one measure.
struct Plotted<'a> {
    cells: &'a Cells<'a>,
    measure: Measure,
    /// The least and the greatest of all cells.
    ends: [f64; 2],
    /// Beginning and end of the note: which sweep it is, and what is left out.
    what: &'a str,
    left_out: &'a str,
}

/// Returns the figures of all sweeps.
pub fn figures(data: &Data) -> Vec<Figure> {
    let of_sweep = |(index, sweep)| jobs(data, sweep).into_iter().map(move |job| (index, job));
    let jobs: Vec<_> = data.sweeps.iter().enumerate().flat_map(of_sweep).collect();
    let mut figures = Vec::new();
    for (index, (name, cells)) in jobs.iter().take(JOBS_MAX) {
        let Some(sweep) = data.sweeps.get(*index) else { continue };
        let (what, name) = match data.sweeps.len() {
            1 => ("A sweep".to_owned(), name.clone()),
            count => {
                let file = data.files.get(sweep.file).map(|file| file.to_string_lossy());
                let file = middle_cut(&printable(&file.unwrap_or_default()), 60);
                let number = index + 1;
                let what = format!("Sweep {number} of {count}, in {file}");
                (what, format!("{name}, sweep {number}"))
            }
        };
        let left_out = left_out(JOBS_MAX, jobs.len(), "jobs and directions");
        figures.extend(of_job(sweep, &name, cells, &what, &left_out));
    }
    figures
}

/// Returns the jobs of a sweep, by name and direction.
fn jobs<'a>(data: &'a Data, sweep: &'a Sweep) -> Vec<(String, Cells<'a>)> {
    let mut jobs: BTreeMap<(&str, usize, &str), Cells<'a>> = BTreeMap::new();
    let runs = || data.runs.get(sweep.runs.clone()).into_iter().flatten();
    // A file that grew too long has lost some; no map is of two kinds of percentiles.
    let has_bins = runs().flat_map(|run| &run.figures).all(|one| !one.bins.is_empty());
    for run in runs() {
        // What it has on an axis is the same for all of its jobs.
        let options = run.figures.first().map(|first| &first.options);
        let value = |axis: &Axis| options?.get(axis.name.as_str()).map(|value| &**value);
        let Some(at) = sweep.axes.iter().map(value).collect::<Option<Vec<&str>>>() else {
            continue;
        };
        for Sum { job, direction, number, figures } in sums(&run.figures, has_bins) {
            let cells = jobs.entry((job, number, direction)).or_default();
            cells.entry(at.clone()).or_default().push(figures);
        }
    }
    let name = |(job, number, direction): (&str, usize, &str)| match number {
        1 => format!("{job}, {direction}"),
        number => format!("{job} ({number}), {direction}"),
    };
    jobs.into_iter().map(|(key, cells)| (name(key), cells)).collect()
}

/// Returns the figures of a job: the rate, and the latency that the results tell.
fn of_job(sweep: &Sweep, job: &str, cells: &Cells<'_>, what: &str, left_out: &str) -> Vec<Figure> {
    let runs = || cells.values().flatten();
    let has_p99 = runs().all(|run| Measure::P99.of(run).is_some());
    let latency = if has_p99 { Measure::P99 } else { Measure::Clat };
    let figure = |measure: Measure| {
        let values = cells.values().filter_map(|runs| value(measure, runs));
        let [least, most] =
            values.fold([f64::INFINITY, 0.0], |[a, b], value| [value.min(a), value.max(b)]);
        let axes = &sweep.axes;
        let plotted = Plotted { cells, measure, ends: [least.min(most), most], what, left_out };
        let title = format!("{} of {job}", measure.title());
        let title = labels(&[title], 60).into_iter().next()?;
        match axes.as_slice() {
            [axis] => Some(plotted.curve(axis, title)),
            [others @ .., down, across] => Some(plotted.maps(others, down, across, title)),
            [] => None,
        }
    };
    [Measure::Iops, Measure::Bw, latency].into_iter().filter_map(figure).collect()
}

/// Returns the median of a cell's runs.
fn value(measure: Measure, runs: &[Cow<'_, Figures>]) -> Option<f64> {
    Spread::of(runs.iter().filter_map(|run| measure.of(run))).map(|spread| spread.median)
}

/// Returns the step of the ramp for a value, by its logarithm.
fn step(value: f64, [least, most]: [f64; 2]) -> usize {
    let [value, least, most] = [value, least, most].map(|of| of.max(1e-3).ln());
    let part = (value - least) / (most - least);
    // No number where all are equal.
    if part.is_finite() { ((part * STEPS as f64) as usize).min(STEPS - 1) } else { 0 }
}

fn spelled(measure: Measure, value: f64) -> String {
    match measure {
        Measure::Bw => count(value).replace('k', "K"),
        _ => count(value),
    }
}

impl Plotted<'_> {
    fn at(&self, at: &[&str]) -> Option<(f64, &'static str, usize)> {
        let runs = self.cells.get(at)?;
        let doubts = Doubts::about(runs.iter().map(|run| &**run)).marks();
        let star = if doubts.is_empty() { "" } else { "*" };
        Some((value(self.measure, runs)?, star, runs.len()))
    }

    /// A curve over the values of the only axis, which stand side by side.
    fn curve(&self, axis: &Axis, title: Label) -> Figure {
        let last = axis.values.len().saturating_sub(1).max(1) as f64;
        let across = Scale::log(1.0, 10.0, LARGE.across());
        let place = |index: usize| 10_f64.powf(index as f64 / last);
        let upwards = Scale::linear(self.ends[1], LARGE.upwards());
        let name = |value: &String| middle_cut(&printable(value), VALUE_MAX);
        let ticks = axis.values.iter().enumerate().map(|(index, of)| (place(index), name(of)));
        let across_text =
            AxisText { axis: &across, ticks: ticks.collect(), title: &printable(&axis.name) };
        let upwards_text = AxisText::new(&upwards, count, self.measure.title());
        let mut svg = Svg::with_axes(&LARGE, &across_text, &upwards_text);
        let points = axis.values.iter().enumerate().filter_map(|(index, of)| {
            let (value, ..) = self.at(&[of.as_str()])?;
            Some([across.place(place(index)), upwards.place(value)])
        });
        svg.curve(&color(0), &points.collect::<Vec<_>>(), &title.full);
        let svg = svg.finish(&title.full);
        let note = format!("{}: medians of the runs.{}", self.what, self.left_out);
        Figure { title, note, plots: vec![(None, svg)], legend: Vec::new() }
    }

    /// A map for each combination of the values of the other axes.
    fn maps(&self, others: &[Axis], down: &Axis, across: &Axis, title: Label) -> Figure {
        let mut places: Vec<Vec<&str>> = vec![Vec::new()];
        for axis in others {
            let mut longer = Vec::new();
            for place in &places {
                longer.extend(axis.values.iter().map(|of| [&place[..], &[of.as_str()]].concat()));
            }
            places = longer;
        }
        let name = |place: &Vec<&str>| {
            let pairs = others.iter().zip(place);
            let pairs: Vec<String> =
                pairs.map(|(a, value)| format!("{}={value}", a.name)).collect();
            pairs.join(" ")
        };
        let names: Vec<String> = places.iter().map(name).collect();
        let named =
            labels(&names, 40).into_iter().map(|label| (!others.is_empty()).then_some(label));
        let plots = named.zip(&places).take(PLOTS_MAX);
        let plots =
            plots.map(|(name, place)| (name, self.map(place, down, across, &title.full))).collect();
        let (rows, columns) = (down.values.len(), across.values.len());
        let note = format!(
            "{}: medians of the runs; a dash is a cell without a result, and a * is explained \
             below the table. Colours are even steps of the logarithm.{}{}{}{}",
            self.what,
            left_out(ROWS_MAX, rows, "rows"),
            left_out(COLUMNS_MAX, columns, "columns"),
            left_out(PLOTS_MAX, places.len(), "plots"),
            self.left_out,
        );
        Figure { title, note, plots, legend: self.legend() }
    }

    fn map(&self, place: &[&str], down: &Axis, across: &Axis, title: &str) -> String {
        let rows = down.values.len().min(ROWS_MAX);
        let columns = across.values.len().min(COLUMNS_MAX);
        let width = (WIDTH - BESIDE) / columns.max(1) as f64;
        let mut svg = Svg::new(ABOVE + ROW * rows as f64 + 2.0);
        let cut = |value: &str, most: usize| middle_cut(&printable(value), most);
        let names = [down, across].map(|axis| cut(&axis.name, 20));
        svg.text(Anchor::Start, [BESIDE, 13.0], &format!("{} →", names[1]));
        svg.text(Anchor::Start, [0.0, 13.0], &format!("{} ↓", cut(&down.name, VALUE_MAX)));
        // Where columns are narrow, only some of them can be named.
        let every = (FIGURE_WIDTH / width).ceil().max(1.0) as usize;
        let letters = ((width * every as f64 / DIGIT) as usize).clamp(4, 20);
        for (index, value) in across.values.iter().enumerate().take(columns).step_by(every) {
            let x = BESIDE + width * (index as f64 + 0.5);
            svg.text(Anchor::Middle, [x, ABOVE - 8.0], &cut(value, letters));
        }
        for (row, y_value) in down.values.iter().enumerate().take(rows) {
            let y = ABOVE + ROW * row as f64;
            svg.text(Anchor::End, [BESIDE - 8.0, y + 17.0], &cut(y_value, VALUE_MAX));
            for (column, x_value) in across.values.iter().enumerate().take(columns) {
                let x = BESIDE + width * column as f64;
                let at = [place, &[y_value.as_str(), x_value.as_str()]].concat();
                let name = format!("{}={y_value} {}={x_value}, {title}", down.name, across.name);
                self.cell(&mut svg, [x, y], width, &at, &cut(&name, 120));
            }
        }
        svg.finish(title)
    }

    fn cell(&self, svg: &mut Svg, [x, y]: [f64; 2], width: f64, at: &[&str], name: &str) {
        let (size, middle) = ([width - 2.0, ROW - 2.0], [x + width / 2.0 - 1.0, y + 17.0]);
        let Some((value, star, runs)) = self.at(at) else {
            svg.bar("none", [x, y], size, &format!("{name}: no result"));
            return svg.text(Anchor::Middle, middle, "-");
        };
        let step = step(value, self.ends);
        let figure = spelled(self.measure, value) + star;
        let runs = if runs == 1 { "1 run" } else { &format!("{runs} runs") };
        let name = format!("{name}: {figure} ({runs})");
        svg.bar(&format!("h{step}"), [x, y], size, &name);
        if width >= FIGURE_WIDTH {
            svg.text_on(if step < STEPS / 2 + 1 { "near" } else { "far" }, middle, &figure);
        }
    }

    /// The steps of the ramp and the values that have them.
    fn legend(&self) -> Vec<(String, Label)> {
        let [least, most] = self.ends.map(|end| end.max(1e-3));
        let end = |step: usize| least * (most / least).powf(step as f64 / STEPS as f64);
        let entry = |step: usize| {
            let ends = [end(step), end(step + 1)].map(|value| spelled(self.measure, value));
            (format!("h{step}"), Label::of(&ends.join(" .. ")))
        };
        match least < most {
            true => (0..STEPS).map(entry).collect(),
            false => vec![("h0".to_owned(), Label::of(&round(least)))],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::sample;
    use crate::saved::System;
    use crate::sweep::file::{CellRun, Header, SweepFile};
    use std::path::Path;

    /// A sweep over axes with so many values, whose IOPS are those of the cell.
    fn sweep(axes: &[(&str, usize)], iops: impl Fn(&[usize]) -> Option<f64>) -> SweepFile {
        let axis = |&(name, count): &(&str, usize)| Axis {
            name: name.to_owned(),
            values: (1..=count).map(|n| n.to_string()).collect(),
        };
        let all: Vec<Axis> = axes.iter().map(axis).collect();
        let mut cells: Vec<Vec<usize>> = vec![Vec::new()];
        for (_, count) in axes {
            let with = |cell: &Vec<usize>| -> Vec<Vec<usize>> {
                (1..=*count).map(|n| [&cell[..], &[n]].concat()).collect()
            };
            cells = cells.iter().flat_map(with).collect();
        }
        let run = |cell: &Vec<usize>| {
            let result = sample("a", Some("persistent"), iops(cell)?);
            let at = cell.iter().map(ToString::to_string).collect();
            Some(CellRun { who: System::Ringmark, at, repetition: 1, result })
        };
        let sweep = Header {
            axes: all,
            repeat: 1,
            seed: None,
            job: String::new(),
            kernel: String::new(),
            guest: Vec::new(),
        };
        SweepFile { runs: cells.iter().filter_map(run).collect(), ..SweepFile::new(sweep) }
    }

    /// The page's data of some sweeps in one file.
    fn data_of(sweeps: &[SweepFile]) -> Data {
        let texts: Vec<String> =
            sweeps.iter().map(|file| serde_json::to_string(file).unwrap()).collect();
        let mut data = Data::default();
        data.add_text(Path::new("x"), &texts.join("\n")).unwrap();
        data
    }

    fn data(axes: &[(&str, usize)], iops: impl Fn(&[usize]) -> Option<f64>) -> Data {
        data_of(&[sweep(axes, iops)])
    }

    fn sum(cell: &[usize]) -> Option<f64> {
        Some(1000.0 * cell.iter().product::<usize>() as f64)
    }

    #[test]
    fn steps_are_even_in_the_logarithm() {
        let steps = [1.0, 9.0, 11.0, 999.0, 1e6, 1e7].map(|value| step(value, [1.0, 1e7]));
        assert_eq!(steps, [0, 0, 1, 2, 6, 6]);
        for value in [0.0, 5.0, 1e19] {
            assert_eq!(step(value, [5.0, 5.0]).min(STEPS - 1), step(value, [5.0, 5.0]));
        }
        assert_eq!(step(0.0, [0.0, 0.0]), 0);
    }

    #[test]
    fn each_cell_has_its_figure() {
        let data =
            data(&[("iodepth", 3), ("vcpus", 2)], |cell| sum(cell).filter(|_| cell != [2, 2]));
        let found = figures(&data);
        assert_eq!(found.len(), 3);
        let svg = &found[0].plots[0].1;
        for (figure, class) in [("1k", "h0"), ("3k", "h4"), ("6k", "h6")] {
            assert!(svg.contains(&format!(">{figure}</text>")), "{svg}");
            assert!(svg.contains(&format!("<rect class=\"{class}\"")), "{svg}");
        }
        assert_eq!(svg.matches("class=\"none\"").count(), 1);
        assert_eq!((found[0].plots.len(), found[0].legend.len()), (1, STEPS));
    }

    /// Clones of a job add up, and only runs of a cell have a median.
    #[test]
    fn clones_of_a_job_are_no_repeats() {
        let mut file = sweep(&[("numjobs", 2), ("vcpus", 1)], |_| Some(1000.0));
        let clone = file.runs[1].result.jobs[0].clone();
        file.runs[1].result.jobs.push(clone);
        let repeated = |iops, repetition| CellRun {
            who: System::Ringmark,
            at: vec!["1".to_owned(), "1".to_owned()],
            repetition,
            result: sample("a", Some("persistent"), iops),
        };
        file.runs.extend([repeated(3000.0, 2), repeated(5000.0, 3)]);
        let found = figures(&data_of(&[file]));
        for (figure, cells) in [(0, ["3k (3 runs)", "2k (1 run)"]), (2, ["4.1 ", "4.1 "])] {
            let svg = &found[figure].plots[0].1;
            for (cell, value) in ["numjobs=1", "numjobs=2"].iter().zip(cells) {
                let bar = svg.split("<title>").find(|part| part.starts_with(cell)).unwrap();
                assert!(bar.contains(value), "{bar}");
            }
        }
    }

    /// Runs that were made before a file grew too long have no bins, those after it have.
    #[test]
    fn a_map_has_one_kind_of_percentile() {
        let mut file = sweep(&[("numjobs", 1), ("vcpus", 2)], |_| Some(1000.0));
        for run in &mut file.runs {
            let mut clone = run.result.jobs[0].clone();
            clone.read.clat_ns.bins = [(3_000, 1)].into_iter().collect();
            clone.read.clat_ns.percentile = [("99.000000".to_owned(), 9_000)].into_iter().collect();
            run.result.jobs.push(clone);
        }
        let p99 = |file: &SweepFile| {
            let map = figures(&data_of(std::slice::from_ref(file))).remove(2).plots.remove(0).1;
            ["9 (1 run)", "4.1 (1 run)"].map(|figure| map.matches(figure).count())
        };
        assert_eq!(p99(&file), [0, 2]);
        file.runs[0]
            .result
            .jobs
            .iter_mut()
            .for_each(|job| job.read.clat_ns.bins = Default::default());
        assert_eq!(p99(&file), [2, 0]);
    }

    #[test]
    fn sweeps_in_one_file_are_kept_apart() {
        let sweeps = [
            sweep(&[("iodepth", 2), ("vcpus", 2)], |_| Some(1000.0)),
            sweep(&[("iodepth", 2), ("vcpus", 2)], |_| Some(9000.0)),
            sweep(&[("bs", 2)], |_| Some(500.0)),
        ];
        let found = figures(&data_of(&sweeps));
        let titles: Vec<&str> = found.iter().map(|figure| figure.title.full.as_str()).collect();
        assert_eq!(
            (titles[0], titles[3]),
            ("IOPS of a, read, sweep 1", "IOPS of a, read, sweep 2")
        );
        assert!(found[8].note.starts_with("Sweep 3 of 3, in x: medians"), "{}", found[8].note);
        for (figure, value) in [(0, ">1k</text>"), (3, ">9k</text>")] {
            assert_eq!(found[figure].plots[0].1.matches(value).count(), 4);
        }
    }

    #[test]
    fn other_axes_have_a_map_for_each_value_and_one_axis_a_curve() {
        let three = figures(&data(&[("bs", 4), ("iodepth", 3), ("vcpus", 2)], sum));
        assert_eq!(three[0].plots.len(), 4);
        assert_eq!(three[0].plots[1].0.as_ref().unwrap().full, "bs=2");
        let one = figures(&data(&[("vcpus", 5)], sum));
        assert!(one[0].plots[0].1.contains("<polyline class=\"c0\""));
        assert_eq!(one[0].plots[0].1.matches("<circle").count(), 5);
    }

    #[test]
    fn a_thousand_cells_make_a_page_that_can_be_opened() {
        for axes in
            [&[("bs", 1000)][..], &[("bs", 1), ("iodepth", 1000)], &[("bs", 25), ("vcpus", 40)]]
        {
            let page = super::super::page(&data(axes, sum), false, "");
            assert!(page.len() < 2 << 20, "{axes:?}: {} bytes", page.len());
            assert!(!page.contains("NaN") && !page.contains("inf\""), "{axes:?}");
        }
    }

    #[test]
    fn cells_of_a_setting_of_the_guest_are_no_repeats() {
        let data = data(&[("iodepth", 1), ("vcpus", 2)], sum);
        assert_eq!(super::super::series::series(&data, false).len(), 2);
    }
}
