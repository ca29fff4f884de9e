//! Facts about the runs: what was measured, where and when. What is the same everywhere is said
//! once.

use std::collections::{BTreeMap, BTreeSet};

use plots::svg::escape;

use super::distinct::{middle_cut, printable};
use super::load::{Data, Run};
use super::names::file_names;
use super::provenance;
use crate::saved::System;

/// Facts in the order in which they are told.
const ORDER: [&str; 15] = [
    provenance::LABEL,
    "file",
    "system",
    "date",
    provenance::HOST,
    "Xen",
    "dom0",
    "processors",
    "domain",
    "disks",
    "grants",
    "jobs",
    "runs",
    "IOPS logs",
    "tool",
];
/// Most job texts.
const JOBS_MAX: usize = 8;
/// Most rows; each is a system of a file.
const ROWS_MAX: usize = 100;
/// Most values of a fact that are told.
const VALUES_MAX: usize = 8;
/// Longest name of a job, in characters.
const JOB_CHARS_MAX: usize = 48;
/// Longest value, in characters.
const VALUE_CHARS_MAX: usize = 120;

/// Values of each fact.
type Row = BTreeMap<&'static str, BTreeSet<String>>;

/// Returns the section of the page.
pub fn section(data: &Data) -> String {
    let rows = rows(data);
    let is_shared = |name: &&str| {
        let mut values = rows.iter().map(|row| row.get(*name));
        let first = values.next();
        values.all(|value| Some(value) == first)
    };
    let named = ORDER.iter().copied().filter(|name| rows.iter().any(|row| row.contains_key(name)));
    let (shared, mut different): (Vec<&str>, Vec<&str>) = named.partition(is_shared);
    let entry = |name: &&str| {
        let text = text(rows.first()?.get(name)?);
        Some(format!("<div><dt>{name}</dt><dd>{text}</dd></div>\n"))
    };
    let mut list: String = shared.iter().filter_map(entry).collect();
    // A table of one column would be mostly empty.
    if let [name] = different[..] {
        let values = rows.iter().take(ROWS_MAX).filter_map(|row| Some(text(row.get(name)?)));
        let mut values: Vec<String> = values.collect();
        match rows.len().saturating_sub(ROWS_MAX) {
            0 => {}
            more => values.push(format!("and {more} more")),
        }
        list = format!("<div><dt>{name}</dt><dd>{}</dd></div>\n{list}", values.join(", "));
        different.clear();
    }
    let list = if list.is_empty() { list } else { format!("<dl>\n{list}</dl>\n") };
    format!("<h2>What was measured</h2>\n{list}{}{}", table(&rows, &different), jobs(data))
}

/// Texts of the jobs, to be opened.
fn jobs(data: &Data) -> String {
    let texts = data.runs.iter().filter_map(|run| run.origin.as_ref().and_then(provenance::job));
    let mut different = Vec::new();
    for text in texts {
        if !different.contains(&text) && different.len() < JOBS_MAX {
            different.push(text);
        }
    }
    let details = |text: &String| {
        let lines: Vec<String> = text.lines().map(|line| escape(&printable(line))).collect();
        format!("<details><summary>job text</summary><pre>{}</pre></details>\n", lines.join("\n"))
    };
    different.iter().map(details).collect()
}

/// A table of the facts that differ.
fn table(rows: &[Row], names: &[&str]) -> String {
    if names.is_empty() {
        return String::new();
    }
    let heads: String = names.iter().map(|name| format!("<th>{name}</th>")).collect();
    let cell = |row: &Row, name: &&str| {
        format!("<td>{}</td>", row.get(name).map_or_else(|| "-".to_owned(), text))
    };
    let line = |row: &Row| {
        let cells: String = names.iter().map(|name| cell(row, name)).collect();
        format!("<tr>{cells}</tr>\n")
    };
    let lines: String = rows.iter().take(ROWS_MAX).map(line).collect();
    let more = match rows.len().saturating_sub(ROWS_MAX) {
        0 => String::new(),
        more => format!("<p>And {more} more.</p>\n"),
    };
    format!(
        "<div class=\"table words\"><table>\n<thead><tr>{heads}</tr></thead>\n\
         <tbody>\n{lines}</tbody>\n</table></div>\n{more}"
    )
}

/// The values of a fact as HTML.
fn text(values: &BTreeSet<String>) -> String {
    // Dates of a result's origin are in the order of time.
    let is_date =
        |value: &String| value.ends_with('Z') && value.starts_with(|c: char| c.is_ascii_digit());
    if let (Some(first), Some(last)) = (values.first(), values.last())
        && values.len() > 2
        && values.iter().all(is_date)
    {
        return escape(&format!("{} to {}", cut(first), cut(last)));
    }
    let shown = values.iter().take(VALUES_MAX);
    let mut shown: Vec<String> = shown.map(|value| escape(&cut(value))).collect();
    match values.len().saturating_sub(VALUES_MAX) {
        0 => {}
        more => shown.push(format!("and {more} more")),
    }
    shown.join(", ")
}

fn cut(value: &str) -> String {
    middle_cut(&printable(value), VALUE_CHARS_MAX)
}

/// Returns a row for each system of each file, and for each file with logs.
fn rows(data: &Data) -> Vec<Row> {
    let files = file_names(&data.files);
    let file = |index: usize| files.get(index).cloned().unwrap_or_default();
    let mut runs: BTreeMap<(usize, String), Vec<&Run>> = BTreeMap::new();
    for run in &data.runs {
        runs.entry((run.file, system(run))).or_default().push(run);
    }
    let mut rows: Vec<(usize, Row)> = Vec::new();
    for ((index, system), runs) in runs {
        let mut row = Row::from([
            ("file", [file(index)].into()),
            ("system", [system].into()),
            ("runs", [runs.len().to_string()].into()),
        ]);
        runs.iter().for_each(|run| add(&mut row, run));
        rows.push((index, row));
    }
    let mut logs: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    for log in &data.logs {
        logs.entry(log.file).or_default().insert(log.direction.to_owned());
    }
    let log_row = |(index, directions)| {
        (index, Row::from([("file", [file(index)].into()), ("IOPS logs", directions)]))
    };
    rows.extend(logs.into_iter().map(log_row));
    rows.sort_by_key(|(index, _)| *index);
    rows.into_iter().map(|(_, row)| row).collect()
}

fn system(run: &Run) -> String {
    match run.system {
        System::Ringmark => run.version.to_string(),
        System::Linux => format!("Linux, {}", run.version),
    }
}

/// Adds what a run tells.
fn add(row: &mut Row, run: &Run) {
    let mut add = |name, value: &str| {
        row.entry(name).or_default().insert(value.to_owned());
    };
    let told = run.origin.as_ref().map(provenance::told).unwrap_or_default();
    told.iter().for_each(|(name, value)| add(name, value));
    let has = |name: &str| told.iter().any(|(told, _)| *told == name);
    run.time.iter().filter(|_| !has("date")).for_each(|time| add("date", time));
    for figures in &run.figures {
        if !has("disks") {
            figures.disks.iter().for_each(|disk| add("disks", disk));
            let name = figures.options.get("filename").filter(|_| figures.disks.is_empty());
            name.into_iter().for_each(|name| add("disks", name));
        }
        if !figures.grants.is_empty() {
            add("grants", &figures.grants);
        }
        add("jobs", &middle_cut(&figures.job, JOB_CHARS_MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::{Figures, sample};

    fn data(files: usize) -> Data {
        let run = |file: usize| {
            let mut report = sample("a", Some("persistent"), 1.0);
            if let Some(extra) = &mut report.jobs[0].ringmark {
                extra.disks = vec!["xvda".to_owned(), format!("xvd{file}")];
            }
            let figures = Figures::of(&report).unwrap();
            let time = Some("Sun Nov 22 03:20:00 2026\n".to_owned());
            Run {
                file,
                system: System::Ringmark,
                variant: None,
                version: "<ringmark-1>".into(),
                time,
                origin: None,
                figures,
            }
        };
        let files: Vec<_> = (0..files).map(|n| format!("dir/{n}.json").into()).collect();
        Data { runs: (0..files.len()).map(run).collect(), files, ..Data::default() }
    }

    #[test]
    fn one_file_is_told_as_a_list() {
        let html = section(&data(1));
        for (name, text) in [
            ("file", "0.json"),
            ("system", "&lt;ringmark-1&gt;"),
            ("date", "Sun Nov 22 03:20:00 2026\u{fffd}"),
            ("disks", "xvd0, xvda"),
            ("grants", "persistent"),
            ("runs", "1"),
        ] {
            assert!(html.contains(&format!("<dt>{name}</dt><dd>{text}</dd>")), "{name}: {html}");
        }
        assert!(!html.contains("<table"));
    }

    #[test]
    fn what_differs_is_told_for_each_file() {
        let html = section(&data(2));
        assert!(html.contains("<thead><tr><th>file</th><th>disks</th></tr></thead>"), "{html}");
        assert!(html.contains("<td>1.json</td><td>xvd1, xvda</td>"), "{html}");
        assert!(html.contains("<dt>grants</dt>"));
    }

    #[test]
    fn files_that_differ_in_nothing_are_a_list() {
        let mut data = data(ROWS_MAX + 5);
        data.runs.iter_mut().for_each(|run| run.figures[0].disks.clear());
        let html = section(&data);
        assert!(html.contains("<dt>file</dt><dd>0.json, 1.json, 2.json, "), "{html}");
        assert!(html.contains(", and 5 more</dd>") && !html.contains("<table"), "{html}");
    }

    #[test]
    fn the_origin_tells_more() {
        let mut data = data(1);
        let origin = results::Origin {
            label: Some("<b>".to_owned()),
            date: Some("2026-11-28T23:00:00Z".to_owned()),
            job: vec!["[a]".to_owned(), "name=<i>".to_owned()],
            disks: vec![results::OriginDisk {
                target: Some("/dev/vg/a".to_owned()),
                ..Default::default()
            }],
            ..results::Origin::default()
        };
        data.runs[0].origin = Some(origin.clone());
        let html = section(&data);
        for (name, text) in
            [("label", "&lt;b&gt;"), ("date", "2026-11-28T23:00:00Z"), ("disks", "/dev/vg/a")]
        {
            assert!(html.contains(&format!("<dt>{name}</dt><dd>{text}</dd>")), "{name}: {html}");
        }
        assert!(html.contains("<pre>[a]\nname=&lt;i&gt;</pre>"), "{html}");
        let dates =
            |days: &[u32]| text(&days.iter().map(|day| format!("2026-11-0{day}T0Z")).collect());
        assert_eq!(dates(&[1, 5, 3]), "2026-11-01T0Z to 2026-11-05T0Z");
        assert_eq!(dates(&[1, 5]), "2026-11-01T0Z, 2026-11-05T0Z");
    }

    #[test]
    fn many_files_and_values_have_an_end() {
        let html = section(&data(ROWS_MAX + 3));
        assert!(html.contains("<p>And 3 more.</p>"));
        assert_eq!(html.matches("<tr>").count(), ROWS_MAX + 1);
        let values: BTreeSet<String> =
            (0..20).map(|n| format!("{n:02}{}", "x".repeat(1000))).collect();
        let text = text(&values);
        assert!(text.ends_with(", and 12 more") && text.len() < 1200, "{text}");
    }
}
