//! `compare --mail YEAR`: the workloads of the mails that gave this project its questions, with our
//! guests and with Linux's at their best.
//!
//! What was done is what the backend has counted between two moments while all ran, and by
//! instruction counting these are exact: nothing of a start or an end is in a figure.

pub(crate) mod of2012;
pub(crate) mod of2013;
mod sample;
mod table;
mod window;

use std::fmt::Display;

use anyhow::{Context, Result};

use crate::archive::Archive;
use crate::machine::{Clock, Machine};
use crate::rig::Rig;
use crate::steps::{Outcome, Seen, Step};
use window::Window;

/// Row of a comparison: what is done in one go, again in each round.
trait Turn: Copy + Display {
    /// Figures of one run of it.
    type Sample: Display;

    /// Returns the step that does it, and measures `runtime_s` seconds of it.
    fn step(self, round: u32, runtime_s: u32) -> Step;

    /// Reads what came of it.
    ///
    /// # Errors
    /// When it failed, did something else, or was not at work for all of the window.
    fn sample(
        self,
        round: u32,
        outcome: &Outcome,
        window: &Window,
        clock: Clock,
    ) -> Result<Self::Sample>;
}

/// Returns rows in the order in which they run, each with its round, from 1.
fn turns<T: Copy>(rows: &[T], rounds: u32) -> Vec<(u32, T)> {
    let mut turns = Vec::new();
    for round in 1..=rounds {
        let mut order = rows.to_vec();
        // Whoever is first may find a quieter or a busier host.
        if round % 2 == 0 {
            order.reverse();
        }
        turns.extend(order.into_iter().map(|row| (round, row)));
    }
    turns
}

/// Runs them after `before`, steps that must go well, and adds what came of each to `samples`.
///
/// # Errors
/// When the machine or one of them fails.
fn run<T: Turn>(
    rig: &Rig,
    machine: &Machine<'_>,
    overlay: Archive,
    before: Vec<Step>,
    turns: &[(u32, T)],
    runtime_s: u32,
    samples: &mut Vec<(T, T::Sample)>,
) -> Result<()> {
    let first = before.len();
    let mut steps = before;
    steps.extend(turns.iter().map(|(round, turn)| turn.step(*round, runtime_s)));
    let mut window = Window::default();
    machine.run(overlay, &steps, &mut |index, event| {
        let turn = index.checked_sub(first).and_then(|index| turns.get(index));
        match (turn, event) {
            (Some(_), Seen::Line(line)) => window.see(line, || machine.counts().ok()),
            (Some((round, turn)), Seen::End(outcome)) => {
                let window = std::mem::take(&mut window);
                let sample = turn
                    .sample(*round, &outcome, &window, machine.clock)
                    .with_context(|| outcome.lines.join("\n"))?;
                rig.progress.detail(&format!("{turn}: {sample}"));
                samples.push((*turn, sample));
            }
            (None, Seen::End(outcome)) => {
                anyhow::ensure!(outcome.status == 0, "{}", outcome.lines.join("\n"));
            }
            (None, Seen::Line(_)) => {}
        }
        Ok(())
    })
}

/// Returns the name of the file of a mail's figures, and that of the clock in it.
fn names(year: u32, clock: Clock) -> (String, &'static str) {
    match clock {
        Clock::Wall => (format!("compare-mail-{year}.json"), "wall"),
        Clock::Instructions => (format!("compare-mail-{year}-deterministic.json"), "instructions"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_alternates() {
        let expected = [(1, 'a'), (1, 'b'), (2, 'b'), (2, 'a'), (3, 'a'), (3, 'b')];
        assert_eq!(turns(&['a', 'b'], 3), expected);
    }
}
