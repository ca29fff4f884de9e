//! Crossings: where one system overtakes another, and why.

use serde::Serialize;

use crate::cause::Cause;
use crate::curve::{Curve, Share};
use crate::setup::System;

/// Place at which one system overtakes another.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Crossing {
    /// Flag that this was not measured: always true.
    pub projected: bool,
    /// System that overtakes, if any does.
    pub winner: System,
    /// System that it is compared with.
    pub loser: System,
    /// Number of guests from which on it has more IOPS, up to the last; if there is one.
    pub from_guests: Option<u32>,
    /// Greatest number of guests.
    pub guests: u32,
    /// Ratio of their IOPS with so many.
    pub ratio: f64,
    /// Cycles of an I/O that it saves most of there, of those that a grant mode decides on; if it
    /// saves any.
    pub saves: Option<Share>,
    /// Cycles that it spends most of instead, if it does.
    pub pays: Option<Share>,
}

impl Crossing {
    /// Compares two curves of the same guests; `None` if these are none.
    pub fn of(winner: &Curve, loser: &Curve) -> Option<Self> {
        let pairs = || winner.points.iter().zip(&loser.points);
        let (last, other) = pairs().next_back()?;
        let ahead = pairs().rev().take_while(|(ours, theirs)| ours.iops > theirs.iops);
        let saved = |cause: &Cause| other.cycles(*cause) - last.cycles(*cause);
        let most = |sign: f64| {
            let causes = Cause::ALL.into_iter().filter(|cause| cause.is_of_grants());
            let cause = causes.max_by(|a, b| (saved(a) * sign).total_cmp(&(saved(b) * sign)))?;
            let cycles = saved(&cause) * sign;
            (cycles > 0.0).then_some(Share { cause, whose: cause.whose(), cycles })
        };
        Some(Self {
            projected: true,
            winner: winner.system,
            loser: loser.system,
            from_guests: ahead.last().map(|(ours, _)| ours.guests),
            guests: last.guests,
            ratio: last.iops / other.iops,
            saves: most(1.0),
            pays: most(-1.0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curve::{Limit, Point};

    fn curve(system: System, iops: [f64; 3], cycles: &[(Cause, f64)]) -> Curve {
        let share = |&(cause, cycles): &(Cause, f64)| Share { cause, whose: cause.whose(), cycles };
        let point = |(guests, iops)| Point {
            projected: true,
            guests,
            iops,
            limit: Limit::Latency,
            cycles: cycles.iter().map(share).collect(),
        };
        Curve { system, points: (1..).zip(iops).map(point).collect() }
    }

    #[test]
    fn a_lead_counts_from_where_it_lasts() {
        let slow = curve(System::PerRequest, [9.0, 9.0, 9.0], &[]);
        for (iops, from) in
            [([10.0, 10.0, 10.0], Some(1)), ([10.0, 8.0, 10.0], Some(3)), ([10.0, 10.0, 9.0], None)]
        {
            let crossing = Crossing::of(&curve(System::Persistent, iops, &[]), &slow).unwrap();
            assert_eq!(crossing.from_guests, from, "{iops:?}");
            assert_eq!((crossing.guests, crossing.ratio), (3, iops[2] / 9.0));
            assert_eq!((crossing.saves, crossing.pays), (None, None));
        }
    }

    #[test]
    fn only_what_grants_decide_on_is_a_reason() {
        let ours = [(Cause::GuestCopy, 50.0), (Cause::Exits, 1.0), (Cause::Shootdown, 7.0)];
        let theirs = [(Cause::Exits, 900.0), (Cause::Shootdown, 8.0), (Cause::MapUnmap, 30.0)];
        let winner = curve(System::PersistentCopy, [1.0; 3], &ours);
        let loser = curve(System::PerRequest, [1.0; 3], &theirs);
        let crossing = Crossing::of(&winner, &loser).unwrap();
        let reason = |share: Option<Share>| share.map(|share| (share.cause, share.cycles));
        assert_eq!(reason(crossing.saves), Some((Cause::MapUnmap, 30.0)));
        assert_eq!(reason(crossing.pays), Some((Cause::GuestCopy, 50.0)));
    }
}
