//! Acts of the tool stack on a running guest: it asks for what the guest cannot do, pauses it, and
//! takes its disks away. A job goes on as far as it can, and what is said is what is so.

use anyhow::{Context, Result, ensure};

use super::check::{Check, good_result, guest, number, powered_off, value};
use super::disks::refused;
use super::requests::XVDA;
use crate::guest::ConsoleLine;
use crate::steps::Outcome;

pub(super) fn checks() -> Vec<Check> {
    vec![
        requests_refused(),
        paused(),
        detached_while_held(),
        nonsense_while_held(),
        detached_in_a_job(),
        vanished(),
        unbound(),
    ]
}

/// Random reads of xvda for so long.
fn reads(seconds: u32) -> String {
    format!(
        "--name=job --rw=randread --iodepth=8 --runtime={seconds} --time_based \
         --filename=/dev/xvda"
    )
}

/// Returns the line of the guest's console that has all these words.
fn says<'a>(outcome: &'a Outcome, name: &str, words: &[&str]) -> Result<&'a str> {
    let lines = ConsoleLine::of(outcome, name);
    let found = lines.iter().find(|line| words.iter().all(|word| line.text.contains(word)));
    Ok(found.with_context(|| format!("no line of {name} says {words:?}"))?.text)
}

fn requests_refused() -> Check {
    let name = "control-requests";
    let command = format!(
        "guest_create {name}\nguest_until 'Jobs: *' 60\n\
         xenstore-write /local/domain/$id/control/shutdown foo\nguest_until '*foo*' 10\n\
         xl save {name} /tmp/saved >/tmp/save 2>&1 & save=$!\nguest_until '*xl save*' 20\n\
         echo node=\"<$(xenstore-read /local/domain/$id/control/shutdown)>\"\n\
         guest_until 'ringmark-result-end*' 60\nguest_end 60\nwait $save\necho save=$?\n\
         cat /tmp/save\nrm -f /tmp/saved"
    );
    Check::new("control: a request that nobody knows, and xl save, in a job", 240, command)
        .with(guest(name, &[0], 'w', &reads(10)))
        .judged("xl save and a request that nobody knows do not end a job", move |outcome| {
            let result = good_result(outcome, name)?;
            says(outcome, name, &["control/shutdown", "foo", "goes on"])?;
            let refusal = says(outcome, name, &["xl save", "refused", "goes on"])?;
            ensure!(value(outcome, "node")? == "<>", "xl is left waiting for an answer");
            ensure!(number(outcome, "save")? != 0, "xl reports the domain as saved");
            let runtime_ms = result.job("job")?["read"]["runtime"].as_u64().unwrap_or(0);
            ensure!(runtime_ms >= 10_000, "the job ended after {runtime_ms} ms");
            powered_off(outcome, name)?;
            Ok(format!("{runtime_ms} ms; \"{refusal}\""))
        })
}

fn paused() -> Check {
    let name = "control-pause";
    let pause = |seconds| format!("xl pause {name}\nsleep {seconds}\nxl unpause {name}");
    let command = format!(
        "guest_create {name}\nguest_until 'Jobs: *' 60\n{}\nsleep 2\n{}\nguest_end 90",
        pause(12),
        pause(35)
    );
    Check::new("control: xl pause in a job", 240, command)
        .with(guest(name, &[0], 'w', &reads(55)))
        .judged(
            "a guest that was paused for 12 s and for 35 s reports no timeout",
            move |outcome| {
                let result = good_result(outcome, name)?;
                let ios = result.job("job")?["read"]["total_ios"].as_u64().unwrap_or(0);
                ensure!(ios > 0, "no reads");
                Ok(format!("{ios} reads"))
            },
        )
}

fn detached_while_held() -> Check {
    let name = "control-detach-hold";
    let extra =
        "hold --name=job --rw=randread --iodepth=8 --size=1m --filename=/dev/xvda:/dev/xvdb";
    let command = format!(
        "guest_create {name}\nguest_until '*holding the disks*' 60\n\
         xl block-detach {name} xvda\necho detach=$?\nguest_until '*xvda: disconnected*' 10\n\
         echo left=$(xenstore-list /local/domain/0/backend/vbd/$id | tr '\\n' ' ')\n\
         xl shutdown {name}\nguest_end 60"
    );
    Check::new("control: xl block-detach while a guest holds its disks", 180, command)
        .with(guest(name, &[0, 1], 'w', extra))
        .judged("a held disk is given up when xl block-detach asks", move |outcome| {
            good_result(outcome, name)?;
            let line = says(outcome, name, &["xvda", "disconnected, because"])?;
            ensure!(number(outcome, "detach")? == 0, "xl block-detach failed");
            let left = value(outcome, "left")?;
            ensure!(left == (XVDA + 16).to_string(), "backends left: {left}");
            powered_off(outcome, name)?;
            Ok(format!("\"{line}\""))
        })
}

fn nonsense_while_held() -> Check {
    let name = "control-nonsense-hold";
    let extra = "hold --name=job --rw=randread --size=1m --filename=/dev/xvda";
    let command = format!(
        "guest_create {name}\nguest_until '*holding the disks*' 60\n\
         xenstore-write /local/domain/$id/control/shutdown \"$(printf '\\377')\"\n\
         guest_until '*does not know*' 10\nsleep 2\nxl shutdown {name}\necho shutdown=$?\n\
         guest_end 60"
    );
    Check::new("control: a request that is no text while a guest holds its disks", 180, command)
        .with(guest(name, &[0], 'w', extra))
        .judged("a guest holds its disks on after a request that is no text", move |outcome| {
            good_result(outcome, name)?;
            let line = says(outcome, name, &["control/shutdown", "does not know", "goes on"])?;
            ensure!(number(outcome, "shutdown")? == 0, "the guest was gone before xl shutdown");
            powered_off(outcome, name)?;
            Ok(format!("\"{line}\""))
        })
}

fn detached_in_a_job() -> Check {
    let name = "control-detach-job";
    let command = format!(
        "guest_create {name}\nguest_until 'Jobs: *' 60\nxl block-detach {name} xvda\n\
         echo detach=$?\nguest_end 60"
    );
    Check::new("control: xl block-detach in a job", 180, command)
        .with(guest(name, &[0], 'w', &reads(18)))
        .judged("a disk that a job uses is kept, and the console says so", move |outcome| {
            let result = good_result(outcome, name)?;
            let line = says(outcome, name, &["xvda", "xl block-detach", "when the job ends"])?;
            ensure!(number(outcome, "detach")? != 0, "xl detached the disk of a running job");
            let runtime_ms = result.job("job")?["read"]["runtime"].as_u64().unwrap_or(0);
            ensure!(runtime_ms >= 18_000, "the job ended after {runtime_ms} ms");
            powered_off(outcome, name)?;
            Ok(format!("{runtime_ms} ms; \"{line}\""))
        })
}

fn unbound() -> Check {
    let name = "control-unbind";
    // Linux leaves the state as it is; without the driver nobody closes the disk when it ends.
    let command = format!(
        "guest_create {name}\nguest_until 'Jobs: *' 60\n\
         echo vbd-$id-{XVDA} >/sys/bus/xen-backend/drivers/vbd/unbind\n\
         guest_until 'ringmark-result-end*' 90\n\
         xenstore-write /local/domain/0/backend/vbd/$id/{XVDA}/state 6\nguest_end 60"
    );
    Check::new("control: blkback is unbound in a job", 240, command)
        .with(guest(name, &[0], 'w', &reads(90)))
        .judged("a backend that lost its driver is reported with its state", move |outcome| {
            let error = refused(outcome, name, &["xvda", "completed none", "state Connected"])?;
            Ok(format!("\"{error}\""))
        })
}

fn vanished() -> Check {
    let name = "control-vanish";
    let command = format!(
        "guest_create {name}\nguest_until 'Jobs: *' 60\n\
         xenstore-write /local/domain/0/backend/vbd/$id/{XVDA}/state 6\nguest_end 60"
    );
    Check::new("control: a backend closes in a job", 180, command)
        .with(guest(name, &[0], 'w', &reads(60)))
        .judged("a backend that closed ends the job at once, and is reported", move |outcome| {
            let error = refused(outcome, name, &["xvda", "backend went away", "Closed"])?;
            Ok(format!("\"{error}\""))
        })
}
