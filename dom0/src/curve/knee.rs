//! Knee of a load curve: the load from which on latency is more than twice the least.
//!
//! The least is that of any level, not of the first, whose I/Os may find processors asleep. From
//! the knee on all levels are above twice of it, so that one level that was disturbed makes none.
//! Between two levels the logarithm of the latency is taken to be straight. The rule has no scale:
//! other units of load or latency move nothing, nor do further levels at the end. (The greatest
//! distance from a chord does move with them, and finds a knee in the noise of any flat curve.)
//! For M/M/1 the knee of p99 is 55 % exactly, as p99 is in proportion to 1 / (1 - load) and the
//! first level is 10 %.

/// Ratio to the least latency above which a load is beyond the knee.
const RATIO: f64 = 2.0;

/// A level as far as the knee goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// Load, in per cent of saturation.
    pub percent: f64,
    /// Latency, in nanoseconds; `None` if it is not known.
    pub latency_ns: Option<f64>,
    /// Whether the disk kept up with what was asked of it.
    pub kept_up: bool,
}

/// End of the loads that cost little latency.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Knee {
    /// Load at which the latency becomes twice the least, in per cent of saturation.
    At(f64),
    /// Last load that the disk kept up with, in per cent: until then the latency is not twice the
    /// least, and at the next the queue grows without end.
    Collapse(f64),
    /// Greatest load that was measured, in per cent: there is none below.
    NoneBelow(f64),
}

impl Knee {
    /// Returns the load of the knee, if there is one, in per cent of saturation.
    pub fn percent(self) -> Option<f64> {
        match self {
            Self::At(percent) | Self::Collapse(percent) => Some(percent),
            Self::NoneBelow(_) => None,
        }
    }
}

/// Returns the knee of levels whose loads ascend; `None` if fewer than two that the disk kept up
/// with have a latency. What is above the first that it did not keep up with does not count.
pub fn knee(levels: &[Level]) -> Option<Knee> {
    let collapses = levels.iter().any(|level| !level.kept_up);
    let usable: Vec<(f64, f64)> = usable(levels).collect();
    let (last, _) = *usable.last().filter(|_| usable.len() > 1)?;
    let least = least_ns(levels)?;
    let is_low = |(_, ns): &(f64, f64)| *ns <= RATIO * least;
    let below = usable.iter().rposition(is_low)?;
    let crossing = |from: &(f64, f64), to: &(f64, f64)| {
        let [low, high] = [from.1, to.1].map(|ns| (ns / least).ln());
        from.0 + (RATIO.ln() - low) / (high - low) * (to.0 - from.0)
    };
    Some(match usable.get(below).zip(usable.get(below + 1)) {
        Some((from, to)) => Knee::At(crossing(from, to)),
        None if collapses => Knee::Collapse(last),
        None => Knee::NoneBelow(last),
    })
}

/// Returns the latency that the knee is twice of, in nanoseconds: the least of the usable levels.
pub fn least_ns(levels: &[Level]) -> Option<f64> {
    usable(levels).map(|(_, ns)| ns).reduce(f64::min)
}

/// Returns loads and latencies up to the first level that the disk did not keep up with.
fn usable(levels: &[Level]) -> impl Iterator<Item = (f64, f64)> {
    let kept_up = levels.iter().take_while(|level| level.kept_up);
    let known = kept_up.filter_map(|level| Some((level.percent, level.latency_ns?)));
    known.filter(|(percent, ns)| percent.is_finite() && ns.is_finite() && *ns > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOADS: [f64; 10] = [10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 95.0];

    fn of(latency: impl Fn(f64) -> f64) -> Option<Knee> {
        knee(&levels(latency))
    }

    fn levels(latency: impl Fn(f64) -> f64) -> Vec<Level> {
        let level = |percent: f64| Level {
            percent,
            latency_ns: Some(latency(percent / 100.0)),
            kept_up: true,
        };
        LOADS.map(level).into()
    }

    fn at(knee: Option<Knee>) -> f64 {
        match knee {
            Some(Knee::At(percent)) => percent,
            other => panic!("{other:?}"),
        }
    }

    /// p99 of the time in M/M/1, in service times: it is exponential with the mean 1 / (1 - rho).
    fn mm1(rho: f64) -> f64 {
        100_f64.ln() / (1.0 - rho)
    }

    /// p99 of the time in M/D/1, in service times: Erlang's distribution of the wait, plus one.
    fn md1(rho: f64) -> f64 {
        let waits_at_most = |t: f64| {
            let term = |k: u32| {
                let x = rho * (f64::from(k) - t);
                (1..=k).fold(1.0, |product, n| product * x / f64::from(n)) * (-x).exp()
            };
            (1.0 - rho) * (0..=t as u32).map(term).sum::<f64>()
        };
        let (mut low, mut high) = (0.0, 8.0);
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            *(if waits_at_most(middle) < 0.99 { &mut low } else { &mut high }) = middle;
        }
        1.0 + low
    }

    #[test]
    fn the_knee_of_mm1_is_at_55_percent() {
        assert!((at(of(mm1)) - 55.0).abs() < 0.5, "{:?}", of(mm1));
        let fine: Vec<Level> = (10..96)
            .map(|n| Level {
                percent: f64::from(n),
                latency_ns: Some(mm1(f64::from(n) / 100.0)),
                kept_up: true,
            })
            .collect();
        assert!((at(knee(&fine)) - 55.0).abs() < 1e-9);
    }

    /// 45.1 by simulation of 200,000 arrivals at each level, too.
    #[test]
    fn the_knee_of_md1_is_at_45_percent() {
        for (rho, expected) in [(0.1, 1.954), (0.4, 3.513), (0.5, 4.327)] {
            assert!((md1(rho) / expected - 1.0).abs() < 0.02, "{rho}: {}", md1(rho));
        }
        let found = at(of(|rho| if rho < 0.75 { md1(rho) } else { 20.0 }));
        assert!((found - 45.1).abs() < 0.5, "{found}");
    }

    #[test]
    fn the_rule_has_no_scale() {
        let expected = at(of(mm1));
        for scale in [1e-6, 3.7, 1e12] {
            assert!((at(of(|rho| scale * mm1(rho))) - expected).abs() < 1e-9);
        }
        let mut longer = levels(mm1);
        longer.extend([97.0, 99.0].map(|percent| Level {
            percent,
            latency_ns: Some(mm1(percent / 100.0)),
            kept_up: true,
        }));
        assert_eq!(at(knee(&longer)), expected);
    }

    #[test]
    fn a_flat_disk_has_none() {
        assert_eq!(of(|_| 1e5), Some(Knee::NoneBelow(95.0)));
        // Of M/M/32, p99 grows by a third until 95 %.
        assert_eq!(of(|rho| 4.58 + 1.5 * rho.powi(20)), Some(Knee::NoneBelow(95.0)));
        let mut rng = fastrand::Rng::with_seed(17);
        for _ in 0..1000 {
            let noisy = levels(|_| 1.0)
                .into_iter()
                .map(|level| Level { latency_ns: Some(1.0 + 0.4 * rng.f64()), ..level });
            assert_eq!(knee(&noisy.collect::<Vec<_>>()), Some(Knee::NoneBelow(95.0)));
        }
    }

    #[test]
    fn a_collapse_is_where_the_disk_no_longer_keeps_up() {
        let mut all = levels(|_| 1e5);
        all[6..].iter_mut().for_each(|level| level.kept_up = false);
        assert_eq!(knee(&all), Some(Knee::Collapse(60.0)));
        // Latency at such levels says how long the run was, and no more.
        all[8].kept_up = true;
        all[8].latency_ns = Some(1.0);
        assert_eq!((knee(&all), least_ns(&all)), (Some(Knee::Collapse(60.0)), Some(1e5)));
        let found = at(of(|rho| if rho < 0.65 { 1.0 } else { 50.0 }));
        assert!((60.0..62.0).contains(&found), "{found}");
        let mut early = levels(mm1);
        early[7..].iter_mut().for_each(|level| level.kept_up = false);
        assert_eq!(at(knee(&early)), at(of(mm1)));
    }

    #[test]
    fn one_disturbed_level_makes_no_knee() {
        let with = |index: usize, factor: f64| {
            let mut all = levels(mm1);
            all[index].latency_ns = all[index].latency_ns.map(|ns| ns * factor);
            at(knee(&all))
        };
        // Processors asleep at the first, a stall at the third.
        assert!((with(0, 5.0) - at(of(mm1))).abs() < 6.0, "{}", with(0, 5.0));
        assert_eq!(with(2, 10.0), at(of(mm1)));
        let mut flat = levels(|_| 1.0);
        flat[3].latency_ns = Some(30.0);
        assert_eq!(knee(&flat), Some(Knee::NoneBelow(95.0)));
    }

    #[test]
    fn what_is_no_number_is_left_out() {
        assert_eq!(knee(&[]), None);
        assert_eq!(knee(&levels(mm1)[..1]), None);
        for absurd in [f64::NAN, f64::INFINITY, 0.0, -1.0] {
            let mut all = levels(mm1);
            all[9].latency_ns = Some(absurd);
            all[0].percent = f64::NAN;
            assert!(at(knee(&all)).is_finite());
            all.iter_mut().for_each(|level| level.latency_ns = Some(absurd));
            assert_eq!(knee(&all), None);
        }
        let huge = levels(|rho| if rho < 0.5 { f64::MIN_POSITIVE } else { f64::MAX });
        assert!((40.0..=50.0).contains(&at(knee(&huge))));
        let mut none = levels(mm1);
        none.iter_mut().for_each(|level| level.kept_up = false);
        assert_eq!(knee(&none), None);
    }
}
