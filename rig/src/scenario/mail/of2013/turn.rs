//! Rows of the comparison: who writes, and how; the guests and steps that do it, and what is read
//! of them.

use std::fmt::{self, Display, Formatter};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::super::sample::Sample;
use super::super::window::{self, Window};
use crate::blkback::offer_queues;
use crate::counts::Counts;
use crate::guest::{ConsoleLine, Guest};
use crate::machine::Clock;
use crate::result::GuestResult;
use crate::scenario::side::Side;
use crate::steps::{Outcome, Step};
use crate::workload::Fio;

/// Disks of the guest.
pub(super) const DISKS: usize = 24;
/// I/Os in flight on each.
const IODEPTH: usize = 2;
/// Seconds for jobs to get going before the window, and to go on behind it.
const BEFORE_S: u32 = 1;
const BEHIND_S: u32 = 5;
/// Memory of the guests in MiB: ours has data for all that is in flight, Linux's frontend also
/// pages for all that its rings could hold (32 requests of 256 pages for each of up to 48).
const OUR_MEMORY_MIB: u32 = 160;
pub(super) const PEER_MEMORY_MIB: u32 = 3072;

/// Prefix of the result of dom0's own fio.
const DOM0_RESULT: &str = "dom0-result: ";

/// Sectors, as the backend counts them, of a MiB.
const SECTORS_PER_MIB: f64 = 2048.0;

/// MiB written in one run of a row.
pub(super) struct Written(pub(super) Sample);

impl Display for Written {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text("MiB"))
    }
}

/// One that writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writer {
    /// Our guest.
    Ours,
    /// The Linux guest.
    Linux,
    /// fio in dom0 with this engine and depth, without a guest.
    Dom0(&'static str, usize),
}

/// Row of the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) writer: Writer,
    /// Flag: pages stay granted.
    pub(super) persistent: bool,
    /// The guest's vCPUs.
    pub(super) vcpus: u32,
    /// Flag: event channels are bound to the vCPUs that use them.
    pub(super) bound: bool,
}

const fn turn(writer: Writer, persistent: bool, vcpus: u32, bound: bool) -> Turn {
    Turn { writer, persistent, vcpus, bound }
}

impl Turn {
    /// All, those with the same number of vCPUs and the same grants next to each other.
    pub(super) const ALL: [Self; 12] = [
        turn(Writer::Ours, true, 1, true),
        turn(Writer::Linux, true, 1, true),
        turn(Writer::Ours, false, 1, true),
        turn(Writer::Linux, false, 1, true),
        turn(Writer::Ours, true, 2, true),
        turn(Writer::Ours, true, 2, false),
        turn(Writer::Linux, true, 2, true),
        turn(Writer::Ours, false, 2, true),
        turn(Writer::Ours, false, 2, false),
        turn(Writer::Linux, false, 2, true),
        turn(Writer::Dom0("io_uring", IODEPTH), true, 1, true),
        turn(Writer::Dom0("pvsync2", 1), true, 1, true),
    ];

    /// Returns the word for its way of granting.
    pub(super) fn grants(self) -> &'static str {
        match (self.writer, self.persistent) {
            (Writer::Dom0(..), _) => "-",
            (_, true) => "persistent",
            (_, false) => "per-request",
        }
    }

    fn name(self, round: u32) -> String {
        let writer = if self.writer == Writer::Ours { "ringmark" } else { "linux" };
        let bound = if self.bound { "" } else { "-unbound" };
        format!("{writer}-{}-{}{bound}-{round}", self.vcpus, self.grants())
    }

    /// Returns the side whose guest and whose results these are.
    pub(super) fn side(self) -> Option<Side> {
        match self.writer {
            Writer::Ours => Some(Side::Ours),
            Writer::Linux => Some(Side::Linux(Fio::Tuned)),
            Writer::Dom0(..) => None,
        }
    }

    /// The guest; none for dom0's own fio.
    pub(super) fn guest(self, round: u32, clock: Clock, runtime_s: u32) -> Option<Guest> {
        let side = self.side()?;
        let mut jobs = options(BEFORE_S + runtime_s + BEHIND_S);
        jobs += &match self.writer {
            Writer::Ours => format!(
                " --iodepth={IODEPTH} --grants={} --ringmark_bind={}",
                self.grants(),
                u8::from(self.bound)
            ),
            _ => tuned("io_uring", IODEPTH),
        };
        jobs.extend(letters().map(|disk| format!(" --name=xvd{disk} --filename=/dev/xvd{disk}")));
        let mut guest = side.guest(self.name(round), clock, &jobs);
        let disk = |(number, disk)| format!("phy:/dev/ram{number},xvd{disk},w");
        guest.disks = letters().enumerate().map(disk).collect();
        (guest.memory_mib, guest.vcpus) = (OUR_MEMORY_MIB, self.vcpus);
        if self.writer == Writer::Linux {
            guest.memory_mib = PEER_MEMORY_MIB;
            let feature = if self.persistent { "Y" } else { "N" };
            guest.extra = format!(
                "disks={DISKS} blkfront=\"max_indirect_segments=256 max_queues={} \
                 feature_persistent={feature}\" {}",
                self.vcpus, guest.extra
            );
        }
        Some(guest)
    }

    /// Returns the command for fio in dom0.
    fn dom0(self, runtime_s: u32) -> String {
        let Writer::Dom0(engine, depth) = self.writer else { return String::new() };
        let files: Vec<String> = (0..DISKS).map(|number| format!("/dev/ram{number}")).collect();
        let (jobs, files) = (options(runtime_s) + &tuned(engine, depth * DISKS), files.join(":"));
        format!(
            "fio --output-format=json --output=/tmp/result {jobs} --name=dom0 --filename={files} \
             >/tmp/log 2>&1 || {{ cat /tmp/log; exit 1; }}\n\
             echo \"{DOM0_RESULT}$(tr -d '\\n' </tmp/result)\""
        )
    }

    /// Checks that pages were granted in the way that the row names.
    fn negotiated(self, outcome: &Outcome, name: &str) -> Result<()> {
        let lines = ConsoleLine::of(outcome, name);
        let says = |words: &str| lines.iter().any(|line| line.text.contains(words));
        let words = match (self.writer, self.persistent) {
            (Writer::Ours, _) => format!("grants {}", self.grants()),
            (_, true) => "persistent grants: enabled".to_owned(),
            (_, false) => "persistent grants: disabled".to_owned(),
        };
        ensure!(says(&words), "guest {name} does not say {words:?}");
        Ok(())
    }
}

impl super::super::Turn for Turn {
    type Sample = Written;

    fn step(self, round: u32, runtime_s: u32) -> Step {
        let job_s = BEFORE_S + runtime_s + BEHIND_S;
        let Some(side) = self.side() else {
            return Step::new(self.to_string(), u64::from(60 + job_s), self.dom0(runtime_s));
        };
        let (name, [begin, end]) = (self.name(round), side.edges());
        let command = format!(
            "renice -n -20 $$\n{}\n\
             guest_create {name} && guest_until '{begin}*' 60 && {{\n\
             statistics wr_sect\n{}\n\
             guest_until '{end}*' 60\n}}\n\
             guest_end 60",
            offer_queues(self.vcpus),
            window::commands(BEFORE_S, runtime_s)
        );
        Step::new(self.to_string(), u64::from(180 + job_s), command)
    }

    fn sample(
        self,
        round: u32,
        outcome: &Outcome,
        window: &Window,
        clock: Clock,
    ) -> Result<Written> {
        let Some(side) = self.side() else {
            let (bytes, ns) = dom0_result(outcome)?;
            let counts =
                (clock == Clock::Instructions).then_some(Counts { dom0: ns, ..Counts::default() });
            let (amount, seconds) = (bytes as f64 / f64::from(1 << 20), ns as f64 / 1e9);
            return Ok(Written(Sample { amount, seconds, counts }));
        };
        let name = self.name(round);
        let result = side.result(outcome, &name)?;
        if side == Side::Ours {
            result.verdict().map_err(|reason| anyhow::anyhow!("the guest reports: {reason}"))?;
        }
        let sample = Sample::of(window, SECTORS_PER_MIB, clock)?;
        let written = written(&result)?;
        let by_then = window.edges()?.1.counted.iter().sum::<u64>() * 512;
        ensure!(
            written > by_then,
            "the job ended before the window: it wrote {written} bytes, {by_then} of them by then"
        );
        ensure!(outcome.status == 0, "the guest did not end by itself");
        self.negotiated(outcome, &name)?;
        Ok(Written(sample))
    }
}

impl Display for Turn {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let text = match self.writer {
            Writer::Ours | Writer::Linux => {
                let writer =
                    if self.writer == Writer::Ours { "ringmark" } else { "linux io_uring" };
                let bound = if self.bound { "" } else { " unbound" };
                format!("{} {}{bound} {writer}", self.vcpus, self.grants())
            }
            Writer::Dom0(engine, _) => format!("- - dom0's own fio, {engine}"),
        };
        f.pad(&text)
    }
}

/// Letters of the guest's disks.
fn letters() -> impl Iterator<Item = char> {
    ('a'..='z').take(DISKS)
}

/// Options of all jobs.
fn options(runtime_s: u32) -> String {
    format!("--rw=write --bs=2m --direct=1 --time_based --runtime={runtime_s} --group_reporting")
}

/// Options for what takes fio the fewest instructions.
fn tuned(engine: &str, depth: usize) -> String {
    let fixed =
        if engine == "io_uring" { " --fixedbufs --registerfiles --nonvectored=1" } else { "" };
    format!(" --gtod_reduce=1 --ioengine={engine} --iodepth={depth}{fixed}")
}

/// Bytes that a guest's jobs wrote.
fn written(result: &GuestResult) -> Result<u64> {
    let jobs = result.json["jobs"].as_array().context("the result has no jobs")?;
    let mut sum = 0;
    for job in jobs {
        ensure!(job["error"] == 0, "job {} had error {}", job["jobname"], job["error"]);
        let bytes = job["write"]["io_bytes"].as_u64().context("a job without io_bytes")?;
        let ios = job["write"]["total_ios"].as_u64().context("a job without total_ios")?;
        ensure!(bytes == ios << 21, "{ios} I/Os of 2 MiB are not {bytes} bytes");
        sum += bytes;
    }
    Ok(sum)
}

/// Bytes that dom0's own fio wrote, and nanoseconds for which it did.
fn dom0_result(outcome: &Outcome) -> Result<(u64, u64)> {
    let found = outcome.lines.iter().find_map(|line| line.strip_prefix(DOM0_RESULT));
    let json: Value = serde_json::from_str(found.context("dom0's fio failed")?.trim())
        .context("the result of dom0's fio is not JSON")?;
    let write = &json["jobs"][0]["write"];
    let bytes = write["io_bytes"].as_u64().filter(|&bytes| bytes > 0);
    let ms = write["runtime"].as_u64().filter(|&ms| ms > 0);
    let (bytes, ms) = bytes.zip(ms).context("dom0's fio wrote nothing")?;
    Ok((bytes, ms * 1_000_000))
}

#[cfg(test)]
mod tests {
    use super::super::super::Turn as _;
    use super::*;

    #[test]
    fn every_disk_has_a_job_and_all_fit_into_a_command_line() {
        for turn in Turn::ALL {
            let Some(guest) = turn.guest(1, Clock::Wall, 3600) else { continue };
            assert_eq!(guest.disks.len(), 24);
            assert_eq!(guest.disks[23], "phy:/dev/ram23,xvdx,w");
            assert_eq!(guest.extra.matches(" --name=xvd").count(), 24);
            // Linux's `COMMAND_LINE_SIZE` on x86.
            assert!(guest.extra.len() < 2048, "{} bytes", guest.extra.len());
        }
    }

    #[test]
    fn a_job_that_ends_within_the_window_is_no_figure() {
        let job = |bytes: u64| {
            format!(
                "{{\"ringmark\": {{\"ok\": true}}, \"jobs\": [{{\"jobname\": \"xvda\", \
                 \"error\": 0, \"write\": {{\"io_bytes\": {bytes}, \"total_ios\": {}}}}}]}}",
                bytes >> 21
            )
        };
        let turn = Turn::ALL[0];
        let sample = |bytes| {
            let mut lines = crate::result::framed(&turn.name(1), &job(bytes));
            lines.push(format!("[{} 1.0] xvda: 32 MiB, grants persistent", turn.name(1)));
            let mut window = Window::default();
            window.see("window begins 10.0 4096", || None);
            window.see("window ends 12.0 12288", || None);
            turn.sample(1, &Outcome::printed(lines), &window, Clock::Wall)
        };
        let good = sample(8 << 20).unwrap().0;
        assert_eq!((good.amount, good.seconds), (4.0, 2.0));
        assert!(sample(6 << 20).err().unwrap().to_string().contains("ended before"));
    }
}
