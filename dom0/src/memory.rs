//! Memory that a guest needs for its jobs, computed as the guest will.

use std::cmp;

use anyhow::Result;
use boot_info::frames;
use fio_job::Job;
use load::plan::{Offer, Offers, Plan, Vbd};
use xl_config::Config;

use crate::exit::Exit;

/// vCPUs that a guest uses at most.
const VCPUS_MAX: u32 = load::plan::VCPUS_MAX as u32;

/// Memory that a guest needs. What it depends on besides jobs, disks and vCPUs, their backends say
/// only to the guest: queues, pages of a ring, segments of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// MiB that it needs with any backend; `None` if it is more than a guest can use.
    pub least_mib: Option<u64>,
    /// MiB that suffice with backends that offer all that the guest can use.
    pub most_mib: Option<u64>,
}

impl Need {
    /// Returns what a guest with the disks and vCPUs of this configuration needs for the jobs;
    /// `None` if they are none of its disks': the guest, or another check, says so.
    pub fn of(config: &Config, jobs: &[Job]) -> Option<Self> {
        let writable = |(vdev, is_read_only): (_, bool)| Vbd { vdev, is_writable: !is_read_only };
        let modes = config.disks.iter().map(xl_config::Disk::is_read_only);
        let mut vbds: Vec<Vbd> =
            config.vdevs().ok()?.into_iter().zip(modes).map(writable).collect();
        vbds.sort_by_key(|vbd| vbd.vdev);
        let plan = Plan::new(jobs.to_vec(), &vbds).ok()?;
        let vcpus: Vec<u32> = (0..config.vcpus.min(VCPUS_MAX)).collect();
        let mib = |offers: Offers<'_>| {
            let need = plan.need(&vcpus, offers);
            frames::needed_mib(need.heap_bytes, need.pages)
        };
        Some(Self { least_mib: mib(&|_| None), most_mib: mib(&|_| Some(Offer::MOST)) })
    }

    /// Checks that so much memory may suffice.
    ///
    /// # Errors
    /// [`Exit::Usage`], with the figure: it does with no backend.
    pub fn check(self, memory_mib: u32) -> Result<()> {
        let what = format!("--memory={memory_mib} is not enough");
        let (needs, advice) = match self.least_mib {
            Some(mib) if mib <= memory_mib.into() => return Ok(()),
            Some(mib) => {
                (format!("the jobs need {mib} MiB"), format!("set --memory={mib}{}", self.more()))
            }
            None => ("the jobs need more than a guest can use".to_owned(), String::new()),
        };
        let advice = if advice.is_empty() { advice } else { advice + ", or " };
        let why = format!("{what}: {needs}; {advice}lower iodepth=, bs= or the number of disks");
        Err(Exit::Usage(why).into())
    }

    /// Returns the end of an advice to give so much memory as is the least.
    fn more(self) -> String {
        match self.most_mib {
            Some(most) if self.most_mib != self.least_mib => {
                format!(" or more, up to {most} for a backend with large rings and requests")
            }
            _ => String::new(),
        }
    }

    /// Returns how much memory a guest is given that has `usual_mib` otherwise.
    pub fn given(self, usual_mib: u32) -> u32 {
        let wanted = self.most_mib.or(self.least_mib).and_then(|mib| u32::try_from(mib).ok());
        wanted.map_or(usual_mib, |mib| cmp::max(mib, usual_mib))
    }
}

/// Returns the line on memory of a `--dry-run`.
pub fn line(config: &Config, jobs: &[Job]) -> String {
    let mib = |mib: Option<u64>| match mib {
        Some(mib) => format!("{mib} MiB"),
        None => "more than a guest can use".to_owned(),
    };
    match Need::of(config, jobs) {
        Some(Need { least_mib, most_mib }) if least_mib == most_mib => {
            format!("needs {}", mib(least_mib))
        }
        Some(Need { least_mib, most_mib }) => format!(
            "needs {} at least, {} if the backend offers large rings, requests and many queues",
            mib(least_mib),
            mib(most_mib)
        ),
        None => "not known before the guest has its disks".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xl_config::Disk;

    fn need(disks: usize, vcpus: u32, line: &str) -> Need {
        let disk = |n: usize| Disk::parse(&format!("phy:/dev/ram{n}")).unwrap();
        let disks = (0..disks).map(disk).collect();
        let jobs = fio_job::parse(line).unwrap();
        Need::of(&Config { disks, vcpus, ..Config::default() }, &jobs).unwrap()
    }

    #[test]
    fn more_is_needed_for_more() {
        let most = |disks, vcpus, line| need(disks, vcpus, line).most_mib.unwrap();
        let small = most(1, 1, "iodepth=1");
        assert!(small <= 8, "{small}");
        for (disks, vcpus, line) in [
            (1, 1, "iodepth=32 bs=1m"),
            (8, 1, "numjobs=8 iodepth=256"),
            (1, 1, "numjobs=40"),
            (1, 32, "numjobs=32"),
            (1, 1, "bs=1m iodepth=8 grants=persistent-copy"),
        ] {
            assert!(most(disks, vcpus, line) > small, "{line}");
        }
    }

    #[test]
    fn what_no_backend_can_do_is_refused_with_the_figure() {
        let need = need(1, 1, "bs=4m iodepth=8");
        let least = need.least_mib.unwrap();
        assert!(need.most_mib.unwrap() > least);
        let least = u32::try_from(least).unwrap();
        assert!(need.check(least).is_ok());
        let error = need.check(least - 1).unwrap_err().to_string();
        let expected = format!(
            "--memory={} is not enough: the jobs need {least} MiB; set --memory={least}",
            least - 1
        );
        assert!(error.starts_with(&expected), "{error}");
        let endless = Need { least_mib: None, most_mib: None };
        let error = endless.check(4096).unwrap_err().to_string();
        assert!(error.contains("more than a guest can use; lower iodepth="), "{error}");
    }

    #[test]
    fn a_guest_is_given_what_it_needs_and_the_usual_at_least() {
        for (least_mib, most_mib, given) in [
            (Some(5), Some(9), 64),
            (Some(5), Some(65), 65),
            (Some(70), None, 70),
            (None, None, 64),
        ] {
            assert_eq!(Need { least_mib, most_mib }.given(64), given);
        }
    }

    #[test]
    fn jobs_of_other_disks_need_nothing_known() {
        let jobs = fio_job::parse("filename=xvdq").unwrap();
        let disks = vec![Disk::parse("phy:/dev/ram0").unwrap()];
        let config = Config { disks, ..Config::default() };
        assert_eq!(Need::of(&config, &jobs), None);
        assert!(line(&config, &jobs).starts_with("not known"));
    }
}
