//! The guest's command line: a few words that are the guest's own, and fio's options.

mod loader;

use alloc::string::String;

/// What the command line asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandLine {
    /// `selftest`, `selftest=`: test the machine and end.
    pub selftest: Option<Selftest>,
    /// `hold`: stay connected after the report until the tool stack shuts the domain down.
    pub hold: bool,
    /// `mode=`: look into a file system instead of running jobs.
    pub inspect: Option<Inspect>,
    /// `help`, `--help`: show the options and end.
    pub help: bool,
    /// The rest, for `fio_job::parse`.
    pub jobs: String,
}

/// How to test the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selftest {
    /// `selftest`: all checks.
    Checks,
    /// `selftest=overflow`: run out of stack, which is to be reported as that.
    Overflow,
    /// `selftest=nested-fault`: fault while a crash is being reported, which is to be reported too.
    NestedFault,
}

/// What to look at in a file system; `filename=xvda:/path` says where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inspect {
    /// `mode=ls`: a directory's names, and those below it.
    List,
    /// `mode=cat`: a file's bytes.
    Bytes,
    /// `mode=sum`: SHA-256 of a file, or of all files below a directory.
    Sums,
}

/// The text behind `help`; that of the job options (`fio_job::help`) follows it.
pub const HELP: &str = "\
ringmark: IOPS of Xen block devices, measured from inside a guest
jobs come in extra=, or as a job file in ramdisk=, or from the dom0 tool
several jobs: --name=a --rw=read ... --name=b ...   together; with ; one after the other
no job: 4k random reads in the three grant modes, on every writable disk

options, in extra=\"...\" of the guest's configuration:
  hypercall=direct|page        how the guest calls Xen (direct)
  mode=ls|cat|sum              show names, bytes or SHA-256 of filename=xvda:/path on an FFS
  hold                         stay connected after the report, until xl shutdown
  selftest                     test the machine, not the disks
                               (=overflow, =nested-fault crash it)";

impl CommandLine {
    /// Takes the guest's own words out of the command line that it was booted with, and leaves out
    /// those for a Linux kernel, which a loader may have put there.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn booted(text: &str) -> Result<Self, &'static str> {
        Self::without(text, loader::is_for_linux)
    }

    /// Takes the guest's own words out of the command line.
    ///
    /// # Errors
    /// A message for a word that is the guest's but has a wrong value.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        Self::without(text, |_| false)
    }

    /// Parses it but for the words that `is_left_out`, unless they are within quotation marks.
    fn without(text: &str, is_left_out: fn(&str) -> bool) -> Result<Self, &'static str> {
        let mut line = Self::default();
        let mut is_quoted = false;
        for word in text.split_ascii_whitespace() {
            let was_quoted = is_quoted;
            is_quoted ^= word.matches('"').count() % 2 == 1;
            match word {
                _ if !was_quoted && is_left_out(word) => {}
                "selftest" => line.selftest = Some(Selftest::Checks),
                "selftest=overflow" => line.selftest = Some(Selftest::Overflow),
                "selftest=nested-fault" => line.selftest = Some(Selftest::NestedFault),
                _ if word.starts_with("selftest=") => {
                    return Err("selftest= is neither overflow nor nested-fault");
                }
                "hold" => line.hold = true,
                "help" | "--help" => line.help = true,
                "hypercall=page" | "hypercall=direct" => {}
                _ if word.starts_with("hypercall=") => {
                    return Err("hypercall= is neither direct nor page");
                }
                "mode=ls" => line.inspect = Some(Inspect::List),
                "mode=cat" => line.inspect = Some(Inspect::Bytes),
                "mode=sum" => line.inspect = Some(Inspect::Sums),
                "mode=job" => line.inspect = None,
                _ if word.starts_with("mode=") => {
                    return Err("mode= is none of job, ls, cat and sum");
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

/// Whether hypercalls are to go through the hypercall page: the last `hypercall=` decides. By
/// itself, for it is known before there is any heap, and of bytes that nobody has looked at yet.
pub fn wants_hypercall_page(text: &[u8]) -> bool {
    let mut words = text.rsplit(u8::is_ascii_whitespace);
    words.find(|word| word.starts_with(b"hypercall=")) == Some(b"hypercall=page")
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
        assert_eq!(selftest("selftest=nested-fault"), Some(Selftest::NestedFault));
        // Words that only look like them are a job's.
        assert_eq!(CommandLine::parse("--hold hold=1").unwrap().jobs, "--hold hold=1");
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
            // fio's, and what nobody knows.
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
        // Whoever writes jobs elsewhere wrote these words himself.
        assert_eq!(CommandLine::parse("ro bs=4k").unwrap().jobs, "ro bs=4k");
        assert!(fio_job::parse_file("[a]\nroot=/dev/xvda").is_err());
    }

    #[test]
    fn the_last_way_to_call_counts() {
        assert!(wants_hypercall_page(b"a hypercall=direct hypercall=page b"));
        assert!(!wants_hypercall_page(b"hypercall=page hypercall=direct"));
        assert!(!wants_hypercall_page(b"xhypercall=page"));
        assert!(wants_hypercall_page(b"\xff hypercall=page \x80"));
    }
}
