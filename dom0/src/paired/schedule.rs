//! Order of alternated runs, and when there are enough of them.

use std::time::Duration;

/// Pairs of a block: in the order ABBA what drifts evenly falls on both alike.
pub const BLOCK: usize = 2;
/// Fewest pairs by whose spread a comparison may end early: of fewer the spread is a guess, and to
/// end at a lucky one would be to see differences that are not there.
pub const RESOLVE_MIN: usize = 6;
/// Pairs beyond those that the spread so far asks for. Who looks after each block ends where the
/// spread happens to be small: without more pairs up to 6.7 % of equal systems would differ, with
/// these at most 6 %.
pub const MARGIN: usize = 4;

/// Returns which of the two has the run of this number, from 0: A, B, B, A, A, B, B, A, ..
pub fn side(run: usize) -> usize {
    usize::from(matches!(run % (2 * BLOCK), 1 | 2))
}

/// Returns the number of the pair of a run, both from 0.
pub fn pair(run: usize) -> usize {
    run / 2
}

/// Aim of a comparison.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Aim {
    /// Number of pairs.
    Pairs(usize),
    /// Pairs that resolve a relative difference, such as 0.02, as many as it takes.
    Resolve {
        /// Difference.
        difference: f64,
        /// Most pairs.
        most: usize,
    },
}

/// Rule by which a comparison ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// Aim.
    pub aim: Aim,
    /// Time after which no further block begins that would end later.
    pub limit: Option<Duration>,
}

/// Pairs so far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct State {
    /// Number of pairs that are done.
    pub pairs: usize,
    /// Time that they took.
    pub spent: Duration,
    /// Pairs that resolve the difference by the spread so far, if that can be told.
    pub needed: Option<usize>,
}

/// Next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// One more block, or what is left of it; so many pairs are wanted in all.
    Block(usize),
    /// Nothing.
    End(End),
}

/// Reason to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// All pairs that were asked for are done.
    Done,
    /// The difference would have been seen.
    Resolved,
    /// More pairs than allowed would be needed to see it: so many, if that can be told.
    Most(Option<usize>),
    /// The next block would end too late; so many pairs are wanted in all.
    Late(usize),
}

impl Rule {
    /// Returns what is next when a block is done.
    pub fn next(&self, state: State) -> Next {
        let State { pairs, needed, .. } = state;
        let wanted = match self.aim {
            Aim::Pairs(count) if pairs >= count => return Next::End(End::Done),
            Aim::Pairs(count) => count,
            Aim::Resolve { most, .. } => {
                let first = RESOLVE_MIN.min(most);
                // Of too few pairs the spread says nothing yet.
                let needed = needed.filter(|_| pairs >= first);
                let enough = needed.map(|needed| needed.saturating_add(MARGIN));
                if enough.is_some_and(|enough| pairs >= enough) {
                    return Next::End(End::Resolved);
                }
                if pairs >= most {
                    // The number was given: no luck of the spread ends it here.
                    let is_resolved = needed.is_some_and(|needed| pairs >= needed);
                    return Next::End(if is_resolved { End::Resolved } else { End::Most(needed) });
                }
                let enough = enough.unwrap_or_default().min(most).next_multiple_of(BLOCK);
                enough.max(pairs + BLOCK).max(first).min(most)
            }
        };
        if self.is_late(state, wanted.saturating_sub(pairs).min(BLOCK)) {
            return Next::End(End::Late(wanted));
        }
        Next::Block(wanted)
    }

    /// Returns whether so many pairs more would end too late. The first may always begin.
    fn is_late(&self, state: State, more: usize) -> bool {
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let Some(each) = state.spent.checked_div(count(state.pairs)) else { return false };
        let end = state.spent.saturating_add(each.saturating_mul(count(more)));
        self.limit.is_some_and(|limit| end > limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn state(pairs: usize, needed: Option<usize>) -> State {
        State { pairs, spent: MINUTE * pairs as u32, needed }
    }

    fn resolve(most: usize) -> Rule {
        Rule { aim: Aim::Resolve { difference: 0.02, most }, limit: None }
    }

    #[test]
    fn runs_alternate_so_that_drift_falls_on_both() {
        let order: Vec<usize> = (0..12).map(side).collect();
        assert_eq!(order, [0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0]);
        for block in order.chunks(2 * BLOCK) {
            let places = |of| block.iter().zip(0..).filter(move |(side, _)| **side == of);
            let sum = |of| places(of).map(|(_, place)| place).sum::<i32>();
            assert_eq!(sum(0), sum(1));
        }
        // Both runs of a pair are neighbours, one of each side.
        for number in 0..6 {
            assert_eq!([2 * number, 2 * number + 1].map(pair), [number; 2]);
            assert_ne!(side(2 * number), side(2 * number + 1));
        }
    }

    #[test]
    fn a_number_of_pairs_is_kept() {
        let rule = Rule { aim: Aim::Pairs(6), limit: None };
        for pairs in [0, 2, 4] {
            assert_eq!(rule.next(state(pairs, Some(100))), Next::Block(6));
        }
        assert_eq!(rule.next(state(6, Some(100))), Next::End(End::Done));
    }

    #[test]
    fn as_many_pairs_as_are_needed_but_not_fewer_than_six() {
        let rule = resolve(100);
        assert_eq!(rule.next(state(0, None)), Next::Block(6));
        // A lucky spread of few pairs ends nothing, and an unlucky one asks for no more yet.
        assert_eq!(rule.next(state(2, Some(2))), Next::Block(6));
        assert_eq!(rule.next(state(4, Some(90))), Next::Block(6));
        assert_eq!(rule.next(state(6, Some(2))), Next::End(End::Resolved));
        // A margin makes up for the luck of the spread at which it ends.
        assert_eq!(rule.next(state(6, Some(3))), Next::Block(8));
        assert_eq!(rule.next(state(8, Some(4))), Next::End(End::Resolved));
        assert_eq!(rule.next(state(6, Some(13))), Next::Block(18));
        assert_eq!(rule.next(state(8, None)), Next::Block(10));
        assert_eq!(rule.next(state(8, Some(9))), Next::Block(14));
        assert_eq!(rule.next(state(12, Some(9))), Next::Block(14));
        assert_eq!(rule.next(state(14, Some(9))), Next::End(End::Resolved));
        assert_eq!(rule.next(state(10, Some(900))), Next::Block(100));
        assert_eq!(rule.next(state(100, Some(101))), Next::End(End::Most(Some(101))));
        assert_eq!(rule.next(state(100, None)), Next::End(End::Most(None)));
        assert_eq!(resolve(4).next(state(2, Some(2))), Next::Block(4));
        assert_eq!(resolve(4).next(state(4, Some(2))), Next::End(End::Resolved));
        // The most that are allowed need no margin.
        assert_eq!(rule.next(state(100, Some(100))), Next::End(End::Resolved));
        assert_eq!(resolve(7).next(state(6, Some(usize::MAX))), Next::Block(7));
    }

    #[test]
    fn no_block_begins_that_would_end_too_late() {
        let rule = |minutes: u32| Rule { limit: Some(MINUTE * minutes), ..resolve(100) };
        assert_eq!(rule(1).next(state(0, None)), Next::Block(6));
        assert_eq!(rule(4).next(state(2, None)), Next::Block(6));
        assert_eq!(rule(3).next(state(2, None)), Next::End(End::Late(6)));
        assert_eq!(rule(9).next(state(8, Some(20))), Next::End(End::Late(24)));
        // Who is done is not late.
        assert_eq!(rule(3).next(state(6, Some(2))), Next::End(End::Resolved));
        let one_more = Rule { aim: Aim::Pairs(3), limit: Some(MINUTE * 3) };
        assert_eq!(one_more.next(state(2, None)), Next::Block(3));
    }
}
