//! Which vCPU reports a crash, when several crash at once or one crashes again, and whether the
//! others have stopped before it does.

use core::sync::atomic::Ordering;

use xen_abi::Errno;
use xen_abi::vcpu::RUNSTATE_RUNNING;

use crate::Atomic;

/// Bits of the word above the reporter, which count its crashes after the first.
const ONE_MORE: u32 = 1 << 16;

/// Part of a vCPU that crashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Stop the others, report, and end the domain.
    Report,
    /// End the domain: reporting crashed twice.
    End,
    /// Stop: another vCPU reports, or ending crashed too.
    Halt,
}

impl Turn {
    /// Notes in `word`, which begins as 0, that `vcpu` crashes; returns its part. Numbers are below
    /// 65,535.
    pub fn take(word: &impl Atomic<u32>, vcpu: u32) -> Self {
        let reporter = vcpu + 1;
        match word.compare_exchange(0, reporter, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => Self::Report,
            Err(noted) if noted % ONE_MORE != reporter => Self::Halt,
            Err(noted) => {
                // Nobody else stores any more.
                word.store(noted.saturating_add(ONE_MORE), Ordering::Relaxed);
                match noted / ONE_MORE {
                    0 => Self::Report,
                    1 => Self::End,
                    _ => Self::Halt,
                }
            }
        }
    }
}

/// Returns whether a vCPU that was told to stop is known not to run, by what Xen says of it:
/// whether it is let run (VCPUOP_is_up), and its `state` (VCPUOP_get_runstate_info), if any.
///
/// There may be no such vCPU. Nor does one run where Xen has no such operation: all but the first
/// are started by its sister, VCPUOP_up, alone. QEMU's own Xen, under KVM, has neither.
pub fn has_stopped(is_up: Result<bool, Errno>, state: impl FnOnce() -> Option<i32>) -> bool {
    match is_up {
        Ok(true) => false,
        Ok(false) => state().is_some_and(|state| state != RUNSTATE_RUNNING),
        Err(errno) => matches!(errno, Errno::ENOENT | Errno::ENOSYS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::sync::atomic::AtomicU32;

    #[test]
    fn a_report_that_crashes_is_reported_and_then_comes_to_an_end() {
        let word = AtomicU32::new(0);
        let turns = [(); 5].map(|()| Turn::take(&word, 31));
        assert_eq!(turns, [Turn::Report, Turn::Report, Turn::End, Turn::Halt, Turn::Halt]);
    }

    #[test]
    fn one_vcpu_reports_whatever_others_do() {
        let word = AtomicU32::new(0);
        assert_eq!(Turn::take(&word, 0), Turn::Report);
        for vcpu in [1, 31, 1] {
            assert_eq!(Turn::take(&word, vcpu), Turn::Halt);
        }
        assert_eq!([0, 0].map(|vcpu| Turn::take(&word, vcpu)), [Turn::Report, Turn::End]);
        assert_eq!(Turn::take(&word, 2), Turn::Halt);
    }

    #[test]
    fn only_what_cannot_run_has_stopped() {
        let blocked = || Some(RUNSTATE_RUNNING + 1);
        let running = || Some(RUNSTATE_RUNNING);
        assert!(has_stopped(Ok(false), blocked));
        // It is down, and leaves the processor in a moment.
        assert!(!has_stopped(Ok(false), running) && !has_stopped(Ok(false), || None));
        assert!(!has_stopped(Ok(true), blocked));
        assert!(has_stopped(Err(Errno::ENOENT), running));
        assert!(has_stopped(Err(Errno::ENOSYS), running));
        for unknown in [Errno::EINVAL, Errno::ENOMEM, Errno::EPERM] {
            assert!(!has_stopped(Err(unknown), blocked), "{unknown}");
        }
    }
}
