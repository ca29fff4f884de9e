//! `jobs`: commands of fio that others publish for their storage run as they are, by `ringmark run`
//! in dom0; only the name of the disk is ours.

use std::process::ExitCode;

use anyhow::{Context, Result, ensure};

use crate::image::Image;
use crate::ramdisk::Ramdisks;
use crate::rig::{GUEST_KERNEL, Rig};
use crate::scenario::test::Tally;
use crate::steps::{Outcome, Seen, Step};

/// Published commands and job files of one source.
struct Source {
    /// Name of the source.
    name: &'static str,
    /// Options that all of its commands have.
    common: &'static str,
    /// Other options of each command.
    lines: &'static [&'static str],
    /// Job file, which takes the place of commands.
    file: &'static str,
}

/// Sources: XCP-ng's page on performance tests, kubestr's default job, dbench, and yabs with its
/// four block sizes. Sizes are their defaults.
const SOURCES: [Source; 4] = [
    Source {
        name: "XCP-ng",
        common: "--randrepeat=1 --ioengine=libaio --direct=1 --gtod_reduce=1 --name=test \
                 --filename=/dev/xvda --iodepth=64 --size=4G --ramp_time=4",
        lines: &[
            "--bs=4k --readwrite=randwrite",
            "--bs=4k --readwrite=randread",
            "--bs=4M --readwrite=write",
            "--bs=4M --readwrite=read",
        ],
        file: "",
    },
    Source {
        name: "kubestr",
        common: "",
        lines: &[],
        file: "[global]\nrandrepeat=0\nverify=0\nioengine=libaio\ndirect=1\ngtod_reduce=1\n\
               filename=/dev/xvda\n\
               [job1]\nname=read_iops\nbs=4K\niodepth=64\nsize=2G\nreadwrite=randread\n\
               time_based\nramp_time=2s\nruntime=15s\n\
               [job2]\nname=write_iops\nbs=4K\niodepth=64\nsize=2G\nreadwrite=randwrite\n\
               time_based\nramp_time=2s\nruntime=15s\n\
               [job3]\nname=read_bw\nbs=128K\niodepth=64\nsize=2G\nreadwrite=randread\n\
               time_based\nramp_time=2s\nruntime=15s\n\
               [job4]\nname=write_bw\nbs=128k\niodepth=64\nsize=2G\nreadwrite=randwrite\n\
               time_based\nramp_time=2s\nruntime=15s\n",
    },
    Source {
        name: "dbench",
        common: "--randrepeat=0 --verify=0 --ioengine=libaio --direct=1 --filename=/dev/xvda \
                 --size=2G --time_based --ramp_time=2s --runtime=15s",
        lines: &[
            "--gtod_reduce=1 --name=read_iops --bs=4K --iodepth=64 --readwrite=randread",
            "--gtod_reduce=1 --name=write_iops --bs=4K --iodepth=64 --readwrite=randwrite",
            "--gtod_reduce=1 --name=read_bw --bs=128K --iodepth=64 --readwrite=randread",
            "--gtod_reduce=1 --name=write_bw --bs=128K --iodepth=64 --readwrite=randwrite",
            "--name=read_latency --bs=4K --iodepth=4 --readwrite=randread",
            "--name=write_latency --bs=4K --iodepth=4 --readwrite=randwrite",
            "--gtod_reduce=1 --name=read_seq --bs=1M --iodepth=16 --readwrite=read --thread \
             --numjobs=4 --offset_increment=500M",
            "--gtod_reduce=1 --name=write_seq --bs=1M --iodepth=16 --readwrite=write --thread \
             --numjobs=4 --offset_increment=500M",
            "--gtod_reduce=1 --name=rw_mix --bs=4k --iodepth=64 --readwrite=randrw \
             --rwmixread=75",
        ],
        file: "",
    },
    Source {
        name: "yabs",
        common: "--ioengine=libaio --iodepth=64 --numjobs=2 --size=2G --gtod_reduce=1 --direct=1 \
                 --filename=/dev/xvda --minimal",
        lines: &[
            "--name=setup --rw=read --bs=64k --runtime=1",
            "--name=rand_rw_4k --rw=randrw --rwmixread=50 --bs=4k --runtime=30 --group_reporting",
            "--name=rand_rw_64k --rw=randrw --rwmixread=50 --bs=64k --runtime=30 \
             --group_reporting",
            "--name=rand_rw_512k --rw=randrw --rwmixread=50 --bs=512k --runtime=30 \
             --group_reporting",
            "--name=rand_rw_1m --rw=randrw --rwmixread=50 --bs=1m --runtime=30 --group_reporting",
        ],
        file: "",
    },
];

impl Source {
    fn published(&self) -> Vec<Published> {
        let lines = self.lines.iter().map(|line| Line(format!("{} {line}", self.common)));
        let file = (!self.file.is_empty()).then_some(File(self.file));
        lines.chain(file).collect()
    }
}

/// Command line of fio, or job file.
enum Published {
    Line(String),
    File(&'static str),
}

use Published::{File, Line};

/// Disk that takes everything at once and keeps nothing, as large as the largest job's region.
const DISK: &str = "insmod /modules/configfs.ko\n\
                    insmod /modules/null_blk.ko nr_devices=1 gb=8 bs=512";
/// Longest time for one guest, in seconds: some jobs have no time limit, and a host may be busy.
const DEADLINE_S: u64 = 1_200;

impl Published {
    fn step(&self, name: &str) -> Step {
        let run = format!(
            "ringmark run --disk phy:/dev/nullb0 --kernel {GUEST_KERNEL} \
             --set 'tsc_mode=\"native\"' --eta never"
        );
        let command = match self {
            Line(words) => format!("{run} -- {words}"),
            File(text) => format!("cat >/tmp/job.fio <<'END'\n{text}END\n{run} /tmp/job.fio"),
        };
        Step::new(name, DEADLINE_S, command)
    }

    /// Returns the names of the jobs.
    fn names(&self) -> Vec<&str> {
        let (text, mark) = match self {
            Line(words) => (words.as_str(), "--name="),
            File(text) => (*text, "\nname="),
        };
        text.split(mark).skip(1).filter_map(|rest| rest.split_whitespace().next()).collect()
    }

    /// Judges what was printed: each job has moved data, and none has failed.
    fn judge(&self, outcome: &Outcome) -> Result<String> {
        ensure!(outcome.status == 0, "the tool ended with status {}", outcome.status);
        let mut found = Vec::new();
        for name in self.names() {
            let iops = (0..outcome.lines.len()).find_map(|at| iops_of(&outcome.lines[at..], name));
            let iops = iops.filter(|iops| iops.chars().any(|digit| ('1'..='9').contains(&digit)));
            let iops = iops.with_context(|| format!("job {name} printed no IOPS"))?;
            found.push(format!("{name} {iops}"));
        }
        Ok(found.join(", "))
    }
}

/// Returns the IOPS of this job, if the first of these lines begins or is what is printed of it.
fn iops_of(lines: &[String], name: &str) -> Option<String> {
    let (first, rest) = lines.split_first()?;
    iops_of_terse(first, name).or_else(|| iops_of_normal(first, rest, name))
}

/// Returns the IOPS of reads and writes in a line of fio's terse form, version 3, of this job.
fn iops_of_terse(line: &str, name: &str) -> Option<String> {
    let fields: Vec<&str> = line.split(';').collect();
    let ours = fields.first() == Some(&"3") && fields.get(2) == Some(&name);
    let fields = ours.then_some((fields.get(7)?, fields.get(48)?))?;
    Some(format!("{}/{} IOPS", fields.0, fields.1))
}

/// Returns the IOPS of this job in fio's normal form, if the first line begins it.
fn iops_of_normal(first: &str, rest: &[String], name: &str) -> Option<String> {
    let begins = first.starts_with(&format!("{name}: (groupid=")) && first.contains("err= 0");
    let of = |line: &String| {
        let (_, rest) = line.split_once("IOPS=")?;
        rest.split(',').next().map(|iops| format!("{iops} IOPS"))
    };
    begins.then(|| rest.iter().find_map(of)).flatten()
}

/// Runs the jobs of all sources, or of the one whose name contains the text.
///
/// # Errors
/// When the machine fails, or no source has that name.
pub(crate) fn jobs(rig: &Rig, source: &str) -> Result<ExitCode> {
    let chosen = |of: &&Source| of.name.to_lowercase().contains(&source.to_lowercase());
    let chosen: Vec<&Source> = SOURCES.iter().filter(chosen).collect();
    let all = SOURCES.map(|source| source.name).join(", ");
    ensure!(!chosen.is_empty(), "no source is called {source:?}; there are {all}");
    let jobs: Vec<(String, Published)> = chosen
        .iter()
        .flat_map(|source| {
            let jobs = source.published();
            let count = jobs.len();
            let name = move |number| format!("{}, {} of {count}", source.name, number + 1);
            jobs.into_iter().enumerate().map(move |(number, job)| (name(number), job))
        })
        .collect();
    let steps = jobs.iter().map(|(name, job)| job.step(name));
    let steps: Vec<Step> = [Step::new("the disk", 60, DISK)].into_iter().chain(steps).collect();
    let tally = run(rig, &steps, &jobs)?;
    Ok(tally.verdict())
}

fn run(rig: &Rig, steps: &[Step], jobs: &[(String, Published)]) -> Result<Tally> {
    let image = Image::build(&rig.cache, &rig.progress)?;
    let (directory, _lock) = rig.directory("jobs")?;
    let machine = rig.machine(&image, directory, Ramdisks::MEASURED);
    let mut overlay = rig.overlay(&[])?;
    rig.add_tool(&mut overlay)?;
    let (mut tally, mut jobs) = (Tally::default(), jobs.iter());
    let mut is_first = true;
    machine.run(overlay, steps, &mut |_, event| {
        match event {
            Seen::Line(line) => rig.progress.output(line),
            Seen::End(outcome) if is_first => {
                is_first = false;
                ensure!(outcome.status == 0, "null_blk can't be loaded");
            }
            Seen::End(outcome) => {
                if let Some((name, job)) = jobs.next() {
                    tally.count(name, job.judge(&outcome));
                }
            }
        }
        Ok(())
    })?;
    Ok(tally)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_jobs() {
        assert_eq!(SOURCES[0].published()[0].names(), ["test"]);
        assert_eq!(
            SOURCES[1].published()[0].names(),
            ["read_iops", "write_iops", "read_bw", "write_bw"]
        );
    }

    #[test]
    fn a_job_has_moved_data() {
        let job = Line("--name=a --rw=read".to_owned());
        let judge = |lines: &[&str]| job.judge(&Outcome::printed(lines.iter().copied()));
        let begins = "a: (groupid=0, jobs=1): err= 0: pid=1: Mon";
        let reads = "  read: IOPS=81.6k, BW=319MiB/s (334MB/s)(1MiB/1msec)";
        assert_eq!(judge(&[begins, reads]).unwrap(), "a 81.6k IOPS");
        for wrong in [
            &[begins][..],
            &[reads],
            &[begins, "  read: IOPS=0, BW=0"],
            &["a: (groupid=0, jobs=1): err= 5: pid=1: Mon", reads],
            &["b: (groupid=0, jobs=1): err= 0: pid=1: Mon", reads],
        ] {
            assert!(judge(wrong).is_err(), "{wrong:?}");
        }
        let terse = |name: &str, read: &str| {
            let mut fields = vec!["0"; 60];
            (fields[0], fields[2], fields[7], fields[48]) = ("3", name, read, "0");
            fields.join(";")
        };
        assert_eq!(judge(&[&terse("a", "120")]).unwrap(), "a 120/0 IOPS");
        assert!(judge(&[&terse("a", "0")]).is_err());
        assert!(judge(&[&terse("b", "120")]).is_err());
    }
}
