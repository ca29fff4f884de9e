//! Other duties of a guest on real Xen: its self-test, both ways into the hypervisor, disks with
//! large sectors, and to end when it is asked to.

use anyhow::{Context, Result, ensure};

use super::check::{Check, good_result, guest, powered_off};
use super::disks::refused;
use crate::guest::{ConsoleLine, Guest};
use crate::result::GuestResult;
use crate::steps::Outcome;

pub(super) fn checks() -> Vec<Check> {
    vec![
        selftest("direct"),
        selftest("page"),
        hypercall_page(),
        large_sectors(),
        small_blocks_on_large_sectors(),
        shut_down_early(),
    ]
}

fn selftest(hypercall: &str) -> Check {
    let name = format!("selftest-{hypercall}");
    let extra = format!("selftest hypercall={hypercall}");
    Check::new(format!("self-test on Xen, hypercall={hypercall}"), 120, format!("guest {name} 60"))
        .with(guest(&name, &[], 'w', &extra))
        .judged(format!("self-test on Xen, hypercall={hypercall}"), move |outcome| {
            let lines = ConsoleLine::of(outcome, &name);
            let sum = lines.iter().find(|line| line.text.contains(" passed, "));
            let sum = sum.context("it printed no sum")?.text;
            ensure!(sum.ends_with(" 0 failed") && !sum.starts_with("0 "), "{sum}");
            powered_off(outcome, &name)?;
            Ok(sum.to_owned())
        })
}

fn hypercall_page() -> Check {
    let extra = "hypercall=page --name=job --rw=randread --iodepth=8 --io_size=4m \
                 --filename=/dev/xvda";
    Check::new("I/O by way of the hypercall page", 120, "guest hypercall-page 60")
        .with(guest("hypercall-page", &[0], 'w', extra))
        .judged("I/O by way of the hypercall page", |outcome| {
            let result = good_result(outcome, "hypercall-page")?;
            let lines = ConsoleLine::of(outcome, "hypercall-page");
            let way = lines.iter().find(|line| line.text.contains("by the hypercall page"));
            way.context("the guest does not say that it uses the page")?;
            let ios = result.job("job")?["read"]["total_ios"].as_u64();
            ensure!(ios == Some(1024), "{ios:?} reads, not 1024");
            Ok("1024 reads".into())
        })
}

/// A guest on a memory-backed disk with sectors of 4096 bytes.
fn on_large_sectors(name: &str, extra: &str) -> Guest {
    Guest { disks: vec!["phy:/dev/nullb0,xvda,w".into()], ..guest(name, &[], 'w', extra) }
}

fn large_sectors() -> Check {
    let extra = "--name=job --rw=write --bs=12k --iodepth=8 --size=12m --verify=pattern \
                 --verify_pattern=%o --filename=/dev/xvda";
    let command = "insmod /modules/configfs.ko\n\
                   insmod /modules/null_blk.ko nr_devices=1 gb=1 bs=4096 memory_backed=1\n\
                   guest large-sectors 60";
    Check::new("4096-byte sectors", 120, command)
        .with(on_large_sectors("large-sectors", extra))
        .judged("4096-byte sectors are written and read back", |outcome| {
            let result = good_result(outcome, "large-sectors")?;
            let lines = ConsoleLine::of(outcome, "large-sectors");
            let told = lines.iter().any(|line| line.text.contains("4096-byte sectors"));
            ensure!(told, "the guest does not say that sectors have 4096 bytes");
            let job = result.job("job")?;
            let ios = ["write", "read"].map(|way| job[way]["total_ios"].as_u64());
            ensure!(ios == [Some(1024); 2], "{ios:?} writes and reads, not 1024 of each");
            Ok("1024 writes, 1024 reads, no wrong byte".into())
        })
}

fn small_blocks_on_large_sectors() -> Check {
    let extra = "--name=job --rw=read --bs=512 --filename=/dev/xvda";
    Check::new("bs=512 on 4096-byte sectors", 120, "guest small-blocks 60")
        .with(on_large_sectors("small-blocks", extra))
        .judged("bs=512 on 4096-byte sectors is refused", |outcome| {
            refused(outcome, "small-blocks", &["bs=512", "4096", "xvda"])
        })
}

fn shut_down_early() -> Check {
    let extra = "--name=job --rw=randread --iodepth=8 --runtime=1h --time_based \
                 --filename=/dev/xvda";
    let command = "guest_create early\nguest_until 'Jobs: *' 60\nxl shutdown early\nguest_end 60";
    Check::new("xl shutdown in the middle of a job", 180, command)
        .with(guest("early", &[0], 'w', extra))
        .judged("xl shutdown ends a job and keeps its figures", reports_early)
}

fn reports_early(outcome: &Outcome) -> Result<String> {
    let result = GuestResult::ours(outcome, "early")?;
    let reason = result.verdict().err().context("it calls itself complete")?;
    ensure!(reason.contains("stopped"), "{reason}");
    let ios = result.job("job")?["read"]["total_ios"].as_u64().unwrap_or(0);
    ensure!(ios > 0, "no figures");
    powered_off(outcome, "early")?;
    Ok(format!("{ios} reads, \"{reason}\""))
}
