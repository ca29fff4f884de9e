//! Memory and grants that a guest needs for its jobs, computed as the guest will.

use std::cmp;

use anyhow::Result;
use boot_info::frames;
use fio_job::Job;
use load::plan::{self, GRANT_FRAMES_MAX, Plan, VCPUS_MAX, Vbd};
use xl_config::Config;

use crate::exit::Exit;

/// Pages of a grant table as `xl` gives them (`max_grant_frames` of xl.conf(5)).
const GRANT_FRAMES: u64 = 64;

/// Memory and grants that a guest needs. What they depend on besides jobs, disks and vCPUs, their
/// backends say only to the guest: queues, pages of a ring, segments of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// Need with any backend.
    pub least: Amount,
    /// Need with any backend like Linux's or QEMU's.
    pub most: Amount,
    /// Memory that the guest can use of the least with its grants, in MiB.
    enough_mib: Option<u64>,
    /// Memory that the guest can use of the most with its grants, in MiB.
    useful_mib: Option<u64>,
    /// Pages of the grant table without which some disk could have no I/O in flight.
    grant_frames_least: Option<u64>,
    /// Pages that its grant table may have.
    grant_frames: u64,
}

/// Memory, and pages of a grant table; `None` is more than a guest can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount {
    /// Memory, in MiB.
    pub mib: Option<u64>,
    /// Pages of the grant table.
    pub grant_frames: Option<u64>,
}

impl Amount {
    fn of(need: &plan::Need) -> Self {
        let mib = frames::needed_mib(need.heap_bytes, need.pages);
        Self { mib, grant_frames: need.grant_frames() }
    }
}

impl Need {
    /// Returns what a guest with the disks and vCPUs of this configuration needs for the jobs;
    /// `None` if they are none of its disks': the guest, or another check, says so.
    pub fn of(config: &Config, jobs: &[Job]) -> Option<Self> {
        let writable = |(vdev, is_read_only): (_, bool)| Vbd { vdev, is_writable: !is_read_only };
        let vdevs = config.vdevs().ok()?;
        let modes = config.disks.iter().map(xl_config::Disk::is_read_only);
        let mut vbds: Vec<Vbd> = vdevs.iter().copied().zip(modes).map(writable).collect();
        vbds.sort_by_key(|vbd| vbd.vdev);
        let plan = Plan::new(jobs.to_vec(), &vbds).ok()?;
        let vcpus: Vec<u32> = (0..config.vcpus.min(VCPUS_MAX as u32)).collect();
        let names: Vec<String> = vdevs.iter().map(ToString::to_string).collect();
        let is_trusted = |disk: &str| {
            let mut disks = names.iter().zip(&config.disks);
            disks.all(|(name, of)| name != disk || of.is_trusted())
        };
        let most = plan.most_need(&vcpus, &is_trusted);
        let least = plan.need(&vcpus, &|_| None);
        let given = config.number("max_grant_frames").unwrap_or(GRANT_FRAMES);
        let grant_frames = given.min(GRANT_FRAMES_MAX.into());
        Some(Self {
            least: Amount::of(&least),
            most: Amount::of(&most),
            enough_mib: Amount::of(&least.within_grants(grant_frames)).mib,
            useful_mib: Amount::of(&most.within_grants(grant_frames)).mib,
            grant_frames_least: least.grant_frames_least(),
            grant_frames,
        })
    }

    /// Checks that so much memory, and its grants, may suffice.
    ///
    /// # Errors
    /// [`Exit::Usage`], with the figure: they do with no backend.
    pub fn check(self, memory_mib: u32) -> Result<()> {
        let (what, needs, advice) = match (self.enough_mib, self.grant_frames_least) {
            (Some(mib), _) if mib > memory_mib.into() => (
                format!("--memory={memory_mib} is not enough"),
                format!("the jobs need {mib} MiB"),
                format!("set --memory={mib}{}, or ", self.more()),
            ),
            (Some(_), Some(frames)) if frames <= self.grant_frames => return Ok(()),
            (Some(_), Some(frames)) => (
                format!("max_grant_frames={} is not enough", self.grant_frames),
                format!("the jobs need {frames}"),
                format!("set --set max_grant_frames={frames}, or "),
            ),
            (mib, _) => (
                match mib {
                    Some(_) => format!("max_grant_frames={} is not enough", self.grant_frames),
                    None => format!("--memory={memory_mib} is not enough"),
                },
                "the jobs need more than a guest can use".to_owned(),
                String::new(),
            ),
        };
        let why = format!("{what}: {needs}; {advice}lower iodepth=, bs= or the number of disks");
        Err(Exit::Usage(why).into())
    }

    /// Returns the end of an advice to give so much memory as is the least.
    fn more(self) -> String {
        match self.useful_mib {
            Some(most) if self.useful_mib != self.enough_mib => {
                format!(" or more, up to {most} for a backend like Linux's")
            }
            _ => String::new(),
        }
    }

    /// Returns how much memory a guest is given that has `usual_mib` otherwise.
    pub fn given(self, usual_mib: u32) -> u32 {
        let wanted = self.useful_mib.or(self.enough_mib).and_then(|mib| u32::try_from(mib).ok());
        wanted.map_or(usual_mib, |mib| cmp::max(mib, usual_mib))
    }
}

/// Returns the line on memory and grants of a `--dry-run`.
pub fn line(config: &Config, jobs: &[Job]) -> String {
    let Some(Need { least, most, grant_frames, .. }) = Need::of(config, jobs) else {
        return "not known before the guest has its disks".to_owned();
    };
    let amount = |Amount { mib, grant_frames: frames }: Amount| {
        let mib = match mib {
            Some(mib) => format!("{mib} MiB"),
            None => "more than a guest can use".to_owned(),
        };
        match frames {
            Some(frames) if frames > grant_frames => format!("{mib} and max_grant_frames={frames}"),
            Some(_) => mib,
            None => format!("{mib} and more grants than a guest can use"),
        }
    };
    match (amount(least), amount(most)) {
        (least, most) if least == most => format!("needs {least}"),
        (least, most) => format!("needs {least} at least, {most} with any backend like Linux's"),
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

    fn amounts(least_mib: Option<u64>, most_mib: Option<u64>) -> Need {
        let amount = |mib| Amount { mib, grant_frames: Some(1) };
        let (least, most) = (amount(least_mib), amount(most_mib));
        Need {
            least,
            most,
            enough_mib: least_mib,
            useful_mib: most_mib,
            grant_frames_least: Some(1),
            grant_frames: 64,
        }
    }

    #[test]
    fn more_is_needed_for_more() {
        let most = |disks, vcpus, line| need(disks, vcpus, line).most.mib.unwrap();
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
        let least = need.least.mib.unwrap();
        assert!(need.most.mib.unwrap() > least);
        let least = u32::try_from(least).unwrap();
        assert!(need.check(least).is_ok());
        let error = need.check(least - 1).unwrap_err().to_string();
        let expected = format!(
            "--memory={} is not enough: the jobs need {least} MiB; set --memory={least}",
            least - 1
        );
        assert!(error.starts_with(&expected), "{error}");
        let endless = amounts(None, None);
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
            assert_eq!(amounts(least_mib, most_mib).given(64), given);
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

    #[test]
    fn copies_for_a_backend_that_is_not_trusted_need_memory() {
        let jobs = fio_job::parse("bs=1m iodepth=32").unwrap();
        let of = |disk: &str| {
            let disks = vec![Disk::parse(disk).unwrap()];
            Need::of(&Config { disks, vcpus: 1, ..Config::default() }, &jobs).unwrap()
        };
        let (trusted, untrusted) =
            (of("phy:/dev/ram0"), of("vdev=xvda,untrusted,target=/dev/ram0"));
        assert!(untrusted.most.mib > trusted.most.mib, "{trusted:?} {untrusted:?}");
        assert_eq!(untrusted.most.grant_frames, trusted.most.grant_frames);
    }

    /// A backend without indirect segments may take more than one with many.
    #[test]
    fn the_most_is_of_any_usual_backend() {
        let need = need(1, 1, "bs=48k iodepth=256");
        // 512 requests of 11 pages on a ring of 16; of 12 and one for segments there are 256.
        assert_eq!(need.most.grant_frames, Some((16 + 512 * 11 + 8_u64).div_ceil(512)));
    }

    fn with_frames(line: &str, frames: &str) -> (Need, String) {
        let settings = vec![xl_config::Settings::parse(frames).unwrap()];
        let disks = (0..8).map(|n| Disk::parse(&format!("phy:/dev/ram{n}")).unwrap()).collect();
        let config = Config { disks, settings, vcpus: 1, ..Config::default() };
        let jobs = fio_job::parse(line).unwrap();
        (Need::of(&config, &jobs).unwrap(), self::line(&config, &jobs))
    }

    #[test]
    fn grants_that_do_not_suffice_are_told_with_what_does() {
        let line = "bs=1m iodepth=256";
        let (usual, told) = with_frames(line, "tsc_mode=\"native\"");
        let frames = usual.most.grant_frames.unwrap();
        assert!(usual.least.grant_frames.unwrap() <= 64 && frames > 64, "{usual:?}");
        assert!(told.contains(&format!("and max_grant_frames={frames} with any")), "{told}");
        // Memory that nothing can be granted of is given to nobody.
        let (enough, told) = with_frames(line, &format!("max_grant_frames={frames}"));
        assert!(!told.contains("max_grant_frames"), "{told}");
        assert!(usual.given(16) < enough.given(16), "{usual:?} {enough:?}");
        assert_eq!(u64::from(enough.given(16)), enough.most.mib.unwrap());
    }

    /// Job of XCP-ng's documentation: I/Os wait for others, with the memory that grants can use.
    #[test]
    fn a_depth_beyond_the_grants_is_taken() {
        let (need, told) = with_frames("filename=xvda bs=4M iodepth=64", "max_grant_frames=64");
        assert!(need.most.grant_frames.unwrap() > 64, "{need:?}");
        assert!(told.contains(" MiB and max_grant_frames="), "{told}");
        let given = need.given(64);
        assert!((128..192).contains(&given), "{given}");
        assert!(need.check(given).is_ok() && need.check(4).is_err());
    }

    #[test]
    fn grants_that_suffice_for_no_backend_are_refused() {
        let line = "bs=16m iodepth=256";
        let (need, _) = with_frames(line, "max_grant_frames=255");
        let frames = need.grant_frames_least.unwrap();
        assert!(need.check(4000).is_ok());
        assert!(with_frames(line, &format!("max_grant_frames={frames}")).0.check(4000).is_ok());
        let (less, _) = with_frames(line, &format!("max_grant_frames={:#x}", frames - 1));
        let error = less.check(4000).unwrap_err().to_string();
        let expected = format!(
            "max_grant_frames={} is not enough: the jobs need {frames}; set --set \
             max_grant_frames={frames}, or lower",
            frames - 1
        );
        assert!(error.starts_with(&expected), "{error}");
    }
}
