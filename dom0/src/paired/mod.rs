//! Two systems, or two variants on one, compared by alternated pairs of runs.
//!
//! `schedule` has the order of the runs and the rule by which they end, `options` reads it. Each
//! run is kept as soon as it is done, so that what fails later loses none.

pub mod options;
mod schedule;

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use results::{Origin, Report};
use statistics::pairs::pairs_needed;
use xl_config::Config;

use crate::counted::CountedJobs;
use crate::drive::drive;
use crate::figures::Figures;
use crate::guest::GuestOptions;
use crate::measure::Measure;
use crate::monitor::Reader;
use crate::origin;
use crate::output::Output;
use crate::peer::{self, PeerReader};
use crate::plan::Plan;
use crate::progress::Progress;
use crate::result::{self, OurReader, first_error};
use crate::saved::{self, Run, Saved, System, Variant};
use crate::session::Session;
use crate::signals::Signals;
use crate::status::Status;
use crate::table::{Column, check_same_jobs, summary, table};
use crate::verdict;
use schedule::{Aim, BLOCK, End, Next, Rule, State};

/// Number of pairs if none is asked for: the fewest that have an interval without an assumption on
/// how runs are spread.
pub const PAIRS: u32 = 6;

/// One of the two.
#[derive(Debug)]
pub struct Side<'a> {
    /// Name in messages.
    pub name: &'a str,
    /// System.
    pub system: System,
    /// Variant, if both are of one system.
    pub variant: Option<Variant>,
    /// Guest.
    pub config: &'a Config,
    /// Job that it is given by xenstore.
    pub job: Option<&'a str>,
    /// Its jobs.
    pub plan: &'a Plan,
    /// Origin of its results, as far as it is known before.
    pub origin: Origin,
}

/// A comparison.
#[derive(Debug)]
pub struct Paired<'a> {
    /// Options of both guests.
    pub guest: &'a GuestOptions,
    /// The two, the first of which is the numerator of all ratios.
    pub sides: [Side<'a>; 2],
    /// Rule by which it ends.
    pub rule: Rule,
    /// Figures that it is to resolve.
    pub by: &'a [Measure],
    /// Text above the table.
    pub head: String,
    /// Place to save the results.
    pub output: Option<Output>,
    /// Costs that were counted elsewhere.
    pub counted: Option<CountedJobs>,
    /// Requests to end.
    pub signals: &'a Signals,
}

/// Results so far.
struct Results<'a> {
    saved: Saved,
    /// Their figures.
    columns: [Column; 2],
    output: Option<Output>,
    counted: Option<CountedJobs>,
    /// Lines about jobs that have no costs there.
    unknown: BTreeSet<String>,
    /// Whether all that is in `saved` is in `output`.
    is_saved: bool,
    signals: &'a Signals,
}

impl Paired<'_> {
    /// Makes the runs, and prints the table of those that there are, however it ends.
    ///
    /// # Errors
    /// The first run that fails; results that do not match; [`Exit`](crate::exit::Exit) of an
    /// interruption or of an output.
    pub fn run(mut self) -> Result<()> {
        let columns = self.sides.each_ref().map(|side| Column::new(side.system, side.variant));
        let mut results = Results {
            saved: Saved::default(),
            columns,
            output: self.output.take(),
            counted: self.counted.take(),
            unknown: BTreeSet::new(),
            is_saved: false,
            signals: self.signals,
        };
        let mut wanted = 0;
        let done = self.pairs(&mut results, &mut wanted);
        let count = results.saved.runs.len();
        let end = match &done {
            Ok(end) => self.words(*end, count / 2),
            Err(_) => format!("incomplete: {count} of {} runs\n", 2 * wanted),
        };
        let interrupts = self.signals.received();
        let done = saved::interrupted(&results.saved, done.map(drop), interrupts);
        first_error(done, results.finish(&self.head, &end))
    }

    /// Makes all pairs. `wanted` is the number of those that are wanted so far.
    fn pairs(&self, results: &mut Results<'_>, wanted: &mut usize) -> Result<End> {
        let (began, mut progress) = (Instant::now(), Progress::new(std::iter::empty()));
        let mut pairs = 0;
        loop {
            let state = State { pairs, spent: began.elapsed(), needed: self.needed(results)? };
            *wanted = match self.rule.next(state) {
                Next::Block(wanted) => wanted,
                Next::End(end) => return Ok(end),
            };
            let first = 2 * pairs;
            progress.expect((first..2 * *wanted).map(|run| self.side(run).plan.expected_time()));
            pairs = (*wanted).min(pairs + BLOCK);
            for run in first..2 * pairs {
                let began = Instant::now();
                self.turn(run, *wanted, &progress, results)?;
                progress.done(began.elapsed());
            }
        }
    }

    /// Returns the number of pairs that resolve the difference that is asked for in each figure of
    /// each job; `None` if none is, or the spread so far does not tell.
    fn needed(&self, results: &Results<'_>) -> Result<Option<usize>> {
        let Aim::Resolve { difference, .. } = self.rule.aim else { return Ok(None) };
        let sides = results.columns.each_ref().map(|column| &column.runs[..]);
        let Some(jobs) = sides[0].first() else { return Ok(None) };
        let mut needed = Some(0);
        for (index, Figures { job, direction, .. }) in jobs.iter().enumerate() {
            for by in self.by {
                let pairs = verdict::pairs(sides, index, *by);
                let name = by.title();
                ensure!(
                    !pairs.is_empty(),
                    "--by: the results of {job}, {direction}, do not tell {name}"
                );
                let of_job = pairs_needed(&pairs, difference);
                needed = needed.zip(of_job).map(|(most, of_job)| of_job.max(most));
            }
        }
        Ok(needed)
    }

    /// Returns the side that has the run of this number.
    fn side(&self, run: usize) -> &Side<'_> {
        let [a, b] = &self.sides;
        if schedule::side(run) == 0 { a } else { b }
    }

    /// Makes the run of this number.
    fn turn(
        &self,
        run: usize,
        wanted: usize,
        progress: &Progress,
        results: &mut Results<'_>,
    ) -> Result<()> {
        let side = self.side(run);
        let more = if matches!(self.rule.aim, Aim::Resolve { .. }) { " or more" } else { "" };
        let number = schedule::pair(run) + 1;
        let which = format!("{}, run {number} of {wanted}{more}", side.name);
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let origin = origin::begun(&side.origin, count(number), count(wanted));
        let order = self.guest.order(side.config, side.job, side.plan, &origin);
        let mut status = Status::new(self.guest.status, &side.config.name);
        if let Some(left) = progress.left() {
            status.remark(&format!("{which}, {left} left"));
        }
        let (mut ours, mut theirs) = (OurReader::new(side.plan), PeerReader::default());
        let reader: &mut dyn Reader = match side.system {
            System::Ringmark => &mut ours,
            System::Linux => &mut theirs,
        };
        let session = Session::new(order, reader)?;
        let then = |text: &str, origin| {
            let mut result = read(side.system, text, side.plan)?;
            origin::attach(&mut result, origin);
            results.take(result, side, schedule::side(run), &which)
        };
        let said = drive(session, self.signals, &mut status, then).result();
        let said = said.with_context(|| which.clone())?;
        said.into_iter().for_each(|said| status.remark(&said));
        Ok(())
    }

    /// Returns a line about an end that is not that of a number of pairs.
    fn words(&self, end: End, pairs: usize) -> String {
        let Aim::Resolve { difference, .. } = self.rule.aim else {
            return match end {
                End::Late(wanted) => format!("--limit: ended after {pairs} of {wanted} pairs\n"),
                _ => String::new(),
            };
        };
        let percent = difference * 100.0;
        match end {
            End::Done | End::Resolved => {
                format!("--resolve: {pairs} pairs show a difference of {percent} %\n")
            }
            End::Most(needed) => {
                let needed = needed.map_or("more".to_owned(), |needed| format!("about {needed}"));
                format!(
                    "--resolve: ended after {pairs} pairs, the most; {needed} are needed to show a \
                     difference of {percent} %\n"
                )
            }
            End::Late(wanted) => format!(
                "--limit: ended after {pairs} of about {wanted} pairs that are needed to show a \
                 difference of {percent} %\n"
            ),
        }
    }
}

impl Results<'_> {
    /// Takes the result of a run on a side, and saves it with those before it. Returns its summary.
    fn take(
        &mut self,
        mut result: Report,
        side: &Side<'_>,
        index: usize,
        which: &str,
    ) -> Result<String> {
        if let Some(counted) = &self.counted {
            self.unknown.extend(counted.attach(side.system, &mut result)?);
        }
        let figures = Figures::of(&result)?;
        let mut known = self.columns.iter().flat_map(|column| &column.runs);
        if let Some(first) = known.next() {
            check_same_jobs(first, &figures)?;
        }
        let summary = summary(&figures);
        if let Some(column) = self.columns.get_mut(index) {
            column.runs.push(figures);
        }
        self.saved.runs.push(Run { system: side.system, variant: side.variant, result });
        // A file that cannot be written now is tried again at the end.
        if let Some(output) = self.output.as_mut().filter(|output| output.replaces()) {
            let written = output.write(&saved::json(&self.saved)?, &self.signals.patience());
            self.is_saved = written.is_ok();
        }
        Ok(format!("{which}: {summary}"))
    }

    /// Prints the table of what there is, and saves what is not saved yet.
    fn finish(mut self, head: &str, end: &str) -> Result<()> {
        if self.saved.runs.is_empty() {
            return Ok(());
        }
        let give_up = self.signals.patience();
        let printed = table(&self.columns).and_then(|mut text| {
            text.insert_str(0, head);
            text.extend(self.unknown);
            text.push_str(end);
            Output::open(None)?.write(&text, &give_up)
        });
        let saved = match &mut self.output {
            Some(output) if !self.is_saved => {
                let json = saved::json(&self.saved);
                json.and_then(|json| output.write_or_print(&json, &give_up))
            }
            _ => Ok(()),
        };
        first_error(printed, saved)
    }
}

/// Reads a result, which must be good.
fn read(system: System, text: &str, plan: &Plan) -> Result<Report> {
    if system == System::Linux {
        return peer::read(text, plan);
    }
    let report = result::read(text, plan)?;
    match result::failure(&report) {
        Some(reason) => bail!("the guest reports: {reason}"),
        None => Ok(report),
    }
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::*;
    use crate::figures::sample;
    use crate::verdict::Told;

    const ROUNDS: usize = 2000;

    /// Number of comparisons of equal systems, ended by the rule, that show a difference: pairs
    /// whose ratio spreads by so much, from figures to words.
    fn shown(seed: u64, rule: Rule, spread: f64) -> usize {
        let mut rng = Rng::with_seed(seed);
        let normal = |rng: &mut Rng| (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0;
        let figures = Figures::of(&sample("a", Some("persistent"), 1.0)).unwrap().remove(0);
        let mut shown = 0;
        for _ in 0..ROUNDS {
            let mut sides = [Vec::new(), Vec::new()];
            let pairs = loop {
                let pairs = verdict::pairs([&sides[0], &sides[1]], 0, Measure::Iops);
                let Aim::Resolve { difference, .. } = rule.aim else { unreachable!() };
                let needed = pairs_needed(&pairs, difference);
                let state = State { pairs: pairs.len(), spent: Default::default(), needed };
                let Next::Block(wanted) = rule.next(state) else { break pairs };
                for _ in pairs.len()..wanted.min(pairs.len() + BLOCK) {
                    for runs in &mut sides {
                        let noise = (spread / 2_f64.sqrt() * normal(&mut rng)).exp();
                        runs.push(vec![Figures { iops: 1000.0 * noise, ..figures.clone() }]);
                    }
                }
            };
            let told = Told::of(Measure::Iops, ["A", "B"], &pairs).verdict;
            shown += usize::from(!told.starts_with("no difference shown"));
        }
        shown
    }

    #[test]
    fn who_ends_by_the_spread_claims_no_more() {
        let rule = Rule { aim: Aim::Resolve { difference: 0.02, most: 40 }, limit: None };
        let (seed, spread) = (1, 0.03);
        let claims = shown(seed, rule, spread);
        assert!(claims * 100 <= ROUNDS * 6, "seed {seed}: {claims} of {ROUNDS}");
    }
}
