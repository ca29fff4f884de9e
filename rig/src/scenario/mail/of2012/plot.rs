//! The comparison's page of plots: what came of more and more guests, and all ways to grant of the
//! most.

use plots::axis::{Axis, count, round};
use plots::figure::{Figure, frame};
use plots::label::Label;
use plots::svg::{Anchor, AxisText, Frame, Svg, WIDTH, color, escape};
use results::Costs;

use super::super::table::{by_owner, spread};
use super::row::Row;
use super::turn::{MODES, Who};
use crate::scenario::costs;

/// Room beside the longest bar, for its value.
const BESIDE: f64 = 60.0;
/// Heights of a bar, and of a bar with its name and what is between two.
const BAR: f64 = 14.0;
const STEP: f64 = 40.0;
/// Heights from a bar's top to its name above, and to its value's foot.
const NAME_ABOVE: f64 = 5.0;
const VALUE_FOOT: f64 = 11.0;

/// Parts of the instructions of an I/O.
const PARTS: [&str; 4] = ["all", "guests", "Xen", "dom0"];

/// Number of the colour of the first of these, which no owner has.
const ALL_COLOR: usize = 1;

/// Values of a row, by what they are drawn in: a line each.
type Values<'a> = &'a dyn Fn(&Row<'_>) -> Vec<Option<f64>>;

/// Rows of guests of one kind, by their number.
struct Line<'a> {
    who: Who,
    rows: Vec<&'a Row<'a>>,
}

/// Returns the page, with the tables and what explains them.
pub(super) fn page(rows: &[Row<'_>], tables: &str) -> String {
    let counted = rows.iter().flat_map(Row::samples).any(|sample| sample.counts.is_some());
    let (rates, spell): (_, fn(f64) -> String) = ("IOPS of all guests", count);
    let rates = if counted { "I/Os for 10⁹ instructions" } else { rates };
    let lines = lines(rows);
    let mut figures = Vec::new();
    if !lines.is_empty() {
        let note = "All guests together, each with a disk of its own; they share a processor.";
        let rate = |row: &Row<'_>| vec![Some(row.rate())];
        figures.push(curves([rates, note], &lines, &rate, spell));
        let ready = |row: &Row<'_>| vec![row.mean(|run| Some(run.ready_s))];
        let note = "Seconds from the first xl create until all guests were ready.";
        figures.push(curves(["Ready after, s", note], &lines, &ready, round));
    }
    figures.extend(bars(rows, rates));
    figures.extend(plots::costs::figures("an I/O", &costs::groups(owners(rows))));
    if counted && !lines.is_empty() {
        figures.push(parts(&lines));
    }
    let section = format!("<pre>{}</pre>\n", escape(tables));
    let about = "Random reads of 4 KiB by many guests at once, as a mail of 2012 had them.";
    plots::page::page(&[section], &figures, about)
}

/// Returns the kinds of guests of which there are several numbers.
fn lines<'a>(rows: &'a [Row<'a>]) -> Vec<Line<'a>> {
    let mut kinds: Vec<Who> = Vec::new();
    for row in rows {
        if !kinds.contains(&row.turn.who) {
            kinds.push(row.turn.who);
        }
    }
    let line = |who: Who| {
        let mut rows: Vec<&Row<'_>> = rows.iter().filter(|row| row.turn.who == who).collect();
        rows.sort_by_key(|row| row.turn.count);
        Line { who, rows }
    };
    kinds.into_iter().map(line).filter(|line| line.rows.len() > 1).collect()
}

/// Returns costs of the rows with the most guests, if they were counted.
fn owners(rows: &[Row<'_>]) -> Vec<(String, String, Costs)> {
    let most = rows.iter().map(|row| row.turn.count).max();
    let rows = rows.iter().filter(|row| Some(row.turn.count) == most);
    let bar = |row: &Row<'_>| {
        let costs = by_owner(row.instructions(), row.exits())?;
        Some((format!("{} guests", row.turn.count), row.turn.who.to_string(), costs))
    };
    rows.filter_map(bar).collect()
}

fn greatest(lines: &[Line<'_>], values: Values<'_>) -> f64 {
    let all = lines.iter().flat_map(|line| &line.rows).flat_map(|row| values(row));
    all.flatten().fold(0.0, f64::max)
}

/// Draws lines by the number of guests, on an axis up to `most`.
fn draw(
    frame: &Frame,
    title: &str,
    lines: &[Line<'_>],
    values: Values<'_>,
    (most, spell): (f64, fn(f64) -> String),
) -> String {
    let mut counts: Vec<u32> =
        lines.iter().flat_map(|line| &line.rows).map(|row| row.turn.count).collect();
    counts.sort_unstable();
    counts.dedup();
    let last = counts.last().copied().unwrap_or(1);
    let across = Axis::linear(f64::from(last), frame.across());
    let ticks = counts.iter().map(|&count| (f64::from(count), count.to_string())).collect();
    let upwards = Axis::linear(most, frame.upwards());
    let guests = AxisText { axis: &across, ticks, title: "guests" };
    let mut svg = Svg::with_axes(frame, &guests, &AxisText::new(&upwards, spell, title));
    for line in lines {
        let values: Vec<(f64, Vec<Option<f64>>)> =
            line.rows.iter().map(|row| (f64::from(row.turn.count), values(row))).collect();
        let width = values.iter().map(|(_, values)| values.len()).max().unwrap_or_default();
        for part in 0..width {
            let point = |(count, values): &(f64, Vec<Option<f64>>)| {
                let value = values.get(part).copied().flatten()?;
                Some([across.place(*count), upwards.place(value)])
            };
            let points: Vec<[f64; 2]> = values.iter().filter_map(point).collect();
            let class = if width == 1 { color(number(line.who)) } else { of_part(part) };
            svg.curve(&class, &points, &line.who.to_string());
        }
    }
    svg.finish(title)
}

/// Returns a figure with a line for each kind of guests.
fn curves(
    [title, note]: [&str; 2],
    lines: &[Line<'_>],
    values: Values<'_>,
    spell: fn(f64) -> String,
) -> Figure {
    let plot = draw(frame(1), title, lines, values, (greatest(lines, values), spell));
    let legend = lines.iter().map(|line| entry(number(line.who), &line.who.to_string()));
    Figure {
        title: Label::of(&format!("{title}, by guests")),
        note: note.to_owned(),
        plots: vec![(None, plot)],
        legend: legend.collect(),
    }
}

/// Returns a figure of whose instructions an I/O takes, with a plot for each kind of guests.
fn parts(lines: &[Line<'_>]) -> Figure {
    let values: Values<'_> = &|row| row.instructions().to_vec();
    let most = greatest(lines, values);
    let plot = |line: &Line<'_>| {
        let line = std::slice::from_ref(line);
        draw(frame(lines.len()), "instructions", line, values, (most, count))
    };
    let plots = lines.iter().map(|line| (Some(Label::of(&line.who.to_string())), plot(line)));
    Figure {
        title: Label::of("Instructions of an I/O, by guests"),
        note: "Whose they are.".to_owned(),
        plots: plots.collect(),
        legend: PARTS
            .iter()
            .enumerate()
            .map(|(number, part)| (of_part(number), Label::of(part)))
            .collect(),
    }
}

/// Returns the class of one of the [`PARTS`]: an owner has the colour of its bars.
fn of_part(number: usize) -> String {
    number.checked_sub(1).map_or_else(|| color(ALL_COLOR), plots::costs::owner_color)
}

/// Returns the number of the colour of guests.
fn number(who: Who) -> usize {
    match who {
        Who::Ours(mode, _) => MODES.iter().position(|&of| of == mode).unwrap_or_default(),
        Who::Linux(_) => MODES.len(),
    }
}

fn entry(number: usize, name: &str) -> (String, Label) {
    (color(number), Label::of(name))
}

/// Returns a figure of the rows with the most guests, if there are several.
fn bars(rows: &[Row<'_>], title: &str) -> Option<Figure> {
    let most = rows.iter().map(|row| row.turn.count).max()?;
    let rows: Vec<&Row<'_>> = rows.iter().filter(|row| row.turn.count == most).collect();
    if rows.len() < 2 {
        return None;
    }
    let spread = |row: &Row<'_>| spread(row.samples());
    let greatest = rows.iter().filter_map(|row| spread(row)).map(|spread| spread.greatest);
    let scale = (WIDTH - BESIDE) / greatest.fold(f64::MIN_POSITIVE, f64::max);
    let mut svg = Svg::new(STEP * rows.len() as f64);
    for (row, nth) in rows.iter().zip(1_u32..) {
        let y = STEP * f64::from(nth) - BAR - NAME_ABOVE;
        let (name, rate) = (row.turn.who.to_string(), row.rate());
        svg.text(Anchor::Start, [0.0, y - NAME_ABOVE], &name);
        let class = color(number(row.turn.who));
        svg.bar(&class, [0.0, y], [(rate * scale).max(1.0), BAR], &format!("{name}: {rate:.0}"));
        let mut end = rate * scale;
        if let Some(spread) = spread(row).filter(|spread| spread.least < spread.greatest) {
            let middle = y + BAR / 2.0;
            end = spread.greatest * scale;
            svg.line("spread", [spread.least * scale, middle], [end, middle]);
        }
        svg.text(Anchor::Start, [end + 6.0, y + VALUE_FOOT], &count(rate));
    }
    Some(Figure {
        title: Label::of(&format!("{title}, {most} guests")),
        note: "Mean of the runs, and a line from the least to the greatest.".to_owned(),
        plots: vec![(None, svg.finish(title))],
        legend: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::sample::Sample;
    use super::super::turn::{Many, Place, Turn};
    use super::*;
    use crate::counts::Counts;

    /// A run that took so many instructions for a thousand I/Os.
    fn run(instructions: Option<u64>) -> Many {
        let counts = instructions.map(|guest| Counts { guest, ..Counts::default() });
        Many {
            sample: Sample { amount: 1000.0, seconds: 2.0, counts },
            ready_s: 1.5,
            starts_ms: None,
            made: None,
            reads: [1000; 2],
            grant_ops: [0.0; 2],
        }
    }

    fn page_of(counts: &[u32], instructions: Option<u64>) -> String {
        let run = run(instructions);
        let kinds = [Who::Ours(MODES[0], Place::Disk), Who::Linux(Place::Disk)];
        let turns = counts.iter().flat_map(|&count| kinds.map(|who| Turn { who, count }));
        let rows: Vec<Row<'_>> = turns.map(|turn| Row { turn, runs: vec![&run] }).collect();
        page(&rows, "a <table>")
    }

    #[test]
    fn each_kind_of_guests_has_a_line_if_there_are_several_numbers() {
        let wall = page_of(&[1, 15], None);
        assert_eq!(wall.matches("<polyline").count(), 2 * 2, "rates and starts");
        assert!(wall.contains("IOPS of all guests, 15 guests") && wall.contains("a &lt;table&gt;"));
        let counted = page_of(&[1, 15], Some(7_000_000));
        assert_eq!(counted.matches("<polyline").count(), 2 * 2 + 2 * PARTS.len());
        assert!(counted.contains("ringmark, persistent: 142857"), "the bar of 10⁹ / 7000");
        let exits = " \u{b7} 0.000 exits</text>";
        assert_eq!([&counted, &wall].map(|page| page.matches(exits).count()), [2, 0]);
        assert_eq!(page_of(&[15], None).matches("<polyline").count(), 0);
    }
}
