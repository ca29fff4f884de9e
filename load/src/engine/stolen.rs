//! Time for which the vCPU was kept from running while a job was measured.
//!
//! The hypervisor is asked when the jobs of a run begin, and twice for each job, when its
//! measurement begins and when it has ended; never in between.

use drivers::Vcpu;

use results::Stolen;

/// Stolen time of a job, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub(super) enum Theft {
    /// Nothing is measured yet; the field is the time stolen when the run began, if the hypervisor
    /// reports it.
    Before(Option<u64>),
    /// The job is measured since the first time; the second is the time stolen until then.
    Since(u64, Option<u64>),
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
    pub(super) fn new(vcpu: &impl Vcpu) -> Self {
        Self::Before(vcpu.stolen_ns())
    }

    /// Notes that the job is measured from `begin_ns` on, as seen at `now_ns`; only the first call
    /// counts. Time stolen in between belongs to the job: a pause may be why it is seen late.
    pub(super) fn begin(&mut self, vcpu: &impl Vcpu, begin_ns: u64, now_ns: u64) {
        let Self::Before(first_ns) = *self else { return };
        let late_ns = now_ns.saturating_sub(begin_ns);
        let before_ns = vcpu.stolen_ns().zip(first_ns).map(|(stolen_ns, first_ns)| {
            stolen_ns - stolen_ns.saturating_sub(first_ns).min(late_ns)
        });
        *self = Self::Since(begin_ns, before_ns);
    }

    /// Notes that the job has ended, now or before; only the first call counts.
    pub(super) fn end(&mut self, vcpu: &impl Vcpu) {
        let Self::Since(begin_ns, before_ns) = *self else { return };
        // The clock is read first at the beginning and last at the end, so the stolen time lies
        // within.
        let stolen_ns = vcpu.stolen_ns().zip(before_ns);
        let of_ns = vcpu.now_ns().saturating_sub(begin_ns);
        let stolen = stolen_ns.map(|(now_ns, before_ns)| now_ns.saturating_sub(before_ns));
        *self = Self::Known(stolen.map(|ns| Stolen { ns, of_ns }));
    }

    /// Returns the time stolen from a job that was measured and has ended.
    pub(super) fn stolen(self) -> Option<Stolen> {
        if let Self::Known(stolen) = self { stolen } else { None }
    }
}
