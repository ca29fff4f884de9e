//! Linux guests beside ours (`--mix`), which run the same job with fio.

use anyhow::Result;
use xl_config::Config;

use super::pattern::{self, GUESTS_MAX};
use crate::exit::Exit;
use crate::peer::{self, PeerOptions};
use crate::plan::Plan;

/// Prefix of their number in `--mix`.
const LINUX: &str = "linux:";

/// Linux guests, and the job file of each.
#[derive(Debug)]
pub struct Company {
    /// Their configurations; the initramfs of each lacks the job.
    pub guests: Vec<Config>,
    /// Job file for fio.
    pub job: String,
}

/// Reads how many Linux guests there are to be.
///
/// # Errors
/// What is wrong with the text.
pub fn parse(text: &str) -> Result<u32, String> {
    let count = text.strip_prefix(LINUX).and_then(|count| count.parse().ok());
    count
        .filter(|count| (1..=GUESTS_MAX).contains(count))
        .ok_or_else(|| format!("write linux:COUNT, with a number from 1 to {GUESTS_MAX}"))
}

impl Company {
    /// Returns `count` Linux guests with the numbers behind `before`, made of `base`, for the jobs
    /// of this text and plan.
    ///
    /// # Errors
    /// [`Exit::Usage`]: too many guests; jobs that Linux guests can't run together with ours; a
    /// guest that xl could not make.
    pub fn new(
        options: &PeerOptions,
        base: Config,
        (text, plan): (&str, &Plan),
        before: u32,
        count: u32,
    ) -> Result<Self> {
        peer::check_jobs(plan)?;
        if before.saturating_add(count) > GUESTS_MAX {
            let why = format!("--guests and --mix make more than {GUESTS_MAX} guests; lower one");
            return Err(Exit::Usage(why).into());
        }
        if plan.stage_count() > 1 {
            // fio begins them by itself, and waits for nobody.
            let why = "a Linux guest waits for the others before its first jobs only; leave out \
                       stonewall, or --mix";
            return Err(Exit::Usage(why.to_owned()).into());
        }
        let job = peer::job(text, &base.linux_disk_names()?);
        let numbers = before.saturating_add(1)..=before.saturating_add(count);
        Ok(Self { guests: pattern::guests(&options.config(base)?, numbers)?, job })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_linux_guests_is_read() {
        assert_eq!((parse("linux:1"), parse("linux:1000")), (Ok(1), Ok(1000)));
        for text in ["", "2", "linux", "linux:", "linux:0", "linux:1001", "linux:-1", "bsd:2"] {
            assert!(parse(text).unwrap_err().starts_with("write linux:COUNT"), "{text}");
        }
    }
}
