//! Options of how long a comparison goes on.

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use fio_job::number::parse_time_ns;

use super::schedule::{Aim, BLOCK, Rule};
use crate::exit::Exit;
use crate::measure::Measure;
use crate::percent;
use crate::plan::Plan;

/// Most pairs of `--resolve`.
const MOST: u32 = 100;
/// Least difference to resolve, in per cent.
const RESOLVE_MIN: f64 = 0.01;

/// Options of how long a comparison goes on.
#[derive(Args, Debug)]
pub struct UntilOptions {
    /// Make as many pairs as show a difference of so many per cent in four of five cases, by the
    /// spread of those so far: at least 6, at most 100, or the number of pairs given
    #[arg(long, value_name = "PERCENT", value_parser = parse_resolve)]
    resolve: Option<f64>,
    /// Figures in which it is to be resolved, of each job, separated by commas
    #[arg(long, value_enum, value_name = "FIGURE", value_delimiter = ',')]
    #[arg(default_value = "iops", requires = "resolve")]
    pub by: Vec<Measure>,
    /// Begin no more pairs that would end after this time: 90s, 30m, 2h
    #[arg(long, value_name = "TIME", value_parser = parse_limit)]
    limit: Option<Duration>,
}

impl UntilOptions {
    /// Returns the rule: so many pairs, or `usual` if none are asked for.
    pub fn rule(&self, pairs: Option<u32>, usual: u32) -> Rule {
        let aim = match self.resolve {
            Some(percent) => {
                Aim::Resolve { difference: percent / 100.0, most: pairs.unwrap_or(MOST) as usize }
            }
            None => Aim::Pairs(pairs.unwrap_or(usual) as usize),
        };
        Rule { aim, limit: self.limit }
    }

    /// Checks that the first pairs of these jobs have the time.
    ///
    /// # Errors
    /// [`Exit::Usage`]: they have not.
    pub fn check(&self, plans: [&Plan; 2]) -> Result<()> {
        let Some(limit) = self.limit else { return Ok(()) };
        let pair = plans.iter().map(|plan| plan.least_time()).sum::<Duration>();
        let least = pair.saturating_mul(BLOCK as u32);
        if least <= limit {
            return Ok(());
        }
        let what = format!("--limit: the first {BLOCK} pairs take {} s at least", least.as_secs());
        Err(Exit::Usage(format!("{what}; raise it, or shorten the jobs")).into())
    }
}

/// Reads a number of pairs.
///
/// # Errors
/// One that is odd, or out of range.
pub fn parse_pairs(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(count) if count % BLOCK as u32 != 0 => {
            Err("write an even number: in the order ABBA two pairs are a whole".to_owned())
        }
        Ok(count @ 2..=1000) => Ok(count),
        _ => Err("write an even number from 2 to 1000".to_owned()),
    }
}

fn parse_resolve(text: &str) -> Result<f64, String> {
    let percent = percent::parse(text)?;
    if (RESOLVE_MIN..=100.0).contains(&percent) {
        return Ok(percent);
    }
    Err(format!("not in {RESOLVE_MIN} to 100 per cent"))
}

fn parse_limit(text: &str) -> Result<Duration, String> {
    match parse_time_ns(text) {
        Ok(ns @ 1..) => Ok(Duration::from_nanos(ns)),
        _ => Err("write a time, such as 90s, 30m or 2h".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_even_and_times_have_units() {
        for (text, count) in [("2", 2), ("6", 6), ("1000", 1000)] {
            assert_eq!(parse_pairs(text), Ok(count));
        }
        for text in ["0", "1", "7", "1002", "-2", "x", ""] {
            assert!(parse_pairs(text).is_err(), "{text}");
        }
        for (text, s) in [("90", 90), ("90s", 90), ("30m", 1800), ("2h", 7200)] {
            assert_eq!(parse_limit(text), Ok(Duration::from_secs(s)), "{text}");
        }
        for text in ["0", "-1", "x", "", "1 fortnight"] {
            assert!(parse_limit(text).is_err(), "{text}");
        }
        assert_eq!(parse_resolve("2%"), Ok(2.0));
        for text in ["0", "0.001", "101", "nan", "x"] {
            assert!(parse_resolve(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_given_decides() {
        let options = UntilOptions { resolve: None, by: vec![Measure::Iops], limit: None };
        assert_eq!(options.rule(None, 6).aim, Aim::Pairs(6));
        assert_eq!(options.rule(Some(8), 6).aim, Aim::Pairs(8));
        let options = UntilOptions { resolve: Some(2.0), ..options };
        assert_eq!(options.rule(None, 6).aim, Aim::Resolve { difference: 0.02, most: 100 });
        assert_eq!(options.rule(Some(8), 6).aim, Aim::Resolve { difference: 0.02, most: 8 });
    }
}
