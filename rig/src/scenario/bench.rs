//! `bench`: our guest's standard jobs, for figures to keep.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::Value;

use crate::guest::Guest;
use crate::image::Image;
use crate::machine::Clock;
use crate::ramdisk::Ramdisks;
use crate::rig::Rig;
use crate::scenario::run::{guest, run_guests};

/// A guest each.
const WORKLOADS: [&str; 4] = ["randread", "randwrite", "read", "write"];
/// Jobs of each guest: every depth in every mode.
const DEPTHS: [u32; 2] = [32, 1];
const MODES: [&str; 3] = ["persistent", "persistent-copy", "per-request"];

/// Runs them, `runtime_s` seconds each.
///
/// # Errors
/// When the machine, a guest or a job fails.
pub(crate) fn bench(rig: &Rig, clock: Clock, runtime_s: u32) -> Result<ExitCode> {
    let image = Image::build(&rig.cache, &rig.progress)?;
    let (directory, _lock) = rig.directory("bench")?;
    let mut machine = rig.machine(&image, directory, Ramdisks::MEASURED);
    machine.clock = clock;
    let guests: Vec<Guest> =
        WORKLOADS.iter().map(|rw| guest(rw, &machine, &jobs(rw, runtime_s))).collect();
    let allowed_s = 60 + 6 * u64::from(runtime_s);
    let results = run_guests(rig, &machine, &guests, allowed_s)?;
    let all: Value = results.into_iter().map(|result| result.json).collect();
    rig.save("bench.json", &all)?;
    Ok(ExitCode::SUCCESS)
}

/// Jobs one after another, named by what they differ in.
fn jobs(rw: &str, runtime_s: u32) -> String {
    let mut text =
        format!("--filename=/dev/xvda --rw={rw} --bs=4k --runtime={runtime_s} --time_based");
    for depth in DEPTHS {
        for mode in MODES {
            text +=
                &format!(" --name={mode}-{depth} --stonewall --iodepth={depth} --grants={mode}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_depth_runs_in_every_mode() {
        let text = jobs("read", 3);
        assert_eq!(text.matches("--stonewall").count(), 6);
        assert!(text.contains("--name=per-request-1 --stonewall --iodepth=1 --grants=per-request"));
    }
}
