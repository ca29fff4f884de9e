//! Which vCPU reports a crash, when several crash at once or one crashes again.

use core::sync::atomic::Ordering;

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
}
