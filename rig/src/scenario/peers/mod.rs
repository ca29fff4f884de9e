//! `peers`: finds the settings of a Linux guest with fio that take the fewest instructions for an
//! I/O, for each workload, by measuring (QEMU's instruction counting), and keeps them.
//!
//! A guest runs many trials, one after the other, each of a fraction of a virtual second.

mod search;
mod trial;

use std::process::ExitCode;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::archive::Archive;
use crate::best::{Finding, Findings};
use crate::guest::Guest;
use crate::image::Image;
use crate::machine::{Clock, Machine};
use crate::peer::PeerImage;
use crate::progress::print_line;
use crate::ramdisk::Ramdisks;
use crate::rig::Rig;
use crate::scenario::side::{PEER_INITRAMFS, PEER_KERNEL};
use crate::setting::{Layer, Setting};
use crate::steps::{Seen, Step};
use crate::workload::Workload;
use search::{Search, seeds};
use trial::{Batch, Ended, Trial};

/// Extent of a sweep.
pub(crate) struct Sweep<'a> {
    /// Workloads, for each of which the best is found.
    pub(crate) workloads: Vec<Workload>,
    /// Layers that are varied.
    pub(crate) layers: Vec<Layer>,
    /// Time of a trial.
    pub(crate) runtime_ms: u32,
    /// Boots at most.
    pub(crate) rounds: u32,
    /// Version of the guest's kernel.
    pub(crate) kernel: &'a str,
    /// Whether the findings replace those in the tree.
    pub(crate) save: bool,
}

/// Finds the best, prints a table, and saves it if that is wanted. The search begins at what the
/// tree has.
///
/// # Errors
/// When the machine or a guest fails.
pub(crate) fn sweep(rig: &Rig, sweep: &Sweep<'_>) -> Result<ExitCode> {
    let image = Image::build(&rig.cache, &rig.progress)?;
    let peer = PeerImage::with(sweep.kernel, &rig.cache, &rig.progress)?;
    let mut findings = Findings::load(sweep.kernel)?;
    let (directory, _lock) = rig.directory("peers")?;
    let mut machine = rig.machine(&image, directory, Ramdisks::MEASURED);
    machine.clock = Clock::Instructions;

    let mut searches: Vec<Search> =
        sweep.workloads.iter().map(|&of| start(sweep, of, &findings)).collect();
    for round in 1..=sweep.rounds {
        let trials: Vec<Trial> = searches.iter().flat_map(pending).collect();
        if trials.is_empty() {
            break;
        }
        rig.progress.stage(&format!("round {round}: {} trials", trials.len()));
        for (trial, cost) in measure(rig, &machine, &peer, &trials, sweep.runtime_ms)? {
            let of = searches.iter_mut().find(|search| search.workload == trial.workload);
            of.context("a trial of no search")?.learn(trial.setting, cost);
        }
        searches.iter_mut().for_each(Search::advance);
    }
    for search in &searches {
        if !search.pending().is_empty() {
            rig.progress.stage(&format!("{}: more rounds might find more", search.workload));
        }
        findings.insert(search.workload, finding(search)?);
    }
    report(rig, sweep, &peer, &searches, &findings)?;
    if sweep.save {
        findings.save(sweep.kernel)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn finding(search: &Search) -> Result<Finding> {
    let found = search.best().zip(search.least());
    let ((setting, instructions), least) =
        found.with_context(|| format!("{}: all was refused", search.workload))?;
    let cost = |setting| search.cost(&setting).flatten();
    let (fixed, plain) = (Setting::fixed(search.workload), Setting::plain(search.workload));
    let (instructions, least) = (Some(instructions), Some(least));
    Ok(Finding { setting, instructions, least, fixed: cost(fixed), plain: cost(plain) })
}

/// A search from what is known.
fn start(sweep: &Sweep<'_>, of: Workload, findings: &Findings) -> Search {
    let known = findings.get(of);
    // Or with what was found for another pattern of the same depth.
    let alike = || {
        let mut others = Workload::ALL.into_iter().filter(|other| other.iodepth() == of.iodepth());
        others.find_map(|other| findings.get(other))
    };
    let base = known.or_else(alike).map_or(Setting::fixed(of), |near| near.setting.valid(of));
    let mut others = vec![Setting::fixed(of), Setting::plain(of)];
    if sweep.layers.contains(&Layer::Fio) {
        others.extend(seeds(of, &base));
    }
    Search::new(of, &sweep.layers, base, others, known.and_then(|known| known.least))
}

fn pending(search: &Search) -> impl Iterator<Item = Trial> {
    let workload = search.workload;
    search.pending().into_iter().map(move |setting| Trial { workload, setting })
}

/// Measures trials in one boot; none for what was refused.
fn measure(
    rig: &Rig,
    machine: &Machine<'_>,
    peer: &PeerImage,
    trials: &[Trial],
    runtime_ms: u32,
) -> Result<Vec<(Trial, Option<f64>)>> {
    let batches = Batch::all(trials, runtime_ms);
    let guests: Vec<Guest> = batches.iter().map(|batch| batch.guest.clone()).collect();
    let steps: Vec<Step> = batches.iter().map(Batch::step).collect();
    let mut lists = Archive::new();
    batches.iter().for_each(|batch| batch.add(&mut lists));
    // The kernel unpacks archives that follow each other.
    let mut initramfs = std::fs::read(peer.initramfs())?;
    lists.write(&mut initramfs)?;
    let mut overlay = rig.overlay(&guests)?;
    overlay.copy(PEER_KERNEL, 0o644, &peer.kernel())?;
    overlay.add(PEER_INITRAMFS, 0o644, initramfs);

    let mut all = Vec::new();
    machine.run(overlay, &steps, &mut |index, event| {
        let Some(batch) = batches.get(index) else { return Ok(()) };
        match event {
            Seen::Line(line) => {
                if let Some((trial, ended)) = batch.read(line)? {
                    let Trial { workload, setting } = trial;
                    let (cost, text) = match ended {
                        Ended::Cost(cost) => (Some(cost), format!("{cost:.0}")),
                        Ended::Refused(reason) => (None, format!("refused ({reason})")),
                    };
                    rig.progress.detail(&format!("{workload}: {text}: {setting}"));
                    all.push((trial, cost));
                }
                Ok(())
            }
            Seen::End(outcome) => batch.check(&outcome).with_context(|| outcome.lines.join("\n")),
        }
    })?;
    Ok(all)
}

fn report(
    rig: &Rig,
    sweep: &Sweep<'_>,
    peer: &PeerImage,
    searches: &[Search],
    findings: &Findings,
) -> Result<()> {
    let found: Vec<(Workload, Finding)> =
        searches.iter().filter_map(|of| Some((of.workload, findings.get(of.workload)?))).collect();
    let legend = rig.legend(format!(
        "fio {} on Linux {}; {} ms for each trial; fixed: where the search began first\n\
         best: of all within 1 % of the least, the one with the fewest changes to the defaults",
        peer.fio_version, peer.linux_version, sweep.runtime_ms
    ));
    print_line(format_args!("{}\n{legend}", table(&found)));
    let trials: Vec<Value> = searches
        .iter()
        .flat_map(|search| search.measured.iter().map(|one| (search.workload, one)))
        .map(|(workload, one)| {
            json!({
                "workload": workload.name(), "setting": one.setting.json(),
                "instructions": one.cost,
            })
        })
        .collect();
    rig.save("peers.json", &json!({ "legend": legend, "trials": trials }))
}

fn table(found: &[(Workload, Finding)]) -> String {
    let mut text = format!(
        "{:<24} {:>8} {:>8} {:>8}  best\n",
        "instructions for an I/O", "default", "fixed", "best"
    );
    let cell = |cost: Option<f64>| cost.map_or("-".to_owned(), |cost| format!("{cost:.0}"));
    for (workload, Finding { setting, instructions, fixed, plain, .. }) in found {
        let [plain, fixed, best] = [*plain, *fixed, *instructions].map(cell);
        text += &format!("{workload:<24} {plain:>8} {fixed:>8} {best:>8}  {setting}\n");
    }
    text
}
