//! Ends of a job whose rates or latencies leave its bounds.

use alloc::format;
use alloc::string::String;

use fio_job::Direction;
use results::DirectionResult;

use super::ActiveJob;
use crate::engine::in_flight::InFlight;
use crate::engine::outcome::Moved;
use crate::engine::target::direction_of;

/// Value of fio's `error` for a job whose rate is too low.
const EIO: i32 = 5;
/// Value of fio's `error` for a job one of whose latencies is too long.
const ETIMEDOUT: i32 = 110;

impl ActiveJob {
    /// Judges its rates; if one is too low, the job ends. Returns what is wrong.
    pub(in crate::engine) fn judge_rates(&mut self, now_ns: u64) -> Option<String> {
        self.judge.as_ref()?;
        let ns = self.measured_ns(now_ns)?;
        let moved = |direction| {
            let DirectionResult { ios, bytes, .. } = *self.result.direction(direction);
            Moved { ios, bytes }
        };
        let moved = Direction::ALL.map(moved);
        let why = self.judge.as_mut()?.rates(ns, moved)?;
        Some(self.break_off(EIO, &why, now_ns))
    }

    /// Judges the latency of an I/O that has succeeded; if it is too long, the job ends. Returns
    /// what is wrong.
    pub(in crate::engine) fn judge_latency(
        &mut self,
        io: &InFlight,
        now_ns: u64,
    ) -> Option<String> {
        let judge = self.judge.as_ref()?;
        let direction = direction_of(io.operation)?;
        let why = judge.latency(direction, now_ns.saturating_sub(io.start_ns))?;
        let why = format!("{:?} at byte {}: {why}", io.operation, io.offset);
        Some(self.break_off(ETIMEDOUT, &why, now_ns))
    }

    fn break_off(&mut self, errno: i32, why: &str, now_ns: u64) -> String {
        if self.result.errno == 0 {
            self.result.errno = errno;
        }
        self.stop(now_ns);
        format!("job {}: {why}", self.result.job.name)
    }
}
