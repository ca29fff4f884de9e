//! The page: one HTML file with everything in it, for light and dark, for wide and narrow.

use super::axis::{count, time};
use super::load::Data;
use super::plots::Figure;
use super::svg::escape;

/// HTML before the style sheet.
const HEAD: &str = include_str!("head.html");
/// The style sheet. The colours of the plots are a palette that people with any colour vision can
/// tell apart (Okabe and Ito's), lighter or darker where the background asks for it.
const STYLE: &str = include_str!("page.css");

/// A page with these figures, and a table of all that was measured.
pub fn page(data: &Data, figures: &[Figure], made: &str) -> String {
    let figures: String = figures.iter().map(figure).collect();
    format!(
        "{HEAD}<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>ringmark</h1>\n<p>Xen block storage, measured from inside a guest. {}</p>\n\
         <div class=\"figures\">\n{figures}</div>\n{}</main>\n</body>\n</html>\n",
        escape(made),
        table(data)
    )
}

fn figure(figure: &Figure) -> String {
    let entry = |(class, name): &(String, String)| {
        let line = "<line x1=\"0\" y1=\"5\" x2=\"22\" y2=\"5\"";
        let name = escape(name);
        format!(
            "<li><svg class=\"key\" viewBox=\"0 0 22 10\">{line} class=\"{class}\"/></svg>{name}</li>"
        )
    };
    let legend: String = figure.legend.iter().map(entry).collect();
    format!(
        "<figure>\n<h2>{}</h2>\n<p>{}</p>\n{}<ul>{legend}</ul>\n</figure>\n",
        escape(&figure.title),
        escape(figure.note),
        figure.svg
    )
}

/// Medians of all series.
fn table(data: &Data) -> String {
    if data.series.is_empty() {
        return String::new();
    }
    let heads = [
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
    let heads: String = heads.iter().map(|head| format!("<th>{head}</th>")).collect();
    let (mut rows, mut marks) = (String::new(), String::new());
    for series in &data.series {
        let percentile = |percent| {
            let spread = series.spread(|run| run.percentile_ns(percent));
            spread.map_or("-".to_owned(), |spread| time(spread.median))
        };
        let median = |figure: fn(&crate::figures::Figures) -> f64| {
            series.spread(|run| Some(figure(run))).map_or(0.0, |spread| spread.median)
        };
        let (what, system) = (escape(&series.what()), escape(&series.system));
        let doubts = series.doubts();
        let doubted = doubts.marks();
        let doubted = doubted.iter().map(|mark| format!("<p>* {what}, {system}: {mark}</p>\n"));
        marks.extend(doubted);
        let kept = doubts.kept.map(|(kept, used)| format!("{kept} of {used}"));
        let stolen = doubts.stolen.map(|(_, percent)| format!("{percent:.2}%"));
        let cells = [
            what,
            system,
            series.runs().count().to_string(),
            count(median(|run| run.iops)) + series.star(),
            format!("{:.1}", median(|run| run.bytes_per_second) / f64::from(1 << 20)),
            time(median(|run| run.mean_ns)),
            percentile(50.0),
            percentile(99.0),
            percentile(99.9),
            kept.unwrap_or_else(|| "-".to_owned()),
            stolen.unwrap_or_else(|| "-".to_owned()),
        ];
        let cells: String = cells.iter().map(|cell| format!("<td>{cell}</td>")).collect();
        rows.push_str(&format!("<tr>{cells}</tr>\n"));
    }
    format!(
        "<h2>Figures</h2>\n<p>Medians of the runs. The mean latency is measured from submission, percentiles are of fio's \
         completion latency. Pages kept mapped by the backend are those of the run that kept the \
         smallest share, time stolen from the vCPU is that of the run that lost most.</p>\n\
         <div class=\"table\"><table>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody>\n\
         </table></div>\n{marks}"
    )
}
