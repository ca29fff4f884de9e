//! `waiter`: our guest as it chooses how to wait, against always polling and always sleeping, by
//! the wall clock: on a processor of its own, and on dom0's, where the backend runs.
//!
//! The wall clock is noise on a shared host, so all take turns within one guest, and the spread is
//! shown. Nothing is judged.

use std::process::ExitCode;

use anyhow::{Context, Result};
use results::Spread;
use serde_json::{Value, json};

use crate::guest::Guest;
use crate::image::Image;
use crate::progress::print_line;
use crate::ramdisk::Ramdisks;
use crate::result::GuestResult;
use crate::rig::Rig;
use crate::scenario::run::{guest, run_guests};

/// Places of the guest, and the processor of each.
const PLACES: [(&str, u32); 2] = [("own", 1), ("dom0's", 0)];
const DEPTHS: [u32; 3] = [1, 4, 32];
/// Ways to wait: a name, and `ringmark_poll_us=`.
const WAYS: [(&str, &str); 3] = [("auto", "auto"), ("poll", "1000"), ("sleep", "0")];
/// Most rounds, whose jobs all go onto the guest's command line.
pub(crate) const ROUNDS_MAX: u32 = 25;

/// Measures each way `rounds` times at each place and depth, `runtime_s` seconds each.
///
/// # Errors
/// When the machine, a guest or a job fails.
pub(crate) fn measure(rig: &Rig, rounds: u32, runtime_s: u32) -> Result<ExitCode> {
    let image = Image::build(&rig.cache, &rig.progress)?;
    let (directory, _lock) = rig.directory("waiter")?;
    let machine = rig.machine(&image, directory, Ramdisks::MEASURED);
    let runs = || PLACES.iter().flat_map(|place| DEPTHS.map(|depth| (place, depth)));
    let guests: Vec<Guest> = runs()
        .map(|((_, cpu), depth)| {
            let name = format!("cpu{cpu}-{depth}");
            Guest { cpu: Some(*cpu), ..guest(&name, &machine, &jobs(depth, rounds, runtime_s)) }
        })
        .collect();
    let allowed_s = 60 + WAYS.len() as u64 * u64::from(rounds) * u64::from(runtime_s + 1);
    let results = run_guests(rig, &machine, &guests, allowed_s)?;
    let mut rows = Vec::new();
    for (((place, _), depth), result) in runs().zip(&results) {
        rows.push(Row::read(place, depth, rounds, result)?);
    }
    print_line(format_args!("{}", table(&rows)));
    let rows: Value = rows.iter().map(Row::json).collect();
    rig.save("waiter.json", &json!({ "clock": "wall", "measurements": rows }))?;
    Ok(ExitCode::SUCCESS)
}

/// Returns jobs one after another: each way in each round, every other round backwards, for the
/// first may find a quieter host.
fn jobs(depth: u32, rounds: u32, runtime_s: u32) -> String {
    let mut text = format!(
        "--filename=/dev/xvda --rw=randread --bs=4k --norandommap --time_based \
         --runtime={runtime_s} --iodepth={depth}"
    );
    for round in 0..rounds {
        let mut ways = WAYS;
        if round % 2 == 1 {
            ways.reverse();
        }
        for (way, poll_us) in ways {
            text += &format!(" --name={way}{round} --stonewall --ringmark_poll_us={poll_us}");
        }
    }
    text
}

/// IOPS at a place and a depth.
struct Row {
    place: &'static str,
    depth: u32,
    /// Figures of each way, by round.
    iops: [Vec<f64>; WAYS.len()],
    /// Sleeps for each I/O of auto, by round.
    sleeps: Vec<f64>,
}

impl Row {
    fn read(place: &'static str, depth: u32, rounds: u32, result: &GuestResult) -> Result<Self> {
        let mut iops = WAYS.map(|_| Vec::new());
        let mut sleeps = Vec::new();
        for round in 0..rounds {
            for ((way, _), iops) in WAYS.iter().zip(&mut iops) {
                iops.push(result.iops(&format!("{way}{round}"), "read")?);
            }
            let job = result.job(&format!("{}{round}", WAYS[0].0))?;
            let slept = job["ringmark"]["sleeps"].as_f64().context("no sleeps were counted")?;
            let ios = job["read"]["total_ios"].as_f64().context("no I/Os were counted")?;
            sleeps.push(slept / ios);
        }
        Ok(Self { place, depth, iops, sleeps })
    }

    /// Returns the spread of auto's IOPS as a multiple of those of another way, round by round.
    fn ratios(&self, way: usize) -> Option<Spread> {
        Spread::of(self.iops[0].iter().zip(&self.iops[way]).map(|(auto, other)| auto / other))
    }

    fn json(&self) -> Value {
        let [auto, poll, sleep] = &self.iops;
        json!({
            "processor": self.place, "iodepth": self.depth, "auto": auto, "poll": poll,
            "sleep": sleep, "sleeps_per_io": self.sleeps,
        })
    }
}

/// Table of medians, and of the ratios of auto to the others with their spread.
fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<10} {:>7} {:>8} {:>8} {:>8} {:>20} {:>20} {:>8}\n",
        "processor", "iodepth", "auto", "poll", "sleep", "auto / poll", "auto / sleep", "slept"
    );
    let median = |values: &[f64]| {
        Spread::of(values.iter().copied()).map_or(f64::NAN, |spread| spread.median)
    };
    for row in rows {
        let [auto, poll, sleep] = row.iops.each_ref().map(|iops| median(iops));
        let [to_poll, to_sleep] =
            [1, 2].map(|way| row.ratios(way).map_or("-".to_owned(), |ratios| ratios.to_string()));
        text += &format!(
            "{:<10} {:>7} {auto:>8.0} {poll:>8.0} {sleep:>8.0} {to_poll:>20} {to_sleep:>20} \
             {:>8.3}\n",
            row.place,
            row.depth,
            median(&row.sleeps)
        );
    }
    text + "median IOPS; ratios of each round: median (least .. greatest); sleeps of auto for an I/O\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::side::Side;

    #[test]
    fn the_ways_take_turns() {
        let text = jobs(4, 2, 3);
        let at = |name: &str| text.find(&format!("--name={name} --stonewall")).expect(name);
        let order = ["auto0", "poll0", "sleep0", "sleep1", "poll1", "auto1"].map(at);
        assert!(order.is_sorted(), "{text}");
        assert!(text.contains("--name=poll1 --stonewall --ringmark_poll_us=1000 "), "{text}");
    }

    #[test]
    fn all_rounds_fit_into_a_command_line() {
        let bytes = |rounds| jobs(32, rounds, 3600).len();
        assert!(bytes(ROUNDS_MAX) <= Side::Ours.command_line_max(), "{}", bytes(ROUNDS_MAX));
    }

    #[test]
    fn ratios_are_those_of_each_round() {
        let row = Row {
            place: "own",
            depth: 1,
            iops: [vec![200.0, 30.0, 5.0], vec![100.0, 10.0, 5.0], vec![50.0, 30.0, 5.0]],
            sleeps: vec![0.5, 0.25, 0.75],
        };
        let text = table(&[row]);
        let line = text.lines().nth(1).unwrap_or_default();
        assert!(line.contains("2.00 (1.00 .. 3.00)") && line.contains("1.00 (1.00 .. 4.00)"));
        assert!(line.starts_with("own ") && line.ends_with(" 0.500"), "{line}");
    }
}
