//! Checks of what a guest is made of: a domain that cannot work is not created.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use anyhow::Result;
use fio_job::Job;
use xl_config::{Config, Disk};

use crate::display;
use crate::exit::Exit;
use crate::memory::Need;

/// Beginnings of kernels that xl loads: ELF, and what it unpacks.
const KERNEL_MAGICS: [&[u8]; 2] = [b"\x7fELF", b"\x1f\x8b"];
/// Mark of a Linux kernel for PCs, and its offset in bytes (Linux, arch/x86/boot.rst).
const LINUX_MAGIC: (usize, &[u8]) = (0x202, b"HdrS");

/// Checks that the kernel, which `kernel_option` names, and the disks are there, that the jobs use
/// disks that the guest has, and that its memory may suffice for them.
///
/// # Errors
/// [`Exit::Usage`]: the first thing that is wrong.
pub fn guest(config: &Config, jobs: &[Job], kernel_option: &str) -> Result<()> {
    parts(config, jobs, kernel_option)?;
    memory_of(config, jobs)
}

/// Checks all of it but the memory, of which another kernel than ours needs its own.
///
/// # Errors
/// [`Exit::Usage`]: the first thing that is wrong.
pub fn parts(config: &Config, jobs: &[Job], kernel_option: &str) -> Result<()> {
    kernel_of(config, kernel_option)?;
    for disk in &config.disks {
        let Some(path) = disk.local_path().map(Path::new) else { continue };
        target(disk, path)
            .map_err(|why| wrong(path, why, "name a block device or a file with --disk"))?;
    }
    jobs_of(config, jobs)
}

/// Checks what [`guest`] does, but for the targets of the disks: those are on another host.
///
/// # Errors
/// [`Exit::Usage`]: the first thing that is wrong.
pub fn guest_elsewhere(config: &Config, jobs: &[Job], kernel_option: &str) -> Result<()> {
    kernel_of(config, kernel_option)?;
    jobs_of(config, jobs)?;
    memory_of(config, jobs)
}

fn kernel_of(config: &Config, option: &str) -> Result<()> {
    let advice = format!("name the guest's kernel with {option}");
    Ok(kernel(&config.kernel).map_err(|why| wrong(&config.kernel, why, &advice))?)
}

fn memory_of(config: &Config, jobs: &[Job]) -> Result<()> {
    // Without jobs there is nothing to have memory for.
    let need = Some(jobs).filter(|jobs| !jobs.is_empty()).and_then(|jobs| Need::of(config, jobs));
    need.map_or(Ok(()), |need| need.check(config.memory_mib))
}

/// Checks that the guest has the disks that jobs name, and may write those that they write.
///
/// # Errors
/// [`Exit::Usage`]: the first disk that it lacks, or may not write.
pub fn jobs_of(config: &Config, jobs: &[Job]) -> Result<()> {
    let names = config.disk_names()?;
    jobs.iter().try_for_each(|job| disks(job, &names, &config.disks))
}

/// Checks that the Linux guest's initramfs is a file: one that has no end would be copied for ever.
///
/// # Errors
/// [`Exit::Usage`].
pub fn initramfs(path: &Path) -> Result<()> {
    let why = match fs::metadata(path) {
        Ok(found) if found.is_file() => return Ok(()),
        Ok(_) => "it is no file".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(wrong(path, why, "name the Linux guest's initramfs with --peer-initramfs").into())
}

/// Checks that no result is written onto what a run reads: these files, its kernel and disks.
///
/// # Errors
/// [`Exit::Usage`]: it would be.
pub fn output(output: Option<&Path>, files: &[Option<&Path>], config: &Config) -> Result<()> {
    let id = |path: &Path| fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
    let Some((output, place)) = output.and_then(|path| Some((path, id(path)?))) else {
        // A file that is not there is no input.
        return Ok(());
    };
    let disks = config.disks.iter().filter_map(Disk::local_path).map(Path::new);
    let parts = [Some(config.kernel.as_path()), config.ramdisk.as_deref()];
    let mut inputs = parts.iter().chain(files).copied().flatten().chain(disks);
    match inputs.find(|input| id(input) == Some(place)) {
        Some(input) => {
            let (output, input) = (display::path(output), display::path(input));
            let why = format!("the output {output} would replace the input {input}");
            Err(Exit::Usage(format!("{why}; name another file")).into())
        }
        None => Ok(()),
    }
}

fn wrong(path: &Path, why: String, advice: &str) -> Exit {
    Exit::Usage(format!("{}: {why}; {advice}", display::path(path)))
}

/// Checks that a file is a kernel; else tells why it is none.
fn kernel(path: &Path) -> Result<(), String> {
    let mut start = Vec::new();
    let most = (LINUX_MAGIC.0 + LINUX_MAGIC.1.len()) as u64;
    let found = fs::metadata(path).map_err(|error| error.to_string())?;
    if !found.is_file() {
        return Err("it is no file".to_owned());
    }
    let file = File::open(path).map_err(|error| error.to_string())?;
    file.take(most).read_to_end(&mut start).map_err(|error| error.to_string())?;
    let (offset, mark) = LINUX_MAGIC;
    let is_kernel = KERNEL_MAGICS.iter().any(|magic| start.starts_with(magic))
        || start.get(offset..).is_some_and(|rest| rest.starts_with(mark));
    if is_kernel { Ok(()) } else { Err("it is no kernel that xl loads".to_owned()) }
}

/// Checks that a disk's target is there; else tells what is wrong with it. It is not opened: that
/// would make udev look at it.
pub fn target(disk: &Disk, path: &Path) -> Result<(), String> {
    let found = fs::metadata(path).map_err(|error| error.to_string())?;
    let kind = found.file_type();
    if !kind.is_block_device() && !kind.is_file() {
        return Err("it is neither a block device nor a file".to_owned());
    }
    if kind.is_file() && found.len() == 0 {
        return Err("it is empty".to_owned());
    }
    if kind.is_file() && found.permissions().readonly() && !disk.is_read_only() {
        return Err("it is read-only; add ,r to the disk".to_owned());
    }
    Ok(())
}

/// Checks that the guest has the disks that a job names, and that those it writes are writable.
fn disks(job: &Job, names: &[String], all: &[Disk]) -> Result<()> {
    for wanted in &job.disks {
        let found = names.iter().zip(all).find(|(name, _)| *name == wanted);
        let Some((_, disk)) = found else {
            let found = names.join(", ");
            let why = format!("filename=/dev/{wanted}: no such disk; the guest has {found}");
            return Err(Exit::Usage(why).into());
        };
        if disk.is_read_only() && (job.rw.writes() || job.rw.trims()) {
            let name = display::text(&job.name);
            let what = format!("job {name} writes /dev/{wanted}, which its --disk makes read-only");
            return Err(Exit::Usage(format!("{what}; give it ,w, or a job that reads")).into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_told_from_other_files() {
        let told = |path: &str| kernel(Path::new(path)).err().unwrap_or_default();
        assert_eq!(told("/proc/self/exe"), "");
        assert_eq!(told("/etc/passwd"), "it is no kernel that xl loads");
        assert_eq!(told("/etc"), "it is no file");
        assert!(told("/no/such/kernel").starts_with("No such file"));
    }

    #[test]
    fn targets_are_devices_or_files() {
        let told = |text: &str| {
            let disk = Disk::parse(text).unwrap();
            target(&disk, Path::new(disk.local_path().unwrap())).err().unwrap_or_default()
        };
        assert_eq!(told("/etc/passwd,raw,xvda,r"), "");
        for path in ["/etc", "/dev/null"] {
            assert_eq!(told(path), "it is neither a block device nor a file");
        }
        assert!(told("/no/such/disk").starts_with("No such file"));
    }

    #[test]
    fn jobs_write_what_they_may() {
        let disks = |disk: &str, job: &str| {
            let all = [Disk::parse(disk).unwrap()];
            let jobs = fio_job::parse(job).unwrap();
            super::disks(&jobs[0], &["xvda".to_owned()], &all).map_err(|error| error.to_string())
        };
        let read_only = "job a writes /dev/xvda, which its --disk makes read-only; give it ,w, or \
                         a job that reads";
        let missing = "filename=/dev/xvdb: no such disk; the guest has xvda";
        for (disk, job, expected) in [
            ("phy:/d,xvda,r", "--name=a --rw=randread --filename=xvda", Ok(())),
            ("phy:/d,xvda,w", "--name=a --rw=write --filename=xvda", Ok(())),
            ("phy:/d,xvda,r", "--name=a --rw=randrw --filename=xvda", Err(read_only)),
            ("phy:/d,xvda,r", "--name=a --rw=trim --filename=xvda", Err(read_only)),
            ("phy:/d,xvda,w", "--name=a --rw=read --filename=xvda:xvdb", Err(missing)),
            ("phy:/d,xvda,r", "--name=a --rw=read", Ok(())),
        ] {
            assert_eq!(disks(disk, job), expected.map_err(str::to_owned), "{disk} {job}");
        }
    }
}
