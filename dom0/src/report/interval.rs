//! Interval of a series' IOPS: by its runs, or by the one that there is.

use statistics::student::quantile;

use super::series::Series;

/// Probability of what lies below the upper end.
const BELOW: f64 = 0.975;

/// Mean of a series' IOPS, and how well it is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Mean of the runs.
    pub mean: f64,
    /// Half width of its 95 % interval, if it can be told.
    pub half_width: Option<f64>,
}

impl Interval {
    /// Returns the interval of several runs by Student's t, and that of one by its steadiness.
    pub fn of(series: &Series<'_>) -> Self {
        let rates: Vec<f64> = series.runs().map(|run| run.iops).collect();
        let count = rates.len() as f64;
        let mean: f64 = rates.iter().map(|rate| rate / count).sum();
        let of_runs = || {
            let squares: f64 = rates.iter().map(|rate| (rate - mean).powi(2)).sum();
            Some(quantile(BELOW, count - 1.0)? * (squares / (count - 1.0) / count).sqrt())
        };
        let (mean, half_width) = match series.first.steady_mean() {
            _ if rates.len() > 1 => (mean, of_runs()),
            Some(of) => (of.mean, Some(of.half_width)),
            None => (mean, None),
        };
        Self { mean, half_width: half_width.filter(|width| width.is_finite() && *width >= 0.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::load::{Data, Run};
    use super::super::series::series;
    use super::*;
    use crate::figures::{Figures, sample};
    use crate::saved::System;
    use results::Steadiness;

    fn of(rates: &[f64], half_width: Option<f64>) -> Interval {
        let run = |&iops: &f64| {
            let mut figures = Figures::of(&sample("a", Some("persistent"), iops)).unwrap();
            figures[0].steadiness = Some(Steadiness {
                verdict: results::Verdict::Steady,
                iops_mean: 50.0,
                iops_half_width: half_width,
                ..Default::default()
            });
            let (system, version) = (System::Ringmark, "1".into());
            Run { file: 0, system, variant: None, version, time: None, origin: None, figures }
        };
        let runs = rates.iter().map(run).collect();
        let data = Data { files: vec!["x".into()], runs, ..Data::default() };
        let series = series(&data, false);
        Interval::of(&series[0])
    }

    #[test]
    fn several_runs_have_the_t_interval() {
        // t(2) is 4.3027, the standard deviation 10.
        let found = of(&[90.0, 100.0, 110.0], Some(1.0));
        assert!((found.half_width.unwrap() - 4.3027 * 10.0 / 3_f64.sqrt()).abs() < 1e-3);
        assert!((found.mean - 100.0).abs() < 1e-9, "{found:?}");
        // t(1) is 12.706.
        let found = of(&[95.0, 105.0], None).half_width.unwrap();
        assert!((found - 12.706 * 5.0).abs() < 1e-2, "{found}");
    }

    #[test]
    fn one_run_has_that_of_its_steadiness() {
        // Mean and interval are of the same windows.
        assert_eq!(of(&[100.0], Some(1.0)), Interval { mean: 50.0, half_width: Some(1.0) });
        for absurd in [f64::NAN, f64::INFINITY, -1.0] {
            assert_eq!(of(&[100.0], Some(absurd)).half_width, None);
        }
        assert_eq!(of(&[100.0], None).half_width, None);
    }
}
