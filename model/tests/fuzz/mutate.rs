//! Sources of inputs: random bytes, and corpus files with random edits.

use std::fmt;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Longest input of random bytes.
const LEN_MAX: usize = 1024;
/// Most edits of one corpus file.
const EDITS_MAX: usize = 8;

/// An input, shown as a byte string when it fails.
pub struct Input(pub Vec<u8>);

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

/// One change, somewhere.
#[derive(Clone, Debug)]
enum Edit {
    Replace(u8),
    Insert(u8),
    Remove,
    Word(&'static str),
    Cut,
    /// Bytes that stand here come once more, from there on.
    Repeat(Index),
}

impl Edit {
    fn apply(&self, at: &Index, data: &mut Vec<u8>) {
        let place = at.index(data.len() + 1);
        match self {
            Self::Replace(byte) => data.iter_mut().skip(place).take(1).for_each(|b| *b = *byte),
            Self::Insert(byte) => data.insert(place, *byte),
            Self::Remove => drop(data.drain(place..(place + 1).min(data.len()))),
            Self::Word(word) => drop(data.splice(place..place, word.bytes())),
            Self::Cut => data.truncate(place),
            Self::Repeat(from) => {
                let copy = data[from.index(data.len() + 1)..].to_vec();
                data.splice(place..place, copy);
            }
        }
    }
}

fn edit(words: &'static [&'static str]) -> BoxedStrategy<Edit> {
    let plain = prop_oneof![
        4 => any::<u8>().prop_map(Edit::Replace),
        2 => any::<u8>().prop_map(Edit::Insert),
        2 => Just(Edit::Remove),
        1 => Just(Edit::Cut),
        1 => any::<Index>().prop_map(Edit::Repeat),
    ];
    if words.is_empty() {
        plain.boxed()
    } else {
        prop_oneof![1 => plain, 1 => select(words).prop_map(Edit::Word)].boxed()
    }
}

/// Inputs near the corpus and far from it. `words` are what the target's language is made of.
pub fn inputs(
    corpus: Vec<Vec<u8>>,
    words: &'static [&'static str],
) -> impl Strategy<Value = Input> {
    let edits = vec((any::<Index>(), edit(words)), 1..EDITS_MAX);
    let near = (select(corpus), edits).prop_map(|(mut data, edits)| {
        edits.iter().for_each(|(at, edit)| edit.apply(at, &mut data));
        data
    });
    prop_oneof![1 => vec(any::<u8>(), 0..LEN_MAX), 2 => near].prop_map(Input)
}
