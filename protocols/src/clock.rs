//! Xen's clock: a TSC value and a shared line turn into system time (xen.h, vcpu_time_info).

use core::sync::atomic::Ordering;

use xen_abi::shared_info::VcpuTimeInfo;

use crate::{Atomic, Atomics, Native};

/// The words of a vCPU's time line.
#[derive(Debug)]
pub struct TimeLine<'a, A: Atomics = Native> {
    /// Version of the line: odd while Xen writes, another after each update.
    pub version: &'a A::U32,
    /// TSC when `system_time` was taken.
    pub tsc_timestamp: &'a A::U64,
    /// Nanoseconds since Xen booted.
    pub system_time: &'a A::U64,
    /// Factor for the TSC difference, in 2^-32 nanoseconds.
    pub tsc_to_system_mul: &'a A::U32,
    /// Left shift of the TSC difference; a right shift when negative.
    pub tsc_shift: &'a A::I8,
}

impl<'a> From<&'a VcpuTimeInfo> for TimeLine<'a> {
    #[inline(always)]
    fn from(info: &'a VcpuTimeInfo) -> Self {
        let VcpuTimeInfo { version, tsc_timestamp, system_time, .. } = info;
        let VcpuTimeInfo { tsc_to_system_mul, tsc_shift, .. } = info;
        Self { version, tsc_timestamp, system_time, tsc_to_system_mul, tsc_shift }
    }
}

impl<A: Atomics> TimeLine<'_, A> {
    /// Returns the system time in nanoseconds since Xen booted.
    ///
    /// `tsc` reads the processor's time stamp counter; it is called again while Xen updates the
    /// line. A counter that stands before the line's counts as standing at it.
    /// The result may step back a little between updates; a caller that promises otherwise keeps
    /// the highest value.
    #[inline]
    pub fn system_time_ns(&self, mut tsc: impl FnMut() -> u64) -> u64 {
        loop {
            if let Some(now_ns) = self.try_system_time_ns(&mut tsc) {
                return now_ns;
            }
            core::hint::spin_loop();
        }
    }

    /// Returns the system time, unless Xen is updating the line.
    #[inline]
    pub fn try_system_time_ns(&self, tsc: impl FnOnce() -> u64) -> Option<u64> {
        let version = self.version.load(Ordering::Acquire);
        let base_tsc = self.tsc_timestamp.load(Ordering::Relaxed);
        let base_ns = self.system_time.load(Ordering::Relaxed);
        let mul = self.tsc_to_system_mul.load(Ordering::Relaxed);
        let shift = self.tsc_shift.load(Ordering::Relaxed);
        let now = tsc();
        A::fence(Ordering::Acquire);
        if version & 1 != 0 || self.version.load(Ordering::Relaxed) != version {
            return None;
        }
        Some(base_ns.wrapping_add(scale(elapsed(base_tsc, now), mul, shift)))
    }
}

/// Returns the ticks from one TSC value to another; 0 when the second is behind.
///
/// A guest's counter starts near 0, and the line may stand for a time before that start: then its
/// stamp stands just below 2^64.
#[inline]
fn elapsed(from: u64, to: u64) -> u64 {
    u64::try_from(to.wrapping_sub(from).cast_signed()).unwrap_or(0)
}

/// Returns (`ticks` << `shift`) * `mul` / 2^32, with a right shift where `shift` is negative.
#[inline]
fn scale(ticks: u64, mul: u32, shift: i8) -> u64 {
    let shifted = if shift >= 0 {
        ticks.unbounded_shl(shift.unsigned_abs().into())
    } else {
        ticks.unbounded_shr(shift.unsigned_abs().into())
    };
    ((u128::from(shifted) * u128::from(mul)) >> 32) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Xen writes half a line, is seen with it, and then writes the other half.
    #[test]
    fn a_line_that_xen_is_writing_is_read_again() {
        let time = VcpuTimeInfo::default();
        time.version.store(6, Ordering::Relaxed);
        time.tsc_timestamp.store(1_000, Ordering::Relaxed);
        time.system_time.store(50, Ordering::Relaxed);
        time.tsc_to_system_mul.store(1 << 31, Ordering::Relaxed);
        time.tsc_shift.store(1, Ordering::Relaxed);
        let mut looks = 0;
        let now_ns = TimeLine::from(&time).system_time_ns(|| {
            looks += 1;
            match looks {
                1 => {
                    time.version.store(7, Ordering::Relaxed);
                    time.tsc_timestamp.store(9_000, Ordering::Relaxed);
                }
                3 => {
                    time.system_time.store(8_050, Ordering::Relaxed);
                    time.version.store(8, Ordering::Relaxed);
                }
                _ => {}
            }
            9_030
        });
        assert_eq!((now_ns, looks), (8_080, 4));
    }

    #[test]
    fn a_counter_that_began_after_the_stamp_still_moves() {
        assert_eq!(elapsed(100, 105), 5);
        assert_eq!(elapsed(u64::MAX - 4, 10), 15);
        assert_eq!(elapsed(105, 100), 0);
        assert_eq!(elapsed(10, u64::MAX - 4), 0);
    }

    #[test]
    fn ticks_scale_to_nanoseconds() {
        // 1 GHz, 2 GHz, 500 MHz.
        assert_eq!(scale(1_000, 1 << 31, 1), 1_000);
        assert_eq!(scale(2_000, 1 << 31, 0), 1_000);
        assert_eq!(scale(500, 1 << 31, 2), 1_000);
        assert_eq!(scale(4_000, 1 << 31, -1), 1_000);
        // Years of ticks do not overflow; absurd shifts do no harm.
        assert_eq!(scale(1 << 60, u32::MAX, 0), (1 << 60) - (1 << 28));
        assert_eq!(scale(5, 7, 127), 0);
        assert_eq!(scale(5, 7, -128), 0);
    }
}
