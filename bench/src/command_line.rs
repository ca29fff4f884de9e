//! The guest's command line: a few words that are the guest's own, and fio's options.

use alloc::string::String;

/// What the command line asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandLine {
    /// `selftest`: test the machine and end.
    pub selftest: bool,
    /// `hold`: stay connected after the report until the tool stack shuts the domain down.
    pub hold: bool,
    /// `mode=`: look into a file system instead of running jobs.
    pub look: Option<Look>,
    /// `help`, `--help`: show the options and end.
    pub help: bool,
    /// The rest, for [`job::parse`](crate::job::parse()).
    pub jobs: String,
}

/// What to look at in a file system; `filename=xvda:/path` says where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// `mode=ls`: a directory's names, and those below it.
    List,
    /// `mode=cat`: a file's bytes.
    Bytes,
    /// `mode=sum`: SHA-256 of a file, or of all files below a directory.
    Sums,
}

/// The text behind `help`; that of the job options ([`job::help`](crate::job::help)) follows it.
pub const HELP: &str = "\
ringmark: IOPS of Xen block devices, measured from inside a guest
jobs come in extra=, or as a job file in ramdisk=, or from the dom0 tool
several jobs: --name=a --rw=read ... --name=b ...   together; with ; one after the other
no job: 4k random reads in the three grant modes, on every writable disk

options, in extra=\"...\" of the guest's configuration:
  hypercall=direct|page        how the guest calls Xen (direct)
  mode=ls|cat|sum              show names, bytes or SHA-256 of filename=xvda:/path on an FFS
  hold                         stay connected after the report, until xl shutdown
  selftest                     test the machine, not the disks";

impl CommandLine {
    /// Takes the guest's own words out of the command line.
    ///
    /// # Errors
    /// A message for a word that is the guest's but has a wrong value.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let mut line = Self::default();
        for word in text.split_ascii_whitespace() {
            match word {
                "selftest" => line.selftest = true,
                "hold" => line.hold = true,
                "help" | "--help" => line.help = true,
                "hypercall=page" | "hypercall=direct" => {}
                _ if word.starts_with("hypercall=") => {
                    return Err("hypercall= is neither direct nor page");
                }
                "mode=ls" => line.look = Some(Look::List),
                "mode=cat" => line.look = Some(Look::Bytes),
                "mode=sum" => line.look = Some(Look::Sums),
                "mode=job" => line.look = None,
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
/// itself, for it is known before there is any heap.
pub fn wants_hypercall_page(text: &str) -> bool {
    let mut words = text.split_ascii_whitespace().rev();
    words.find(|word| word.starts_with("hypercall=")) == Some("hypercall=page")
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::borrow::ToOwned;

    #[test]
    fn the_guests_words_are_taken_out() {
        let line = CommandLine::parse("  --name=a hold\tmode=sum hypercall=page bs=4k ").unwrap();
        let jobs = "--name=a bs=4k".to_owned();
        let look = Some(Look::Sums);
        assert_eq!(line, CommandLine { hold: true, look, jobs, ..CommandLine::default() });
        assert_eq!(CommandLine::parse("mode=cat mode=job").unwrap(), CommandLine::default());
        assert!(CommandLine::parse("--help").unwrap().help);
        assert!(CommandLine::parse("selftest").unwrap().selftest);
        // Words that only look like them are a job's.
        assert_eq!(CommandLine::parse("--hold hold=1").unwrap().jobs, "--hold hold=1");
        for wrong in ["mode=", "mode=dd", "hypercall=", "hypercall=int80"] {
            assert!(CommandLine::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_last_way_to_call_counts() {
        assert!(wants_hypercall_page("a hypercall=direct hypercall=page b"));
        assert!(!wants_hypercall_page("hypercall=page hypercall=direct"));
        assert!(!wants_hypercall_page("xhypercall=page"));
    }
}
