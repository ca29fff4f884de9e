//! Costs of an I/O by owner: stacked bars, from 0, in groups whose bars are to be compared.
//!
//! Groups whose bars are of a size share a figure and its scale; where one would make nothing of
//! the other, each has a figure of its own. An owner is told by its place in the bar, its colour,
//! its stripes, and its name where there is room for it.

use results::{CostUnit, Costs};

use crate::axis::{Axis, count, round};
use crate::figure::{Figure, left_out};
use crate::label::Label;
use crate::svg::{Anchor, Svg, WIDTH, color};

/// Most bars of all figures.
pub const BARS_MAX: usize = 96;
/// Bars after which a figure ends.
const FIGURE_BARS: usize = 16;
/// Ratio of the greatest bars of two groups from which on they have figures of their own.
const APART: f64 = 4.0;
/// Room beside the longest bar, for its sum and its exits.
const BESIDE: f64 = 168.0;
/// Heights of a bar, of its name above, of what is below it, of a group's name, of what is between
/// two groups, and of the values below all.
const BAR: f64 = 18.0;
const NAME: f64 = 20.0;
const BELOW: f64 = 5.0;
const HEAD: f64 = 22.0;
const GAP: f64 = 12.0;
const VALUES: f64 = 24.0;
/// Width of a letter, where texts are largest, and of what is around a text in a bar.
const LETTER: f64 = 9.5;
const AROUND: f64 = 8.0;
/// Width of the gap between two owners, and that of the least part that has one.
const BETWEEN: f64 = 1.0;
const BETWEEN_FROM: f64 = 3.0;

/// Numbers of the owners' colours, in the order of [`Costs::owners`].
const COLORS: [usize; Costs::OWNERS] = [0, 3, 2];
/// Owner whose part is striped: the one in the middle, so that no two alike are neighbours.
const STRIPED: usize = 1;

/// Bars that are to be compared.
#[derive(Clone, Debug)]
pub struct Group {
    /// Work that they all did.
    pub name: Label,
    /// The bars, from above.
    pub rows: Vec<Row>,
}

/// A bar.
#[derive(Clone, Debug)]
pub struct Row {
    /// Name of whoever did it.
    pub name: Label,
    /// Costs that it shows.
    pub costs: Costs,
}

/// An owner's part of a bar.
#[derive(Debug, PartialEq)]
struct Part {
    /// Place where it begins, and its width.
    from: f64,
    width: f64,
    /// Text in it, if one fits.
    text: Option<String>,
}

impl Group {
    fn greatest(&self) -> f64 {
        self.rows.iter().map(|row| row.costs.total()).fold(0.0, f64::max)
    }

    /// Returns it in pieces of at most so many rows.
    fn pieces(&self, most: usize) -> impl Iterator<Item = Self> {
        let piece = |rows: &[Row]| Self { name: self.name.clone(), rows: rows.to_vec() };
        self.rows.chunks(most).map(piece)
    }
}

/// The class of an owner's colour.
pub fn owner_color(owner: usize) -> String {
    color(COLORS.get(owner).copied().unwrap_or_default())
}

/// The classes of an owner's part of a bar.
fn class(owner: usize) -> String {
    owner_color(owner) + if owner == STRIPED { " striped" } else { "" }
}

/// Draws all groups, of which one unit of work has a name (`an I/O`). No bar is no figure.
pub fn figures(work: &str, groups: &[Group]) -> Vec<Figure> {
    let units = [CostUnit::Instructions, CostUnit::Cycles];
    let of_unit = |unit: CostUnit| {
        let rows = |group: &Group| {
            let rows = group.rows.iter().filter(|row| row.costs.unit == unit).cloned().collect();
            Group { name: group.name.clone(), rows }
        };
        of_unit(work, unit, groups.iter().map(rows).filter(|group| !group.rows.is_empty()))
    };
    units.into_iter().flat_map(of_unit).collect()
}

fn of_unit(work: &str, unit: CostUnit, groups: impl Iterator<Item = Group>) -> Vec<Figure> {
    let (mut room, mut all) = (BARS_MAX, 0);
    let mut shown: Vec<Group> = Vec::new();
    for mut group in groups {
        all += group.rows.len();
        group.rows.truncate(room);
        room -= group.rows.len();
        if !group.rows.is_empty() {
            shown.push(group);
        }
    }
    let left_out = left_out(BARS_MAX - room, all, "bars");
    let plots: Vec<(f64, Vec<Group>)> = scales(shown)
        .into_iter()
        .flat_map(|groups| {
            let greatest = groups.iter().map(Group::greatest).fold(0.0, f64::max);
            pages(&groups).into_iter().map(move |page| (greatest, page))
        })
        .collect();
    let last = plots.len();
    let title = format!("{} of {work} by owner", capital(unit.name()));
    let figure = |(number, (greatest, groups)): (usize, &(f64, Vec<Group>))| {
        let title = match last {
            1 => title.clone(),
            _ => format!("{title} ({} of {last})", number + 1),
        };
        let same = number.checked_sub(1).and_then(|before| plots.get(before));
        let note = match same.map(|(before, _)| before == greatest) {
            None => format!(
                "In each bar from the left: guest, Xen (striped), dom0; behind it the sum, and \
                 exits to Xen where they were counted. The scale begins at 0.{left_out}"
            ),
            Some(true) => "To the same scale.".to_owned(),
            Some(false) => "To another scale, which begins at 0, too.".to_owned(),
        };
        let names = Costs::default().owners().map(|(name, _)| name);
        let legend = names.iter().enumerate();
        Figure {
            title: Label::of(&title),
            note,
            plots: vec![(None, plot(&title, groups, *greatest))],
            legend: legend.map(|(owner, name)| (class(owner), Label::of(name))).collect(),
        }
    };
    plots.iter().enumerate().map(figure).collect()
}

/// Returns the groups by their scales, in the order in which each scale's first one comes.
fn scales(groups: Vec<Group>) -> Vec<Vec<Group>> {
    let mut greatest: Vec<f64> = groups.iter().map(Group::greatest).collect();
    greatest.sort_by(|one, other| other.total_cmp(one));
    let mut tops: Vec<f64> = Vec::new();
    for of in greatest {
        if tops.last().is_none_or(|&top| of * APART < top) {
            tops.push(of);
        }
    }
    let top = |group: &Group| tops.iter().rposition(|&top| group.greatest() <= top);
    let mut scales: Vec<(Option<usize>, Vec<Group>)> = Vec::new();
    for group in groups {
        let top = top(&group);
        match scales.iter_mut().find(|(of, _)| *of == top) {
            Some((_, groups)) => groups.push(group),
            None => scales.push((top, vec![group])),
        }
    }
    scales.into_iter().map(|(_, groups)| groups).collect()
}

/// Returns groups of one scale by figure.
fn pages(groups: &[Group]) -> Vec<Vec<Group>> {
    let mut pages: Vec<Vec<Group>> = Vec::new();
    for piece in groups.iter().flat_map(|group| group.pieces(FIGURE_BARS)) {
        let count = |page: &[Group]| page.iter().map(|group| group.rows.len()).sum::<usize>();
        match pages.last_mut() {
            Some(page) if count(page) + piece.rows.len() <= FIGURE_BARS => page.push(piece),
            _ => pages.push(vec![piece]),
        }
    }
    pages
}

fn plot(title: &str, groups: &[Group], greatest: f64) -> String {
    let axis = Axis::linear(greatest, [0.0, WIDTH - BESIDE]);
    let step = NAME + BAR + BELOW;
    let heights = groups.iter().map(|group| HEAD + step * group.rows.len() as f64 + GAP);
    let foot: f64 = heights.sum();
    let mut svg = Svg::new(foot + VALUES);
    let mut y = 0.0;
    for group in groups {
        svg.heading([0.0, y + HEAD - 7.0], &group.name);
        y += HEAD;
        for row in &group.rows {
            svg.label([0.0, y + NAME - 6.0], &row.name);
            bar(&mut svg, row, &axis, y + NAME);
            y += step;
        }
        y += GAP;
    }
    svg.line("axis", [0.0, foot], [WIDTH - BESIDE, foot]);
    for value in axis.ticks() {
        let x = axis.place(value);
        svg.line("axis", [x, foot], [x, foot + 4.0]);
        let anchor = if value == 0.0 { Anchor::Start } else { Anchor::Middle };
        svg.text(anchor, [x, foot + 18.0], &count(value));
    }
    svg.describe(&described(groups));
    svg.finish(title)
}

fn bar(svg: &mut Svg, row: &Row, axis: &Axis, y: f64) {
    let total = row.costs.total();
    let owners = row.costs.owners();
    for (owner, (part, (name, cost))) in parts(&row.costs, axis).into_iter().zip(owners).enumerate()
    {
        if part.width <= 0.0 {
            continue;
        }
        let gap = if part.width >= BETWEEN_FROM { BETWEEN } else { 0.0 };
        let (place, size) = ([part.from, y], [part.width - gap, BAR]);
        let share = format!("{:.0} %", cost / total * 100.0);
        let title =
            format!("{}, {name}: {} of {}, {share}", row.name.full, spell(cost), spell(total));
        svg.bar(&class(owner), place, size, &title);
        if owner == STRIPED {
            stripes(svg, place, size, part.text.as_deref());
        }
        if let Some(text) = part.text {
            svg.text_on("far", [part.from + size[0] / 2.0, y + BAR - 5.0], &text);
        }
    }
    svg.text(Anchor::Start, [axis.place(total) + 6.0, y + BAR - 5.0], &beside(&row.costs));
}

/// Draws stripes on a part: beside its text, not behind it.
fn stripes(svg: &mut Svg, place: [f64; 2], [all, height]: [f64; 2], text: Option<&str>) {
    let Some(text) = text else { return svg.stripes(place, [all, height]) };
    let beside = (all - width(text)) / 2.0;
    svg.stripes(place, [beside, height]);
    svg.stripes([place[0] + all - beside, place[1]], [beside, height]);
}

/// Returns the parts of a bar from the left, which has no gaps: each begins where the one before
/// ends, and the last ends at the sum.
fn parts(costs: &Costs, axis: &Axis) -> [Part; Costs::OWNERS] {
    let mut sum = 0.0;
    costs.owners().map(|(name, cost)| {
        let from = axis.place(sum);
        sum += cost;
        let width = axis.place(sum) - from;
        let texts = [format!("{name} {}", spell(cost)), spell(cost)];
        let fits = |text: &String| self::width(text) + AROUND <= width;
        Part { from, width, text: texts.into_iter().find(fits) }
    })
}

/// Returns the most room that a text takes.
fn width(text: &str) -> f64 {
    text.chars().count() as f64 * LETTER
}

/// Returns a cost as it is written: whole, but with decimals where it is small.
fn spell(cost: f64) -> String {
    if cost < 10.0 { round(cost) } else { format!("{cost:.0}") }
}

/// Returns what is written behind a bar.
fn beside(costs: &Costs) -> String {
    let exits = costs.exits.map(|exits| format!(" \u{b7} {exits:.3} exits"));
    spell(costs.total()) + &exits.unwrap_or_default()
}

/// Returns all figures as a text for those who do not see the plot.
fn described(groups: &[Group]) -> String {
    let row = |row: &Row| {
        let owners = row.costs.owners().map(|(name, cost)| format!("{name} {}", spell(cost)));
        format!("{} {} ({})", row.name.full, beside(&row.costs), owners.join(", "))
    };
    let group = |group: &Group| {
        let rows: Vec<String> = group.rows.iter().map(row).collect();
        format!("{}: {}.", group.name.full, rows.join("; "))
    };
    groups.iter().map(group).collect::<Vec<_>>().join(" ")
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests;
