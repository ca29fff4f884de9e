//! Reports as a table for spreadsheets and data frames: fields separated by commas and quoted as in
//! RFC 4180, lines that end in `\n`.

use std::fmt::Display;

use results::{JobReport as Job, Report, Side};

/// Names of the columns.
const HEADER: &str = "job,group,direction,grants,bs,iodepth,iops,bytes_per_second,mean_ns,p50_ns,\
                      p99_ns,p99_9_ns,max_ns,ios,bytes,runtime_ms,error,label,date,run";

/// Returns a header, and a line for each job and direction of these reports.
///
/// A job that did no I/O has one line without a direction, for its error. Latencies are those of
/// completion, or total ones where only these have percentiles. Fields that a report does not tell
/// are empty.
///
/// Texts that a spreadsheet would take for a formula, because they begin with `=`, `+`, `-`, `@` or
/// a control character, have a `'` before them.
pub fn csv<'a>(reports: impl IntoIterator<Item = &'a Report>) -> String {
    let mut text = format!("{HEADER}\n");
    for report in reports {
        for job in &report.jobs {
            let active = || job.sides().into_iter().filter(|(_, side)| side.total_ios != 0);
            let none = ("", &Side::default());
            let none = active().next().is_none().then_some(none);
            for (direction, side) in active().chain(none) {
                text.push_str(&row(report, job, direction, side).join(","));
                text.push('\n');
            }
        }
    }
    text
}

fn row(report: &Report, job: &Job, direction: &str, side: &Side) -> [String; 20] {
    let option = |names: &[&str]| field(report.option(job, names));
    let extra = job.ringmark.as_ref();
    let origin = report.ringmark.as_ref().and_then(|run| run.origin.as_ref());
    let has_total_only = side.clat_ns.percentile.is_empty() && side.lat_ns.count != 0;
    let latency = if has_total_only { &side.lat_ns } else { &side.clat_ns };
    let known = latency.count != 0;
    let percentile = |percent| number(latency.percentile_ns(percent));
    [
        field(Some(&job.jobname)),
        job.groupid.to_string(),
        direction.to_owned(),
        field(extra.map(|extra| extra.grants.as_str())),
        option(&["bs", "blocksize", "bssplit", "bsrange"]),
        option(&["iodepth"]),
        side.iops.to_string(),
        side.bw_bytes.to_string(),
        number(known.then_some(latency.mean)),
        percentile(50.0),
        percentile(99.0),
        percentile(99.9),
        number(known.then_some(latency.max)),
        side.total_ios.to_string(),
        side.io_bytes.to_string(),
        side.runtime.to_string(),
        job.error.to_string(),
        field(origin.and_then(|origin| origin.label.as_deref())),
        field(origin.and_then(|origin| origin.date.as_deref())),
        number(origin.and_then(|origin| origin.repetition)),
    ]
}

fn number(value: Option<impl Display>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// Returns a text as a field; one of others' making is no formula.
fn field(text: Option<&str>) -> String {
    let text = text.unwrap_or_default();
    let is_formula = |first: char| matches!(first, '=' | '+' | '-' | '@') || first.is_control();
    let guard = if text.starts_with(is_formula) { "'" } else { "" };
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{guard}{}\"", text.replace('"', "\"\"")),
        false => format!("{guard}{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use results::{Extra, Latency, Origin, Run};

    fn report() -> Report {
        let percentile = [("50.000000", 9), ("99.000000", 20), ("99.900000", 30)];
        let percentile = percentile.map(|(of, ns)| (of.to_owned(), ns)).into_iter().collect();
        let clat_ns = Latency { count: 3, mean: 10.5, max: 40, percentile, ..Latency::default() };
        let side = Side {
            total_ios: 3,
            iops: 1500.25,
            bw_bytes: 6_144_000,
            io_bytes: 12_288,
            runtime: 2,
            clat_ns,
            ..Side::default()
        };
        let options = [("bs", "4k"), ("iodepth", "32")];
        let options = options.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let job = Job {
            jobname: "mix".to_owned(),
            groupid: 1,
            options: options.into_iter().collect(),
            write: Side { clat_ns: Latency::default(), ..side.clone() },
            read: side,
            ringmark: Some(Extra { grants: "persistent".to_owned(), ..Extra::default() }),
            ..Job::default()
        };
        Report { jobs: vec![job], ..Report::default() }
    }

    #[test]
    fn each_direction_has_a_line() {
        let origin = Origin {
            label: Some("new firmware".to_owned()),
            date: Some("2026-11-28T23:00:00Z".to_owned()),
            repetition: Some(2),
            ..Origin::default()
        };
        let mut report = report();
        report.ringmark = Some(Run { ok: true, origin: Some(origin), ..Run::default() });
        let expected = format!(
            "{HEADER}\n\
             mix,1,read,persistent,4k,32,1500.25,6144000,10.5,9,20,30,40,3,12288,2,0,\
             new firmware,2026-11-28T23:00:00Z,2\n\
             mix,1,write,persistent,4k,32,1500.25,6144000,,,,,,3,12288,2,0,\
             new firmware,2026-11-28T23:00:00Z,2\n"
        );
        assert_eq!(csv([&report]), expected);
        let (_, lines) = expected.split_once('\n').unwrap();
        assert_eq!(csv([&report, &report]), expected.clone() + lines);
        assert_eq!(csv([]), format!("{HEADER}\n"));
    }

    #[test]
    fn fios_own_reports_have_empty_fields() {
        let mut report = report();
        report.jobs[0].ringmark = None;
        report.global_options = std::mem::take(&mut report.jobs[0].options);
        let job = &mut report.jobs[0];
        std::mem::swap(&mut job.read.lat_ns, &mut job.read.clat_ns);
        let text = csv([&report]);
        assert!(text.contains("mix,1,read,,4k,32,1500.25,6144000,10.5,9,20,30,40,3,"), "{text}");
        assert!(text.ends_with(",0,,,\n"), "{text}");
    }

    #[test]
    fn a_job_without_io_tells_its_error() {
        let job = Job { jobname: "a".to_owned(), error: 5, ..Job::default() };
        let report = Report { jobs: vec![job], ..Report::default() };
        assert_eq!(csv([&report]), format!("{HEADER}\na,0,,,,,0,0,,,,,,0,0,0,5,,,\n"));
    }

    #[test]
    fn texts_are_quoted_and_no_formulas() {
        for (text, expected) in [
            ("", ""),
            ("plain name", "plain name"),
            ("a,b", "\"a,b\""),
            ("a \"b\"", "\"a \"\"b\"\"\""),
            ("a\r\nb", "\"a\r\nb\""),
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("\r=1", "\"'\r=1\""),
            ("=HYPERLINK(\"a\",\"b\")", "\"'=HYPERLINK(\"\"a\"\",\"\"b\"\")\""),
            ("a=1", "a=1"),
            ("'=1", "'=1"),
        ] {
            assert_eq!(field(Some(text)), expected);
        }
    }
}
