//! Edits of inputs.

use fastrand::Rng;

use super::inputs::Input;

/// Most edits of an input.
const EDITS_MAX: usize = 8;
/// Longest run of bytes that an edit repeats, moves or leaves out.
const RUN_BYTES_MAX: usize = 200;

/// Returns an input of the corpus with some edits, or random bytes.
pub fn edited(corpus: &[Input], words: &[&str], rng: &mut Rng) -> Vec<u8> {
    if rng.u8(..20) == 0 {
        let length = rng.usize(..2_000);
        return std::iter::repeat_with(|| rng.u8(..)).take(length).collect();
    }
    let mut data = rng.choice(corpus).cloned().unwrap_or_default();
    for _ in 0..rng.usize(..=EDITS_MAX) {
        edit(&mut data, words, rng);
    }
    data
}

fn edit(data: &mut Vec<u8>, words: &[&str], rng: &mut Rng) {
    let at = rng.usize(..=data.len());
    let run = at..(at + rng.usize(..RUN_BYTES_MAX)).min(data.len());
    match rng.u8(..9) {
        0 => data.truncate(at),
        1 => drop(data.drain(run)),
        2 => {
            let copy = data[run].repeat(rng.usize(1..10));
            data.splice(at..at, copy);
        }
        3 => {
            let moved: Vec<u8> = data.drain(run).collect();
            let to = rng.usize(..=data.len());
            data.splice(to..to, moved);
        }
        4 | 5 => {
            let word = rng.choice(words).copied().unwrap_or_default();
            data.splice(at..at, word.bytes());
        }
        6 => data.insert(at, rng.u8(..)),
        // Another number, or another letter.
        _ => data.iter_mut().skip(at).take(1).for_each(|byte| match byte {
            b'0'..=b'9' => *byte = rng.u8(b'0'..=b'9'),
            _ => *byte ^= 1 << rng.u8(..7),
        }),
    }
}
