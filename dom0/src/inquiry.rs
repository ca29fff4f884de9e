//! Questions about a guest and its host that are asked while the guest is made, for the origin of
//! its result.
//!
//! `xl info` and `xenpm` are called before the domain is created, `xl vcpu-list` and two listings
//! of xenstore when it is there and does not run yet: they disturb no measurement. No answer is
//! needed. A question that fails leaves its facts out, and after one that takes too long none is
//! asked.
//!
//! The last question, what CPU time other guests took, is asked again when the result is there.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use results::{Origin, OriginOthers};

use crate::backend;
use crate::child::Finished;
use crate::host;
use crate::root::Root;
use crate::xl::{self, Call};

/// Longest time for an answer.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Questions that are left, and the answers so far.
#[derive(Debug)]
pub struct Inquiry {
    origin: Origin,
    next: Question,
    /// Whether no other guest measures at the same time.
    is_alone: bool,
    /// Time at which other guests were looked at, and their CPU times until then.
    others: Option<(Instant, BTreeMap<u32, f64>)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Question {
    Host,
    Power,
    Affinity,
    Frontends,
    Backends(Vec<String>),
    Others,
    /// Nothing more.
    Done,
}

impl Inquiry {
    /// Begins with what is known already. Other guests are asked for if the guest `is_alone`.
    pub fn new(origin: Origin, is_alone: bool) -> Self {
        Self { origin, next: Question::Host, is_alone, others: None }
    }

    /// Returns the next call, if there is one to make now; `domain` is the number of the guest's,
    /// once it is there.
    pub fn next_call(&self, domain: Option<u32>) -> Option<Call> {
        match (&self.next, domain) {
            (Question::Host, None) => Some(Call::info()),
            (Question::Power, None) => Some(Call::power()),
            (Question::Affinity, Some(id)) => Some(Call::vcpu_list(id)),
            (Question::Frontends, Some(id)) => Some(Call::list_nodes(&[backend::frontends(id)])),
            (Question::Backends(paths), Some(_)) => Some(Call::list_nodes(paths)),
            (Question::Others, Some(_)) => Some(Call::list_all()),
            _ => None,
        }
    }

    /// Takes the end of the call, or `None` if it could not be made.
    pub fn take(&mut self, domain: Option<u32>, done: Option<&Finished>) {
        let answer = done.filter(|done| done.is_success()).map(|done| done.stdout.as_str());
        let is_stuck = done.is_some_and(|done| !done.is_exit());
        let text = answer.unwrap_or_default();
        let id = domain.unwrap_or_default();
        self.next = match &self.next {
            Question::Host => {
                let host = self.origin.host.insert(host::host(&Root::default(), answer));
                // Where Xen says nothing of itself, it says nothing of the clock.
                if host.xen.is_some() { Question::Power } else { Question::Affinity }
            }
            Question::Power => {
                self.origin.host = self.origin.host.take().map(|of| host::with_xenpm(of, text));
                Question::Affinity
            }
            Question::Affinity => {
                self.origin.domain.get_or_insert_default().affinity = host::affinity(text, id);
                self.origin.host.get_or_insert_default().dom0_affinity = host::affinity(text, 0);
                Question::Frontends
            }
            Question::Frontends => match backend::backends(text, id) {
                paths if paths.is_empty() => self.others_next(),
                paths => Question::Backends(paths),
            },
            Question::Backends(_) => {
                self.origin.disks = backend::disks(text, id);
                self.others_next()
            }
            Question::Others => {
                self.others = answer.map(|text| (Instant::now(), xl::cpu_times(text)));
                Question::Done
            }
            Question::Done => Question::Done,
        };
        if is_stuck {
            self.next = Question::Done;
        }
    }

    fn others_next(&self) -> Question {
        if self.is_alone { Question::Others } else { Question::Done }
    }

    /// Returns the call to make when the result is there, if there is one.
    pub fn last_call(&self) -> Option<Call> {
        self.others.as_ref().map(|_| Call::list_all())
    }

    /// Takes the end of the last call; `domain` is the number of the guest's.
    pub fn take_last(&mut self, domain: u32, done: &Finished) {
        let Some((since, before)) = self.others.take().filter(|_| done.is_success()) else {
            return;
        };
        let seconds = since.elapsed().as_secs_f64();
        self.origin.others = Some(taken(&before, &xl::cpu_times(&done.stdout), domain, seconds));
    }

    /// Returns the origin as far as it is known.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }
}

/// Returns the CPU time that guests besides dom0 and this one took between two lists.
pub fn taken(
    before: &BTreeMap<u32, f64>,
    after: &BTreeMap<u32, f64>,
    domain: u32,
    seconds: f64,
) -> OriginOthers {
    let mut others = OriginOthers { seconds, ..OriginOthers::default() };
    for (id, until) in after.iter().filter(|(id, _)| **id != 0 && **id != domain) {
        // One that was made meanwhile has taken all of it meanwhile.
        let took = until - before.get(id).copied().unwrap_or_default();
        if took > 0.0 {
            others.guests += 1;
            others.cpu_seconds += took;
        }
    }
    others
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_neither_dom0_nor_the_guest() {
        let list = |times: [f64; 4]| {
            let [dom0, ours, idle, busy] = times;
            xl::cpu_times(&format!(
                "Name                  ID   Mem VCPUs\tState\tTime(s)\n\
                 Domain-0               0  1024     2     r-----     {dom0}\n\
                 ringmark               7    64     1     r-----     {ours}\n\
                 an idle one            3   512     1     -b----     {idle}\n\
                 busy                   4   512     4     r-----     {busy}\n\
                 odd                    5   512     4     r-----     nan\n"
            ))
        };
        let (before, mut after) = (list([9.0, 0.0, 4.0, 2.0]), list([19.0, 9.0, 4.0, 5.5]));
        assert_eq!(before, [(0, 9.0), (3, 4.0), (4, 2.0), (7, 0.0)].into());
        let expected = OriginOthers { guests: 1, cpu_seconds: 3.5, seconds: 10.0 };
        assert_eq!(taken(&before, &after, 7, 10.0), expected);
        after.insert(8, 0.5);
        after.remove(&3);
        let expected = OriginOthers { guests: 2, cpu_seconds: 4.0, seconds: 10.0 };
        assert_eq!(taken(&before, &after, 7, 10.0), expected);
    }
}
