//! `shell`: a dom0 prompt, with our guest and the Linux guest at hand.

use std::process::ExitCode;

use anyhow::Result;

use crate::image::Image;
use crate::peer::PeerImage;
use crate::ramdisk::Ramdisks;
use crate::rig::Rig;
use crate::scenario::side::{Side, overlay};
use crate::workload::Fio;

/// Boots to a prompt; ends when dom0 powers off.
///
/// # Errors
/// When the machine cannot be made or fails.
pub(crate) fn shell(rig: &Rig) -> Result<ExitCode> {
    let image = Image::build(&rig.cache, &rig.progress)?;
    let peer = PeerImage::build(&rig.cache, &rig.progress)?;
    let (directory, _lock) = rig.directory("shell")?;
    let machine = rig.machine(&image, directory, Ramdisks { count: 8, mib: 64, filled: false });
    let guest = |side: Side, jobs| side.guest(side.name().into(), machine.clock, jobs);
    let linux_jobs = "--name=job --filename=/dev/xvda --rw=randread --iodepth=32 --ioengine=libaio \
                      --direct=1 --runtime=10 --time_based";
    let guests = [guest(Side::Ours, ""), guest(Side::Linux(Fio::Default), linux_jobs)];
    let mut overlay = overlay(rig, &peer, &guests)?;
    rig.add_tool(&mut overlay)?;
    machine.shell(overlay)?;
    Ok(ExitCode::SUCCESS)
}
