//! One result of what several hosts found.
//!
//! Guests say when they measured in Xen's system time, which hosts do not share. What is known of
//! two hosts is when each told its guests to start, by clocks whose distance was measured. So the
//! times of a host's guests are moved as one, such that the first of them began when its host had
//! told all.

use results::{Extra, FleetHost, Origin};

use super::found::Found;
use super::start::Start;
use crate::fleet::crew::Outcome;
use crate::fleet::log::Wish;
use crate::fleet::report::Measured;
use crate::fleet::summary::{Times, sums};

/// Guests of all hosts.
#[derive(Debug)]
pub struct Merged {
    /// Outcome of each, with its name, `HOST/GUEST`.
    pub guests: Vec<(String, Outcome)>,
    /// The hosts, without sums.
    pub hosts: Vec<FleetHost>,
}

/// Puts together what hosts found; `names` are those of all guests.
pub fn merge<'n>(found: Vec<Found<'_>>, mut names: impl Iterator<Item = &'n str>) -> Merged {
    let starts_ns = found.iter().filter_map(|found| told_ns(found.start));
    let first_ns = starts_ns.min().unwrap_or(0);
    let mut merged = Merged { guests: Vec::new(), hosts: Vec::new() };
    for Found { host, mut outcomes, start, lost } in found {
        match told_ns(start) {
            Some(told_ns) => move_times(&mut outcomes, told_ns.saturating_sub(first_ns)),
            // Nobody knows how these lie to those of other hosts.
            None => each_job(&mut outcomes, |extra| {
                (extra.begin_ns, extra.end_ns) = (None, None);
            }),
        }
        merged.hosts.push(FleetHost {
            host: host.name().to_owned(),
            guests: u32::try_from(outcomes.len()).unwrap_or(u32::MAX),
            lost,
            clock_offset_ns: start.clock.map(|clock| clock.offset_ns),
            clock_error_ns: start.clock.map(|clock| clock.error_ns),
            late_ns: start.late_ns,
            write_ns: start.write.map(|(begun_ns, done_ns)| done_ns.saturating_sub(begun_ns)),
            sums: Vec::new(),
        });
        let named = outcomes.into_iter().zip(names.by_ref());
        merged.guests.extend(named.map(|(outcome, name)| (format!("{host}/{name}"), outcome)));
    }
    merged
}

/// Returns when a host had told its guests to start, by our clock.
fn told_ns(start: Start) -> Option<u64> {
    let (_, done_ns) = start.write?;
    start.clock?.ours(done_ns)
}

/// Moves the times of all jobs so that the first begins at this time. A time that cannot be moved
/// is none.
fn move_times(outcomes: &mut [Outcome], first_ns: u64) {
    let mut least_ns: Option<u64> = None;
    each_job(outcomes, |extra| least_ns = least_ns.into_iter().chain(extra.begin_ns).min());
    let Some(least_ns) = least_ns else { return };
    let moved = |ns: Option<u64>| ns?.checked_sub(least_ns)?.checked_add(first_ns);
    each_job(outcomes, |extra| {
        (extra.begin_ns, extra.end_ns) = (moved(extra.begin_ns), moved(extra.end_ns));
    });
}

fn each_job(outcomes: &mut [Outcome], each: impl FnMut(&mut Extra)) {
    let reports = outcomes.iter_mut().filter_map(|outcome| outcome.report.as_mut());
    let jobs = reports.flat_map(|report| &mut report.jobs);
    jobs.filter_map(|job| job.ringmark.as_mut()).for_each(each);
}

impl Merged {
    /// Returns by how many nanoseconds the times of two guests may be further apart than they seem:
    /// when a guest was told is known as well as its host's clock, and to the length of the write.
    pub fn unsure_ns(&self) -> u64 {
        if self.hosts.len() < 2 {
            return 0;
        }
        let of = |host: &FleetHost| Some(host.clock_error_ns?.saturating_add(host.write_ns?));
        let mut each: Vec<u64> = self.hosts.iter().filter_map(of).collect();
        each.sort_unstable();
        each.into_iter().rev().take(2).fold(0, u64::saturating_add)
    }
}

/// Puts hosts and their sums into the figures of their guests, each host's as a group.
pub fn by_host(measured: &mut Measured, merged: &Merged, logs: Option<Wish>) {
    // The guests of a host share a clock.
    let times = Times { logs, unsure_ns: 0 };
    let mut guests = merged.guests.iter();
    let hosts = merged.hosts.iter().map(|host| {
        let reports: Vec<_> = guests
            .by_ref()
            .take(host.guests as usize)
            .filter_map(|(name, outcome)| Some((name.as_str(), outcome.report.as_ref()?)))
            .collect();
        let sums = sums(&reports, host.guests, times).into_iter().map(|sum| sum.figures).collect();
        FleetHost { sums, ..host.clone() }
    });
    measured.fleet.hosts = hosts.collect();
    for job in &mut measured.report.jobs {
        let is_its = |host: &&FleetHost| is_of(&job.jobname, host);
        let group = (1..).zip(&merged.hosts).find(|(_, host)| is_its(host));
        group.into_iter().for_each(|(group, _)| job.groupid = group);
    }
    if let Some(run) = &mut measured.report.ringmark {
        run.fleet = Some(measured.fleet.clone());
        run.origin.iter_mut().for_each(|origin| keep_common(origin, merged));
    }
}

/// Leaves out of the origin of all what is not so on each host.
fn keep_common(origin: &mut Origin, merged: &Merged) {
    let reports = merged.guests.iter().filter_map(|(_, outcome)| outcome.report.as_ref());
    let others = || reports.clone().filter_map(|report| report.ringmark.as_ref()?.origin.as_ref());
    let affinity = |origin: &Origin| origin.domain.as_ref().map(|domain| domain.affinity.clone());
    if others().any(|other| other.host != origin.host) {
        origin.host = None;
    }
    if others().any(|other| other.disks != origin.disks) {
        origin.disks.clear();
    }
    let ours = affinity(origin);
    if others().any(|other| affinity(other) != ours) {
        origin.domain.iter_mut().for_each(|domain| domain.affinity.clear());
    }
}

/// Returns whether a guest, or a job of it, is of this host.
pub fn is_of(name: &str, host: &FleetHost) -> bool {
    name.strip_prefix(host.host.as_str()).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::super::clock::Clock;
    use super::super::host::Host;
    use super::*;
    use crate::figures::sample;
    use crate::fleet::report::measured;
    use results::{Basis, OriginHost};

    const S: u64 = 1_000_000_000;

    fn guest(iops: f64, begin_s: u64, end_s: u64) -> Outcome {
        let mut report = sample("a", Some("persistent"), iops);
        report.jobs[0].ringmark = Some(Extra {
            begin_ns: Some(begin_s * S),
            end_ns: Some(end_s * S),
            ..Extra::default()
        });
        Outcome { report: Some(report), has_started: true, ..Outcome::default() }
    }

    /// A host whose clock is so many seconds ahead, and which told its guests so many nanoseconds
    /// after second 100 of our clock.
    fn start(ahead_s: u64, after_ns: u64) -> Start {
        let clock = Clock { offset_ns: (ahead_s * S) as i64, error_ns: 7 };
        let begun_ns = (100 + ahead_s) * S;
        Start { clock: Some(clock), late_ns: Some(0), write: Some((begun_ns, begun_ns + after_ns)) }
    }

    fn merged(lost: Option<&str>, hosts: &[Host]) -> Merged {
        let names = ["g-1", "g-2", "g-3"];
        let second = match lost {
            None => vec![guest(2000.0, 9000, 9010)],
            Some(_) => vec![Outcome::default()],
        };
        let found = vec![
            Found {
                host: &hosts[0],
                outcomes: vec![guest(1000.0, 10, 20), guest(3000.0, 10, 20)],
                start: start(0, 0),
                lost: None,
            },
            Found {
                host: &hosts[1],
                outcomes: second,
                start: start(50, 40_000_000),
                lost: lost.map(str::to_owned),
            },
        ];
        merge(found, names.into_iter())
    }

    fn hosts() -> [Host; 2] {
        ["root@a", "ssh://root@b:2222"].map(|host| Host::parse(host).unwrap())
    }

    fn measure(merged: &Merged) -> Measured {
        let guests: Vec<(&str, &Outcome)> =
            merged.guests.iter().map(|(name, outcome)| (name.as_str(), outcome)).collect();
        let times = Times { logs: None, unsure_ns: merged.unsure_ns() };
        let mut all = measured(&guests, times).unwrap();
        by_host(&mut all, merged, None);
        all
    }

    #[test]
    fn a_host_is_a_group_and_has_a_sum() {
        let hosts = hosts();
        let Measured { report, fleet, .. } = measure(&merged(None, &hosts));
        let jobs: Vec<_> =
            report.jobs.iter().map(|job| (job.jobname.as_str(), job.groupid)).collect();
        let expected = [("root@a/g-1/a", 1), ("root@a/g-2/a", 1), ("root@b:2222/g-3/a", 2)];
        assert_eq!(jobs, expected);
        let sums: Vec<f64> = fleet.hosts.iter().map(|host| host.sums[0].sum.iops).collect();
        assert_eq!((sums, fleet.sums[0].sum.iops), (vec![4000.0, 2000.0], 6000.0));
        assert_eq!(report.ringmark.unwrap().fleet, Some(fleet));
    }

    #[test]
    fn times_of_hosts_are_those_of_their_starts() {
        let hosts = hosts();
        let Measured { fleet, .. } = measure(&merged(None, &hosts));
        // 40 ms of 10.04 s are not common, and as much, the time of a write, is not sure.
        let sum = &fleet.sums[0];
        assert_eq!(sum.start_spread_ns, Some(40_000_000));
        let percent = sum.overlap_percent.unwrap();
        assert!((percent - 9.92 / 10.04 * 100.0).abs() < 1e-4, "{percent}");
        assert_eq!(fleet.hosts[1].sums[0].start_spread_ns, Some(0));
        let offsets: Vec<_> = fleet.hosts.iter().map(|host| host.clock_offset_ns).collect();
        assert_eq!(offsets, [Some(0), Some(50 * S as i64)]);
    }

    #[test]
    fn times_of_a_host_without_a_start_are_not_compared() {
        let hosts = hosts();
        for (clock, write) in [(None, Some((1, 2))), (start(0, 0).clock, None)] {
            let outcomes = vec![guest(1000.0, 10, 20)];
            let unknown = Start { clock, write, ..Start::default() };
            let found = |host, outcomes, start| Found { host, outcomes, start, lost: None };
            let known = found(&hosts[0], vec![guest(1000.0, 10, 20)], start(0, 0));
            let found = vec![known, found(&hosts[1], outcomes, unknown)];
            let Measured { fleet, .. } = measure(&merge(found, ["g-1", "g-2"].into_iter()));
            let sum = &fleet.sums[0];
            assert_eq!((sum.basis, sum.overlap_percent), (Basis::Each, None));
        }
    }

    #[test]
    fn the_two_worst_clocks_and_writes_are_not_sure() {
        let hosts = hosts();
        let mut merged = merged(None, &hosts);
        assert_eq!(merged.unsure_ns(), 7 + 40_000_007);
        merged.hosts.push(FleetHost {
            clock_error_ns: Some(100),
            write_ns: Some(0),
            ..FleetHost::default()
        });
        assert_eq!(merged.unsure_ns(), 100 + 40_000_007);
        // One host has one clock.
        merged.hosts.truncate(1);
        assert_eq!(merged.unsure_ns(), 0);
    }

    #[test]
    fn what_differs_between_hosts_is_not_the_origin_of_all() {
        let hosts = hosts();
        let mut merged = merged(None, &hosts);
        for (index, (_, outcome)) in merged.guests.iter_mut().enumerate() {
            let name = Some(if index < 2 { "a" } else { "b" }.to_owned());
            let host = Some(OriginHost { name, ..OriginHost::default() });
            let run = outcome.report.as_mut().unwrap().ringmark.as_mut().unwrap();
            run.origin = Some(Origin { label: Some("x".into()), host, ..Origin::default() });
        }
        let origin = |merged: &Merged| measure(merged).report.ringmark.unwrap().origin.unwrap();
        assert_eq!(origin(&merged), Origin { label: Some("x".into()), ..Origin::default() });
        merged.guests.truncate(2);
        merged.hosts.truncate(1);
        assert!(origin(&merged).host.is_some());
    }

    #[test]
    fn a_lost_host_is_named() {
        let hosts = hosts();
        let Measured { fleet, report, .. } = measure(&merged(Some("gone"), &hosts));
        assert_eq!(fleet.hosts[1].lost.as_deref(), Some("gone"));
        assert!(!fleet.complete && fleet.hosts[1].sums.is_empty());
        assert_eq!((fleet.missing.len(), report.jobs.len()), (1, 2));
        assert!(is_of("root@a/g", &fleet.hosts[0]) && !is_of("root@ab/g", &fleet.hosts[0]));
    }

    #[test]
    fn a_time_that_cannot_be_moved_is_none() {
        let mut outcomes = [guest(1.0, 1, 2), guest(1.0, 3, 4)];
        let last = outcomes[1].report.as_mut().unwrap();
        last.jobs[0].ringmark.as_mut().unwrap().end_ns = Some(u64::MAX);
        move_times(&mut outcomes, 2 * S);
        let times = |outcome: &Outcome| {
            let extra = outcome.report.as_ref().unwrap().jobs[0].ringmark.clone().unwrap();
            (extra.begin_ns, extra.end_ns)
        };
        assert_eq!(times(&outcomes[0]), (Some(2 * S), Some(3 * S)));
        assert_eq!(times(&outcomes[1]), (Some(4 * S), None));
    }
}
