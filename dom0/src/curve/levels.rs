//! Levels of load: what share of saturation is asked for, and the rates that this makes.

use std::str::FromStr;

/// Levels of a curve unless others are named, in per cent of saturation.
pub const DEFAULT: &str = "10,20,30,40,50,60,70,80,90,95";
/// Most levels.
pub const LEVELS_MAX: usize = 100;
/// Greatest level, in per cent: beyond it nothing but the queue grows.
const PERCENT_MAX: f64 = 200.0;

/// Levels of load in per cent of saturation, ascending, each once; at least one.
#[derive(Clone, Debug, PartialEq)]
pub struct Levels(Vec<f64>);

impl Levels {
    /// Returns the levels.
    pub fn all(&self) -> &[f64] {
        &self.0
    }
}

impl FromStr for Levels {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let level = |word: &str| {
            let number = word.trim().trim_end_matches('%').parse().ok();
            let is_level = |percent: &f64| *percent > 0.0 && *percent <= PERCENT_MAX;
            number.filter(is_level).ok_or_else(|| {
                format!("{word:?} is no level; write per cent of saturation, up to {PERCENT_MAX}")
            })
        };
        let mut levels = text.split(',').map(level).collect::<Result<Vec<f64>, _>>()?;
        levels.sort_by(f64::total_cmp);
        if levels.len() > LEVELS_MAX {
            return Err(format!("{} levels, of at most {LEVELS_MAX}", levels.len()));
        }
        match levels.windows(2).find(|pair| pair.first() == pair.last()) {
            Some([twice, _]) => Err(format!("{twice} is there twice; leave it out once")),
            _ => Ok(Self(levels)),
        }
    }
}

/// Returns the rate to ask for in a direction that does so many I/Os a second at saturation: the
/// nearest whole one, and at least 1.
pub fn rate(saturation: f64, percent: f64) -> u64 {
    // A conversion that does not fit takes the nearest that does.
    ((saturation * percent / 100.0).round() as u64).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_ascend_and_are_there_once() {
        let read = |text: &str| text.parse::<Levels>().map(|levels| levels.0);
        assert_eq!(read("50, 10,97.5%"), Ok(vec![10.0, 50.0, 97.5]));
        assert_eq!(read(DEFAULT).unwrap().len(), 10);
        for text in ["", "0", "-1", "201", "x", "10,,20", "nan", "inf", "1e309", "10..90"] {
            assert!(read(text).unwrap_err().contains("is no level; write per cent"), "{text}");
        }
        assert_eq!(read("5,10,5.0"), Err("5 is there twice; leave it out once".to_owned()));
        let many = |count: u32| (1..=count).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
        assert_eq!(read(&many(100)).unwrap().len(), 100);
        assert_eq!(read(&many(101)), Err("101 levels, of at most 100".to_owned()));
    }

    #[test]
    fn a_rate_is_whole_and_never_none() {
        for (saturation, percent, expected) in [
            (1000.0, 10.0, 100),
            (1005.0, 95.0, 955),
            (12.4, 20.0, 2),
            (3.0, 10.0, 1),
            (0.0, 50.0, 1),
            (f64::NAN, 50.0, 1),
            (f64::INFINITY, 50.0, u64::MAX),
        ] {
            assert_eq!(rate(saturation, percent), expected, "{saturation} at {percent} %");
        }
    }
}
