//! Times that a disk takes for its requests: servers that take them in the order in which they
//! came, laws of their times, and stalls in which nobody works.

use std::ops::Range;

/// A disk whose times theory knows.
#[derive(Clone, Debug)]
pub struct Service {
    /// Requests that are served at once, at least 1; the others wait.
    pub servers: usize,
    /// Time that a server takes for one.
    pub law: Law,
    /// Times in which nobody works.
    pub stalls: Option<Stalls>,
}

/// Law of the time that a server takes, in nanoseconds.
#[derive(Clone, Debug)]
pub enum Law {
    /// Always the same.
    Fixed(u64),
    /// Any of these.
    Uniform(Range<u64>),
    /// Exponential with this mean, without memory.
    Exponential(u64),
    /// Exponential with a mean that changes evenly between two times.
    Changing {
        /// Mean until the first time.
        before_ns: u64,
        /// Mean from the second time on.
        after_ns: u64,
        /// First time, in nanoseconds of system time.
        begin_ns: u64,
        /// Second time, likewise.
        end_ns: u64,
    },
}

/// Times in which no server works, in nanoseconds of system time.
#[derive(Clone, Copy, Debug)]
pub struct Stalls {
    /// Time at which the first begins.
    pub first_ns: u64,
    /// Length of each.
    pub length_ns: u64,
    /// From the start of one to the start of the next, more than their length; `None` if there is
    /// one only.
    pub period_ns: Option<u64>,
}

/// A request as the backend saw it, in nanoseconds of system time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Served {
    /// The number of its ring.
    pub ring: usize,
    /// Operation; of an indirect request, the inner one.
    pub operation: u8,
    /// First sector, in units of 512 bytes.
    pub sector: u64,
    /// Sectors of its data, or to be given up.
    pub sectors: u64,
    /// Time at which the backend saw that it had been put.
    pub seen_ns: u64,
    /// Time at which the response could be seen.
    pub answered_ns: u64,
}

impl Service {
    /// Makes a service of so many servers with this law, and no stalls.
    pub fn new(servers: usize, law: Law) -> Self {
        Self { servers, law, stalls: None }
    }

    /// One for each request.
    pub fn unbounded(law: Law) -> Self {
        Self::new(usize::MAX, law)
    }

    fn draw_ns(&self, now_ns: u64, rng: &mut fastrand::Rng) -> u64 {
        let exponential =
            |rng: &mut fastrand::Rng, mean_ns| (-(1.0 - rng.f64()).ln() * mean_ns) as u64;
        match &self.law {
            Law::Fixed(ns) => *ns,
            Law::Uniform(range) => rng.u64(range.clone()),
            Law::Exponential(mean_ns) => exponential(rng, *mean_ns as f64),
            &Law::Changing { before_ns, after_ns, begin_ns, end_ns } => {
                let part =
                    now_ns.saturating_sub(begin_ns) as f64 / (end_ns - begin_ns).max(1) as f64;
                let change_ns = (after_ns as f64 - before_ns as f64) * part.min(1.0);
                exponential(rng, before_ns as f64 + change_ns)
            }
        }
    }

    /// Returns the time at which work that begins at `start_ns` and takes `work_ns` is done.
    fn done_ns(&self, start_ns: u64, work_ns: u64) -> u64 {
        let (mut at_ns, mut left_ns) = (start_ns, work_ns);
        let Some(stalls) = self.stalls else { return at_ns + left_ns };
        loop {
            let (begins_ns, ends_ns) = stalls.next(at_ns);
            let worked_ns = begins_ns.saturating_sub(at_ns);
            if left_ns <= worked_ns {
                return at_ns + left_ns;
            }
            left_ns -= worked_ns;
            at_ns = ends_ns;
        }
    }
}

impl Stalls {
    /// The stall that this time is in, or the next: when it begins and when it ends.
    fn next(self, at_ns: u64) -> (u64, u64) {
        let behind_ns = at_ns.saturating_sub(self.first_ns);
        let begins_ns = match self.period_ns {
            None if at_ns >= self.first_ns + self.length_ns => return (u64::MAX, u64::MAX),
            None => self.first_ns,
            Some(period_ns) => {
                let number =
                    behind_ns / period_ns + u64::from(behind_ns % period_ns >= self.length_ns);
                self.first_ns + number * period_ns
            }
        };
        (begins_ns, begins_ns + self.length_ns)
    }
}

/// Times from which each of a disk's servers has nothing to do any more, in nanoseconds.
#[derive(Debug, Default)]
pub(super) struct Servers(Vec<u64>);

impl Servers {
    /// Takes a request on; returns when it is done.
    pub(super) fn take(&mut self, service: &Service, now_ns: u64, rng: &mut fastrand::Rng) -> u64 {
        let work_ns = service.draw_ns(now_ns, rng);
        self.0.retain(|&free_ns| free_ns > now_ns);
        if self.0.len() < service.servers {
            self.0.push(service.done_ns(now_ns, work_ns));
            return *self.0.last().expect("one was put");
        }
        let first = self.0.iter_mut().min().expect("a disk has a server");
        *first = service.done_ns(*first, work_ns);
        *first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(service: &Service, arrivals_ns: &[u64]) -> Vec<u64> {
        let (mut servers, mut rng) = (Servers::default(), fastrand::Rng::with_seed(1));
        arrivals_ns.iter().map(|&now_ns| servers.take(service, now_ns, &mut rng)).collect()
    }

    #[test]
    fn requests_wait_for_a_server_in_order() {
        let one = Service::new(1, Law::Fixed(10));
        assert_eq!(done(&one, &[0, 0, 5, 100]), [10, 20, 30, 110]);
        let two = Service::new(2, Law::Fixed(10));
        assert_eq!(done(&two, &[0, 0, 5, 12]), [10, 10, 20, 22]);
        assert_eq!(done(&Service::unbounded(Law::Fixed(10)), &[0, 0, 0]), [10, 10, 10]);
    }

    #[test]
    fn nobody_works_in_a_stall() {
        let stalls = Stalls { first_ns: 15, length_ns: 100, period_ns: None };
        let once = Service { stalls: Some(stalls), ..Service::new(1, Law::Fixed(10)) };
        assert_eq!(done(&once, &[0, 0, 0]), [10, 120, 130]);
        let stalls = Stalls { period_ns: Some(105), ..stalls };
        let again = Service { stalls: Some(stalls), ..Service::new(1, Law::Fixed(10)) };
        assert_eq!(done(&again, &[0, 0, 0, 0]), [10, 120, 330, 540]);
    }

    #[test]
    fn an_exponential_law_has_its_mean() {
        let service = Service::unbounded(Law::Exponential(1_000_000));
        let sum: u64 = done(&service, &[0; 100_000]).iter().sum();
        assert!((sum as f64 / 1e11 - 1.0).abs() < 0.01, "{sum}");
    }
}
