//! Command line of the guest: a few words of its own, and fio's options.

mod loader;

use alloc::string::String;

/// Longest command line, in bytes.
pub const COMMAND_LINE_BYTES_MAX: usize = 4096;

/// Command line, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandLine {
    /// Self-test to run instead of jobs: `selftest`, `selftest=`.
    pub selftest: Option<Selftest>,
    /// Whether to stay connected after the report until the tool stack shuts the domain down
    /// (`hold`).
    pub hold: bool,
    /// Whether to wait before each stage until dom0 lets it begin (`barrier`).
    pub barrier: bool,
    /// View of a file system to show instead of running jobs: `mode=`.
    pub inspect: Option<Inspect>,
    /// Whether to show the options and end: `help`, `--help`.
    pub help: bool,
    /// Remaining words, for `fio_job::parse`.
    pub jobs: String,
}

/// Self-test of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selftest {
    /// All checks: `selftest`.
    Checks,
    /// Stack overflow, to see that it is reported as one: `selftest=overflow`.
    Overflow,
    /// Fault during the report of a crash, to see that it is reported too: `selftest=nested-fault`.
    NestedFault,
    /// Stack overflow on another vCPU: `selftest=vcpu-overflow`.
    VcpuOverflow,
}

/// View of a file system, at the path in `filename=xvda:/path`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inspect {
    /// Names in a directory and below it: `mode=ls`.
    List,
    /// Bytes of a file: `mode=cat`.
    Bytes,
    /// SHA-256 of a file, or of all files below a directory: `mode=sum`.
    Sums,
}

/// Text for `help`, followed by the help of the job options (`fio_job::help`).
pub const HELP: &str = "\
ringmark: IOPS of Xen block devices, measured from inside a guest
give jobs in extra=, as a job file in ramdisk=, or with the dom0 tool
several jobs: --name=a --rw=read ... --name=b ... run together; jobs divided by ; run in turn
no job: 4k random reads in the three grant modes, on every writable disk

options, in extra=\"...\" of the guest's configuration:
  hypercall=direct|page        way to call Xen (direct)
  mode=ls|cat|sum              show names, bytes or SHA-256 of filename=xvda:/path on an FFS;
                               mode=ls filename=xvda lists the disk's partitions
  hold                         stay connected after the report, until xl shutdown
  barrier                      wait before each stage for the node ringmark/start of xenstore
  selftest                     test the machine, not the disks
                               (=overflow, =nested-fault, =vcpu-overflow crash it)";

impl CommandLine {
    /// Takes the guest's own words out of the command line that it was booted with, and drops words
    /// for a Linux kernel, which a loader may have added.
    ///
    /// # Errors
    /// The errors of [`parse`](Self::parse).
    pub fn booted(text: &str) -> Result<Self, &'static str> {
        Self::without(text, loader::is_for_linux)
    }

    /// Takes the guest's own words out of the command line.
    ///
    /// # Errors
    /// A message if one of the guest's own words has a wrong value.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        Self::without(text, |_| false)
    }

    /// Parses `text` without the words for which `is_left_out` returns true. A blank inside
    /// quotation marks is a part of its word.
    fn without(text: &str, is_left_out: fn(&str) -> bool) -> Result<Self, &'static str> {
        let mut line = Self::default();
        let mut ends_word = word_ends();
        let words = text.split(move |c: char| u8::try_from(c).is_ok_and(&mut ends_word));
        for word in words.filter(|word| !word.is_empty()) {
            match word {
                _ if is_left_out(word) => {}
                "selftest" => line.selftest = Some(Selftest::Checks),
                "selftest=overflow" => line.selftest = Some(Selftest::Overflow),
                "selftest=nested-fault" => line.selftest = Some(Selftest::NestedFault),
                "selftest=vcpu-overflow" => line.selftest = Some(Selftest::VcpuOverflow),
                _ if word.starts_with("selftest=") => {
                    return Err("selftest= must be overflow, nested-fault or vcpu-overflow");
                }
                "hold" => line.hold = true,
                "barrier" => line.barrier = true,
                "help" | "--help" => line.help = true,
                "hypercall=page" | "hypercall=direct" => {}
                _ if word.starts_with("hypercall=") => {
                    return Err("hypercall= must be direct or page");
                }
                "mode=ls" => line.inspect = Some(Inspect::List),
                "mode=cat" => line.inspect = Some(Inspect::Bytes),
                "mode=sum" => line.inspect = Some(Inspect::Sums),
                "mode=job" => line.inspect = None,
                _ if word.starts_with("mode=") => {
                    return Err("mode= must be job, ls, cat or sum");
                }
                _ => {
                    if !line.jobs.is_empty() {
                        line.jobs.push(' ');
                    }
                    line.jobs.push_str(word);
                }
            }
        }
        Ok(line)
    }
}

/// Returns whether hypercalls go through the hypercall page: the last `hypercall=` decides. Needs
/// no heap and accepts any bytes, because the kernel asks before it has a heap or has checked the
/// text.
pub fn wants_hypercall_page(text: &[u8]) -> bool {
    let mut ends_word = word_ends();
    let words = text.split(move |byte| ends_word(*byte));
    let ways = words.filter(|word| word.starts_with(b"hypercall="));
    ways.fold(false, |_, way| way == b"hypercall=page")
}

/// Returns a function that tells, for each byte of a command line in turn, whether it ends a word.
fn word_ends() -> impl FnMut(u8) -> bool {
    let mut is_quoted = false;
    move |byte| {
        is_quoted ^= byte == b'"';
        !is_quoted && byte.is_ascii_whitespace()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::borrow::ToOwned;

    #[test]
    fn the_guests_words_are_taken_out() {
        let line = CommandLine::parse("  --name=a hold\tmode=sum hypercall=page bs=4k ").unwrap();
        let jobs = "--name=a bs=4k".to_owned();
        let inspect = Some(Inspect::Sums);
        assert_eq!(line, CommandLine { hold: true, inspect, jobs, ..CommandLine::default() });
        assert_eq!(CommandLine::parse("mode=cat mode=job").unwrap(), CommandLine::default());
        assert!(CommandLine::parse("--help").unwrap().help);
        let selftest = |text| CommandLine::parse(text).unwrap().selftest;
        assert_eq!(selftest("selftest"), Some(Selftest::Checks));
        assert_eq!(selftest("selftest=overflow"), Some(Selftest::Overflow));
        assert_eq!(selftest("selftest=vcpu-overflow"), Some(Selftest::VcpuOverflow));
        assert_eq!(selftest("selftest=nested-fault"), Some(Selftest::NestedFault));
        // Words that merely resemble them belong to a job, and so do those in quotation marks.
        for jobs in
            ["--hold hold=1", "name=\"a  hold\thelp\" description=\"mode=x\"", "\"hold hold"]
        {
            let expected = CommandLine { jobs: jobs.to_owned(), ..CommandLine::default() };
            assert_eq!(CommandLine::parse(jobs), Ok(expected));
        }
        for wrong in ["mode=", "mode=dd", "hypercall=", "hypercall=int80", "selftest="] {
            assert!(CommandLine::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn words_for_linux_are_left_out() {
        for (text, jobs) in [
            (
                "root=/dev/mapper/dmroot ro nomodeset console=hvc0 rd_NO_PLYMOUTH \
                 rd.plymouth.enable=0 plymouth.enable=0 clocksource=tsc xen_privcmd.unrestricted \
                 xen_scrub_pages=0 selinux=0 swiotlb=2048 rw=read bs=4k",
                "rw=read bs=4k",
            ),
            ("BOOT_IMAGE=/boot/vmlinuz root=UUID=3f-e1 ro quiet splash vt.handoff=7", ""),
            ("placeholder root=/dev/xvda1 rw earlyprintk=xen loglevel=8 -- --bs=8k", "--bs=8k"),
            ("root=/dev/xvda", ""),
            // Qubes for domains with and without devices, and EVE-OS.
            (
                "root=/dev/mapper/dmroot ro nomodeset console=hvc0 rd_NO_PLYMOUTH \
                 rd.plymouth.enable=0 plymouth.enable=0 nopat iommu=soft swiotlb=8192 rw=randread",
                "rw=randread",
            ),
            ("rd_NO_PLYMOUTH plymouth.enable=0 nopat hold=1", "hold=1"),
            ("console=hvc0 appuuid=6ba7b810-9dad-11d1-80b4-00c04fd430c8 --bs=4k", "--bs=4k"),
            ("mitigations=off nopti nospectre_v2 nosmt pci=nomsi", ""),
            // fio's option, and unknown words.
            ("clocksource=cpu", "clocksource=cpu"),
            ("iodpeth=4 ro roo root", "iodpeth=4 roo root"),
            ("foo.bar=1 .=1 rd=1", "foo.bar=1 .=1 rd=1"),
            ("buffer_pattern=\"a ro b\" ro", "buffer_pattern=\"a ro b\""),
        ] {
            assert_eq!(CommandLine::booted(text).unwrap().jobs, jobs, "{text}");
        }
        let line = CommandLine::booted("ro hold mode=sum quiet").unwrap();
        let inspect = Some(Inspect::Sums);
        assert_eq!(line, CommandLine { hold: true, inspect, ..CommandLine::default() });
        assert!(CommandLine::booted("ro mode=x").is_err());
        // In jobs from other sources the same words are deliberate.
        assert_eq!(CommandLine::parse("ro bs=4k").unwrap().jobs, "ro bs=4k");
        assert!(fio_job::parse_file("[a]\nroot=/dev/xvda").is_err());
    }

    #[test]
    fn the_last_way_to_call_counts() {
        assert!(wants_hypercall_page(b"a hypercall=direct hypercall=page b"));
        assert!(!wants_hypercall_page(b"hypercall=page hypercall=direct"));
        assert!(!wants_hypercall_page(b"xhypercall=page"));
        assert!(wants_hypercall_page(b"\xff hypercall=page \x80"));
        assert!(!wants_hypercall_page(b"name=\"a hypercall=page\""));
    }
}
