//! The arithmetic of the bars, and what the elements are made of.

use results::Owners;

use super::*;

fn costs(guest: f64, xen: f64, dom0: f64) -> Costs {
    let owners = Owners { guest, xen, dom0 };
    Costs { owners, exits: Some(0.125), ..Costs::default() }
}

fn group(name: &str, rows: &[Costs]) -> Group {
    let row = |(number, &costs): (usize, &Costs)| Row {
        name: Label::of(&format!("{name} {number}")),
        costs,
    };
    Group { name: Label::of(name), rows: rows.iter().enumerate().map(row).collect() }
}

fn axis(greatest: f64) -> Axis {
    Axis::linear(greatest, [0.0, WIDTH - BESIDE])
}

/// The plot's elements of a kind.
fn elements<'a>(plot: &'a str, begin: &str) -> Vec<&'a str> {
    plot.lines().filter(|line| line.starts_with(begin)).collect()
}

/// The value of an element's attribute.
fn attribute(element: &str, name: &str) -> f64 {
    let rest = element.split_once(&format!(" {name}=\"")).unwrap().1;
    rest.split_once('"').unwrap().0.parse().unwrap()
}

#[test]
fn parts_follow_each_other_and_end_at_the_sum() {
    for costs in [
        costs(469.0, 1391.0, 3175.0),
        costs(1e12, 1.0, 0.0),
        costs(0.0, 0.0, 7.0),
        costs(0.1, 0.2, 0.3),
        costs(0.0, 5.0, 0.0),
    ] {
        let axis = axis(costs.total() * 1.7);
        let parts = parts(&costs, &axis);
        let mut end = 0.0;
        for (part, (_, cost)) in parts.iter().zip(costs.owners()) {
            assert_eq!(part.from, end);
            assert!((part.width - axis.place(cost)).abs() < 1e-9, "{costs:?}");
            end += part.width;
        }
        assert!((end - axis.place(costs.total())).abs() < 1e-9, "{costs:?}");
    }
}

#[test]
fn nothing_costs_no_room() {
    let none = costs(0.0, 0.0, 0.0);
    let figures = figures("an I/O", &[group("a", &[none])]);
    let plot = &figures[0].plots[0].1;
    assert!(elements(plot, "<rect").is_empty() && !plot.contains("NaN"), "{plot}");
    assert!(plot.contains(">0 \u{b7} 0.125 exits</text>"), "{plot}");
    assert!(super::figures("an I/O", &[]).is_empty());
    assert!(super::figures("an I/O", &[group("a", &[])]).is_empty());
}

#[test]
fn an_owner_that_has_nearly_all_leaves_the_others_their_places() {
    let costs = costs(3.0, 1e6, 2.0);
    let [guest, xen, dom0] = parts(&costs, &axis(costs.total()));
    assert_eq!((guest.text, dom0.text), (None, None));
    assert_eq!(xen.text.as_deref(), Some("Xen 1000000"));
    assert!(guest.width > 0.0 && dom0.width > 0.0 && guest.width < 0.01);
}

#[test]
fn a_text_is_in_its_part_or_not_there() {
    let texts = |cost: f64| {
        let all = costs(cost, 1000.0 - cost, 0.0);
        let [guest, xen, _] = parts(&all, &axis(1000.0));
        for part in [&guest, &xen] {
            let letters = part.text.as_ref().map_or(0, |text| text.chars().count());
            assert!(letters == 0 || letters as f64 * LETTER + AROUND <= part.width);
        }
        guest.text
    };
    (0..1000).for_each(|cost| drop(texts(f64::from(cost))));
    let found = [400.0, 200.0, 60.0].map(texts);
    assert_eq!(found.map(|text| text.unwrap_or_default()), ["guest 400", "200", ""]);
}

#[test]
fn all_bars_of_a_figure_have_one_scale_from_zero() {
    let groups = [
        group("a", &[costs(1000.0, 0.0, 0.0), costs(500.0, 250.0, 250.0)]),
        group("b", &[costs(0.0, 0.0, 2000.0)]),
    ];
    let figures = figures("an I/O", &groups);
    assert_eq!(figures.len(), 1);
    let bars = elements(&figures[0].plots[0].1, "<rect");
    let ends: Vec<f64> =
        bars.iter().map(|bar| attribute(bar, "x") + attribute(bar, "width") + BETWEEN).collect();
    let full = WIDTH - BESIDE;
    let expected = [0.5, 0.25, 0.375, 0.5, 1.0].map(|part| part * full);
    assert_eq!(ends, expected);
    assert_eq!([0, 1, 4].map(|first| attribute(bars[first], "x")), [0.0; 3]);
}

#[test]
fn groups_that_are_far_apart_have_scales_of_their_own() {
    let of = |total: f64| group(&total.to_string(), &[costs(total, 0.0, 0.0)]);
    let names = |totals: &[f64]| -> Vec<Vec<String>> {
        let scales = scales(totals.iter().map(|&total| of(total)).collect());
        let names = |groups: Vec<Group>| groups.into_iter().map(|of| of.name.full).collect();
        scales.into_iter().map(names).collect()
    };
    assert_eq!(names(&[5000.0, 100_000.0, 6000.0]), [&["5000", "6000"][..], &["100000"]]);
    assert_eq!(names(&[1000.0, 4000.0]), [["1000", "4000"]], "just not too far apart");
    assert_eq!(names(&[999.0, 4000.0]), [["999"], ["4000"]]);
    assert_eq!(names(&[1.0, 3.0, 9.0]), [&["1"][..], &["3", "9"]], "the greatest is the measure");
    assert_eq!(names(&[0.0, 5.0, 0.0]), [&["0", "0"][..], &["5"]]);
    let figures = figures("an I/O", &[of(10.0), of(1000.0)]);
    let titles: Vec<&str> = figures.iter().map(|figure| &*figure.title.full).collect();
    let title = "Instructions of an I/O by owner";
    assert_eq!(titles, [format!("{title} (1 of 2)"), format!("{title} (2 of 2)")]);
    assert!(figures[1].note.starts_with("To another scale"));
}

#[test]
fn many_bars_are_in_figures_to_one_scale_and_have_an_end() {
    let rows = vec![costs(1.0, 2.0, 3.0); 40];
    let found = figures("an I/O", &[group("a", &rows), group("b", &rows), group("c", &rows)]);
    let count = |figure: &Figure| elements(&figure.plots[0].1, "<rect").len() / Costs::OWNERS;
    let counts: Vec<usize> = found.iter().map(count).collect();
    assert_eq!(counts.iter().sum::<usize>(), BARS_MAX);
    assert!(counts.iter().all(|&count| count <= FIGURE_BARS), "{counts:?}");
    assert!(found[0].note.ends_with("Of 120 bars the first 96 are shown."), "{}", found[0].note);
    assert!(found[1..].iter().all(|figure| figure.note == "To the same scale."));
}

#[test]
fn units_are_not_mixed() {
    let cycles = Costs { unit: CostUnit::Cycles, exits: None, ..costs(1.0, 2.0, 3.0) };
    let found = figures("a MiB", &[group("a", &[costs(1.0, 2.0, 3.0), cycles])]);
    let titles: Vec<&str> = found.iter().map(|figure| &*figure.title.full).collect();
    assert_eq!(titles, ["Instructions of a MiB by owner", "Cycles of a MiB by owner"]);
    let bars = |figure: &Figure| elements(&figure.plots[0].1, "<rect").len();
    assert!(found.iter().all(|figure| bars(figure) == Costs::OWNERS));
    assert!(!found[1].plots[0].1.contains("exits"));
}

#[test]
fn a_bar_tells_all_without_its_colours() {
    let mut bad = group("<a>", &[costs(40.0, 35.0, 50.0)]);
    bad.rows[0].name = Label { short: "x & y".into(), full: "x & \"y\"".into() };
    let figure = figures("an I/O", &[bad]).remove(0);
    let plot = &figure.plots[0].1;
    for text in [
        ">guest 40</text>",
        ">Xen 35</text>",
        ">dom0 50</text>",
        ">125 \u{b7} 0.125 exits</text>",
        "<title>x &amp; &quot;y&quot;, Xen: 35 of 125, 28 %</title>",
        "<desc>&lt;a&gt;: x &amp; &quot;y&quot; 125 \u{b7} 0.125 exits (guest 40, Xen 35, \
         dom0 50).</desc>",
        "role=\"img\" aria-label=\"Instructions of an I/O by owner\"",
    ] {
        assert!(plot.contains(text), "{text}: {plot}");
    }
    assert_eq!(elements(plot, "<path class=\"stripes\"").len(), 2, "left and right of the text");
    let classes: Vec<&str> = figure.legend.iter().map(|(class, _)| &**class).collect();
    let names: Vec<&str> = figure.legend.iter().map(|(_, name)| &*name.full).collect();
    assert_eq!(names, ["guest", "Xen", "dom0"]);
    for class in classes {
        assert_eq!(plot.matches(&format!("<rect class=\"{class}\"")).count(), 1);
    }
}
