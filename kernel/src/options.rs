//! The guest's own words on the command line; all others are fio options.

use alloc::string::String;

/// What the command line asks of the kernel.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `selftest`: test the machine and end.
    pub selftest: bool,
    /// `hold`: stay connected after the report until the tool stack shuts the domain down.
    pub hold: bool,
    /// `help`, `--help`: show the options and end.
    pub help: bool,
    /// The rest: jobs.
    pub jobs: String,
}

/// The text behind `help`.
pub const HELP: &str = "\
ringmark: IOPS of Xen block devices, measured from inside a guest

options, in extra=\"...\" of the guest's configuration:
  rw= bs= iodepth= runtime= time_based size= io_size= offset= filename= rwmixread=
  stonewall randseed= verify=crc32c|pattern verify_pattern= do_verify= verify_fatal=   as in fio
  grants=persistent|persistent-copy|per-request   how pages are granted (persistent)
  ringmark_poll_us=auto|N        poll so long before sleeping (auto)
  hypercall=direct|page          how the guest calls Xen (direct)
  hold                           stay connected after the report, until xl shutdown
  selftest                       test the machine, not the disks
several jobs: --name=a --rw=read ... --name=b ...   together; with ; one after the other
no job: 4k random reads in the three grant modes, on every writable disk";

/// Whether hypercalls are to go through the hypercall page: the last `hypercall=` decides. Known
/// before there is any heap.
pub fn wants_hypercall_page(command_line: &str) -> bool {
    let mut words = command_line.split_ascii_whitespace().rev();
    words.find(|word| word.starts_with("hypercall=")) == Some("hypercall=page")
}

impl Options {
    /// Takes the kernel's words out of the command line.
    ///
    /// # Errors
    /// A message for a word that is the kernel's but has a wrong value.
    pub fn parse(command_line: &str) -> Result<Self, &'static str> {
        let mut options = Self::default();
        for word in command_line.split_ascii_whitespace() {
            match word {
                "selftest" => options.selftest = true,
                "hold" => options.hold = true,
                "help" | "--help" => options.help = true,
                "hypercall=page" | "hypercall=direct" => {}
                _ if word.starts_with("hypercall=") => {
                    return Err("hypercall= is neither direct nor page");
                }
                _ => {
                    if !options.jobs.is_empty() {
                        options.jobs.push(' ');
                    }
                    options.jobs.push_str(word);
                }
            }
        }
        Ok(options)
    }
}
