//! A guest's result line, in fio's JSON layout: ours prints `ringmark-result: {..}`, the Linux
//! guest `peer-result: {..}`.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::guest::ConsoleLine;
use crate::steps::Outcome;

/// Marks our guest's result.
pub(crate) const OURS: &str = "ringmark-result:";
/// Marks the Linux guest's result.
pub(crate) const PEER: &str = "peer-result:";

/// What a guest says it did.
pub(crate) struct GuestResult {
    /// The whole object.
    pub(crate) json: Value,
}

impl GuestResult {
    /// Finds the one result among the lines of the guest `name`.
    ///
    /// # Errors
    /// When there is none, or it is not JSON.
    pub(crate) fn find(outcome: &Outcome, name: &str, mark: &str) -> Result<Self> {
        let lines = ConsoleLine::of(outcome, name);
        let text = lines
            .iter()
            .find_map(|line| line.text.strip_prefix(mark))
            .with_context(|| format!("guest {name} printed no line `{mark} {{..}}`"))?;
        let json = serde_json::from_str(text.trim())
            .with_context(|| format!("guest {name}: its result is no JSON: {text}"))?;
        Ok(Self { json })
    }

    /// Whether the guest says that all went well, and if not, why.
    pub(crate) fn verdict(&self) -> Result<(), String> {
        match self.json["ok"].as_bool() {
            Some(true) => Ok(()),
            Some(false) => Err(self.json["error"].as_str().unwrap_or("no reason given").to_owned()),
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

    /// The IOPS of a job, `read` or `write`, which must have done something and have no errors.
    ///
    /// # Errors
    /// When it has not.
    pub(crate) fn iops(&self, job_name: &str, direction: &str) -> Result<f64> {
        let job = self.job(job_name)?;
        anyhow::ensure!(job["error"] == 0, "job {job_name} had error {}", job["error"]);
        let iops = job[direction]["iops"].as_f64().filter(|iops| *iops > 0.0);
        iops.with_context(|| format!("job {job_name} has no {direction} IOPS"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(lines: &[&str]) -> Outcome {
        Outcome { lines: lines.iter().map(|&line| line.to_owned()).collect(), status: 0 }
    }

    #[test]
    fn the_result_is_found_on_its_guest_only() {
        let outcome = outcome(&[
            "[b 1.0] ringmark-result: {\"ok\": false}",
            "[a 1.5] ringmark-result: {\"ok\": true, \"jobs\": [{\"jobname\": \"q\", \"error\": 0, \"read\": {\"iops\": 2.5}}]}\r",
        ]);
        let result = GuestResult::find(&outcome, "a", OURS).unwrap();
        assert_eq!(result.verdict(), Ok(()));
        assert_eq!(result.iops("q", "read").unwrap(), 2.5);
        assert!(result.iops("r", "read").is_err() && result.iops("q", "write").is_err());
        assert!(GuestResult::find(&outcome, "c", OURS).is_err());
    }

    #[test]
    fn failures_are_seen() {
        let lines = outcome(&["[a 1.0] ringmark-result: {\"ok\": false, \"error\": \"no xvdz\"}"]);
        let result = GuestResult::find(&lines, "a", OURS).unwrap();
        assert_eq!(result.verdict(), Err("no xvdz".to_owned()));
        let lines = outcome(&["[a 1.0] ringmark-result: {\"jobs\": []}"]);
        assert!(GuestResult::find(&lines, "a", OURS).unwrap().verdict().is_err());
        assert!(GuestResult::find(&outcome(&["[a 1.0] ringmark-result: {"]), "a", OURS).is_err());
    }
}
