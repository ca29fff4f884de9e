//! Panics, told in one line, and only those that mean something.

use std::any::Any;
use std::panic::set_hook;
use std::sync::Once;

/// Tells of panics with a message only. loom and shuttle end tasks by panics without one, which
/// shuttle's own hook would tell of.
pub fn tell_of_messages() {
    static DONE: Once = Once::new();
    DONE.call_once(|| {
        // It sets its hook once.
        shuttle::check_random(|| (), 1);
        set_hook(Box::new(|info| {
            if info.payload_as_str().is_some() {
                eprintln!("{info}");
            }
        }));
    });
}

/// Way in which a run goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Outcome that is not as it should be.
    Fault(String),
    /// End by the checker, at its limit or because nobody can go on: it can't tell a lock that
    /// stays taken from one that is asked for often.
    Stuck(String),
}

impl Failure {
    /// Returns what a panic tells of.
    pub fn of(panic: &(dyn Any + Send)) -> Self {
        const STUCK: [&str; 3] =
            ["Model exceeded maximum number of branches", "exceeded max_steps", "deadlock"];
        let text = panic.downcast_ref::<&str>().map(ToString::to_string);
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        // shuttle puts its own lines before.
        match STUCK.iter().any(|stuck| text.contains(stuck)) {
            true => Self::Stuck(text),
            false => Self::Fault(text),
        }
    }
}

#[test]
fn a_limit_is_no_fault() {
    use std::panic::catch_unwind;

    let failure = |run: fn()| Failure::of(&*catch_unwind(run).expect_err("it fails"));
    let loom = || {
        let mut model = loom::model::Builder::new();
        model.max_branches = 100;
        model.check(|| {
            let word = loom::sync::atomic::AtomicU32::new(0);
            while word.load(std::sync::atomic::Ordering::Relaxed) == 0 {
                loom::thread::yield_now();
            }
        });
    };
    let shuttle = || {
        let mut settings = shuttle::Config::new();
        settings.max_steps = shuttle::MaxSteps::FailAfter(100);
        let scheduler = shuttle::scheduler::RandomScheduler::new_from_seed(0, 1);
        shuttle::Runner::new(scheduler, settings).run(|| {
            loop {
                shuttle::thread::yield_now();
            }
        });
    };
    let locked = || {
        shuttle::check_random(
            || {
                let lock = shuttle::sync::Mutex::new(());
                let _first = lock.lock().unwrap();
                let _second = lock.lock();
            },
            1,
        );
    };
    for run in [loom, shuttle, locked as fn()] {
        assert!(matches!(failure(run), Failure::Stuck(_)));
    }
    assert_eq!(failure(|| panic!("lock order")), Failure::Fault("lock order".into()));
}
