//! `ringmark doctor` in a real dom0: what it says of Xen, of dom0 and of a disk.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::check::{Check, value};
use crate::steps::Outcome;

pub(super) fn checks() -> Vec<Check> {
    vec![doctor()]
}

fn doctor() -> Check {
    let look = "ringmark doctor --disk phy:/dev/ram0";
    let command = format!(
        "{look}\necho status=$?\n{look} --json >/tmp/doctor 2>/dev/null\n\
         echo json=$(tr -d '\\n' </tmp/doctor)\nxl info | grep -E '^(xen_version|xen_scheduler) '"
    );
    Check::new("the tool: doctor", 120, command)
        .judged("the tool: doctor names Xen as xl does, and the disk", names_the_host)
        .judged("the tool: doctor says what spoils a measurement", says_what_spoils)
}

fn told(outcome: &Outcome) -> Result<Value> {
    let json = value(outcome, "json")?;
    serde_json::from_str(json).with_context(|| format!("its JSON is none: {json}"))
}

fn names_the_host(outcome: &Outcome) -> Result<String> {
    let told = told(outcome)?;
    let xls = |name: &str| {
        let of = |line: &String| {
            let (found, text) = line.split_once(':')?;
            (found.trim() == name).then(|| text.trim().to_owned())
        };
        outcome.lines.iter().find_map(of).with_context(|| format!("xl info has no {name}"))
    };
    let host = told["host"].to_string();
    for name in ["xen_version", "xen_scheduler"] {
        let expected = xls(name)?;
        ensure!(host.contains(&format!("\"{expected}\"")), "no {name} {expected} in {host}");
    }
    let disk = told["disks"][0].to_string();
    ensure!(disk.contains("/dev/ram0"), "no /dev/ram0 in {disk}");
    Ok(format!("Xen {}, {}", xls("xen_version")?, xls("xen_scheduler")?))
}

/// The rig's dom0 is not pinned and shares its processors, and the lines say what the JSON says.
fn says_what_spoils(outcome: &Outcome) -> Result<String> {
    let told = told(outcome)?;
    let findings = told["findings"].as_array().context("there are no findings")?;
    let of = |level: &str| findings.iter().filter(|one| one["level"] == level).count();
    ensure!(of("fail") == 0, "something fails: {}", told["findings"]);
    let (warnings, rest) = (of("warn"), of("ok") + of("note"));
    ensure!(warnings + rest == findings.len() && rest > 3, "levels: {}", told["findings"]);
    let status = value(outcome, "status")?;
    let expected = if warnings == 0 { "0" } else { "1" };
    ensure!(status == expected, "status {status} with {warnings} warnings");
    let lines = outcome.lines.iter().filter(|line| line.starts_with("warn ")).count();
    ensure!(lines == warnings, "{lines} lines of {warnings} warnings");
    Ok(format!("{warnings} warnings, {rest} others"))
}
