//! Questions about a guest and its host that are asked while the guest is made, for the origin of
//! its result.
//!
//! `xl info` is called before the domain is created, `xl vcpu-list` and two listings of xenstore
//! when it is there and does not run yet: they disturb no measurement. No answer is needed. A
//! question that fails leaves its facts out, and after one that takes too long none is asked.

use std::time::Duration;

use results::Origin;

use crate::backend;
use crate::child::Finished;
use crate::host;
use crate::xl::Call;

/// Longest time for an answer.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Questions that are left, and the answers so far.
#[derive(Debug)]
pub struct Inquiry {
    origin: Origin,
    next: Question,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Question {
    Host,
    Affinity,
    Frontends,
    Backends(Vec<String>),
    /// Nothing more.
    Done,
}

impl Inquiry {
    /// Begins with what is known already.
    pub fn new(origin: Origin) -> Self {
        Self { origin, next: Question::Host }
    }

    /// Returns the next call, if there is one to make now; `domain` is the number of the guest's,
    /// once it is there.
    pub fn next_call(&self, domain: Option<u32>) -> Option<Call> {
        match (&self.next, domain) {
            (Question::Host, None) => Some(Call::info()),
            (Question::Affinity, Some(id)) => Some(Call::vcpu_list(id)),
            (Question::Frontends, Some(id)) => Some(Call::list_nodes(&[backend::frontends(id)])),
            (Question::Backends(paths), Some(_)) => Some(Call::list_nodes(paths)),
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
                self.origin.host = Some(host::host(answer));
                Question::Affinity
            }
            Question::Affinity => {
                self.origin.domain.get_or_insert_default().affinity = host::affinity(text, id);
                Question::Frontends
            }
            Question::Frontends => match backend::backends(text, id) {
                paths if paths.is_empty() => Question::Done,
                paths => Question::Backends(paths),
            },
            Question::Backends(_) => {
                self.origin.disks = backend::disks(text, id);
                Question::Done
            }
            Question::Done => Question::Done,
        };
        if is_stuck {
            self.next = Question::Done;
        }
    }

    /// Returns the origin as far as it is known.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }
}
