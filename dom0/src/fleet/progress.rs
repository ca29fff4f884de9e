//! Progress of a fleet, in one line.

use std::time::{Duration, Instant};

use crate::event::Event;
use crate::status::Status;

/// Time between two lines once guests work: each prints one a second.
const LINE_EVERY: Duration = Duration::from_secs(1);

/// Progress of the guests.
#[derive(Debug)]
pub struct Progress {
    /// Number of guests that were created.
    pub created: usize,
    /// Number of guests that wait at the barrier.
    pub ready: usize,
    /// Rates that each guest reports, if it works.
    speeds: Vec<Option<Speed>>,
    /// Number of guests that never report any: those of Linux.
    silent: usize,
    /// Last line, whether guests worked then, and when that was.
    shown: Option<(String, bool, Instant)>,
}

/// Rates in the status line of a guest.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Speed {
    /// Share of the work that is done, in per cent, if it is known.
    percent: Option<f64>,
    bytes_per_second: f64,
    iops: f64,
}

impl Progress {
    /// Begins with so many guests, of which so many report no rates.
    pub fn new(guests: usize, silent: usize) -> Self {
        Self { created: 0, ready: 0, speeds: vec![None; guests], silent, shown: None }
    }

    /// Takes the status line of a guest.
    pub fn take(&mut self, guest: usize, line: &str) {
        if let Some(speed) = self.speeds.get_mut(guest) {
            *speed = Some(Speed::of(line));
        }
    }

    /// Drops what a guest said.
    pub fn leave(&mut self, guest: usize) {
        if let Some(speed) = self.speeds.get_mut(guest) {
            *speed = None;
        }
    }

    /// Shows how far they are, if that is worth a line; `stage` starts next, if there is one.
    pub fn show(&mut self, stage: Option<u32>, status: &mut Status, now: Instant) {
        let is_working = self.speeds.iter().any(Option::is_some);
        let line = if is_working { self.speed() } else { self.steps(stage) };
        let is_due = self.shown.as_ref().is_none_or(|(last, worked, at)| {
            let is_new_kind = !is_working || !worked;
            *last != line && (is_new_kind || now.duration_since(*at) >= LINE_EVERY)
        });
        if is_due {
            self.shown = Some((line.clone(), is_working, now));
            status.show(&Event::Status(line));
        }
    }

    fn steps(&self, stage: Option<u32>) -> String {
        let Self { created, ready, speeds, .. } = self;
        let all = speeds.len();
        match stage {
            Some(stage) => {
                format!("Fleet: created {created}/{all}, ready {ready}/{all} for stage {stage}")
            }
            None => format!("Fleet: created {created}/{all}, all stages started"),
        }
    }

    /// Returns the sum of all that work.
    fn speed(&self) -> String {
        let all = self.speeds.len().saturating_sub(self.silent);
        let besides = match self.silent {
            0 => String::new(),
            silent => format!(" besides {silent} of Linux"),
        };
        let working: Vec<Speed> = self.speeds.iter().copied().flatten().collect();
        let sum = |of: fn(&Speed) -> f64| working.iter().map(of).sum::<f64>();
        let percents: Option<Vec<f64>> = working.iter().map(|speed| speed.percent).collect();
        let least = percents.into_iter().flatten().reduce(f64::min);
        let percent = least.map_or(String::new(), |percent| format!("[{percent:.1}%]"));
        let mib = sum(|speed| speed.bytes_per_second) / f64::from(1 << 20);
        let (count, iops) = (working.len(), sum(|speed| speed.iops));
        format!("Fleet: {count}/{all} at work{besides}: {percent}[{mib:.0}MiB/s][{iops:.0} IOPS]")
    }
}

impl Speed {
    /// Reads `Jobs: 1 (f=1): [r(1)][33.3%][r=449MiB/s][r=115k IOPS][eta 00m:02s]`.
    fn of(line: &str) -> Self {
        let fields = || line.split(['[', ']']);
        let rates = |unit: &str, thousand: f64| {
            let field = fields().find(|field| field.ends_with(unit)).unwrap_or_default();
            let rate =
                |rate: &str| number(rate.trim_end_matches(unit).split_once('=')?.1, thousand);
            field.split(',').filter_map(rate).sum()
        };
        Self {
            percent: fields().find_map(|field| number(field.strip_suffix('%')?, 1.0)),
            bytes_per_second: rates("iB/s", 1024.0),
            iops: rates(" IOPS", 1000.0),
        }
    }
}

/// Reads a number with the letter of a power of `thousand` behind it.
fn number(text: &str, thousand: f64) -> Option<f64> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let power = match text.strip_prefix(digits)? {
        "" => 0,
        "k" | "K" => 1,
        "M" => 2,
        "G" => 3,
        "T" => 4,
        _ => return None,
    };
    let number: f64 = digits.parse().ok()?;
    (number >= 0.0 && number.is_finite()).then_some(number * thousand.powi(power))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_of_a_status_line_are_read() {
        let line =
            "Jobs: 2 (f=2): [r(1),w(1)][33.3%][r=449MiB/s,w=1.50KiB/s][r=115k,w=7 IOPS][eta 1s]";
        let speed = Speed::of(line);
        assert_eq!((speed.percent, speed.iops), (Some(33.3), 115_007.0));
        assert_eq!(speed.bytes_per_second, 449.0 * 1_048_576.0 + 1536.0);
        for line in ["", "Jobs: ", "[r=xMiB/s][r=1Q IOPS][-.-%]", "[r=-5MiB/s][r=nan IOPS]"] {
            assert_eq!(Speed::of(line), Speed::default(), "{line}");
        }
    }

    #[test]
    fn the_sum_is_of_those_that_work() {
        let mut progress = Progress::new(3, 0);
        assert_eq!(progress.steps(None), "Fleet: created 0/3, all stages started");
        assert_eq!(progress.steps(Some(1)), "Fleet: created 0/3, ready 0/3 for stage 1");
        progress.take(0, "[20.0%][r=1.00GiB/s][r=262k IOPS]");
        progress.take(1, "[10.0%][r=1.00MiB/s][r=256 IOPS]");
        let line = "Fleet: 2/3 at work: [10.0%][1025MiB/s][262256 IOPS]";
        assert_eq!(progress.speed(), line);
        progress.take(2, "[-.-%][r=0iB/s][r=0 IOPS]");
        assert_eq!(progress.speed(), "Fleet: 3/3 at work: [1025MiB/s][262256 IOPS]");
        (0..2).for_each(|guest| progress.leave(guest));
        assert_eq!(progress.speed(), "Fleet: 1/3 at work: [0MiB/s][0 IOPS]");
        progress.silent = 2;
        assert_eq!(progress.speed(), "Fleet: 1/1 at work besides 2 of Linux: [0MiB/s][0 IOPS]");
    }
}
