//! Time for which the vCPU was kept from running while a job was measured.
//!
//! The hypervisor is asked when the jobs of a run begin, and twice for each job, when its
//! measurement begins and when it has ended; in between only around a few yields. A vCPU that
//! yields wants to run, so the hypervisor counts what others take meanwhile; that is lent, not
//! stolen.

use drivers::Vcpu;

use results::Stolen;

/// vCPU with its clock, and the time that it lent others so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clocks<'v, V> {
    pub(super) vcpu: &'v V,
    /// Time that others had by yields, in nanoseconds.
    pub(super) lent_ns: u64,
}

impl<V: Vcpu> Clocks<'_, V> {
    /// Returns the time that others had and were not lent, in nanoseconds since some time.
    fn stolen_ns(&self) -> Option<i64> {
        self.vcpu.stolen_ns().map(|ns| ns.wrapping_sub(self.lent_ns) as i64)
    }
}

/// Stolen time of a job, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub(super) enum Theft {
    /// Nothing is measured yet; the field is the time stolen when the run began, if the hypervisor
    /// reports it.
    Before(Option<i64>),
    /// The job is measured since the first time; the second is the time stolen until then.
    Since(u64, Option<i64>),
    /// The job has ended.
    Known(Option<Stolen>),
}

impl Default for Theft {
    /// Returns the state of a run that has not begun.
    fn default() -> Self {
        Self::Before(None)
    }
}

impl Theft {
    /// Returns the state at the beginning of a run.
    pub(super) fn new(clocks: &Clocks<'_, impl Vcpu>) -> Self {
        Self::Before(clocks.stolen_ns())
    }

    /// Notes that the job is measured from `begin_ns` on, as seen at `now_ns`; only the first call
    /// counts. Time stolen in between belongs to the job: a pause may be why it is seen late.
    pub(super) fn begin(&mut self, clocks: &Clocks<'_, impl Vcpu>, begin_ns: u64, now_ns: u64) {
        let Self::Before(first_ns) = *self else { return };
        let late_ns = now_ns.saturating_sub(begin_ns) as i64;
        let before_ns = clocks.stolen_ns().zip(first_ns).map(|(stolen_ns, first_ns)| {
            stolen_ns - stolen_ns.wrapping_sub(first_ns).min(late_ns).max(0)
        });
        *self = Self::Since(begin_ns, before_ns);
    }

    /// Notes that the job has ended, now or before; only the first call counts.
    pub(super) fn end(&mut self, clocks: &Clocks<'_, impl Vcpu>) {
        let Self::Since(begin_ns, before_ns) = *self else { return };
        // The clock is read first at the beginning and last at the end, so the stolen time lies
        // within.
        let stolen_ns = clocks.stolen_ns().zip(before_ns);
        let of_ns = clocks.vcpu.now_ns().saturating_sub(begin_ns);
        let stolen =
            stolen_ns.map(|(now_ns, before_ns)| now_ns.wrapping_sub(before_ns).max(0) as u64);
        *self = Self::Known(stolen.map(|ns| Stolen { ns, of_ns }));
    }

    /// Returns the time stolen from a job that was measured and has ended.
    pub(super) fn stolen(self) -> Option<Stolen> {
        if let Self::Known(stolen) = self { stolen } else { None }
    }
}
