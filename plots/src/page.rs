//! The page: one HTML file with everything in it, for light and dark, for wide and narrow.

use std::io::{self, Read};

use crate::figure::Figure;
use crate::image;
use crate::label::Label;
use crate::svg::escape;

/// Mark of a page, without the version behind it.
const MARK: &str = "<meta name=\"generator\" content=\"ringmark ";
/// Beginning of a page.
const DOCTYPE: &str = "<!DOCTYPE html>";
/// Bytes from the beginning within which the mark is.
const MARK_WITHIN: u64 = 1024;
/// HTML before the mark of the tool.
const HEAD: &str = include_str!("head.html");
/// The style sheet. The colours of the plots are a palette that people with any colour vision can
/// tell apart (Okabe and Ito's), lighter or darker where the background asks for it.
const STYLE: &str = include_str!("page.css");

/// A page with these sections, which are HTML, and figures; `about` is text of a sentence or more
/// behind the page's first: what it shows, or when it was made.
pub fn page(sections: &[String], figures: &[Figure], about: &str) -> String {
    let is_many = |figure: &&Figure| figure.plots.len() > 1;
    let runs = figures.chunk_by(|one, other| is_many(&one) == is_many(&other));
    let group = |run: &[Figure]| {
        let class = if run.iter().any(|one| is_many(&one)) { "wide" } else { "figures" };
        let figures: String = run.iter().map(figure).collect();
        format!("<div class=\"{class}\">\n{figures}</div>\n")
    };
    let figures: String = runs.map(group).collect();
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "{HEAD}{MARK}{version}\">\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>ringmark</h1>\n<p>Xen block storage, measured from inside a guest. {}</p>\n\
         {}{figures}</main>\n</body>\n</html>\n",
        escape(about),
        sections.concat()
    )
}

/// Returns whether a file is empty, such a page, or an [image].
///
/// # Errors
/// When it can't be read.
pub fn is_page(file: impl Read) -> io::Result<bool> {
    let mut start = Vec::new();
    file.take(MARK_WITHIN).read_to_end(&mut start)?;
    let start = String::from_utf8_lossy(&start);
    let is_page = start.starts_with(DOCTYPE) && start.contains(MARK);
    Ok(start.is_empty() || is_page || image::begins(&start))
}

fn figure(figure: &Figure) -> String {
    let entry = |(class, label): &(String, Label)| {
        let line = "<line x1=\"0\" y1=\"5\" x2=\"22\" y2=\"5\"";
        format!(
            "<li><svg class=\"key\" viewBox=\"0 0 22 10\">{line} class=\"{class}\"/></svg>{}</li>\n",
            named(label)
        )
    };
    let legend: String = figure.legend.iter().map(entry).collect();
    let legend = if legend.is_empty() { legend } else { format!("<ul>\n{legend}</ul>\n") };
    let plot = |(label, svg): &(Option<Label>, String)| match label {
        Some(label) => format!("<div><h3>{}</h3>\n{svg}</div>\n", named(label)),
        None => svg.clone(),
    };
    let plots: String = figure.plots.iter().map(plot).collect();
    let (title, note) = (named(&figure.title), escape(&figure.note));
    match figure.plots.len() {
        0..=1 => format!("<figure>\n<h2>{title}</h2>\n<p>{note}</p>\n{plots}{legend}</figure>\n"),
        _ => format!(
            "<figure>\n<h2>{title}</h2>\n<p>{note}</p>\n{legend}\
             <div class=\"plots\">\n{plots}</div>\n</figure>\n"
        ),
    }
}

/// A label, which tells its whole name when it is pointed at.
fn named(label: &Label) -> String {
    let (short, full) = (escape(&label.short), escape(&label.full));
    if short == full { short } else { format!("<span title=\"{full}\">{short}</span>") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_known_by_its_mark() {
        let page = format!("{DOCTYPE}\n<html lang=\"en\">{MARK}0.1.0\">");
        for (text, expected) in [
            ("", true),
            (&*page, true),
            (&page[1..], false),
            (&format!("{{\"job\": \"{page}\"}}"), false),
            (&format!("{DOCTYPE}\n<html><p>{MARK}"), true),
            (&format!("{DOCTYPE}{}{MARK}", " ".repeat(1024)), false),
            (DOCTYPE, false),
            ("{\"fio version\": 1}", false),
            (&super::page(&[], &[], "about"), true),
            (&image::image(&[]), true),
            ("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1\"></svg>", false),
            (&image::image(&[])[1..], false),
        ] {
            assert_eq!(is_page(text.as_bytes()).unwrap(), expected, "{text}");
        }
    }
}
