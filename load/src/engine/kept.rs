//! Pages that backends keep mapped: windows of use while jobs run, and the count at their end.

use alloc::vec::Vec;

use results::PagesKept;

use super::disk::Disk;

/// Length of a window of use, in nanoseconds. Two of them, and the time between two looks at the
/// clock, are less than the 60 s after which Linux's backend unmaps a page that nobody used (its
/// `persistent_grant_unused_seconds`).
const WINDOW_NS: u64 = 20_000_000_000;

/// Windows of use of all queues of a run.
#[derive(Debug, Default)]
pub(super) struct Windows {
    next_ns: u64,
}

impl Windows {
    /// Begins the first window; forgets what was read before the run, to find files.
    pub(super) fn begin(disks: &mut [Disk<'_>], now_ns: u64) -> Self {
        begin_window(disks);
        begin_window(disks);
        Self { next_ns: now_ns.saturating_add(WINDOW_NS) }
    }

    /// Begins the next window if it is time.
    pub(super) fn tick(&mut self, disks: &mut [Disk<'_>], now_ns: u64) {
        if now_ns < self.next_ns {
            return;
        }
        begin_window(disks);
        self.next_ns = now_ns.saturating_add(WINDOW_NS);
    }
}

fn begin_window(disks: &mut [Disk<'_>]) {
    let queues = disks.iter_mut().flat_map(|disk| disk.queues.iter_mut());
    queues.for_each(|queue| queue.begin_window());
}

/// Counts the pages that the backend of each disk keeps mapped, over its queues; `None` if they
/// can't be counted.
pub(super) fn count(disks: &[Disk<'_>]) -> Vec<Option<PagesKept>> {
    let of_disk = |disk: &Disk<'_>| {
        disk.queues.iter().try_fold(PagesKept::default(), |sum, queue| {
            let one = queue.pages_kept()?;
            Some(PagesKept { used: sum.used + one.used, kept: sum.kept + one.kept })
        })
    };
    disks.iter().map(of_disk).collect()
}
