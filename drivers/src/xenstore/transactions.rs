//! Transactions: tried again after a conflict, and ended even when a reply came too late.

use alloc::vec::Vec;

use xen_abi::xenstore::{Header, MessageType};

use super::{Error, Xenstore};
use crate::patience::Patience;
use crate::vcpu::Vcpu;

/// Number of tries of a transaction that meets conflicts.
const TRANSACTION_TRIES: u32 = 16;
/// Wait before the second try of a transaction, in nanoseconds; it doubles from there.
const BACK_OFF_NS: u64 = 1_000_000;
/// Transactions whose start timed out that are remembered; xenstored allows a domain 10.
const LOST_STARTS_MAX: usize = 16;

/// Number of a transaction; [`NONE`](Self::NONE) outside any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transaction(pub(super) u32);

impl Transaction {
    /// No transaction.
    pub const NONE: Self = Self(0);
}

/// Transactions that xenstored may hold open although nothing here uses them any more.
#[derive(Debug)]
pub(super) struct Leftovers {
    /// Numbers of the requests to start a transaction that timed out.
    lost_starts: Vec<u32>,
    /// Numbers of the transactions that are to be ended.
    orphans: Vec<u32>,
}

impl Leftovers {
    /// Returns an empty table.
    pub(super) fn new() -> Self {
        Self {
            lost_starts: Vec::with_capacity(LOST_STARTS_MAX),
            orphans: Vec::with_capacity(LOST_STARTS_MAX),
        }
    }

    /// Remembers a transaction that is to be ended.
    fn abandon(&mut self, transaction: u32) {
        self.orphans.truncate(LOST_STARTS_MAX - 1);
        self.orphans.insert(0, transaction);
    }

    /// Notes that a request timed out: if it starts a transaction, that is ended when the reply
    /// comes.
    pub(super) fn note_lost(&mut self, kind: MessageType, req_id: u32) {
        if kind == MessageType::TransactionStart {
            self.lost_starts.truncate(LOST_STARTS_MAX - 1);
            self.lost_starts.insert(0, req_id);
        }
    }

    /// Notes the late reply to a request that timed out.
    pub(super) fn note_late(&mut self, reply: &Header, payload: &[u8]) {
        let lost = self.lost_starts.iter().position(|&req_id| req_id == reply.req_id);
        if let Some(lost) = lost {
            self.lost_starts.swap_remove(lost);
            if reply.kind == MessageType::TransactionStart as u32
                && let Some(number) = transaction_number(payload)
            {
                self.abandon(number);
            }
        }
    }
}

impl<V: Vcpu> Xenstore<'_, V> {
    /// Runs `work` in a transaction, again from its start after a conflict.
    ///
    /// # Errors
    /// The error of `work`, whose changes are then dropped; `EAGAIN` after 16 conflicts in a row.
    pub fn transaction<T>(
        &mut self,
        mut work: impl FnMut(&mut Self, Transaction) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut back_off_ns = BACK_OFF_NS;
        for attempt in 1.. {
            let reply = self.request(MessageType::TransactionStart, Transaction::NONE, &[b"\0"]);
            let number = transaction_number(&reply?);
            let transaction =
                Transaction(number.ok_or(Error::Malformed("transaction is not a number"))?);
            let result = work(self, transaction);
            let verdict: &[u8] = if result.is_ok() { b"T\0" } else { b"F\0" };
            let ended = self.request(MessageType::TransactionEnd, transaction, &[verdict]);
            if ended == Err(Error::Timeout) {
                self.leftovers.abandon(transaction.0);
            }
            match (result, ended) {
                (Ok(value), Ok(_)) => return Ok(value),
                (Ok(_), Err(Error::Refused(errno)))
                    if errno == "EAGAIN" && attempt < TRANSACTION_TRIES =>
                {
                    let budget = self.budget.as_mut();
                    let pause_ns = budget.map_or(back_off_ns, |budget| budget.take(back_off_ns));
                    let until_ns = self.vcpu.now_ns().saturating_add(pause_ns);
                    while self.vcpu.now_ns() < until_ns {
                        self.vcpu.prepare_wait();
                        self.vcpu.wait(until_ns);
                    }
                    back_off_ns *= 2;
                    if self.budget.is_some_and(|budget| budget.is_over()) {
                        return Err(Error::Refused(errno));
                    }
                }
                (Ok(_), Err(error)) | (Err(error), _) => return Err(error),
            }
        }
        unreachable!("the loop ends at the last try");
    }

    /// Ends the transactions that nothing uses. The replies are not waited for; they count as late.
    pub(super) fn end_orphans(&mut self, patience: &mut Patience) -> Result<(), Error> {
        while let Some(&number) = self.leftovers.orphans.last() {
            self.send(MessageType::TransactionEnd, Transaction(number), &[b"F\0"], patience)?;
            self.leftovers.orphans.pop();
        }
        Ok(())
    }
}

/// Returns the number in a reply that starts a transaction; `None` for 0, which stands for no
/// transaction.
fn transaction_number(reply: &[u8]) -> Option<u32> {
    let text = str::from_utf8(reply).ok()?;
    text.trim_end_matches('\0').parse().ok().filter(|&number| number != 0)
}
