//! Guests of all sizes: too small to run, the smallest, more than fits below 4 GiB, and some whose
//! memory comes on demand.

use anyhow::{Context, Result, ensure};

use super::check::{Check, crashed_saying, good_result, guest};
use super::disks::{reads, refused};
use crate::guest::{ConsoleLine, Guest};
use crate::steps::Outcome;

/// Memory of the machine in MiB: for a guest of 4,096 beside dom0 and Xen.
pub(super) const MACHINE_MIB: u32 = 6144;

/// Guests' memory in MiB. libxl puts what is above 4,032 above 4 GiB.
const SIZES_MIB: [u32; 5] = [16, 1024, 4031, 4032, 4096];
/// Guests' memory in MiB with which they can only say so. The image and its data take more than 2.
const TOO_SMALL_MIB: [u32; 2] = [3, 4];
/// Job options for `memory=16`: buffers of 8 MiB, which fit, and of 16 MiB, which do not.
const FITS: &str = "--name=job --rw=write --bs=128k --iodepth=64 --size=16m --verify=crc32c \
                    --filename=/dev/xvda";
const TOO_LARGE: &str = "--name=job --rw=read --bs=128k --iodepth=128 --filename=/dev/xvda";

pub(super) fn checks() -> Vec<Check> {
    let mut checks: Vec<_> = SIZES_MIB.map(boots).into();
    checks.extend(TOO_SMALL_MIB.map(too_small));
    checks.extend([on_demand(), too_large_on_demand(), not_ascii(), backslashes()]);
    checks
}

fn boots(mib: u32) -> Check {
    let name = format!("memory-{mib}");
    let extra = "--name=job --rw=randread --bs=4k --iodepth=32 --size=1m --filename=/dev/xvda";
    let guest = Guest { memory_mib: mib, ..guest(&name, &[0], 'w', extra) };
    Check::new(format!("memory={mib}"), 180, format!("guest {name} 60"))
        .with(guest)
        .judged(format!("(f) memory={mib} boots"), move |outcome| reads(outcome, &name))
}

fn too_small(mib: u32) -> Check {
    let name = format!("memory-{mib}");
    let guest = Guest { memory_mib: mib, ..guest(&name, &[], 'w', "") };
    Check::new(format!("memory={mib}"), 180, format!("guest {name} 60")).with(guest).judged(
        format!("memory={mib} says what it needs and ends as crashed"),
        move |outcome| {
            crashed_saying(outcome, &name, &["not enough memory", "set memory=5"])
                .map(|line| format!("\"{line}\""))
        },
    )
}

/// A guest whose memory map tells of 128 MiB, of which Xen gives 16, each page when it is touched.
fn given_on_demand(name: &str, extra: &str) -> Guest {
    Guest { settings: vec!["maxmem = 128"], ..guest(name, &[0], 'w', extra) }
}

fn on_demand() -> Check {
    let name = "maxmem-fits";
    Check::new("maxmem=128 memory=16", 120, format!("guest {name} 60"))
        .with(given_on_demand(name, FITS))
        .judged("maxmem=128 memory=16 uses what is there", move |outcome| {
            let result = good_result(outcome, name)?;
            let job = result.job("job")?;
            let ios = ["write", "read"].map(|way| job[way]["total_ios"].as_u64());
            ensure!(ios == [Some(128); 2], "{ios:?} writes and reads, not 128 of each");
            only_what_is_there(outcome, name)
        })
}

fn too_large_on_demand() -> Check {
    let name = "maxmem-too-large";
    let command = format!("guest {name} 60");
    Check::new("maxmem=128 memory=16, a job that needs more", 120, command)
        .with(given_on_demand(name, TOO_LARGE))
        .judged("maxmem=128 memory=16 refuses a job that needs more", move |outcome| {
            only_what_is_there(outcome, name)?;
            refused(outcome, name, &["this guest has 16 MiB", "need 22; set memory=22"])
        })
}

fn only_what_is_there(outcome: &Outcome, name: &str) -> Result<String> {
    let lines = ConsoleLine::of(outcome, name);
    let told = lines.iter().find(|line| line.text.contains("the first 16 MiB"));
    let told = told.context("the guest does not say that it uses 16 MiB only")?;
    Ok(format!("\"{}\"", told.text))
}

/// A byte that is not ASCII is no reason to end in silence: the job's parser names it.
fn not_ascii() -> Check {
    let name = "not-ascii";
    let extra = "--name=gr\u{f6}\u{df}e --rw=read --bs=4k --filename=/dev/xvda";
    Check::new("an extra= that is not ASCII", 120, format!("guest {name} 60"))
        .with(guest(name, &[0], 'w', extra))
        .judged("an extra= that is not ASCII is refused by name", move |outcome| {
            refused(outcome, name, &["not allowed", "ASCII"]).map(|error| format!("\"{error}\""))
        })
}

/// Backslashes and quotation marks reach the guest as they are, though xl's texts have escapes.
fn backslashes() -> Check {
    let (name, job) = ("backslashes", "a\\tb\\");
    let extra = format!("--name=\"{job}\" --rw=read --bs=4k --size=1m --filename=/dev/xvda");
    Check::new("an extra= with backslashes", 120, format!("guest {name} 60"))
        .with(guest(name, &[0], 'w', &extra))
        .judged("an extra= with backslashes is read as it is", move |outcome| {
            good_result(outcome, name)?.job(job)?;
            Ok(format!("a job named {job}"))
        })
}
