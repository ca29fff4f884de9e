//! IOPS of each job: a bar for the mean on each system, and a line for its 95 % interval.

use plots::axis::{count, round};
use plots::figure::{Figure, LINES_MAX, left_out};
use plots::label::Label;
use plots::svg::{Anchor, Svg, WIDTH, color};

use super::interval::Interval;
use super::view::View;

/// Most bars of all figures.
const BARS_MAX: usize = 96;
/// Bars after which a figure ends.
const FIGURE_BARS: usize = 16;
/// Room beside the longest bar, for its value.
const BESIDE: f64 = 180.0;
/// Heights of a bar, of a bar with what is between two, of a name, and of what is between two jobs.
const BAR: f64 = 15.0;
const STEP: f64 = 19.0;
const NAME: f64 = 20.0;
const GAP: f64 = 10.0;
/// Half the height of the ends of an interval.
const CAP: f64 = 4.0;
/// Most of the greatest mean that the scale has for intervals: few runs may have one of many times
/// their mean, which is cut.
const SCALE_MAX: f64 = 1.5;

/// Returns the figures; none if there is no bar to compare with another.
pub fn figures(view: View<'_>) -> Vec<Figure> {
    let iops = |&series: &usize| view.series.get(series).map(Interval::of);
    let jobs = jobs(view);
    let shown: Vec<usize> = jobs.iter().flatten().copied().collect();
    if view.series.len() < 2 {
        return Vec::new();
    }
    let greatest = shown.iter().filter_map(iops).map(|of| of.mean).fold(0.0, f64::max);
    let ends = shown.iter().filter_map(iops).map(|of| of.mean + of.half_width.unwrap_or(0.0));
    let end = ends.fold(greatest, f64::max).min(SCALE_MAX * greatest);
    let scale = (WIDTH - BESIDE) / end.max(f64::MIN_POSITIVE);
    let mut parts: Vec<Vec<Vec<usize>>> = Vec::new();
    for job in jobs {
        match parts.last_mut() {
            Some(part) if part.iter().flatten().count() + job.len() <= FIGURE_BARS => {
                part.push(job)
            }
            _ => parts.push(vec![job]),
        }
    }
    let left_out = left_out(shown.len(), view.series.len(), "bars");
    let last = parts.len();
    let figure = |(index, part): (usize, &Vec<Vec<usize>>)| {
        let number = format!("IOPS ({} of {last})", index + 1);
        let (title, note) = match index {
            0 => {
                let note = "I/Os a second: mean of the runs, and its 95 % interval: by several runs, \
                            or within the one that there is. A * is explained below the table.";
                (if last == 1 { "IOPS" } else { &number }, format!("{note}{left_out}"))
            }
            _ => (&*number, "To the same scale.".to_owned()),
        };
        Figure {
            title: Label::of(title),
            note,
            plots: vec![(None, plot(view, part, scale))],
            legend: if is_crowded(view) {
                Vec::new()
            } else {
                view.legend(part.iter().flatten().copied())
            },
        }
    };
    parts.iter().enumerate().map(figure).collect()
}

/// Returns whether there are more systems than colours that can be told apart.
fn is_crowded(view: View<'_>) -> bool {
    view.names.whos.len() > LINES_MAX
}

/// The jobs with their series, as far as they are shown.
fn jobs(view: View<'_>) -> Vec<Vec<usize>> {
    let mut room = BARS_MAX;
    let mut jobs = view.jobs();
    for job in &mut jobs {
        job.truncate(room);
        room -= job.len();
    }
    // More than a figure's bars of one job go on in the next.
    let parts = jobs.iter().flat_map(|job| job.chunks(FIGURE_BARS));
    parts.map(<[usize]>::to_vec).collect()
}

fn plot(view: View<'_>, jobs: &[Vec<usize>], scale: f64) -> String {
    let crowded = is_crowded(view);
    let step = if crowded { STEP + NAME } else { STEP };
    let height: f64 = jobs.iter().map(|job| NAME + step * job.len() as f64 + GAP).sum();
    let mut svg = Svg::new(height);
    let mut y = 0.0;
    for job in jobs {
        if let Some((what, _)) = job.first().and_then(|&series| view.labels(series)) {
            svg.label([0.0, y + NAME - 6.0], what);
        }
        y += NAME;
        for &series in job {
            if crowded && let Some((_, who)) = view.labels(series) {
                svg.label([0.0, y + NAME - 6.0], who);
                y += NAME;
            }
            bar(&mut svg, view, series, y, scale);
            y += STEP;
        }
        y += GAP;
    }
    svg.finish("IOPS of each job")
}

fn bar(svg: &mut Svg, view: View<'_>, index: usize, y: f64, scale: f64) {
    let Some(series) = view.series.get(index) else { return };
    let Some(spread) = series.spread(|run| Some(run.iops)) else { return };
    let Some((_, who)) = view.labels(index) else { return };
    let Interval { mean, half_width } = Interval::of(series);
    let color = color(if is_crowded(view) { 0 } else { view.numbers(index).1 });
    let end = (mean * scale).max(1.0);
    svg.bar(&color, [0.0, y], [end, BAR], &format!("{}: {spread} IOPS", who.full));
    let middle = y + BAR / 2.0;
    let (mut value, mut beside) = (count(mean), end);
    if let Some(half) = half_width {
        let [low, high] = [(mean - half).max(0.0), mean + half].map(|iops| iops * scale);
        let high = high.min(WIDTH - BESIDE);
        svg.interval([low, middle], [high, middle], CAP);
        beside = beside.max(high);
        value = format!("{value} \u{b1} {}", percent(half, mean));
    }
    value.push_str(series.star());
    svg.text(Anchor::Start, [beside + 6.0, y + BAR - 3.0], &value);
}

/// A share in few characters.
fn percent(part: f64, whole: f64) -> String {
    match 100.0 * part / whole {
        percent @ ..1000.0 => format!("{}%", round(percent)),
        _ => ">1000%".to_owned(),
    }
}
