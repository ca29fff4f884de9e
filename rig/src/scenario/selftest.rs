//! `selftest`: the guest's own tests in QEMU without Xen, on an emulated machine, in seconds.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use fs_err as fs;

use crate::pattern;
use crate::progress::print_line;
use crate::qemu::{self, Qemu};
use crate::rig::Rig;

/// QEMU's isa-debug-exit device makes 2n + 1 of the value n that the guest writes: it writes 16.
const PASSED: i32 = 33;
/// The RAM disk that the guest finds beside its kernel.
const DISK_BYTES: usize = 1 << 20;
const DEADLINE: Duration = Duration::from_secs(60);

/// Runs it and shows what the guest says.
///
/// # Errors
/// When it cannot be run or a test fails.
pub(crate) fn selftest(rig: &Rig) -> Result<ExitCode> {
    print_line(passes(rig)?);
    Ok(ExitCode::SUCCESS)
}

/// Runs it and gives the guest's last word, `N passed, N failed`.
///
/// # Errors
/// When it cannot be run or a test fails.
pub(crate) fn passes(rig: &Rig) -> Result<String> {
    let (directory, _lock) = rig.directory("selftest")?;
    let disk = directory.join("disk");
    fs::write(&disk, pattern::offsets(DISK_BYTES))?;
    rig.progress.stage("self-test in QEMU without Xen");
    let mut command = qemu::command();
    command.arg("-kernel").arg(rig.kernel()?).arg("-initrd").arg(&disk);
    // The usual one has no pages of 1 GiB, and so no alias of memory to be tested.
    command.args(["-cpu", "max"]);
    command.args(["-append", "selftest", "-m", "64", "-display", "none", "-no-reboot"]);
    command.args(["-serial", "stdio", "-device", "isa-debug-exit,iobase=0xf4,iosize=4"]);
    let qemu = Qemu::start(&mut command, DEADLINE)?;

    let mut last = None;
    while let Some(line) = qemu.line().context("self-test")? {
        let line = line.trim_end().to_owned();
        rig.progress.detail(&line);
        last = Some(line).filter(|line| !line.is_empty()).or(last);
    }
    let status = qemu.status()?;
    let last = last.unwrap_or_else(|| "nothing".to_owned());
    ensure!(
        status.code() == Some(PASSED),
        "the self-test ended with {status} after printing: {last}"
    );
    ensure!(last.contains(" passed, 0 failed"), "the self-test's last line is: {last}");
    Ok(last)
}
