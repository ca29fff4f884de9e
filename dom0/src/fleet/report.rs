//! One report of a whole fleet: fio's, with an entry for each guest and job, and the sums.

use results::{Fleet, Missing, Report, Run};

use super::crew::Outcome;
use super::log;
use super::summary::{Sum, Times, sums};
use crate::saved::System;

/// Word for all systems, as that of a sum.
const ALL_SYSTEMS: &str = "all";

/// Figures of a run of a fleet.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Report of all guests.
    pub report: Report,
    /// Sums, for each job and direction.
    pub sums: Vec<Sum>,
    /// The report's part about the fleet.
    pub fleet: Fleet,
}

/// Returns what guests of these names measured; `None` if none measured anything.
pub fn measured(guests: &[(&str, &Outcome)], times: Times) -> Option<Measured> {
    let first = guests.iter().find_map(|(_, outcome)| outcome.report.as_ref())?;
    let sums = all_sums(guests, times);
    let fleet = fleet(guests, &sums);
    let error = error(guests, &fleet);
    let run = Run {
        ok: error.is_none(),
        error,
        origin: first.ringmark.as_ref().and_then(|run| run.origin.clone()),
        fleet: Some(fleet.clone()),
        ..Run::default()
    };
    let numbered = (1..).zip(guests);
    let jobs = numbered.flat_map(|(number, (name, outcome))| {
        let jobs = outcome.report.iter().flat_map(|report| report.jobs.clone());
        jobs.map(move |mut job| {
            job.jobname = format!("{name}/{}", job.jobname);
            job.groupid = number;
            job
        })
    });
    let jobs = jobs.collect();
    let mut report = Report { jobs, ringmark: Some(run), ..first.clone() };
    log::take_out(&mut report);
    Some(Measured { report, sums, fleet })
}

/// Returns the sums of all guests; if they are of two systems, those of each, and then of all.
fn all_sums(guests: &[(&str, &Outcome)], times: Times) -> Vec<Sum> {
    let of = |is_in: &dyn Fn(&Outcome) -> bool, system: Option<&str>| {
        let those = || guests.iter().filter(|(_, outcome)| is_in(outcome));
        let found = those().filter_map(|(name, outcome)| Some((*name, outcome.report.as_ref()?)));
        let mut sums = sums(&found.collect::<Vec<_>>(), number(those().count()), times);
        sums.iter_mut().for_each(|sum| sum.figures.system = system.map(str::to_owned));
        sums
    };
    if count(guests, |outcome| outcome.system == System::Linux) == 0 {
        return of(&|_| true, None);
    }
    let systems = [System::Ringmark, System::Linux];
    let each = systems.map(|system| of(&|outcome| outcome.system == system, Some(system.name())));
    let mut all = of(&|_| true, Some(ALL_SYSTEMS));
    // Each guest is in its system's table.
    all.iter_mut().for_each(|sum| sum.parts.clear());
    each.into_iter().flatten().chain(all).collect()
}

fn count(guests: &[(&str, &Outcome)], is_it: fn(&Outcome) -> bool) -> u32 {
    number(guests.iter().filter(|(_, outcome)| is_it(outcome)).count())
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn fleet(guests: &[(&str, &Outcome)], sums: &[Sum]) -> Fleet {
    let missing = guests.iter().filter(|(_, outcome)| outcome.report.is_none());
    let missing: Vec<Missing> = missing
        .map(|(name, outcome)| Missing { guest: (*name).to_owned(), reason: outcome.reason() })
        .collect();
    Fleet {
        guests: number(guests.len()),
        linux: count(guests, |outcome| outcome.system == System::Linux),
        started: count(guests, |outcome| outcome.has_started),
        complete: missing.is_empty() && sums.iter().all(|sum| sum.figures.guests == sum.wanted),
        missing,
        sums: sums.iter().map(|sum| sum.figures.clone()).collect(),
        hosts: Vec::new(),
    }
}

/// Returns why the figures are not those that were asked for, if they are not.
fn error(guests: &[(&str, &Outcome)], fleet: &Fleet) -> Option<String> {
    let ended = guests.iter().find_map(|(name, outcome)| {
        let failure = outcome.report.as_ref().and_then(crate::result::failure)?;
        Some(format!("{name}: {failure}"))
    });
    let missing = fleet.missing.first().map(|first| {
        let (count, all) = (fleet.missing.len(), fleet.guests);
        format!("{count} of {all} guests have no result: {}: {}", first.guest, first.reason)
    });
    missing.or(ended)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::sample;
    use anyhow::anyhow;

    fn good(iops: f64) -> Outcome {
        let report = Some(sample("a", Some("persistent"), iops));
        Outcome { report, has_started: true, ..Outcome::default() }
    }

    #[test]
    fn each_guest_has_an_entry_of_its_own() {
        let guests = [("g-1", &good(100.0)), ("g-2", &good(300.0))];
        let Measured { report, fleet, .. } = measured(&guests, Times::default()).unwrap();
        let jobs: Vec<_> =
            report.jobs.iter().map(|job| (job.jobname.as_str(), job.groupid)).collect();
        assert_eq!(jobs, [("g-1/a", 1), ("g-2/a", 2)]);
        assert!(fleet.complete && fleet.missing.is_empty());
        assert_eq!((fleet.guests, fleet.started, fleet.sums[0].sum.iops), (2, 2, 400.0));
        let run = report.ringmark.unwrap();
        assert_eq!((run.ok, run.error, run.fleet), (true, None, Some(fleet)));
    }

    #[test]
    fn who_is_missing_is_named() {
        let error =
            Some(anyhow!("the guest has crashed; last lines of its console:\n  | a\n  | b"));
        let crashed = Outcome { error, has_started: true, ..Outcome::default() };
        let guests = [("g-1", &crashed), ("g-2", &good(300.0)), ("g-3", &Outcome::default())];
        let Measured { report, fleet, .. } = measured(&guests, Times::default()).unwrap();
        let expected = [
            ("g-1", "the guest has crashed; last lines of its console: | a | b"),
            ("g-3", "it ended without a result"),
        ];
        let found = fleet.missing.iter().map(|one| (one.guest.as_str(), one.reason.as_str()));
        assert!(found.eq(expected), "{:?}", fleet.missing);
        assert_eq!((fleet.complete, fleet.guests, fleet.started), (false, 3, 2));
        assert_eq!((report.jobs[0].groupid, report.jobs.len()), (2, 1));
        let run = report.ringmark.unwrap();
        let why = "2 of 3 guests have no result: g-1: the guest has crashed;";
        assert!(!run.ok && run.error.unwrap().starts_with(why));
        assert!(measured(&guests[..1], Times::default()).is_none());
    }

    #[test]
    fn systems_are_summed_up_apart() {
        let linux = |iops| Outcome { system: System::Linux, ..good(iops) };
        let lost = Outcome { system: System::Linux, ..Outcome::default() };
        let guests =
            [("g-1", &good(100.0)), ("g-2", &good(300.0)), ("g-3", &linux(50.0)), ("g-4", &lost)];
        let Measured { sums, fleet, .. } = measured(&guests, Times::default()).unwrap();
        let found: Vec<_> = sums
            .iter()
            .map(|sum| {
                let figures = &sum.figures;
                let system = figures.system.as_deref().unwrap();
                (system, figures.guests, sum.wanted, figures.sum.iops, sum.parts.len())
            })
            .collect();
        let expected =
            [("ringmark", 2, 2, 400.0, 2), ("linux", 1, 2, 50.0, 1), ("all", 3, 4, 450.0, 0)];
        assert_eq!(found, expected);
        assert_eq!((fleet.guests, fleet.linux, fleet.complete), (4, 2, false));
    }

    #[test]
    fn what_was_ended_early_says_so() {
        let mut ended = good(5.0);
        let run = ended.report.as_mut().unwrap().ringmark.as_mut().unwrap();
        (run.ok, run.error) = (false, Some("stopped".to_owned()));
        let run = measured(&[("g-1", &ended)], Times::default()).unwrap().report.ringmark.unwrap();
        assert_eq!((run.ok, run.error.as_deref()), (false, Some("g-1: stopped")));
    }
}
