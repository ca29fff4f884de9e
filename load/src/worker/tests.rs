//! Tests of what loops do besides I/O, each on a thread. They have no jobs; the model tests those
//! that have.

use alloc::vec;
use core::cell::RefCell;
use core::sync::atomic::AtomicBool;
use core::sync::atomic::Ordering::Relaxed;
use core::time::Duration;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Instant;

use xen_abi::Errno;

use super::*;

/// A vCPU.
struct Host {
    start: Instant,
    /// Ports with an event that was not taken, and the events that were sent.
    pending: RefCell<Vec<Port>>,
    sent: RefCell<Vec<Port>>,
}

impl Host {
    fn at(start: Instant) -> Self {
        Self { start, pending: RefCell::default(), sent: RefCell::default() }
    }
}

impl Vcpu for Host {
    fn now_ns(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64 + 1
    }

    fn stolen_ns(&self) -> Option<u64> {
        None
    }

    fn send(&self, port: Port) -> Result<(), Errno> {
        self.sent.borrow_mut().push(port);
        Ok(())
    }

    fn yield_now(&self) {
        thread::yield_now();
    }

    fn take_event(&self, port: Port) -> bool {
        let mut pending = self.pending.borrow_mut();
        let before = pending.len();
        pending.retain(|&one| one != port);
        pending.len() != before
    }

    fn prepare_wait(&self) {}

    fn wait(&self, deadline_ns: u64) {
        thread::sleep(Duration::from_nanos(deadline_ns.saturating_sub(self.now_ns())));
    }
}

fn share(vcpu: u32) -> Share<'static> {
    Share { vcpu, jobs: Vec::new(), disks: Vec::new() }
}

/// Runs so many followers; what `boot` does meanwhile on vCPU 0 is given what collects them.
fn with_followers<T>(
    words: &Words,
    count: usize,
    boot: impl FnOnce(&Host, &mut dyn FnMut() -> Option<Finished<'static>>) -> T,
) -> T {
    let start = Instant::now();
    thread::scope(|scope| {
        let (done, finished) = channel();
        for number in 0..count {
            let done = done.clone();
            let share = share(1 + number as u32);
            scope.spawn(move || {
                let _ = done.send(follow(&Host::at(start), share, words, number, None));
            });
        }
        boot(&Host::at(start), &mut || finished.try_recv().ok())
    })
}

#[test]
fn all_loops_begin_and_end() {
    for count in 0..4 {
        for has_own in [false, true] {
            let words = Words::new(count);
            let finished = with_followers(&words, count, |host, collect| {
                let own = has_own.then(|| share(0));
                let observe = &mut |_: &Progress| Control::Continue;
                lead(host, own, &words, &Relay::default(), collect, observe)
            });
            assert_eq!(finished.len(), count + usize::from(has_own));
            assert_eq!(words.ready.opened().is_some(), count != 0);
        }
    }
}

#[test]
fn no_loop_makes_its_tables_before_all_are_prepared() {
    let words = Words::new(2);
    with_followers(&words, 1, |host, collect| {
        while words.prepared.arrived() == 0 {
            sleep_until(host, host.now_ns() + 1);
        }
        sleep_until(host, host.now_ns() + 20 * LOOK_AGAIN_NS);
        assert_eq!(words.ready.arrived(), 0);
        dismiss(host, &words, 1, collect);
    });
}

#[test]
fn a_loop_makes_its_tables_after_those_before_it() {
    let words = Words::new(3);
    let host = Host::at(Instant::now());
    let is_turn = |number| await_turn(&host, number, &words);
    assert!(is_turn(0));
    let (words, start) = (&words, host.start);
    thread::scope(|scope| {
        let turn = scope.spawn(move || await_turn(&Host::at(start), 2, words));
        words.ready.arrive();
        sleep_until(&host, host.now_ns() + 20 * LOOK_AGAIN_NS);
        assert!(!turn.is_finished());
        words.ready.arrive();
        assert!(turn.join().expect("no panic"));
    });
    words.stop();
    assert!(!is_turn(0) && !is_turn(3));
}

#[test]
fn a_wish_to_stop_is_heard_before_all_are_prepared() {
    let words = Words::new(1);
    let host = Host::at(Instant::now());
    let observed = AtomicBool::new(false);
    let (words, observed, start) = (&words, &observed, host.start);
    thread::scope(|scope| {
        let (done, finished) = channel();
        scope.spawn(move || {
            // Without end it would hide who never asks.
            let looks = (0..2000).take_while(|_| !observed.load(Relaxed));
            looks.for_each(|_| thread::sleep(Duration::from_millis(1)));
            let asked = observed.load(Relaxed);
            let _ = done.send((asked, follow(&Host::at(start), share(1), words, 0, None)));
        });
        let mut was_asked = false;
        let mut collect = || {
            let (asked, finished) = finished.try_recv().ok()?;
            was_asked = asked;
            Some(finished)
        };
        let mut observe = |_: &Progress| {
            observed.store(true, Relaxed);
            Control::Stop
        };
        let relay = Relay::default();
        let ended = lead(&host, None, words, &relay, &mut collect, &mut observe);
        assert_eq!((ended.len(), was_asked, words.ready.opened()), (1, true, None));
    });
}

/// An observer that lets nothing begin.
struct Refusal {
    /// Number of times that it was asked.
    asked: u32,
}

impl Observer for Refusal {
    fn observe(&mut self, _: &Progress) -> Control {
        Control::Continue
    }

    fn await_start(&mut self) -> bool {
        self.asked += 1;
        false
    }
}

#[test]
fn nothing_begins_that_may_not_start() {
    for count in 0..3 {
        let words = Words::new(count);
        let mut refusal = Refusal { asked: 0 };
        let finished = with_followers(&words, count, |host, collect| {
            lead(host, Some(share(0)), &words, &Relay::default(), collect, &mut refusal)
        });
        assert_eq!((finished.len(), refusal.asked), (count + 1, 1));
        assert_eq!((words.ready.arrived() as usize, words.ready.opened()), (count, None));
    }
}

#[test]
fn followers_end_where_not_all_could_be_started() {
    let words = Words::new(3);
    let finished = with_followers(&words, 2, |host, collect| dismiss(host, &words, 2, collect));
    assert_eq!((finished.len(), words.ready.opened()), (2, None));
}

#[test]
fn results_come_in_the_order_of_the_jobs() {
    let line = "--filename=xvda --name=a --name=b --name=c";
    let jobs = fio_job::parse(line).expect(line);
    let finished = |numbers: &[usize]| {
        let result = |&number: &usize| results::JobResult::new(jobs[number].clone());
        let results = numbers.iter().map(result).collect();
        let outcome = Outcome { results, ..Outcome::default() };
        Finished { numbers: numbers.to_vec(), outcome, disks: Vec::new() }
    };
    for (loops, names) in [
        (vec![finished(&[1]), finished(&[0, 2])], &["a", "b", "c"][..]),
        // The job between them did not fit its disk.
        (vec![finished(&[2]), finished(&[0])], &["a"]),
    ] {
        let (outcome, _) = join(loops);
        let found = outcome.results.iter().map(|result| result.job.name.as_str());
        assert!(found.eq(names.iter().copied()), "{names:?}");
    }
}

#[test]
fn events_are_passed_on_and_taken() {
    let mut relay = Relay::default();
    for (port, wake) in [(1, 11), (2, 11), (3, 12)] {
        relay.add(Port(port), Port(wake));
    }
    let host = Host::at(Instant::now());
    for (pending, sent) in [(&[][..], &[][..]), (&[3, 9], &[12]), (&[1, 3], &[11, 12])] {
        *host.pending.borrow_mut() = pending.iter().copied().map(Port).collect();
        host.sent.borrow_mut().clear();
        relay.pass_on(&host);
        let expected: Vec<Port> = sent.iter().copied().map(Port).collect();
        assert_eq!(*host.sent.borrow(), expected);
        assert!(!host.pending.borrow().contains(&Port(3)), "it is taken");
    }
}

#[test]
fn progress_is_the_sum_of_all() {
    let moved = |ios: u64| Moved { ios, bytes: ios * 512 };
    let of = |elapsed_ns, reads, writes, expected_ns| Progress {
        elapsed_ns,
        read: moved(reads),
        written: moved(writes),
        expected_ns,
    };
    let words = Words::new(2);
    for (expected, sum) in [
        ([Some(9), Some(4)], Some(9)),
        ([Some(3), Some(8)], Some(8)),
        ([None, Some(8)], None),
        ([Some(3), None], None),
    ] {
        words.progress[0].publish(to_words(&of(1, 10, 20, expected[0])));
        words.progress[1].publish(to_words(&of(2, 3, 4, expected[1])));
        let all = words.progress(7);
        assert_eq!(to_words(&all), to_words(&of(7, 13, 24, sum)));
    }
}
