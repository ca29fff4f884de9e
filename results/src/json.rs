//! A report as JSON text, laid out as fio does it: two blanks a level, ` : ` after a key, six
//! decimals.

use alloc::format;
use alloc::string::String;

use crate::report::Report;

impl Report {
    /// Reads a report, ours or fio's, in `json` or `json+` form.
    ///
    /// # Errors
    /// What is wrong with the text, and where.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}

/// fio's `--output-format=json+`, with the logs that [`take_logs`](crate::take_logs) has left.
pub fn json_plus(report: &Report) -> String {
    laid_out(&compact(report), true)
}

/// As [`json_plus`], without bins: fio's `--output-format=json`.
pub fn json(report: &Report) -> String {
    laid_out(&compact(report), false)
}

fn compact(report: &Report) -> String {
    serde_json::to_string(report).expect("text keys and plain numbers make JSON")
}

/// How a latency's bins begin, outside of strings.
const BINS: &str = ",\"bins\":{";

/// Lays out JSON that has no blanks but in strings.
fn laid_out(json: &str, with_bins: bool) -> String {
    let mut text = String::with_capacity(json.len() * 2);
    let mut depth = 0;
    let line = |text: &mut String, depth: usize| {
        text.push('\n');
        (0..depth).for_each(|_| text.push_str("  "));
    };
    let mut rest = json;
    while let Some(first) = rest.chars().next() {
        if let Some(bins) = rest.strip_prefix(BINS).filter(|_| !with_bins) {
            // Numbers only.
            rest = bins.split_once('}').map_or("", |(_, after)| after);
            continue;
        }
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

/// The string that `json` begins with, in its quotation marks.
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
        assert_eq!(laid_out(compact, true), expected);
    }

    #[test]
    fn bins_are_left_out_and_nothing_else() {
        let json = r#"{"a":{"b":1,"bins":{"1":2,"3":4}},"c":",\"bins\":{","bins":"}"}"#;
        let without = json.replace(r#","bins":{"1":2,"3":4}"#, "");
        assert_eq!(laid_out(json, false), laid_out(&without, true));
        assert!(laid_out(json, true).contains("\"3\" : 4"));
    }
}
