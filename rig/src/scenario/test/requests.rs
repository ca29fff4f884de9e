//! The guest's count of requests against blkback's, and whether grants really were persistent, in
//! each grant mode.

use anyhow::{Context, Result, ensure};

use super::check::{Check, good_result, guest, number, value};
use crate::steps::Outcome;

/// The grant modes, and whether they negotiate persistent grants.
const MODES: [(&str, bool); 3] =
    [("persistent", true), ("persistent-copy", true), ("per-request", false)];

/// Device number of xvda (Linux, Documentation/admin-guide/devices.txt: 202 * 256).
pub(super) const XVDA: u32 = 51712;

pub(super) fn checks() -> Vec<Check> {
    MODES.map(|(mode, persistent)| check(mode, persistent)).into()
}

fn check(mode: &'static str, persistent: bool) -> Check {
    let name = format!("requests-{mode}");
    let extra = format!(
        "hold --name=mixed --rw=randrw --rwmixread=70 --bs=4k --iodepth=16 --size=8m \
         --filename=/dev/xvda --grants={mode}"
    );
    let command = format!(
        r#"guest_create {name}
guest_until 'ringmark-result-end*' 60
for key in rd_req wr_req; do echo $key=$(cat ${{vbds}}{XVDA}/statistics/$key); done
echo frontend=$(xenstore-read /local/domain/$id/device/vbd/{XVDA}/feature-persistent)
echo backend=$(xenstore-read /local/domain/0/backend/vbd/$id/{XVDA}/feature-persistent)
echo blkback=$(dmesg | grep "backend/vbd/$id/{XVDA}: using" | tail -n 1)
xl shutdown {name}
guest_end 30"#
    );
    Check::new(format!("counting requests, grants={mode}"), 150, command)
        .with(guest(&name, &[0], 'w', &extra))
        .judged(format!("(a) blkback counts the same requests, grants={mode}"), {
            let name = name.clone();
            move |outcome| counts_agree(outcome, &name)
        })
        .judged(format!("(b) negotiated grants, grants={mode}"), move |outcome| {
            negotiated(outcome, persistent)
        })
}

fn counts_agree(outcome: &Outcome, name: &str) -> Result<String> {
    let result = good_result(outcome, name)?;
    let job = result.job("mixed")?;
    let ours = |side: &str| {
        job[side]["total_ios"].as_u64().with_context(|| format!("no {side}.total_ios"))
    };
    let (reads, writes) = (ours("read")?, ours("write")?);
    ensure!(reads > 0 && writes > 0, "the job did {reads} reads and {writes} writes");
    let (rd_req, wr_req) = (number(outcome, "rd_req")?, number(outcome, "wr_req")?);
    let evidence =
        format!("guest {reads} reads {writes} writes, blkback rd_req {rd_req} wr_req {wr_req}");
    ensure!((reads, writes) == (rd_req, wr_req), "{evidence}");
    Ok(evidence)
}

fn negotiated(outcome: &Outcome, persistent: bool) -> Result<String> {
    let frontend = value(outcome, "frontend").unwrap_or("absent");
    let backend = value(outcome, "backend").unwrap_or("absent");
    let blkback = value(outcome, "blkback").context("blkback logged no connection")?;
    let logged = blkback.contains("persistent grants");
    let evidence = format!(
        "frontend feature-persistent {frontend}, backend {backend}, blkback's log {}",
        if logged { "says persistent grants" } else { "does not say persistent grants" }
    );
    ensure!((frontend == "1") == persistent && logged == persistent, "{evidence} ({blkback})");
    ensure!(backend == "1", "the backend does not offer persistent grants: {evidence}");
    Ok(evidence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::framed;

    #[test]
    fn a_difference_of_one_request_fails() {
        let lines = |rd_req| {
            let sides = r#""read": {"total_ios": 7}, "write": {"total_ios": 3}"#;
            let jobs = format!(r#"[{{"jobname": "mixed", {sides}}}]"#);
            let json = format!(r#"{{"ringmark": {{"ok": true}}, "jobs": {jobs}}}"#);
            let mut lines = framed("g", &json);
            let off = "[xl 3.0] Domain 1 has shut down, reason code 0 0x0";
            lines.extend(["[xl 1.0] create g", rd_req, "wr_req=3", off].map(str::to_owned));
            Outcome::printed(lines)
        };
        assert!(counts_agree(&lines("rd_req=7"), "g").is_ok());
        assert!(counts_agree(&lines("rd_req=8"), "g").is_err());
        assert!(counts_agree(&lines("rd_req="), "g").is_err());
    }

    #[test]
    fn both_ends_must_say_the_same() {
        let log = "blkback=[1.0] xen-blkback: backend/vbd/1/51712: using 1 queues, protocol 1 (x86_64-abi) persistent grants";
        let plain = "blkback=[1.0] xen-blkback: backend/vbd/1/51712: using 1 queues, protocol 1 (x86_64-abi)";
        assert!(negotiated(&Outcome::printed(["frontend=1", "backend=1", log]), true).is_ok());
        assert!(negotiated(&Outcome::printed(["frontend=0", "backend=1", plain]), false).is_ok());
        assert!(negotiated(&Outcome::printed(["frontend=", "backend=1", plain]), false).is_ok());
        assert!(negotiated(&Outcome::printed(["frontend=1", "backend=1", plain]), true).is_err());
        assert!(negotiated(&Outcome::printed(["frontend=0", "backend=1", log]), false).is_err());
        assert!(negotiated(&Outcome::printed(["frontend=0", "backend=1"]), false).is_err());
    }
}
