//! Rows of the comparison: how many guests read, whose, and how; the guests and steps that do it,
//! and what is read of them.

use std::fmt::{self, Display, Formatter};
use std::ops::Range;

use anyhow::{Context, Result, ensure};
use guest_protocol::barrier::{Ready, START_NODE};
use guest_protocol::frame::END;
use serde_json::Value;

use super::super::sample::Sample;
use super::super::window::{self, MARKS, Window, grant_commands};
use crate::best::Best;
use crate::guest::{ConsoleLine, Guest};
use crate::machine::Clock;
use crate::result::PEER;
use crate::scenario::side::{Side, linux_keeps};
use crate::setting::Setting;
use crate::steps::{Outcome, Step};
use crate::volume::Layout;
use crate::workload::{Fio, Workload};

/// Work of each guest: random reads of 4 KiB, 32 in flight.
const WORKLOAD: Workload = Workload::MAIN[0];
/// The file of each volume.
pub(super) const FILE: &str = "/big";
pub(super) const FILE_MIB: u32 = 12;
/// The ways to grant, the best first.
pub(super) const MODES: [&str; 3] = ["persistent", "persistent-copy", "per-request"];
/// Seconds for jobs to go on behind the window, and for grants to be counted there.
const BEHIND_S: u32 = 4;
/// Least part of the mean that each guest must have read in the window.
const LEAST_SHARE: f64 = 0.5;
/// Most reads of a guest beside those of its job: files are looked up, and Linux reads by itself
/// when the disk appears.
const BESIDE_MOST: u64 = 64;
/// Maps, and unmaps, for each I/O with a grant for each: what is under way when they are counted
/// may be in one count and not yet in the other.
const EACH: Range<f64> = 0.9..1.1;
/// Bound on maps, and on unmaps, for each I/O if the backend keeps pages mapped.
const KEPT_MOST: f64 = 0.01;
/// Seconds that a Linux guest keeps its disk when its job is done.
const HOLD_S: u32 = 600;
/// Words of the step when all guests wait for their start.
const ALL_READY: &str = "all are ready";
/// Words of a Linux guest then.
const LINUX_READY: &str = "peer: ready";

/// fio's engine for files on Linux's ufs driver, which knows no direct I/O.
const FILE_ENGINE: &str = "psync";
/// Memory of a Linux guest that reads its disk, in MiB: with 64 `xl` finds no room for kernel and
/// initramfs.
pub(super) const LINUX_MEMORY_MIB: u32 = 80;
/// Memory of one that reads its file: it has a page cache.
pub(super) const FILE_MEMORY_MIB: u32 = 128;
/// Place of the file's volume in a Linux guest.
const MOUNTED: &str = "/mnt";

/// Place of what guests read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Disk,
    File,
}

/// Guests of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// Ours, with this way to grant.
    Ours(&'static str, Place),
    /// Linux's, on the disk by the engine that is fastest there, or on the file.
    Linux(Place),
}

/// Guests of which each number is measured: what the mail was about, and its peer.
const CURVES: [Who; 3] =
    [Who::Ours(MODES[0], Place::Disk), Who::Ours(MODES[2], Place::Disk), Who::Linux(Place::Disk)];

/// Row of the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) who: Who,
    /// Number of the guests.
    pub(super) count: u32,
}

impl Turn {
    /// Returns the rows of these sides: each number of guests with persistent grants, with a grant
    /// for each request and with Linux, and the greatest in each way to grant, on the disk and on a
    /// file.
    pub(super) fn all(counts: &[u32], sides: &[Side]) -> Vec<Self> {
        let mut counts = counts.to_vec();
        counts.sort_unstable();
        counts.dedup();
        let most = counts.last().copied().unwrap_or_default();
        let places = [Place::Disk, Place::File];
        let ours = places.iter().flat_map(|&place| MODES.map(|mode| Who::Ours(mode, place)));
        let all = ours.chain(places.map(Who::Linux));
        let rows_of = |who: Who| {
            let of_each = CURVES.contains(&who);
            let counts = counts.iter().filter(move |&&count| of_each || count == most);
            counts.map(move |&count| Self { who, count })
        };
        let mut rows: Vec<Self> = all.flat_map(rows_of).collect();
        rows.retain(|row| sides.contains(&row.side()));
        rows
    }

    fn side(self) -> Side {
        match self.who {
            Who::Ours(..) => Side::Ours,
            Who::Linux(_) => Side::Linux(Fio::Tuned),
        }
    }

    fn is_linux(self) -> bool {
        matches!(self.who, Who::Linux(_))
    }

    /// Returns what the backend counts, and how much of it is an I/O: on Linux's ufs driver, which
    /// asks for fragments, an I/O may be several requests.
    fn unit(self) -> (&'static str, u64) {
        match self.who {
            Who::Ours(..) | Who::Linux(Place::Disk) => ("rd_req", 1),
            Who::Linux(Place::File) => ("rd_sect", WORKLOAD.block_bytes() / 512),
        }
    }

    /// Returns the word for its way of granting.
    pub(super) fn grants(self) -> &'static str {
        match self.who {
            Who::Ours(mode, _) => mode,
            Who::Linux(_) => MODES[0],
        }
    }

    /// Returns the seconds from the time when all jobs said that they begin to the window. fio
    /// then still takes its time, the more the more guests share a processor.
    fn before_s(self) -> u32 {
        if self.is_linux() { 1 + self.count / 4 } else { 1 }
    }

    /// Returns the seconds that a job takes: also the first to begin is at work until after the
    /// window.
    fn job_s(self, runtime_s: u32) -> u32 {
        let late_s = if self.is_linux() { self.count / 2 } else { 0 };
        late_s + self.before_s() + runtime_s + BEHIND_S
    }

    /// Names of its guests.
    fn names(self) -> Vec<String> {
        let who = match self.who {
            Who::Ours(mode, Place::Disk) => format!("disk-{mode}"),
            Who::Ours(mode, Place::File) => format!("file-{mode}"),
            Who::Linux(Place::Disk) => "linux".to_owned(),
            Who::Linux(Place::File) => "linux-file".to_owned(),
        };
        (1..=self.count).map(|number| format!("{who}-{}-{number}", self.count)).collect()
    }

    /// Its guests.
    pub(super) fn guests(self, clock: Clock, runtime_s: u32) -> Vec<Guest> {
        let job_s = self.job_s(runtime_s);
        let options = || self.side().options(&[WORKLOAD], job_s, &Best::default());
        let jobs = match self.who {
            Who::Ours(mode, Place::Disk) => format!("{} --grants={mode}", options()),
            Who::Ours(mode, Place::File) => {
                format!("{} --grants={mode} --filename=xvda:{FILE}", options())
            }
            Who::Linux(Place::Disk) => options(),
            // Each block once, and then the page cache is emptied: the disk is read for each I/O.
            Who::Linux(Place::File) => format!(
                "--filename={MOUNTED}{FILE} --direct=0 --size={FILE_MIB}m --time_based \
                 --runtime={job_s} --gtod_reduce=1 --name={} --rw=randread --bs=4k \
                 --ioengine={FILE_ENGINE}",
                WORKLOAD.name()
            ),
        };
        let mount = Layout::UFS2_BSD.linux.unwrap_or_default();
        let words = match self.who {
            Who::Ours(..) => "barrier hold".to_owned(),
            Who::Linux(Place::Disk) => format!("typed=yes hold={HOLD_S}"),
            Who::Linux(Place::File) => {
                format!("typed=yes hold={HOLD_S} ufs={mount} readahead=0")
            }
        };
        // A file's fragments must merge, or each is a request.
        let nomerges = if self.who == Who::Linux(Place::File) { "0" } else { "2" };
        let fixed = Setting::fixed(WORKLOAD);
        let setting = fixed.with("nomerges", nomerges).unwrap_or(fixed);
        let guest = |(name, number)| {
            let mut guest = self.side().guest_in(name, clock, &jobs, &setting);
            guest.disks = vec![format!("phy:/dev/ram{number},xvda,r")];
            guest.extra = format!("{words} {}", guest.extra);
            guest.memory_mib = match self.who {
                Who::Ours(..) => guest.memory_mib,
                Who::Linux(Place::Disk) => LINUX_MEMORY_MIB,
                Who::Linux(Place::File) => FILE_MEMORY_MIB,
            };
            guest
        };
        self.names().into_iter().zip(0_u32..).map(guest).collect()
    }

    /// Checks that pages were granted in the way that the row names.
    fn negotiated(self, outcome: &Outcome, name: &str, kept: bool) -> Result<()> {
        ensure!(
            kept == (self.grants() != "per-request"),
            "guest {name}, {}: the backend {} its pages mapped",
            self.grants(),
            if kept { "kept" } else { "did not keep" }
        );
        let Who::Ours(mode, _) = self.who else { return Ok(()) };
        let words = format!("grants {mode}");
        let says = |line: &ConsoleLine<'_>| {
            let rest = line.text.split_once(&words).map(|(_, rest)| rest);
            rest.is_some_and(|rest| !rest.starts_with('-'))
        };
        ensure!(
            ConsoleLine::of(outcome, name).iter().any(says),
            "guest {name} does not say {words:?}"
        );
        Ok(())
    }
}

/// Figures of one run of a row.
pub(super) struct Many {
    /// I/Os of all guests.
    pub(super) sample: Sample,
    /// Seconds from the first `xl create` until all guests were ready.
    pub(super) ready_s: f64,
    /// Milliseconds between the first and the last job's begin; none if they do not tell.
    pub(super) starts_ms: Option<f64>,
    /// Grants and copies that our guests made for each I/O.
    pub(super) made: Option<[f64; 2]>,
    /// I/Os that the guests' jobs counted, and that the backends did for these guests in all.
    pub(super) reads: [u64; 2],
    /// Maps and unmaps of grants that dom0 asked Xen for, for each I/O.
    pub(super) grant_ops: [f64; 2],
}

impl Display for Many {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { sample, ready_s, starts_ms, grant_ops: [maps, unmaps], .. } = self;
        write!(f, "{}, ready after {ready_s:.1} s", sample.text("I/Os"))?;
        write!(f, ", {maps:.3} maps and {unmaps:.3} unmaps for each")?;
        starts_ms.map_or(Ok(()), |ms| write!(f, ", begun within {ms:.3} ms"))
    }
}

impl super::super::Turn for Turn {
    type Sample = Many;

    fn step(self, _: u32, runtime_s: u32) -> Step {
        let [begin, _] = self.side().edges();
        let (ready, start, end) = match self.who {
            Who::Ours(..) => {
                let start = format!("guests_write {START_NODE} 1");
                (Ready(1).to_string(), start, END.to_owned())
            }
            Who::Linux(_) => (LINUX_READY.to_owned(), "guests_type".to_owned(), PEER.to_owned()),
        };
        let (names, job_s, [.., done]) = (self.names().join(" "), self.job_s(runtime_s), MARKS);
        let command = format!(
            "renice -n -20 $$\n\
             guests_create {names} && guests_until '{ready}' 60 && {{\n\
             say xl '{ALL_READY}'\nstatistics {}\n{start}\n\
             guests_until '{begin}' 60 && {{\n{}\n\
             {}\nguests_until '{end}' {} && mark '{done}'\n}}\n}}\n\
             guests_write control/shutdown poweroff\nguests_end 30",
            self.unit().0,
            window::commands(self.before_s(), runtime_s),
            grant_commands(),
            job_s + 60
        );
        Step::new(self.to_string(), u64::from(240 + 5 * self.count + job_s), command)
    }

    fn sample(self, _: u32, outcome: &Outcome, window: &Window, clock: Clock) -> Result<Many> {
        let (_, unit) = self.unit();
        let sample = Sample::of(window, unit as f64, clock)?;
        let ready_s = ready_s(outcome)?;
        let names = self.names();
        self.all_at_work(&window.moved()?)?;
        let counted = window.edges()?.1.counted.iter().zip(window.last()?);
        let disks: Vec<(u64, u64)> =
            counted.map(|(by_then, last)| (by_then / unit, last / unit)).collect();
        ensure!(disks.len() == names.len(), "{} disks of {} guests", disks.len(), names.len());
        let backends = disks.iter().map(|(_, last)| last).sum();
        let (mut begins_ms, mut made, mut ios) = (Vec::new(), [0.0; 2], 0);
        for (name, (by_then, last)) in names.iter().zip(disks) {
            let job = self.job(outcome, name)?;
            let total = job["read"]["total_ios"].as_u64().context("a job without total_ios")?;
            ensure!(
                total > by_then,
                "guest {name}: its job ended before the window: {total} of {by_then} reads"
            );
            let is_exact = matches!(self.who, Who::Ours(_, Place::Disk));
            let beside = if is_exact { 0 } else { BESIDE_MOST };
            ensure!(
                (total..=total.saturating_add(beside)).contains(&last),
                "guest {name} did {total} reads, and the backend {last}"
            );
            let run = &job["ringmark"];
            begins_ms.extend(match self.who {
                Who::Ours(..) => run["begin_ns"].as_f64().map(|ns| ns / 1e6),
                Who::Linux(_) => job["job_start"].as_f64(),
            });
            for (sum, key) in made.iter_mut().zip(["grants_made", "copies_made"]) {
                *sum += run[key].as_f64().unwrap_or_default();
            }
            ios += total;
        }
        ensure!(outcome.status == 0, "a guest did not end by itself");
        let grant_ops = window.grant_ops()?.map(|ops| ops * unit as f64);
        self.grants_agree(grant_ops)?;
        let all_told = begins_ms.len() == names.len();
        let [first, last] = [f64::min, f64::max].map(|of| begins_ms.iter().copied().reduce(of));
        Ok(Many {
            sample,
            ready_s,
            starts_ms: first.zip(last).filter(|_| all_told).map(|(first, last)| last - first),
            made: (!self.is_linux()).then(|| made.map(|sum| sum / ios as f64)),
            reads: [ios, backends],
            grant_ops,
        })
    }
}

impl Turn {
    /// Checks that each guest had its share of the reads in the window.
    fn all_at_work(self, moved: &[u64]) -> Result<()> {
        let mean = moved.iter().sum::<u64>() as f64 / moved.len() as f64;
        for (name, &count) in self.names().iter().zip(moved) {
            ensure!(
                count as f64 >= mean * LEAST_SHARE,
                "guest {name} read {count} times in the window, the mean is {mean:.0}: it was not \
                 at work for all of it"
            );
        }
        Ok(())
    }

    /// Checks that Xen mapped and unmapped as many grants for each I/O as the way of granting
    /// takes.
    fn grants_agree(self, ops: [f64; 2]) -> Result<()> {
        let is_kept = self.grants() != "per-request";
        let agrees = if is_kept { 0.0..KEPT_MOST } else { EACH };
        for (what, ops) in ["maps", "unmaps"].into_iter().zip(ops) {
            ensure!(
                agrees.contains(&ops),
                "{ops:.3} {what} of grants for each I/O, of which {} should take {agrees:?}",
                self.grants()
            );
        }
        Ok(())
    }

    /// The job of one of its guests, which did what it was asked for, without errors.
    fn job(self, outcome: &Outcome, name: &str) -> Result<Value> {
        let side = self.side();
        let result = side.result(outcome, name)?;
        let kept = match self.who {
            Who::Linux(Place::File) => linux_keeps(outcome, name),
            _ => side.figure(outcome, name, WORKLOAD, &Best::default())?.kept,
        };
        if side == Side::Ours {
            let verdict = result.verdict();
            verdict.map_err(|reason| anyhow::anyhow!("guest {name} reports: {reason}"))?;
        }
        self.negotiated(outcome, name, kept)?;
        Ok(result.job(&WORKLOAD.name())?.clone())
    }
}

impl Display for Who {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ours(mode, Place::Disk) => write!(f, "ringmark, {mode}"),
            Self::Ours(mode, Place::File) => write!(f, "ringmark, {mode}, file"),
            Self::Linux(Place::Disk) => write!(f, "linux, io_uring"),
            Self::Linux(Place::File) => write!(f, "linux, {FILE_ENGINE}, file"),
        }
    }
}

impl Display for Turn {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{} {}", self.count, self.who))
    }
}

/// Returns the seconds from the first `xl create` until all guests were ready.
fn ready_s(outcome: &Outcome) -> Result<f64> {
    let lines = ConsoleLine::of(outcome, "xl");
    let time = |text| lines.iter().find(|line| line.text.starts_with(text));
    let [create, ready] = ["create ", ALL_READY].map(time);
    let (create, ready) = create.zip(ready).context("not all guests were ready")?;
    Ok(ready.uptime_s - create.uptime_s)
}

#[cfg(test)]
mod tests {
    use super::super::super::Turn as _;
    use super::*;
    use crate::result::framed;

    #[test]
    fn each_number_of_guests_has_a_row_and_the_greatest_all_ways() {
        let rows = |sides: &[Side]| -> Vec<String> {
            Turn::all(&[3, 1, 3], sides).iter().map(Turn::to_string).collect()
        };
        let ours = [
            "1 ringmark, persistent",
            "3 ringmark, persistent",
            "3 ringmark, persistent-copy",
            "1 ringmark, per-request",
            "3 ringmark, per-request",
            "3 ringmark, persistent, file",
            "3 ringmark, persistent-copy, file",
            "3 ringmark, per-request, file",
        ];
        assert_eq!(rows(&[Side::Ours]), ours);
        let linux = ["1 linux, io_uring", "3 linux, io_uring", "3 linux, psync, file"];
        assert_eq!(rows(&Side::LINUX), linux);
        assert_eq!(rows(&Side::ALL), [&ours[..], &linux].concat());
    }

    #[test]
    fn each_guest_has_a_disk_and_waits() {
        for turn in Turn::all(&[15], &Side::ALL) {
            let guests = turn.guests(Clock::Wall, 5);
            let disks: Vec<&str> = guests.iter().map(|guest| guest.disks[0].as_str()).collect();
            assert_eq!(disks.len(), 15);
            assert_eq!((disks[0], disks[14]), ("phy:/dev/ram0,xvda,r", "phy:/dev/ram14,xvda,r"));
            let word = if turn.is_linux() { "typed=yes" } else { "barrier" };
            assert!(guests.iter().all(|guest| guest.extra.starts_with(word)));
            let reads_file = |name| guests[0].extra.contains(&format!("--filename={name}"));
            assert_eq!(reads_file("xvda:/big"), matches!(turn.who, Who::Ours(_, Place::File)));
            assert_eq!(reads_file("/mnt/big --direct=0"), turn.who == Who::Linux(Place::File));
        }
    }

    /// Marks of a window from 10 to 30 reads each.
    const WINDOW: [&str; 2] = ["window begins 10.0 10 10", "window ends 12.0 30 30"];
    /// Marks between which there are four reads, maps and unmaps.
    const GRANTS: [&str; 2] =
        ["grants from 12.1 30 30 5 5 30 30", "grants to 12.2 32 32 9 9 32 32"];

    /// Two of our guests that grant so, from there, and did so many reads, with these marks.
    fn sample(
        (mode, place): (&'static str, Place),
        totals: [u64; 2],
        marks: &[&str],
    ) -> Result<Many> {
        let turn = Turn { who: Who::Ours(mode, place), count: 2 };
        let mut lines = vec!["[xl 3.5] create a".to_owned(), format!("[xl 5.0] {ALL_READY}")];
        for (name, (total, begin_ns)) in turn.names().iter().zip(totals.into_iter().zip([7, 9])) {
            let bytes = total * 4096;
            let read = format!(r#"{{"iops": 5.0, "total_ios": {total}, "io_bytes": {bytes}}}"#);
            let kept = mode != "per-request";
            let run = format!(
                r#"{{"backend_persistent": {kept}, "begin_ns": {begin_ns}000000,
                "grants_made": {total}, "copies_made": 0}}"#
            );
            let job = format!(r#""jobname": "randread-4k-32", "error": 0, "read": {read}"#);
            let jobs = format!(r#"[{{{job}, "ringmark": {run}}}]"#);
            lines.push(format!("[{name} 4.0] xvda: 16 MiB, 512-byte sectors, grants {mode}"));
            lines.extend(framed(
                name,
                &format!(r#"{{"ringmark": {{"ok": true}}, "jobs": {jobs}}}"#),
            ));
        }
        let mut window = Window::default();
        for line in marks {
            window.see(line, || None);
        }
        turn.sample(1, &Outcome::printed(lines), &window, Clock::Wall)
    }

    #[test]
    fn figures_are_the_sum_of_all_guests() {
        let marks = [&WINDOW[..], &GRANTS, &["jobs are done 13.0 40 50"]].concat();
        let many = sample(("per-request", Place::Disk), [40, 50], &marks).unwrap();
        assert_eq!((many.sample.amount, many.sample.rate()), (40.0, 20.0));
        assert_eq!(many.reads, [90, 90]);
        assert_eq!((many.ready_s, many.starts_ms), (1.5, Some(2.0)));
        assert_eq!((many.made, many.grant_ops), (Some([1.0, 0.0]), [1.0, 1.0]));
    }

    #[test]
    fn what_does_not_agree_with_the_backend_is_no_figure() {
        let sample = |place, totals, last| {
            let marks = [&WINDOW[..], &GRANTS, &[last]].concat();
            sample(("per-request", place), totals, &marks)
        };
        for (place, totals, last, words) in [
            (Place::Disk, [40, 30], "jobs are done 13.0 40 30", "ended before the window"),
            (Place::Disk, [40, 50], "jobs are done 13.0 40 51", "did 50 reads, and the backend 51"),
            (Place::File, [40, 50], "jobs are done 13.0 40 49", "did 50 reads, and the backend 49"),
            (
                Place::File,
                [40, 50],
                "jobs are done 13.0 105 50",
                "did 40 reads, and the backend 105",
            ),
            (Place::Disk, [40, 50], "jobs are done 13.0 40", "1 disks of 2 guests"),
            (Place::Disk, [40, 50], "", "was not marked"),
            (Place::Disk, [70, 50], "window ends 12.0 60 20", "not at work for all of it"),
        ] {
            let error = sample(place, totals, last).err().unwrap().to_string();
            assert!(error.contains(words), "{error}");
        }
        sample(Place::File, [40, 50], "jobs are done 13.0 104 50").unwrap();
    }

    #[test]
    fn maps_and_unmaps_that_do_not_agree_with_the_way_to_grant_are_no_figure() {
        let sample = |mode, ops: &str| {
            let behind = format!("grants to 12.2 232 232 {ops} 232 232");
            let ends = [GRANTS[0], &behind, "jobs are done 13.0 240 250"];
            sample((mode, Place::Disk), [240, 250], &[&WINDOW[..], &ends].concat())
        };
        // Of 404 reads each; both begin at 5.
        for (mode, good) in
            [("per-request", ["409 409", "380 440"]), ("persistent", ["5 5", "9 5"])]
        {
            for ops in good {
                sample(mode, ops).unwrap();
            }
        }
        for (mode, ops, words) in [
            ("per-request", "5 409", "0.000 maps"),
            ("per-request", "409 360", "0.879 unmaps"),
            ("per-request", "459 409", "1.124 maps"),
            ("persistent", "10 5", "0.012 maps"),
            ("persistent-copy", "5 409", "1.000 unmaps"),
        ] {
            let error = sample(mode, ops).err().unwrap().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
