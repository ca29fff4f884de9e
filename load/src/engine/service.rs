//! Disk of a job's next I/O, where the job does not simply take them in turn
//! (`file_service_type=`, `openfiles=`), as fio chooses a file (fio 3.33: io_u.c,
//! `__get_next_file`).
//!
//! Only the first I/O that finds nothing left on a disk closes it. Until then it keeps another from
//! being opened.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use fio_job::{FileOrder, FileService, Job};

use crate::pattern::rng::{Below, Xoshiro};

/// Seed of the draws, mixed into that of the job so that they do not follow its blocks.
const SEED: u64 = u64::from_be_bytes(*b"services");
/// Draws for a disk that is not gone through, after which the next such is taken.
const DRAWS_MAX: u32 = 1_000;

/// Choice of the next disk.
#[derive(Debug)]
pub(super) struct Service {
    order: FileOrder,
    /// I/Os in a row, and what is left of them.
    ios: u32,
    left: u32,
    /// Most disks that are open.
    open_max: usize,
    disks: Vec<State>,
    /// Disk of the last I/O.
    current: Option<usize>,
    /// Disk that has its turn next.
    turn: usize,
    /// Disk that was chosen for an I/O which is not put yet.
    chosen: Option<usize>,
    draw: Below,
    rng: Xoshiro,
}

/// State of a disk in a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Open,
    Done,
}

impl Service {
    /// Returns the choice of a job with this seed on so many disks; `None` if it takes them in
    /// turn.
    pub(super) fn of(job: &Job, disks: usize, seed: u64) -> Option<Box<Self>> {
        let FileService { order, ios, open } = job.file_service;
        let open_max = open.map_or(disks, |open| (open as usize).min(disks));
        let is_plain = order == FileOrder::RoundRobin && ios == 1 && open_max == disks;
        (disks > 1 && !is_plain).then(|| {
            Box::new(Self {
                order,
                ios,
                left: 0,
                open_max,
                disks: vec![State::Closed; disks],
                current: None,
                turn: 0,
                chosen: None,
                draw: Below::new(disks as u64),
                rng: Xoshiro::new(seed ^ SEED),
            })
        })
    }

    /// Begins a pass: no disk is open or gone through.
    pub(super) fn begin_pass(&mut self) {
        self.disks.fill(State::Closed);
        self.chosen = None;
    }

    /// Returns the disk of the next I/O, the same until that is put; `None` if `is_done` says of
    /// all that nothing is left there.
    pub(super) fn choose(&mut self, is_done: impl Fn(usize) -> bool) -> Option<usize> {
        if let Some(chosen) = self.chosen.filter(|&chosen| !is_done(chosen)) {
            return Some(chosen);
        }
        // Ends: each turn that does not return marks a disk as done.
        loop {
            let number = match self.current.filter(|&number| self.disks[number] == State::Open) {
                Some(number) if self.order == FileOrder::Sequential => number,
                Some(number) if self.left != 0 => {
                    self.left -= 1;
                    number
                }
                _ => {
                    let number = self.open()?;
                    (self.current, self.left) = (Some(number), self.ios - 1);
                    number
                }
            };
            if !is_done(number) {
                self.chosen = Some(number);
                return Some(number);
            }
            self.disks[number] = State::Done;
        }
    }

    /// Notes that the I/O is put.
    pub(super) fn take(&mut self) {
        self.chosen = None;
    }

    /// Returns another disk, which is open from now on; `None` if all are done.
    fn open(&mut self) -> Option<usize> {
        let opened = self.disks.iter().filter(|&&state| state == State::Open).count();
        let may_open = opened < self.open_max;
        let is_ready = |state: State| state == State::Open || state == State::Closed && may_open;
        let drawn = (self.order == FileOrder::Random)
            .then(|| (0..DRAWS_MAX).map(|_| self.draw.draw(&mut self.rng) as usize))
            .and_then(|mut draws| draws.find(|&number| is_ready(self.disks[number])));
        let number = match drawn {
            Some(number) => number,
            None => {
                let (count, from) = (self.disks.len(), self.turn);
                let mut turns = (from..from + count).map(|turn| turn % count);
                let number = turns.find(|&number| is_ready(self.disks[number]))?;
                self.turn = (number + 1) % count;
                number
            }
        };
        self.disks[number] = State::Open;
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    /// Takes I/Os from disks that have so many; returns the numbers of the disks.
    fn order(options: &str, sizes: &[u32], passes: usize) -> String {
        let names = ["xvda", "xvdb", "xvdc"][..sizes.len()].join(":");
        let line = std::format!("filename={names} {options}");
        let job = &fio_job::parse(&line).expect(&line)[0];
        let mut service = Service::of(job, sizes.len(), 7).expect("an order");
        let mut all = String::new();
        for _ in 0..passes {
            service.begin_pass();
            let mut left = sizes.to_vec();
            while let Some(number) = service.choose(|number| left[number] == 0) {
                let again = service.choose(|number| left[number] == 0);
                assert_eq!(again, Some(number), "the same until it is taken");
                service.take();
                left[number] -= 1;
                all.push(char::from(b'0' + number as u8));
            }
            all.push(' ');
        }
        all
    }

    /// Orders of fio 3.33 with files of these sizes.
    #[test]
    fn orders_are_fios() {
        for (options, sizes, passes, expected) in [
            ("file_service_type=sequential", [3, 2, 4], 2, "000112222 000112222 "),
            ("openfiles=1", [3, 2, 4], 1, "000112222 "),
            ("file_service_type=roundrobin:3", [4, 12, 7], 1, "00011122201112221112111 "),
            ("file_service_type=roundrobin:0", [3, 2, 4], 1, "000112222 "),
            ("openfiles=2", [4, 12, 7], 1, "01010101121212121212121 "),
            (
                "file_service_type=roundrobin:3 openfiles=2",
                [4, 12, 7],
                1,
                "00011101112221112221112 ",
            ),
        ] {
            assert_eq!(order(options, &sizes, passes), expected, "{options}");
        }
    }

    #[test]
    fn random_disks_are_equally_likely_and_come_in_rows() {
        let all = order("file_service_type=random", &[3000, 3000], 1);
        let first = all[..2000].matches('0').count();
        // Four standard errors.
        assert!(first.abs_diff(1000) < 90, "{first}");
        let pairs = all.as_bytes()[..2000].windows(2).filter(|pair| pair[0] == pair[1]).count();
        assert!(pairs.abs_diff(1000) < 90, "{pairs}");
        let rows = order("file_service_type=random:4", &[400, 400], 1);
        let rows = rows.trim().as_bytes()[..400].chunks(4);
        assert!(rows.into_iter().all(|row| row.iter().all(|one| *one == row[0])));
        let all = order("file_service_type=random openfiles=1", &[50, 50], 1);
        let changes = all.trim().as_bytes().windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert_eq!(changes, 1, "{all}");
    }

    #[test]
    fn a_plain_order_needs_no_choice() {
        for (options, disks) in
            [("", 2), ("openfiles=2", 2), ("openfiles=5", 2), ("file_service_type=random", 1)]
        {
            let jobs = fio_job::parse(&std::format!("rw=read {options}")).expect(options);
            assert!(Service::of(&jobs[0], disks, 1).is_none(), "{options}");
        }
    }
}
