//! Choice of the kind of wait with which an I/O takes the least time.
//!
//! One kind is at home: it is used, and its mean time for each I/O is known, over all that comes
//! with it: work, waits, and the times when somebody else had the processor. The others are tried
//! now and then, and a trial goes on as long as it pays: it is charged with its time and credited
//! with what the kind at home would have taken for the same I/Os. It is lost when the balance falls
//! below a small overdraft, or is not ahead after its first block of waits, or at its end; a kind
//! that was ahead to the end is at home from then on. So a trial that loses costs little more than
//! its overdraft, one that a pause spoils only comes again later, and a kind whose waits are short
//! until a time slice ends is found out by the pause, which counts.
//!
//! After a loss the kind is not tried again for 64 times as long as it cost, so all trials of a
//! kind together cost at most 1/64 of the time; and that grows with each further loss, until the
//! kind at home changes its time, or loses its place. A yield has no bound: if it cost a time
//! slice, as where another guest is busy, the trial is lost, and the next comes only after 20 s.

/// Step to take when no work is left, and so a kind of wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Sleep until an event comes.
    Sleep,
    /// Let others run that can, and then look again; no event is asked for.
    Yield,
    /// Look again at once.
    Poll,
}

/// Work of the backends, as seen at some time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Number of requests completed so far.
    pub completed: u64,
    /// Number of requests in flight.
    pub in_flight: u64,
}

/// Waits of a block, at least.
const BLOCK_WAITS: u64 = 32;
/// Number of times that a block completes all that is in flight, at least.
const BLOCK_ROUNDS: u64 = 4;
/// Blocks of the kind at home between two trials.
const BLOCKS_BETWEEN: u32 = 2;
/// Time after which what is known of the kind at home counts half, in nanoseconds.
const HORIZON_NS: u64 = 1 << 28;
/// Time of a trial that was ahead to its end, in nanoseconds: some slices of Xen's schedulers.
const TRIAL_NS: u64 = 1 << 26;
/// Longest time that counts at once, in nanoseconds, which keeps products within 64 bits.
const AT_ONCE_NS: u64 = 1 << 30;
/// Part of its time by which a kind must be ahead.
const AHEAD: i64 = 256;
/// Times what a block takes after which it ends although it is not whole.
const BLOCK_LATE: u64 = 4;
/// Number of blocks that differ from what is usual by half, one after the other, for a change.
const CHANGED_BLOCKS: u32 = 3;
/// Times its cost for which a kind is not tried again after the first loss.
const REST_MIN: u64 = 64;
/// Times its cost after losses without end.
const REST_MAX: u64 = 16384;
/// Growth with each loss.
const REST_GROWTH: u64 = 4;
/// Longest time without a trial that cost little, in nanoseconds.
const REST_NS_MAX: u64 = 4_000_000_000;
/// Least time without a trial that lost a time slice, in nanoseconds.
const SLICE_REST_NS: u64 = 20_000_000_000;

/// Time and I/Os of some waits with the work before each.
#[derive(Clone, Copy, Debug, Default)]
struct Account {
    ns: u64,
    ios: u64,
    waits: u64,
}

impl Account {
    fn add(&mut self, other: Self) {
        self.ns += other.ns;
        self.ios += other.ios;
        self.waits += other.waits;
        if self.ns > HORIZON_NS {
            *self = Self { ns: self.ns / 2, ios: self.ios / 2, waits: self.waits / 2 };
        }
    }

    /// Returns the time that so many I/Os take, in nanoseconds.
    fn ns_for(&self, ios: u64) -> u64 {
        self.ns.saturating_mul(ios) / self.ios.max(1)
    }

    /// Returns the time of a wait, or of all that is in flight if that is longer, in nanoseconds.
    fn round_ns(&self, in_flight: u64) -> u64 {
        (self.ns / self.waits.max(1)).max(self.ns_for(in_flight))
    }
}

/// Waits since some time.
#[derive(Clone, Copy, Debug, Default)]
struct Block {
    begin_ns: u64,
    /// Number of requests completed before.
    completed: u64,
    waits: u64,
}

impl Block {
    fn begin(now_ns: u64, completed: u64) -> Self {
        Self { begin_ns: now_ns, completed, waits: 0 }
    }

    fn account(&self, now_ns: u64, completed: u64) -> Account {
        let ns = now_ns.saturating_sub(self.begin_ns);
        let ios = completed.saturating_sub(self.completed);
        if ns <= AT_ONCE_NS {
            return Account { ns, ios, waits: self.waits };
        }
        // The part that counts: as many I/Os as it takes, for the time of each stays the same.
        let part = |count| (u128::from(count) * u128::from(AT_ONCE_NS) / u128::from(ns)) as u64;
        Account { ns: AT_ONCE_NS, ios: part(ios), waits: part(self.waits).max(1) }
    }
}

/// Returns whether a block is long enough to be judged.
fn is_whole(account: &Account, in_flight: u64) -> bool {
    account.waits >= BLOCK_WAITS && account.ios >= BLOCK_ROUNDS * in_flight.max(1)
}

/// Trial of a kind.
#[derive(Clone, Copy, Debug)]
struct Trial {
    kind: Step,
    block: Block,
    /// Whether it was ahead after its first block.
    is_ahead: bool,
    /// Time from which on it is judged again: to look at all queues takes time itself.
    judge_ns: u64,
    /// Whether another guest had a time slice.
    lost_slice: bool,
}

/// Losses of a kind.
#[derive(Clone, Copy, Debug)]
struct Record {
    /// Time since which it rests, in nanoseconds: of its last loss, or when it left home.
    since_ns: u64,
    /// Cost of that.
    cost_ns: u64,
    /// Least time to rest, in nanoseconds.
    least_ns: u64,
    /// Number of losses since something changed.
    losses: u32,
}

impl Record {
    const NEW: Self = Self { since_ns: 0, cost_ns: 0, least_ns: 0, losses: 0 };

    /// Returns the time from which on it may be tried again.
    fn due_ns(&self) -> u64 {
        let growth = REST_GROWTH.saturating_pow(self.losses.saturating_sub(1));
        let rest = REST_MIN.saturating_mul(growth).min(REST_MAX);
        let rest_ns = self.cost_ns.saturating_mul(rest).min(REST_NS_MAX).max(self.least_ns);
        self.since_ns.saturating_add(rest_ns)
    }

    /// Lets it rest from now on.
    fn rest(&mut self, now_ns: u64, cost_ns: u64) {
        let least_ns = cost_ns.saturating_mul(REST_MIN);
        *self = Self { since_ns: now_ns, cost_ns, least_ns, ..*self };
    }

    /// Notes that a trial of it was lost, perhaps with a time slice.
    fn lose(&mut self, now_ns: u64, cost_ns: u64, lost_slice: bool) {
        self.rest(now_ns, cost_ns);
        self.losses = self.losses.saturating_add(1);
        if lost_slice {
            self.least_ns = self.least_ns.max(SLICE_REST_NS);
        }
    }
}

/// Choice of the kind of each wait, and what it rests on.
#[derive(Debug)]
pub(super) struct Choice {
    home: Step,
    /// Account of the kind at home.
    account: Account,
    /// Block of the kind at home, if there is no trial.
    block: Option<Block>,
    /// Blocks of it since the last trial.
    blocks: u32,
    /// Usual time of an I/O in such a block, in nanoseconds, whatever a few of them took.
    usual_ns: u64,
    /// Number of the last blocks that differed from that.
    unusual: u32,
    /// Time of a wait, or of all in flight, in nanoseconds; 0 before it is known.
    round_ns: u64,
    trial: Option<Trial>,
    /// Kinds that may be tried, the first of them first.
    kinds: &'static [Step],
    /// All kinds, by number.
    records: [Record; 3],
}

impl Default for Choice {
    /// Returns the choice before anything is known, which is to sleep.
    fn default() -> Self {
        Self {
            home: Step::Sleep,
            account: Account::default(),
            block: None,
            blocks: 0,
            usual_ns: 0,
            unusual: 0,
            round_ns: 0,
            trial: None,
            kinds: &[Step::Sleep, Step::Poll, Step::Yield],
            records: [Record::NEW; 3],
        }
    }
}

impl Choice {
    /// Returns the kind of the wait that begins, and how long to poll or to yield in it, in
    /// nanoseconds: in a trial little longer than the wait would be anyway, and otherwise longer,
    /// for a wait that is longer than most.
    pub(super) fn plan(&self) -> (Step, u64) {
        match &self.trial {
            Some(trial) => (trial.kind, self.round_ns + self.round_ns / 4),
            None => (self.home, self.round_ns.saturating_mul(4)),
        }
    }

    /// Takes yields away from what may be tried; to be called before any wait.
    pub(super) fn never_yield(&mut self) {
        self.kinds = &[Step::Sleep, Step::Poll];
    }

    /// Notes that another guest had a time slice because ours yielded.
    #[cold]
    pub(super) fn note_slice(&mut self) {
        if let Some(trial) = &mut self.trial {
            trial.lost_slice = true;
        }
    }

    /// Notes that a wait is over; if waits are `long`, they are slept through from now on.
    #[inline]
    pub(super) fn wait_over(&mut self, now_ns: u64, work: impl FnOnce() -> Work, long: bool) {
        if long && self.home != Step::Sleep {
            self.move_in(Step::Sleep, Account::default(), now_ns, 0);
            (self.trial, self.block) = (None, None);
        }
        if let Some(trial) = &mut self.trial {
            trial.block.waits += 1;
            if now_ns < trial.judge_ns {
                return;
            }
            // It loses no more than that meanwhile.
            trial.judge_ns = now_ns + self.round_ns;
            return self.judge(now_ns, work());
        }
        match &mut self.block {
            Some(block) => {
                block.waits += 1;
                let late_ns = self.round_ns.saturating_mul(BLOCK_WAITS * BLOCK_LATE);
                let is_late = now_ns.saturating_sub(block.begin_ns) > late_ns && late_ns != 0;
                if block.waits >= BLOCK_WAITS || is_late {
                    self.end_block(now_ns, work(), long, is_late);
                }
            }
            None => self.block = Some(Block::begin(now_ns, work().completed)),
        }
    }

    /// Ends a block of the kind at home, if it is whole or late.
    fn end_block(&mut self, now_ns: u64, work: Work, long: bool, is_late: bool) {
        let Some(block) = self.block else { return };
        let account = block.account(now_ns, work.completed);
        if !is_late && !is_whole(&account, work.in_flight) {
            return;
        }
        self.block = Some(Block::begin(now_ns, work.completed));
        self.account.add(account);
        self.blocks = self.blocks.saturating_add(1);
        self.note_change(account, is_late);
        self.round_ns = self.account.round_ns(work.in_flight);
        if !long && self.blocks >= BLOCKS_BETWEEN {
            self.try_another(now_ns, work.completed);
        }
    }

    /// Forgets what was before if the time of the kind at home has changed. A block that is late is
    /// a pause, or the first of many: the others are to be tried soon, in case it is.
    fn note_change(&mut self, account: Account, is_late: bool) {
        if is_late {
            self.records.iter_mut().for_each(|record| record.losses = 0);
        }
        let io_ns = account.ns_for(1);
        if self.usual_ns == 0 {
            self.usual_ns = io_ns;
        }
        let usual_ns = self.usual_ns;
        if io_ns <= usual_ns + usual_ns / 2 && usual_ns <= io_ns + io_ns / 2 {
            self.usual_ns = usual_ns - usual_ns / 8 + io_ns / 8;
            self.unusual = 0;
            return;
        }
        self.unusual += 1;
        if self.unusual == CHANGED_BLOCKS {
            self.account = account;
            (self.usual_ns, self.unusual) = (io_ns, 0);
            self.records.iter_mut().for_each(|record| record.losses = 0);
        }
    }

    /// Begins the trial of a kind that is due, if one is; first that of the one that waits for
    /// nobody but the backend.
    fn try_another(&mut self, now_ns: u64, completed: u64) {
        let due = self
            .kinds
            .iter()
            .copied()
            .find(|&kind| kind != self.home && self.records[kind as usize].due_ns() <= now_ns);
        if let Some(kind) = due {
            let block = Block::begin(now_ns, completed);
            self.trial =
                Some(Trial { kind, block, is_ahead: false, judge_ns: now_ns, lost_slice: false });
            self.block = None;
        }
    }

    /// Goes on with the trial under way, or ends it.
    fn judge(&mut self, now_ns: u64, work: Work) {
        let Some(trial) = &mut self.trial else { return };
        let account = trial.block.account(now_ns, work.completed);
        let balance_ns = self.account.ns_for(account.ios) as i64 - account.ns as i64;
        let ahead_ns = account.ns as i64 / AHEAD;
        let mut is_lost = trial.lost_slice || balance_ns < -(2 * self.round_ns as i64);
        if !trial.is_ahead && is_whole(&account, work.in_flight) {
            trial.is_ahead = true;
            is_lost |= balance_ns < ahead_ns;
        }
        let ends = trial.is_ahead && account.ns >= TRIAL_NS;
        is_lost |= ends && balance_ns < ahead_ns;
        if !is_lost && !ends {
            return;
        }
        let kind = trial.kind;
        if is_lost {
            let cost_ns = u64::try_from(-balance_ns).unwrap_or(0).max(self.round_ns);
            self.records[kind as usize].lose(now_ns, cost_ns, trial.lost_slice);
        } else {
            self.move_in(kind, account, now_ns, work.in_flight);
        }
        self.trial = None;
        self.block = Some(Block::begin(now_ns, work.completed));
        self.blocks = 0;
    }

    /// Puts a kind at home.
    fn move_in(&mut self, kind: Step, account: Account, now_ns: u64, in_flight: u64) {
        let cost_ns = self.round_ns;
        self.records.iter_mut().for_each(|record| record.losses = 0);
        self.records[self.home as usize].rest(now_ns, cost_ns);
        self.home = kind;
        self.account = account;
        (self.usual_ns, self.unusual) = (account.ns_for(1), 0);
        self.round_ns = account.round_ns(in_flight);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Long blocks are those of a loop that is seldom idle, and an I/O takes as long in each.
    #[test]
    fn a_block_longer_than_what_counts_at_once_counts_in_part() {
        for (times, ns) in [(1, AT_ONCE_NS), (8, AT_ONCE_NS), (1000, AT_ONCE_NS)] {
            let block = Block { waits: 64, ..Block::begin(5, 7) };
            let account = block.account(5 + times * AT_ONCE_NS, 7 + times * (1 << 20));
            assert_eq!((account.ns, account.ios), (ns, 1 << 20), "{times}");
            assert_eq!(account.ns_for(1), AT_ONCE_NS >> 20);
        }
    }

    #[test]
    fn a_trial_is_judged_no_more_than_once_in_a_round() {
        let block = Block::begin(1, 0);
        let trial =
            Trial { kind: Step::Poll, block, is_ahead: false, judge_ns: 1, lost_slice: false };
        let mut choice = Choice { round_ns: 8_000, trial: Some(trial), ..Choice::default() };
        choice.account = Account { ns: 1_000_000, ios: 1_000, waits: 1_000 };
        let mut looks = 0;
        for wait in 1..=64 {
            let work = || {
                looks += 1;
                Work { completed: wait, in_flight: 64 }
            };
            choice.wait_over(1 + wait * 1_000, work, false);
        }
        assert!(choice.trial.is_some() && looks == 8, "{looks}");
    }

    #[test]
    fn losses_count_from_the_last_change() {
        let mut record = Record::NEW;
        let mut rests = || {
            record.lose(1, 100, false);
            record.due_ns() - 1
        };
        assert_eq!([rests(), rests(), rests()], [6_400, 25_600, 102_400]);
        record.losses = 0;
        record.rest(1, 100);
        assert_eq!(record.due_ns() - 1, 6_400);
        record.lose(1, 100, false);
        assert_eq!(record.due_ns() - 1, 6_400, "to leave home is no loss");
    }
}
