//! Forms of fio's output that have no figures for a report, told by their looks.

use serde::de::IgnoredAny;

/// Reason to refuse a list.
const LIST: &str = "a list in JSON; a result is an object, as fio prints it";

/// Lines that are looked at: what fio notes may stand before its output.
const LINES_MAX: usize = 1000;

/// Returns what a text without results is, and what to do, if it looks like something of fio's.
pub fn other(text: &str) -> Option<&'static str> {
    if serde_json::from_str::<IgnoredAny>(text).is_ok() {
        return Some(match text.trim_start().starts_with('[') {
            true => LIST,
            false => "JSON without a result, which is an object, as fio prints it",
        });
    }
    text.lines().take(LINES_MAX).map(str::trim).find_map(|line| {
        let mut fields = line.split(';');
        let is_terse = matches!(fields.next(), Some("2" | "3" | "4" | "5"))
            && fields.next().is_some_and(|field| field.starts_with("fio-") || line.len() > 80);
        match line {
            _ if is_terse => Some("fio's terse output; run fio with --output-format=json"),
            _ if line.contains(": (groupid=") || line.contains(": (g=") => {
                Some("fio's normal output; run fio with --output-format=json")
            }
            "[" => Some(LIST),
            _ if line.starts_with('[') && line.ends_with(']') => {
                Some("a job file; a report is made of what fio prints when it has run")
            }
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_output_of_fio_has_a_name() {
        for (text, form) in [
            ("3;fio-3.33;a;0;0;1024", Some("fio's terse")),
            (&format!("2;a;0;0;{}", "0;".repeat(100)), Some("fio's terse")),
            ("a: (g=0): rw=read\n\na: (groupid=0, jobs=1): err= 0:", Some("fio's normal")),
            ("note\n\na: (groupid=0, jobs=1): err= 0:", Some("fio's normal")),
            ("[\n  {}\n]", Some("a list")),
            ("[]", Some("a list")),
            ("null\n", Some("JSON without a result")),
            ("; mine\n[global]\nbs=4k", Some("a job file")),
            ("500, 10, 0, 0, 0", None),
            ("2;3", None),
            ("", None),
        ] {
            let found = other(text);
            let is_it = form.is_none_or(|form| found.is_some_and(|of| of.starts_with(form)));
            assert!(found.is_some() == form.is_some() && is_it, "{text}: {found:?}");
        }
    }
}
