//! Outcomes of the guests of hosts, as the tools there tell them.

use anyhow::{Context, Result, anyhow, bail};
use results::{Origin, OriginDomain};

use super::errand::Errand;
use super::host::Host;
use super::start::Start;
use super::words::Found as Said;
use crate::display;
use crate::exit::Exit;
use crate::fleet::accept::{Circumstances, accept};
use crate::fleet::crew::Outcome;
use crate::printable;
use crate::saved::System;

/// Outcomes of the guests of a host.
#[derive(Debug)]
pub struct Found<'a> {
    /// The host.
    pub host: &'a Host,
    /// Outcomes of its guests, in their order.
    pub outcomes: Vec<Outcome>,
    /// Start of its guests.
    pub start: Start,
    /// Reason why the connection ended before all was said.
    pub lost: Option<String>,
}

/// Words about the guests of a host.
#[derive(Debug)]
pub struct Guests {
    said: Vec<Option<Said>>,
    is_ended: bool,
}

impl Guests {
    /// Begins with so many guests of which nothing is known.
    pub fn new(count: u32) -> Self {
        Self { said: (0..count).map(|_| None).collect(), is_ended: false }
    }

    /// Takes what came of a guest.
    ///
    /// # Errors
    /// It is told of one that is not there, or of one again.
    pub fn take(&mut self, said: Said) -> Result<()> {
        let index = said.index;
        let place = usize::try_from(index).ok().and_then(|index| self.said.get_mut(index));
        let place = place.with_context(|| format!("it tells of a guest {index}"))?;
        if self.is_ended || place.is_some() {
            bail!("it tells of guest {index} again");
        }
        *place = Some(said);
        Ok(())
    }

    /// Notes that all was said.
    pub fn end(&mut self) {
        self.is_ended = true;
    }

    /// Returns whether anything was said: all guests have ended by then.
    pub fn is_any(&self) -> bool {
        self.is_ended || self.said.iter().any(Option::is_some)
    }

    /// Returns whether all was said, of all.
    pub fn is_complete(&self) -> bool {
        self.is_ended && self.said.iter().all(Option::is_some)
    }

    /// Returns the outcomes of all guests of the host with this number, checked as if the guests
    /// themselves had told them; `lost` is why nothing is known of others.
    pub fn outcomes(
        self,
        errand: &Errand<'_>,
        host: usize,
        lost: Option<&str>,
        is_ending: bool,
    ) -> Vec<Outcome> {
        let first = errand.first_guest(host) as usize;
        let origins = errand.origins.iter().skip(first);
        let outcome = |(said, ours): (Option<Said>, &Origin)| match said {
            Some(said) => outcome(said, errand, ours, is_ending),
            None => {
                let why = lost.unwrap_or("its tool does not say what came of it");
                let error = Some(anyhow!("the host is lost: {why}"));
                Outcome { error, ..Outcome::default() }
            }
        };
        self.said.into_iter().zip(origins).map(outcome).collect()
    }
}

fn outcome(said: Said, errand: &Errand<'_>, ours: &Origin, is_ending: bool) -> Outcome {
    let circumstances = Circumstances { is_ending, has_started: said.has_started };
    let accepted = said.report.as_deref().map(|text| {
        let origin = origin(said.origin.as_deref(), ours)?;
        accept(System::Ringmark, text, origin, errand.plan, circumstances)
    });
    let reason = said.reason.as_deref().unwrap_or("it ended without a result");
    let (report, error) = match accepted {
        Some(Ok(report)) => (Some(report), None),
        Some(Err(error)) => (None, Some(error)),
        None if said.timed_out => (None, Some(Exit::TimedOut(display::text(reason)).into())),
        None => (None, Some(anyhow!(display::text(reason)))),
    };
    let left = said.left.map(|why| anyhow!(display::text(&why)));
    let has_started = said.has_started;
    Outcome { report, error, left, has_started, ..Outcome::default() }
}

/// Returns the origin of a result: ours, with what only its host knows.
fn origin(said: Option<&str>, ours: &Origin) -> Result<Origin> {
    let Some(said) = said else { return Ok(ours.clone()) };
    let checked = printable::check(said).and_then(|()| serde_json::from_str(said));
    let theirs: Origin = checked.map_err(|error| anyhow!(display::text(&error.to_string())))?;
    let affinity = theirs.domain.map(|domain| domain.affinity).unwrap_or_default();
    let domain = ours.domain.clone().map(|domain| OriginDomain { affinity, ..domain });
    Ok(Origin { domain, disks: theirs.disks, host: theirs.host, ..ours.clone() })
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::super::files::Files;
    use super::*;
    use crate::figures::sample;
    use crate::plan::Plan;

    /// Returns the outcomes of a host with one guest of which this was said, in words.
    fn outcomes(said: &[Said]) -> Result<Vec<(bool, String)>> {
        let plan = Plan::of_file(Path::new("x"), "[a]\nrw=read\n").unwrap();
        let errand = Errand {
            hosts: &[],
            arguments: &[],
            files: Files { kernel: Path::new("k"), job: "" },
            guests: 1,
            plan: &plan,
            origins: &[Origin { label: Some("ours".to_owned()), ..Origin::default() }],
            keeps: false,
            call_limit: Duration::from_secs(1),
        };
        let mut guests = Guests::new(1);
        said.iter().try_for_each(|said| guests.take(said.clone()))?;
        let outcomes = guests.outcomes(&errand, 0, Some("gone"), false);
        let words = |outcome: &Outcome| match &outcome.report {
            Some(report) => format!("{:?}", report.ringmark.as_ref().unwrap().origin),
            None => outcome.reason(),
        };
        Ok(outcomes.iter().map(|outcome| (outcome.report.is_some(), words(outcome))).collect())
    }

    fn good() -> Said {
        let mut report = sample("a", Some("persistent"), 1.0);
        report.jobs[0].ringmark.as_mut().unwrap().members = 1;
        let report = Some(serde_json::to_string(&report).unwrap());
        let origin = Some("{\"label\":\"theirs\",\"host\":{\"name\":\"b\"}}".to_owned());
        Said { has_started: true, report, origin, ..Said::default() }
    }

    #[test]
    fn a_good_result_has_our_origin_and_its_host() {
        let found = outcomes(&[good()]).unwrap();
        let (is_good, origin) = &found[0];
        assert!(*is_good && origin.contains("ours") && !origin.contains("theirs"), "{origin}");
        assert!(origin.contains("name: Some(\"b\")"), "{origin}");
    }

    #[test]
    fn lies_of_a_host_are_no_results() {
        let report = |text: &str| Said { report: Some(text.to_owned()), ..good() };
        let other = good().report.unwrap().replace("\"jobname\":\"a\"", "\"jobname\":\"b\"");
        for (said, why) in [
            (report("{}"), "can't be read: missing field"),
            (report("\u{1b}[2J"), "can't be read"),
            (report(&other), "job 1 of the result is b, not a"),
            (Said { has_started: false, ..good() }, "did not wait for the others"),
            (Said { origin: Some("{\"label\":\"\u{202e}\"}".to_owned()), ..good() }, "control"),
            (Said { report: None, reason: Some("\u{1b}x".repeat(999)), ..good() }, "\\u{1b}x"),
        ] {
            let found = outcomes(&[said]).unwrap();
            let (is_good, words) = &found[0];
            assert!(!is_good && words.contains(why) && words.len() < 1000, "{why}: {words}");
        }
        assert_eq!(outcomes(&[]).unwrap(), [(false, "the host is lost: gone".to_owned())]);
        for said in [vec![good(), good()], vec![Said { index: 1, ..good() }]] {
            assert!(outcomes(&said).is_err());
        }
    }
}
