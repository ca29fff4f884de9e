//! Axes: from values to places, and where to write which value.

/// Least and greatest value of a decade axis: beyond them there is nothing to measure.
const DECADES: [f64; 2] = [1.0, 1e20];
/// Most ticks that an axis has.
const TICKS_MAX: usize = 12;

/// Mapping of values to an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Scale {
    /// Evenly, with a tick at each multiple of this.
    Linear { step: f64 },
    /// Values by their logarithm.
    Log,
}

/// An axis of a plot.
#[derive(Clone, Debug)]
pub struct Axis {
    scale: Scale,
    /// The values at its ends, the lower one first.
    ends: [f64; 2],
    /// The places of its ends, in the plot's units.
    places: [f64; 2],
}

impl Axis {
    /// An axis from one place to another for values from 0 to `greatest`.
    pub fn linear(greatest: f64, places: [f64; 2]) -> Self {
        let [least_end, greatest_end] = [f64::MIN_POSITIVE * 1e9, 1e20];
        let greatest = finite(greatest).clamp(least_end, greatest_end);
        let step = round_step(greatest);
        let end = (greatest / step).ceil().max(1.0) * step;
        Self { scale: Scale::Linear { step }, ends: [0.0, end], places }
    }

    /// An axis for values above 0 from `least` to `greatest`, widened to whole decades.
    pub fn decades(least: f64, greatest: f64, places: [f64; 2]) -> Self {
        let [least, greatest] =
            [least, greatest].map(|end| finite(end).clamp(DECADES[0], DECADES[1]));
        let least = 10_f64.powf(least.log10().floor());
        let greatest = 10_f64.powf(greatest.log10().ceil());
        Self::log(least, greatest.max(least * 10.0), places)
    }

    /// An axis for values above 0 with these at its ends.
    pub fn log(least: f64, greatest: f64, places: [f64; 2]) -> Self {
        Self { scale: Scale::Log, ends: [least, greatest], places }
    }

    /// Returns the place of a value; one beyond an end, or that is no number, is at that end.
    pub fn place(&self, value: f64) -> f64 {
        let [from, to] = self.ends.map(|end| self.spread(end));
        let value = finite(value).clamp(self.ends[0], self.ends[1]);
        let part = finite((self.spread(value) - from) / (to - from));
        self.places[0] + part * (self.places[1] - self.places[0])
    }

    fn spread(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear { .. } => value,
            Scale::Log => value.log10(),
        }
    }

    /// Round values on it, few enough to be written beside it.
    pub fn ticks(&self) -> Vec<f64> {
        let [from, to] = self.ends;
        match self.scale {
            Scale::Linear { step } => {
                let count = (to / step).round() as u32;
                (0..=count).take(TICKS_MAX).map(|number| f64::from(number) * step).collect()
            }
            Scale::Log => {
                let [from, to] = [from, to].map(|end| end.log10().round() as i32);
                let every = usize::try_from((to - from) / 6 + 1).unwrap_or(1);
                let decades = (from..=to).step_by(every).map(|decade| 10_f64.powi(decade));
                let between: &[f64] = if to - from <= 2 { &[1.0, 2.0, 5.0] } else { &[1.0] };
                let ticks = decades.flat_map(|decade| between.iter().map(move |of| of * decade));
                ticks.filter(|&tick| tick <= self.ends[1] * 1.001).take(TICKS_MAX).collect()
            }
        }
    }
}

/// The number, or 0 where there is none.
fn finite(value: f64) -> f64 {
    if value.is_finite() { value } else { 0.0 }
}

/// A step of 1, 2, 2.5 or 5 with zeros, of which 3 to 5 reach the greatest value.
fn round_step(greatest: f64) -> f64 {
    let rough = (greatest / 5.0).max(f64::MIN_POSITIVE);
    let decade = 10_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0].map(|step| step * decade);
    steps.into_iter().find(|&step| step >= rough * 0.999).unwrap_or(decade * 10.0)
}

/// A count in few characters: `999`, `1.5k`, `120k`, `2M`.
pub fn count(value: f64) -> String {
    short(value, &["", "k", "M", "G"])
}

/// A time in few characters: `64ns`, `1.5us`, `20ms`, `3s`.
pub fn time(ns: f64) -> String {
    short(ns, &["ns", "us", "ms", "s"])
}

/// A number of at most two decimals, without zeros at its end.
pub fn round(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn short(mut value: f64, units: &[&str]) -> String {
    let mut units = units.iter();
    let mut unit = units.next().copied().unwrap_or_default();
    while value >= 999.5 {
        let Some(next) = units.next() else { break };
        value /= 1000.0;
        unit = next;
    }
    let digits = match value {
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    let text = format!("{value:.digits$}");
    let text = if digits == 0 { &text } else { text.trim_end_matches('0').trim_end_matches('.') };
    format!("{text}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linear_axes_have_round_ticks() {
        for (greatest, last, ticks) in
            [(1.0, 1.0, 6), (107_333.0, 125_000.0, 6), (7.1, 8.0, 5), (999.0, 1000.0, 6)]
        {
            let axis = Axis::linear(greatest, [0.0, 100.0]);
            let found = axis.ticks();
            assert_eq!((found.last().copied(), found.len()), (Some(last), ticks), "{greatest}");
            assert_eq!(axis.place(last), 100.0);
        }
        assert!(Axis::linear(0.0, [0.0, 1.0]).place(0.0).is_finite());
    }

    #[test]
    fn decades_are_whole() {
        let axis = Axis::decades(64.0, 33_000.0, [0.0, 100.0]);
        assert_eq!(axis.ticks(), [10.0, 100.0, 1e3, 1e4, 1e5]);
        assert_eq!((axis.place(1e3), axis.place(1e9), axis.place(0.0)), (50.0, 100.0, 0.0));
        assert_eq!(Axis::decades(10.0, 10.0, [0.0, 1.0]).ticks(), [10.0, 20.0, 50.0, 100.0]);
        assert!(Axis::decades(1.0, 1e18, [0.0, 1.0]).ticks().len() <= 7);
    }

    #[test]
    fn absurd_values_have_places_and_few_ticks() {
        let absurd = [0.0, -1.0, 1e308, -1e308, 5e-324, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
        for one in absurd {
            for other in absurd {
                for axis in [
                    Axis::linear(one, [0.0, 100.0]),
                    Axis::decades(one, other, [0.0, 100.0]),
                    Axis::log(1.0, 1.0, [0.0, 100.0]),
                ] {
                    let ticks = axis.ticks();
                    assert!(ticks.len() <= TICKS_MAX, "{axis:?}");
                    for value in ticks.into_iter().chain(absurd) {
                        let place = axis.place(value);
                        assert!((0.0..=100.0).contains(&place), "{value} at {place}, {axis:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn figures_are_short() {
        let cases = [0.0, 0.5, 999.0, 1000.0, 1500.0, 120_000.0, 2.5e6, 7e12];
        let expected = ["0", "0.5", "999", "1k", "1.5k", "120k", "2.5M", "7000G"];
        assert_eq!(cases.map(count), expected);
        assert_eq!([0.0, 10.0, 0.5, 99.99, 100.0].map(round), ["0", "10", "0.5", "99.99", "100"]);
        assert_eq!([64.0, 1500.0, 2e7, 3e9].map(time), ["64ns", "1.5us", "20ms", "3s"]);
    }
}
