//! Projected throughput of grant-table designs by processors, beside published figures.

use projection::grants::designs::Design;
use projection::grants::{CPUS_2013, GrantLocks, LockCheck, LockCurve, LockPoint};

use plots::axis::{Axis, count};
use plots::figure::{Figure, frame};
use plots::label::Label;
use plots::svg::{Anchor, AxisText, Svg, color, escape};

/// Returns a plot of all designs for each case, with what was published of it.
pub fn figures(locks: &GrantLocks, check: &LockCheck) -> Vec<Figure> {
    let cases = locks.curves.chunk_by(|one, next| one.case() == next.case());
    cases.filter_map(|case| figure(locks, check, case)).collect()
}

fn figure(locks: &GrantLocks, check: &LockCheck, case: &[LockCurve]) -> Option<Figure> {
    let curves = || case.iter();
    let points = || curves().flat_map(|curve| &curve.points);
    let cpus = || points().map(|point| f64::from(point.cpus));
    // All plots have one axis, so that they can be compared.
    let all = || locks.curves.iter().flat_map(|curve| &curve.points).map(|point| point.mb_per_s);
    let (least, greatest) = (all().reduce(f64::min)?, all().reduce(f64::max)?);
    let frame = frame(1);
    let across =
        Axis::log(cpus().reduce(f64::min)?, cpus().reduce(f64::max)?.max(2.0), frame.across());
    let upwards = Axis::decades(least, greatest, frame.upwards());
    let first = curves().next()?;
    let ticks = first.points.iter().map(|point| (f64::from(point.cpus), point.cpus.to_string()));
    let cpus = AxisText { axis: &across, ticks: ticks.collect(), title: "processors of dom0" };
    let rates = AxisText::new(&upwards, count, "MB/s, projected");
    let mut svg = Svg::with_axes(frame, &cpus, &rates);
    let number = |curve: &LockCurve| Design::ALL.iter().position(|design| *design == curve.design);
    let class = |curve: &LockCurve| color(number(curve).unwrap_or_default());
    for curve in curves() {
        let place = |of: &LockPoint| [across.place(f64::from(of.cpus)), upwards.place(of.mb_per_s)];
        let points: Vec<[f64; 2]> = curve.points.iter().map(place).collect();
        svg.curve(&class(curve), &points, curve.design.name());
    }
    let disks = CPUS_2013 as f64;
    let has_room = first.points.iter().any(|point| f64::from(point.cpus) >= disks);
    for of in check.figures.iter().filter(|_| has_room && first.flushes) {
        let is_one = |curve: &&LockCurve| of.block == Some((curve.design, curve.events));
        let Some(curve) = curves().find(is_one) else { continue };
        let place = [across.place(disks), upwards.place(of.published)];
        let name = format!("published: {}, {:.0} {}", of.name, of.published, of.unit);
        svg.curve(&class(curve), &[place], &name);
        let text = format!("{:.0}, published", of.published);
        svg.text(Anchor::Start, [place[0] + 6.0, place[1] + 4.0], &text);
    }
    let title = format!("Grant locks, {}", first.case());
    let legend = curves().map(|curve| (class(curve), Label::of(curve.design.name())));
    Some(Figure {
        title: Label::of(&title),
        note: "Projected, not measured: writes of 2 MB, a grant for each page.".to_owned(),
        plots: vec![(None, svg.finish(&title))],
        legend: legend.collect(),
    })
}

/// Returns published figures beside their projections, as a section of the page.
pub fn section(check: &LockCheck) -> String {
    let cells = |name: &str, cells: [String; 4]| {
        let cells: String = cells.iter().map(|cell| format!("<td>{}</td>", escape(cell))).collect();
        format!("<tr><td>{}</td>{cells}</tr>\n", escape(name))
    };
    let figures = check.figures.iter().map(|of| {
        let (published, value) = (format!("{:.0}", of.published), format!("{:.0}", of.value));
        cells(of.name, [of.unit.to_owned(), published, value, of.source.to_owned()])
    });
    let ratios = check.ratios.iter().map(|of| {
        let (published, value) = (format!("{:.2}", of.published), format!("{:.2}", of.projected));
        let error = format!("error {:.0} %, aim {:.0} %", of.error_percent(), of.most_percent);
        cells(of.name, ["ratio".to_owned(), published, value, error])
    });
    let rows: String = figures.chain(ratios).collect();
    let heads = ["", "unit", "published", "projected", "from"];
    let heads = heads.map(|name| format!("<th>{name}</th>")).concat();
    format!(
        "<h2>Published figures</h2>\n<div class=\"table words\"><table>\n<thead><tr>{heads}</tr>\
         </thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n"
    )
}

#[cfg(test)]
mod tests {
    use projection::Costs;

    use super::*;

    #[test]
    fn all_designs_are_plotted_and_all_figures_are_told() {
        let costs = Costs::shipped().unwrap();
        let locks = GrantLocks::new(&costs, 2, 2, 1).unwrap();
        let check = LockCheck::new(&costs, 1);
        let figures = figures(&locks, &check);
        assert_eq!(figures.len(), 3);
        for figure in figures {
            assert_eq!(figure.legend.len(), Design::ALL.len());
            let (_, plot) = &figure.plots[0];
            assert_eq!(plot.matches("<polyline").count(), Design::ALL.len());
            assert!(plot.contains("projected") && !plot.contains("NaN"), "{plot}");
        }
        let section = section(&check);
        for text in ["<td>1400</td>", "<td>48</td>", "<td>3.20</td>", "aim 30 %"] {
            assert!(section.contains(text), "{text}: {section}");
        }
    }

    #[test]
    fn what_was_published_is_on_the_plots_that_have_room_for_it() {
        let costs = Costs::shipped().unwrap();
        let locks = GrantLocks::new(&costs, 24, 2, 1).unwrap();
        let check = LockCheck::new(&costs, 1);
        let count = |figure: &Figure| figure.plots[0].1.matches(", published").count();
        let counts: Vec<usize> = figures(&locks, &check).iter().map(count).collect();
        assert_eq!(counts, [2, 1, 0]);
    }
}
