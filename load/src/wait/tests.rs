//! Tests of the waiter on simulated machines.

mod simulation;

use super::*;
use simulation::{Figures, Machine, Simulation};

const MS: u64 = 1_000_000;

const POLL: Poll = Poll::Us(1_000_000);
const SLEEP: Poll = Poll::Us(0);

const OWN: Machine = Machine::OWN;
/// Machine with the backend on the guest's processor. Who wakes waits for the end of the time
/// slice, as where it has used up its credit.
const SHARED: Machine = Machine { shared: true, rate_limit_ns: 30 * MS, ..OWN };
/// Machine with a busy guest there, and the backend elsewhere. Who wakes runs at once.
const BUSY: Machine = Machine { busy: 1, ..OWN };
/// Same machine, but who wakes waits for as long as Xen's rate limit is.
const LIMITED: Machine = Machine { rate_limit_ns: MS, ..BUSY };
/// Both there.
const CROWDED: Machine = Machine { shared: true, ..LIMITED };

fn with_disk(machine: Machine, disk_ns: u64) -> Machine {
    Machine { disk_ns, ..machine }
}

fn run(machine: Machine, policy: Poll, depth: u64, ms: u64) -> Figures {
    Simulation::new(machine, policy, depth).run(ms * MS)
}

/// Returns the I/Os with auto, as a multiple of those with another policy.
fn ratio(machine: Machine, other: Poll, depth: u64, ms: u64) -> f64 {
    let [auto, other] = [Poll::Auto, other].map(|policy| run(machine, policy, depth, ms).ios);
    auto as f64 / other as f64
}

#[test]
fn with_a_processor_of_its_own_it_polls() {
    for depth in [1, 4, 32, 128] {
        for machine in [OWN, with_disk(OWN, 100_000), Machine { service_ns: 700, ..OWN }] {
            for other in [POLL, SLEEP] {
                let ratio = ratio(machine, other, depth, 200);
                assert!(ratio > 0.98, "{machine:?}, iodepth {depth}: {ratio}");
            }
        }
    }
    assert!(ratio(OWN, SLEEP, 1, 200) > 1.7);
}

#[test]
fn pauses_do_not_spoil_polling() {
    for every_ms in [7, 20] {
        let machine = Machine { paused_every_ns: every_ms * MS, ..OWN };
        let ratio = ratio(machine, POLL, 1, 400);
        assert!(ratio > 0.95, "{every_ms}: {ratio}");
    }
}

#[test]
fn with_the_backend_on_its_processor_it_yields() {
    for (depth, gain, longest_ns) in [(1, 1.45, 27_000), (4, 1.2, 40_000), (32, 1.04, 160_000)] {
        let ratio = ratio(SHARED, SLEEP, depth, 300);
        assert!(ratio > gain, "iodepth {depth}: {ratio}");
        let auto = run(SHARED, Poll::Auto, depth, 300);
        let polled_ns = auto.polled_ns_max;
        assert!((1..longest_ns).contains(&polled_ns), "iodepth {depth}: {polled_ns}");
    }
}

#[test]
fn with_a_busy_guest_on_its_processor_it_sleeps() {
    for machine in [BUSY, CROWDED] {
        for depth in [1, 32] {
            let machine = with_disk(machine, 100_000);
            let ratio = ratio(machine, SLEEP, depth, 1_000);
            assert!(ratio > 0.93, "{machine:?}, iodepth {depth}: {ratio}");
        }
        let ratio = ratio(with_disk(machine, 100_000), SLEEP, 1, 20_000);
        assert!(ratio > 0.97, "{machine:?}, in the long run: {ratio}");
    }
}

/// Busy guests take a time slice each when ours yields.
#[test]
fn few_time_slices_are_lost_to_busy_guests() {
    for (machine, depth) in [(BUSY, 1), (BUSY, 32), (CROWDED, 1), (CROWDED, 32)] {
        let machine = with_disk(Machine { busy: 3, ..machine }, 100_000);
        let [mut auto, mut sleep] =
            [Poll::Auto, SLEEP].map(|policy| Simulation::new(machine, policy, depth));
        let begun = auto.run(100 * MS);
        sleep.run(100 * MS);
        let [first, second] = [900, 1_100].map(|ms| auto.run(ms * MS));
        let ios = sleep.run(2_000 * MS).ios;
        let ratio = (first.ios + second.ios) as f64 / ios as f64;
        let slices = [begun, first, second].map(|span| span.slices);
        assert!(ratio > 0.9, "{machine:?}, iodepth {depth}: {ratio}, {slices:?}");
        let later = if depth == 1 { auto.run(8_000 * MS).slices } else { 0 };
        let sum = slices.iter().sum::<u64>() + later;
        assert_eq!(sum, 1, "{machine:?}, iodepth {depth}: {slices:?}, {later}");
    }
}

#[test]
fn it_polls_if_who_wakes_gets_the_processor_late() {
    for depth in [1, 32] {
        let [auto, sleep, poll] =
            [Poll::Auto, SLEEP, POLL].map(|policy| run(LIMITED, policy, depth, 600).ios);
        assert!(auto > sleep * 4 && auto > poll * 8 / 10, "{auto} {sleep} {poll}");
    }
}

/// Lets a machine become another one; from `after_ms` on it must do as well as with either policy.
fn settles([before, after]: [Machine; 2], others: &[Poll], depth: u64, after_ms: u64) {
    let mut auto = Simulation::new(before, Poll::Auto, depth);
    auto.run(500 * MS);
    auto.change(after);
    auto.run(after_ms * MS);
    let ios = auto.run(300 * MS).ios;
    for &other in others {
        let ratio = ios as f64 / run(after, other, depth, 300).ios as f64;
        assert!(ratio > 0.9, "{before:?} to {after:?}, iodepth {depth}, {other:?}: {ratio}");
    }
}

#[test]
fn changes_are_found_out_soon() {
    for depth in [1, 32] {
        for before in [OWN, SHARED, LIMITED] {
            for after in [SHARED, BUSY, CROWDED] {
                settles([before, after], &[SLEEP], depth, 300);
            }
            settles([before, OWN], &[SLEEP, POLL], depth, 300);
        }
    }
}

#[test]
fn what_lost_much_is_tried_again_in_the_end() {
    settles([BUSY, OWN], &[POLL], 1, 4_100);
}

#[test]
fn waits_for_slow_disks_are_slept_through() {
    let slow = with_disk(OWN, 5 * MS);
    let auto = run(slow, Poll::Auto, 1, 2_000);
    assert!((auto.ios..=auto.ios + 1).contains(&auto.slept) && auto.ios > 390, "{auto:?}");
    let mut auto = Simulation::new(OWN, Poll::Auto, 1);
    assert!(auto.run(100 * MS).polled_ns_max > 5_000);
    auto.change(slow);
    let first = auto.run(100 * MS);
    assert!(first.polled_ns_max < 100_000, "{first:?}");
    assert_eq!(auto.run(1_000 * MS).polled_ns_max, 0);
}

#[test]
fn a_fixed_time_is_kept() {
    let (us, ios) = (1_000, 100);
    for (poll_us, latency_us, polled_us) in [(0, 1, 0), (50, 20, 20), (10, 20, 10)] {
        let mut waiter = Waiter::new(Poll::Us(poll_us));
        let (mut now_ns, mut polled_ns) = (MS, 0);
        for completed in 0..ios {
            let end_ns = now_ns + latency_us * us;
            while now_ns < end_ns && waiter.idle(now_ns) == Step::Poll {
                now_ns += 100;
                polled_ns += 100;
            }
            assert_eq!(now_ns < end_ns, u64::from(poll_us) < latency_us);
            now_ns = end_ns;
            waiter.progress(now_ns, || Work { completed, in_flight: 1 });
        }
        assert_eq!(polled_ns, ios * polled_us * us);
    }
}

/// Runs waits of 10 us each, and of `longer_ns` more for each that is not slept through; returns
/// what the others cost, as a part of all time, in millionths.
fn lost(longer_ns: u64, ms: u64) -> u64 {
    let mut waiter = Waiter::new(Poll::Auto);
    let (mut now_ns, mut lost_ns, mut completed) = (MS, 0, 0);
    while now_ns < (ms + 1) * MS {
        let slept = waiter.idle(now_ns) == Step::Sleep;
        let more_ns = if slept { 0 } else { longer_ns };
        lost_ns += more_ns;
        now_ns += 10_000 + more_ns;
        completed += 1;
        waiter.progress(now_ns, || Work { completed, in_flight: 1 });
    }
    lost_ns * 1_000_000 / (ms * MS)
}

#[test]
fn trials_cost_little_of_the_time() {
    for longer_ns in [100, 1_000, 10_000, 100_000] {
        let [soon, later] = [50, 10_000].map(|ms| lost(longer_ns, ms));
        assert!((1..20_000).contains(&soon), "{longer_ns}: {soon}");
        assert!((1..600).contains(&later), "{longer_ns}: {later}");
    }
    let long = lost(10 * MS, 20_000);
    assert!((1..10_000).contains(&long), "{long}");
}
