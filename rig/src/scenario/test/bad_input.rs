//! Bad input: one line that names it, a failed result, a poweroff, and no write.

use anyhow::{Result, ensure};

use super::check::{Check, RAMDISKS, guest, number};
use super::data::{fill_command, sha256_command};
use super::disks::{refused, unchanged};
use super::requests::XVDA;
use crate::steps::Outcome;

/// The ramdisk that nothing may write to.
const RAMDISK: u32 = 8;

/// Command lines, and what the error must name.
const COMMAND_LINES: [(&str, &str, &[&str]); 6] = [
    ("bad-unknown-option", "rw=randwrite filename=/dev/xvda iodeph=4", &["iodeph"]),
    ("bad-iodepth-0", "rw=randwrite filename=/dev/xvda iodepth=0", &["iodepth", "0"]),
    ("bad-bs-1000", "rw=randwrite filename=/dev/xvda bs=1000", &["bs", "1000"]),
    ("bad-offset", "rw=randwrite filename=/dev/xvda offset=2g", &["offset", "2g", "xvda"]),
    ("bad-no-disk", "rw=randwrite filename=/dev/xvdz", &["xvdz"]),
    ("bad-write-nowhere", "rw=randwrite bs=4k", &["filename"]),
];

/// Disk as a backend that is no blkback describes it, and what the error must name.
const BACKENDS: [(&str, &str, &[&str]); 4] = [
    ("bad-sectors-0", "sectors 0 sector-size 512 info 0", &["xvda", "sectors", "0"]),
    ("bad-sector-size-3", "sectors 65536 sector-size 3 info 0", &["xvda", "sector-size", "3"]),
    ("bad-sectors-word", "sectors many sector-size 512 info 0", &["xvda", "sectors", "many"]),
    ("bad-no-sectors", "sector-size 512 info 0", &["xvda", "sectors"]),
];

pub(super) fn checks() -> Vec<Check> {
    let before = format!(
        "{}\n{} >/tmp/before",
        fill_command(RAMDISK),
        sha256_command("before", RAMDISK, RAMDISKS.mib)
    );
    let after = format!("cat /tmp/before\n{}", sha256_command("after", RAMDISK, RAMDISKS.mib));
    let mut checks = vec![Check::new("filling a disk that must not change", 60, before)];
    checks.extend(COMMAND_LINES.map(|(name, extra, words)| command_line(name, extra, words)));
    checks.push(never_connects());
    checks.extend(BACKENDS.map(|(name, keys, words)| backend(name, keys, words)));
    checks.push(
        Check::new("looking for changes", 60, after).judged(
            "bad input: no byte of the disk was written",
            |outcome| {
                unchanged(outcome).map(|()| format!("sha256 of {} MiB as before", RAMDISKS.mib))
            },
        ),
    );
    checks
}

fn command_line(name: &'static str, extra: &str, words: &'static [&'static str]) -> Check {
    Check::new(format!("bad input: {extra}"), 120, format!("guest {name} 60"))
        .with(guest(name, &[RAMDISK], 'w', extra))
        .judged(format!("bad input: {extra}"), move |outcome| evidence(outcome, name, words))
}

/// Takes the disk from blkback before the guest starts; from then on the step is the backend, by
/// writing what it likes into xenstore, until the guest closes the disk: InitWait is 2, Closing 5,
/// Closed 6 (xenbus.h).
fn impostor(name: &str, keys: &str, connected: &str) -> String {
    format!(
        r#"guest_create {name} -p
echo vbd-$id-{XVDA} >/sys/bus/xen-backend/drivers/vbd/unbind
backend=/local/domain/0/backend/vbd/$id/{XVDA}
frontend=/local/domain/$id/device/vbd/{XVDA}
for key in sectors sector-size info; do xenstore-rm $backend/$key 2>/dev/null; done
set -- {keys}
while [ $# -gt 0 ]; do xenstore-write $backend/$1 $2; shift 2; done
xenstore-write $backend/state 2
xl unpause {name}
{connected}
while guest_lives; do
    state=$(xenstore-read $frontend/state 2>/dev/null)
    [ "${{state:-0}}" -lt 5 ] || break
    guest_report
    nap 0.2
done
xenstore-write $backend/state 6
guest_end 90"#
    )
}

fn never_connects() -> Check {
    let name = "bad-never-connects";
    let extra = "rw=randwrite bs=4k size=1m filename=/dev/xvda";
    Check::new("bad input: a backend that never connects", 200, impostor(name, "", ""))
        .with(guest(name, &[RAMDISK], 'w', extra))
        .judged("bad input: a backend that never connects", move |outcome| {
            evidence(outcome, name, &["xvda"])
        })
}

fn backend(name: &'static str, keys: &'static str, words: &'static [&'static str]) -> Check {
    // Waits for XenbusStateInitialised (3), then says XenbusStateConnected (4).
    let connected = "tries=0\n\
                     while [ $tries -lt 100 ] && [ \"$(xenstore-read $frontend/state)\" -lt 3 ]; do nap 0.1; tries=$((tries + 1)); done\n\
                     echo frontend_state=$(xenstore-read $frontend/state)\n\
                     xenstore-write $backend/state 4";
    let extra = "rw=randwrite bs=4k size=1m filename=/dev/xvda";
    Check::new(format!("bad input: a backend with {keys}"), 200, impostor(name, keys, connected))
        .with(guest(name, &[RAMDISK], 'w', extra))
        .judged(format!("bad input: a backend with {keys}"), move |outcome| {
            let state = number(outcome, "frontend_state")?;
            ensure!(state >= 3, "the frontend stayed in state {state}: the keys were not tried");
            evidence(outcome, name, words)
        })
}

fn evidence(outcome: &Outcome, name: &str, words: &[&str]) -> Result<String> {
    refused(outcome, name, words).map(|error| format!("\"{error}\""))
}
