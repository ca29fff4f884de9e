//! Repeated measurements: their median and how far they lie apart.

use alloc::format;
use alloc::vec::Vec;
use core::fmt::{self, Display, Formatter};

/// Median of measurements, with the least and the greatest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Middle value, or the mean of the two in the middle.
    pub median: f64,
    /// Least value.
    pub least: f64,
    /// Greatest value.
    pub greatest: f64,
}

impl Spread {
    /// Returns the spread of `values`; `None` if there are no values.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let upper = *sorted.get(sorted.len() / 2)?;
        let lower = *sorted.get((sorted.len() - 1) / 2)?;
        Some(Self {
            median: f64::midpoint(lower, upper),
            least: *sorted.first()?,
            greatest: *sorted.last()?,
        })
    }
}

impl Display for Spread {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let digits = match self.median {
            ..100.0 => 2,
            ..1000.0 => 1,
            _ => 0,
        };
        let Self { median, least, greatest } = self;
        f.pad(&format!("{median:.digits$} ({least:.digits$} .. {greatest:.digits$})"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn the_median_is_in_the_middle() {
        let spread = Spread::of([3.0, 1.0, 2.0]).unwrap();
        assert_eq!(spread, Spread { median: 2.0, least: 1.0, greatest: 3.0 });
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 3.0]).unwrap().median, 2.5);
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn figures_keep_about_four_digits() {
        let shown = [2.5, 123.45, 1234.5].map(|value| Spread::of([value]).unwrap().to_string());
        assert_eq!(shown, ["2.50 (2.50 .. 2.50)", "123.5 (123.5 .. 123.5)", "1234 (1234 .. 1234)"]);
    }
}
