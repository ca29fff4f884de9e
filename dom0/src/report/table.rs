//! The table: a row of medians for each series.

use plots::axis::{count, time};
use plots::label::Label;
use plots::svg::escape;

use super::series::Series;
use super::view::View;

/// Most rows.
pub const ROWS_MAX: usize = 1000;
/// Rows beyond which the table has its own scroll bar, so that what is below it can be reached.
const SCROLLED: usize = 30;
/// Most notes below it.
const NOTES_MAX: usize = 100;

/// Heads of the columns.
const HEADS: [&str; 11] = [
    "job",
    "system",
    "runs",
    "IOPS",
    "MiB/s",
    "mean",
    "50%",
    "99%",
    "99.9%",
    "pages kept",
    "stolen",
];

/// Meaning of the columns.
const NOTE: &str = "Medians of the runs. The mean latency is measured from submission, percentiles are of fio's \
     completion latency. Pages kept mapped by the backend are those of the run that kept the \
     smallest share, time stolen from the vCPU is that of the run that lost most.";

/// Returns the section of the page.
pub fn section(view: View<'_>) -> String {
    if view.series.is_empty() {
        return String::new();
    }
    let heads: String = HEADS.iter().map(|head| format!("<th>{head}</th>")).collect();
    let (mut rows, mut notes, mut note_count) = (String::new(), String::new(), 0);
    for (index, series) in view.series.iter().enumerate().take(ROWS_MAX) {
        let Some((what, who)) = view.labels(index) else { continue };
        let named = [what, who].map(cell);
        let cells: String = figures(series).iter().map(|cell| format!("<td>{cell}</td>")).collect();
        rows.push_str(&format!("<tr>{}{cells}</tr>\n", named.concat()));
        for mark in series.doubts().marks() {
            note_count += 1;
            if note_count <= NOTES_MAX {
                let name = escape(&format!("{}, {}", what.short, who.short));
                notes.push_str(&format!("<p>* {name}: {mark}</p>\n"));
            }
        }
    }
    if note_count > NOTES_MAX {
        notes.push_str(&format!("<p>And {} more notes.</p>\n", note_count - NOTES_MAX));
    }
    let all = view.series.len();
    let left_out = match all.saturating_sub(ROWS_MAX) {
        0 => String::new(),
        more => format!(
            " The first {ROWS_MAX} of {all} rows; {more} are left out, and so are their marks. \
             Make pages of fewer files or jobs to see them."
        ),
    };
    let (class, scroll) = match all > SCROLLED {
        true => ("table long", " Scroll in the table to see all of its rows."),
        false => ("table", ""),
    };
    format!(
        "<h2>Figures</h2>\n<p>{NOTE}{left_out}{scroll}</p>\n\
         <div class=\"{class}\"><table>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody>\n\
         </table></div>\n{notes}"
    )
}

/// Returns a label's cell, which tells its whole name when it is pointed at.
pub fn cell(label: &Label) -> String {
    let (short, full) = (escape(&label.short), escape(&label.full));
    if short == full {
        format!("<td>{short}</td>")
    } else {
        format!("<td title=\"{full}\">{short}</td>")
    }
}

fn figures(series: &Series<'_>) -> [String; 9] {
    let dash = || "-".to_owned();
    let percentile =
        |percent| series.median(|run| run.percentile_ns(percent)).map_or_else(dash, time);
    let median = |figure: fn(&crate::figures::Figures) -> f64| {
        series.median(|run| Some(figure(run))).unwrap_or_default()
    };
    let doubts = series.doubts();
    let kept = doubts.kept.map(|(kept, used)| format!("{kept} of {used}"));
    let stolen = doubts.stolen.map(|(_, percent)| format!("{percent:.2}%"));
    [
        series.runs().count().to_string(),
        count(median(|run| run.iops)) + series.star(),
        format!("{:.1}", median(|run| run.bytes_per_second) / f64::from(1 << 20)),
        series.median(|run| run.mean_ns).map_or_else(dash, time),
        percentile(50.0),
        percentile(99.0),
        percentile(99.9),
        kept.unwrap_or_else(dash),
        stolen.unwrap_or_else(dash),
    ]
}
