//! Report as JSON text, laid out as in fio: two blanks per level, ` : ` after a key, six decimals.

use results::{Latency, Report};

/// Returns a report as fio's `--output-format=json+`, with the logs that
/// [`take_logs`](crate::take_logs) did not take.
pub fn json_plus(report: &Report) -> String {
    laid_out(&compact(report))
}

/// Returns a report as fio's `--output-format=json`: [`json_plus`] without bins.
pub fn json(report: &Report) -> String {
    let mut report = report.clone();
    latencies(&mut report).for_each(|latency| latency.bins = Default::default());
    laid_out(&compact(&report))
}

fn latencies(report: &mut Report) -> impl Iterator<Item = &mut Latency> {
    report.jobs.iter_mut().flat_map(|job| {
        let sides = [&mut job.read, &mut job.write, &mut job.trim].into_iter();
        let sides = sides.chain(job.mixed.as_deref_mut());
        let sides = sides.flat_map(|s| [&mut s.slat_ns, &mut s.clat_ns, &mut s.lat_ns]);
        sides.chain([&mut job.sync.lat_ns])
    })
}

fn compact(report: &Report) -> String {
    serde_json::to_string(report).expect("text keys and plain numbers make JSON")
}

/// Lays out JSON that has no blanks outside strings. The `Formatter` of `serde_json` needs its
/// `std`, which a build of the whole workspace would carry into the guest.
fn laid_out(json: &str) -> String {
    let mut text = String::with_capacity(json.len() * 2);
    let mut depth = 0;
    let line = |text: &mut String, depth: usize| {
        text.push('\n');
        (0..depth).for_each(|_| text.push_str("  "));
    };
    let mut rest = json;
    while let Some(first) = rest.chars().next() {
        let token = match first {
            '"' => string(rest),
            '{' | '[' | '}' | ']' | ',' | ':' => &rest[..1],
            _ => &rest[..rest.find([',', '}', ']']).unwrap_or(rest.len())],
        };
        match first {
            '{' | '[' => {
                depth += 1;
                text.push(first);
                line(&mut text, depth);
            }
            '}' | ']' => {
                depth -= 1;
                line(&mut text, depth);
                text.push(first);
            }
            ',' => {
                text.push(',');
                line(&mut text, depth);
            }
            ':' => text.push_str(" : "),
            '0'..='9' | '-' if token.contains(['.', 'e']) => match token.parse::<f64>() {
                Ok(number) => text.push_str(&format!("{number:.6}")),
                Err(_) => text.push_str(token),
            },
            _ => text.push_str(token),
        }
        rest = &rest[token.len()..];
    }
    text.push('\n');
    text
}

/// Returns the string at the start of `json`, with its quotation marks.
fn string(json: &str) -> &str {
    let mut escaped = false;
    let end = json.char_indices().skip(1).find(|&(_, letter)| {
        let is_end = letter == '"' && !escaped;
        escaped = letter == '\\' && !escaped;
        is_end
    });
    end.map_or(json, |(at, _)| &json[..at + 1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use results::{Flushes, JobReport, Side};

    #[test]
    fn the_layout_is_fios() {
        let compact = r#"{"a":1,"b":{"c":0.5,"d":1e21,"e":"{[\"x\\\":1.5,"},"f":[{"g":-2},null]}"#;
        let expected = r#"{
  "a" : 1,
  "b" : {
    "c" : 0.500000,
    "d" : 1000000000000000000000.000000,
    "e" : "{[\"x\\\":1.5,"
  },
  "f" : [
    {
      "g" : -2
    },
    null
  ]
}
"#;
        assert_eq!(laid_out(compact), expected);
    }

    #[test]
    fn bins_are_left_out_and_nothing_else() {
        let bins = || [(1, 2), (3, 4)].into_iter().collect();
        let job = |with_bins: bool| {
            let latency = |count| {
                let bins = if with_bins { bins() } else { Default::default() };
                Latency { count, bins, ..Latency::default() }
            };
            let side = |n| Side {
                slat_ns: latency(n),
                clat_ns: latency(n + 1),
                lat_ns: latency(n + 2),
                ..Side::default()
            };
            let options = ["bins", ",\"bins\":{"].map(|text| (text.to_owned(), "}".to_owned()));
            JobReport {
                options: options.into_iter().collect(),
                read: side(1),
                write: side(4),
                trim: side(7),
                sync: Flushes { lat_ns: latency(10), ..Flushes::default() },
                ..JobReport::default()
            }
        };
        let report =
            |with_bins| Report { jobs: vec![job(with_bins), job(with_bins)], ..Report::default() };
        let (with, without) = (report(true), report(false));
        assert_eq!(json(&with), json_plus(&without));
        assert_eq!(json_plus(&with).matches("\"3\" : 4").count(), 20);
    }
}
