//! Back-off from a backend that sends events without end (XSA-391).
//!
//! Events that bring no response are counted, and from the third in a row on they are left alone
//! for a time that doubles with each. A port whose event is left pending raises no upcall, so
//! meanwhile the backend can't wake us. A response that comes meanwhile is noticed late, by no
//! more than what it took to come, or [`QUIET_MAX_NS`].

/// Events in a row without a response that are allowed: some are spurious.
const FREE: u32 = 2;
/// Time for which the first one too many is left alone, in nanoseconds.
const QUIET_MIN_NS: u64 = 4_000;
/// Longest time for which any is left alone, in nanoseconds.
const QUIET_MAX_NS: u64 = 1_000_000;

/// Recent events of a port.
#[derive(Debug, Default)]
pub(super) struct Storm {
    /// Events in a row without a response.
    in_vain: u32,
    /// End of the quiet after the last of them, in nanoseconds.
    quiet_until_ns: u64,
}

impl Storm {
    /// Returns until when events are left alone, unless that is over.
    pub(super) fn quiet_until_ns(&self, now_ns: impl FnOnce() -> u64) -> Option<u64> {
        (self.in_vain > FREE && now_ns() < self.quiet_until_ns).then_some(self.quiet_until_ns)
    }

    /// Notes that there was something to do.
    pub(super) fn calm(&mut self) {
        self.in_vain = 0;
    }

    /// Notes an event in vain; returns until when the next is left alone, if it is.
    pub(super) fn in_vain(&mut self, now_ns: impl FnOnce() -> u64) -> Option<u64> {
        self.in_vain = self.in_vain.saturating_add(1);
        let doublings = self.in_vain.checked_sub(FREE + 1)?;
        let quiet_ns = QUIET_MIN_NS.checked_shl(doublings.min(32)).unwrap_or(QUIET_MAX_NS);
        self.quiet_until_ns = now_ns().saturating_add(quiet_ns.min(QUIET_MAX_NS));
        Some(self.quiet_until_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn the_quiet_grows_up_to_its_limit_and_ends_with_work() {
        let mut storm = Storm::default();
        let quiet = |storm: &mut Storm| storm.in_vain(|| 100).map_or(0, |until| until - 100);
        let grown: Vec<u64> = (0..12).map(|_| quiet(&mut storm)).collect();
        let expected = [0, 0, 4, 8, 16, 32, 64, 128, 256, 512, 1000, 1000].map(|us: u64| us * 1000);
        assert_eq!(grown, expected);
        assert_eq!(storm.quiet_until_ns(|| 200), Some(1_000_100));
        assert_eq!(storm.quiet_until_ns(|| 1_000_100), None);
        storm.in_vain = u32::MAX;
        assert_eq!(quiet(&mut storm), 1_000_000);
        storm.calm();
        assert_eq!((quiet(&mut storm), storm.quiet_until_ns(|| 0)), (0, None));
    }
}
