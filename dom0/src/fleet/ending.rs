//! The end of a run of a fleet: its error, if a guest has no result.

use anyhow::{Error, Result, bail};
use results::FleetHost;

use super::crew::Outcome;
use super::hosts;
use crate::exit::Exit;
use crate::signals::Signals;
use crate::status::eprint_line;

/// Reasons that the last message names.
const NAMED_MAX: usize = 10;

/// Returns how a run of these guests ended: with a result of each, or not. Those of a host that is
/// lost have one reason.
pub fn ended(guests: Vec<(String, Outcome)>, hosts: &[FleetHost], signals: &Signals) -> Result<()> {
    let all = guests.len();
    let (mut found, mut lost, mut left) = (0, Vec::new(), Vec::new());
    for (name, mut outcome) in guests {
        left.extend(outcome.left.take().map(|error| match hosts {
            [] => error,
            _ => error.context(name.clone()),
        }));
        match outcome.report {
            Some(_) => found += 1,
            None => lost.push((name, outcome.reason(), outcome.error)),
        }
    }
    let is_interrupted = signals.received().count != 0;
    // With results of all, the first domain that is left is the error.
    let returned = lost.is_empty() && !(is_interrupted && found != 0);
    let mut left = left.into_iter();
    let first_left = if returned { left.next() } else { None };
    left.for_each(|error| eprint_line(&format!("ringmark: {error:#}")));
    if is_interrupted && found != 0 {
        return Err(Exit::Interrupted(format!("interrupted, with {found} of {all} results")).into());
    }
    let count = lost.len();
    if count == 0 {
        return first_left.map_or(Ok(()), Err);
    }
    let what = format!("{count} of {all} guests have no result:{}", reasons(&lost, hosts));
    let took_too_long = |(_, _, error): &(String, String, Option<Error>)| {
        let exit = error.as_ref().and_then(|error| error.downcast_ref());
        matches!(exit, Some(Exit::TimedOut(_)))
    };
    match found == 0 && lost.iter().all(took_too_long) {
        true => Err(Exit::TimedOut(what).into()),
        false => bail!(what),
    }
}

/// Returns the reasons why guests have no result, each in a line; a single host that is lost in the
/// line that it is to be added to.
fn reasons(lost: &[(String, String, Option<Error>)], hosts: &[FleetHost]) -> String {
    let lost_host = |host: &FleetHost| {
        host.lost.as_ref().map(|why| format!("host {} is lost: {why}", host.host))
    };
    let guests = lost.iter().filter(|(name, ..)| !hosts::is_of_lost(name, hosts));
    let guests = guests.map(|(name, why, _)| format!("{name}: {why}"));
    let named: Vec<String> = hosts.iter().filter_map(lost_host).chain(guests).collect();
    if let ([one], false) = (&named[..], hosts.iter().all(|host| host.lost.is_none())) {
        return format!(" {one}");
    }
    let more = if named.len() > NAMED_MAX { "\n  .." } else { "" };
    let named: String = named.iter().take(NAMED_MAX).map(|one| format!("\n  {one}")).collect();
    named + more
}
