//! Findings about Xen: whether it is there, how it was booted, what memory it has left.

use super::finding::Finding;
use super::seen::Seen;
use crate::display;
use crate::host;

/// Memory that a guest has if nothing else is said, in MiB, and what Xen needs beside it.
const GUEST_MIB: u64 = 64 + 8;
/// Pages that Xen lets a grant table have unless it is told otherwise.
const GRANT_FRAMES: u64 = 64;
/// Grants in one of these pages (version 1).
const GRANTS_IN_FRAME: u64 = 512;
/// Options of Xen that change what is measured: figures compare with hosts that have the same.
const OPTIONS: [&str; 22] = [
    "cpufreq",
    "cpuidle",
    "dom0",
    "dom0_max_vcpus",
    "dom0_mem",
    "dom0_vcpus_pin",
    "gnttab",
    "gnttab_max_frames",
    "gnttab_max_maptrack_frames",
    "hap",
    "iommu",
    "max_cstate",
    "pv-l1tf",
    "ratelimit_us",
    "credit2_runqueue",
    "sched",
    "sched-gran",
    "smt",
    "spec-ctrl",
    "timer_slop",
    "vwfi",
    "xpti",
];
/// Schedulers that give each domain a fixed share, whatever it has to do.
const FIXED_SHARES: [&str; 2] = ["arinc653", "rtds"];
/// Most options that are shown.
const SHOWN_MAX: usize = 32;

/// Returns what there is to say of Xen.
pub fn findings(seen: &Seen) -> Vec<Finding> {
    let info = match &seen.info {
        Ok(info) => info,
        Err(why) => return vec![no_answer(seen, why)],
    };
    let mut findings = vec![version(seen)];
    findings.extend(build(seen));
    findings.extend(options(seen.host.xen_command_line.as_deref()));
    findings.extend(seen.host.scheduler.as_deref().map(scheduler));
    findings.extend(memory(info));
    findings
}

/// Tells what this host is if `xl` does not.
fn no_answer(seen: &Seen, why: &str) -> Finding {
    let is_xen = seen.root.fact("/sys/hypervisor/type").as_deref() == Some("xen");
    let capabilities = seen.root.fact("/proc/xen/capabilities");
    let is_dom0 = capabilities.is_some_and(|words| words.contains("control_d"));
    match (is_xen, is_dom0) {
        (_, true) => {
            Finding::note("xen", format!("is there, but what it is cannot be seen: {why}"))
                .with("run this as root")
        }
        (true, false) => {
            Finding::fail("xen", "this is a guest of Xen and makes none", "run this in dom0")
        }
        (false, false) => {
            let text = format!("is not there, so ringmark makes no guest: {why}");
            Finding::fail("xen", text, "boot this host with Xen, or run this in dom0")
        }
    }
}

fn version(seen: &Seen) -> Finding {
    let version = seen.host.xen.clone().unwrap_or_else(|| "of unknown version".to_owned());
    let changeset = seen.host.xen_changeset.as_ref();
    let changeset = changeset.map_or(String::new(), |text| format!(", changeset {text}"));
    Finding::ok("xen", version + &changeset)
}

/// Looks for a build with checks: Xen says so in its first message.
fn build(seen: &Seen) -> Option<Finding> {
    let messages = match &seen.messages {
        Ok(messages) => messages,
        Err(why) => {
            let text = format!("a build with checks would go unseen: {why}");
            return Some(Finding::note("xen build", text));
        }
    };
    let line = messages.lines().find(|line| line.contains("Xen version "))?;
    let is_debug = line.split_whitespace().any(|word| word == "debug=y");
    is_debug.then(|| {
        let text = "debug=y: each hypercall makes checks that other builds leave out";
        Finding::warn("xen build", text, "measure with a release build")
    })
}

/// Looks at Xen's command line.
fn options(line: Option<&str>) -> Vec<Finding> {
    let about = "xen options";
    let Some(line) = line else {
        return vec![Finding::note(about, "cannot be seen")];
    };
    let name = |word: &str| word.split('=').next().unwrap_or_default().to_owned();
    let is_known = |word: &&str| {
        let name = name(word);
        OPTIONS.contains(&name.strip_prefix("no-").unwrap_or(&name))
    };
    let known: Vec<&str> = line.split_whitespace().filter(is_known).take(SHOWN_MAX).collect();
    let value = |wanted: &str| {
        let mut values = known.iter().filter_map(|word| word.split_once('='));
        values.rfind(|(name, _)| *name == wanted).map(|(_, value)| value)
    };
    let mut findings = vec![Finding::ok(
        about,
        match known[..] {
            [] => "none of those that change figures".to_owned(),
            _ => display::text(&known.join(" ")),
        },
    )];
    let frames = value("gnttab_max_frames").and_then(leading_number);
    if let Some(frames) = frames.filter(|&frames| frames < GRANT_FRAMES) {
        let pages = frames.saturating_mul(GRANTS_IN_FRAME);
        let text = format!(
            "gnttab_max_frames={frames} lets a guest have {pages} pages in flight, where others \
             have {}: large blocks at a high iodepth wait",
            GRANT_FRAMES * GRANTS_IN_FRAME
        );
        findings.push(Finding::warn(about, text, "raise it, or leave it out"));
    }
    if value("vwfi") == Some("native") {
        let text = "vwfi=native: a guest that waits keeps its CPU, and takes events without Xen";
        findings.push(Finding::note(about, text));
    }
    findings
}

fn leading_number(text: &str) -> Option<u64> {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    text.get(..end)?.parse().ok()
}

fn scheduler(name: &str) -> Finding {
    if FIXED_SHARES.contains(&name) {
        let text = format!("{name} gives out CPU time in slices, which latencies show");
        return Finding::warn("xen scheduler", text, "boot Xen with sched=credit2 or sched=null");
    }
    Finding::ok("xen scheduler", name)
}

fn memory(info: &str) -> Option<Finding> {
    let free: u64 = host::told(info, "free_memory")?.trim().parse().ok()?;
    Some(if free < GUEST_MIB {
        let text = format!(
            "{free} MiB are free, less than the {GUEST_MIB} of a usual guest: dom0 shrinks for it \
             while it is made, or it is not made"
        );
        let advice = "boot Xen with dom0_mem=, or give a smaller --memory to the guest";
        Finding::warn("memory", text, advice)
    } else {
        Finding::ok("memory", format!("{free} MiB are free"))
    })
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    fn levels(findings: &[Finding]) -> Vec<Level> {
        findings.iter().map(|finding| finding.level).collect()
    }

    #[test]
    fn options_that_change_figures_are_shown_and_some_warned_of() {
        let said = |line: &str| options(Some(line)).iter().map(Finding::line).collect::<String>();
        assert_eq!(
            said("placeholder console=vga dom0_mem=4G,max:4G no-smt sched=credit2"),
            "ok    xen options: dom0_mem=4G,max:4G no-smt sched=credit2\n"
        );
        let few = said("gnttab_max_frames=64 gnttab_max_frames=16");
        assert!(few.contains("\nwarn  xen options: gnttab_max_frames=16 lets a guest have 8192 "));
        for fine in ["gnttab_max_frames=64", "gnttab_max_frames=16 gnttab_max_frames=256", ""] {
            assert_eq!(levels(&options(Some(fine))), [Level::Ok], "{fine}");
        }
        for odd in ["gnttab_max_frames=", "gnttab_max_frames=x", "=", "gnttab_max_frames"] {
            assert_eq!(levels(&options(Some(odd))), [Level::Ok], "{odd}");
        }
        assert_eq!(levels(&options(Some("vwfi=native"))), [Level::Ok, Level::Note]);
        assert_eq!(levels(&options(None)), [Level::Note]);
        let long = options(Some(&"smt=0 \u{202e}smt ".repeat(100_000)));
        assert!(long[0].text.len() <= display::TEXT_CHARS_MAX, "{long:?}");
    }

    #[test]
    fn schedulers_and_memory_are_judged() {
        assert!(scheduler("rtds").spoils() && scheduler("arinc653").spoils());
        assert!(["credit", "credit2", "null"].iter().all(|name| !scheduler(name).spoils()));
        assert!(memory("free_memory : 71\n").unwrap().spoils());
        assert!(!memory("free_memory : 72\n").unwrap().spoils());
        for text in ["", "free_memory", "free_memory : -1", "free_memory : many"] {
            assert_eq!(memory(text), None, "{text}");
        }
    }
}
