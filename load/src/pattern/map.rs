//! Random map: which blocks of a pass were visited, a bit for each. Only I/Os of several sizes need
//! one: those of one size take the blocks in the order of a [permutation](super::permutation).

use alloc::vec::Vec;

/// Bits of a word.
const WORD: u64 = u64::BITS as u64;

/// Blocks that were visited in this pass.
#[derive(Clone, Debug)]
pub(super) struct Map {
    /// Number of the blocks, at least 1.
    blocks: u64,
    /// Bits of the blocks, then those of the words before that are full, up to a single word. Bits
    /// behind the last are set.
    levels: Vec<Vec<u64>>,
}

impl Map {
    /// Returns the memory that a map takes, in bytes.
    pub(super) fn bytes(blocks: u64) -> u64 {
        sizes(blocks).map(|words| words.saturating_mul(8)).fold(0, u64::saturating_add)
    }

    /// Returns a map of so many blocks, at least 1, none of them visited; `None` if there is no
    /// memory for it.
    pub(super) fn new(blocks: u64) -> Option<Self> {
        let level = |words: u64| {
            let words = usize::try_from(words).ok()?;
            let mut level = Vec::new();
            level.try_reserve_exact(words).ok()?;
            level.resize(words, 0);
            Some(level)
        };
        let mut map = Self { blocks, levels: sizes(blocks).map(level).collect::<Option<_>>()? };
        map.clear();
        Some(map)
    }

    /// Begins a pass.
    pub(super) fn clear(&mut self) {
        let mut bits = self.blocks;
        for level in &mut self.levels {
            level.fill(0);
            if let (Some(last), used @ 1..) = (level.last_mut(), bits % WORD) {
                *last = u64::MAX << used;
            }
            bits = bits.div_ceil(WORD);
        }
    }

    /// Returns the first block from `from` on, or else from the start on, that is below `end` and
    /// was not visited; begins another pass if there is none. `from` is below `end`.
    pub(super) fn find(&mut self, from: u64, end: u64) -> u64 {
        let found = self.free_from(from).filter(|block| *block < end);
        let found = found.or_else(|| self.free_from(0).filter(|block| *block < end));
        found.unwrap_or_else(|| {
            self.clear();
            from
        })
    }

    /// Visits a block that was not visited, and those behind it, up to `most` and to the first that
    /// was visited; returns how many.
    pub(super) fn visit(&mut self, block: u64, most: u64) -> u64 {
        let mut visited = 0;
        while visited < most {
            let (word, bit) = place(block + visited);
            let Some(bits) = self.levels[0].get_mut(word) else { break };
            // Free blocks in a row within the word.
            let free = u64::from((*bits >> bit).trailing_zeros()).min(WORD - u64::from(bit));
            let count = free.min(most - visited);
            if count == 0 {
                break;
            }
            *bits |= (u64::MAX >> (WORD - count)) << bit;
            let is_full = *bits == u64::MAX;
            visited += count;
            if is_full {
                self.note_full(word);
            }
            if count < free || u64::from(bit) + count < WORD {
                break;
            }
        }
        visited
    }

    /// Notes that a word of the first level is full.
    fn note_full(&mut self, mut full: usize) {
        for level in self.levels.iter_mut().skip(1) {
            let (word, bit) = place(full as u64);
            level[word] |= 1 << bit;
            if level[word] != u64::MAX {
                break;
            }
            full = word;
        }
    }

    /// Returns the first block from `from` on that was not visited.
    fn free_from(&self, from: u64) -> Option<u64> {
        let mut at = from;
        let mut height = 0;
        // Up to a word with a free bit behind, which is the first one in what it stands for.
        loop {
            let (word, bit) = place(at);
            let free = !self.levels.get(height)?.get(word)? & (u64::MAX << bit);
            if free != 0 {
                at = at - u64::from(bit) + u64::from(free.trailing_zeros());
                break;
            }
            (at, height) = (word as u64 + 1, height + 1);
        }
        // Down again: none of the words on the way is full.
        for level in self.levels[..height].iter().rev() {
            at = at * WORD + u64::from((!level[at as usize]).trailing_zeros());
        }
        Some(at)
    }
}

/// Returns the number of words of each level.
fn sizes(blocks: u64) -> impl Iterator<Item = u64> {
    let first = blocks.div_ceil(WORD);
    core::iter::successors(Some(first), |words| (*words > 1).then(|| words.div_ceil(WORD)))
}

/// Returns the word and the bit of a number.
fn place(number: u64) -> (usize, u32) {
    ((number / WORD) as usize, (number % WORD) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    #[test]
    fn a_map_takes_little_more_than_a_bit_for_each_block() {
        assert_eq!(Map::bytes(1), 8);
        assert_eq!(Map::bytes(64), 8);
        assert_eq!(Map::bytes(65), 16 + 8);
        assert_eq!(Map::bytes(1 << 28), (32 << 20) + (512 << 10) + (8 << 10) + 128 + 8);
        assert!(Map::new(1 << 62).is_none());
    }

    proptest! {
        #[test]
        fn each_block_is_visited_once_a_pass(
            blocks in 1..20_000_u64,
            draws in prop::collection::vec((any::<u64>(), 1..200_u64), 1..300),
        ) {
            let mut map = Map::new(blocks).expect("memory");
            let mut visited = vec![false; blocks as usize];
            for (from, most) in draws {
                let from = from % blocks;
                let is_free = |block: &u64| !visited[*block as usize];
                let expected = (from..blocks).chain(0..from).find(is_free);
                let block = map.find(from, blocks);
                if expected.is_none() {
                    visited.fill(false);
                }
                prop_assert_eq!(block, expected.unwrap_or(from));
                let run = visited[block as usize..].iter().take_while(|visited| !**visited);
                let run = (run.count() as u64).min(most);
                prop_assert_eq!(map.visit(block, most), run);
                visited[block as usize..][..run as usize].fill(true);
            }
        }

        #[test]
        fn blocks_behind_the_end_are_not_found(blocks in 2..5000_u64, end in 1..5000_u64) {
            let end = end.min(blocks);
            let mut map = Map::new(blocks).expect("memory");
            for pass in 0..2 {
                for block in 0..end {
                    prop_assert_eq!(map.find(0, end), block, "{}", pass);
                    prop_assert_eq!(map.visit(block, 1), 1);
                }
            }
        }
    }
}
