//! One boot of the guest under KVM: the tool's command line, and what its end is worth.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::machine::Machine;
use crate::steps::Outcome;

/// Modes in which data is verified.
const MODES: [&str; 3] = ["persistent", "persistent-copy", "per-request"];
/// Bytes that each job writes, in MiB, and the size of its blocks in KiB.
const WRITTEN_MIB: u64 = 1;
const BLOCK_KIB: u64 = 4;

/// Paths of what the tool is told.
#[derive(Clone, Debug)]
pub(super) struct Paths {
    pub(super) tool: String,
    pub(super) kernel: String,
    pub(super) disk: String,
    /// Place of the result, for a boot that is judged.
    pub(super) result: String,
}

/// A boot to be made.
pub(super) struct Boot {
    machine: Machine,
    /// Options of the job.
    options: Vec<String>,
    /// Whether the result is for a judge, and not for people.
    pub(super) is_judged: bool,
}

impl Boot {
    /// Makes one whose result is shown; without options it reads in each mode.
    pub(super) fn shown(machine: Machine, options: &[String]) -> Self {
        let usual = || jobs("rw=randread bs=4k iodepth=32 runtime=2 time_based filename=/dev/xvda");
        let options = if options.is_empty() { usual() } else { options.to_vec() };
        Self { machine, options, is_judged: false }
    }

    /// Makes one whose result is judged; without options it writes in each mode, and verifies that.
    pub(super) fn judged(machine: Machine, options: &[String]) -> Self {
        let usual = || {
            jobs(&format!(
                "rw=randwrite bs={BLOCK_KIB}k iodepth=16 size={WRITTEN_MIB}m verify=crc32c \
                 filename=/dev/xvda"
            ))
        };
        let options = if options.is_empty() { usual() } else { options.to_vec() };
        Self { machine, options, is_judged: true }
    }

    /// Returns its name.
    pub(super) fn name(&self) -> String {
        format!("guest on QEMU's Xen, {}", self.machine.name())
    }

    /// Returns the words of the command that makes it.
    pub(super) fn words(&self, paths: &Paths) -> Vec<String> {
        let machine = format!("--machine={}", self.machine.name());
        let mut words = [&paths.tool, "run", "--kvm", &machine, "--kernel", &paths.kernel]
            .map(str::to_owned)
            .to_vec();
        words.extend(["--disk", &paths.disk].map(str::to_owned));
        if !self.is_judged {
            // Lines, on whatever terminal there is in between.
            words.push("--eta=always".to_owned());
        } else {
            let output = ["--eta=never", "--output-format=json", "--output", &paths.result];
            words.extend(output.map(str::to_owned));
        }
        words.push("--".to_owned());
        words.extend(self.options.iter().cloned());
        words
    }
}

/// Returns jobs with these options, one in each mode after the other.
fn jobs(options: &str) -> Vec<String> {
    let mut words: Vec<String> = options.split(' ').map(str::to_owned).collect();
    for mode in MODES {
        words.extend([format!("--name={mode}"), format!("grants={mode}"), "stonewall".into()]);
    }
    words
}

/// Checks that a boot ended well.
pub(super) fn ended(outcome: &Outcome) -> Result<String> {
    let said = || outcome.lines.join("\n    | ");
    ensure!(outcome.status == 0, "the tool ended with status {}\n    | {}", outcome.status, said());
    Ok("the tool ended well".to_owned())
}

/// Checks that the jobs of a boot in all modes wrote what they should, and found it again.
pub(super) fn verified(outcome: &Outcome) -> Result<String> {
    ended(outcome)?;
    let start = outcome.lines.iter().position(|line| line.starts_with('{'));
    let text = outcome.lines.get(start.context("there is no result")?..).unwrap_or_default();
    let result: Value = serde_json::from_str(&text.join("\n")).context("the result is no JSON")?;
    let jobs = result["jobs"].as_array().context("the result has no jobs")?;
    ensure!(jobs.len() == MODES.len(), "{} jobs, not {}", jobs.len(), MODES.len());
    let blocks = WRITTEN_MIB * 1024 / BLOCK_KIB;
    for (job, mode) in jobs.iter().zip(MODES) {
        let ours = &job["ringmark"];
        ensure!(ours["grants"] == mode, "a job in mode {}, not {mode}", ours["grants"]);
        ensure!(job["error"] == 0 && ours["errors"] == 0, "mode {mode}: errors: {job}");
        let counts = ["write", "read"].map(|side| job[side]["total_ios"].as_u64());
        ensure!(
            counts == [Some(blocks); 2],
            "mode {mode}: {counts:?} blocks written and read back, not {blocks}"
        );
    }
    let is_flagged = |job: &Value| {
        let flags = job["ringmark"]["flags"].as_array();
        flags.is_some_and(|flags| flags.iter().any(|flag| flag["flag"] == "qemu_xen"))
    };
    ensure!(jobs.iter().all(is_flagged), "a job's figures are not told from a Xen host's");
    Ok(format!("{blocks} blocks written and verified in each of {} grant modes", MODES.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn job(mode: &str) -> Value {
        let ours = json!({ "grants": mode, "errors": 0, "flags": [{ "flag": "qemu_xen" }] });
        let side = json!({ "total_ios": 256 });
        json!({ "error": 0, "write": side, "read": side, "ringmark": ours })
    }

    fn judge(change: impl FnOnce(&mut Value)) -> Result<String> {
        let mut result = json!({ "jobs": MODES.map(job) });
        change(&mut result);
        let text = format!("ringmark: warning: one\n{result:#}");
        verified(&Outcome::printed(text.lines()))
    }

    #[test]
    fn a_boot_is_good_only_if_all_was_verified_in_every_mode() {
        assert!(judge(|_| ()).unwrap().starts_with("256 blocks"));
        let changes: [fn(&mut Value); 6] = [
            |result| result["jobs"][1]["read"]["total_ios"] = 255.into(),
            |result| result["jobs"][2]["write"]["total_ios"] = 0.into(),
            |result| result["jobs"][0]["error"] = 84.into(),
            |result| result["jobs"][0]["ringmark"]["grants"] = "per-request".into(),
            |result| result["jobs"][0]["ringmark"]["flags"] = json!([]),
            |result| drop(result["jobs"].as_array_mut().unwrap().pop()),
        ];
        assert!(changes.into_iter().all(|change| judge(change).is_err()));
        let failed = Outcome { status: 1, ..Outcome::printed(["ringmark: error: no disk"]) };
        let told = format!("{:#}", verified(&failed).unwrap_err());
        assert!(told.contains("status 1") && told.contains("no disk"), "{told}");
        assert!(verified(&Outcome::printed(["nothing"])).is_err());
    }

    #[test]
    fn the_tool_is_told_the_machine_and_the_job() {
        let paths =
            Paths { tool: "t".into(), kernel: "k".into(), disk: "d".into(), result: "r".into() };
        let options = ["rw=read".to_owned()];
        let words = Boot::shown(Machine::Q35, &options).words(&paths).join(" ");
        assert_eq!(words, "t run --kvm --machine=q35 --kernel k --disk d --eta=always -- rw=read");
        let words = Boot::judged(Machine::Pc, &[]).words(&paths).join(" ");
        assert!(words.contains("--machine=pc") && words.contains(" --output r -- "), "{words}");
        assert_eq!(words.matches("grants=").count(), 3, "{words}");
    }
}
