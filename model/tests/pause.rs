//! R5: a guest that is paused (`xl pause`, a debugger, a host with too many guests) calls no peer
//! dead: not its backend, not xenstored, not the console. What they did meanwhile is there to see.

use std::collections::BTreeMap;
use std::slice::from_mut;

use drivers::Vcpu;
use drivers::blkfront::{GrantMode, Setup};
use drivers::console::Console;
use drivers::xenstore::Transaction;
use fs::ReadBlocks;
use load::engine::{self, Control};
use load::reader::BlockReader;
use model::blkback::{Lie, Mischief};
use model::fixture::{Machine, XVDA, open_console, run_engine, run_line};
use model::{Disk, Guest, ModelXen};

const SECOND: u64 = 1_000_000_000;
const SETUP: Setup = Setup { grants: GrantMode::Persistent, slots: 32, ..Setup::ONE };
/// Jobs of a life on its disk: reads at random, polls, sleeps between requests, and reads back what
/// it wrote.
const JOBS: [&str; 4] = [
    "rw=randread bs=4k iodepth=4 size=64k filename=xvda",
    "rw=randread bs=4k iodepth=4 size=64k ringmark_poll_us=300 filename=xvda",
    "rw=read bs=4k thinktime=50ms size=32k filename=xvda",
    "rw=write bs=4k iodepth=2 size=32k verify=crc32c filename=xvda",
];

/// A whole life, from the first line on the console to the last, and how many calls it took.
/// `pauses` are calls and lengths in nanoseconds.
fn life(seed: u64, pauses: Vec<(u64, u64)>) -> (u64, Result<(), String>) {
    let xen = Machine::seeded(seed).disk(Disk::new(XVDA, 1024)).build();
    xen.world().store.contention = 0;
    xen.world().xen.pauses = pauses;
    let mut console = open_console(&xen);
    let (_port, _page) = xen.console_channel();
    let mut guest = Guest::boot(&xen);
    let done = work(&xen, &mut guest, &mut console);
    console.drain();
    let lost = console.has_lost().then(|| "the console lost text".to_string());
    let calls = xen.world().xen.calls;
    (calls, done.and_then(|()| lost.map_or(Ok(()), Err)))
}

fn work<'a>(
    xen: &'a ModelXen,
    guest: &mut Guest<'a>,
    console: &mut Console<'_, ModelXen>,
) -> Result<(), String> {
    console.write(&"a line that is longer than most\n".repeat(80));
    let watch = guest.store.watch("data").map_err(|e| format!("watch: {e}"))?;
    guest.store.wait_fired(watch, xen.now_ns() + SECOND).map_err(|e| format!("wait: {e}"))?;
    let wrote = guest.store.write(Transaction::NONE, "data/x", &"v".repeat(1500));
    wrote.map_err(|e| format!("write: {e}"))?;
    let mut device = guest.connect(XVDA, &SETUP).map_err(|e| format!("connect: {e}"))?;
    for line in JOBS {
        let outcome = run_line(xen, from_mut(&mut device), line);
        outcome.error.map_or(Ok(()), |e| Err(format!("{line}: {e}")))?;
        outcome.first_failure.map_or(Ok(()), |e| Err(format!("{line}: {e}")))?;
    }
    let info = *device.info();
    let mut reader = BlockReader::new(xen, &mut device.queues[0], &info);
    reader.read(0, &mut [0; 1 << 16]).map_err(|e| format!("read: {e}"))?;
    let left = guest.disconnect(device);
    if left.timed_out || left.quarantined_pages != 0 {
        return Err(format!("close: {left:?}"));
    }
    Ok(())
}

/// Lives with one pause each, at every seventh call; the failures, with how often each came.
fn sweep(seed: u64, seconds: u64) -> BTreeMap<String, u32> {
    let (calls, done) = life(seed, Vec::new());
    done.unwrap();
    let mut failed: BTreeMap<String, u32> = BTreeMap::new();
    for call in (1 + seed..=calls).step_by(7) {
        if let (_, Err(why)) = life(seed, vec![(call, seconds * SECOND)]) {
            *failed.entry(why).or_default() += 1;
        }
    }
    println!("{seconds} s at every seventh of {calls} calls: {failed:#?}");
    failed
}

#[test]
fn r5_a_pause_of_11_s_at_any_call() {
    assert_eq!(sweep(1, 11), BTreeMap::new());
}

#[test]
fn r5_a_pause_of_31_s_at_any_call() {
    assert_eq!(sweep(2, 31), BTreeMap::new());
}

#[test]
fn r5_a_pause_of_10_min_at_any_call() {
    assert_eq!(sweep(3, 600), BTreeMap::new());
}

/// Pauses close together, as on a host that has too many guests for good.
#[test]
fn r5_pauses_do_not_add_up() {
    let mut rng = fastrand::Rng::with_seed(5);
    for seed in 0..60 {
        let start = rng.u64(1..4000);
        let pauses = (0..8).map(|n| (start + n * rng.u64(1..9), rng.u64(1..40) * SECOND));
        let pauses: Vec<_> = pauses.collect();
        let (_, done) = life(seed, pauses.clone());
        assert_eq!(done, Ok(()), "seed {seed}, {pauses:?}");
    }
}

/// A guest that is paused again and again still gives up who never answers.
#[test]
fn r5_a_dead_peer_is_given_up_in_spite_of_pauses() {
    let xen = Machine::seeded(6).disk(Disk::new(XVDA, 1024)).build();
    let mut guest = Guest::boot(&xen);
    let mut device = guest.connect(XVDA, &SETUP).unwrap();
    xen.world().disks[0].mischief = Mischief::of(Lie::Silent, 16);
    let calls = xen.world().xen.calls;
    xen.world().xen.pauses = (1..100).map(|n| (calls + n * 50, 5 * SECOND)).collect();
    let jobs = fio_job::parse(JOBS[0]).unwrap();
    let (outcome, _) = run_engine(&xen, jobs, vec![device.lend()], &mut |_| Control::Continue);
    assert!(matches!(outcome.error, Some(engine::RunError::Stuck { .. })), "{:?}", outcome.error);
    let start_ns = xen.now_ns();
    xen.world().store.is_stopped = true;
    let calls = xen.world().xen.calls;
    xen.world().xen.pauses = (1..100).map(|n| (calls + n * 7, 5 * SECOND)).collect();
    let error = guest.store.read(Transaction::NONE, "domid");
    assert_eq!(error, Err(drivers::xenstore::Error::Timeout));
    assert!(xen.now_ns() - start_ns < 200 * SECOND, "16 looks, each with a pause");
    guest.disconnect(device);
}
