//! The locks themselves under loom, with what the tables do not happen to need of them.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use grant_table::lock::{Exclusive, Lock, PerCpu, RwLock, Spin, TableLock};
use grant_table::{Cpu, Rank};
use loom::sync::atomic::AtomicU32;
use loom::thread;
use loom_words::AsAsked;

use crate::swapped::Loom;

type W = Loom<AsAsked>;

/// Locks of two tables, what they share, and a word of the reader's and of the writer's.
struct Pair<L: TableLock<W>> {
    shared: L::Shared,
    locks: [L; 2],
    read: AtomicU32,
    written: AtomicU32,
}

impl<L: TableLock<W>> Pair<L> {
    fn new(cpus: usize) -> Arc<Self> {
        Arc::new(Self {
            shared: L::shared(cpus),
            locks: [L::new(0), L::new(1)],
            read: AtomicU32::new(0),
            written: AtomicU32::new(0),
        })
    }
}

fn model(run: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(run);
}

/// A reader and a writer of one lock: the second sees what the first did. `read` reads under both
/// locks, the first of which is written under.
fn one_sees_the_other<L: TableLock<W> + 'static>(read: fn(&Pair<L>, &mut Cpu) -> u32) {
    model(move || {
        let pair = Pair::<L>::new(2);
        let of_writer = Arc::clone(&pair);
        let writer = thread::spawn(move || {
            of_writer.locks[0].write(&of_writer.shared, &mut Cpu::new(1), |_| {
                of_writer.written.store(1, Relaxed);
                of_writer.read.load(Relaxed)
            })
        });
        let reader_first = read(&pair, &mut Cpu::new(0)) == 0;
        let writer_second = writer.join().unwrap() == 1;
        assert_eq!(reader_first, writer_second);
    });
}

/// Does what a reader does under the first lock.
fn look<L: TableLock<W>>(pair: &Pair<L>) -> u32 {
    pair.read.store(1, Relaxed);
    pair.written.load(Relaxed)
}

fn alone<L: TableLock<W>>(pair: &Pair<L>, cpu: &mut Cpu) -> u32 {
    pair.locks[0].read(&pair.shared, cpu, |_| look(pair))
}

fn one_after_the_other<L: TableLock<W>>(pair: &Pair<L>, cpu: &mut Cpu) -> u32 {
    let seen = alone(pair, cpu);
    pair.locks[1].read(&pair.shared, cpu, |_| ());
    seen
}

fn twice<L: TableLock<W>>(pair: &Pair<L>, cpu: &mut Cpu) -> u32 {
    let seen = alone(pair, cpu);
    pair.locks[0].read(&pair.shared, cpu, |_| ());
    seen
}

fn inner_first<L: TableLock<W>>(pair: &Pair<L>, cpu: &mut Cpu) -> u32 {
    pair.locks[0].read(&pair.shared, cpu, |cpu| {
        pair.locks[1].read(&pair.shared, cpu, |_| ());
        look(pair)
    })
}

fn check_reader<L: TableLock<W> + 'static>() {
    one_sees_the_other::<L>(alone);
    one_sees_the_other::<L>(one_after_the_other);
    one_sees_the_other::<L>(twice);
    one_sees_the_other::<L>(inner_first);
}

/// Two writers: neither loses what the other counted.
fn writers_count<L: TableLock<W> + 'static>() {
    model(|| {
        let pair = Pair::<L>::new(2);
        let count = |pair: &Pair<L>, number| {
            pair.locks[0].write(&pair.shared, &mut Cpu::new(number), |_| {
                pair.written.store(pair.written.load(Relaxed) + 1, Relaxed);
            });
        };
        let other = Arc::clone(&pair);
        let writer = thread::spawn(move || count(&other, 1));
        count(&pair, 0);
        writer.join().unwrap();
        assert_eq!(pair.written.load(Relaxed), 2);
    });
}

/// A reader that is under another lock already is seen by a writer of the second.
fn inner_lock_is_seen<L: TableLock<W> + 'static>() {
    model(|| {
        let pair = Pair::<L>::new(2);
        let of_writer = Arc::clone(&pair);
        let writer = thread::spawn(move || {
            of_writer.locks[1].write(&of_writer.shared, &mut Cpu::new(1), |_| {
                of_writer.written.store(1, Relaxed);
                of_writer.read.load(Relaxed)
            })
        });
        let cpu = &mut Cpu::new(0);
        let seen = pair.locks[0]
            .read(&pair.shared, cpu, |cpu| pair.locks[1].read(&pair.shared, cpu, |_| look(&pair)));
        assert_eq!(seen == 0, writer.join().unwrap() == 1);
    });
}

/// A writer comes back while a reader that has met it waits.
fn writer_comes_back<L: TableLock<W> + 'static>() {
    model(|| {
        let pair = Pair::<L>::new(2);
        let of_writer = Arc::clone(&pair);
        let writer = thread::spawn(move || {
            [1, 2].map(|value| {
                of_writer.locks[0].write(&of_writer.shared, &mut Cpu::new(1), |_| {
                    of_writer.written.store(value, Relaxed);
                    of_writer.read.load(Relaxed)
                })
            })
        });
        let seen = alone(&pair, &mut Cpu::new(0));
        let after = [1, 2].map(|value| u32::from(seen < value));
        assert_eq!(writer.join().unwrap(), after);
    });
}

#[test]
fn table_locks_of_all_kinds_hold() {
    check_reader::<Exclusive<W>>();
    check_reader::<RwLock<W>>();
    check_reader::<PerCpu<W>>();
    writers_count::<Exclusive<W>>();
    writers_count::<RwLock<W>>();
    writers_count::<PerCpu<W>>();
    inner_lock_is_seen::<RwLock<W>>();
    inner_lock_is_seen::<PerCpu<W>>();
    writer_comes_back::<RwLock<W>>();
    writer_comes_back::<PerCpu<W>>();
}

#[test]
fn a_spinlock_holds() {
    model(|| {
        let shared = Arc::new((Spin::<W>::default(), AtomicU32::new(0)));
        let count = |shared: &(Spin<W>, AtomicU32), number| {
            shared.0.hold(Rank::Entry, &mut Cpu::new(number), |_| {
                shared.1.store(shared.1.load(Relaxed) + 1, Relaxed);
            });
        };
        let other = Arc::clone(&shared);
        let thread = thread::spawn(move || count(&other, 1));
        count(&shared, 0);
        thread.join().unwrap();
        assert_eq!(shared.1.load(Relaxed), 2);
    });
}
