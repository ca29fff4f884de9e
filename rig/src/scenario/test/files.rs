//! Files in an FFS: the guest reads them over the ring, and so does Linux's own ufs driver in
//! dom0, from the same disk.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use super::check::{Check, good_result, guest};
use crate::archive::Archive;
use crate::guest::ConsoleLine;
use crate::steps::Outcome;
use crate::volume::{self, Layout};

const LAYOUTS: [Layout; 3] = [Layout::UFS1, Layout::UFS2, Layout::UFS2_BSD];
/// The ramdisk that volumes are written to.
const RAMDISK: u32 = 7;
const MIB: u32 = 24;

/// Makes the volumes, for dom0.
pub(super) fn add_volumes(overlay: &mut Archive, directory: &Path) -> Result<()> {
    let files = volume::sample();
    for layout in LAYOUTS {
        let packed = volume::make(&directory.join("volumes"), layout, MIB, &files)?;
        overlay.add(&place(layout), 0o644, packed);
    }
    Ok(())
}

fn place(layout: Layout) -> String {
    format!("/rig/volumes/{}.gz", layout.name)
}

/// A shell command that puts a volume on the ramdisk, past any cache.
fn fill_command(layout: Layout) -> String {
    format!("gunzip -c {} >/dev/ram{RAMDISK} && sync || echo cannot fill", place(layout))
}

pub(super) fn checks() -> Vec<Check> {
    let sums = LAYOUTS.into_iter().map(sums);
    let others = [one_file(), doubtful_volume(), partitions(), no_volume(), job_on_a_file()];
    sums.chain(others).collect()
}

/// `mode=sum` over the whole tree, and the same by Linux.
fn sums(layout: Layout) -> Check {
    let name = format!("sum-{}", layout.name);
    let extra = "mode=sum filename=/dev/xvda:/";
    let mut command = format!("{}\nguest {name} 120", fill_command(layout));
    if let Some(options) = layout.linux {
        command += &format!(
            "\ninsmod /modules/ufs.ko 2>/dev/null\nmkdir -p /mnt\n\
             mount -t ufs -o {options} /dev/ram{RAMDISK} /mnt && cd /mnt && \
             find . -type f -exec sha256sum {{}} + | sed 's/^/linux /'; cd /; umount /mnt"
        );
    }
    let check = Check::new(format!("files of a {}", layout.name), 240, command)
        .with(guest(&name, &[RAMDISK], 'r', extra))
        .judged(format!("mode=sum over the ring equals the host's sums, {}", layout.name), {
            let name = name.clone();
            move |outcome| {
                good_result(outcome, &name)?;
                let lines = ConsoleLine::of(outcome, &name);
                // In the tree's order already.
                same(lines.iter().map(|line| line.text).filter(|text| is_sum(text)).collect())
            }
        });
    match layout.linux {
        None => check,
        Some(_) => {
            check.judged(format!("Linux's ufs driver reads the same, {}", layout.name), |outcome| {
                let sums = outcome.lines.iter().filter_map(|line| line.strip_prefix("linux "));
                let mut sums: Vec<&str> = sums.map(str::trim_end).collect();
                sums.sort_by_key(|line| line.split_once("  ").map(|(_, path)| path));
                same(sums)
            })
        }
    }
}

fn is_sum(line: &str) -> bool {
    line.split_once("  ./").is_some_and(|(sum, _)| sum.len() == 64)
}

/// Checks that these are the sums of all files except the filler.
fn same(mut found: Vec<&str>) -> Result<String> {
    found.retain(|line| !volume::is_filler(line));
    let expected = volume::sums(&volume::sample());
    if let Some((found, expected)) =
        found.iter().zip(&expected).find(|(found, expected)| found != expected)
    {
        bail!("found {found}, not {expected}");
    }
    ensure!(found.len() == expected.len(), "{} files, not {}", found.len(), expected.len());
    Ok(format!("{} files", found.len()))
}

fn one_file() -> Check {
    let extra = "mode=cat filename=xvda:/many/hello";
    Check::new("one file", 120, format!("{}\nguest cat 60", fill_command(Layout::UFS2)))
        .with(guest("cat", &[RAMDISK], 'r', extra))
        .judged("mode=cat shows a file", |outcome| {
            good_result(outcome, "cat")?;
            let lines = ConsoleLine::of(outcome, "cat");
            let told = lines.iter().any(|line| line.text == volume::HELLO);
            ensure!(told, "there is no line `{}`", volume::HELLO);
            Ok(volume::HELLO.to_owned())
        })
}

/// A volume of the whole disk, over which somebody wrote an MBR: a slice of FreeBSD, 16 sectors
/// from sector 2,048 on, with nothing in it.
fn doubtful_volume() -> Check {
    let table = r"\x00\x00\x00\x00\xa5\x00\x00\x00\x00\x08\x00\x00\x10\x00\x00\x00";
    let command = format!(
        "{}\nprintf '{table}' | dd of=/dev/ram{RAMDISK} bs=1 seek=446 conv=notrunc 2>/dev/null\n\
         printf '\\x55\\xaa' | dd of=/dev/ram{RAMDISK} bs=1 seek=510 conv=notrunc 2>/dev/null\n\
         sync\nguest doubtful 60",
        fill_command(Layout::UFS1)
    );
    Check::new("a volume older than the partition table", 120, command)
        .with(guest("doubtful", &[RAMDISK], 'r', "mode=cat filename=xvda:/many/hello"))
        .judged("a volume older than the partition table is reported", |outcome| {
            good_result(outcome, "doubtful")?;
            let lines = ConsoleLine::of(outcome, "doubtful");
            let told = lines.iter().find(|line| line.text.contains("may be stale"));
            Ok(told.context("it does not say so")?.text.to_owned())
        })
}

/// A slice of a FAT with nothing in it, and one of NetBSD with a volume, from 2 MiB on.
fn partitions() -> Check {
    let fat = r"\x00\x00\x00\x00\x0c\x00\x00\x00\x00\x08\x00\x00\x00\x08\x00\x00";
    let netbsd = r"\x00\x00\x00\x00\xa9\x00\x00\x00\x00\x10\x00\x00\x00\xc0\x00\x00";
    let disk = format!("/dev/ram{RAMDISK}");
    let command = format!(
        "dd if=/dev/zero of={disk} bs=1M count=2 2>/dev/null\n\
         gunzip -c {} | dd of={disk} bs=1M seek=2 2>/dev/null\n\
         printf '{fat}{netbsd}' | dd of={disk} bs=1 seek=446 conv=notrunc 2>/dev/null\n\
         printf '\\x55\\xaa' | dd of={disk} bs=1 seek=510 conv=notrunc 2>/dev/null\n\
         sync\nguest partitions 60\nguest by-name 60\nguest other-name 60",
        place(Layout::UFS2_BSD)
    );
    Check::new("partitions by name", 240, command)
        .with(guest("partitions", &[RAMDISK], 'r', "mode=ls filename=xvda"))
        .with(guest("by-name", &[RAMDISK], 'r', "mode=sum filename=xvda@s2:/"))
        .with(guest("other-name", &[RAMDISK], 'r', "mode=sum filename=xvda@s1:/"))
        .judged("mode=ls without a path lists the partitions", |outcome| {
            good_result(outcome, "partitions")?;
            let lines = ConsoleLine::of(outcome, "partitions");
            let is_told = |begin: &str, what: &str| {
                let is_it = |text: &str| text.starts_with(begin) && text.contains(what);
                lines.iter().any(|line| is_it(line.text))
            };
            ensure!(is_told("  s1", " 0x0c "), "no line of s1");
            ensure!(is_told("* s2", " UFS2 "), "no line of s2 that has a volume");
            Ok("s1, and s2 with the volume that is read".to_owned())
        })
        .judged("a partition is read by its name", |outcome| {
            good_result(outcome, "by-name")?;
            let lines = ConsoleLine::of(outcome, "by-name");
            same(lines.iter().map(|line| line.text).filter(|text| is_sum(text)).collect())
        })
        .judged("a partition without a file system is refused by its name", |outcome| {
            super::disks::refused(outcome, "other-name", &["partition s1", "FFS"])
        })
}

fn no_volume() -> Check {
    let command = format!(
        "dd if=/dev/zero of=/dev/ram{RAMDISK} bs=1M count={MIB} 2>/dev/null; sync\nguest no-ffs 60"
    );
    Check::new("a disk without a file system", 120, command)
        .with(guest("no-ffs", &[RAMDISK], 'r', "mode=ls filename=xvda:/"))
        .judged("mode=ls of no FFS is refused", |outcome| {
            super::disks::refused(outcome, "no-ffs", &["xvda", "FFS"])
        })
}

/// Random reads and writes within a file leave everything else as it was.
fn job_on_a_file() -> Check {
    let extra = "filename=xvda:/sizes/5000000 bs=4k iodepth=16 allow_file_overwrite=1 \
                 verify=crc32c rw=randwrite size=4m";
    let command = format!("{}\nguest file-job 90\nguest file-sums 90", fill_command(Layout::UFS1));
    Check::new("a job on a file", 240, command)
        .with(guest("file-job", &[RAMDISK], 'w', extra))
        .with(guest("file-sums", &[RAMDISK], 'r', "mode=sum filename=xvda:/"))
        .judged("a job on a file writes that file and no other", |outcome| {
            let result = good_result(outcome, "file-job")?;
            let ios = result.job("job1")?["write"]["total_ios"].as_u64();
            ensure!(ios == Some(1024), "{ios:?} writes, not 1024");
            good_result(outcome, "file-sums")?;
            only_one_differs(outcome)
        })
}

fn only_one_differs(outcome: &Outcome) -> Result<String> {
    let lines = ConsoleLine::of(outcome, "file-sums");
    let found: Vec<&str> = lines.iter().map(|line| line.text).filter(|line| is_sum(line)).collect();
    let known = volume::sums(&volume::sample());
    let changed: Vec<&&str> = found
        .iter()
        .filter(|line| !volume::is_filler(line) && !known.iter().any(|known| known == *line))
        .collect();
    let [changed] = changed[..] else { bail!("{} files have changed: {changed:?}", changed.len()) };
    ensure!(changed.ends_with("  ./sizes/5000000"), "{changed} has changed");
    Ok(format!("1 of {} files has changed", known.len()))
}
