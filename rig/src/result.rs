//! A guest's result, fio's JSON: ours in a frame over many lines of its console
//! (`results::frame`), the Linux guest's in one line `peer-result: {..}`,
//! before which `peer-bytes: N` tells its length.

use anyhow::{Context, Result, ensure};
use guest_protocol::Deframer;
use serde_json::Value;

use crate::guest::ConsoleLine;
use crate::steps::Outcome;

/// Prefix of all lines of our guest's result.
pub(crate) const OURS: &str = "ringmark-result";
/// Prefix of the line with the Linux guest's result.
pub(crate) const PEER: &str = "peer-result:";

/// Prefix of the line before that, with the result's length in bytes.
const PEER_BYTES: &str = "peer-bytes:";

/// Result of a guest.
pub(crate) struct GuestResult {
    /// The whole object.
    pub(crate) json: Value,
    /// Text that it was read from.
    pub(crate) text: String,
}

impl GuestResult {
    /// Finds the result of our guest `name` among the lines of all.
    ///
    /// # Errors
    /// When there is none, or the console spoiled it.
    pub(crate) fn ours(outcome: &Outcome, name: &str) -> Result<Self> {
        let mut deframer = Deframer::default();
        let lines = ConsoleLine::of(outcome, name);
        let found = lines.iter().find_map(|line| deframer.line(line.text).transpose());
        let text = match found {
            Some(text) => text.with_context(|| format!("guest {name}"))?,
            None => {
                deframer.finish().with_context(|| format!("guest {name}"))?;
                anyhow::bail!("guest {name} printed no result");
            }
        };
        Self::parse(name, &text)
    }

    /// Finds the result of the Linux guest `name`.
    ///
    /// # Errors
    /// When there is none, the console lost some of it, or it is not JSON.
    pub(crate) fn peer(outcome: &Outcome, name: &str) -> Result<Self> {
        let lines = ConsoleLine::of(outcome, name);
        let rest = |prefix: &str| {
            let found = lines.iter().find_map(|line| line.text.strip_prefix(prefix));
            found.with_context(|| format!("guest {name} printed no line `{prefix} ..`"))
        };
        let (text, sent) = (rest(PEER)?.trim(), rest(PEER_BYTES)?.trim());
        ensure!(
            sent == text.len().to_string(),
            "guest {name}: its result was damaged on the console: {} bytes received, {sent} sent",
            text.len()
        );
        Self::parse(name, text)
    }

    fn parse(name: &str, text: &str) -> Result<Self> {
        let json = serde_json::from_str(text)
            .with_context(|| format!("guest {name}: its result is not JSON"))?;
        Ok(Self { json, text: text.to_owned() })
    }

    /// Returns whether our guest says that all went well, and if not, why.
    pub(crate) fn verdict(&self) -> Result<(), String> {
        let run = &self.json["ringmark"];
        match run["ok"].as_bool() {
            Some(true) => Ok(()),
            Some(false) => Err(run["error"].as_str().unwrap_or("no reason given").to_owned()),
            None => Err("the result does not say \"ok\"".to_owned()),
        }
    }

    /// The job of this name.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn job(&self, name: &str) -> Result<&Value> {
        let jobs = self.json["jobs"].as_array().into_iter().flatten();
        jobs.into_iter()
            .find(|job| job["jobname"] == name)
            .with_context(|| format!("the result has no job {name}"))
    }

    /// Returns the share of a job's time stolen from our vCPU, in per cent; 0 if not reported.
    ///
    /// # Errors
    /// When there is no such job.
    pub(crate) fn stolen_percent(&self, job_name: &str) -> Result<f64> {
        Ok(self.job(job_name)?["ringmark"]["stolen_percent"].as_f64().unwrap_or_default())
    }

    /// The IOPS of a job, `read` or `write`, which must have done something and have no errors.
    ///
    /// # Errors
    /// When it has not.
    pub(crate) fn iops(&self, job_name: &str, direction: &str) -> Result<f64> {
        let job = self.job(job_name)?;
        ensure!(job["error"] == 0, "job {job_name} had error {}", job["error"]);
        let iops = job[direction]["iops"].as_f64().filter(|iops| *iops > 0.0);
        iops.with_context(|| format!("job {job_name} has no {direction} IOPS"))
    }
}

/// The lines of a step in which our guest `name` prints this result, for the tests of judges.
#[cfg(test)]
pub(crate) fn framed(name: &str, json: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut print = |line: std::fmt::Arguments<'_>| lines.push(format!("[{name} 2.0] {line}\r"));
    let mut frame = guest_protocol::frame::ResultFramer::begin(&mut print);
    frame.text(json);
    frame.end();
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_is_found_on_its_guest_only() {
        let jobs = r#"[{"jobname": "q", "error": 0, "read": {"iops": 2.5},
            "ringmark": {"stolen_percent": 1.5}}]"#;
        let good = format!(r#"{{"ringmark": {{"ok": true}}, "jobs": {jobs}}}"#);
        let mut lines = framed("b", r#"{"ringmark": {"ok": false}}"#);
        lines.extend(framed("a", &good));
        let outcome = Outcome::printed(lines);
        let result = GuestResult::ours(&outcome, "a").unwrap();
        assert_eq!(result.verdict(), Ok(()));
        assert_eq!(result.iops("q", "read").unwrap(), 2.5);
        assert!(result.iops("r", "read").is_err() && result.iops("q", "write").is_err());
        assert_eq!(result.stolen_percent("q").unwrap(), 1.5);
        assert!(result.stolen_percent("r").is_err());
        assert!(GuestResult::ours(&outcome, "c").is_err());
        assert!(GuestResult::peer(&outcome, "a").is_err());
    }

    #[test]
    fn failures_are_seen() {
        let ours = |lines| GuestResult::ours(&Outcome::printed(lines), "a");
        let failed = framed("a", r#"{"ringmark": {"ok": false, "error": "no xvdz"}}"#);
        assert_eq!(ours(failed.clone()).unwrap().verdict(), Err("no xvdz".to_owned()));
        assert!(ours(framed("a", r#"{"jobs": []}"#)).unwrap().verdict().is_err());
        assert!(ours(framed("a", "{")).is_err());
        assert!(ours(failed[..2].to_vec()).is_err_and(|e| format!("{e:#}").contains("ends early")));
        let peer = |bytes: &str, text: &str| {
            let lines = [format!("[a 1.0] peer-bytes: {bytes}\r"), format!("[a 1.0] {text}\r")];
            GuestResult::peer(&Outcome::printed(lines), "a").map(drop).map_err(|e| e.to_string())
        };
        assert_eq!(peer("8", "peer-result: {\"a\": 1}"), Ok(()));
        let long = "x".repeat(3 << 20);
        let [cut, lost, none] = [
            peer("4194304", &format!("peer-result: {long}")),
            peer("9", "peer-result: {\"a\": 1}"),
            peer("8", "peer: fio failed"),
        ]
        .map(Result::unwrap_err);
        assert!(cut.ends_with("on the console: 3145728 bytes received, 4194304 sent"), "{cut}");
        assert!(lost.ends_with("on the console: 8 bytes received, 9 sent"), "{lost}");
        assert_eq!(none, "guest a printed no line `peer-result: ..`");
        assert_eq!(peer("1", "peer-result: {").unwrap_err(), "guest a: its result is not JSON");
    }
}
